/* SPDX-License-Identifier: Apache-2.0 */
/* The audit trail: every change and every refusal, as rows that are chained by
 * hash: each row's hash covers the one before, so that a row altered, taken out
 * or put in shows. The chain's ends are sealed: see audit_seal.h.
 */
#ifndef CORE_OPS_AUDIT_H
#define CORE_OPS_AUDIT_H

#include <jansson.h>
#include <stdint.h>
#include <sys/types.h>

#include "core/base/chain.h"
#include "core/ops/events.h"

struct audit_entry {
	uid_t uid;
	const char *user_name, *request_id;
	const char *action;       /* "integration.create" */
	const char *resource;     /* path */
	const char *result;       /* "accepted", "succeeded", "denied", "failed" */
	const json_t *detail;     /* object without secrets, or NULL */
	const json_t *groups;     /* array of the caller's group numbers, or NULL: not known */
	const char *workspace_id; /* whose admins see the row; NULL or "": the platform's alone */
};
/* Writes one row (and its event, where e is not NULL), in the caller's
 * transaction or its own. Texts are cut to 1 KiB; of a detail over
 * 16 KiB, asked, after and before are left out in this order, and "cut" says so. */
MUST_USE int audit_add(struct store *s, struct events *e, const struct audit_entry *entry,
		       struct berth_error *err);
/* Rows one after the other with one seal after the last, since signing and checking it is most
 * of the work of a row: in a transaction of the caller's, with no other row before the end. */
struct audit_run {
	struct store *store;
	struct events *events; /* or NULL */
	int64_t number;        /* of the row before the next, and its hash */
	char hash[CHAIN_HASH_ROOM];
};
MUST_USE int audit_run_begin(struct audit_run *run, struct store *s, struct events *e,
			     struct berth_error *err);
MUST_USE int audit_run_add(struct audit_run *run, const struct audit_entry *entry,
			   struct berth_error *err);
MUST_USE int audit_run_end(const struct audit_run *run, struct berth_error *err);
/* The id of the workspace that has an integration of that name, whether or not that is there:
 * new, "" for one of the platform or where the workspace is not there. */
MUST_USE int audit_owner(struct store *s, const char *integration, char **ret,
			 struct berth_error *err);
/* A copy of a request's body for a detail: whatever may be a secret by its name is
 * "***", long texts are cut; new. NULL: no memory. */
json_t *audit_masked(const json_t *body) MUST_USE;
/* The row as it is hashed: without its hash, detail and groups as texts; rows of
 * before there were groups have none, and rows of the platform alone no workspace. New; NULL: no
 * memory. */
json_t *audit_document(const struct audit_row *row) MUST_USE;
/* A walk along the chain, in pieces, so that a long one does not keep others waiting. Zeroed
 * at first; rows may be added and pruned between two pieces. */
struct audit_walk {
	bool has_begun;
	struct chain_seal start; /* what was pruned */
	struct chain_walk chain; /* how far it holds */
};
#define AUDIT_WALK_ROWS 1000 /* of one piece: some milliseconds */
/* One piece of at most so many rows; *ret_done: it came to the seal at the end. BERTH_E_DIGEST:
 * w->chain says how far it holds. */
MUST_USE int audit_walk_on(struct store *s, struct audit_walk *w, uint32_t row_count,
			   bool *ret_done, struct berth_error *err);
/* The whole of it. */
MUST_USE int audit_check(struct store *s, struct chain_walk *w, struct chain_seal *ret_start,
			 struct berth_error *err);
/* The same in short. BERTH_E_DIGEST: the first row that does not fit, in
 * *ret_number. Otherwise *ret_number is the count of rows. */
MUST_USE int audit_verify(struct store *s, int64_t *ret_number, struct berth_error *err);

/* Logs how far the chain goes and its last hash, where it has grown since
 * *last_number; the sweep calls it. */
MUST_USE int audit_log_end(struct store *s, int64_t *last_number, struct berth_error *err);

#endif
