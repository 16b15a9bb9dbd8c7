/* SPDX-License-Identifier: Apache-2.0 */
/* The kinds of jobs that change what a server says of its spaces and
 * repositories, and its house-keeping: each is one slot of the integration
 * table.
 */
#include "core/jobs/kinds.h"

#include "core/base/log.h"

int run_repository_describe(struct job *j, json_t **ret_value, struct berth_error *err)
{
	static const char *const keys[] = {"repository", "text", NULL};
	AUTO(backend) struct backend *b = NULL;
	const char *names[2];
	(void)ret_value;
	int code = kind_open_with(j, keys, names, &b, err);
	return code ? code : backend_describe(b, names[0], names[1], err);
}

typedef int space_slot(struct backend *b, const char *space, const char *space_json,
		       const struct backend_sink *to, struct berth_error *err);

static int run_with_wanted(struct job *j, space_slot *slot, struct berth_error *err)
{
	AUTO(backend) struct backend *b = NULL;
	const struct backend_sink to = {backend_item_to_job, j};
	AUTO_FREE char *wanted = NULL;
	const char *space = NULL;
	int code = kind_argument(j, "space", &space, err);
	if (!code)
		code = kind_object(j, "wanted", &wanted, err);
	if (!code)
		code = kind_open(j, &b, err);
	return code ? code : slot(b, space, wanted, &to, err);
}

int run_space_create(struct job *j, json_t **ret_value, struct berth_error *err)
{
	(void)ret_value;
	return run_with_wanted(j, backend_space_create, err);
}

int run_space_change(struct job *j, json_t **ret_value, struct berth_error *err)
{
	(void)ret_value;
	return run_with_wanted(j, backend_space_update, err);
}

int run_space_delete(struct job *j, json_t **ret_value, struct berth_error *err)
{
	AUTO(backend) struct backend *b = NULL;
	const char *space = NULL;
	(void)ret_value;
	int code = kind_argument(j, "space", &space, err);
	if (!code)
		code = kind_open(j, &b, err);
	return code ? code : backend_space_delete(b, space, err);
}

/* A log's lines are the operation's. */
static int give_or_log(void *user, const struct berth_item *item, json_t *more,
		       struct berth_error *err)
{
	struct job *j = user;
	if (item->kind != BERTH_ITEM_LOG)
		return backend_item_to_job(j, item, more, err);
	if (item->name)
		job_log(j, LOG_LEVEL_INFO, "%s", item->name);
	return 0;
}

int run_maintain(struct job *j, json_t **ret_value, struct berth_error *err)
{
	AUTO(backend) struct backend *b = NULL;
	const struct backend_sink to = {give_or_log, j};
	AUTO_FREE char *arguments = NULL;
	const char *action = NULL;
	(void)ret_value;
	int code = kind_argument(j, "action", &action, err);
	if (!code)
		code = kind_object(j, "arguments", &arguments, err);
	if (!code)
		code = kind_open(j, &b, err);
	return code ? code : backend_maintain(b, action, arguments, &to, err);
}
