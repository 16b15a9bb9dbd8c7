/* SPDX-License-Identifier: Apache-2.0 */
/* Rows that core/ops keeps: operations and their logs, events, the audit
 * chain, idempotency keys. Others read them by store_list; they are written
 * through core/ops only.
 */
#ifndef CORE_STORE_RECORDS_H
#define CORE_STORE_RECORDS_H

#include "core/store/list.h"

struct operation_row {
	char *id, *kind;
	char *state;                     /* "pending" ... see control-api 23 */
	char *resources;                 /* JSON array of paths */
	char *locks;                     /* JSON array of names held while it is not ended */
	char *integration;               /* name, for the limit per integration; "" */
	char *arguments;                 /* JSON; never a secret */
	char *progress, *result, *error; /* JSON or "" */
	int64_t uid;
	char *user_name;
	char *request_id;
	int64_t attempts;
	int64_t created_ms, started_ms, updated_ms, ended_ms; /* 0: not yet */
};
struct operation_log_row {
	char *operation_id;
	int64_t number; /* from 1 */
	int64_t time_ms, level;
	char *text;
};
struct event_row {
	int64_t id; /* monotonic */
	char *type; /* "operation", "lifecycle", "audit", "health" */
	char *resource;
	char *document; /* JSON */
	int64_t time_ms;
};
struct audit_row {
	int64_t number; /* from 1, without gaps */
	int64_t time_ms;
	int64_t uid;
	char *user_name, *request_id, *action, *resource, *result;
	char *detail;       /* JSON */
	char *groups;       /* JSON array of the caller's group numbers, or "" */
	char *workspace_id; /* whose admins see it, or "": the platform's alone */
	char *hash;         /* hex: of the previous row's hash and this row's canonical JSON */
};
struct audit_seal { /* core/base/chain.h */
	char *kind;
	int64_t number;
	char *hash;
	int64_t time_ms;
	char *signature;
};
struct idempotency_row {
	char *key; /* hash of uid, method, path and the client's key */
	char *body_hash;
	char *state; /* "running" or "finished" */
	int64_t status;
	char *headers, *body; /* of the first answer */
	int64_t created_ms;
};
extern const struct store_table operations_table, operation_log_table, events_table, audit_table;
/* Rows of workspaces, for their admins: the same without numbers, in the order of time. */
extern const struct store_table audit_own_table;
extern const struct store_table audit_seals_table, idempotency_table;

/* A copy of the row, which operation_row_done empties; BERTH_E_NOT_FOUND names it. */
MUST_USE int operation_row_get(struct store *s, const char *id, struct operation_row *ret,
			       struct berth_error *err);
void operation_row_done(struct operation_row *row);
#define AUTO_OPERATION_ROW CLEANUP(operation_row_done)
/* Adds a new row; every text is set, "" where there is nothing to say. */
MUST_USE int operation_row_add(struct store *s, const struct operation_row *row,
			       struct berth_error *err);
/* Writes state, progress, result, error, attempts and times of that id. */
MUST_USE int operation_row_change(struct store *s, const struct operation_row *row,
				  struct berth_error *err);
/* Rows not ended, oldest first. */
MUST_USE int operation_row_open(struct store *s, store_each *each, void *user,
				struct berth_error *err);
/* How many of that integration's, by name, have not ended. */
MUST_USE int operation_row_count_open(struct store *s, const char *integration, int64_t *ret_count,
				      struct berth_error *err);
/* Drops ended ones that ended before then, and beyond the newest keep_count. */
MUST_USE int operation_row_prune(struct store *s, int64_t ended_before_ms, int64_t keep_count,
				 struct berth_error *err);
/* Writes up to row_count log lines; numbers are the caller's. */
MUST_USE int operation_log_add(struct store *s, const struct operation_log_row *rows,
			       size_t row_count, struct berth_error *err);

/* Adds; the id is the caller's and greater than all before. */
MUST_USE int event_row_add(struct store *s, const struct event_row *row, struct berth_error *err);
/* The newest id that is kept; 0: there is none. */
MUST_USE int event_row_last(struct store *s, int64_t *ret_id, struct berth_error *err);
/* The oldest id that the ring still has; 0: it is empty. */
MUST_USE int event_row_first(struct store *s, int64_t *ret_id, struct berth_error *err);
/* Drops all up to that id. */
MUST_USE int event_row_prune(struct store *s, int64_t up_to_id, struct berth_error *err);

/* Adds a row; rows are chained by the caller and never changed. */
MUST_USE int audit_row_add(struct store *s, const struct audit_row *row, struct berth_error *err);
/* The newest row; BERTH_E_NOT_FOUND while there is none. */
MUST_USE int audit_row_last(struct store *s, struct audit_row *ret, struct berth_error *err);
void audit_row_done(struct audit_row *row);
#define AUTO_AUDIT_ROW CLEANUP(audit_row_done)
/* Removes the oldest, up to that number. */
MUST_USE int audit_row_prune(struct store *s, int64_t up_to_number, struct berth_error *err);
MUST_USE int audit_seal_get(struct store *s, const char *kind, struct audit_seal *ret,
			    struct berth_error *err);
void audit_seal_done(struct audit_seal *row);
#define AUTO_AUDIT_SEAL CLEANUP(audit_seal_done)
/* Adds it, or replaces the one of its kind. */
MUST_USE int audit_seal_put(struct store *s, const struct audit_seal *row, struct berth_error *err);

/* By the key as the store has it; BERTH_E_NOT_FOUND while it is new. */
MUST_USE int idempotency_row_get(struct store *s, const char *key, struct idempotency_row *ret,
				 struct berth_error *err);
void idempotency_row_done(struct idempotency_row *row);
#define AUTO_IDEMPOTENCY_ROW CLEANUP(idempotency_row_done)
MUST_USE int idempotency_row_put(struct store *s, const struct idempotency_row *row,
				 struct berth_error *err);
MUST_USE int idempotency_row_remove(struct store *s, const char *key, struct berth_error *err);
MUST_USE int idempotency_row_prune(struct store *s, int64_t created_before_ms,
				   struct berth_error *err);

#endif
