/* SPDX-License-Identifier: Apache-2.0 */
/* The kinds of jobs that change what a server says of its spaces and
 * repositories: each is one slot of the integration table.
 */
#include "core/worker/kinds.h"

int run_repository_describe(struct job *j, json_t **ret_value, struct berth_error *err)
{
	static const char *const keys[] = {"repository", "text", NULL};
	AUTO(backend) struct backend *b = NULL;
	const char *names[2];
	(void)ret_value;
	int code = kind_open_with(j, keys, names, &b, err);
	return code ? code : backend_describe(b, names[0], names[1], err);
}
