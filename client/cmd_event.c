/* SPDX-License-Identifier: Apache-2.0 */
/* event: what happens. */
#include <string.h>

#include "client/cmd.h"
#include "client/show.h"
#include "core/base/text.h"

static const struct flag watch_flags[] = {
	{"types", 't', FLAG_TEXT, "LIST", "operation, lifecycle, audit, health (all)",
	 .query = "types"},
	{"since", 0, FLAG_TEXT, "ID", "begin after this event; 0: all that are kept",
	 .query = "since"},
	{"no-follow", 0, FLAG_TRUE, NULL, .help = "print what is kept and end"},
	{"count", 'n', FLAG_COUNT, "N", .help = "end after N events"},
	{0},
};

/* What became of it: an operation's state, a phase, what was done. */
static const char *event_word(const json_t *data)
{
	static const char *const members[] = {"state", "phase", "result", "action"};
	for (size_t i = 0; i < ARRAY_COUNT(members); i++)
		if (js_str(data, members[i], NULL))
			return js_str(data, members[i], "");
	return "";
}

/* "2026-11-22T18:04:11Z  operation  running  /v1/operations/..." */
static void event_line(struct cli *c, const json_t *event)
{
	const json_t *data = json_object_get(event, "data");
	const char *word = event_word(data);
	const char *more = js_str(data, "kind", js_str(data, "reason", js_str(data, "action", "")));
	AUTO_FREE char *time = cell_text(json_object_get(event, "at"), COL_TIME, true);
	AUTO_FREE char *text =
		text_printf("%-24s  %-9s  %-11s  %s  %s", term_whole(time),
			    js_str(event, "type", ""), event_word(data),
			    js_str(event, "resource", ""), strcmp(word, more) != 0 ? more : "");
	AUTO_FREE char *safe = text ? term_escape(&c->out, text, false) : NULL;
	size_t bytes = safe ? strlen(safe) : 0;
	while (bytes && safe[bytes - 1] == ' ')
		safe[--bytes] = 0;
	fprintf(c->out.file, "%s\n", term_whole(safe));
}

/* The page of events after that id; *last becomes the last one's. */
static int page_after(struct cli *c, int64_t *last, json_t **ret, struct berth_error *err)
{
	const char *types = cli_flag(c, "types", NULL);
	char *path = text_printf("/v1/events?wait_s=0&limit=1000&since=%lld", (long long)*last);
	AUTO_FREE char *full = path && types ? api_query(path, "types", types) : path;
	if (!full || api_get(c, full, ret, err))
		return full ? err->code : berth_fail_memory(err);
	const json_t *items = json_object_get(*ret, "items");
	size_t count = json_array_size(items);
	*last = count ? js_int(json_array_get(items, count - 1), "id", *last) : *last;
	return 0;
}

/* --no-follow: what is kept, page by page. */
static int print_kept(struct cli *c)
{
	struct berth_error err = ERROR_INIT;
	uint64_t left = cli_count(c, "count", UINT64_MAX);
	int64_t last = 0;
	if (!text_parse_i64(cli_flag(c, "since", "0"), 0, INT64_MAX, &last))
		return cli_usage(c, "--since takes an event's id, not '%s'",
				 cli_flag(c, "since", ""));
	for (size_t count = 1; count && left;) {
		AUTO_JSON json_t *page = NULL;
		size_t i;
		const json_t *event;
		if (page_after(c, &last, &page, &err))
			return cli_report(c, &err);
		count = json_array_size(json_object_get(page, "items"));
		json_array_foreach (json_object_get(page, "items"), i, event)
			if (left && left--)
				stream_print(c, event, event_line);
	}
	return EXIT_OK;
}

static int watch_events(struct cli *c)
{
	if (cli_has(c, "no-follow"))
		return print_kept(c);
	AUTO_FREE char *path = path_with_flags(c, strdup("/v1/events"));
	int status = path ? stream_lines(c, path, event_line, NULL) : cli_no_memory(c);
	if (status == EXIT_NO_DAEMON && c->last_event)
		cli_hint(c, "go on with: berthctl event watch --since %lld",
			 (long long)c->last_event);
	return status;
}

const struct command event_commands[] = {
	{
		.noun = "event",
		.verb = "watch",
		.summary = "Print what happens, as it happens, until Ctrl-C",
		.details = "Events have ids that only grow. A reader that was cut off goes on "
			   "with --since and the last id that it saw; a gap event says that some "
			   "are no longer kept. The stream of who is no administrator of the "
			   "daemon ends where roles or the system's accounts change: reading "
			   "again shows what may be seen now.",
		.flags = watch_flags,
		.examples = {{"berthctl event watch", "everything from now on"},
			     {"berthctl event watch --types operation,health --since 0",
			      "what is kept of two kinds, and then what comes"},
			     {"berthctl event watch --since 0 --no-follow",
			      "what is kept, and end"},
			     {"berthctl event watch -o ndjson -n 1",
			      "the next event, for a program"}},
		.method = "GET",
		.route = "/v1/events",
		.run = watch_events,
	},
	{0},
};
