/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of copy rules, runs and outcomes. */
#include "core/store/syncs.h"

#include "core/store/texts.h"

enum {
	SQL_RULE_ADD,
	SQL_RULE_CHANGE,
	SQL_RULE_NEXT,
	SQL_RULE_REMOVE,
	SQL_RUN_PUT,
	SQL_RUN_PRUNE,
	SQL_OUTCOME_PUT
};
static const struct store_sql sql[] = {
	[SQL_RULE_ADD] = {"sync-rule-add",
			  "INSERT INTO sync_rules (id, name, desired, is_enabled, generation, "
			  "created_ms, updated_ms, next_run_ms) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"},
	[SQL_RULE_CHANGE] = {"sync-rule-change",
			     "UPDATE sync_rules SET desired = ?, is_enabled = ?, generation = ?, "
			     "updated_ms = ?, next_run_ms = ? WHERE id = ?"},
	[SQL_RULE_NEXT] = {"sync-rule-next", "UPDATE sync_rules SET next_run_ms = ? WHERE id = ?"},
	[SQL_RULE_REMOVE] = {"sync-rule-remove", "DELETE FROM sync_rules WHERE id = ?"},
	[SQL_RUN_PUT] =
		{"sync-run-put",
		 "INSERT INTO sync_runs (id, rule_id, rule, state, totals, started_ms, "
		 "ended_ms, started_by) VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET "
		 "state = excluded.state, totals = excluded.totals, "
		 "started_ms = excluded.started_ms, ended_ms = excluded.ended_ms"},
	[SQL_RUN_PRUNE] = {"sync-run-prune",
			   "DELETE FROM sync_runs WHERE ended_ms > 0 AND ended_ms < ?"},
	[SQL_OUTCOME_PUT] = {"sync-outcome-put",
			     "INSERT INTO sync_outcomes (run_id, number, source, target, digest, "
			     "state, cause, attempts, bytes, updated_ms) VALUES (?, (SELECT "
			     "COALESCE(MAX(o.number), 0) + 1 FROM sync_outcomes o WHERE "
			     "o.run_id = ?), ?, ?, ?, ?, ?, ?, ?, ?) "
			     "ON CONFLICT (run_id, target) DO UPDATE SET "
			     "source = excluded.source, digest = excluded.digest, "
			     "state = excluded.state, cause = excluded.cause, "
			     "attempts = sync_outcomes.attempts + excluded.attempts, "
			     "bytes = excluded.bytes, updated_ms = excluded.updated_ms"},
};
const struct store_texts syncs_texts = {sql, ARRAY_COUNT(sql)};

static const struct store_column rule_columns[] = {
	STORE_COLUMN(sync_rule, "id", "id", TEXT, id),
	STORE_COLUMN(sync_rule, "name", "name", TEXT, name),
	STORE_COLUMN(sync_rule, NULL, "desired", TEXT, desired),
	STORE_COLUMN(sync_rule, "enabled", "is_enabled", BOOL, is_enabled),
	STORE_COLUMN(sync_rule, NULL, "generation", INT, generation),
	STORE_COLUMN(sync_rule, "created_at", "created_ms", TIME, created_ms),
	STORE_COLUMN(sync_rule, "updated_at", "updated_ms", TIME, updated_ms),
	STORE_COLUMN(sync_rule, NULL, "next_run_ms", INT, next_run_ms),
};
const struct store_table sync_rules_table = {
	.name = "sync",
	.select = "SELECT id, name, desired, is_enabled, generation, created_ms, updated_ms, "
		  "next_run_ms FROM sync_rules",
	.columns = rule_columns,
	.column_count = ARRAY_COUNT(rule_columns),
	.row_bytes = sizeof(struct sync_rule),
	.key = "name",
	.default_sort = "name",
};

static const struct store_column run_columns[] = {
	STORE_COLUMN(sync_run, "id", "id", TEXT, id),
	STORE_COLUMN(sync_run, NULL, "rule_id", TEXT, rule_id),
	STORE_COLUMN(sync_run, "sync", "rule", TEXT, rule),
	STORE_COLUMN(sync_run, "state", "state", TEXT, state),
	STORE_COLUMN(sync_run, NULL, "totals", TEXT, totals),
	STORE_COLUMN(sync_run, "started_at", "started_ms", TIME, started_ms),
	STORE_COLUMN(sync_run, "ended_at", "ended_ms", TIME, ended_ms),
	STORE_COLUMN(sync_run, "started_by", "started_by", TEXT, started_by),
};
const struct store_table sync_runs_table = {
	.name = "run",
	.select = "SELECT id, rule_id, rule, state, totals, started_ms, ended_ms, started_by "
		  "FROM sync_runs",
	.columns = run_columns,
	.column_count = ARRAY_COUNT(run_columns),
	.row_bytes = sizeof(struct sync_run),
	.key = "id",
	.default_sort = "-started_at",
};

