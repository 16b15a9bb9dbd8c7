/* SPDX-License-Identifier: Apache-2.0 */
/* Reports of copies: each image's outcome, then the totals. */
#include "client/report_copy.h"

#include <string.h>

#include "client/show.h"
#include "core/base/text.h"

/* Words of the engine, for a person. */
static const struct {
	const char *word, *plan, *done;
	enum paint paint;
} words[] = {
	{"copy", "copy", "copied", PAINT_GREEN},
	{"copied", "copy", "copied", PAINT_GREEN},
	{"tag", "tag only", "tagged", PAINT_GREEN},
	{"tagged", "tag only", "tagged", PAINT_GREEN},
	{"present", "nothing", "there", PAINT_NONE},
	{"keep", "keep", "kept", PAINT_YELLOW},
	{"kept", "keep", "kept", PAINT_YELLOW},
	{"skipped", "skip", "skipped", PAINT_YELLOW},
	{"cancelled", "skip", "cancelled", PAINT_YELLOW},
	{"same", "same", "same", PAINT_NONE},
	{"missing", "MISSING", "MISSING", PAINT_RED},
	{"different", "DIFFERS", "DIFFERS", PAINT_RED},
	{"incomplete", "BROKEN", "BROKEN", PAINT_RED},
	{"fail", "FAIL", "FAILED", PAINT_RED},
	{"failed", "FAIL", "FAILED", PAINT_RED},
};

/* A plan's images have an action, a run's a state. */
static const char *state_of(const json_t *image)
{
	return js_str(image, "state", js_str(image, "action", ""));
}

static const char *target_of(const json_t *image)
{
	return js_str(image, "target", js_str(image, "source", ""));
}

static void image_line(struct cli *c, const json_t *image, bool is_plan, size_t width)
{
	char size[24] = "";
	const char *word = state_of(image);
	const char *shown = word;
	enum paint paint = PAINT_NONE;
	for (size_t i = 0; i < ARRAY_COUNT(words); i++)
		if (!strcmp(words[i].word, word)) {
			shown = is_plan ? words[i].plan : words[i].done;
			paint = words[i].paint;
		}
	bool is_whole = !c->out.is_tty || cli_has(c, "no-trunc");
	AUTO_FREE char *digest = cell_text(json_object_get(image, "digest"), COL_DIGEST, is_whole);
	if (js_int(image, "bytes", 0))
		format_bytes(js_int(image, "bytes", 0), size);
	AUTO_FREE char *target = term_escape(&c->out, target_of(image), false);
	size_t columns = target ? term_columns(target) : 0;
	fprintf(c->out.file, "%s%-9s%s %s%*s  ", paint ? term_paint(&c->out, paint) : "", shown,
		paint ? term_paint(&c->out, PAINT_NONE) : "", term_whole(target),
		(int)(width > columns ? width - columns : 0), "");
	term_put(&c->out, term_whole(digest));
	fprintf(c->out.file, "%s%s\n", *size ? "  " : "", size);
}

/* A line below an image's own. */
static void put_below(struct cli *c, const char *lead, const char *text)
{
	AUTO_FREE char *safe = term_escape(&c->out, text, false);
	fprintf(c->out.file, "          %s%s\n", lead, term_whole(safe));
}

/* Why one image failed, below its line. */
static void error_line(struct cli *c, const json_t *image)
{
	const json_t *error = json_object_get(image, "error");
	const char *message = js_str(error, "message", js_str(error, "title", ""));
	const char *cause = js_str(error, "cause", js_str(error, "detail", ""));
	if (!*message)
		return;
	AUTO_FREE char *text = text_printf("%s%s%s", message, *cause ? ": " : "", cause);
	put_below(c, "", term_whole(text));
}

/* What the target lacks of one image, or has otherwise. */
static void difference_lines(struct cli *c, const json_t *image)
{
	const json_t *one, *differences = json_object_get(image, "differences");
	const char *found = js_str(image, "found", "");
	size_t i;
	if (*found)
		put_below(c, "the target has ", found);
	json_array_foreach (differences, i, one) {
		bool is_size = !strcmp(js_str(one, "how", ""), "size");
		AUTO_FREE char *text =
			text_printf("%s %s %s", js_str(one, "what", ""), js_str(one, "digest", ""),
				    is_size ? "has another size" : "is missing");
		put_below(c, "", term_whole(text));
	}
}

/* ", 3 there already": a count with its words, where there is one. */
static void count(struct cli *c, int64_t value, const char *what)
{
	if (value > 0)
		fprintf(c->out.file, ", %lld %s", (long long)value, what);
}

static int64_t either(const json_t *totals, const char *one, const char *other)
{
	return js_int(totals, one, js_int(totals, other, 0));
}

/* Who copies, of a rule that leaves the choice or takes a registry's own. */
static void engine_lines(struct cli *c, const json_t *totals, bool is_plan)
{
	AUTO_FREE char *reason = term_escape(&c->out, js_str(totals, "engine_reason", ""), false);
	if (!strcmp(js_str(totals, "engine", ""), "native"))
		fprintf(c->out.file, "%s by the registry's own replication\n",
			is_plan ? "To be copied" : "Copied");
	else if (reason && *reason)
		fprintf(c->out.file, "%s by Berth: %s\n", is_plan ? "To be copied" : "Copied",
			reason);
}

