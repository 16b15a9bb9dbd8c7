/* SPDX-License-Identifier: Apache-2.0 */
/* /v1/syncs: copy rules, made, changed and removed. Their runs are started in
 * copies.c and done by copy_ops.c; their plans are in sync_plans.c. Runs in berthd.
 */
#include <stdio.h>
#include <string.h>

#include "api_handlers.h"
#include "core/api/native.h"
#include "core/base/clock.h"
#include "core/http/patch.h"

static void path_of(const char *name, char *to, size_t room)
{
	snprintf(to, room, "/v1/syncs/%s", name);
}

static int show(struct request *q, const void *row, json_t **ret, struct berth_error *err)
{
	const struct sync_rule *it = row;
	json_t *last = NULL;

	if (api_parse(it->desired, ret, err))
		return err->code;
	json_object_set_new(*ret, "id", json_string(it->id));
	json_object_set_new(*ret, "name", json_string(it->name));
	js_put_time(*ret, "created_at", it->created_ms);
	js_put_time(*ret, "updated_at", it->updated_ms);
	if (sync_last_run(request_daemon(q), it->id, &last, err)) {
		json_decref(STEAL(*ret));
		return err->code;
	}
	json_t *status = last ? json_pack("{s:o}", "last_run", last) : json_object();
	js_put_time(status, "next_run_at", it->next_run_ms);
	json_object_set_new(*ret, "status", status);
	if (!sync_watch_show(request_daemon(q), it->id, status, err) &&
	    !native_show(request_daemon(q), it->id, status, err))
		return 0;
	json_decref(STEAL(*ret));
	return err->code;
}

void api_syncs_list(struct request *q, struct answer *a)
{
	static const char *const q_columns[] = {"name", NULL};
	static const struct api_collection all = {
		.table = &sync_rules_table, .noun = "sync", .q_columns = q_columns, .show = show};

	api_list(&all, q, a);
}

bool sync_of_route(struct request *q, struct answer *a, struct sync_rule *ret)
{
	struct berth_error err = ERROR_INIT;

	if (!sync_rule_get(request_daemon(q)->store, request_param(q, "name"), ret, &err))
		return true;
	api_fail(a, &err, "berthctl sync list");
	return false;
}

/* check: the operation that asks whether the rule can be done, "" where there is none. */
static void answer_row(struct request *q, struct answer *a, const struct sync_rule *row,
		       bool is_new, const char *check)
{
	struct berth_error err = ERROR_INIT;
	json_t *desired AUTO_JSON = NULL;
	json_t *shown = NULL;
	char path[96];

	if (api_parse(row->desired, &desired, &err) || show(q, row, &shown, &err)) {
		api_fail(a, &err, NULL);
		return;
	}
	js_put_str(json_object_get(shown, "status"), "check", check);
	path_of(row->name, path, sizeof(path));
	if (is_new)
		answer_created(a, path, shown, desired, row->generation);
	else
		answer_resource(a, q, shown, desired, row->generation);
}

void api_syncs_get(struct request *q, struct answer *a)
{
	struct sync_rule row AUTO_SYNC_RULE = {.id = NULL};

	if (sync_of_route(q, a, &row))
		answer_row(q, a, &row, false, "");
}

static int fill_defaults(json_t *desired, struct berth_error *err)
{
	json_t *defaults AUTO_JSON = json_pack(
		"{s:s, s:[], s:[], s:[], s:[], s:[], s:s, s:i, s:[], s:b, s:b, s:b, s:i, s:b, s:s, "
		"s:s, s:i, s:b, s:i, s:s}",
		"description", "", "targets", "repositories", "exclude", "tags", "exclude_tags",
		"semver", "", "newest", 0, "platforms", "override", 1, "referrers", 1, "verify", 0,
		"flatten", 0, "enabled", 1, "cron", "", "time_zone", "UTC", "limit_bytes_per_s", 0,
		"on_change", 0, "poll_period_s", 60, "engine", "berth");

	json_object_del(desired, "name");
	if (!defaults || json_object_update_missing(desired, defaults))
		return berth_fail_memory(err);
	return 0;
}

