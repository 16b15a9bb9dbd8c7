/* SPDX-License-Identifier: Apache-2.0 */
/* The kinds of jobs that change what a server says of its spaces and
 * repositories: each is one slot of the integration table.
 */
#include "core/worker/kinds.h"

int run_repository_describe(struct job *j, json_t **ret_value, struct berth_error *err)
{
	AUTO(backend) struct backend *b = NULL;
	const char *repository = NULL, *text = NULL;
	(void)ret_value;
	int code = kind_argument(j, "repository", &repository, err);
	if (!code)
		code = kind_argument(j, "text", &text, err);
	if (!code)
		code = kind_open(j, &b, err);
	return code ? code : backend_describe(b, repository, text, err);
}
