/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of copy rules, of their runs, and of each image's outcome in a run. The
 * outcomes are also the journal: what is "copied" or "present" is not moved
 * again when a killed run goes on.
 */
#ifndef CORE_STORE_SYNCS_H
#define CORE_STORE_SYNCS_H

#include "core/store/list.h"

struct sync_rule {
	char *id;
	char *name;    /* unique */
	char *desired; /* the rule as the API has it */
	int64_t is_enabled;
	int64_t generation;
	int64_t created_ms, updated_ms;
	int64_t next_run_ms; /* by the clock; 0: never */
};
/* One run of a rule, or a single copy (rule_id ""). Its id is its operation's. */
struct sync_run {
	char *id;
	char *rule_id;
	char *rule;   /* the rule's name, or "" */
	char *state;  /* as the operation's */
	char *totals; /* JSON: images, blobs, bytes */
	int64_t started_ms, ended_ms;
	char *started_by; /* "manual", "cron"; NULL when put: "manual" */
};
struct sync_outcome {
	char *run_id;
	int64_t number;        /* order of arrival in the run */
	char *source, *target; /* INTEGRATION/REPOSITORY:TAG */
	char *digest;
	char *state; /* "copied", "present", "skipped", "failed", "cancelled" */
	char *cause; /* JSON of an error, or "" */
	int64_t attempts, bytes;
	int64_t updated_ms;
};
extern const struct store_table sync_rules_table, sync_runs_table, sync_outcomes_table;

/* A copy of the row, which sync_rule_done empties; BERTH_E_NOT_FOUND names it. */
MUST_USE int sync_rule_get(struct store *s, const char *name, struct sync_rule *ret,
			   struct berth_error *err);
void sync_rule_done(struct sync_rule *row);
#define AUTO_SYNC_RULE CLEANUP(sync_rule_done)
/* BERTH_E_CONFLICT where the name is taken. */
MUST_USE int sync_rule_add(struct store *s, const struct sync_rule *row, struct berth_error *err);
/* Writes what may change of the row with that id; its generation is the caller's. */
MUST_USE int sync_rule_change(struct store *s, const struct sync_rule *row,
			      struct berth_error *err);
/* Notes the next turn alone: no new generation. */
MUST_USE int sync_rule_set_next(struct store *s, const char *id, int64_t next_run_ms,
				struct berth_error *err);
/* Removes it; its runs are kept under its name. */
MUST_USE int sync_rule_remove(struct store *s, const char *id, struct berth_error *err);

/* As sync_rule_get, by the run's id: that of its operation. */
MUST_USE int sync_run_get(struct store *s, const char *id, struct sync_run *ret,
			  struct berth_error *err);
void sync_run_done(struct sync_run *row);
#define AUTO_SYNC_RUN CLEANUP(sync_run_done)
/* Adds or updates by id. */
MUST_USE int sync_run_put(struct store *s, const struct sync_run *row, struct berth_error *err);
/* Adds or, by run and target, updates (attempts is then added up). number is
 * given by the store. */
MUST_USE int sync_outcome_put(struct store *s, const struct sync_outcome *row,
			      struct berth_error *err);
/* Drops runs that ended before then, with their outcomes. */
MUST_USE int sync_run_prune(struct store *s, int64_t ended_before_ms, struct berth_error *err);

#endif
