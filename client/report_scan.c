/* SPDX-License-Identifier: Apache-2.0 */
/* What scans found, in a line or two. */
#include "client/report_scan.h"

#include <string.h>

#include "client/show.h"

static const char *const severities[] = {"critical",   "high", "medium", "low",
					 "negligible", "none", "unknown"};

/* "5 findings (3 fixable): 1 critical, 2 high, 2 low" */
static void findings_text(const json_t *of, char *to, size_t room)
{
	const json_t *counts = json_object_get(of, "counts");
	int64_t total = js_int(of, "total", 0);
	size_t n = (size_t)snprintf(to, room, "%lld finding%s", (long long)total,
				    total == 1 ? "" : "s");
	if (total && n < room)
		n += (size_t)snprintf(to + n, room - n, " (%lld fixable)",
				      (long long)js_int(of, "fixable", 0));
	const char *glue = ": ";
	for (size_t i = 0; i < ARRAY_COUNT(severities); i++) {
		int64_t count = js_int(counts, severities[i], 0);
		if (count <= 0 || n >= room)
			continue;
		n += (size_t)snprintf(to + n, room - n, "%s%lld %s", glue, (long long)count,
				      severities[i]);
		glue = ", ";
	}
}

/* "12 artifacts: 10 done, 2 error" */
static void artifacts_line(struct cli *c, const json_t *artifacts)
{
	const char *state, *glue = "";
	json_t *n;
	if (!json_object_size(artifacts))
		return;
	fputs("artifacts: ", c->out.file);
	json_object_foreach ((json_t *)(uintptr_t)artifacts, state, n) {
		fprintf(c->out.file, "%s%lld ", glue, (long long)json_integer_value(n));
		term_put(&c->out, state);
		glue = ", ";
	}
	fputc('\n', c->out.file);
}

void scan_report(struct cli *c, const json_t *operation)
{
	const json_t *scan = json_object_get(operation, "result");
	const char *state = js_str(scan, "state", "?");
	enum paint paint = paint_of_state(state);
	char text[256];
	if (json_is_array(json_object_get(scan, "create"))) {
		fputs("a scan would be started\n", c->out.file);
		return;
	}
	findings_text(scan, text, sizeof(text));
	term_put(&c->out, js_str(scan, "target", ""));
	fprintf(c->out.file, "  %s", paint ? term_paint(&c->out, paint) : "");
	term_put(&c->out, state);
	fprintf(c->out.file, "%s  %s\n", paint ? term_paint(&c->out, PAINT_NONE) : "",
		!strcmp(state, "done") ? text : "");
	artifacts_line(c, json_object_get(scan, "artifacts"));
}

void report_note(struct cli *c, const json_t *report)
{
	char text[256];
	findings_text(report, text, sizeof(text));
	cli_note(c, "%s", text);
}

bool report_reaches(const json_t *report, const char *severity)
{
	const json_t *counts = json_object_get(report, "counts");
	bool found = false;
	for (size_t i = 0; severity && i < ARRAY_COUNT(severities); i++) {
		found = found || js_int(counts, severities[i], 0) > 0;
		if (!strcmp(severities[i], severity))
			return found;
	}
	return false;
}
