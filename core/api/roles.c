/* SPDX-License-Identifier: Apache-2.0 */
/* /v1/roles: named sets of permission points. The built-in ones are listed beside
 * the custom ones, which an admin makes: of scope platform with members of their
 * own, of scope workspace to be given to members of workspaces. All of it is
 * local: a change is one transaction and a 200.
 */
#include <stdio.h>
#include <string.h>

#include "api_handlers.h"
#include "core/access/access.h"
#include "core/api/role.h"
#include "core/api/workspace.h"
#include "core/base/clock.h"
#include "core/base/text.h"
#include "core/http/patch.h"

#define ROLES_MAX 256 /* custom ones */

struct point_set role_points(const char *name, const char *permissions)
{
	struct point_set set = {{0, 0}};

	for (int role = ROLE_VIEWER; role <= ROLE_ADMIN; role++)
		if (!strcmp(name, access_role_name((enum role)role)))
			return points_of_role((enum role)role);
	for (int member = MEMBER_PLAIN; member <= MEMBER_ADMIN; member++)
		if (!strcmp(name, access_member_name((enum member)member)))
			return points_of_member((enum member)member);
	set = points_parse(permissions);
	points_close(&set);
	return set;
}

static json_t *names_of(const struct point_set *set)
{
	json_t *names = json_array();

	for (size_t i = POINT_NONE + 1; i < POINT_COUNT; i++)
		if (points_has(set, (enum point)i))
			json_array_append_new(names, json_string(points[i].name));
	return names;
}

/* The built-in roles of that point, each by its name. */
static json_t *holders_of(const struct point_row *point)
{
	json_t *names = json_array();

	for (int role = (int)point->role; role <= ROLE_ADMIN; role++)
		json_array_append_new(names, json_string(access_role_name((enum role)role)));
	for (int member = (int)point->member; member && member <= MEMBER_ADMIN; member++)
		json_array_append_new(names, json_string(access_member_name((enum member)member)));
	return names;
}

static json_t *show_point(const struct point_row *point)
{
	json_t *needs = json_array();

	for (size_t k = 0; k < POINT_NEEDS_MAX && point->needs[k] != POINT_NONE; k++)
		json_array_append_new(needs, json_string(points[point->needs[k]].name));
	return json_pack("{s:s, s:s, s:s, s:b, s:o, s:o}", "name", point->name, "allows",
			 point->allows, "scope",
			 point->member == MEMBER_NONE ? "platform" : "workspace", "reserved",
			 point->is_reserved ? 1 : 0, "needs", needs, "roles", holders_of(point));
}

/* What points are sorted and filtered by. They are no rows: the table is in core/access. */
static const struct store_column point_columns[] = {
	{.name = "name", .column = "name", .type = STORE_TEXT},
	{.name = "allows", .column = "allows", .type = STORE_TEXT},
	{.name = "scope", .column = "scope", .type = STORE_TEXT},
	{.name = "reserved", .column = "reserved", .type = STORE_BOOL},
};
static const struct store_table points_table = {
	.name = "permission",
	.columns = point_columns,
	.column_count = ARRAY_COUNT(point_columns),
	.key = "name",
	.default_sort = "name",
};

/* Whom a workspace alone allows it sees what workspaces can be given. */
void api_permissions_list(struct request *q, struct answer *a)
{
	struct list l AUTO_LIST = {.table = NULL};
	bool is_platform = request_is_platform(q);
	AUTO_JSON json_t *items = json_array();

	if (!list_begin(&l, q, a, &points_table))
		return;
	for (size_t i = POINT_NONE + 1; i < POINT_COUNT; i++)
		if ((is_platform || points[i].member != MEMBER_NONE) &&
		    json_array_append_new(items, show_point(&points[i]))) {
			struct berth_error err = ERROR_INIT;
			berth_fail_memory(&err);
			answer_error(a, &err);
			return;
		}
	list_end_array(&l, q, a, request_daemon(q)->store, items);
}

