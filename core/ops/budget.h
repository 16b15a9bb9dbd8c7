/* SPDX-License-Identifier: Apache-2.0 */
/* Rates that jobs share. What is left of each rate is known here alone: a job
 * that moves bytes asks for a lease of some, and gets it in its turn, out of
 * every bucket that its bytes count in. Jobs without a rate ask for nothing.
 *
 *	"all"              copy.limit_bytes_per_s: what all copies let their sources send
 *	"read:ID"          what the integration of that id is let send
 *	"take", "take:ID"  what is taken of that: it comes later, at the same rates
 *	"write:ID"         written to it
 *
 * Runs in berthd's one thread; leases travel as frames (core/worker/job.h).
 */
#ifndef CORE_OPS_BUDGET_H
#define CORE_OPS_BUDGET_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/base/fail.h"
#include "core/base/scope.h"

#define BUDGET_PIECE 16384u         /* leases are whole pieces: what libcurl hands over at once */
#define BUDGET_LEASE_MAX (1u << 20) /* else a two-hundredth of a second's bytes */
#define BUDGET_BUCKETS_MAX 4        /* of one direction of a job */

struct loop;
struct budget;
/* Without a loop (tests) budget_turn is called by hand. */
MUST_USE int budget_new(struct loop *loop, struct budget **ret, struct berth_error *err);
void budget_free(struct budget *b); /* after every share has left; accepts NULL */
/* The rate of that bucket from now on, 0: none. Jobs at work are told. */
MUST_USE int budget_set(struct budget *b, const char *bucket, uint64_t bytes_per_s,
			struct berth_error *err);

/* One job's part in it. */
struct budget_share;
/* Gives a frame to the job; take_frame is handed over. */
typedef void budget_send(void *user, json_t *take_frame);
/* wanted: {"read": [BUCKET, ...], "take": [...], "write": [...], "write2": [...], to "write8"}, of
 * the targets in turn; each may be absent. */
MUST_USE int budget_join(struct budget *b, const json_t *wanted, budget_send *send, void *user,
			 struct budget_share **ret, struct berth_error *err);
/* {"read": BOOL, "write": BOOL, "write2": ..., "users": {"read": N, ...}}: must the job ask
 * before it moves bytes, and how many jobs, itself among them, are at that integration?
 * New. Jobs are sent the same where it changes. */
json_t *budget_terms(const struct budget_share *s) MUST_USE;
/* Takes a job's frame: {"chain": "read", "want": N} asks for a lease, "back": N
 * gives unused bytes of the last one back. What makes no sense is passed over:
 * the job harms itself alone. */
void budget_frame(struct budget_share *s, const json_t *frame);
/* The job is over. What it had leased and did not give back counts as moved: at
 * most one lease. Accepts NULL. */
void budget_leave(struct budget_share *s);

/* Gives out what can be given; the microseconds until there is more to give, or
 * UINT64_MAX where nobody waits. */
uint64_t budget_turn(struct budget *b, uint64_t now_us);

#endif
