/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of stored plans and their steps. */
#include "core/store/plans.h"

#include "core/store/texts.h"

enum { SQL_ADD, SQL_FINISH, SQL_REMOVE, SQL_PRUNE, SQL_STEP_PUT };
static const struct store_sql sql[] = {
	[SQL_ADD] = {"sync-plan-add", "INSERT INTO sync_plans (id, rule_id, generation, totals, "
				      "created_ms) VALUES (?, ?, ?, ?, ?)"},
	[SQL_FINISH] = {"sync-plan-finish", "UPDATE sync_plans SET totals = ? WHERE id = ?"},
	[SQL_REMOVE] = {"sync-plan-remove", "DELETE FROM sync_plans WHERE id = ?"},
	[SQL_PRUNE] = {"sync-plan-prune", "DELETE FROM sync_plans WHERE created_ms < ?"},
	[SQL_STEP_PUT] =
		{"sync-plan-step-put",
		 "INSERT INTO sync_plan_steps (plan_id, source, target, digest, action, "
		 "bytes) VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (plan_id, target) DO UPDATE "
		 "SET source = excluded.source, digest = excluded.digest, "
		 "action = excluded.action, bytes = excluded.bytes"},
};
const struct store_texts plans_texts = {sql, ARRAY_COUNT(sql)};

static const struct store_column plan_columns[] = {
	STORE_COLUMN(sync_plan, "id", "id", TEXT, id),
	STORE_COLUMN(sync_plan, NULL, "rule_id", TEXT, rule_id),
	STORE_COLUMN(sync_plan, NULL, "generation", INT, generation),
	STORE_COLUMN(sync_plan, NULL, "totals", TEXT, totals),
	STORE_COLUMN(sync_plan, "created_at", "created_ms", TIME, created_ms),
};
const struct store_table sync_plans_table = {
	.name = "plan",
	.select = "SELECT id, rule_id, generation, totals, created_ms FROM sync_plans",
	.columns = plan_columns,
	.column_count = ARRAY_COUNT(plan_columns),
	.row_bytes = sizeof(struct sync_plan),
	.key = "id",
	.default_sort = "-created_at",
};

static const struct store_column step_columns[] = {
	STORE_COLUMN(sync_plan_step, NULL, "plan_id", TEXT, plan_id),
	STORE_COLUMN(sync_plan_step, "source", "source", TEXT, source),
	STORE_COLUMN(sync_plan_step, "target", "target", TEXT, target),
	STORE_COLUMN(sync_plan_step, "digest", "digest", TEXT, digest),
	STORE_COLUMN(sync_plan_step, "action", "action", TEXT, action),
	STORE_COLUMN(sync_plan_step, "bytes", "bytes", INT, bytes),
};
const struct store_table sync_plan_steps_table = {
	.name = "step",
	.select = "SELECT plan_id, source, target, digest, action, bytes FROM sync_plan_steps",
	.columns = step_columns,
	.column_count = ARRAY_COUNT(step_columns),
	.row_bytes = sizeof(struct sync_plan_step),
	.key = "target", /* within one plan */
	.default_sort = "target",
};

int sync_plan_add(struct store *s, const struct sync_plan *row, struct berth_error *err)
{
	return store_run(s, &sql[SQL_ADD],
			 VALUES(V_TEXT(row->id), V_TEXT(row->rule_id), V_INT(row->generation),
				V_TEXT(row->totals), V_INT(row->created_ms)),
			 NULL, err);
}

int sync_plan_finish(struct store *s, const char *id, const char *totals, struct berth_error *err)
{
	return store_run(s, &sql[SQL_FINISH], VALUES(V_TEXT(totals), V_TEXT(id)), NULL, err);
}

int sync_plan_remove(struct store *s, const char *id, struct berth_error *err)
{
	return store_run(s, &sql[SQL_REMOVE], VALUES(V_TEXT(id)), NULL, err);
}

int sync_plan_prune(struct store *s, int64_t created_before_ms, struct berth_error *err)
{
	return store_run(s, &sql[SQL_PRUNE], VALUES(V_INT(created_before_ms)), NULL, err);
}

int sync_plan_get(struct store *s, const char *id, struct sync_plan *ret, struct berth_error *err)
{
	const struct store_value v = V_TEXT(id);

	return store_get(s, &sync_plans_table, PAGE_OF("id = ?", &v, 1), id, ret, err);
}

void sync_plan_done(struct sync_plan *row)
{
	store_row_done(&sync_plans_table, row);
}

int sync_plan_step_put(struct store *s, const struct sync_plan_step *row, struct berth_error *err)
{
	return store_run(s, &sql[SQL_STEP_PUT],
			 VALUES(V_TEXT(row->plan_id), V_TEXT(row->source), V_TEXT(row->target),
				V_TEXT(row->digest), V_TEXT(row->action), V_INT(row->bytes)),
			 NULL, err);
}

int sync_plan_step_get(struct store *s, const char *plan_id, const char *target,
		       struct sync_plan_step *ret, struct berth_error *err)
{
	const struct store_value v[] = {V_TEXT(plan_id), V_TEXT(target)};

	return store_get(s, &sync_plan_steps_table, PAGE_OF("plan_id = ? AND target = ?", v, 2),
			 target, ret, err);
}

void sync_plan_step_done(struct sync_plan_step *row)
{
	store_row_done(&sync_plan_steps_table, row);
}
