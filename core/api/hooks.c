/* SPDX-License-Identifier: Apache-2.0 */
/* Between core/http and the rest of berthd: see hooks.h. Every function takes
 * what it finds: a daemon without store or operations (early, or in a test) has
 * no keys and no audit, and its readyz says so.
 */
#include "core/api/hooks.h"

#include <string.h>

#include "core/access/access.h"
#include "core/api/api.h"
#include "core/api/audit_owner.h"
#include "core/api/role.h"
#include "core/api/sight.h"
#include "core/base/js.h"
#include "core/base/log.h"
#include "core/daemon/daemon.h"
#include "core/http/metrics.h"
#include "core/ops/idempotency.h"
#include "core/ops/ops.h"

static struct idempotency_request key_request(const struct http_key *key)
{
	return (struct idempotency_request){.uid = key->uid,
					    .method = key->method,
					    .path = key->path,
					    .key = key->key,
					    .body = key->body,
					    .body_count = key->body_count};
}

static int load_answer(const struct idempotency_row *row, json_t **ret, struct berth_error *err)
{
	AUTO_JSON json_t *headers = NULL;
	AUTO_JSON json_t *body = NULL;
	int r = js_parse(row->headers, strlen(row->headers), &js_limits_api, &headers, err);

	if (!r && row->body[0])
		r = js_parse(row->body, strlen(row->body), &js_limits_api, &body, err);
	if (r)
		return berth_wrap(err, "a kept answer can't be read");
	*ret = json_pack("{s:i,s:O,s:O?}", "status", (int)row->status, "headers", headers, "body",
			 body);
	return *ret ? 0 : berth_fail_memory(err);
}

/* After begin: the transaction goes on for a new key only. */
static int settle_key(struct daemon_state *d, enum idempotency_case found,
		      const struct idempotency_row *row, enum http_key_state *ret_state,
		      json_t **ret_answer, struct berth_error *err)
{
	static const enum http_key_state states[] = {
		[IDEMPOTENCY_NEW] = HTTP_KEY_NEW,
		[IDEMPOTENCY_REPLAY] = HTTP_KEY_REPLAY,
		[IDEMPOTENCY_RUNNING] = HTTP_KEY_RUNNING,
		[IDEMPOTENCY_OTHER] = HTTP_KEY_OTHER_BODY,
	};
	*ret_state = states[found];
	if (found == IDEMPOTENCY_NEW)
		return 0;
	store_rollback(d->store);
	return found == IDEMPOTENCY_REPLAY ? load_answer(row, ret_answer, err) : 0;
}

static int key_begin(struct daemon_state *d, const struct http_key *key,
		     enum http_key_state *ret_state, json_t **ret_answer, struct berth_error *err)
{
	const struct idempotency_request request = key_request(key);
	enum idempotency_case found = IDEMPOTENCY_NEW;
	AUTO_IDEMPOTENCY_ROW struct idempotency_row row = {0};
	int r = store_begin(d->store, err);

	if (r)
		return r;
	r = idempotency_begin(d->store, &request, &found, &row, err);
	if (!r)
		return settle_key(d, found, &row, ret_state, ret_answer, err);
	store_rollback(d->store);
	return r;
}

static int store_answer(struct daemon_state *d, const struct idempotency_request *request,
			const json_t *answer, struct berth_error *err)
{
	const json_t *body = json_object_get(answer, "body");
	AUTO_FREE char *headers = js_text(json_object_get(answer, "headers"));
	AUTO_FREE char *text =
		json_is_object(body) || json_is_array(body) ? js_text(body) : strdup("");
	if (!headers || !text)
		return berth_fail_memory(err);
	return idempotency_finish(d->store, request, (int)js_int(answer, "status", 500), headers,
				  text, err);
}

static int key_finish(struct daemon_state *d, const struct http_key *key, const json_t *answer,
		      struct berth_error *err)
{
	const struct idempotency_request request = key_request(key);
	int r;
	if (!answer) {
		store_rollback(d->store);
		return 0;
	}
	r = store_answer(d, &request, answer, err);
	if (r) {
		store_rollback(d->store);
		return r;
	}
	return store_commit(d->store, err);
}

static const char *audit_result(int status)
{
	if (status == 202)
		return "accepted";
	if (status == 403)
		return "denied";
	return status < 400 ? "succeeded" : "failed";
}

#define AUDIT_GROUPS_MAX 256 /* of a caller, in one row */

/* NULL: no memory. */
static json_t *groups_of(const struct caller *caller)
{
	json_t *groups AUTO_JSON = json_array();

	for (size_t i = 0; i < caller->group_count && i < AUDIT_GROUPS_MAX; i++)
		if (json_array_append_new(groups, json_integer(caller->groups[i])))
			return NULL;
	return STEAL(groups);
}

