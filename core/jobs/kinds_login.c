/* SPDX-License-Identifier: Apache-2.0 */
/* The kinds of jobs for temporary logins: making one, and removing many by one
 * look at the server's list, so that the cost is a request each and one a page.
 */
#include <string.h>

#include "core/base/js.h"
#include "core/jobs/kinds.h"

int run_login_create(struct job *j, json_t **ret_value, struct berth_error *err)
{
	AUTO(backend) struct backend *b = NULL;
	const struct backend_sink to = {backend_item_to_job, j};
	AUTO_FREE char *request = NULL;
	(void)ret_value;
	int code = kind_object(j, "request", &request, err);
	if (!code)
		code = kind_open(j, &b, err);
	return code ? code : backend_login_create(b, request, &to, err);
}

/* A plugin can't be called from within its own call: ids are collected first. */
struct cleaning {
	struct job *job;
	const char *prefix;
	json_t *wanted; /* our name -> true, those that are still to be found */
	json_t *found;  /* [[our name, the server's id]] */
};

/* The server may put something before our name; ours begins with the prefix. */
static const char *our_name(const struct cleaning *c, const char *name)
{
	const char *at = NULL;
	for (const char *p = strstr(name, c->prefix); p; p = strstr(p + 1, c->prefix))
		at = p;
	return at;
}

static int collect(void *user, const struct berth_item *item, json_t *more, struct berth_error *err)
{
	struct cleaning *c = user;
	const char *name = item->name ? our_name(c, item->name) : NULL;
	const char *id = item->id ? item->id : item->name;
	(void)more;
	if (item->kind != BERTH_ITEM_LOGIN || !name || !json_object_get(c->wanted, name))
		return 0;
	if (json_array_append_new(c->found, json_pack("[s, s]", name, id)))
		return berth_fail_memory(err);
	json_object_del(c->wanted, name);
	return 0;
}

static int say(struct cleaning *c, const char *name, bool was_found, struct berth_error *err)
{
	AUTO_JSON json_t *item = json_pack("{s:s, s:s, s:{s:b}}", "kind", "login", "name", name,
					   "more", "found", was_found ? 1 : 0);
	return item ? job_item(c->job, item, err) : berth_fail_memory(err);
}

static int remove_found(struct cleaning *c, struct backend *b, struct berth_error *err)
{
	size_t i, count = json_array_size(c->found);
	const json_t *pair;
	json_array_foreach (c->found, i, pair) {
		const char *name = json_string_value(json_array_get(pair, 0));
		int code = backend_login_revoke(b, json_string_value(json_array_get(pair, 1)), err);
		if (code && code != BERTH_E_NOT_FOUND)
			return code;
		code = say(c, name, true, err);
		if (code)
			return code;
		job_progress(c->job, i + 1, count, "items", "logins", NULL);
	}
	return 0;
}

static int clean(struct cleaning *c, struct backend *b, struct berth_error *err)
{
	const struct backend_sink to = {collect, c};
	const char *name;
	json_t *value;
	int code = backend_login_list(b, c->prefix, &to, err);
	if (!code)
		code = remove_found(c, b, err);
	if (code)
		return code;
	json_object_foreach (c->wanted, name, value) {
		code = say(c, name, false, err);
		if (code)
			return code;
	}
	return 0;
}

int run_login_clean(struct job *j, json_t **ret_value, struct berth_error *err)
{
	AUTO(backend) struct backend *b = NULL;
	AUTO_JSON json_t *wanted = json_object();
	AUTO_JSON json_t *found = json_array();
	struct cleaning c = {.job = j, .wanted = wanted, .found = found};
	size_t i;
	const json_t *name;
	(void)ret_value;
	int code = wanted && found ? kind_argument(j, "prefix", &c.prefix, err)
				   : berth_fail_memory(err);
	json_array_foreach (json_object_get(job_args(j), "names"), i, name)
		if (!code && json_object_set_new(wanted, json_string_value(name), json_true()))
			code = berth_fail_memory(err);
	if (!code)
		code = kind_open(j, &b, err);
	return code ? code : clean(&c, b, err);
}