static const struct store_column outcome_columns[] = {
	STORE_COLUMN(sync_outcome, NULL, "run_id", TEXT, run_id),
	STORE_COLUMN(sync_outcome, "number", "number", INT, number),
	STORE_COLUMN(sync_outcome, "source", "source", TEXT, source),
	STORE_COLUMN(sync_outcome, "target", "target", TEXT, target),
	STORE_COLUMN(sync_outcome, "digest", "digest", TEXT, digest),
	STORE_COLUMN(sync_outcome, "state", "state", TEXT, state),
	STORE_COLUMN(sync_outcome, NULL, "cause", TEXT, cause),
	STORE_COLUMN(sync_outcome, "attempts", "attempts", INT, attempts),
	STORE_COLUMN(sync_outcome, "bytes", "bytes", INT, bytes),
	STORE_COLUMN(sync_outcome, "updated_at", "updated_ms", TIME, updated_ms),
};
const struct store_table sync_outcomes_table = {
	.name = "outcome",
	.select = "SELECT run_id, number, source, target, digest, state, cause, attempts, bytes, "
		  "updated_ms FROM sync_outcomes",
	.columns = outcome_columns,
	.column_count = ARRAY_COUNT(outcome_columns),
	.row_bytes = sizeof(struct sync_outcome),
	.key = "number", /* within one run */
	.default_sort = "number",
};

int sync_rule_get(struct store *s, const char *name, struct sync_rule *ret, struct berth_error *err)
{
	const struct store_value v = V_TEXT(name);

	return store_get(s, &sync_rules_table, PAGE_OF("name = ?", &v, 1), name, ret, err);
}

void sync_rule_done(struct sync_rule *row)
{
	store_row_done(&sync_rules_table, row);
}

int sync_rule_add(struct store *s, const struct sync_rule *row, struct berth_error *err)
{
	int rc = store_run(s, &sql[SQL_RULE_ADD],
			   VALUES(V_TEXT(row->id), V_TEXT(row->name), V_TEXT(row->desired),
				  V_INT(row->is_enabled), V_INT(row->generation),
				  V_INT(row->created_ms), V_INT(row->updated_ms),
				  V_INT(row->next_run_ms)),
			   NULL, err);

	return rc == BERTH_E_CONFLICT
		       ? berth_wrap(err, "a sync named '%s' exists already", row->name)
		       : rc;
}

int sync_rule_change(struct store *s, const struct sync_rule *row, struct berth_error *err)
{
	return store_run_one(s, &sql[SQL_RULE_CHANGE],
			     VALUES(V_TEXT(row->desired), V_INT(row->is_enabled),
				    V_INT(row->generation), V_INT(row->updated_ms),
				    V_INT(row->next_run_ms), V_TEXT(row->id)),
			     err);
}

int sync_rule_set_next(struct store *s, const char *id, int64_t next_run_ms,
		       struct berth_error *err)
{
	return store_run_one(s, &sql[SQL_RULE_NEXT], VALUES(V_INT(next_run_ms), V_TEXT(id)), err);
}

int sync_rule_remove(struct store *s, const char *id, struct berth_error *err)
{
	return store_run_one(s, &sql[SQL_RULE_REMOVE], VALUES(V_TEXT(id)), err);
}

int sync_run_get(struct store *s, const char *id, struct sync_run *ret, struct berth_error *err)
{
	const struct store_value v = V_TEXT(id);

	return store_get(s, &sync_runs_table, PAGE_OF("id = ?", &v, 1), id, ret, err);
}

void sync_run_done(struct sync_run *row)
{
	store_row_done(&sync_runs_table, row);
}

int sync_run_put(struct store *s, const struct sync_run *row, struct berth_error *err)
{
	return store_run(s, &sql[SQL_RUN_PUT],
			 VALUES(V_TEXT(row->id), V_TEXT(row->rule_id), V_TEXT(row->rule),
				V_TEXT(row->state), V_TEXT(row->totals), V_INT(row->started_ms),
				V_INT(row->ended_ms),
				V_TEXT(row->started_by ? row->started_by : "manual")),
			 NULL, err);
}

int sync_outcome_put(struct store *s, const struct sync_outcome *row, struct berth_error *err)
{
	return store_run(s, &sql[SQL_OUTCOME_PUT],
			 VALUES(V_TEXT(row->run_id), V_TEXT(row->run_id), V_TEXT(row->source),
				V_TEXT(row->target), V_TEXT(row->digest), V_TEXT(row->state),
				V_TEXT(row->cause), V_INT(row->attempts), V_INT(row->bytes),
				V_INT(row->updated_ms)),
			 NULL, err);
}

int sync_run_prune(struct store *s, int64_t ended_before_ms, struct berth_error *err)
{
	return store_run(s, &sql[SQL_RUN_PRUNE], VALUES(V_INT(ended_before_ms)), NULL, err);
}
