/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of events, of the audit chain and of idempotency keys. */
#include "core/store/records.h"

#include "core/store/texts.h"

enum {
	SQL_EVENT_ADD,
	SQL_EVENT_LAST,
	SQL_EVENT_FIRST,
	SQL_EVENT_PRUNE,
	SQL_AUDIT_ADD,
	SQL_AUDIT_PRUNE,
	SQL_SEAL_PUT,
	SQL_KEY_PUT,
	SQL_KEY_REMOVE,
	SQL_KEY_PRUNE
};
static const struct store_sql sql[] = {
	[SQL_EVENT_ADD] = {"event-add", "INSERT INTO events (id, type, resource, document, "
					"time_ms) VALUES (?, ?, ?, ?, ?)"},
	[SQL_EVENT_LAST] = {"event-last", "SELECT COALESCE(MAX(id), 0) FROM events"},
	[SQL_EVENT_FIRST] = {"event-first", "SELECT COALESCE(MIN(id), 0) FROM events"},
	[SQL_EVENT_PRUNE] = {"event-prune", "DELETE FROM events WHERE id <= ?"},
	[SQL_AUDIT_ADD] = {"audit-add",
			   "INSERT INTO audit (number, time_ms, uid, user_name, request_id, "
			   "action, resource, result, detail, hash, group_ids, workspace_id) "
			   "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"},
	[SQL_AUDIT_PRUNE] = {"audit-prune", "DELETE FROM audit WHERE number <= ?"},
	[SQL_SEAL_PUT] = {"audit-seal-put",
			  "INSERT INTO audit_seals (kind, number, hash, time_ms, signature) "
			  "VALUES (?, ?, ?, ?, ?) ON CONFLICT (kind) DO UPDATE SET "
			  "number = excluded.number, hash = excluded.hash, "
			  "time_ms = excluded.time_ms, signature = excluded.signature"},
	[SQL_KEY_PUT] = {"idempotency-put",
			 "INSERT INTO idempotency (request_key, body_hash, state, status, "
			 "headers, body, created_ms) VALUES (?, ?, ?, ?, ?, ?, ?) "
			 "ON CONFLICT (request_key) DO UPDATE SET state = excluded.state, "
			 "status = excluded.status, headers = excluded.headers, "
			 "body = excluded.body"},
	[SQL_KEY_REMOVE] = {"idempotency-remove", "DELETE FROM idempotency WHERE request_key = ?"},
	[SQL_KEY_PRUNE] = {"idempotency-prune", "DELETE FROM idempotency WHERE created_ms < ?"},
};
const struct store_texts records_texts = {sql, ARRAY_COUNT(sql)};

static const struct store_column event_columns[] = {
	STORE_COLUMN(event_row, "id", "id", INT, id),
	STORE_COLUMN(event_row, "type", "type", TEXT, type),
	STORE_COLUMN(event_row, "resource", "resource", TEXT, resource),
	STORE_COLUMN(event_row, NULL, "document", TEXT, document),
	STORE_COLUMN(event_row, "at", "time_ms", TIME, time_ms),
};
const struct store_table events_table = {
	.name = "event",
	.select = "SELECT id, type, resource, document, time_ms FROM events",
	.columns = event_columns,
	.column_count = ARRAY_COUNT(event_columns),
	.row_bytes = sizeof(struct event_row),
	.key = "id",
	.default_sort = "id",
};

static const struct store_column audit_columns[] = {
	STORE_COLUMN(audit_row, "number", "number", INT, number),
	STORE_COLUMN(audit_row, "at", "time_ms", TIME, time_ms),
	STORE_COLUMN(audit_row, "uid", "uid", INT, uid),
	STORE_COLUMN(audit_row, "user", "user_name", TEXT, user_name),
	STORE_COLUMN(audit_row, "request", "request_id", TEXT, request_id),
	STORE_COLUMN(audit_row, "action", "action", TEXT, action),
	STORE_COLUMN(audit_row, "resource", "resource", TEXT, resource),
	STORE_COLUMN(audit_row, "result", "result", TEXT, result),
	STORE_COLUMN(audit_row, NULL, "detail", TEXT, detail),
	STORE_COLUMN(audit_row, NULL, "hash", TEXT, hash),
	STORE_COLUMN(audit_row, NULL, "group_ids", TEXT, groups),
	STORE_COLUMN(audit_row, NULL, "workspace_id", TEXT, workspace_id),
};
#define AUDIT_SELECT                                                                               \
	"SELECT number, time_ms, uid, user_name, request_id, action, resource, result, detail, "   \
	"hash, group_ids, workspace_id FROM audit"
