/* SPDX-License-Identifier: Apache-2.0 */
/* Streams of JSON lines: events and an operation's log. */
#include <string.h>

#include "client/cmd.h"
#include "client/show.h"

enum { LINE_BYTES_MAX = 1 << 20 };

static const struct js_limits line_limits = {LINE_BYTES_MAX, 100000, 64};

/* "18:04:11 info  cannot list: ..." */
static void plain_line(struct cli *c, const json_t *object)
{
	AUTO_FREE char *time = cell_text(json_object_get(object, "at"), COL_TIME, true);
	AUTO_FREE char *message =
		term_escape(&c->out, js_str(object, "message", js_str(object, "text", "")), false);
	const char *level = js_str(object, "level", "");
	if (message && !*message) {
		AUTO_FREE char *whole = json_text(object, JSON_COMPACT);
		fprintf(c->out.file, "%s\n", term_whole(whole));
		return;
	}
	term_put(&c->out, term_whole(time));
	fputs(time && *time ? " " : "", c->out.file);
	term_put(&c->out, level);
	fprintf(c->out.file, "%s%s\n", *level ? " " : "", term_whole(message));
}

void stream_print(struct cli *c, const json_t *object, print_line *line)
{
	const char *filter = cli_flag(c, "jq", NULL);
	if (filter) {
		jq_print(c, object, filter);
	} else if (c->format == FORMAT_TABLE || c->format == FORMAT_WIDE) {
		(line ? line : plain_line)(c, object);
	} else if (c->format == FORMAT_TEMPLATE) {
		AUTO_FREE char *text = template_text(c->template, object);
		term_put(&c->out, term_whole(text));
		fputc('\n', c->out.file);
	} else {
		AUTO_FREE char *text = json_text(object, JSON_COMPACT);
		fprintf(c->out.file, "%s\n", term_whole(text));
	}
	fflush(c->out.file);
}

/* Prints the whole lines of b and drops them; *left counts down to none. */
static int drain(struct cli *c, struct buf *b, print_line *line, uint64_t *left,
		 struct berth_error *err)
{
	while (*left) {
		const char *end = b->byte_count ? memchr(b->bytes, '\n', b->byte_count) : NULL;
		size_t bytes = end ? (size_t)(end - b->bytes) : 0;
		AUTO_JSON json_t *object = NULL;
		if (!end)
			return 0;
		int code = bytes ? js_parse(b->bytes, bytes, &line_limits, &object, err) : 0;
		if (code)
			return berth_wrap(err, "cannot read a line of the stream");
		if (object) {
			stream_print(c, object, line);
			c->last_event = js_int(object, "id", 0);
			(*left)--;
		}
		buf_drop_front(b, bytes + 1);
	}
	return 0;
}

int stream_lines(struct cli *c, const char *path, print_line *line, const char *if_none)
{
	struct berth_error err = ERROR_INIT;
	struct http_answer answer;
	struct buf b AUTO_BUF = {.max = LINE_BYTES_MAX};
	char bytes[16384];
	size_t count = 1;
	uint64_t wanted = cli_count(c, "count", UINT64_MAX), left = wanted;
	int code = api_stream(c, path, "application/x-ndjson, application/problem+json", &answer,
			      &err);
	while (!code && count && left && !ferror(c->out.file)) {
		code = http_read_some(&c->http, &answer, bytes, sizeof(bytes), &count, &err);
		if (!code)
			code = buf_add(&b, bytes, count, &err);
		if (!code)
			code = drain(c, &b, line, &left, &err);
	}
	http_answer_done(&answer);
	c->http.is_broken = true; /* the stream may have more to say */
	if (!code && if_none && left == wanted)
		cli_note(c, "%s", if_none);
	return code ? cli_report(c, &err) : EXIT_OK;
}
