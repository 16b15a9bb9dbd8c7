/* SPDX-License-Identifier: Apache-2.0 */
/* /v1/spaces: namespaces that a server has (space_ops.c), and path prefixes
 * that a user declared for a plain registry. A repository belongs to the
 * longest prefix that its name begins with, else to "default".
 */
#include <stdio.h>
#include <string.h>

#include "api_handlers.h"
#include "core/api/drift.h"
#include "core/api/integration.h"
#include "core/api/sight.h"
#include "core/api/space.h"
#include "core/api/workspace.h"
#include "core/base/clock.h"
#include "core/base/text.h"

/* Made by a user, who may take it back? */
static bool is_declared(const struct space *it)
{
	return it->origin && !strcmp(it->origin, "declared") &&
	       strcmp(it->name, SPACE_DEFAULT) != 0;
}

static int show(struct request *q, const void *row, json_t **ret, struct berth_error *err)
{
	const struct space *it = row;
	json_t *status = json_pack("{s:b}", "present", it->is_present ? 1 : 0);

	json_t *workspaces = NULL;
	if (workspaces_of_space(q, it->id, &workspaces, err)) {
		json_decref(status);
		return err->code;
	}
	size_t owner_bytes = text_workspace_bytes(it->integration);
	if (owner_bytes)
		json_array_append_new(workspaces, json_stringn(it->integration, owner_bytes));
	js_put_time(status, "seen_at", it->seen_ms);
	json_t *drift = drift_show(it);
	if (drift)
		json_object_set_new(status, "drift", drift);
	if (it->repository_count >= 0)
		json_object_set_new(status, "repositories", json_integer(it->repository_count));
	if (it->artifact_count > 0)
		json_object_set_new(status, "artifacts", json_integer(it->artifact_count));
	json_t *shown =
		json_pack("{s:s, s:s, s:s, s:b, s:b, s:s, s:b, s:o, s:o}", "id", it->id,
			  "integration", it->integration, "name", it->name, "declared",
			  is_declared(it), "public", it->is_public ? 1 : 0, "mode", it->mode,
			  "push", it->can_push ? 1 : 0, "workspaces", workspaces, "status", status);
	if (!shown)
		return berth_fail_memory(err);
	if (it->quota_bytes >= 0)
		json_object_set_new(shown, "quota_bytes", json_integer(it->quota_bytes));
	if (it->used_bytes >= 0)
		json_object_set_new(shown, "used_bytes", json_integer(it->used_bytes));
	js_put_time(shown, "created_at", it->created_ms);
	js_put_time(shown, "updated_at", it->updated_ms);
	*ret = shown;
	return 0;
}

static const char *const q_columns[] = {"s.name", "i.name", NULL};
void api_spaces_list(struct request *q, struct answer *a)
{
	struct sight sight AUTO_SIGHT = {.is_all = false};
	json_t *more AUTO_JSON = NULL;
	struct berth_error err = ERROR_INIT;

	if (!sight_of(q, a, &sight))
		return;
	if (indexes_in_sight(request_daemon(q), &sight, &more, &err)) {
		api_fail(a, &err, NULL);
		return;
	}
	sight_blur(q, json_object_get(more, "indexes"));
	struct api_collection seen = {.table = &spaces_table,
				      .noun = "space",
				      .more = more,
				      .within = sight.where,
				      .within_values = sight.values,
				      .within_count = sight.value_count,
				      .q_columns = q_columns,
				      .show = show};
	api_list(&seen, q, a);
}

void api_integrations_spaces(struct request *q, struct answer *a)
{
	struct integration row AUTO_INTEGRATION = {.id = NULL};
	json_t *more AUTO_JSON = NULL;
	struct berth_error err = ERROR_INIT;

	if (!integration_of_route(q, a, &row))
		return;
	if (indexes_of_one(request_daemon(q), row.id, &more, &err)) {
		api_fail(a, &err, NULL);
		return;
	}
	const struct store_value values[] = {V_TEXT(row.id)};
	struct api_collection of_one = {.table = &spaces_table,
					.noun = "space",
					.more = more,
					.within = "s.integration_id = ?",
					.within_values = values,
					.within_count = 1,
					.q_columns = q_columns,
					.show = show};
	api_list(&of_one, q, a);
}

bool space_of_route(struct request *q, struct answer *a, struct space *ret)
{
	struct berth_error err = ERROR_INIT;
	const char *id = request_param(q, "id");
	int code = sight_space(q, id, &err);

	if (!code)
		code = space_get(request_daemon(q)->store, id, ret, &err);
	if (!code)
		return true;
	api_fail(a, &err, "berthctl space list");
	return false;
}