/* Is the rule right by itself, with its ends, and beside the others? */
static bool check(struct request *q, struct answer *a, const char *name, const char *own_id,
		  json_t *desired)
{
	struct findings f = {.answer = a};
	struct berth_error err = ERROR_INIT;

	if (fill_defaults(desired, &err)) {
		api_fail(a, &err, NULL);
		return false;
	}
	json_t *targets AUTO_JSON = NULL;
	sync_settle_targets(desired, &f);
	if (f.count)
		return false;
	json_t *rule AUTO_JSON = sync_engine_rule(desired, &targets, &f);
	sync_check_clock(desired, &f);
	if (!rule || f.count)
		return false;
	if (!copy_targets_known(q, a, targets) || !sync_ends_known(q, a, rule) ||
	    !sync_fits(q, a, name, own_id, desired) || !engine_rules_are_right(rule, targets, &f))
		return false;
	if (strcmp(js_str(desired, "engine", ""), "native") != 0)
		return true;
	if (!api_plugins_known(q, a))
		return false;
	if (native_check(request_daemon(q), desired, &f, &err))
		api_fail(a, &err, NULL);
	return !err.code && !f.count;
}

/* Does the change leave the clock alone? Then a turn that is due stays so. */
static bool keeps_its_turn(const struct sync_rule *before, const json_t *desired)
{
	static const char *const members[] = {"cron", "time_zone"};
	struct berth_error err = ERROR_INIT;
	json_t *was AUTO_JSON = NULL;

	if (!before->id || !before->is_enabled || !js_bool(desired, "enabled", true) ||
	    api_parse(before->desired, &was, &err))
		return false;
	for (size_t i = 0; i < ARRAY_COUNT(members); i++)
		if (strcmp(js_str(was, members[i], ""), js_str(desired, members[i], "")) != 0)
			return false;
	return true;
}

/* Adds or changes the row, with its event and what looks whether it can be done, in one
 * transaction; ret_check has UUID_ROOM. */
static int save(struct request *q, const struct sync_rule *before, const char *name,
		json_t *desired, char *ret_check, struct berth_error *err)
{
	struct daemon_state *d = request_daemon(q);
	char id[UUID_ROOM], path[96];
	char *text AUTO_FREE = js_canonical(desired);
	int64_t now_ms = clock_unix_ms();
	struct sync_rule row = {
		.id = before->id ? before->id : id,
		.name = (char *)name,
		.desired = text,
		.is_enabled = js_bool(desired, "enabled", true),
		.generation = before->generation + 1,
		.created_ms = before->id ? before->created_ms : now_ms,
		.updated_ms = now_ms,
	};

	if (!text)
		return berth_fail_memory(err);
	if (keeps_its_turn(before, desired))
		row.next_run_ms = before->next_run_ms;
	else if (sync_next_turn(desired, now_ms, &row.next_run_ms, err))
		return err->code;
	uuid_make(id);
	path_of(name, path, sizeof(path));
	if (store_begin(d->store, err))
		return err->code;
	struct store *undo AUTO_UNDO = d->store;
	int code = before->id ? sync_rule_change(d->store, &row, err)
			      : sync_rule_add(d->store, &row, err);
	if (code || sync_watch_save(d, row.id, desired, err) || native_clean(d, NULL, err) ||
	    native_ask(q, &row, desired, ret_check, err) ||
	    api_tell(d, path, before->id ? "changed" : "created", NULL, err))
		return err->code;
	return store_commit(STEAL(undo), err);
}

/* The end of POST, PUT and PATCH: checked, then planned or saved. */
static void finish(struct request *q, struct answer *a, const struct sync_rule *before,
		   const char *name, json_t *desired)
{
	struct daemon_state *d = request_daemon(q);
	struct sync_rule row AUTO_SYNC_RULE = {.id = NULL};
	struct berth_error err = ERROR_INIT;
	char path[96], asked[UUID_ROOM];

	path_of(name, path, sizeof(path));
	if (!check(q, a, name, before->id, desired))
		return;
	if (api_planned(q, a, path, !before->id))
		return;
	if (save(q, before, name, desired, asked, &err) ||
	    sync_rule_get(d->store, name, &row, &err)) {
		api_fail(a, &err, NULL);
		return;
	}
	sync_clock_changed(d);
	sync_watch_changed(d);
	answer_row(q, a, &row, !before->id, asked);
}

