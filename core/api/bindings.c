/* SPDX-License-Identifier: Apache-2.0 */
/* /v1/spaces/{id}/bindings: which workspaces may use a space. One call binds
 * and unbinds any number of them, all or none; its plan is the same answer
 * with nothing written.
 */
#include <stdio.h>
#include <string.h>

#include "api_handlers.h"
#include "core/api/audit_owner.h"
#include "core/api/space.h"
#include "core/api/workspace.h"
#include "core/base/clock.h"
#include "core/base/text.h"

static int show(struct request *q, const void *row, json_t **ret, struct berth_error *err)
{
	const struct space_binding *it = row;

	(void)q;
	*ret = json_pack("{s:s, s:s, s:s}", "workspace", it->workspace, "integration",
			 it->integration, "space", it->space);
	if (!*ret)
		return berth_fail_memory(err);
	js_put_time(*ret, "created_at", it->created_ms);
	if (it->retired_ms) {
		json_t *retired = json_pack("{s:s}", "for", it->retired_for);
		js_put_time(retired, "at", it->retired_ms);
		json_object_set_new(*ret, "retired", retired);
	}
	return 0;
}

void api_bindings_list(struct request *q, struct answer *a)
{
	static const char *const q_columns[] = {"w.name", NULL};
	struct space space AUTO_SPACE = {.id = NULL};

	if (!space_of_route(q, a, &space))
		return;
	const struct store_value values[] = {V_TEXT(space.id)};
	struct api_collection of_one = {.table = &space_bindings_table,
					.noun = "binding",
					.within = "b.space_id = ?",
					.within_values = values,
					.within_count = 1,
					.q_columns = q_columns,
					.show = show};
	api_list(&of_one, q, a);
}

static int add_use(void *user, const void *row, struct berth_error *err)
{
	const struct space_binding *it = row;
	json_t *text = json_sprintf("space %s/%s is bound to workspace %s", it->integration,
				    it->space, it->workspace);

	return api_use_add(user, text, err, "berthctl space unbind %s/%s --workspace %s",
			   it->integration, it->space, it->workspace);
}

bool bindings_none(struct request *q, struct answer *a, const char *within, const char *value,
		   const char *what)
{
	const struct api_users bindings = {
		.table = &space_bindings_table,
		.within = within,
		.value = value,
		.order = "ORDER BY i.name, s.name, w.name LIMIT 100",
		.say = add_use,
		.what = what,
		.before = " has ",
		.one = "binding",
		.many = "bindings",
		.after = ": unbind first",
	};

	return api_unused(q, a, &bindings);
}

static int add_name(void *user, const void *row, struct berth_error *err)
{
	const struct space_binding *it = row;

	return json_array_append_new(user, json_string(it->workspace)) ? berth_fail_memory(err) : 0;
}

int workspaces_of_space(struct request *q, const char *space_id, json_t **ret,
			struct berth_error *err)
{
	const struct caller *caller = request_caller(q);
	struct buf principals AUTO_BUF = {.max = SIGHT_PRINCIPALS_MAX};
	json_t *names AUTO_JSON = json_array();
	bool is_all = request_may(q, POINT_WORKSPACES_READ);

	if (!names)
		return berth_fail_memory(err);
	if (!is_all && sight_principals(caller, &principals, err))
		return err->code;
	const struct store_value values[] = {V_TEXT(space_id), V_TEXT(buf_text(&principals))};
	struct store_page page = {
		.within = is_all ? "b.space_id = ? AND " BINDING_COUNTS_SQL
				 : "b.space_id = ? AND " BINDING_COUNTS_SQL
				   " AND " WORKSPACE_OWN_SQL,
		.within_values = values,
		.within_count = is_all ? 1 : 2,
		.tail = "ORDER BY w.name",
	};
	if (store_list(request_daemon(q)->store, &space_bindings_table, &page, add_name, names,
		       NULL, err))
		return err->code;
	*ret = STEAL(names);
	return 0;
}

/* One change in the making: what each name comes to. */
struct binding_change {
	struct daemon_state *d;
	const struct space *space;
	json_t *bound, *unbound; /* names that really change */
	struct binding_note note;
	struct findings *f;
};

static int change_one(struct binding_change *c, const char *name, const char *pointer, bool is_bind,
		      struct berth_error *err)
{
	struct workspace row AUTO_WORKSPACE = {.id = NULL};
	bool has_changed = false;
	int code = workspace_get(c->d->store, name, &row, err);

	if (code == BERTH_E_NOT_FOUND) {
		findings_add(c->f, pointer, "unknown-workspace", "there is no workspace %s", name);
		return 0;
	}
	if (!code)
		code = is_bind ? space_bind(c->d->store, c->space->id, row.id, clock_unix_ms(),
					    &has_changed, err)
			       : space_unbind(c->d->store, c->space->id, row.id, &has_changed, err);
	if (!code && has_changed &&
	    json_array_append_new(is_bind ? c->bound : c->unbound, json_string(name)))
		code = berth_fail_memory(err); /* what is not listed has no audit row */
	return code;
}

static int change_list(struct binding_change *c, const json_t *body, const char *key,
		       struct berth_error *err)
{
	const json_t *one;
	size_t i;

