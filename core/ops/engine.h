/* SPDX-License-Identifier: Apache-2.0 */
/* The operation engine's inside, shared by the files that make it up:
 * ops.c (life, turn, sweeps), submit.c (acceptance and locks), run.c (the job
 * of an operation), end.c (its end), document.c (rows and JSON), watch.c (who waits).
 */
#ifndef CORE_OPS_ENGINE_H
#define CORE_OPS_ENGINE_H

#include "core/base/log.h"
#include "core/net/url.h"
#include "core/ops/budget.h"
#include "core/ops/claims.h"
#include "core/ops/events.h"
#include "core/ops/ops.h"
#include "core/ops/schedule.h"
#include "core/store/records.h"

#define BATCH_ITEMS 256     /* items handed on in one transaction */
#define BATCH_MS 250        /* or after so long */
#define SAVE_MS 1000        /* progress and log lines: stored at most so often */
#define LOG_LINES_MAX 10000 /* of one operation; then one line says so */
#define LOG_TEXT_MAX 4096
#define SWEEP_MS 600000
#define SWEEP_FIRST_MS 60000 /* not while starting */

struct log_line {
	int64_t time_ms;
	int level;
	char *text;
	struct log_line *next;
};

/* An operation that has not ended. op is first: a pointer to it is one to this. */
struct entry {
	struct operation op;
	bool is_stored;             /* its transaction is on disk */
	unsigned depth;             /* of that transaction, until then */
	struct job_client *job;     /* while running */
	struct budget_share *share; /* of the rates that its job counts in, or NULL */
	/* Claims of blobs at each of its targets, once its job has asked for one there. */
	struct claims_part *claims[CLAIMS_TARGETS_MAX];
	json_t *targets;    /* names of integrations; NULL: the operation's own alone */
	json_t *hosts;      /* {INTEGRATION: HOST} of its job's call, HOST "" where unknown */
	const char *blamed; /* a key of hosts: where its error arose; NULL: not told */
	bool is_lost;       /* the worker is gone, there is no result */
	bool is_ended;      /* out of the list, to be freed */
	json_t *items;      /* batch in the making */
	uint64_t items_since_ms;
	struct berth_error broken;         /* code: a batch could not be taken */
	uint64_t deadline_ms, hangup_ms;   /* monotonic; 0: none */
	bool is_late;                      /* cancelled by its deadline */
	uint64_t retry_ms, unreachable_ms; /* not before; unreachable since */
	uint32_t pause_ms;
	unsigned keep_count; /* times that this run kept state */
	struct log_line *lines, **lines_end;
	int64_t line_count; /* numbers given */
	bool is_dirty;      /* progress or lines not stored yet */
	uint64_t saved_ms;
	int64_t rate_done; /* for bytes_per_s */
	uint64_t rate_ms;
	int64_t rate;
	/* An end that is due, or could not be stored yet. */
	bool has_outcome, outcome_asks_type;
	enum op_state outcome;
	json_t *outcome_value;
	struct berth_error outcome_why;
	struct log_complaint complaint, strange;
	struct op_watch *watches;
	struct entry *next, *next_ended;
};

struct ops {
	struct ops_settings settings;
	struct op_runner runner;
	struct events *events;
	struct schedule *schedule;
	struct budget *budget;
	struct claims *claims;
	struct entry *entries; /* in order of creation */
	struct entry *ended;   /* to be freed at the end of a turn */
	uint32_t open_count;
	bool is_stopping, is_turning;
	bool is_wanted;              /* another turn, soon */
	uint64_t probe_ms, sweep_ms; /* next */
	int64_t audit_logged;        /* how far the audit chain's hash was logged */
	bool is_checking;            /* the store's file, in the background */
	struct loop_timer *timer;
	struct worker_job *jobs; /* of run_default */
};

/* ops.c */
void entry_unlink(struct entry *e);

/* submit.c */
const struct op_type *type_find(const struct ops *o, const char *kind);
MUST_USE int entry_new(struct ops *o, const struct operation_row *row, struct entry **ret,
		       struct berth_error *err);
void entry_add(struct entry *e);
void entry_free(struct entry *e);
/* Is a "~" lock of e held by one that came earlier? */
bool entry_must_wait(const struct entry *e);
void submit_committed(void *user, unsigned depth);
void submit_rolled_back(void *user, unsigned depth);

/* run.c */
bool run_can_start(const struct entry *e, uint64_t now_ms);
void run_start(struct entry *e, uint64_t now_ms);
void run_watch_clock(struct entry *e, uint64_t now_ms);
void run_flush(struct entry *e, uint64_t now_ms, bool all);

/* end.c */
/* Ends it, now or (the store takes no writes) later. value is borrowed. */
void run_end(struct entry *e, enum op_state state, const json_t *value,
	     const struct berth_error *why);
/* Tries again to store an end. */
void run_end_again(struct entry *e, uint64_t now_ms);
/* "interrupted" for those who look on, then pending again. */
MUST_USE int run_requeue(struct entry *e, struct berth_error *err);
/* Whom a log line about it is about; its texts are borrowed. */
struct log_context entry_context(const struct entry *e);

/* worker.c: jobs through the worker's socket. */
struct op_runner worker_runner(struct ops *o);

/* document.c */
json_t *entry_document(const struct entry *e, bool may_cancel) MUST_USE;
/* Writes state, progress and times; result and error where they are given. */
MUST_USE int entry_save(struct entry *e, const json_t *result, const struct berth_error *why,
			struct berth_error *err);
MUST_USE int entry_announce(struct entry *e, const json_t *result, const struct berth_error *why,
			    struct berth_error *err);
MUST_USE int entry_save_lines(struct entry *e, struct berth_error *err);
void entry_drop_lines(struct entry *e);

/* watch.c */
void watch_tell(struct entry *e, bool has_ended);
void watch_drop(struct entry *e);

#endif
