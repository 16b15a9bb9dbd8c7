/* SPDX-License-Identifier: Apache-2.0 */
/* Operation types of scanning. The row of a scan says after each item how far
 * it is, so that a run that was cut short follows the scan that it had begun,
 * and does not begin another.
 */
#include <stdio.h>
#include <string.h>

#include "core/api/job.h"
#include "core/api/scan.h"
#include "core/api/scan_report.h"
#include "core/base/clock.h"
#include "core/base/text.h"

static const char *repository_of(const struct operation *op)
{
	return js_str(json_object_get(json_object_get(op->arguments, "args"), "target"),
		      "repository", "");
}

/* op->own is the report that comes at the end; see scan_report.h. */
static int open_report(struct operation *op, struct berth_error *err)
{
	scan_intake_free(op->own);
	op->own = scan_intake_new(js_str(op->arguments, "id", ""), repository_of(op));
	return op->own ? 0 : berth_fail_memory(err);
}

void scan_release(struct operation *op)
{
	scan_intake_free(op->own);
	op->own = NULL;
}

int scan_call(struct operation *op, json_t **ret, struct berth_error *err)
{
	struct daemon_state *d = api_daemon();
	struct scan row AUTO_SCAN_ROW = {.id = NULL};
	json_t *args AUTO_JSON = json_deep_copy(json_object_get(op->arguments, "args"));

	if (open_report(op, err))
		return err->code;
	int code = scan_get(d->store, op->id, &row, err);
	if (code)
		return code;
	bool is_begun = *row.run != '\0';
	if (!args || json_object_set_new(args, "follow", json_boolean(is_begun)))
		return berth_fail_memory(err);
	/* What was begun by tag goes on by its digest. */
	js_put_str(json_object_get(args, "target"), "digest", row.digest);
	return job_call_one(op, "scan", d->settings.jobs.scan_ms, args, ret, err);
}

static int set_text(char **to, const char *text, struct berth_error *err)
{
	return text_replace(to, text) ? 0 : berth_fail_memory(err);
}

/* What the plugin says of the scan now. */
static int take_run(struct daemon_state *d, struct scan *row, const json_t *item,
		    struct berth_error *err)
{
	const json_t *run = json_object_get(item, "more");
	const char *state = js_str(run, "state", "running");
	char *text AUTO_FREE = js_canonical(run ? run : json_null());

	if (!text)
		return berth_fail_memory(err);
	/* Nothing in it could be scanned: that is an end like another. */
	if (!strcmp(state, "not-scanned"))
		state = "done";
	if (set_text(&row->run, text, err) || set_text(&row->state, state, err) ||
	    set_text(&row->digest, js_str(item, "digest", row->digest), err))
		return err->code;
	row->total = js_int(run, "total", row->total);
	row->fixable = js_int(run, "fixable", row->fixable);
	row->updated_ms = clock_unix_ms();
	return scan_put(d->store, row, err);
}

static int take_task(struct daemon_state *d, const struct scan *row, const json_t *item,
		     struct berth_error *err)
{
	const json_t *run = json_object_get(item, "more");
	char *text AUTO_FREE = js_canonical(run ? run : json_null());
	struct scan_artifact artifact = {
		.scan_id = row->id,
		.repository = (char *)js_str(run, "source", ""),
		.digest = (char *)js_str(item, "digest", ""),
		.state = (char *)js_str(run, "state", ""),
		.run = text,
	};

	return text ? scan_artifact_put(d->store, &artifact, err) : berth_fail_memory(err);
}

int scan_items(struct operation *op, const json_t *items, struct berth_error *err)
{
	struct daemon_state *d = api_daemon();
	struct scan row AUTO_SCAN_ROW = {.id = NULL};
	const json_t *item;
	size_t i;

	if (scan_get(d->store, op->id, &row, err))
		return err->code;
	json_array_foreach (items, i, item) {
		const char *kind = js_str(item, "kind", "");
		int code = 0;
		if (!strcmp(kind, "run")) {
			code = take_run(d, &row, item, err);
			scan_intake_of(op->own, row.digest);
		} else if (!strcmp(kind, "task")) {
			code = take_task(d, &row, item, err);
		} else {
			code = scan_intake_item(d, op->own, item, err);
		}
		if (code)
			return code;
	}
	return 0;
}

