/* SPDX-License-Identifier: Apache-2.0 */
/* /v1/workspaces: tenants. A platform role sees all of them, and an admin makes
 * and removes them; a member sees its own, and a workspace admin says who else
 * belongs to it. All of it is local: a change is one transaction and a 200.
 */
#include <stdio.h>
#include <string.h>

#include "api_handlers.h"
#include "core/api/pull.h"
#include "core/api/role.h"
#include "core/api/workspace.h"
#include "core/base/clock.h"
#include "core/http/patch.h"
#include "core/http/route.h"

/* Integrations of the workspace of that name. */
#define OWNED_SQL "i.scope = ? AND i.scope <> '" PLATFORM_SCOPE "'"

static void path_of(const char *name, char *to, size_t room)
{
	snprintf(to, room, "/v1/workspaces/%s", name);
}

/* What may be changed of it. */
static int desired_of(struct store *s, const struct workspace *row, json_t **ret,
		      struct berth_error *err)
{
	json_t *members AUTO_JSON = NULL;
	json_t *namespaces AUTO_JSON = NULL;

	if (members_load(s, row->id, &members, err) ||
	    pull_namespaces_load(s, row->id, &namespaces, err))
		return err->code;
	*ret = json_pack("{s:s, s:O, s:O, s:b}", "description", row->description, "members",
			 members, "namespaces", namespaces, "patch_service_account",
			 row->patches_account ? 1 : 0);
	return *ret ? 0 : berth_fail_memory(err);
}

static int count_bindings(struct store *s, const char *workspace_id, int64_t *ret,
			  struct berth_error *err)
{
	const struct store_value v = V_TEXT(workspace_id);
	struct store_page page = {.within = "b.workspace_id = ? AND " BINDING_COUNTS_SQL,
				  .within_values = &v,
				  .within_count = 1};

	return store_count(s, &space_bindings_table, &page, ret, err);
}

static int count_integrations(struct store *s, const char *workspace, int64_t *ret,
			      struct berth_error *err)
{
	const struct store_value v = V_TEXT(workspace);

	return store_count(s, &integrations_table, PAGE_OF(OWNED_SQL, &v, 1), ret, err);
}

static int show(struct request *q, const void *row, json_t **ret, struct berth_error *err)
{
	struct store *s = request_daemon(q)->store;
	const struct workspace *it = row;
	json_t *shown AUTO_JSON = NULL;
	json_t *others AUTO_JSON = NULL, *secrets = NULL;
	int64_t bound = 0, owned = 0;

	if (desired_of(s, it, &shown, err) || count_bindings(s, it->id, &bound, err) ||
	    count_integrations(s, it->name, &owned, err) ||
	    members_of_others(json_object_get(shown, "members"), &others, err) ||
	    pull_counts(s, it->id, &secrets, err))
		return err->code;
	json_object_set_new(shown, "id", json_string(it->id));
	json_object_set_new(shown, "name", json_string(it->name));
	js_put_time(shown, "created_at", it->created_ms);
	js_put_time(shown, "updated_at", it->updated_ms);
	json_object_set_new(shown, "status",
			    json_pack("{s:I, s:I, s:o, s:O*}", "spaces", (json_int_t)bound,
				      "integrations", (json_int_t)owned, "pull_secrets", secrets,
				      "other_accounts", others));
	*ret = STEAL(shown);
	return 0;
}

void api_workspaces_list(struct request *q, struct answer *a)
{
	static const char *const q_columns[] = {"w.name", "w.description", NULL};
	struct buf principals AUTO_BUF = {.max = SIGHT_PRINCIPALS_MAX};
	struct berth_error err = ERROR_INIT;
	struct api_collection all = {.table = &workspaces_table,
				     .noun = "workspace",
				     .q_columns = q_columns,
				     .show = show};

	if (sight_principals(request_caller(q), &principals, &err)) {
		api_fail(a, &err, NULL);
		return;
	}
	const struct store_value own[] = {V_TEXT(buf_text(&principals))};
	if (!request_is_platform(q)) {
		all.within = WORKSPACE_OWN_SQL;
		all.within_values = own;
		all.within_count = 1;
	}
	api_list(&all, q, a);
}

bool workspace_of_route(struct request *q, struct answer *a, enum member least,
			struct workspace *ret)
{
	const char *name = request_param(q, "name");
	struct berth_error err = ERROR_INIT;
	enum workspace_role member = WORKSPACE_NONE;
	int code = sight_named(q, name, ret, &member, &err);

