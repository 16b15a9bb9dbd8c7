/* SPDX-License-Identifier: Apache-2.0 */
/* Scans inside the API: what a target means, and what a scan, a report and a
 * finding look like. Runs in berthd.
 */
#ifndef CORE_API_SCAN_H
#define CORE_API_SCAN_H

#include "core/api/slot.h"
#include "core/store/scans.h"

/* INTEGRATION, INTEGRATION/SPACE, INTEGRATION/REPOSITORY[:TAG][@DIGEST]. A
 * space and a repository of one name: the space is meant. */
struct scan_target {
	struct integration of;
	const char *text;  /* as written; borrowed */
	const char *scope; /* "artifact", "repository", "space", "integration" */
	json_t *job;       /* as a job's target (core/worker/job.h) */
	char *path;        /* of the thing, in the API */
};
/* The body's "target"; false: answered with findings. */
bool scan_target_of_body(struct request *q, struct answer *a, struct scan_target *ret);
void scan_target_done(struct scan_target *t);
#define AUTO_SCAN_TARGET CLEANUP(scan_target_done)
/* Has the integration's plugin a scan table with that slot? false: answered 422
 * with what to do instead. */
bool scan_can(struct request *q, struct answer *a, const struct integration *of, const char *slot);
/* Of one artifact alone; false: answered. */
bool scan_target_is_artifact(struct answer *a, const struct scan_target *t);

/* The API's object of a scan; json_decref. */
MUST_USE int scan_show(const struct scan *row, json_t **ret, struct berth_error *err);

#endif