bool owned_space(struct request *q, struct answer *a, const char *id, struct space *ret)
{
	struct berth_error err = ERROR_INIT;

	int code = sight_owned_space(q, id, &err);

	if (!code)
		code = space_get(request_daemon(q)->store, id, ret, &err);
	if (code == BERTH_E_DENIED)
		api_refuse(a, 403, "forbidden", NULL, "%s", err.message);
	else if (code)
		api_fail(a, &err, "berthctl space list");
	return !code;
}

bool owned_space_of_route(struct request *q, struct answer *a, struct space *ret)
{
	return owned_space(q, a, request_param(q, "id"), ret);
}

json_t *space_desired(const struct space *row)
{
	return json_pack("{s:s, s:s, s:b, s:I}", "integration", row->integration_id, "name",
			 row->name, "public", row->is_public ? 1 : 0, "quota_bytes",
			 (json_int_t)row->quota_bytes);
}

void api_spaces_get(struct request *q, struct answer *a)
{
	struct space row AUTO_SPACE = {.id = NULL};
	struct berth_error err = ERROR_INIT;
	json_t *shown = NULL;

	if (!space_of_route(q, a, &row))
		return;
	json_t *desired AUTO_JSON = space_desired(&row);
	if (show(q, &row, &shown, &err)) {
		api_fail(a, &err, NULL);
		return;
	}
	answer_resource(a, q, shown, desired, row.generation);
}

static int put_declared(struct daemon_state *d, const char *integration_id, const char *name,
			bool is_public, struct berth_error *err)
{
	int64_t now_ms = clock_unix_ms();
	char id[UUID_ROOM];
	struct space space = {
		.id = id,
		.integration_id = (char *)integration_id,
		.name = (char *)name,
		.origin = (char *)"declared",
		.mode = (char *)"local",
		.is_public = is_public,
		.can_push = 1,
		.quota_bytes = -1,
		.used_bytes = -1,
		.is_present = 1,
		.seen_ms = now_ms,
		.generation = 1,
		.created_ms = now_ms,
		.updated_ms = now_ms,
	};

	uuid_make(id);
	return space_put(d->store, &space, err);
}

int space_add_default(struct daemon_state *d, const char *integration_id, const char *kind,
		      struct berth_error *err)
{
	struct space there AUTO_SPACE = {.id = NULL};
	struct berth_error absent = ERROR_INIT;

	if (*kind && catalog_has_own_spaces(catalog_find(d, kind)))
		return 0;
	int code = space_get_by_name(d->store, integration_id, SPACE_DEFAULT, &there, &absent);
	if (!code)
		return 0;
	if (code != BERTH_E_NOT_FOUND) {
		*err = absent;
		return code;
	}
	return put_declared(d, integration_id, SPACE_DEFAULT, false, err);
}

static int recount(void *user, const void *row, struct berth_error *err)
{
	const struct space *space = row;

	return space_recount(user, space->id, clock_unix_ms(), err);
}

int space_recount_all(struct daemon_state *d, const char *integration_id, struct berth_error *err)
{
	const struct store_value values[] = {V_TEXT(integration_id)};
	struct store_page page = {
		.within = "s.integration_id = ?", .within_values = values, .within_count = 1};

	if (api_each(d->store, &spaces_table, &page, recount, d->store, err))
		return err->code;
	return integration_recount(d, integration_id, err);
}

static int settle(void *user, const void *row, struct berth_error *err)
{
	struct daemon_state *d = user;
	const struct repository *it = row;
	struct space space AUTO_SPACE = {.id = NULL};
	int64_t id = 0;

	if (space_of_repository(d->store, it->integration_id, it->name, &space, err))
		return err->code;
	if (!strcmp(space.id, it->space_id))
		return 0;
	struct repository moved = *it;
	moved.space_id = space.id;
	return repository_put(d->store, &moved, &id, err);
}

/* Puts each repository of the index where it belongs by now and counts anew:
 * after a prefix came or went. */
static int space_resettle(struct daemon_state *d, const char *integration_id,
			  struct berth_error *err)
{
	const struct store_value values[] = {V_TEXT(integration_id)};
	struct store_page page = {
		.within = "integration_id = ?", .within_values = values, .within_count = 1};

	if (api_each(d->store, &repositories_table, &page, settle, d, err))
		return err->code;
	return space_recount_all(d, integration_id, err);
}

