/* SPDX-License-Identifier: Apache-2.0 */
/* The kinds of jobs for retention: each is one slot of the integration table
 * on a space. A dry run is the call's flag (job.h).
 */
#include "core/base/js.h"
#include "core/jobs/kinds.h"

/* The space of the job and an open instance. */
static int begin(struct job *j, const char **ret_space, struct backend **ret,
		 struct berth_error *err)
{
	int code = kind_argument(j, "space", ret_space, err);
	return code ? code : kind_open(j, ret, err);
}

int run_retention_show(struct job *j, json_t **ret_value, struct berth_error *err)
{
	AUTO(backend) struct backend *b = NULL;
	const struct backend_sink to = {backend_item_to_job, j};
	const char *space = NULL;
	(void)ret_value;
	int code = begin(j, &space, &b, err);
	return code ? code : backend_retention_get(b, space, &to, err);
}

int run_retention_set(struct job *j, json_t **ret_value, struct berth_error *err)
{
	AUTO(backend) struct backend *b = NULL;
	AUTO_FREE char *policy = NULL;
	const char *space = NULL;
	(void)ret_value;
	int code = kind_object(j, "policy", &policy, err);
	if (!code)
		code = begin(j, &space, &b, err);
	return code ? code : backend_retention_set(b, space, policy, err);
}

int run_retention_run(struct job *j, json_t **ret_value, struct berth_error *err)
{
	AUTO(backend) struct backend *b = NULL;
	const struct backend_sink to = {backend_item_to_job, j};
	const char *space = NULL;
	(void)ret_value;
	int code = begin(j, &space, &b, err);
	return code ? code : backend_retention_run(b, space, &to, err);
}

int run_retention_runs(struct job *j, json_t **ret_value, struct berth_error *err)
{
	AUTO(backend) struct backend *b = NULL;
	const struct backend_sink to = {backend_item_to_job, j};
	const char *space = NULL;
	(void)ret_value;
	int code = begin(j, &space, &b, err);
	return code ? code
		    : backend_retention_runs(b, space, js_str(job_args(j), "run", NULL), &to, err);
}
