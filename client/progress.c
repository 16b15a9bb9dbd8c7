/* SPDX-License-Identifier: Apache-2.0 */
/* Progress of an operation on stderr: a bar on a terminal, a line each 10 % as
 * plain text, or JSON lines.
 */
#include <string.h>

#include "client/fit.h"
#include "client/follow.h"
#include "client/show.h"
#include "core/base/text.h"

void progress_init(struct progress *p, const struct cli *c)
{
	const char *how = cli_flag(c, "progress", c->command->traits & CMD_QUIET ? "none" : "auto");
	*p = (struct progress){.last_step = -1, .last_done = -1};
	if (!strcmp(how, "plain"))
		p->mode = PROGRESS_PLAIN;
	else if (!strcmp(how, "json"))
		p->mode = PROGRESS_JSON;
	else if (!strcmp(how, "auto") && c->err.is_tty)
		p->mode = PROGRESS_BAR;
}

struct figures {
	int64_t done, total, rate;
	bool is_bytes;
	int percent; /* -1: the total is not known */
	const char *stage;
	size_t stream_count;
};

static struct figures figures_of(const json_t *operation)
{
	const json_t *p = json_object_get(operation, "progress");
	struct figures f = {
		.done = js_int(p, "done", 0),
		.total = js_int(p, "total", 0),
		.rate = js_int(p, "bytes_per_s", 0),
		.is_bytes = !strcmp(js_str(p, "unit", "bytes"), "bytes"),
		.stage = js_str(p, "stage", js_str(operation, "state", "")),
		.stream_count = json_array_size(value_at(p, "more.streams")),
	};
	f.percent = f.total > 0 ? (int)((double)f.done * 100 / (double)f.total) : -1;
	f.percent = f.percent > 100 ? 100 : f.percent;
	return f;
}

static void amount(const struct figures *f, int64_t value, char *to)
{
	if (f->is_bytes)
		format_bytes(value, to);
	else
		snprintf(to, 24, "%lld", (long long)value);
}

/* "45 % of 2.6 GiB  85.0 MiB/s  16 s left" */
static void figures_text(const struct figures *f, char *to, size_t room)
{
	char done[24], total[24], rate[24], left[32];
	size_t n;
	amount(f, f->done, done);
	amount(f, f->total, total);
	if (f->percent < 0)
		n = (size_t)snprintf(to, room, "%s", f->done ? done : "");
	else
		n = (size_t)snprintf(to, room, "%3d %%  %s of %s", f->percent, done, total);
	if (f->rate > 0 && n < room) {
		format_bytes(f->rate, rate);
		n += (size_t)snprintf(to + n, room - n, "  %s/s", rate);
	}
	if (f->rate > 0 && f->is_bytes && f->total > f->done && n < room) {
		format_span((f->total - f->done) / f->rate, left);
		snprintf(to + n, room - n, "  %s left", left);
	}
}

static void paint_bar(struct cli *c, const struct figures *f, unsigned width)
{
	const char *full = c->err.is_utf8 ? "\xE2\x94\x81" : "#";
	const char *empty = c->err.is_utf8 ? "\xE2\x94\x80" : "-";
	unsigned filled = f->percent < 0 ? 0 : width * (unsigned)f->percent / 100;
	fputs(term_paint(&c->err, PAINT_GREEN), c->err.file);
	for (unsigned i = 0; i < filled; i++)
		fputs(full, c->err.file);
	fputs(term_paint(&c->err, PAINT_NONE), c->err.file);
	fputs(term_paint(&c->err, PAINT_DIM), c->err.file);
	for (unsigned i = filled; i < width; i++)
		fputs(empty, c->err.file);
	fputs(term_paint(&c->err, PAINT_NONE), c->err.file);
}

static void show_bar(struct cli *c, const struct figures *f)
{
	char text[160];
	AUTO_FREE char *stage = term_escape(&c->err, f->stage, false);
	figures_text(f, text, sizeof(text));
	term_measure(&c->err);
	unsigned width = c->err.width ? c->err.width : 80;
	unsigned bar = width > 110 ? 40 : width > 75 ? 20 : 0;
	unsigned taken = bar + (unsigned)strlen(text) + 5;
	int room = width > taken ? (int)(width - taken) : 0;
	fputs("\r\x1b[K", c->err.file);
	if (bar && f->percent >= 0) {
		paint_bar(c, f, bar);
		fputs("  ", c->err.file);
	}
	AUTO_FREE char *cut = stage && room > 3 ? fit_text(&c->err, stage, (size_t)room) : NULL;
	fprintf(c->err.file, "%s  %s", text, cut ? cut : "");
	if (f->stream_count && room > 24)
		fprintf(c->err.file, ", %zu stream%s", f->stream_count,
			f->stream_count == 1 ? "" : "s");
	fflush(c->err.file);
}

void progress_show(struct progress *p, struct cli *c, const json_t *operation)
{
	struct figures f = figures_of(operation);
	char text[160];
	if (p->mode == PROGRESS_BAR) {
		show_bar(c, &f);
		p->is_painted = true;
	} else if (p->mode == PROGRESS_PLAIN && f.percent / 10 > p->last_step && f.percent >= 0) {
		p->last_step = f.percent / 10;
		figures_text(&f, text, sizeof(text));
		cli_note(c, "%s: %s", js_str(operation, "kind", "operation"), text);
	} else if (p->mode == PROGRESS_JSON && f.done != p->last_done) {
		AUTO_FREE char *line = NULL;
		p->last_done = f.done;
		const json_t *progress = json_object_get(operation, "progress");
		line = progress ? json_text(progress, JSON_COMPACT) : NULL;
		fprintf(c->err.file, "%s\n", line ? line : "{}");
	}
}

void progress_end(struct progress *p, struct cli *c)
{
	if (p->is_painted)
		fputs("\r\x1b[K", c->err.file);
	fflush(c->err.file);
	p->is_painted = false;
}