static int add_audit(struct daemon_state *d, const struct http_audit *entry,
		     struct berth_error *err)
{
	char user[USER_NAME_ROOM];
	AUTO_JSON json_t *groups = groups_of(entry->caller);
	AUTO_JSON json_t *asked = entry->asked ? audit_masked(entry->asked) : NULL;
	AUTO_JSON json_t *detail = json_pack(
		"{s:s, s:i, s:b, s:O*, s:O*, s:O*, s:s*}", "method", entry->method, "status",
		entry->status, "dry_run", entry->dry_run, "asked", asked, "before", entry->before,
		"after", entry->after, "problem", entry->problem);
	AUTO_FREE char *owner = NULL;
	struct audit_entry row = {.uid = entry->caller->uid,
				  .user_name = user,
				  .request_id = entry->request_id,
				  .action = entry->operation,
				  .resource = entry->path,
				  .result = audit_result(entry->status),
				  .detail = detail,
				  .groups = groups};

	if (!detail || !groups || (entry->asked && !asked))
		return berth_fail_memory(err);
	api_user_name(entry->caller->uid, user, sizeof user);
	if (audit_owner_of_request(d->store, entry, &owner, err))
		return err->code;
	row.workspace_id = owner;
	if (audit_add(d->store, d->ops ? ops_events(d->ops) : NULL, &row, err))
		return err->code;
	return audit_note_ends(d, entry, &row, err);
}

static void audit(struct daemon_state *d, const struct http_audit *entry)
{
	struct berth_error err = ERROR_INIT;

	if (d && d->store && add_audit(d, entry, &err))
		log_error("an audit row is lost: %s: %s", err.message, err.cause);
}

static int change_begin(struct daemon_state *d, struct berth_error *err)
{
	if (!d || !d->store)
		return berth_fail(err, BERTH_E_UNAVAILABLE, "there is no store");
	return store_begin(d->store, err);
}

static int change_end(struct daemon_state *d, const struct http_audit *entry,
		      struct berth_error *err)
{
	if (entry->status >= 500) { /* it failed: nothing of it is done, and it was tried */
		store_rollback(d->store);
		audit(d, entry);
		return 0;
	}
	if (!add_audit(d, entry, err))
		return store_commit(d->store, err);
	store_rollback(d->store);
	log_error("what can't be audited is not done: %s: %s", err->message, err->cause);
	return err->code;
}

static int add_grant(void *user, const void *row, struct berth_error *err)
{
	const struct role_grant *it = row;
	struct grants *g = user;
	struct point_set set = role_points(it->role, it->permissions);

	for (size_t i = 0; i < g->role_count; i++)
		if (!strcmp(g->roles[i].name, it->role))
			return 0;
	return grants_add(g, it->role, !strcmp(it->scope, "workspace"), &set, err);
}

static int load_grants(struct daemon_state *d, const struct caller *caller, struct grants *ret,
		       struct berth_error *err)
{
	struct buf principals AUTO_BUF = {.max = SIGHT_PRINCIPALS_MAX};

	if (!d || !d->store)
		return 0;
	if (sight_principals(caller, &principals, err))
		return err->code;
	const struct store_value v = V_TEXT(buf_text(&principals));
	struct store_page page = {.within = AMONG_SQL("g.principal"),
				  .within_values = &v,
				  .within_count = 1,
				  .tail = "ORDER BY g.role"};
	return store_list(d->store, &role_grants_table, &page, add_grant, ret, NULL, err);
}

static void add_component(json_t *components, const char *name, bool is_ready, const char *detail)
{
	json_t *c = json_pack("{s:s,s:b}", "name", name, "ready", is_ready);
	js_put_str(c, "detail", detail);
	json_array_append_new(components, c);
}

static void ready(struct daemon_state *d, json_t *components)
{
	const char *why = NULL;
	bool store_ok = d->store && !store_health(d->store, &why);

	add_component(components, "store", store_ok, store_ok ? NULL : why ? why : "not open");
	add_component(components, "operations", d->ops && !d->is_stopping,
		      d->is_stopping ? "stopping" : NULL);
	add_component(components, "plugins", d->plugins_known,
		      d->plugins_known ? NULL : "the worker has not said its plugins yet");
	if (d->degraded[0])
		add_component(components, "secrets", true, d->degraded);
}

static int add_workspace(void *user, const void *row, struct berth_error *err)
{
	const struct workspace *it = row;

	return json_array_append_new(user, json_string(it->name)) ? berth_fail_memory(err) : 0;
}

