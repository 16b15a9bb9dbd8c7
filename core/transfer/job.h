/* SPDX-License-Identifier: Apache-2.0 */
/* The jobs copy-plan, copy-verify and copy-run, as rows of core/jobs/kinds.c: they open the
 * two instances of a rule, ask them where their bytes are, and hand over to the
 * engine. args: {"rule": {...}, "resume": {...} or null}.
 */
#ifndef CORE_TRANSFER_JOB_H
#define CORE_TRANSFER_JOB_H

#include "core/oci/registry.h"
#include "core/worker/backend.h"

/* The client of the registry at which an opened instance says that its bytes are:
 * with the instance's TLS and network rules and the job's limits. */
struct copy_place {
	struct job *job;
	struct backend *backend;
	struct net_loop *loop;
	const struct berth_oci_endpoint *at; /* as the backend gave it; borrowed for the call */
	uint32_t receive_bytes;              /* transfer_receive_bytes; 0: no rate */
};
MUST_USE int copy_registry_open(const struct copy_place *from, struct registry **ret,
				struct berth_error *err);

/* One "step" item an image: more.action is copy, tag, present, keep or fail.
 * The value is transfer_totals. */
int transfer_job_plan(struct job *j, json_t **ret_value, struct berth_error *err);
/* One "step" item an image: more.state is same, missing, different, incomplete or
 * failed. The value is that of transfer_report_verify. */
int transfer_job_verify(struct job *j, json_t **ret_value, struct berth_error *err);
/* One "image" item an image: more.state is copied, present, kept, failed or
 * skipped. Failed images are no error of the job: they are in the totals. */
int transfer_job_run(struct job *j, json_t **ret_value, struct berth_error *err);

#endif
