/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of stored plans of copy rules, and of their steps. They go with their
 * rule.
 */
#ifndef CORE_STORE_PLANS_H
#define CORE_STORE_PLANS_H

#include "core/store/list.h"

/* Its id is that of the operation that made it. */
struct sync_plan {
	char *id;
	char *rule_id;
	int64_t generation; /* of the rule, when it was planned */
	char *totals;       /* JSON; "": the plan is being made */
	int64_t created_ms;
};
struct sync_plan_step {
	char *plan_id;
	char *source, *target; /* INTEGRATION/REPOSITORY:TAG */
	char *digest;          /* "": not known */
	char *action;          /* "copy", "tag", "present", "keep", "fail" */
	int64_t bytes;
};
extern const struct store_table sync_plans_table, sync_plan_steps_table;

MUST_USE int sync_plan_add(struct store *s, const struct sync_plan *row, struct berth_error *err);
/* The plan is whole. */
MUST_USE int sync_plan_finish(struct store *s, const char *id, const char *totals,
			      struct berth_error *err);
MUST_USE int sync_plan_remove(struct store *s, const char *id, struct berth_error *err);
/* Drops plans made before then. */
MUST_USE int sync_plan_prune(struct store *s, int64_t created_before_ms, struct berth_error *err);
/* BERTH_E_NOT_FOUND names the id. The row is freed by sync_plan_done. */
MUST_USE int sync_plan_get(struct store *s, const char *id, struct sync_plan *ret,
			   struct berth_error *err);
void sync_plan_done(struct sync_plan *row);
#define AUTO_SYNC_PLAN CLEANUP(sync_plan_done)

/* Adds or, by plan and target, replaces. */
MUST_USE int sync_plan_step_put(struct store *s, const struct sync_plan_step *row,
				struct berth_error *err);
/* BERTH_E_NOT_FOUND: the plan has no such target. */
MUST_USE int sync_plan_step_get(struct store *s, const char *plan_id, const char *target,
				struct sync_plan_step *ret, struct berth_error *err);
void sync_plan_step_done(struct sync_plan_step *row);
#define AUTO_SYNC_PLAN_STEP CLEANUP(sync_plan_step_done)

#endif
