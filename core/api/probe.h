/* SPDX-License-Identifier: Apache-2.0 */
/* What integrations and clusters share as servers: one is proved before it is
 * saved or changed, and probed on its period from then on. Their own operation
 * types (integration_ops.c, cluster_ops.c) say what is asked of the server and
 * which rows follow. Runs in berthd.
 */
#ifndef CORE_API_PROBE_H
#define CORE_API_PROBE_H

#include "core/api/api.h"
#include "core/ops/schedule.h"

/* probe_period_s of a desired object, or the default, in milliseconds. */
int64_t probe_period_ms(const json_t *desired);

/* The word that says which part of a probe failed; other_kind: where the server is
 * something else than was said. */
const char *probe_reason(const struct berth_error *why, const char *other_kind);
/* Does the outcome of a probe say something of its server? A lost worker, a crash of
 * ours and a cancel do not. */
bool probe_says_something(const struct berth_error *why);

/* Puts the outcome into a status: phase, reason and message, checked_at, and since
 * when where phase (as it was before) or reason are others now. Returns the phase:
 * "healthy" or "unhealthy". */
const char *probe_note(json_t *status, const char *phase, const struct berth_error *why,
		       const char *other_kind, int64_t now_ms);
/* An event of a change of phase, which is what people wait for. path: of the resource;
 * before: its phase until now; status: as probe_note left it. */
MUST_USE int probe_tell(struct daemon_state *d, const char *path, const char *before,
			const json_t *status, struct berth_error *err);

/* Its place in the clock, as name: a probe each period from its last one on, overdue
 * ones soon. checked_ms 0: never probed. */
MUST_USE int probe_schedule(struct daemon_state *d, const char *name, int64_t checked_ms,
			    int64_t probe_ms, schedule_fire *is_due, struct berth_error *err);

/* The end of the operation that proved a server. path: of the resource; facts: what
 * the proof found, borrowed, or NULL; store writes the row and what goes with it. */
struct proof {
	const char *noun, *path;
	const json_t *facts;
	int (*store)(struct operation *op, const char *path, struct berth_error *err);
};
/* What follows from a proof: nothing but its result for a dry run; else the row by
 * proof->store, or the secrets dropped that were sealed for it. */
MUST_USE int proof_end(struct operation *op, const struct berth_error *why,
		       const struct proof *proof, json_t **ret_result, struct berth_error *err);

#endif
