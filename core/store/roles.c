/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of roles and of who has them. */
#include "core/store/roles.h"

#include "core/store/texts.h"

enum { SQL_ADD, SQL_CHANGE, SQL_REMOVE, SQL_MEMBER_ADD, SQL_MEMBERS_CLEAR };
static const struct store_sql sql[] = {
	[SQL_ADD] = {"role-add",
		     "INSERT INTO roles (name, description, scope, permissions, is_built_in, "
		     "generation, created_ms, updated_ms) VALUES (?, ?, ?, ?, 0, ?, ?, ?)"},
	[SQL_CHANGE] = {"role-change", "UPDATE roles SET description = ?, permissions = ?, "
				       "generation = ?, updated_ms = ? WHERE name = ?"},
	[SQL_REMOVE] = {"role-remove", "DELETE FROM roles WHERE name = ? AND is_built_in = 0"},
	[SQL_MEMBER_ADD] = {"role-member-add",
			    "INSERT INTO role_members (role, principal, name) VALUES (?, ?, ?)"},
	[SQL_MEMBERS_CLEAR] = {"role-members-clear", "DELETE FROM role_members WHERE role = ?"},
};
const struct store_texts roles_texts = {sql, ARRAY_COUNT(sql)};

static const struct store_column columns[] = {
	STORE_COLUMN(role_row, "name", "name", TEXT, name),
	STORE_COLUMN(role_row, "description", "description", TEXT, description),
	STORE_COLUMN(role_row, "scope", "scope", TEXT, scope),
	STORE_COLUMN(role_row, NULL, "permissions", TEXT, permissions),
	STORE_COLUMN(role_row, "built_in", "is_built_in", BOOL, is_built_in),
	STORE_COLUMN(role_row, NULL, "generation", INT, generation),
	STORE_COLUMN(role_row, "created_at", "created_ms", TIME, created_ms),
	STORE_COLUMN(role_row, "updated_at", "updated_ms", TIME, updated_ms),
};
const struct store_table roles_table = {
	.name = "role",
	.select = "SELECT name, description, scope, permissions, is_built_in, generation, "
		  "created_ms, updated_ms FROM roles",
	.columns = columns,
	.column_count = ARRAY_COUNT(columns),
	.row_bytes = sizeof(struct role_row),
	.key = "name",
	.default_sort = "name",
};

static const struct store_column member_columns[] = {
	STORE_COLUMN(role_member, "role", "role", TEXT, role),
	STORE_COLUMN(role_member, NULL, "principal", TEXT, principal),
	STORE_COLUMN(role_member, "name", "name", TEXT, name),
};
const struct store_table role_members_table = {
	.name = "role member",
	.select = "SELECT role, principal, name FROM role_members",
	.columns = member_columns,
	.column_count = ARRAY_COUNT(member_columns),
	.row_bytes = sizeof(struct role_member),
	.key = "principal", /* within one role */
	.default_sort = "name",
};

static const struct store_column holder_columns[] = {
	STORE_COLUMN(role_holder, "role", "h.role", TEXT, role),
	STORE_COLUMN(role_holder, "workspace", "h.workspace", TEXT, workspace),
	STORE_COLUMN(role_holder, NULL, "h.principal", TEXT, principal),
	STORE_COLUMN(role_holder, "name", "h.name", TEXT, name),
};
const struct store_table role_holders_table = {
	.name = "holder",
	.select = "SELECT h.role, h.workspace, h.principal, h.name FROM (SELECT role, "
		  "'' AS workspace, principal, name FROM role_members UNION ALL SELECT m.role, "
		  "w.name, m.principal, m.name FROM workspace_members m JOIN workspaces w "
		  "ON w.id = m.workspace_id) h",
	.columns = holder_columns,
	.column_count = ARRAY_COUNT(holder_columns),
	.row_bytes = sizeof(struct role_holder),
	.key = "h.principal", /* within one role and workspace */
	.default_sort = "workspace",
};

static const struct store_column grant_columns[] = {
	STORE_COLUMN(role_grant, "role", "g.role", TEXT, role),
	STORE_COLUMN(role_grant, "scope", "g.scope", TEXT, scope),
	STORE_COLUMN(role_grant, NULL, "g.permissions", TEXT, permissions),
	STORE_COLUMN(role_grant, NULL, "g.principal", TEXT, principal),
};
const struct store_table role_grants_table = {
	.name = "grant",
	.select = "SELECT g.role, g.scope, g.permissions, g.principal FROM (SELECT r.name AS role, "
		  "r.scope AS scope, r.permissions AS permissions, m.principal AS principal "
		  "FROM role_members m JOIN roles r ON r.name = m.role UNION SELECT r.name, "
		  "r.scope, r.permissions, m.principal FROM workspace_members m "
		  "JOIN roles r ON r.name = m.role) g",
	.columns = grant_columns,
	.column_count = ARRAY_COUNT(grant_columns),
	.row_bytes = sizeof(struct role_grant),
	.key = "g.principal", /* within one role */
	.default_sort = "role",
};

int role_get(struct store *s, const char *name, struct role_row *ret, struct berth_error *err)
{
	const struct store_value v = V_TEXT(name);

	return store_get(s, &roles_table, PAGE_OF("name = ?", &v, 1), name, ret, err);
}

void role_done(struct role_row *row)
{
	store_row_done(&roles_table, row);
}

int role_add(struct store *s, const struct role_row *row, struct berth_error *err)
{
	int rc = store_run(s, &sql[SQL_ADD],
			   VALUES(V_TEXT(row->name), V_TEXT(row->description), V_TEXT(row->scope),
				  V_TEXT(row->permissions), V_INT(row->generation),
				  V_INT(row->created_ms), V_INT(row->updated_ms)),
			   NULL, err);

	return rc == BERTH_E_CONFLICT
		       ? berth_wrap(err, "a role named '%s' exists already", row->name)
		       : rc;
}

int role_change(struct store *s, const struct role_row *row, struct berth_error *err)
{
	return store_run_one(s, &sql[SQL_CHANGE],
			     VALUES(V_TEXT(row->description), V_TEXT(row->permissions),
				    V_INT(row->generation), V_INT(row->updated_ms),
				    V_TEXT(row->name)),
			     err);
}

int role_remove(struct store *s, const char *name, struct berth_error *err)
{
	return store_run_one(s, &sql[SQL_REMOVE], VALUES(V_TEXT(name)), err);
}

int role_member_add(struct store *s, const struct role_member *row, struct berth_error *err)
{
	return store_run(s, &sql[SQL_MEMBER_ADD],
			 VALUES(V_TEXT(row->role), V_TEXT(row->principal), V_TEXT(row->name)), NULL,
			 err);
}

int role_members_clear(struct store *s, const char *role, struct berth_error *err)
{
	return store_run(s, &sql[SQL_MEMBERS_CLEAR], VALUES(V_TEXT(role)), NULL, err);
}
