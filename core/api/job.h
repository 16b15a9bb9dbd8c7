/* SPDX-License-Identifier: Apache-2.0 */
/* Operation types: between an operation (core/ops/ops.h) and the frames of its
 * job (core/worker/job.h). Their functions run in berthd's thread, results
 * inside the transaction of ops.
 */
#ifndef CORE_API_JOB_H
#define CORE_API_JOB_H

#include "core/api/api.h"

/* What a call frame is made of; instances and arguments are borrowed. deadline_ms: of the
 * whole run. */
struct job_call {
	const char *kind;
	uint32_t deadline_ms;
	json_t *instances, *arguments;
};
/* Makes the frame; *ret is new. BERTH_E_NO_MEMORY, also where a part of it is NULL. */
MUST_USE int job_call(const struct operation *op, const struct job_call *from, json_t **ret,
		      struct berth_error *err);
/* The frame of a job on the one integration that op's arguments name by id, its secrets
 * included. Sets "instance" in arguments. BERTH_E_NOT_FOUND: it is gone; BERTH_E_CONFLICT:
 * it is disabled; BERTH_E_NO_MEMORY, also where arguments is NULL. */
MUST_USE int job_call_one(struct operation *op, const char *kind, uint32_t deadline_ms,
			  json_t *arguments, json_t **ret, struct berth_error *err);
/* release: op->own is a json_t. */
void job_release_json(struct operation *op);

/* The functions of the types, as struct op_type has them: _call builds the frame, _items
 * takes a batch of items, _release frees op->own, and a past participle is on_result. They
 * are called by ops alone.
 * integration_ops.c */
int integration_proof_call(struct operation *op, json_t **ret, struct berth_error *err);
int integration_created(struct operation *op, const json_t *value, const struct berth_error *why,
			json_t **ret_result, struct berth_error *err);
int integration_changed(struct operation *op, const json_t *value, const struct berth_error *why,
			json_t **ret_result, struct berth_error *err);
void integration_proof_release(struct operation *op);
int integration_probe_call(struct operation *op, json_t **ret, struct berth_error *err);
int integration_probed(struct operation *op, const json_t *value, const struct berth_error *why,
		       json_t **ret_result, struct berth_error *err);
/* cluster_ops.c */
int cluster_proof_call(struct operation *op, json_t **ret, struct berth_error *err);
int cluster_proved(struct operation *op, const json_t *value, const struct berth_error *why,
		   json_t **ret_result, struct berth_error *err);
void cluster_proof_release(struct operation *op);
int cluster_probe_call(struct operation *op, json_t **ret, struct berth_error *err);
int cluster_probed(struct operation *op, const json_t *value, const struct berth_error *why,
		   json_t **ret_result, struct berth_error *err);
/* pull_ops.c */
int pull_call(struct operation *op, json_t **ret, struct berth_error *err);
int pull_items(struct operation *op, const json_t *items, struct berth_error *err);
int pull_ended(struct operation *op, const json_t *value, const struct berth_error *why,
	       json_t **ret_result, struct berth_error *err);
/* refresh.c */
int refresh_call(struct operation *op, json_t **ret, struct berth_error *err);
int refresh_items(struct operation *op, const json_t *items, struct berth_error *err);
int refresh_ended(struct operation *op, const json_t *value, const struct berth_error *why,
		  json_t **ret_result, struct berth_error *err);
void refresh_release(struct operation *op);

/* artifacts.c */
int artifact_call(struct operation *op, json_t **ret, struct berth_error *err);
int artifact_items(struct operation *op, const json_t *items, struct berth_error *err);
int artifact_ended(struct operation *op, const json_t *value, const struct berth_error *why,
		   json_t **ret_result, struct berth_error *err);
int removal_call(struct operation *op, json_t **ret, struct berth_error *err);
int removal_ended(struct operation *op, const json_t *value, const struct berth_error *why,
		  json_t **ret_result, struct berth_error *err);

