/* SPDX-License-Identifier: Apache-2.0 */
/* /v1/scans: scans started, followed and stopped; /v1/scan-states: what a
 * registry says of a target now; scanners and settings. What their operations
 * do is in scan_ops.c, reports are in scan_reports.c.
 */
#include "core/api/scan.h"

#include <stdio.h>
#include <string.h>

#include "api_handlers.h"
#include "core/base/clock.h"
#include "core/base/text.h"

#define IMAGES_SHOWN "1000"
#define NO_SCANNER_HINT "berthctl copy REF HARBOR/REPOSITORY, then scan it there"

bool scan_can(struct request *q, struct answer *a, const struct integration *of, const char *slot)
{
	const json_t *plugin = catalog_find(request_daemon(q), of->kind);

	if (catalog_has(plugin, "scan", slot))
		return true;
	api_refuse(a, 422, "unsupported", NO_SCANNER_HINT,
		   "integration %s is a %s, which has no scanner that Berth could drive", of->name,
		   of->kind);
	return false;
}

static char *lock_of(const struct scan_target *t)
{
	return text_printf("scan/%s", t->text);
}

/* --- start --- */

static int add_row(struct daemon_state *d, const struct scan_target *t, const char *id,
		   struct berth_error *err)
{
	int64_t now_ms = clock_unix_ms();
	struct scan row = {
		.id = (char *)id,
		.integration_id = t->of.id,
		.target = (char *)t->text,
		.scope = (char *)t->scope,
		.repository = (char *)js_str(t->job, "repository", ""),
		.digest = (char *)js_str(t->job, "digest", ""),
		.state = (char *)"queued",
		.run = (char *)"",
		.error = (char *)"",
		.created_ms = now_ms,
		.updated_ms = now_ms,
	};

	return scan_put(d->store, &row, err);
}

void api_scans_create(struct request *q, struct answer *a)
{
	struct daemon_state *d = request_daemon(q);
	struct scan_target t AUTO_SCAN_TARGET = {.text = NULL};
	struct op_submitted done = {.id = ""};
	struct berth_error err = ERROR_INIT;

	if (api_resumed(q, a) || !scan_target_of_body(q, a, &t) || !scan_can(q, a, &t.of, "start"))
		return;
	char *lock AUTO_FREE = lock_of(&t);
	json_t *args AUTO_JSON = json_pack("{s:O}", "target", t.job);
	struct slot_work work = {.kind = "scan",
				 .table = "scan",
				 .slot = "start",
				 .path = t.path,
				 .lock = lock,
				 .args = args,
				 .joins = true};
	if (request_dry_run(q)) {
		slot_plan(q, a, t.of.id, &work, api_plan("/v1/scans", NULL, NULL));
		return;
	}
	if (store_begin(d->store, &err)) {
		api_fail(a, &err, NULL);
		return;
	}
	struct store *undo AUTO_UNDO = d->store;
	if (!slot_submit_id(q, a, t.of.id, &work, &done))
		return;
	if ((!done.joined && add_row(d, &t, done.id, &err)) || store_commit(STEAL(undo), &err))
		api_fail(a, &err, NULL);
}

/* --- what was scanned --- */

int scan_show(const struct scan *row, json_t **ret, struct berth_error *err)
{
	static const char *const shown[] = {"percent", "severity",  "scanner",
					    "counts",  "artifacts", "started_at"};
	json_t *run AUTO_JSON = NULL;
	json_t *error AUTO_JSON = NULL;

	if (api_parse(row->run, &run, err) || (*row->error && api_parse(row->error, &error, err)))
		return err->code;
	*ret = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:I, s:I}", "id", row->id, "operation",
			 row->id, "integration", row->integration, "target", row->target, "scope",
			 row->scope, "state", row->state, "total", (json_int_t)row->total,
			 "fixable", (json_int_t)row->fixable);
	if (!*ret)
		return berth_fail_memory(err);
	js_put_str(*ret, "repository", *row->repository ? row->repository : NULL);
	js_put_str(*ret, "digest", *row->digest ? row->digest : NULL);
	for (size_t i = 0; i < ARRAY_COUNT(shown); i++)
		if (json_object_get(run, shown[i]))
			json_object_set(*ret, shown[i], json_object_get(run, shown[i]));
	if (error)
		json_object_set(*ret, "error", error);
	js_put_time(*ret, "created_at", row->created_ms);
	js_put_time(*ret, "updated_at", row->updated_ms);
	js_put_time(*ret, "ended_at", row->ended_ms);
	return 0;
}