/* What the store can't say is left out of GET /v1, which says how it is. */
static int leave_out(const char *what, const struct berth_error *why, struct berth_error *err)
{
	if (why->code == BERTH_E_NO_MEMORY)
		return berth_fail_memory(err);
	log_error("a caller's %s can't be read: %s: %s", what, why->message, why->cause);
	return 0;
}

/* The caller's own workspaces. */
static int describe_workspaces(struct daemon_state *d, const struct caller *caller, json_t *server,
			       struct berth_error *err)
{
	struct buf principals AUTO_BUF = {.max = SIGHT_PRINCIPALS_MAX};
	struct berth_error why = ERROR_INIT;
	json_t *names AUTO_JSON = json_array();

	if (!d->store)
		return 0;
	if (!names)
		return berth_fail_memory(err);
	if (sight_principals(caller, &principals, &why))
		return leave_out("groups", &why, err);
	const struct store_value v = V_TEXT(buf_text(&principals));
	struct store_page page = {.within = WORKSPACE_OWN_SQL,
				  .within_values = &v,
				  .within_count = 1,
				  .tail = "ORDER BY w.name"};
	if (store_list(d->store, &workspaces_table, &page, add_workspace, names, NULL, &why))
		return leave_out("workspaces", &why, err);
	return json_object_set(json_object_get(server, "caller"), "workspaces", names)
		       ? berth_fail_memory(err)
		       : 0;
}

/* The names of all roles that the caller has, of the platform and in workspaces. */
static int describe_roles(struct daemon_state *d, const struct caller *caller, json_t *server,
			  struct berth_error *err)
{
	struct grants g CLEANUP(grants_done) = {.roles = NULL};
	struct berth_error why = ERROR_INIT;
	json_t *names = json_array();

	if (caller->role != ROLE_NONE)
		json_array_append_new(names, json_string(access_role_name(caller->role)));
	if (load_grants(d, caller, &g, &why) && leave_out("roles", &why, err)) {
		json_decref(names);
		return err->code;
	}
	for (size_t i = 0; i < g.role_count; i++)
		json_array_append_new(names, json_string(g.roles[i].name));
	return json_object_set_new(json_object_get(server, "caller"), "roles", names)
		       ? berth_fail_memory(err)
		       : 0;
}

static int describe(struct daemon_state *d, const struct caller *caller, json_t *server,
		    struct berth_error *err)
{
	const char *why = NULL;
	if (d->store && store_health(d->store, &why))
		json_object_set_new(server, "maintenance", json_true());
	if (describe_workspaces(d, caller, server, err) || describe_roles(d, caller, server, err))
		return err->code;
	if (caller->role == ROLE_NONE)
		return 0;
	json_t *plugins = json_array(), *entry;
	size_t i;
	json_array_foreach (d->plugins, i, entry)
		json_array_append_new(plugins, json_pack("{s:O?,s:O?,s:O?,s:O?}", "name",
							 json_object_get(entry, "name"), "version",
							 json_object_get(entry, "version"), "abi",
							 json_object_get(entry, "abi"), "ok",
							 json_object_get(entry, "ok")));
	return json_object_set_new(server, "plugins", plugins) ? berth_fail_memory(err) : 0;
}

static void metrics(struct daemon_state *d, bool is_openmetrics, struct buf *out)
{
	metric_family(out, is_openmetrics, "berth_operations_running", METRIC_GAUGE,
		      "Operations with a job at work.");
	metric_sample(out, "berth_operations_running", METRIC_GAUGE, "",
		      d->ops ? ops_running(d->ops) : 0);
	metric_family(out, is_openmetrics, "berth_plugins_loaded", METRIC_GAUGE,
		      "Plugins that the worker has loaded or refused.");
	metric_sample(out, "berth_plugins_loaded", METRIC_GAUGE, "", json_array_size(d->plugins));
	metric_family(out, is_openmetrics, "berth_store_statements", METRIC_COUNTER,
		      "Statements that the store has run.");
	metric_sample(out, "berth_store_statements", METRIC_COUNTER, "",
		      store_statements(d->store));
	metric_family(out, is_openmetrics, "berth_start_time_seconds", METRIC_GAUGE,
		      "Unix time of the daemon's start.");
	metric_sample(out, "berth_start_time_seconds", METRIC_GAUGE, "",
		      (uint64_t)(d->started_at / 1000));
}

const struct http_hooks api_hooks = {.key_begin = key_begin,
				     .key_finish = key_finish,
				     .change_begin = change_begin,
				     .change_end = change_end,
				     .audit = audit,
				     .grants = load_grants,
				     .user_name = api_user_name,
				     .ready = ready,
				     .describe = describe,
				     .metrics = metrics};
