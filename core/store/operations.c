/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of operations and of their logs. */
#include "core/store/records.h"

#include "core/store/texts.h"

enum { SQL_ADD, SQL_CHANGE, SQL_COUNT_OPEN, SQL_PRUNE_AGE, SQL_PRUNE_COUNT, SQL_LOG_ADD };
static const struct store_sql sql[] = {
	[SQL_ADD] = {"operation-add",
		     "INSERT INTO operations (id, kind, state, resources, locks, integration, "
		     "arguments, progress, result, error, uid, user_name, request_id, attempts, "
		     "created_ms, started_ms, updated_ms, ended_ms) "
		     "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"},
	[SQL_CHANGE] = {"operation-change",
			"UPDATE operations SET state = ?, progress = ?, result = ?, error = ?, "
			"attempts = ?, started_ms = ?, updated_ms = ?, ended_ms = ? "
			"WHERE id = ?"},
	[SQL_COUNT_OPEN] = {"operation-count-open",
			    "SELECT COUNT(*) FROM operations WHERE integration = ? AND state IN "
			    "('pending', 'running', 'cancelling')"},
	[SQL_PRUNE_AGE] = {"operation-prune-age",
			   "DELETE FROM operations WHERE ended_ms > 0 AND ended_ms < ?"},
	[SQL_PRUNE_COUNT] = {"operation-prune-count",
			     "DELETE FROM operations WHERE ended_ms > 0 AND id NOT IN "
			     "(SELECT k.id FROM operations k ORDER BY k.created_ms DESC, "
			     "k.id DESC LIMIT ?)"},
	[SQL_LOG_ADD] = {"operation-log-add",
			 "INSERT INTO operation_log (operation_id, number, time_ms, level, text) "
			 "VALUES (?, ?, ?, ?, ?)"},
};
const struct store_texts operations_texts = {sql, ARRAY_COUNT(sql)};

static const struct store_column columns[] = {
	STORE_COLUMN(operation_row, "id", "id", TEXT, id),
	STORE_COLUMN(operation_row, "kind", "kind", TEXT, kind),
	STORE_COLUMN(operation_row, "state", "state", TEXT, state),
	STORE_COLUMN(operation_row, NULL, "resources", TEXT, resources),
	STORE_COLUMN(operation_row, NULL, "locks", TEXT, locks),
	STORE_COLUMN(operation_row, "integration", "integration", TEXT, integration),
	STORE_COLUMN(operation_row, NULL, "arguments", TEXT, arguments),
	STORE_COLUMN(operation_row, NULL, "progress", TEXT, progress),
	STORE_COLUMN(operation_row, NULL, "result", TEXT, result),
	STORE_COLUMN(operation_row, NULL, "error", TEXT, error),
	STORE_COLUMN(operation_row, "requester.uid", "uid", INT, uid),
	STORE_COLUMN(operation_row, "requester.name", "user_name", TEXT, user_name),
	STORE_COLUMN(operation_row, NULL, "request_id", TEXT, request_id),
	STORE_COLUMN(operation_row, "attempts", "attempts", INT, attempts),
	STORE_COLUMN(operation_row, "created_at", "created_ms", TIME, created_ms),
	STORE_COLUMN(operation_row, "started_at", "started_ms", TIME, started_ms),
	STORE_COLUMN(operation_row, "updated_at", "updated_ms", TIME, updated_ms),
	STORE_COLUMN(operation_row, NULL, "ended_ms", TIME, ended_ms),
};
const struct store_table operations_table = {
	.name = "operation",
	.select = "SELECT id, kind, state, resources, locks, integration, arguments, progress, "
		  "result, error, uid, user_name, request_id, attempts, created_ms, started_ms, "
		  "updated_ms, ended_ms FROM operations",
	.columns = columns,
	.column_count = ARRAY_COUNT(columns),
	.row_bytes = sizeof(struct operation_row),
	.key = "id",
	.default_sort = "-created_at",
};