	if (!code && member == WORKSPACE_NONE && !request_may(q, POINT_WORKSPACES_READ))
		code = berth_fail(&err, BERTH_E_NOT_FOUND, "no workspace '%s'", name);
	if (code) {
		api_fail(a, &err, "berthctl workspace list");
		return false;
	}
	bool may = member == WORKSPACE_MAY || least == MEMBER_NONE;
	if (!may)
		api_refuse(a, 403, "forbidden", NULL,
			   "this needs a role with %s in workspace %s: workspace-admin has it, "
			   "and admin",
			   points[request_route(q)->point].name, name);
	return may;
}

static void answer_row(struct request *q, struct answer *a, const struct workspace *row,
		       bool is_new)
{
	struct berth_error err = ERROR_INIT;
	json_t *desired AUTO_JSON = NULL;
	json_t *shown = NULL;
	char path[96];

	if (desired_of(request_daemon(q)->store, row, &desired, &err) ||
	    show(q, row, &shown, &err)) {
		api_fail(a, &err, NULL);
		return;
	}
	path_of(row->name, path, sizeof(path));
	if (is_new)
		answer_created(a, path, shown, desired, row->generation);
	else
		answer_resource(a, q, shown, desired, row->generation);
}

void api_workspaces_get(struct request *q, struct answer *a)
{
	struct workspace row AUTO_WORKSPACE = {.id = NULL};

	if (workspace_of_route(q, a, MEMBER_NONE, &row))
		answer_row(q, a, &row, false);
}

/* Brings a body into its one form; false: answered with what is wrong. */
static bool check(struct store *s, struct answer *a, json_t *desired)
{
	struct findings f = {.answer = a};
	struct berth_error err = ERROR_INIT;
	json_t *members AUTO_JSON = NULL;
	json_t *namespaces AUTO_JSON =
		pull_namespaces_normal(json_object_get(desired, "namespaces"), &f);
	json_t *none AUTO_JSON = json_pack("{s:s}", "description", "");

	if (!members_normal(json_object_get(desired, "members"), &f, &members, &err) &&
	    !roles_check_members(s, members, &f, &err) &&
	    (!namespaces || json_object_set(desired, "members", members) ||
	     json_object_set(desired, "namespaces", namespaces) || !none ||
	     json_object_update_missing(desired, none)))
		(void)berth_fail_memory(&err);
	if (err.code)
		api_fail(a, &err, NULL);
	return !err.code && f.count == 0;
}

/* Adds or changes row, members and namespaces, with the event, in one transaction;
 * BERTH_E_CONFLICT with findings where a namespace can't be had. */
static int save(struct daemon_state *d, const struct workspace *before, const char *name,
		const json_t *desired, struct findings *f, struct berth_error *err)
{
	char id[UUID_ROOM], path[96];
	int64_t now_ms = clock_unix_ms();
	struct workspace row = {
		.id = before->id ? before->id : id,
		.name = (char *)name,
		.description = (char *)js_str(desired, "description", ""),
		.generation = before->generation + 1,
		.created_ms = before->id ? before->created_ms : now_ms,
		.updated_ms = now_ms,
		.patches_account = js_bool(desired, "patch_service_account", false),
	};

	uuid_make(id);
	path_of(name, path, sizeof(path));
	if (store_begin(d->store, err))
		return err->code;
	struct store *undo AUTO_UNDO = d->store;
	int code = before->id ? workspace_change(d->store, &row, err)
			      : workspace_add(d->store, &row, err);
	if (code || members_store(d->store, row.id, json_object_get(desired, "members"), err) ||
	    pull_namespaces_store(d, &row, json_object_get(desired, "namespaces"), f, err))
		return err->code;
	if (f->count)
		return BERTH_E_CONFLICT; /* rolled back */
	if (api_tell(d, path, before->id ? "changed" : "created", NULL, err))
		return err->code;
	return store_commit(STEAL(undo), err);
}

/* Where its pods run is for the platform to say; its own admins leave that as it is. */
static bool may_place(struct request *q, struct answer *a, const struct workspace *before,
		      const json_t *desired)
{
	static const char *const placed[] = {"namespaces", "patch_service_account"};
	struct berth_error err = ERROR_INIT;
	json_t *now AUTO_JSON = NULL;

	if (request_is_platform(q))
		return true;
	if (desired_of(request_daemon(q)->store, before, &now, &err)) {
		api_fail(a, &err, NULL);
		return false;
	}
	for (size_t i = 0; i < ARRAY_COUNT(placed); i++) {
		json_t *wanted = json_object_get(desired, placed[i]);
		if (!wanted || json_equal(wanted, json_object_get(now, placed[i])))
			continue;
		api_refuse(a, 403, "forbidden", NULL, "%s of a workspace need the role admin",
			   placed[i]);
		return false;
	}
	return true;
}

