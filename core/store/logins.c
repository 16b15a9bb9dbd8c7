/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of temporary logins. */
#include "core/store/logins.h"

#include "core/store/texts.h"

enum { SQL_ADD, SQL_CHANGE, SQL_REMOVE, SQL_EXPIRE, SQL_COUNT, SQL_ALL, SQL_DUE };
static const struct store_sql sql[] = {
	[SQL_ADD] = {"login-add",
		     "INSERT INTO logins (id, integration_id, space, name, remote_id, username, "
		     "rights, description, state, operation_id, has_secret, uid, user_name, "
		     "due_ms, created_ms, expires_ms, workspace_id, spaces) "
		     "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"},
	[SQL_CHANGE] = {"login-change",
			"UPDATE logins SET remote_id = ?, username = ?, state = ?, "
			"operation_id = ?, has_secret = ?, due_ms = ?, expires_ms = ? "
			"WHERE id = ?"},
	[SQL_REMOVE] = {"login-remove", "DELETE FROM logins WHERE id = ?"},
	[SQL_EXPIRE] = {"login-expire", "UPDATE logins SET state = 'revoking', due_ms = ? "
					"WHERE state = 'active' AND expires_ms <= ?"},
	[SQL_COUNT] = {"login-count", "SELECT COUNT(*) FROM logins WHERE integration_id = ?"},
	[SQL_ALL] = {"login-count-all", "SELECT COUNT(*) FROM logins"},
	[SQL_DUE] = {"login-due", "SELECT DISTINCT integration_id FROM logins "
				  "WHERE state = 'revoking' AND due_ms <= ?"},
};
const struct store_texts logins_texts = {sql, ARRAY_COUNT(sql)};

static const struct store_column columns[] = {
	STORE_COLUMN(login, "id", "l.id", TEXT, id),
	STORE_COLUMN(login, NULL, "l.integration_id", TEXT, integration_id),
	STORE_COLUMN(login, "integration", "i.name", TEXT, integration),
	STORE_COLUMN(login, "space", "l.space", TEXT, space),
	STORE_COLUMN(login, "name", "l.name", TEXT, name),
	STORE_COLUMN(login, NULL, "l.remote_id", TEXT, remote_id),
	STORE_COLUMN(login, "username", "l.username", TEXT, username),
	STORE_COLUMN(login, NULL, "l.rights", TEXT, rights),
	STORE_COLUMN(login, NULL, "l.description", TEXT, description),
	STORE_COLUMN(login, "state", "l.state", TEXT, state),
	STORE_COLUMN(login, NULL, "l.operation_id", TEXT, operation_id),
	STORE_COLUMN(login, NULL, "l.has_secret", INT, has_secret),
	STORE_COLUMN(login, NULL, "l.uid", INT, uid),
	STORE_COLUMN(login, "user", "l.user_name", TEXT, user_name),
	STORE_COLUMN(login, NULL, "l.due_ms", INT, due_ms),
	STORE_COLUMN(login, "created_at", "l.created_ms", TIME, created_ms),
	STORE_COLUMN(login, "expires_at", "l.expires_ms", TIME, expires_ms),
	STORE_COLUMN(login, NULL, "l.workspace_id", TEXT, workspace_id),
	STORE_COLUMN(login, "workspace", "COALESCE(w.name, '')", TEXT, workspace),
	STORE_COLUMN(login, NULL, "l.spaces", TEXT, spaces),
};
const struct store_table logins_table = {
	.name = "login",
	.select = "SELECT l.id, l.integration_id, i.name, l.space, l.name, l.remote_id, "
		  "l.username, l.rights, l.description, l.state, l.operation_id, l.has_secret, "
		  "l.uid, l.user_name, l.due_ms, l.created_ms, l.expires_ms, l.workspace_id, "
		  "COALESCE(w.name, ''), l.spaces FROM logins l "
		  "JOIN integrations i ON i.id = l.integration_id "
		  "LEFT JOIN workspaces w ON w.id = l.workspace_id",
	.columns = columns,
	.column_count = ARRAY_COUNT(columns),
	.row_bytes = sizeof(struct login),
	.key = "l.id",
	.default_sort = "created_at",
};

int login_get(struct store *s, const char *id, struct login *ret, struct berth_error *err)
{
	const struct store_value v = V_TEXT(id);

	return store_get(s, &logins_table, PAGE_OF("l.id = ?", &v, 1), id, ret, err);
}

void login_done(struct login *row)
{
	store_row_done(&logins_table, row);
}

int login_add(struct store *s, const struct login *row, struct berth_error *err)
{
	return store_run(s, &sql[SQL_ADD],
			 VALUES(V_TEXT(row->id), V_TEXT(row->integration_id), V_TEXT(row->space),
				V_TEXT(row->name), V_TEXT(row->remote_id), V_TEXT(row->username),
				V_TEXT(row->rights), V_TEXT(row->description), V_TEXT(row->state),
				V_TEXT(row->operation_id), V_INT(row->has_secret), V_INT(row->uid),
				V_TEXT(row->user_name), V_INT(row->due_ms), V_INT(row->created_ms),
				V_INT(row->expires_ms),
				V_TEXT(row->workspace_id ? row->workspace_id : ""),
				V_TEXT(row->spaces ? row->spaces : "")),
			 NULL, err);
}

int login_change(struct store *s, const struct login *row, struct berth_error *err)
{
	return store_run_one(s, &sql[SQL_CHANGE],
			     VALUES(V_TEXT(row->remote_id), V_TEXT(row->username),
				    V_TEXT(row->state), V_TEXT(row->operation_id),
				    V_INT(row->has_secret), V_INT(row->due_ms),
				    V_INT(row->expires_ms), V_TEXT(row->id)),
			     err);
}

int login_remove(struct store *s, const char *id, struct berth_error *err)
{
	return store_run_one(s, &sql[SQL_REMOVE], VALUES(V_TEXT(id)), err);
}

int login_expire(struct store *s, int64_t now_ms, struct berth_error *err)
{
	return store_run(s, &sql[SQL_EXPIRE], VALUES(V_INT(now_ms), V_INT(now_ms)), NULL, err);
}

int login_count(struct store *s, const char *integration_id, int64_t *ret, struct berth_error *err)
{
	if (!integration_id)
		return store_number(s, &sql[SQL_ALL], NULL, 0, ret, err);
	return store_number(s, &sql[SQL_COUNT], VALUES(V_TEXT(integration_id)), ret, err);
}

int login_due(struct store *s, int64_t now_ms, int (*each)(void *user, const char *id), void *user,
	      struct berth_error *err)
{
	AUTO(rows) struct store_rows *rows = NULL;
	bool has_row = false;
	int code = store_query(s, &sql[SQL_DUE], VALUES(V_INT(now_ms)), &rows, err);

	while (!code && !(code = rows_next(rows, &has_row, err)) && has_row)
		if (each(user, rows_text(rows, 0)))
			return berth_fail_memory(err);
	return code;
}
