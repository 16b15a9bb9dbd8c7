/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of Kubernetes clusters and their nodes. */
#include "core/store/clusters.h"

#include "core/store/texts.h"

enum {
	SQL_ADD,
	SQL_CHANGE,
	SQL_STATUS,
	SQL_REMOVE,
	SQL_REMOVE_SECRETS,
	SQL_NODE_PUT,
	SQL_NODES_CLEAR
};
static const struct store_sql sql[] = {
	[SQL_ADD] = {"cluster-add",
		     "INSERT INTO clusters (id, name, desired, status, phase, generation, "
		     "probe_ms, checked_ms, created_ms, updated_ms) "
		     "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"},
	[SQL_CHANGE] = {"cluster-change", "UPDATE clusters SET desired = ?, generation = ?, "
					  "probe_ms = ?, updated_ms = ? WHERE id = ?"},
	[SQL_STATUS] = {"cluster-status",
			"UPDATE clusters SET status = ?, phase = ?, checked_ms = ? WHERE id = ?"},
	[SQL_REMOVE] = {"cluster-remove", "DELETE FROM clusters WHERE id = ?"},
	[SQL_REMOVE_SECRETS] = {"cluster-remove-secrets", "DELETE FROM secrets WHERE owner = ?"},
	[SQL_NODE_PUT] = {"cluster-node-put",
			  "INSERT INTO cluster_nodes (cluster_id, name, is_ready, document) "
			  "VALUES (?, ?, ?, ?) ON CONFLICT (cluster_id, name) DO UPDATE SET "
			  "is_ready = excluded.is_ready, document = excluded.document"},
	[SQL_NODES_CLEAR] = {"cluster-nodes-clear", "DELETE FROM cluster_nodes "
						    "WHERE cluster_id = ?"},
};
const struct store_texts clusters_texts = {sql, ARRAY_COUNT(sql)};

static const struct store_column columns[] = {
	STORE_COLUMN(cluster, "id", "id", TEXT, id),
	STORE_COLUMN(cluster, "name", "name", TEXT, name),
	STORE_COLUMN(cluster, NULL, "desired", TEXT, desired),
	STORE_COLUMN(cluster, NULL, "status", TEXT, status),
	STORE_COLUMN(cluster, "status.phase", "phase", TEXT, phase),
	STORE_COLUMN(cluster, NULL, "generation", INT, generation),
	STORE_COLUMN(cluster, NULL, "probe_ms", INT, probe_ms),
	STORE_COLUMN(cluster, "status.checked_at", "checked_ms", TIME, checked_ms),
	STORE_COLUMN(cluster, "created_at", "created_ms", TIME, created_ms),
	STORE_COLUMN(cluster, "updated_at", "updated_ms", TIME, updated_ms),
};
const struct store_table clusters_table = {
	.name = "cluster",
	.select = "SELECT id, name, desired, status, phase, generation, probe_ms, checked_ms, "
		  "created_ms, updated_ms FROM clusters",
	.columns = columns,
	.column_count = ARRAY_COUNT(columns),
	.row_bytes = sizeof(struct cluster),
	.key = "name",
	.default_sort = "name",
};

static const struct store_column node_columns[] = {
	STORE_COLUMN(cluster_node, NULL, "cluster_id", TEXT, cluster_id),
	STORE_COLUMN(cluster_node, "name", "name", TEXT, name),
	STORE_COLUMN(cluster_node, "ready", "is_ready", BOOL, is_ready),
	STORE_COLUMN(cluster_node, NULL, "document", TEXT, document),
};
const struct store_table cluster_nodes_table = {
	.name = "node",
	.select = "SELECT cluster_id, name, is_ready, document FROM cluster_nodes",
	.columns = node_columns,
	.column_count = ARRAY_COUNT(node_columns),
	.row_bytes = sizeof(struct cluster_node),
	.key = "name", /* within one cluster */
	.default_sort = "name",
};

int cluster_get(struct store *s, const char *name, struct cluster *ret, struct berth_error *err)
{
	const struct store_value v = V_TEXT(name);

	return store_get(s, &clusters_table, PAGE_OF("name = ?", &v, 1), name, ret, err);
}

int cluster_get_by_id(struct store *s, const char *id, struct cluster *ret, struct berth_error *err)
{
	const struct store_value v = V_TEXT(id);

	return store_get(s, &clusters_table, PAGE_OF("id = ?", &v, 1), id, ret, err);
}

void cluster_done(struct cluster *row)
{
	store_row_done(&clusters_table, row);
}

int cluster_add(struct store *s, const struct cluster *row, struct berth_error *err)
{
	int rc = store_run(s, &sql[SQL_ADD],
			   VALUES(V_TEXT(row->id), V_TEXT(row->name), V_TEXT(row->desired),
				  V_TEXT(row->status), V_TEXT(row->phase), V_INT(row->generation),
				  V_INT(row->probe_ms), V_INT(row->checked_ms),
				  V_INT(row->created_ms), V_INT(row->updated_ms)),
			   NULL, err);

	return rc == BERTH_E_CONFLICT
		       ? berth_wrap(err, "a cluster named '%s' exists already", row->name)
		       : rc;
}

int cluster_change(struct store *s, const struct cluster *row, struct berth_error *err)
{
	return store_run_one(s, &sql[SQL_CHANGE],
			     VALUES(V_TEXT(row->desired), V_INT(row->generation),
				    V_INT(row->probe_ms), V_INT(row->updated_ms), V_TEXT(row->id)),
			     err);
}

int cluster_set_status(struct store *s, const char *id, const char *status, const char *phase,
		       int64_t checked_ms, struct berth_error *err)
{
	return store_run_one(s, &sql[SQL_STATUS],
			     VALUES(V_TEXT(status), V_TEXT(phase), V_INT(checked_ms), V_TEXT(id)),
			     err);
}

int cluster_remove(struct store *s, const char *id, struct berth_error *err)
{
	TRANSACTION t = {0};
	int rc = transaction_begin(&t, s, err);

	if (!rc)
		rc = store_run(s, &sql[SQL_REMOVE_SECRETS], VALUES(V_TEXT(id)), NULL, err);
	if (!rc)
		rc = store_run_one(s, &sql[SQL_REMOVE], VALUES(V_TEXT(id)), err);
	return rc ? rc : transaction_commit(&t, err);
}

int cluster_node_put(struct store *s, const struct cluster_node *row, struct berth_error *err)
{
	return store_run(s, &sql[SQL_NODE_PUT],
			 VALUES(V_TEXT(row->cluster_id), V_TEXT(row->name), V_INT(row->is_ready),
				V_TEXT(row->document)),
			 NULL, err);
}

int cluster_nodes_clear(struct store *s, const char *cluster_id, struct berth_error *err)
{
	return store_run(s, &sql[SQL_NODES_CLEAR], VALUES(V_TEXT(cluster_id)), NULL, err);
}