const struct store_table audit_table = {
	.name = "audit row",
	.select = AUDIT_SELECT,
	.columns = audit_columns,
	.column_count = ARRAY_COUNT(audit_columns),
	.row_bytes = sizeof(struct audit_row),
	.key = "number",
	.default_sort = "-number",
};
/* Numbers count the rows of all: here nothing is sorted, filtered or paged by them. */
static const struct store_column audit_own_columns[] = {
	STORE_COLUMN(audit_row, NULL, "number", INT, number),
	STORE_COLUMN(audit_row, "at", "time_ms", TIME, time_ms),
	STORE_COLUMN(audit_row, "uid", "uid", INT, uid),
	STORE_COLUMN(audit_row, "user", "user_name", TEXT, user_name),
	STORE_COLUMN(audit_row, "request", "request_id", TEXT, request_id),
	STORE_COLUMN(audit_row, "action", "action", TEXT, action),
	STORE_COLUMN(audit_row, "resource", "resource", TEXT, resource),
	STORE_COLUMN(audit_row, "result", "result", TEXT, result),
	STORE_COLUMN(audit_row, NULL, "detail", TEXT, detail),
	STORE_COLUMN(audit_row, NULL, "hash", TEXT, hash),
	STORE_COLUMN(audit_row, NULL, "group_ids", TEXT, groups),
	STORE_COLUMN(audit_row, NULL, "workspace_id", TEXT, workspace_id),
};
const struct store_table audit_own_table = {
	.name = "audit row",
	.select = AUDIT_SELECT,
	.columns = audit_own_columns,
	.column_count = ARRAY_COUNT(audit_own_columns),
	.row_bytes = sizeof(struct audit_row),
	.key = "hash",
	.default_sort = "-at",
};

static const struct store_column seal_columns[] = {
	STORE_COLUMN(audit_seal, NULL, "kind", TEXT, kind),
	STORE_COLUMN(audit_seal, NULL, "number", INT, number),
	STORE_COLUMN(audit_seal, NULL, "hash", TEXT, hash),
	STORE_COLUMN(audit_seal, NULL, "time_ms", TIME, time_ms),
	STORE_COLUMN(audit_seal, NULL, "signature", TEXT, signature),
};
const struct store_table audit_seals_table = {
	.name = "seal of the audit trail",
	.select = "SELECT kind, number, hash, time_ms, signature FROM audit_seals",
	.columns = seal_columns,
	.column_count = ARRAY_COUNT(seal_columns),
	.row_bytes = sizeof(struct audit_seal),
	.key = "kind",
	.default_sort = "",
};

static const struct store_column key_columns[] = {
	STORE_COLUMN(idempotency_row, NULL, "request_key", TEXT, key),
	STORE_COLUMN(idempotency_row, NULL, "body_hash", TEXT, body_hash),
	STORE_COLUMN(idempotency_row, NULL, "state", TEXT, state),
	STORE_COLUMN(idempotency_row, NULL, "status", INT, status),
	STORE_COLUMN(idempotency_row, NULL, "headers", TEXT, headers),
	STORE_COLUMN(idempotency_row, NULL, "body", TEXT, body),
	STORE_COLUMN(idempotency_row, NULL, "created_ms", TIME, created_ms),
};
const struct store_table idempotency_table = {
	.name = "idempotency key",
	.select = "SELECT request_key, body_hash, state, status, headers, body, created_ms "
		  "FROM idempotency",
	.columns = key_columns,
	.column_count = ARRAY_COUNT(key_columns),
	.row_bytes = sizeof(struct idempotency_row),
	.key = "request_key",
	.default_sort = "",
};