static int add_member(void *user, const void *row, struct berth_error *err)
{
	const struct role_member *it = row;
	json_t *one = NULL;

	if (member_object(it->principal, it->name, NULL, &one, err))
		return err->code;
	return json_array_append_new(user, one) ? berth_fail_memory(err) : 0;
}

/* What may be changed of it. */
static int desired_of(struct store *s, const struct role_row *row, json_t **ret,
		      struct berth_error *err)
{
	const struct store_value v = V_TEXT(row->name);
	struct store_page page = {.within = "role = ?",
				  .within_values = &v,
				  .within_count = 1,
				  .tail = "ORDER BY principal"};
	const struct point_set set = role_points(row->name, row->permissions);
	json_t *members AUTO_JSON = json_array();

	if (!members)
		return berth_fail_memory(err);
	if (store_list(s, &role_members_table, &page, add_member, members, NULL, err))
		return err->code;
	*ret = json_pack("{s:s, s:o, s:O}", "description", row->description, "permissions",
			 names_of(&set), "members", members);
	return *ret ? 0 : berth_fail_memory(err);
}

static int count_holders(struct store *s, const char *name, int64_t *ret, struct berth_error *err)
{
	const struct store_value v = V_TEXT(name);
	struct store_page page = {.within = "h.role = ?", .within_values = &v, .within_count = 1};

	return store_count(s, &role_holders_table, &page, ret, err);
}

/* How many have it is not told to tenants: that counts other workspaces. */
static int show(struct request *q, const void *row, json_t **ret, struct berth_error *err)
{
	struct store *s = request_daemon(q)->store;
	const struct role_row *it = row;
	json_t *shown AUTO_JSON = NULL;
	int64_t held = 0;

	if (desired_of(s, it, &shown, err) || count_holders(s, it->name, &held, err))
		return err->code;
	json_object_set_new(shown, "name", json_string(it->name));
	json_object_set_new(shown, "scope", json_string(it->scope));
	json_object_set_new(shown, "built_in", json_boolean(it->is_built_in));
	if (!it->is_built_in) {
		js_put_time(shown, "created_at", it->created_ms);
		js_put_time(shown, "updated_at", it->updated_ms);
	}
	if (request_is_platform(q)) {
		json_t *others = NULL;
		if (members_of_others(json_object_get(shown, "members"), &others, err))
			return err->code;
		json_object_set_new(shown, "status",
				    json_pack("{s:I, s:o*}", "held", (json_int_t)held,
					      "other_accounts", others));
	}
	*ret = STEAL(shown);
	return 0;
}

#define OF_WORKSPACES_SQL "scope = 'workspace'"

void api_roles_list(struct request *q, struct answer *a)
{
	static const char *const q_columns[] = {"name", "description", NULL};
	struct api_collection all = {
		.table = &roles_table, .noun = "role", .q_columns = q_columns, .show = show};

	if (!request_is_platform(q))
		all.within = OF_WORKSPACES_SQL;
	api_list(&all, q, a);
}

/* False: answered 404. */
static bool role_of_route(struct request *q, struct answer *a, struct role_row *ret)
{
	const char *name = request_param(q, "name");
	struct berth_error err = ERROR_INIT;
	int code = role_get(request_daemon(q)->store, name, ret, &err);

	if (!code && !request_is_platform(q) && strcmp(ret->scope, "workspace") != 0)
		code = berth_fail(&err, BERTH_E_NOT_FOUND, "no role '%s'", name);
	if (code)
		api_fail(a, &err, "berthctl role list");
	return !code;
}

/* added: the points that were brought along, or NULL. */
static void answer_row(struct request *q, struct answer *a, const struct role_row *row,
		       json_t *added, bool is_new)
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
	if (added)
		json_object_set(shown, "added", added);
	snprintf(path, sizeof(path), "/v1/roles/%s", row->name);
	if (is_new)
		answer_created(a, path, shown, desired, row->generation);
	else
		answer_resource(a, q, shown, desired, row->generation);
}

