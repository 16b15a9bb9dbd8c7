/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of watches. */
#include "core/store/watches.h"

#include "core/store/texts.h"

enum { SQL_PUT, SQL_CHANGE, SQL_HINT, SQL_REMOVE, SQL_FORGET };
static const struct store_sql sql[] = {
	[SQL_PUT] = {"sync-watch-put",
		     "INSERT INTO sync_watches (rule_id, integration, period_ms, next_ms, "
		     "hinted_ms) VALUES (?, ?, ?, ?, ?) ON CONFLICT (rule_id) DO UPDATE SET "
		     "integration = excluded.integration, period_ms = excluded.period_ms, "
		     "next_ms = excluded.next_ms, hinted_ms = excluded.hinted_ms"},
	[SQL_CHANGE] = {"sync-watch-change",
			"UPDATE sync_watches SET seen = ?, images = ?, next_ms = ?, hinted_ms = ?, "
			"looked_ms = ?, changed_ms = ?, failures = ?, run_failures = ?, "
			"retry_ms = ?, error = ? "
			"WHERE rule_id = ?"},
	[SQL_HINT] = {"sync-watch-hint",
		      "UPDATE sync_watches SET hinted_ms = ?, next_ms = ? WHERE rule_id = ?"},
	[SQL_REMOVE] = {"sync-watch-remove", "DELETE FROM sync_watches WHERE rule_id = ?"},
	[SQL_FORGET] = {"sync-look-forget",
			"DELETE FROM operations WHERE kind = 'sync-look' AND state = 'succeeded' "
			"AND ended_ms > 0 AND ended_ms < ?"},
};
const struct store_texts watches_texts = {sql, ARRAY_COUNT(sql)};

static const struct store_column columns[] = {
	STORE_COLUMN(sync_watch, NULL, "w.rule_id", TEXT, rule_id),
	STORE_COLUMN(sync_watch, NULL, "r.name", TEXT, rule),
	STORE_COLUMN(sync_watch, NULL, "w.integration", TEXT, integration),
	STORE_COLUMN(sync_watch, NULL, "w.period_ms", INT, period_ms),
	STORE_COLUMN(sync_watch, NULL, "w.seen", TEXT, seen),
	STORE_COLUMN(sync_watch, NULL, "w.images", INT, images),
	STORE_COLUMN(sync_watch, "next_look_at", "w.next_ms", INT, next_ms),
	STORE_COLUMN(sync_watch, NULL, "w.hinted_ms", INT, hinted_ms),
	STORE_COLUMN(sync_watch, NULL, "w.looked_ms", INT, looked_ms),
	STORE_COLUMN(sync_watch, NULL, "w.changed_ms", INT, changed_ms),
	STORE_COLUMN(sync_watch, NULL, "w.failures", INT, failures),
	STORE_COLUMN(sync_watch, NULL, "w.run_failures", INT, run_failures),
	STORE_COLUMN(sync_watch, NULL, "w.retry_ms", INT, retry_ms),
	STORE_COLUMN(sync_watch, NULL, "w.error", TEXT, error),
};
const struct store_table sync_watches_table = {
	.name = "watch",
	.select = "SELECT w.rule_id, r.name, w.integration, w.period_ms, w.seen, w.images, "
		  "w.next_ms, w.hinted_ms, w.looked_ms, w.changed_ms, w.failures, "
		  "w.run_failures, w.retry_ms, w.error FROM sync_watches w JOIN sync_rules r "
		  "ON r.id = w.rule_id",
	.columns = columns,
	.column_count = ARRAY_COUNT(columns),
	.row_bytes = sizeof(struct sync_watch),
	.key = "w.rule_id",
	.default_sort = "next_look_at",
};

int sync_watch_get(struct store *s, const char *rule_id, struct sync_watch *ret,
		   struct berth_error *err)
{
	const struct store_value v = V_TEXT(rule_id);

	return store_get(s, &sync_watches_table, PAGE_OF("w.rule_id = ?", &v, 1), rule_id, ret,
			 err);
}

void sync_watch_done(struct sync_watch *row)
{
	store_row_done(&sync_watches_table, row);
}

int sync_watch_put(struct store *s, const struct sync_watch *row, struct berth_error *err)
{
	return store_run(s, &sql[SQL_PUT],
			 VALUES(V_TEXT(row->rule_id), V_TEXT(row->integration),
				V_INT(row->period_ms), V_INT(row->next_ms), V_INT(row->hinted_ms)),
			 NULL, err);
}

int sync_watch_change(struct store *s, const struct sync_watch *row, struct berth_error *err)
{
	return store_run_one(s, &sql[SQL_CHANGE],
			     VALUES(V_TEXT(row->seen), V_INT(row->images), V_INT(row->next_ms),
				    V_INT(row->hinted_ms), V_INT(row->looked_ms),
				    V_INT(row->changed_ms), V_INT(row->failures),
				    V_INT(row->run_failures), V_INT(row->retry_ms),
				    V_TEXT(row->error), V_TEXT(row->rule_id)),
			     err);
}

int sync_watch_hint(struct store *s, const char *rule_id, int64_t hinted_ms, int64_t next_ms,
		    struct berth_error *err)
{
	return store_run(s, &sql[SQL_HINT],
			 VALUES(V_INT(hinted_ms), V_INT(next_ms), V_TEXT(rule_id)), NULL, err);
}

int sync_watch_remove(struct store *s, const char *rule_id, struct berth_error *err)
{
	return store_run(s, &sql[SQL_REMOVE], VALUES(V_TEXT(rule_id)), NULL, err);
}

int sync_look_forget(struct store *s, int64_t ended_before_ms, struct berth_error *err)
{
	return store_run(s, &sql[SQL_FORGET], VALUES(V_INT(ended_before_ms)), NULL, err);
}