#define OWN_SPACES_MAX 1000 /* that a workspace's integration may have */

/* False: answered. */
static bool has_room(struct request *q, struct answer *a, const struct integration *of)
{
	const struct store_value v = V_TEXT(of->id);
	struct berth_error err = ERROR_INIT;
	int64_t count = 0;

	if (!text_workspace_bytes(of->name))
		return true;
	if (store_count(request_daemon(q)->store, &spaces_table,
			PAGE_OF("s.integration_id = ?", &v, 1), &count, &err)) {
		api_fail(a, &err, NULL);
		return false;
	}
	if (count < OWN_SPACES_MAX)
		return true;
	api_refuse(a, 409, "conflict", "berthctl space list",
		   "integration %s has %lld spaces, and more are not allowed", of->name,
		   (long long)count);
	return false;
}

/* What a body asks of a prefix that it can't have: a quota is the server's, and who sees what is
 * a workspace's own is said already. */
static void check_prefix(const struct request *q, const char *integration, struct findings *f)
{
	const json_t *body = request_body(q);

	if (json_object_get(body, "quota_bytes"))
		findings_add(f, "/quota_bytes", "prefix-only",
			     "a plain registry's space is a path prefix, which has no quota");
	if (json_object_get(body, "public") && text_workspace_bytes(integration))
		findings_add(f, "/public", "prefix-only",
			     "the integration is a workspace's own: it alone sees the space");
}

/* May a prefix be declared there? False: answered. */
static bool may_declare(struct request *q, struct answer *a, const struct integration *of,
			const char *name)
{
	struct daemon_state *d = request_daemon(q);
	struct findings f = {.answer = a};
	struct space there AUTO_SPACE = {.id = NULL};
	struct berth_error err = ERROR_INIT;

	if (reference_check_repository(name, &err))
		findings_add_error(&f, "/name", "prefix-invalid", &err);
	check_prefix(q, of->name, &f);
	if (f.count)
		return false;
	if (!space_get_by_name(d->store, of->id, name, &there, &err)) {
		api_refuse(a, 409, "exists", "berthctl space list", "%s has a space %s already",
			   of->name, name);
		return false;
	}
	if (err.code == BERTH_E_NOT_FOUND)
		return true;
	api_fail(a, &err, NULL);
	return false;
}

static int declare(struct request *q, const struct integration *of, struct space *ret,
		   struct berth_error *err)
{
	struct daemon_state *d = request_daemon(q);
	const char *name = js_str(request_body(q), "name", "");
	bool is_public = js_bool(request_body(q), "public", false);
	char path[96];

	if (store_begin(d->store, err))
		return err->code;
	struct store *undo AUTO_UNDO = d->store;
	if (put_declared(d, of->id, name, is_public, err) || space_resettle(d, of->id, err) ||
	    space_get_by_name(d->store, of->id, name, ret, err))
		return err->code;
	snprintf(path, sizeof(path), "/v1/spaces/%s", ret->id);
	if (api_tell(d, path, "created", NULL, err))
		return err->code;
	return store_commit(STEAL(undo), err);
}

void api_spaces_create(struct request *q, struct answer *a)
{
	struct daemon_state *d = request_daemon(q);
	const char *of = js_str(request_body(q), "integration", "");
	const char *name = js_str(request_body(q), "name", "");
	struct integration row AUTO_INTEGRATION = {.id = NULL};
	struct space made AUTO_SPACE = {.id = NULL};
	struct berth_error err = ERROR_INIT;
	json_t *shown = NULL;
	char path[512];

	if (api_resumed(q, a) || !owned_integration(q, a, of, &row))
		return;
	if (catalog_has_own_spaces(catalog_find(d, row.kind))) {
		space_create_there(q, a, &row);
		return;
	}
	if (!may_declare(q, a, &row, name) || !has_room(q, a, &row))
		return;
	if (request_dry_run(q)) {
		snprintf(path, sizeof(path), "/v1/spaces (%s/%s)", of, name);
		answer_json(a, 200, api_plan(path, NULL, NULL));
		return;
	}
	if (declare(q, &row, &made, &err) || show(q, &made, &shown, &err)) {
		api_fail(a, &err, NULL);
		return;
	}
	json_t *desired AUTO_JSON = space_desired(&made);
	snprintf(path, sizeof(path), "/v1/spaces/%s", made.id);
	answer_created(a, path, shown, desired, made.generation);
}