static int show_row(struct request *q, const void *row, json_t **ret, struct berth_error *err)
{
	(void)q;
	return scan_show(row, ret, err);
}

void api_scans_list(struct request *q, struct answer *a)
{
	static const char *const q_columns[] = {"c.target", NULL};
	static const struct api_collection all = {
		.table = &scans_table, .noun = "scan", .q_columns = q_columns, .show = show_row};

	api_list(&all, q, a);
}

static bool scan_of_route(struct request *q, struct answer *a, struct scan *ret)
{
	struct berth_error err = ERROR_INIT;

	if (!scan_get(request_daemon(q)->store, request_param(q, "id"), ret, &err))
		return true;
	api_fail(a, &err, "berthctl scan list");
	return false;
}

static int add_image(void *user, const void *row, struct berth_error *err)
{
	static const char *const shown[] = {"severity", "total", "fixable", "counts"};
	const struct scan_artifact *it = row;
	json_t *run AUTO_JSON = NULL;

	if (api_parse(it->run, &run, err))
		return err->code;
	json_t *one = json_pack("{s:s, s:s, s:s}", "repository", it->repository, "digest",
				it->digest, "state", it->state);
	for (size_t i = 0; i < ARRAY_COUNT(shown); i++)
		if (json_object_get(run, shown[i]))
			json_object_set(one, shown[i], json_object_get(run, shown[i]));
	return json_array_append_new(user, one) ? berth_fail_memory(err) : 0;
}

void api_scans_get(struct request *q, struct answer *a)
{
	struct scan row AUTO_SCAN_ROW = {.id = NULL};
	struct berth_error err = ERROR_INIT;
	json_t *shown AUTO_JSON = NULL;
	json_t *images = json_array();

	if (!scan_of_route(q, a, &row)) {
		json_decref(images);
		return;
	}
	const struct store_value values[] = {V_TEXT(row.id)};
	struct store_page page = {.within = "scan_id = ?",
				  .within_values = values,
				  .within_count = 1,
				  .tail = "ORDER BY repository, digest LIMIT " IMAGES_SHOWN};
	if (!images || scan_show(&row, &shown, &err) ||
	    store_list(request_daemon(q)->store, &scan_artifacts_table, &page, add_image, images,
		       NULL, &err)) {
		json_decref(images);
		api_fail(a, err.code ? &err : (berth_fail_memory(&err), &err), NULL);
		return;
	}
	json_object_set_new(shown, "images", images);
	answer_resource(a, q, json_incref(shown), shown, 0);
}

/* --- stop --- */

/* The target of a row, as its job had it; a tag was resolved by now, if ever. */
static json_t *target_of_row(const struct scan *row)
{
	if (!strcmp(row->scope, "space"))
		return json_pack("{s:s}", "space", strchr(row->target, '/') + 1);
	if (!strcmp(row->scope, "integration"))
		return json_object();
	json_t *target = json_pack("{s:s}", "repository", row->repository);
	js_put_str(target, "digest", *row->digest ? row->digest : NULL);
	return target;
}

static bool has_ended(const struct scan *row)
{
	return strcmp(row->state, "queued") != 0 && strcmp(row->state, "running") != 0 &&
	       strcmp(row->state, "left") != 0;
}

