/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of workspaces' namespaces and their pull secrets. */
#include "core/store/namespaces.h"

#include <string.h>

#include "core/store/texts.h"
#include "core/store/workspaces.h"

enum { SQL_TAKE, SQL_DROP, SQL_CHANGE, SQL_REMOVE, SQL_RETRY, SQL_WORKSPACES, SQL_DUE, SQL_SPACES };
static const struct store_sql sql[] = {
	[SQL_TAKE] = {"namespace-take",
		      "INSERT INTO workspace_namespaces (cluster_id, namespace, workspace_id, "
		      "owner, is_wanted, wanted, applied, phase, reason, message, attempts, "
		      "due_ms, since_ms, checked_ms) "
		      "VALUES (?, ?, ?, ?, 1, '', '', 'pending', '', '', 0, 0, ?, 0) "
		      "ON CONFLICT (cluster_id, namespace) DO UPDATE SET is_wanted = 1, "
		      "wanted = '', attempts = 0, due_ms = 0, phase = 'pending', reason = '', "
		      "message = '', since_ms = excluded.since_ms "
		      "WHERE workspace_namespaces.workspace_id = excluded.workspace_id"},
	[SQL_DROP] = {"namespace-drop",
		      "UPDATE workspace_namespaces SET is_wanted = 0, wanted = '?' "
		      "WHERE cluster_id = ? AND namespace = ?"},
	[SQL_CHANGE] = {"namespace-change",
			"UPDATE workspace_namespaces SET wanted = ?, applied = ?, phase = ?, "
			"reason = ?, message = ?, attempts = ?, due_ms = ?, since_ms = ?, "
			"checked_ms = ? WHERE cluster_id = ? AND namespace = ?"},
	[SQL_REMOVE] = {"namespace-remove", "DELETE FROM workspace_namespaces "
					    "WHERE cluster_id = ? AND namespace = ?"},
	[SQL_RETRY] = {"namespaces-retry",
		       "UPDATE workspace_namespaces SET due_ms = ? "
		       "WHERE cluster_id = ? AND phase = 'cluster-unreachable'"},
	[SQL_WORKSPACES] = {"namespaces-workspaces",
			    "SELECT workspace_id FROM (SELECT workspace_id FROM "
			    "workspace_namespaces UNION SELECT workspace_id FROM logins "
			    "WHERE workspace_id <> '') AS both_of WHERE workspace_id > ? "
			    "ORDER BY workspace_id LIMIT ?"},
	[SQL_DUE] = {"namespaces-due", "SELECT DISTINCT cluster_id FROM workspace_namespaces "
				       "WHERE due_ms > 0 AND due_ms <= ?"},
	[SQL_SPACES] = {"namespaces-spaces",
			"SELECT s.integration_id, s.name FROM spaces s JOIN integrations i "
			"ON i.id = s.integration_id WHERE s.is_present = 1 AND s.is_public = 0 "
			"AND (" SPACE_BOUND_SQL " OR " INTEGRATION_OF_SQL
			") ORDER BY i.name, s.name"},
};
const struct store_texts namespaces_texts = {sql, ARRAY_COUNT(sql)};

static const struct store_column columns[] = {
	STORE_COLUMN(workspace_namespace, NULL, "n.cluster_id", TEXT, cluster_id),
	STORE_COLUMN(workspace_namespace, "cluster", "c.name", TEXT, cluster),
	STORE_COLUMN(workspace_namespace, "namespace", "n.namespace", TEXT, namespace),
	STORE_COLUMN(workspace_namespace, NULL, "c.name || '/' || n.namespace", TEXT, path),
	STORE_COLUMN(workspace_namespace, NULL, "n.workspace_id", TEXT, workspace_id),
	STORE_COLUMN(workspace_namespace, NULL, "n.owner", TEXT, owner),
	STORE_COLUMN(workspace_namespace, NULL, "n.is_wanted", INT, is_wanted),
	STORE_COLUMN(workspace_namespace, NULL, "n.wanted", TEXT, wanted),
	STORE_COLUMN(workspace_namespace, NULL, "n.applied", TEXT, applied),
	STORE_COLUMN(workspace_namespace, "phase", "n.phase", TEXT, phase),
	STORE_COLUMN(workspace_namespace, "reason", "n.reason", TEXT, reason),
	STORE_COLUMN(workspace_namespace, NULL, "n.message", TEXT, message),
	STORE_COLUMN(workspace_namespace, NULL, "n.attempts", INT, attempts),
	STORE_COLUMN(workspace_namespace, NULL, "n.due_ms", INT, due_ms),
	STORE_COLUMN(workspace_namespace, "since", "n.since_ms", TIME, since_ms),
	STORE_COLUMN(workspace_namespace, "checked_at", "n.checked_ms", TIME, checked_ms),
};
const struct store_table namespaces_table = {
	.name = "namespace",
	.select = "SELECT n.cluster_id, c.name, n.namespace, c.name || '/' || n.namespace, "
		  "n.workspace_id, n.owner, "
		  "n.is_wanted, n.wanted, n.applied, n.phase, n.reason, n.message, n.attempts, "
		  "n.due_ms, n.since_ms, n.checked_ms FROM workspace_namespaces n "
		  "JOIN clusters c ON c.id = n.cluster_id",
	.columns = columns,
	.column_count = ARRAY_COUNT(columns),
	.row_bytes = sizeof(struct workspace_namespace),
	.key = "c.name || '/' || n.namespace",
	.default_sort = "cluster,namespace",
};