void api_roles_get(struct request *q, struct answer *a)
{
	struct role_row row AUTO_ROLE = {.name = NULL};

	if (role_of_route(q, a, &row))
		answer_row(q, a, &row, NULL, false);
}

/* A role in the making. */
struct making {
	const char *name, *scope;
	const struct role_row *before; /* NULL: new */
	json_t *desired;
	struct point_set set;
	json_t *added;
};

/* One permission of the body into the set, or a finding. */
static void read_point(struct making *m, const char *name, const char *pointer, struct findings *f)
{
	enum point point = points_find(name);
	const char *near = point == POINT_NONE ? points_near(name) : NULL;

	if (point == POINT_NONE)
		findings_add(f, pointer, "unknown-permission", "there is no permission %s%s%s%s",
			     name, near ? ": did you mean " : "", near ? near : "",
			     near ? "?" : "");
	else if (points[point].is_reserved)
		findings_add(f, pointer, "reserved",
			     "%s is the role admin's alone: who has it has "
			     "all the others",
			     name);
	else if (!points_fits(point, !strcmp(m->scope, "workspace")))
		findings_add(f, pointer, "wrong-scope",
			     "%s is the platform's: no workspace can give it", name);
	else
		points_add(&m->set, point);
}

static int read_points(struct making *m, struct findings *f, struct berth_error *err)
{
	const json_t *one;
	char pointer[48];
	size_t i;

	json_array_foreach (json_object_get(m->desired, "permissions"), i, one) {
		snprintf(pointer, sizeof(pointer), "/permissions/%zu", i);
		read_point(m, json_string_value(one), pointer, f);
	}
	const struct point_set asked = m->set;
	if (!strcmp(m->scope, "workspace"))
		points_add(&m->set, POINT_WORKSPACES_READ);
	points_close(&m->set);
	m->added = json_array();
	for (i = POINT_NONE + 1; m->added && i < POINT_COUNT; i++)
		if (points_has(&m->set, (enum point)i) && !points_has(&asked, (enum point)i))
			json_array_append_new(m->added, json_string(points[i].name));
	return m->added ? 0 : berth_fail_memory(err);
}

/* Everything that is wrong with it; false: answered. */
static bool check(struct answer *a, struct making *m)
{
	struct findings f = {.answer = a};
	struct berth_error err = ERROR_INIT;
	json_t *members AUTO_JSON = NULL, *one;
	size_t i;

	if (members_normal(json_object_get(m->desired, "members"), &f, &members, &err)) {
		api_fail(a, &err, NULL);
		return false;
	}
	json_array_foreach (members, i, one)
		json_object_del(one, "role");
	if (json_object_set(m->desired, "members", members))
		(void)berth_fail_memory(&err);
	else if (read_points(m, &f, &err) == 0 && json_array_size(members) &&
		 strcmp(m->scope, "platform") != 0)
		findings_add(&f, "/members", "wrong-scope",
			     "a role of scope workspace is given to members of workspaces "
			     "(PATCH /v1/workspaces/NAME)");
	if (err.code)
		api_fail(a, &err, NULL);
	return !err.code && !f.count;
}

static int store_members(struct store *s, const char *role, const json_t *members,
			 struct berth_error *err)
{
	const json_t *one;
	size_t i;

	if (role_members_clear(s, role, err))
		return err->code;
	json_array_foreach (members, i, one) {
		char principal[PRINCIPAL_ROOM];
		struct role_member row = {
			.role = (char *)role,
			.principal = principal,
			.name = (char *)js_str(one, json_object_get(one, "gid") ? "group" : "user",
					       "")};
		member_principal(one, principal);
		if (role_member_add(s, &row, err))
			return err->code;
	}
	return 0;
}

static unsigned changes;

unsigned role_changes(void)
{
	return changes;
}

