/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of what registries keep for copy rules: see natives.h. */
#include "core/store/natives.h"

#include "core/store/texts.h"

enum { SQL_PUT, SQL_REMOVE, SQL_COUNT };
static const struct store_sql sql[] = {
	[SQL_PUT] = {"sync-native-put",
		     "INSERT INTO sync_natives (integration_id, object_id, rule_id, rule, "
		     "operation_id, run_id, updated_ms) VALUES (?, ?, ?, ?, ?, ?, ?) "
		     "ON CONFLICT (integration_id, object_id) DO UPDATE SET "
		     "rule_id = excluded.rule_id, rule = excluded.rule, "
		     "operation_id = excluded.operation_id, run_id = excluded.run_id, "
		     "updated_ms = excluded.updated_ms"},
	[SQL_REMOVE] = {"sync-native-remove",
			"DELETE FROM sync_natives WHERE integration_id = ? AND object_id = ?"},
	[SQL_COUNT] = {"sync-native-count",
		       "SELECT COUNT(*) FROM sync_natives WHERE integration_id = ?"},
};
const struct store_texts natives_texts = {sql, ARRAY_COUNT(sql)};

static const struct store_column columns[] = {
	STORE_COLUMN(sync_native, NULL, "integration_id", TEXT, integration_id),
	STORE_COLUMN(sync_native, NULL, "object_id", TEXT, object_id),
	STORE_COLUMN(sync_native, NULL, "rule_id", TEXT, rule_id),
	STORE_COLUMN(sync_native, "rule", "rule", TEXT, rule),
	STORE_COLUMN(sync_native, NULL, "operation_id", TEXT, operation_id),
	STORE_COLUMN(sync_native, NULL, "run_id", TEXT, run_id),
	STORE_COLUMN(sync_native, NULL, "updated_ms", INT, updated_ms),
};
const struct store_table sync_natives_table = {
	.name = "native replication",
	.select = "SELECT integration_id, object_id, rule_id, rule, operation_id, run_id, "
		  "updated_ms FROM sync_natives",
	.columns = columns,
	.column_count = ARRAY_COUNT(columns),
	.row_bytes = sizeof(struct sync_native),
	.key = "object_id", /* within one integration */
	.default_sort = "rule",
};

int sync_native_put(struct store *s, const struct sync_native *row, struct berth_error *err)
{
	return store_run(s, &sql[SQL_PUT],
			 VALUES(V_TEXT(row->integration_id), V_TEXT(row->object_id),
				V_TEXT(row->rule_id), V_TEXT(row->rule), V_TEXT(row->operation_id),
				V_TEXT(row->run_id), V_INT(row->updated_ms)),
			 NULL, err);
}

int sync_native_remove(struct store *s, const char *integration_id, const char *object_id,
		       struct berth_error *err)
{
	return store_run(s, &sql[SQL_REMOVE], VALUES(V_TEXT(integration_id), V_TEXT(object_id)),
			 NULL, err);
}

int sync_native_count(struct store *s, const char *integration_id, int64_t *ret,
		      struct berth_error *err)
{
	return store_number(s, &sql[SQL_COUNT], VALUES(V_TEXT(integration_id)), ret, err);
}

int sync_native_get(struct store *s, const char *integration_id, const char *rule_id,
		    struct sync_native *ret, struct berth_error *err)
{
	const struct store_value values[] = {V_TEXT(integration_id), V_TEXT(rule_id)};

	return store_get(s, &sync_natives_table,
			 PAGE_OF("integration_id = ? AND rule_id = ?", values, 2), rule_id, ret,
			 err);
}

void sync_native_done(struct sync_native *row)
{
	store_row_done(&sync_natives_table, row);
}