int namespace_get(struct store *s, const char *cluster_id, const char *namespace,
		  struct workspace_namespace *ret, struct berth_error *err)
{
	const struct store_value values[] = {V_TEXT(cluster_id), V_TEXT(namespace)};

	return store_get(s, &namespaces_table,
			 PAGE_OF("n.cluster_id = ? AND n.namespace = ?", values, 2), namespace, ret,
			 err);
}

void namespace_done(struct workspace_namespace *row)
{
	store_row_done(&namespaces_table, row);
}

int namespace_take(struct store *s, const struct workspace_namespace *row, struct berth_error *err)
{
	int64_t changed = 0;
	int rc = store_run(s, &sql[SQL_TAKE],
			   VALUES(V_TEXT(row->cluster_id), V_TEXT(row->namespace),
				  V_TEXT(row->workspace_id), V_TEXT(row->owner),
				  V_INT(row->since_ms)),
			   &changed, err);

	if (!rc && !changed)
		return berth_fail(err, BERTH_E_CONFLICT, "namespace %s is another workspace's",
				  row->namespace);
	return rc;
}

int namespace_drop(struct store *s, const char *cluster_id, const char *namespace,
		   struct berth_error *err)
{
	return store_run_one(s, &sql[SQL_DROP], VALUES(V_TEXT(cluster_id), V_TEXT(namespace)), err);
}

int namespace_change(struct store *s, const struct workspace_namespace *row,
		     struct berth_error *err)
{
	return store_run_one(s, &sql[SQL_CHANGE],
			     VALUES(V_TEXT(row->wanted), V_TEXT(row->applied), V_TEXT(row->phase),
				    V_TEXT(row->reason), V_TEXT(row->message), V_INT(row->attempts),
				    V_INT(row->due_ms), V_INT(row->since_ms),
				    V_INT(row->checked_ms), V_TEXT(row->cluster_id),
				    V_TEXT(row->namespace)),
			     err);
}

int namespace_remove(struct store *s, const char *cluster_id, const char *namespace,
		     struct berth_error *err)
{
	return store_run_one(s, &sql[SQL_REMOVE], VALUES(V_TEXT(cluster_id), V_TEXT(namespace)),
			     err);
}

int namespaces_retry(struct store *s, const char *cluster_id, int64_t now_ms,
		     struct berth_error *err)
{
	return store_run(s, &sql[SQL_RETRY], VALUES(V_INT(now_ms), V_TEXT(cluster_id)), NULL, err);
}

/* Gives the first column of each row. */
static int give(struct store_rows *rows, int (*each)(void *user, const char *id), void *user,
		struct berth_error *err)
{
	bool has_row = false;
	int code;

	while (!(code = rows_next(rows, &has_row, err)) && has_row) {
		code = each(user, rows_text(rows, 0));
		if (code)
			return berth_fail_memory(err);
	}
	return code;
}

int namespaces_workspaces(struct store *s, const char *after, int64_t limit,
			  int (*each)(void *user, const char *id), void *user,
			  struct berth_error *err)
{
	AUTO(rows) struct store_rows *rows = NULL;
	int code = store_query(s, &sql[SQL_WORKSPACES], VALUES(V_TEXT(after), V_INT(limit)), &rows,
			       err);

	return code ? code : give(rows, each, user, err);
}

int namespaces_due(struct store *s, int64_t now_ms, int (*each)(void *user, const char *cluster_id),
		   void *user, struct berth_error *err)
{
	AUTO(rows) struct store_rows *rows = NULL;
	int code = store_query(s, &sql[SQL_DUE], VALUES(V_INT(now_ms)), &rows, err);

	return code ? code : give(rows, each, user, err);
}

int namespaces_spaces(struct store *s, const char *workspace_id,
		      int (*each)(void *user, const char *integration_id, const char *space),
		      void *user, struct berth_error *err)
{
	AUTO(rows) struct store_rows *rows = NULL;
	bool has_row = false;
	int code = store_query(s, &sql[SQL_SPACES],
			       VALUES(V_TEXT(workspace_id), V_TEXT(workspace_id)), &rows, err);

	while (!code && !(code = rows_next(rows, &has_row, err)) && has_row)
		if (each(user, rows_text(rows, 0), rows_text(rows, 1)))
			return berth_fail_memory(err);
	return code;
}