/* A registry's own replication tells of repositories, not of each image. */
static const char *noun_of(const json_t *totals, bool is_plan, int64_t count)
{
	if (!is_plan && !strcmp(js_str(totals, "engine", ""), "native"))
		return count == 1 ? "repository" : "repositories";
	return count == 1 ? "image" : "images";
}

static void totals_line(struct cli *c, const json_t *totals, bool is_plan)
{
	char bytes[24];
	int64_t copied = js_int(totals, "copied", 0), images = js_int(totals, "images", 0), mounts;
	if (is_plan)
		copied = images - js_int(totals, "present", 0) - js_int(totals, "kept", 0) -
			 js_int(totals, "skipped", 0) - js_int(totals, "failed", 0);
	format_bytes(is_plan ? js_int(totals, "bytes", 0) : either(totals, "bytes_done", "bytes"),
		     bytes);
	fprintf(c->out.file, "%s%lld %s%s", term_paint(&c->out, PAINT_BOLD), (long long)images,
		noun_of(totals, is_plan, images), term_paint(&c->out, PAINT_NONE));
	count(c, js_int(totals, "referrers", 0), "attached");
	fprintf(c->out.file, ": %lld %s", (long long)copied, is_plan ? "to copy" : "copied");
	count(c, js_int(totals, "present", 0), "there already");
	count(c, js_int(totals, "kept", 0), "kept as they are");
	count(c, js_int(totals, "skipped", 0), "skipped");
	count(c, js_int(totals, "failed", 0), "failed");
	if (is_plan || strcmp(js_str(totals, "engine", ""), "native") != 0)
		fprintf(c->out.file, "; %s %s", bytes, is_plan ? "to move" : "moved");
	mounts = is_plan ? js_int(totals, "mounts", 0) : either(totals, "mounts_done", "mounts");
	count(c, mounts, mounts == 1 ? "layer" : "layers");
	fputs(!mounts ? "" : is_plan ? " to mount" : " mounted", c->out.file);
	count(c, js_int(json_object_get(totals, "verified"), "same", 0), "verified");
	fputc('\n', c->out.file);
	engine_lines(c, totals, is_plan);
}

static void verdict_line(struct cli *c, const json_t *totals)
{
	int64_t images = js_int(totals, "images", 0);
	fprintf(c->out.file, "%s%lld image%s%s", term_paint(&c->out, PAINT_BOLD), (long long)images,
		images == 1 ? "" : "s", term_paint(&c->out, PAINT_NONE));
	count(c, js_int(totals, "referrers", 0), "attached");
	fprintf(c->out.file, ": %lld the same", (long long)js_int(totals, "same", 0));
	count(c, js_int(totals, "missing", 0), "missing");
	count(c, js_int(totals, "different", 0), "different");
	count(c, js_int(totals, "incomplete", 0), "broken");
	count(c, js_int(totals, "failed", 0), "not compared");
	fprintf(c->out.file, "; %lld blobs looked for\n", (long long)js_int(totals, "blobs", 0));
}

static int by_target(const void *a, const void *b)
{
	return strcmp(target_of(*(json_t *const *)a), target_of(*(json_t *const *)b));
}

/* The images in the order of their targets' names. */
static void image_lines(struct cli *c, const json_t *images, bool is_plan)
{
	size_t i, count = json_array_size(images), width = 0;
	json_t *one;
	AUTO_FREE json_t **sorted = calloc(count ? count : 1, sizeof(json_t *));
	bool is_long = count > 50 && c->format != FORMAT_WIDE;
	if (!sorted) {
		js_lose();
		return;
	}
	json_array_foreach (images, i, one) {
		size_t columns = term_columns(target_of(one));
		sorted[i] = one;
		width = columns > width && columns <= 60 ? columns : width;
	}
	qsort(sorted, count, sizeof(json_t *), by_target);
	for (i = 0; i < count; i++) {
		const char *state = state_of(sorted[i]);
		if (is_long && (!strcmp(state, "present") || !strcmp(state, "skipped") ||
				!strcmp(state, "same")))
			continue;
		image_line(c, sorted[i], is_plan, width);
		error_line(c, sorted[i]);
		difference_lines(c, sorted[i]);
	}
}

static void print(struct cli *c, const json_t *report, bool is_plan)
{
	const json_t *totals = json_object_get(report, "totals");
	image_lines(c, json_object_get(report, "outcomes"), is_plan);
	totals_line(c, json_is_object(totals) ? totals : report, is_plan);
}

void copy_report(struct cli *c, const json_t *operation)
{
	bool is_plan = cli_has(c, "plan") || cli_has(c, "dry-run") ||
		       strstr(js_str(operation, "kind", ""), "plan");
	const json_t *result = json_object_get(operation, "result");
	const char *run = js_str(result, "run", "");
	if (strcmp(js_str(operation, "kind", ""), "copy-verify") != 0) {
		print(c, result, is_plan);
		if (*run &&
		    json_array_size(json_object_get(result, "outcomes")) == OUTCOMES_WITH_RUN)
			cli_hint(c, "all outcomes: berthctl sync report %s", run);
		return;
	}
	image_lines(c, json_object_get(result, "outcomes"), false);
	verdict_line(c, result);
}

void run_report(struct cli *c, const json_t *run)
{
	print(c, run, false);
}
