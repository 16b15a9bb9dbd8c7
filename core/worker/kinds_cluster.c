/* SPDX-License-Identifier: Apache-2.0 */
/* The kinds of jobs for Kubernetes clusters. Runs in jobs. */
#include <string.h>

#include "core/base/log.h"
#include "core/worker/kinds.h"

/* What the credential may not read is left out; a probe is about the rest. */
static int allow_denied(struct job *j, int code, const char *what, struct berth_error *err)
{
	if (code != BERTH_E_DENIED && code != BERTH_E_UNSUPPORTED)
		return code;
	job_log(j, LOG_LEVEL_WARNING, "%s: %s", what, err->message);
	*err = (struct berth_error)ERROR_INIT;
	return 0;
}

int run_cluster_probe(struct job *j, json_t **ret_value, struct berth_error *err)
{
	AUTO(backend) struct backend *b = NULL;
	const struct backend_sink to = {backend_item_to_job, j};
	(void)ret_value;
	int code = kind_open(j, &b, err);
	if (!code)
		code = backend_probe(b, "{\"scope\":\"platform\"}", &to, err);
	if (!code)
		code = allow_denied(j, backend_overview(b, &to, err), "no overview", err);
	if (!code)
		code = allow_denied(j,
				    backend_lifecycle_status(b, "{\"kind\":\"nodes\"}", &to, err),
				    "no list of nodes", err);
	return code;
}
