/* SPDX-License-Identifier: Apache-2.0 */
/* The kinds of jobs: one table in kinds.c, and those that have a file of their own.
 * Runs in jobs.
 */
#ifndef CORE_JOBS_KINDS_H
#define CORE_JOBS_KINDS_H

#include "core/worker/arguments.h"

/* Every kind; ends with a NULL kind. */
extern const struct job_type job_types[];

/* kinds_refresh.c */
int run_refresh(struct job *j, json_t **ret_value, struct berth_error *err);
/* kinds_space.c */
int run_repository_describe(struct job *j, json_t **ret_value, struct berth_error *err);
int run_space_create(struct job *j, json_t **ret_value, struct berth_error *err);
int run_space_change(struct job *j, json_t **ret_value, struct berth_error *err);
int run_space_delete(struct job *j, json_t **ret_value, struct berth_error *err);
int run_maintain(struct job *j, json_t **ret_value, struct berth_error *err);
/* kinds_retention.c */
int run_retention_show(struct job *j, json_t **ret_value, struct berth_error *err);
int run_retention_set(struct job *j, json_t **ret_value, struct berth_error *err);
int run_retention_run(struct job *j, json_t **ret_value, struct berth_error *err);
int run_retention_runs(struct job *j, json_t **ret_value, struct berth_error *err);

/* kinds_cluster.c */
int run_cluster_probe(struct job *j, json_t **ret_value, struct berth_error *err);
int run_pull_secrets(struct job *j, json_t **ret_value, struct berth_error *err);
/* kinds_login.c */
int run_login_create(struct job *j, json_t **ret_value, struct berth_error *err);
int run_login_clean(struct job *j, json_t **ret_value, struct berth_error *err);

/* kinds_scan.c */
int run_scan(struct job *j, json_t **ret_value, struct berth_error *err);
int run_scan_state(struct job *j, json_t **ret_value, struct berth_error *err);
int run_scan_stop(struct job *j, json_t **ret_value, struct berth_error *err);
int run_scan_report(struct job *j, json_t **ret_value, struct berth_error *err);
int run_scanners(struct job *j, json_t **ret_value, struct berth_error *err);
int run_scan_configure(struct job *j, json_t **ret_value, struct berth_error *err);

/* kinds_native.c */
int run_copy_native(struct job *j, json_t **ret_value, struct berth_error *err);
int run_copy_native_plan(struct job *j, json_t **ret_value, struct berth_error *err);
int run_native_check(struct job *j, json_t **ret_value, struct berth_error *err);
int run_native_stop(struct job *j, json_t **ret_value, struct berth_error *err);
int run_native_remove(struct job *j, json_t **ret_value, struct berth_error *err);

#endif