/* Row, members and event in one transaction. */
static int save(struct daemon_state *d, const struct making *m, struct berth_error *err)
{
	char path[96], text[POINT_TEXT_ROOM];
	int64_t now_ms = clock_unix_ms();
	struct role_row row = {
		.name = (char *)m->name,
		.description = (char *)js_str(m->desired, "description", ""),
		.scope = (char *)m->scope,
		.permissions = text,
		.generation = m->before ? m->before->generation + 1 : 1,
		.created_ms = now_ms,
		.updated_ms = now_ms,
	};

	points_format(&m->set, text, sizeof(text));
	snprintf(path, sizeof(path), "/v1/roles/%s", m->name);
	if (store_begin(d->store, err))
		return err->code;
	struct store *undo AUTO_UNDO = d->store;
	int code = m->before ? role_change(d->store, &row, err) : role_add(d->store, &row, err);
	changes++;
	if (code || store_members(d->store, m->name, json_object_get(m->desired, "members"), err) ||
	    api_tell(d, path, m->before ? "changed" : "created", NULL, err))
		return err->code;
	return store_commit(STEAL(undo), err);
}

/* The end of POST and PATCH: checked, then planned or saved. */
static void finish(struct request *q, struct answer *a, struct making *m)
{
	struct daemon_state *d = request_daemon(q);
	struct role_row row AUTO_ROLE = {.name = NULL};
	struct berth_error err = ERROR_INIT;
	char path[96];

	snprintf(path, sizeof(path), "/v1/roles/%s", m->name);
	if (!check(a, m))
		return;
	if (api_planned(q, a, path, !m->before))
		return;
	if (save(d, m, &err) || role_get(d->store, m->name, &row, &err))
		api_fail(a, &err, NULL);
	else
		answer_row(q, a, &row, m->added, !m->before);
}

/* Is there room for one more of that name? False: answered. */
static bool is_free(struct request *q, struct answer *a, const char *name)
{
	struct store *s = request_daemon(q)->store;
	struct role_row other AUTO_ROLE = {.name = NULL};
	struct store_page custom = {.within = "is_built_in = 0"};
	struct berth_error err = ERROR_INIT;
	int64_t count = 0;

	if (!role_get(s, name, &other, &err)) {
		api_refuse(a, 409, "exists", "berthctl role list", "there is a role %s already",
			   name);
		return false;
	}
	if (err.code != BERTH_E_NOT_FOUND || store_count(s, &roles_table, &custom, &count, &err)) {
		api_fail(a, &err, NULL);
		return false;
	}
	if (count >= ROLES_MAX)
		api_refuse(a, 409, "in-use", "berthctl role list",
			   "there are %d custom roles already", ROLES_MAX);
	return count < ROLES_MAX;
}

void api_roles_create(struct request *q, struct answer *a)
{
	const json_t *body = request_body(q);
	struct making m = {.name = js_str(body, "name", ""),
			   .scope = js_str(body, "scope", "workspace")};

	if (!is_free(q, a, m.name))
		return;
	m.desired = json_deep_copy(body);
	finish(q, a, &m);
	json_decref(m.desired);
	json_decref(m.added);
}

/* Reads the role for a change and checks If-Match. */
static bool begin_change(struct request *q, struct answer *a, struct role_row *row,
			 json_t **ret_before)
{
	struct berth_error err = ERROR_INIT;

	if (!role_of_route(q, a, row))
		return false;
	if (row->is_built_in) {
		api_refuse(a, 409, "role-built-in", "berthctl role create NAME --permission POINT",
			   "role %s is built in and stays as it is", row->name);
		return false;
	}
	if (desired_of(request_daemon(q)->store, row, ret_before, &err)) {
		api_fail(a, &err, NULL);
		return false;
	}
	return answer_precondition(a, q, true, *ret_before, row->generation);
}