	json_array_foreach (json_object_get(body, key), i, one) {
		char pointer[48];
		snprintf(pointer, sizeof(pointer), "/%s/%zu", key, i);
		if (change_one(c, json_string_value(one), pointer, !strcmp(key, "bind"), err))
			return err->code;
	}
	return 0;
}

/* A name in both lists would depend on their order. */
static void check_both(const json_t *body, struct findings *f)
{
	const json_t *one, *other;
	size_t i, k;

	json_array_foreach (json_object_get(body, "bind"), i, one)
		json_array_foreach (json_object_get(body, "unbind"), k, other)
			if (json_equal((json_t *)one, (json_t *)other)) {
				char pointer[48];
				snprintf(pointer, sizeof(pointer), "/unbind/%zu", k);
				findings_add(f, pointer, "in-both", "%s is in bind as well",
					     json_string_value(one));
			}
}

static int note_each(struct binding_change *c, const json_t *names, const char *action,
		     struct berth_error *err)
{
	c->note.entry.action = action;
	return audit_note_bindings(&c->note, names, err);
}

/* Everything, in a transaction of the caller's. */
static int change(struct binding_change *c, const json_t *body, struct berth_error *err)
{
	char path[96];

	check_both(body, c->f);
	if (change_list(c, body, "bind", err) || change_list(c, body, "unbind", err))
		return err->code;
	if (c->f->count || !(json_array_size(c->bound) + json_array_size(c->unbound)))
		return 0;
	if (note_each(c, c->bound, "workspace.bind", err) ||
	    note_each(c, c->unbound, "workspace.unbind", err))
		return err->code;
	snprintf(path, sizeof(path), "/v1/spaces/%s", c->space->id);
	return api_tell(c->d, path, "bindings-changed", NULL, err);
}

/* false: no memory. */
static bool plan_each(json_t *to, const struct binding_change *c, const json_t *workspaces)
{
	const json_t *one;
	size_t i;

	json_array_foreach (workspaces, i, one)
		if (json_array_append_new(to, json_sprintf("/v1/spaces/%s/bindings (%s)",
							   c->space->id, json_string_value(one))))
			return false;
	return true;
}

/* All of it, or NULL. */
static json_t *plan_of(const struct binding_change *c)
{
	json_t *plan AUTO_JSON = api_plan(NULL, NULL, NULL);

	return plan_each(json_object_get(plan, "create"), c, c->bound) &&
			       plan_each(json_object_get(plan, "delete"), c, c->unbound)
		       ? STEAL(plan)
		       : NULL;
}

/* What is not at its server can't be used, and what a workspace brought along is its own;
 * unbinding goes on. False: answered. */
static bool may_bind(struct request *q, struct answer *a, const struct space *space)
{
	size_t owner_bytes = text_workspace_bytes(space->integration);

	if (owner_bytes && json_array_size(json_object_get(request_body(q), "bind"))) {
		api_refuse(a, 409, "conflict", NULL,
			   "space %s/%s is of an integration of workspace %.*s: it is for that "
			   "one alone, without a binding",
			   space->integration, space->name, (int)owner_bytes, space->integration);
		return false;
	}
	if (space->is_present || !json_array_size(json_object_get(request_body(q), "bind")))
		return true;
	api_refuse(a, 409, "space-absent", "berthctl space list --integration NAME -o wide",
		   "space %s/%s was not at its server at the last look", space->integration,
		   space->name);
	return false;
}

/* The plan is what the change did before it was rolled back. */
void api_bindings_change(struct request *q, struct answer *a)
{
	struct daemon_state *d = request_daemon(q);
	struct space space AUTO_SPACE = {.id = NULL};
	struct findings f = {.answer = a};
	struct berth_error err = ERROR_INIT;
	json_t *bound AUTO_JSON = json_array(), *unbound AUTO_JSON = json_array();
	json_t *now AUTO_JSON = NULL;
	char user[USER_NAME_ROOM];

	if (!space_of_route(q, a, &space) || !may_bind(q, a, &space))
		return;
	struct binding_change c = {.d = d,
				   .space = &space,
				   .bound = bound,
				   .unbound = unbound,
				   .note = {.entry = {.uid = request_caller(q)->uid,
						      .user_name = user,
						      .request_id = request_id(q),
						      .result = "succeeded"},
					    .space = &space},
				   .f = &f};
	api_user_name(request_caller(q)->uid, user, sizeof(user));
	if (store_begin(d->store, &err)) {
		api_fail(a, &err, NULL);
		return;
	}
	struct store *undo AUTO_UNDO = d->store;
	if (change(&c, request_body(q), &err)) {
		api_fail(a, &err, NULL);
		return;
	}
	if (f.count)
		return;
	if (request_dry_run(q)) {
		answer_json(a, 200, plan_of(&c));
		return;
	}
	if (workspaces_of_space(q, space.id, &now, &err) || store_commit(STEAL(undo), &err)) {
		api_fail(a, &err, NULL);
		return;
	}
	answer_json(a, 200,
		    json_pack("{s:O, s:O, s:O}", "bound", bound, "unbound", unbound, "workspaces",
			      now));
}
