/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of job kinds share (kinds.c has the table), and the kinds that
 * are not in kinds.c. Runs in jobs.
 */
#ifndef CORE_WORKER_KINDS_H
#define CORE_WORKER_KINDS_H

#include "core/worker/backend.h"

/* The text argument of that key; BERTH_E_PROTOCOL where it is missing. */
MUST_USE int kind_argument(struct job *j, const char *key, const char **ret,
			   struct berth_error *err);
/* An object argument as JSON text, "{}" where it is missing. free(). */
MUST_USE int kind_object(struct job *j, const char *key, char **ret, struct berth_error *err);
/* Opens the instance that the job is about. */
MUST_USE int kind_open(struct job *j, struct backend **ret, struct berth_error *err);

/* The same with the text arguments that the kind can't do without: `keys`, which NULL
 * ends, into ret_values in their order; these live as long as the job. */
MUST_USE int kind_open_with(struct job *j, const char *const *keys, const char **ret_values,
			    struct backend **ret, struct berth_error *err);

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
int run_native_stop(struct job *j, json_t **ret_value, struct berth_error *err);
int run_native_remove(struct job *j, json_t **ret_value, struct berth_error *err);

#endif