void api_roles_patch(struct request *q, struct answer *a)
{
	struct role_row row AUTO_ROLE = {.name = NULL};
	json_t *before AUTO_JSON = NULL;

	if (!begin_change(q, a, &row, &before))
		return;
	struct making m = {.name = row.name, .scope = row.scope, .before = &row};
	m.desired = json_merge_patch(before, request_body(q));
	finish(q, a, &m);
	json_decref(m.desired);
	json_decref(m.added);
}

static int add_holder(void *user, const void *row, struct berth_error *err)
{
	const struct role_holder *it = row;
	json_t *text = json_sprintf("%s %.*s%s%s%s%s%s", it->principal[0] == 'g' ? "gid" : "uid",
				    (int)strcspn(it->principal + 1, "="), it->principal + 1,
				    *it->name ? " (" : "", it->name, *it->name ? ")" : "",
				    *it->workspace ? " in workspace " : "", it->workspace);

	const char *kind = it->principal[0] == 'g' ? "remove-group" : "remove";
	int digits = (int)strcspn(it->principal + 1, "=");

	return *it->workspace ? api_use_add(user, text, err, "berthctl workspace edit %s --%s %.*s",
					    it->workspace, kind, digits, it->principal + 1)
			      : api_use_add(user, text, err, "berthctl role edit %s --%s %.*s",
					    it->role, kind, digits, it->principal + 1);
}

static bool is_unheld(struct request *q, struct answer *a, const char *name)
{
	char what[80];
	const struct api_users holders = {
		.table = &role_holders_table,
		.within = "h.role = ?",
		.value = name,
		.order = "ORDER BY h.workspace, h.principal LIMIT 100",
		.say = add_holder,
		.what = what,
		.before = " is held by ",
		.one = "user or group",
		.many = "users and groups",
		.after = "",
	};

	snprintf(what, sizeof(what), "role %s", name);
	return api_unused(q, a, &holders);
}

void api_roles_delete(struct request *q, struct answer *a)
{
	struct role_row row AUTO_ROLE = {.name = NULL};
	json_t *before AUTO_JSON = NULL;
	char path[96];

	if (!begin_change(q, a, &row, &before) || !is_unheld(q, a, row.name))
		return;
	snprintf(path, sizeof(path), "/v1/roles/%s", row.name);
	(void)api_remove(q, a, path, row.name, role_remove);
}

static int add_name(void *user, const void *row, struct berth_error *err)
{
	const struct role_row *it = row;

	return json_array_append_new(user, json_string(it->name)) ? berth_fail_memory(err) : 0;
}

/* Names of the roles of workspaces, ends with NULL; they live as long as the list. */
static const char **texts_of(const json_t *list)
{
	const char **texts = calloc(json_array_size(list) + 1, sizeof(*texts));

	for (size_t i = 0; texts && i < json_array_size(list); i++)
		texts[i] = json_string_value(json_array_get(list, i));
	return texts;
}

static bool has_text(const char *const *texts, const char *text)
{
	for (; *texts; texts++)
		if (!strcmp(*texts, text))
			return true;
	return false;
}

int roles_check_members(struct store *s, const json_t *members, struct findings *f,
			struct berth_error *err)
{
	struct store_page page = {.within = OF_WORKSPACES_SQL};
	json_t *names AUTO_JSON = json_array();
	const json_t *one;
	char pointer[48];
	size_t i;

	if (!names)
		return berth_fail_memory(err);
	if (api_each(s, &roles_table, &page, add_name, names, err))
		return err->code;
	const char **texts AUTO_FREE = texts_of(names);
	if (!texts)
		return berth_fail_memory(err);
	json_array_foreach (members, i, one) {
		const char *role = js_str(one, "role", "");
		if (has_text(texts, role))
			continue;
		const char *near = text_closest(role, texts);
		snprintf(pointer, sizeof(pointer), "/members/%zu/role", i);
		findings_add(f, pointer, "unknown-role", "no role of workspaces is named %s%s%s%s",
			     role, near ? ": did you mean " : "", near ? near : "",
			     near ? "?" : "");
	}
	return 0;
}