static const struct store_column log_columns[] = {
	STORE_COLUMN(operation_log_row, NULL, "operation_id", TEXT, operation_id),
	STORE_COLUMN(operation_log_row, "number", "number", INT, number),
	STORE_COLUMN(operation_log_row, "at", "time_ms", TIME, time_ms),
	STORE_COLUMN(operation_log_row, "level", "level", INT, level),
	STORE_COLUMN(operation_log_row, NULL, "text", TEXT, text),
};
const struct store_table operation_log_table = {
	.name = "log line",
	.select = "SELECT operation_id, number, time_ms, level, text FROM operation_log",
	.columns = log_columns,
	.column_count = ARRAY_COUNT(log_columns),
	.row_bytes = sizeof(struct operation_log_row),
	.key = "number", /* within one operation */
	.default_sort = "number",
};

int operation_row_get(struct store *s, const char *id, struct operation_row *ret,
		      struct berth_error *err)
{
	const struct store_value v = V_TEXT(id);

	return store_get(s, &operations_table, PAGE_OF("id = ?", &v, 1), id, ret, err);
}

void operation_row_done(struct operation_row *row)
{
	store_row_done(&operations_table, row);
}

int operation_row_add(struct store *s, const struct operation_row *row, struct berth_error *err)
{
	return store_run(
		s, &sql[SQL_ADD],
		VALUES(V_TEXT(row->id), V_TEXT(row->kind), V_TEXT(row->state),
		       V_TEXT(row->resources), V_TEXT(row->locks), V_TEXT(row->integration),
		       V_TEXT(row->arguments), V_TEXT(row->progress), V_TEXT(row->result),
		       V_TEXT(row->error), V_INT(row->uid), V_TEXT(row->user_name),
		       V_TEXT(row->request_id), V_INT(row->attempts), V_INT(row->created_ms),
		       V_INT(row->started_ms), V_INT(row->updated_ms), V_INT(row->ended_ms)),
		NULL, err);
}

int operation_row_change(struct store *s, const struct operation_row *row, struct berth_error *err)
{
	return store_run_one(s, &sql[SQL_CHANGE],
			     VALUES(V_TEXT(row->state), V_TEXT(row->progress), V_TEXT(row->result),
				    V_TEXT(row->error), V_INT(row->attempts),
				    V_INT(row->started_ms), V_INT(row->updated_ms),
				    V_INT(row->ended_ms), V_TEXT(row->id)),
			     err);
}

int operation_row_count_open(struct store *s, const char *integration, int64_t *ret_count,
			     struct berth_error *err)
{
	return store_number(s, &sql[SQL_COUNT_OPEN], VALUES(V_TEXT(integration)), ret_count, err);
}

int operation_row_open(struct store *s, store_each *each, void *user, struct berth_error *err)
{
	static const struct store_page page = {.within = "ended_ms = 0",
					       .tail = "ORDER BY created_ms, id"};

	return store_list(s, &operations_table, &page, each, user, NULL, err);
}

int operation_row_prune(struct store *s, int64_t ended_before_ms, int64_t keep_count,
			struct berth_error *err)
{
	int rc = store_run(s, &sql[SQL_PRUNE_AGE], VALUES(V_INT(ended_before_ms)), NULL, err);

	return rc ? rc : store_run(s, &sql[SQL_PRUNE_COUNT], VALUES(V_INT(keep_count)), NULL, err);
}

int operation_log_add(struct store *s, const struct operation_log_row *rows, size_t row_count,
		      struct berth_error *err)
{
	int rc = 0;

	for (size_t i = 0; i < row_count && !rc; i++)
		rc = store_run(s, &sql[SQL_LOG_ADD],
			       VALUES(V_TEXT(rows[i].operation_id), V_INT(rows[i].number),
				      V_INT(rows[i].time_ms), V_INT(rows[i].level),
				      V_TEXT(rows[i].text)),
			       NULL, err);
	return rc;
}