static int note_failure(struct scan *row, const struct berth_error *why, struct berth_error *err)
{
	json_t *error AUTO_JSON = js_of_error(why);
	char *text AUTO_FREE = js_canonical(error);
	bool is_going = !strcmp(row->state, "queued") || !strcmp(row->state, "running");

	if (!text)
		return berth_fail_memory(err);
	if (set_text(&row->error, text, err))
		return err->code;
	/* Cancelling the operation leaves the scan alone: it goes on there. */
	if (is_going)
		return set_text(&row->state,
				why->code == BERTH_E_CANCELLED     ? "left"
				: why->code == BERTH_E_UNSUPPORTED ? "unsupported"
								   : "error",
				err);
	return 0;
}

/* The report's own sum stands for an index, whose children Harbor merges. */
static int note_report(struct daemon_state *d, struct operation *op, struct scan *row,
		       const char **ret_report, struct berth_error *err)
{
	json_t *run AUTO_JSON = NULL;
	const struct scan_totals *totals;

	if (scan_intake_end(d, op->own, &totals, err) || api_parse(row->run, &run, err))
		return err->code;
	if (!totals)
		return 0;
	*ret_report = totals->report_id;
	row->total = totals->total;
	row->fixable = totals->fixable;
	json_object_set(run, "counts", totals->counts);
	char *text AUTO_FREE = js_canonical(run);
	return text ? set_text(&row->run, text, err) : berth_fail_memory(err);
}

int scan_ended(struct operation *op, const json_t *value, const struct berth_error *why,
	       json_t **ret_result, struct berth_error *err)
{
	struct daemon_state *d = api_daemon();
	struct scan row AUTO_SCAN_ROW = {.id = NULL};
	const char *report = NULL;
	int code = scan_get(d->store, op->id, &row, err);

	(void)value;
	/* Its integration was deleted meanwhile, and the scan with it. */
	if (code == BERTH_E_NOT_FOUND) {
		*err = (struct berth_error)ERROR_INIT;
		return 0;
	}
	if (code)
		return code;
	code = why->code ? note_failure(&row, why, err) : note_report(d, op, &row, &report, err);
	row.updated_ms = row.ended_ms = clock_unix_ms();
	if (code || scan_put(d->store, &row, err) || scan_show(&row, ret_result, err))
		return err->code;
	js_put_str(*ret_result, "report", report);
	return 0;
}

/* --- one look --- */

#define IMAGES_MAX 1000

/* op->own: the images of a space or repository. */
int scan_state_items(struct operation *op, const json_t *items, struct berth_error *err)
{
	const json_t *item;
	size_t i;

	if (!op->own)
		op->own = json_array();
	if (!op->own)
		return berth_fail_memory(err);
	json_array_foreach (items, i, item) {
		const json_t *more = json_object_get(item, "more");
		if (strcmp(js_str(item, "kind", ""), "task") != 0 ||
		    json_array_size(op->own) >= IMAGES_MAX)
			continue;
		json_t *one = json_is_object(more) ? json_deep_copy(more) : json_object();
		json_object_del(one, "source");
		json_object_del(one, "report");
		js_put_str(one, "repository", js_str(more, "source", ""));
		js_put_str(one, "digest", js_str(item, "digest", NULL));
		if (json_array_append_new(op->own, one))
			return berth_fail_memory(err);
	}
	return 0;
}

int scan_state_ended(struct operation *op, const json_t *value, const struct berth_error *why,
		     json_t **ret_result, struct berth_error *err)
{
	json_t *about = json_object_get(op->arguments, "about");

	if (why->code)
		return 0;
	*ret_result = value ? json_deep_copy(value) : json_object();
	if (!*ret_result || json_object_update(*ret_result, about))
		return berth_fail_memory(err);
	if (op->own)
		json_object_set(*ret_result, "images", op->own);
	return 0;
}
