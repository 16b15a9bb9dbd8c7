/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of workspaces, their members and their bindings. */
#include "core/store/workspaces.h"

#include "core/store/texts.h"

enum {
	SQL_ADD,
	SQL_CHANGE,
	SQL_REMOVE,
	SQL_MEMBER_ADD,
	SQL_MEMBERS_CLEAR,
	SQL_BIND,
	SQL_UNBIND,
	SQL_RETIRE,
	SQL_ROLE
};
static const struct store_sql sql[] = {
	[SQL_ADD] = {"workspace-add", "INSERT INTO workspaces (id, name, description, generation, "
				      "created_ms, updated_ms, patches_account) "
				      "VALUES (?, ?, ?, ?, ?, ?, ?)"},
	[SQL_CHANGE] = {"workspace-change", "UPDATE workspaces SET description = ?, "
					    "generation = ?, updated_ms = ?, patches_account = ? "
					    "WHERE id = ?"},
	[SQL_REMOVE] = {"workspace-remove", "DELETE FROM workspaces WHERE id = ?"},
	[SQL_MEMBER_ADD] = {"workspace-member-add",
			    "INSERT INTO workspace_members (workspace_id, principal, name, role) "
			    "VALUES (?, ?, ?, ?)"},
	[SQL_MEMBERS_CLEAR] = {"workspace-members-clear",
			       "DELETE FROM workspace_members WHERE workspace_id = ?"},
	[SQL_BIND] = {"space-bind",
		      "INSERT INTO space_bindings (space_id, workspace_id, created_ms) "
		      "VALUES (?, ?, ?) ON CONFLICT (space_id, workspace_id) DO UPDATE SET "
		      "retired_for = '', retired_ms = 0, created_ms = excluded.created_ms "
		      "WHERE space_bindings.retired_ms <> 0"},
	[SQL_UNBIND] = {"space-unbind", "DELETE FROM space_bindings WHERE space_id = ? "
					"AND workspace_id = ?"},
	[SQL_RETIRE] = {"space-retire", "UPDATE space_bindings SET retired_for = ?, retired_ms = ? "
					"WHERE space_id = ? AND retired_for = ?"},
	[SQL_ROLE] = {"workspace-role", "SELECT COALESCE(MAX(CASE WHEN " MEMBER_ROLE_SQL " THEN 2 "
					"ELSE 1 END), 0) FROM workspace_members m "
					"WHERE " MEMBER_IS_SQL " AND m.workspace_id = ?"},
};
const struct store_texts workspaces_texts = {sql, ARRAY_COUNT(sql)};

static const struct store_column columns[] = {
	STORE_COLUMN(workspace, "id", "w.id", TEXT, id),
	STORE_COLUMN(workspace, "name", "w.name", TEXT, name),
	STORE_COLUMN(workspace, "description", "w.description", TEXT, description),
	STORE_COLUMN(workspace, NULL, "w.generation", INT, generation),
	STORE_COLUMN(workspace, "created_at", "w.created_ms", TIME, created_ms),
	STORE_COLUMN(workspace, "updated_at", "w.updated_ms", TIME, updated_ms),
	STORE_COLUMN(workspace, NULL, "w.patches_account", INT, patches_account),
};
const struct store_table workspaces_table = {
	.name = "workspace",
	.select = "SELECT w.id, w.name, w.description, w.generation, w.created_ms, w.updated_ms, "
		  "w.patches_account FROM workspaces w",
	.columns = columns,
	.column_count = ARRAY_COUNT(columns),
	.row_bytes = sizeof(struct workspace),
	.key = "w.name",
	.default_sort = "name",
};

static const struct store_column member_columns[] = {
	STORE_COLUMN(workspace_member, NULL, "workspace_id", TEXT, workspace_id),
	STORE_COLUMN(workspace_member, NULL, "principal", TEXT, principal),
	STORE_COLUMN(workspace_member, "name", "name", TEXT, name),
	STORE_COLUMN(workspace_member, "role", "role", TEXT, role),
};
const struct store_table workspace_members_table = {
	.name = "member",
	.select = "SELECT workspace_id, principal, name, role FROM workspace_members",
	.columns = member_columns,
	.column_count = ARRAY_COUNT(member_columns),
	.row_bytes = sizeof(struct workspace_member),
	.key = "principal", /* within one workspace */
	.default_sort = "name",
};

static const struct store_column group_columns[] = {
	STORE_COLUMN(known_group, "principal", "principal", TEXT, principal),
};
const struct store_table known_groups_table = {
	.name = "group",
	.select = "SELECT principal FROM (SELECT principal FROM workspace_members "
		  "UNION SELECT principal FROM role_members) known",
	.columns = group_columns,
	.column_count = ARRAY_COUNT(group_columns),
	.row_bytes = sizeof(struct known_group),
	.key = "principal",
	.default_sort = "principal",
};