int event_row_add(struct store *s, const struct event_row *row, struct berth_error *err)
{
	return store_run(s, &sql[SQL_EVENT_ADD],
			 VALUES(V_INT(row->id), V_TEXT(row->type), V_TEXT(row->resource),
				V_TEXT(row->document), V_INT(row->time_ms)),
			 NULL, err);
}

int event_row_last(struct store *s, int64_t *ret_id, struct berth_error *err)
{
	return store_number(s, &sql[SQL_EVENT_LAST], NULL, 0, ret_id, err);
}

int event_row_first(struct store *s, int64_t *ret_id, struct berth_error *err)
{
	return store_number(s, &sql[SQL_EVENT_FIRST], NULL, 0, ret_id, err);
}

int event_row_prune(struct store *s, int64_t up_to_id, struct berth_error *err)
{
	return store_run(s, &sql[SQL_EVENT_PRUNE], VALUES(V_INT(up_to_id)), NULL, err);
}

int audit_row_add(struct store *s, const struct audit_row *row, struct berth_error *err)
{
	return store_run(s, &sql[SQL_AUDIT_ADD],
			 VALUES(V_INT(row->number), V_INT(row->time_ms), V_INT(row->uid),
				V_TEXT(row->user_name), V_TEXT(row->request_id),
				V_TEXT(row->action), V_TEXT(row->resource), V_TEXT(row->result),
				V_TEXT(row->detail), V_TEXT(row->hash), V_TEXT(row->groups),
				V_TEXT(row->workspace_id)),
			 NULL, err);
}

int audit_row_last(struct store *s, struct audit_row *ret, struct berth_error *err)
{
	static const struct store_page page = {.tail = "ORDER BY number DESC LIMIT 1"};

	return store_get(s, &audit_table, &page, "last", ret, err);
}

void audit_row_done(struct audit_row *row)
{
	store_row_done(&audit_table, row);
}

int audit_row_prune(struct store *s, int64_t up_to_number, struct berth_error *err)
{
	return store_run(s, &sql[SQL_AUDIT_PRUNE], VALUES(V_INT(up_to_number)), NULL, err);
}

int audit_seal_get(struct store *s, const char *kind, struct audit_seal *ret,
		   struct berth_error *err)
{
	const struct store_value v = V_TEXT(kind);

	return store_get(s, &audit_seals_table, PAGE_OF("kind = ?", &v, 1), kind, ret, err);
}

void audit_seal_done(struct audit_seal *row)
{
	store_row_done(&audit_seals_table, row);
}

int audit_seal_put(struct store *s, const struct audit_seal *row, struct berth_error *err)
{
	return store_run(s, &sql[SQL_SEAL_PUT],
			 VALUES(V_TEXT(row->kind), V_INT(row->number), V_TEXT(row->hash),
				V_INT(row->time_ms), V_TEXT(row->signature)),
			 NULL, err);
}

int idempotency_row_get(struct store *s, const char *key, struct idempotency_row *ret,
			struct berth_error *err)
{
	const struct store_value v = V_TEXT(key);

	return store_get(s, &idempotency_table, PAGE_OF("request_key = ?", &v, 1), key, ret, err);
}

void idempotency_row_done(struct idempotency_row *row)
{
	store_row_done(&idempotency_table, row);
}

int idempotency_row_put(struct store *s, const struct idempotency_row *row, struct berth_error *err)
{
	return store_run(s, &sql[SQL_KEY_PUT],
			 VALUES(V_TEXT(row->key), V_TEXT(row->body_hash), V_TEXT(row->state),
				V_INT(row->status), V_TEXT(row->headers), V_TEXT(row->body),
				V_INT(row->created_ms)),
			 NULL, err);
}

int idempotency_row_remove(struct store *s, const char *key, struct berth_error *err)
{
	return store_run(s, &sql[SQL_KEY_REMOVE], VALUES(V_TEXT(key)), NULL, err);
}

int idempotency_row_prune(struct store *s, int64_t created_before_ms, struct berth_error *err)
{
	return store_run(s, &sql[SQL_KEY_PRUNE], VALUES(V_INT(created_before_ms)), NULL, err);
}