void api_syncs_create(struct request *q, struct answer *a)
{
	struct daemon_state *d = request_daemon(q);
	const char *name = js_str(request_body(q), "name", "");
	struct sync_rule other AUTO_SYNC_RULE = {.id = NULL};
	struct sync_rule none = {.id = NULL};
	struct berth_error err = ERROR_INIT;

	if (!sync_rule_get(d->store, name, &other, &err)) {
		api_refuse(a, 409, "exists", "berthctl sync list",
			   "there is a copy rule %s already", name);
		return;
	}
	if (err.code != BERTH_E_NOT_FOUND) {
		api_fail(a, &err, NULL);
		return;
	}
	json_t *desired AUTO_JSON = json_deep_copy(request_body(q));
	finish(q, a, &none, name, desired);
}

void api_syncs_put(struct request *q, struct answer *a)
{
	struct daemon_state *d = request_daemon(q);
	const char *name = request_param(q, "name");
	struct sync_rule row AUTO_SYNC_RULE = {.id = NULL};
	struct findings f = {.answer = a};
	struct berth_error err = ERROR_INIT;
	json_t *before AUTO_JSON = NULL;

	if (strcmp(js_str(request_body(q), "name", ""), name) != 0) {
		findings_add(&f, "/name", "fixed", "expected %s, as in the path", name);
		return;
	}
	int code = sync_rule_get(d->store, name, &row, &err);
	if ((code && code != BERTH_E_NOT_FOUND) || api_parse(row.desired, &before, &err)) {
		api_fail(a, &err, NULL);
		return;
	}
	if (!answer_precondition(a, q, row.id != NULL, before, row.generation))
		return;
	json_t *desired AUTO_JSON = json_deep_copy(request_body(q));
	finish(q, a, &row, name, desired);
}

/* Reads the rule and checks If-Match; *ret_before is its desired object. */
static bool begin_change(struct request *q, struct answer *a, struct sync_rule *row,
			 json_t **ret_before)
{
	struct berth_error err = ERROR_INIT;

	if (!sync_of_route(q, a, row))
		return false;
	if (api_parse(row->desired, ret_before, &err)) {
		api_fail(a, &err, NULL);
		return false;
	}
	return answer_precondition(a, q, true, *ret_before, row->generation);
}

void api_syncs_patch(struct request *q, struct answer *a)
{
	struct sync_rule row AUTO_SYNC_RULE = {.id = NULL};
	json_t *before AUTO_JSON = NULL;

	if (!begin_change(q, a, &row, &before))
		return;
	/* Who names the one means no other any more, and the other way round. */
	const json_t *patch = request_body(q);
	bool has_one = json_object_get(patch, "target"),
	     has_more = json_object_get(patch, "targets");
	json_t *desired AUTO_JSON = json_merge_patch(before, patch);
	if (has_one != has_more && desired)
		json_object_del(desired, has_one ? "targets" : "target");
	finish(q, a, &row, row.name, desired);
}

/* What a registry keeps for it goes, too. */
static int remove_rule(struct store *s, const char *id, struct berth_error *err)
{
	if (sync_rule_remove(s, id, err))
		return err->code;
	return native_clean(api_daemon(), NULL, err);
}

void api_syncs_delete(struct request *q, struct answer *a)
{
	struct sync_rule row AUTO_SYNC_RULE = {.id = NULL};
	json_t *before AUTO_JSON = NULL;
	char path[96];

	if (!begin_change(q, a, &row, &before))
		return;
	path_of(row.name, path, sizeof(path));
	(void)api_remove(q, a, path, row.id, remove_rule);
}