static const struct store_column binding_columns[] = {
	STORE_COLUMN(space_binding, NULL, "b.space_id", TEXT, space_id),
	STORE_COLUMN(space_binding, NULL, "b.workspace_id", TEXT, workspace_id),
	STORE_COLUMN(space_binding, "workspace", "w.name", TEXT, workspace),
	STORE_COLUMN(space_binding, "integration", "i.name", TEXT, integration),
	STORE_COLUMN(space_binding, "space", "s.name", TEXT, space),
	STORE_COLUMN(space_binding, "created_at", "b.created_ms", TIME, created_ms),
	STORE_COLUMN(space_binding, "retired.for", "b.retired_for", TEXT, retired_for),
	STORE_COLUMN(space_binding, "retired.at", "b.retired_ms", TIME, retired_ms),
};
const struct store_table space_bindings_table = {
	.name = "binding",
	.select =
		"SELECT b.space_id, b.workspace_id, w.name, i.name, s.name, b.created_ms, "
		"b.retired_for, b.retired_ms FROM space_bindings b JOIN workspaces w ON w.id = b.workspace_id "
		"JOIN spaces s ON s.id = b.space_id JOIN integrations i "
		"ON i.id = s.integration_id",
	.columns = binding_columns,
	.column_count = ARRAY_COUNT(binding_columns),
	.row_bytes = sizeof(struct space_binding),
	.key = "w.name", /* within one space */
	.default_sort = "workspace",
};

int workspace_get(struct store *s, const char *name, struct workspace *ret, struct berth_error *err)
{
	const struct store_value v = V_TEXT(name);

	return store_get(s, &workspaces_table, PAGE_OF("w.name = ?", &v, 1), name, ret, err);
}

int workspace_get_by_id(struct store *s, const char *id, struct workspace *ret,
			struct berth_error *err)
{
	const struct store_value v = V_TEXT(id);

	return store_get(s, &workspaces_table, PAGE_OF("w.id = ?", &v, 1), id, ret, err);
}

void workspace_done(struct workspace *row)
{
	store_row_done(&workspaces_table, row);
}

int workspace_add(struct store *s, const struct workspace *row, struct berth_error *err)
{
	int rc = store_run(s, &sql[SQL_ADD],
			   VALUES(V_TEXT(row->id), V_TEXT(row->name), V_TEXT(row->description),
				  V_INT(row->generation), V_INT(row->created_ms),
				  V_INT(row->updated_ms), V_INT(row->patches_account)),
			   NULL, err);

	return rc == BERTH_E_CONFLICT
		       ? berth_wrap(err, "a workspace named '%s' exists already", row->name)
		       : rc;
}

int workspace_change(struct store *s, const struct workspace *row, struct berth_error *err)
{
	return store_run_one(s, &sql[SQL_CHANGE],
			     VALUES(V_TEXT(row->description), V_INT(row->generation),
				    V_INT(row->updated_ms), V_INT(row->patches_account),
				    V_TEXT(row->id)),
			     err);
}

int workspace_remove(struct store *s, const char *id, struct berth_error *err)
{
	return store_run_one(s, &sql[SQL_REMOVE], VALUES(V_TEXT(id)), err);
}

int workspace_member_add(struct store *s, const struct workspace_member *row,
			 struct berth_error *err)
{
	return store_run(s, &sql[SQL_MEMBER_ADD],
			 VALUES(V_TEXT(row->workspace_id), V_TEXT(row->principal),
				V_TEXT(row->name), V_TEXT(row->role)),
			 NULL, err);
}

int workspace_members_clear(struct store *s, const char *workspace_id, struct berth_error *err)
{
	return store_run(s, &sql[SQL_MEMBERS_CLEAR], VALUES(V_TEXT(workspace_id)), NULL, err);
}

int space_bind(struct store *s, const char *space_id, const char *workspace_id, int64_t now_ms,
	       bool *ret_changed, struct berth_error *err)
{
	int64_t changed = 0;
	int rc = store_run(s, &sql[SQL_BIND],
			   VALUES(V_TEXT(space_id), V_TEXT(workspace_id), V_INT(now_ms)), &changed,
			   err);

	*ret_changed = changed > 0;
	return rc;
}

int space_unbind(struct store *s, const char *space_id, const char *workspace_id, bool *ret_changed,
		 struct berth_error *err)
{
	int64_t changed = 0;
	int rc = store_run(s, &sql[SQL_UNBIND], VALUES(V_TEXT(space_id), V_TEXT(workspace_id)),
			   &changed, err);

	*ret_changed = changed > 0;
	return rc;
}

int space_retire(struct store *s, const char *space_id, const char *from, const char *to,
		 int64_t at_ms, struct berth_error *err)
{
	return store_run(s, &sql[SQL_RETIRE],
			 VALUES(V_TEXT(to), V_INT(*to ? at_ms : 0), V_TEXT(space_id), V_TEXT(from)),
			 NULL, err);
}

int workspace_role(struct store *s, const char *workspace_id, const char *principals,
		   const char *roles, enum workspace_role *ret, struct berth_error *err)
{
	int64_t role = 0;
	int rc = store_number(s, &sql[SQL_ROLE],
			      VALUES(V_TEXT(roles), V_TEXT(principals), V_TEXT(workspace_id)),
			      &role, err);

	*ret = (enum workspace_role)role;
	return rc;
}