/* descriptions.c */
int description_written(struct operation *op, const json_t *value, const struct berth_error *why,
			json_t **ret_result, struct berth_error *err);

/* space_ops.c */
int space_items(struct operation *op, const json_t *items, struct berth_error *err);
int space_created(struct operation *op, const json_t *value, const struct berth_error *why,
		  json_t **ret_result, struct berth_error *err);
int space_changed(struct operation *op, const json_t *value, const struct berth_error *why,
		  json_t **ret_result, struct berth_error *err);
int space_deleted(struct operation *op, const json_t *value, const struct berth_error *why,
		  json_t **ret_result, struct berth_error *err);

/* retention.c */
int retention_shown(struct operation *op, const json_t *value, const struct berth_error *why,
		    json_t **ret_result, struct berth_error *err);
int retention_written(struct operation *op, const json_t *value, const struct berth_error *why,
		      json_t **ret_result, struct berth_error *err);
int retention_started(struct operation *op, const json_t *value, const struct berth_error *why,
		      json_t **ret_result, struct berth_error *err);

/* maintain.c */
int maintained(struct operation *op, const json_t *value, const struct berth_error *why,
	       json_t **ret_result, struct berth_error *err);
int overview_read(struct operation *op, const json_t *value, const struct berth_error *why,
		  json_t **ret_result, struct berth_error *err);

/* login_ops.c */
int login_items(struct operation *op, const json_t *items, struct berth_error *err);
int login_made(struct operation *op, const json_t *value, const struct berth_error *why,
	       json_t **ret_result, struct berth_error *err);
void login_release(struct operation *op);
int login_clean_call(struct operation *op, json_t **ret, struct berth_error *err);
int login_clean_items(struct operation *op, const json_t *items, struct berth_error *err);
int login_cleaned(struct operation *op, const json_t *value, const struct berth_error *why,
		  json_t **ret_result, struct berth_error *err);

/* copy_ops.c */
int copy_call(struct operation *op, json_t **ret, struct berth_error *err);
int copy_items(struct operation *op, const json_t *items, struct berth_error *err);
int copy_ended(struct operation *op, const json_t *value, const struct berth_error *why,
	       json_t **ret_result, struct berth_error *err);
int plan_items(struct operation *op, const json_t *items, struct berth_error *err);
int plan_ended(struct operation *op, const json_t *value, const struct berth_error *why,
	       json_t **ret_result, struct berth_error *err);

/* sync_watch.c */
int look_call(struct operation *op, json_t **ret, struct berth_error *err);
int look_ended(struct operation *op, const json_t *value, const struct berth_error *why,
	       json_t **ret_result, struct berth_error *err);

/* sync_plans.c */
int apply_items(struct operation *op, const json_t *items, struct berth_error *err);
int apply_ended(struct operation *op, const json_t *value, const struct berth_error *why,
		json_t **ret_result, struct berth_error *err);

/* scan_ops.c */
int scan_call(struct operation *op, json_t **ret, struct berth_error *err);
int scan_items(struct operation *op, const json_t *items, struct berth_error *err);
int scan_ended(struct operation *op, const json_t *value, const struct berth_error *why,
	       json_t **ret_result, struct berth_error *err);
void scan_release(struct operation *op);
int scan_state_items(struct operation *op, const json_t *items, struct berth_error *err);
int scan_state_ended(struct operation *op, const json_t *value, const struct berth_error *why,
		     json_t **ret_result, struct berth_error *err);
/* scan_reports.c */
int scan_report_call(struct operation *op, json_t **ret, struct berth_error *err);
int scan_report_items(struct operation *op, const json_t *items, struct berth_error *err);
int scan_report_ended(struct operation *op, const json_t *value, const struct berth_error *why,
		      json_t **ret_result, struct berth_error *err);

/* integration_clock.c: probes and refreshes on their periods. */
MUST_USE int integration_clock_start(struct daemon_state *d, struct berth_error *err);
/* The common periods alone: after a reload. */
MUST_USE int clock_start_common(struct daemon_state *d, struct berth_error *err);

#endif