static int set_public(struct daemon_state *d, struct space *row, bool is_public,
		      struct berth_error *err)
{
	char path[96];

	snprintf(path, sizeof(path), "/v1/spaces/%s", row->id);
	row->is_public = is_public;
	row->updated_ms = clock_unix_ms();
	if (store_begin(d->store, err))
		return err->code;
	struct store *undo AUTO_UNDO = d->store;
	if (space_change(d->store, row, err) || api_tell(d, path, "changed", NULL, err))
		return err->code;
	row->generation++;
	return store_commit(STEAL(undo), err);
}

void space_change_prefix(struct request *q, struct answer *a, struct space *row)
{
	struct findings f = {.answer = a};
	struct berth_error err = ERROR_INIT;
	json_t *shown = NULL;
	char path[96];

	check_prefix(q, row->integration, &f);
	snprintf(path, sizeof(path), "/v1/spaces/%s", row->id);
	if (f.count || api_planned(q, a, path, false))
		return;
	if (set_public(request_daemon(q), row, js_bool(request_body(q), "public", false), &err) ||
	    show(q, row, &shown, &err)) {
		api_fail(a, &err, NULL);
		return;
	}
	json_t *desired AUTO_JSON = space_desired(row);
	answer_resource(a, q, shown, desired, row->generation);
}

int space_reference(const struct space *space, const char *text, struct reference *ret,
		    struct berth_error *err)
{
	char *full AUTO_FREE = text_printf("%s/%s", space->integration, text);

	return full ? reference_parse(full, ret, err) : berth_fail_memory(err);
}

void space_reference_refused(struct answer *a, const struct berth_error *why)
{
	if (why->code == BERTH_E_NO_MEMORY)
		api_fail(a, why, NULL);
	else
		answer_problem(a, 400, "reference-invalid", why, NULL);
}

int space_repository(struct daemon_state *d, const char *integration_id, const char *name,
		     int64_t *ret_id, struct berth_error *err)
{
	struct repository there AUTO_REPOSITORY = {.name = NULL};
	struct space space AUTO_SPACE = {.id = NULL};

	int code = repository_get(d->store, integration_id, name, &there, err);
	if (code != BERTH_E_NOT_FOUND) {
		*ret_id = there.id;
		return code;
	}
	*err = (struct berth_error)ERROR_INIT;
	if (space_of_repository(d->store, integration_id, name, &space, err))
		return err->code;
	struct repository row = {.space_id = space.id,
				 .integration_id = (char *)integration_id,
				 .name = (char *)name,
				 .more = (char *)"{}",
				 .seen_ms = clock_unix_ms()};
	return repository_put(d->store, &row, ret_id, err);
}

/* The prefix goes; its repositories go on in the next shorter one. */
static int take_back(struct daemon_state *d, const struct space *row, struct berth_error *err)
{
	char path[96];

	snprintf(path, sizeof(path), "/v1/spaces/%s", row->id);
	if (store_begin(d->store, err))
		return err->code;
	struct store *undo AUTO_UNDO = d->store;
	if (space_hide(d->store, row->id, err) || space_resettle(d, row->integration_id, err) ||
	    space_remove(d->store, row->id, err) || api_tell(d, path, "deleted", NULL, err))
		return err->code;
	return store_commit(STEAL(undo), err);
}

void api_spaces_delete(struct request *q, struct answer *a)
{
	struct daemon_state *d = request_daemon(q);
	struct space row AUTO_SPACE = {.id = NULL};
	struct berth_error err = ERROR_INIT;
	char path[96];

	if (api_resumed(q, a) || !owned_space_of_route(q, a, &row))
		return;
	json_t *desired AUTO_JSON = space_desired(&row);
	if (!answer_precondition(a, q, true, desired, row.generation))
		return;
	if (!bindings_none(q, a, "b.space_id = ? AND " BINDING_COUNTS_SQL, row.id, "the space"))
		return;
	if (!strcmp(row.origin, "native")) {
		space_delete_there(q, a, &row);
		return;
	}
	if (!is_declared(&row)) {
		api_refuse(a, 409, "space-fixed", NULL,
			   "space %s was not declared here: it can't be taken back", row.name);
		return;
	}
	snprintf(path, sizeof(path), "/v1/spaces/%s", row.id);
	if (request_dry_run(q)) {
		answer_json(a, 200, api_plan(NULL, NULL, path));
		return;
	}
	if (take_back(d, &row, &err))
		api_fail(a, &err, NULL);
	else
		answer_empty(a, 204);
}
