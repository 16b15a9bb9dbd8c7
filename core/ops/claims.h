/* SPDX-License-Identifier: Apache-2.0 */
/* Who sends which blob: jobs that copy to one integration at the same time claim
 * each big blob before they send it. One gets it, the others are told to wait, and
 * then where at the target it is, or that it is theirs now. What was sent lately is
 * remembered, for those who had looked for it before it came.
 *
 * A claim is worth nothing by itself: a job finds out at the target whether the
 * blob is there, and sends it where it is not. Runs in berthd's one thread; frames
 * are in core/worker/job.h.
 */
#ifndef CORE_OPS_CLAIMS_H
#define CORE_OPS_CLAIMS_H

#include <jansson.h>

#include "core/base/fail.h"

#define CLAIMS_MAX 256 /* of one job at once; one more is not waited for */
#define CLAIMS_TARGETS_MAX 8
#define CLAIMS_SENT_MAX 1024 /* blobs that are remembered, the oldest forgotten first */

struct claims;
MUST_USE int claims_new(struct claims **ret, struct berth_error *err);
void claims_free(struct claims *c); /* after every part has left; accepts NULL */

/* One job's part in the claims of a target, whose name is copied; number: which of the
 * job's targets that is. */
struct claims_part;
/* Gives a frame to the job; take_frame is handed over. */
typedef void claims_send(void *user, json_t *take_frame);
MUST_USE int claims_join(struct claims *c, const char *target, unsigned number, claims_send *send,
			 void *user, struct claims_part **ret, struct berth_error *err);
/* Takes {"t": "claim", "digest"}, answered by {"t": "claim", "target": number, "digest",
 * "state": "yours", "wait" or "there", "repository"}, or {"t": "release", "digest",
 * "repository"}: it is there now, or without a repository, it is not. What makes no sense
 * is passed over. */
void claims_frame(struct claims_part *p, const json_t *frame);
/* The job is over: what it had claimed goes to those who wait. Accepts NULL. */
void claims_leave(struct claims_part *p);

#endif