/* The end of POST and PATCH: checked, then planned or saved. */
static void finish(struct request *q, struct answer *a, const struct workspace *before,
		   const char *name, json_t *desired)
{
	struct daemon_state *d = request_daemon(q);
	struct workspace row AUTO_WORKSPACE = {.id = NULL};
	struct findings f = {.answer = a};
	struct berth_error err = ERROR_INIT;
	char path[96];

	path_of(name, path, sizeof(path));
	if (!check(d->store, a, desired) || !may_place(q, a, before, desired))
		return;
	if (api_planned(q, a, path, !before->id))
		return;
	int code = save(d, before, name, desired, &f, &err);
	if (f.count)
		return;
	if (code || workspace_get(d->store, name, &row, &err))
		api_fail(a, &err, NULL);
	else
		answer_row(q, a, &row, !before->id);
}

void api_workspaces_create(struct request *q, struct answer *a)
{
	const char *name = js_str(request_body(q), "name", "");
	struct workspace other AUTO_WORKSPACE = {.id = NULL};
	struct workspace none = {.id = NULL};
	struct berth_error err = ERROR_INIT;

	if (!workspace_get(request_daemon(q)->store, name, &other, &err)) {
		api_refuse(a, 409, "exists", "berthctl workspace list",
			   "there is a workspace %s already", name);
		return;
	}
	if (err.code != BERTH_E_NOT_FOUND) {
		api_fail(a, &err, NULL);
		return;
	}
	if (!strcmp(name, PLATFORM_SCOPE)) {
		struct findings f = {.answer = a};
		findings_add(&f, "/name", "reserved", "%s is the scope of what is no workspace's",
			     name);
		return;
	}
	json_t *desired AUTO_JSON = json_deep_copy(request_body(q));
	finish(q, a, &none, name, desired);
}

/* Reads the workspace for a change and checks If-Match. */
static bool begin_change(struct request *q, struct answer *a, struct workspace *row,
			 json_t **ret_before)
{
	struct berth_error err = ERROR_INIT;

	if (!workspace_of_route(q, a, MEMBER_ADMIN, row))
		return false;
	if (desired_of(request_daemon(q)->store, row, ret_before, &err)) {
		api_fail(a, &err, NULL);
		return false;
	}
	return answer_precondition(a, q, true, *ret_before, row->generation);
}

void api_workspaces_patch(struct request *q, struct answer *a)
{
	struct workspace row AUTO_WORKSPACE = {.id = NULL};
	json_t *before AUTO_JSON = NULL;

	if (!begin_change(q, a, &row, &before))
		return;
	json_t *desired AUTO_JSON = json_merge_patch(before, request_body(q));
	finish(q, a, &row, row.name, desired);
}

static int add_owned(void *user, const void *row, struct berth_error *err)
{
	const struct integration *it = row;

	return api_use_add(user, json_sprintf("integration %s", it->name), err,
			   "berthctl integration delete %s", it->name);
}

static bool owns_none(struct request *q, struct answer *a, const char *workspace, const char *what)
{
	const struct api_users integrations = {
		.table = &integrations_table,
		.within = OWNED_SQL,
		.value = workspace,
		.order = "ORDER BY i.name LIMIT 100",
		.say = add_owned,
		.what = what,
		.before = " owns ",
		.one = "integration",
		.many = "integrations",
		.after = ": delete first",
	};

	return api_unused(q, a, &integrations);
}

void api_workspaces_delete(struct request *q, struct answer *a)
{
	struct workspace row AUTO_WORKSPACE = {.id = NULL};
	json_t *before AUTO_JSON = NULL;
	char path[96], what[96];

	if (!begin_change(q, a, &row, &before))
		return;
	path_of(row.name, path, sizeof(path));
	snprintf(what, sizeof(what), "workspace %s", row.name);
	if (!owns_none(q, a, row.name, what) ||
	    !bindings_none(q, a, "b.workspace_id = ? AND " BINDING_COUNTS_SQL, row.id, what))
		return;
	if (!pull_namespaces_none(q, a, "n.workspace_id = ? AND n.is_wanted = 1", row.id, what))
		return;
	(void)api_remove(q, a, path, row.id, workspace_remove);
}