void api_scans_stop(struct request *q, struct answer *a)
{
	struct scan row AUTO_SCAN_ROW = {.id = NULL};
	char path[96];

	if (api_resumed(q, a) || !scan_of_route(q, a, &row))
		return;
	if (has_ended(&row) || (!strcmp(row.scope, "artifact") && !*row.digest)) {
		api_refuse(a, 409, "conflict", "berthctl scan list",
			   has_ended(&row) ? "scan %s has ended: %s" : "scan %s has not begun: %s",
			   row.id, row.state);
		return;
	}
	snprintf(path, sizeof(path), "/v1/scans/%s", row.id);
	json_t *target = target_of_row(&row);
	json_t *args AUTO_JSON = json_pack("{s:o}", "target", target);
	struct slot_work work = {.kind = "scan-stop",
				 .table = "scan",
				 .slot = "stop",
				 .path = path,
				 .lock = path,
				 .args = args,
				 .joins = true};
	if (request_dry_run(q))
		slot_plan(q, a, row.integration_id, &work, api_plan(NULL, path, NULL));
	else
		(void)slot_submit(q, a, row.integration_id, &work);
}

/* --- a look at the registry, scanners, settings --- */

void api_scan_states_create(struct request *q, struct answer *a)
{
	struct scan_target t AUTO_SCAN_TARGET = {.text = NULL};

	if (api_resumed(q, a) || !scan_target_of_body(q, a, &t) || !scan_can(q, a, &t.of, "status"))
		return;
	json_t *args AUTO_JSON = json_pack("{s:O}", "target", t.job);
	json_t *about AUTO_JSON = json_pack("{s:s, s:s}", "target", t.text, "scope", t.scope);
	struct slot_work work = {.kind = "scan-state",
				 .table = "scan",
				 .slot = "status",
				 .path = t.path,
				 .lock = SLOT_UNLOCKED,
				 .args = args,
				 .about = about};
	(void)slot_submit(q, a, t.of.id, &work);
}

void api_integrations_scanners(struct request *q, struct answer *a)
{
	struct integration row AUTO_INTEGRATION = {.id = NULL};
	char path[96];

	if (api_resumed(q, a) || !integration_of_route(q, a, &row) ||
	    !scan_can(q, a, &row, "scanners"))
		return;
	snprintf(path, sizeof(path), "/v1/integrations/%s", row.name);
	struct slot_work work = {.kind = "scanners",
				 .table = "scan",
				 .slot = "scanners",
				 .path = path,
				 .lock = SLOT_UNLOCKED};
	(void)slot_submit(q, a, row.id, &work);
}

/* Which settings go with which target; false: answered. */
static bool settings_fit(struct request *q, struct answer *a, const struct scan_target *t)
{
	struct findings f = {.answer = a};
	const json_t *body = request_body(q);
	bool is_space = !strcmp(t->scope, "space");

	if (!is_space && strcmp(t->scope, "integration") != 0)
		findings_add(&f, "/target", "no-place",
			     "%s is neither an integration nor one of its spaces", t->text);
	if (is_space && json_object_get(body, "cron"))
		findings_add(&f, "/cron", "no-place",
			     "the schedule is the integration's: it scans all spaces");
	if (!json_object_get(body, "cron") && !json_object_get(body, "scanner"))
		findings_add(&f, "", "nothing", "expected scanner or cron");
	return !f.count;
}

void api_scan_settings_create(struct request *q, struct answer *a)
{
	struct scan_target t AUTO_SCAN_TARGET = {.text = NULL};
	const json_t *body = request_body(q);

	if (api_resumed(q, a) || !scan_target_of_body(q, a, &t) ||
	    !scan_can(q, a, &t.of, "configure") || !settings_fit(q, a, &t))
		return;
	json_t *settings = json_object();
	js_put_str(settings, "space", js_str(t.job, "space", NULL));
	js_put_str(settings, "scanner", js_str(body, "scanner", NULL));
	if (json_object_get(body, "cron"))
		json_object_set(settings, "cron", json_object_get(body, "cron"));
	json_t *args AUTO_JSON = json_pack("{s:o}", "settings", settings);
	char *lock AUTO_FREE = text_printf("scan-settings/%s", t.of.name);
	struct slot_work work = {.kind = "scan-configure",
				 .table = "scan",
				 .slot = "configure",
				 .path = t.path,
				 .lock = lock,
				 .args = args};
	if (request_dry_run(q))
		slot_plan(q, a, t.of.id, &work, api_plan(NULL, t.path, NULL));
	else
		(void)slot_submit(q, a, t.of.id, &work);
}
