/* SPDX-License-Identifier: Apache-2.0 */
/* The job source-look, a row of core/jobs/kinds.c: has what rules would read at
 * their source changed? Repositories are listed once for all rules, tags once for
 * each repository; digests come in bulk where the backend has them, else by one HEAD
 * a tag, which counts as a pull nowhere. args: {"instance": NAME, "rules": [{"name":
 * NAME, "rule": {...}}]}.
 */
#ifndef CORE_TRANSFER_LOOK_H
#define CORE_TRANSFER_LOOK_H

#include "core/worker/job.h"

/* Tags that one look asks for one by one; a rule that needs more fails with
 * BERTH_E_LIMIT. */
#define LOOK_HEADS_MAX 20000

/* One "fact" a rule, by its name: more.value is {"seen": DIGEST, "images": N}, or
 * {"error": {...}} where that rule alone could not be looked at. seen is of the rule
 * and of all names and digests that it means: equal where nothing changed. */
int look_job_run(struct job *j, json_t **ret_value, struct berth_error *err);

#endif
