/* SPDX-License-Identifier: Apache-2.0 */
/* The kinds of jobs: what each asks of a plugin, and in which order. One table
 * at the end; a new kind is a row and its function.
 */
#include <string.h>

#include "core/base/js.h"
#include "core/transfer/job.h"
#include "core/worker/backend.h"
#include "core/worker/child.h"
#include "core/worker/plugins.h"

static int argument(struct job *j, const char *key, const char **ret, struct berth_error *err)
{
	*ret = js_str(job_args(j), key, NULL);
	if (!*ret)
		return berth_fail(err, BERTH_E_PROTOCOL, "a job of kind %s needs '%s'", job_kind(j),
				  key);
	return 0;
}

static int open_instance(struct job *j, struct backend **ret, struct berth_error *err)
{
	const char *name;
	int code = argument(j, "instance", &name, err);
	return code ? code : backend_open(j, name, ret, err);
}

static int run_plugins(struct job *j, json_t **ret_value, struct berth_error *err)
{
	const struct plugin_set *set = job_plugins(j);
	(void)ret_value;
	for (size_t i = 0; i < set->entry_count; i++) {
		AUTO_JSON json_t *item =
			json_pack("{s:s, s:s, s:o}", "kind", "plugin", "name", set->entries[i].name,
				  "more", plugin_describe(&set->entries[i]));
		int code = item ? job_item(j, item, err) : berth_fail_memory(err);
		if (code)
			return code;
	}
	return 0;
}

static int run_probe(struct job *j, json_t **ret_value, struct berth_error *err)
{
	AUTO(backend) struct backend *b = NULL;
	const struct backend_sink to = {backend_item_to_job, j};
	AUTO_JSON json_t *scope =
		json_pack("{s:s}", "scope", js_str(job_args(j), "scope", "platform"));
	AUTO_FREE char *scope_json = scope ? js_text(scope) : NULL;
	(void)ret_value;
	int code = scope_json ? open_instance(j, &b, err) : berth_fail_memory(err);
	return code ? code : backend_probe(b, scope_json, &to, err);
}

static int run_overview(struct job *j, json_t **ret_value, struct berth_error *err)
{
	AUTO(backend) struct backend *b = NULL;
	const struct backend_sink to = {backend_item_to_job, j};
	(void)ret_value;
	int code = open_instance(j, &b, err);
	return code ? code : backend_overview(b, &to, err);
}

static int run_spaces(struct job *j, json_t **ret_value, struct berth_error *err)
{
	AUTO(backend) struct backend *b = NULL;
	const struct backend_sink to = {backend_item_to_job, j};
	(void)ret_value;
	int code = open_instance(j, &b, err);
	return code ? code : backend_spaces(b, &to, err);
}

static int run_repositories(struct job *j, json_t **ret_value, struct berth_error *err)
{
	AUTO(backend) struct backend *b = NULL;
	const struct backend_sink to = {backend_item_to_job, j};
	(void)ret_value;
	int code = open_instance(j, &b, err);
	return code ? code : backend_repositories(b, js_str(job_args(j), "space", NULL), &to, err);
}

static int run_tags(struct job *j, json_t **ret_value, struct berth_error *err)
{
	AUTO(backend) struct backend *b = NULL;
	const struct backend_sink to = {backend_item_to_job, j};
	const char *repository;
	(void)ret_value;
	int code = argument(j, "repository", &repository, err);
	if (!code)
		code = open_instance(j, &b, err);
	return code ? code : backend_tags(b, repository, &to, err);
}

/* refresh: a plugin can't be called from within its own call, so repositories
 * are collected first, as the frames that they will be. */
struct refresh {
	struct job *job;
	json_t *repositories; /* names */
	json_t *items;        /* beside them: more, or null */
	uint64_t tag_count;
	const char *repository; /* whose tags come now */
};

static int collect(void *user, const struct berth_item *item, json_t *more, struct berth_error *err)
{
	struct refresh *r = user;
	if (!item->name)
		return berth_fail(err, BERTH_E_PROTOCOL, "a repository without a name");
	if (json_array_append_new(r->repositories, json_string(item->name)) ||
	    json_array_append_new(r->items, more ? json_incref(more) : json_null()))
		return berth_fail_memory(err);
	return 0;
}

static int forward_tag(void *user, const struct berth_item *item, json_t *more,
		       struct berth_error *err)
{
	struct refresh *r = user;
	struct berth_item tag = *item;
	tag.id = r->repository;
	r->tag_count++;
	return backend_item_to_job(r->job, &tag, more, err);
}

static int refresh_one(struct refresh *r, struct backend *b, size_t at, struct berth_error *err)
{
	const struct backend_sink to = {forward_tag, r};
	const struct berth_item item = {
		.size = sizeof item,
		.kind = BERTH_ITEM_REPOSITORY,
		.name = json_string_value(json_array_get(r->repositories, at)),
	};
	json_t *more = json_array_get(r->items, at);
	r->repository = item.name;
	int code = backend_item_to_job(r->job, &item, json_is_object(more) ? more : NULL, err);
	if (!code)
		code = backend_tags(b, item.name, &to, err);
	/* It went away between the two looks: then it has no tags. */
	if (code == BERTH_E_NOT_FOUND)
		code = 0;
	job_progress(r->job, at + 1, json_array_size(r->repositories), "items", "repositories",
		     NULL);
	return code;
}

static int refresh_all(struct refresh *r, struct backend *b, struct berth_error *err)
{
	const struct backend_sink to_job = {backend_item_to_job, r->job};
	const struct backend_sink to_list = {collect, r};
	int code = 0;
	if (backend_can(b, "integration", "spaces"))
		code = backend_spaces(b, &to_job, err);
	if (!code)
		code = backend_repositories(b, js_str(job_args(r->job), "space", NULL), &to_list,
					    err);
	for (size_t i = 0; !code && i < json_array_size(r->repositories); i++)
		code = refresh_one(r, b, i, err);
	return code;
}

static int run_refresh(struct job *j, json_t **ret_value, struct berth_error *err)
{
	AUTO(backend) struct backend *b = NULL;
	AUTO_JSON json_t *repositories = json_array();
	AUTO_JSON json_t *items = json_array();
	struct refresh r = {.job = j, .repositories = repositories, .items = items};
	int code = repositories && items ? open_instance(j, &b, err) : berth_fail_memory(err);
	if (!code)
		code = refresh_all(&r, b, err);
	if (!code)
		*ret_value = json_pack("{s:I, s:I}", "repositories",
				       (json_int_t)json_array_size(repositories), "tags",
				       (json_int_t)r.tag_count);
	return code;
}

static int run_artifact(struct job *j, json_t **ret_value, struct berth_error *err)
{
	AUTO(backend) struct backend *b = NULL;
	const struct backend_sink to = {backend_item_to_job, j};
	const char *repository, *reference;
	(void)ret_value;
	int code = argument(j, "repository", &repository, err);
	if (!code)
		code = argument(j, "reference", &reference, err);
	if (!code)
		code = open_instance(j, &b, err);
	return code ? code : backend_artifact(b, repository, reference, &to, err);
}

static int run_tag_delete(struct job *j, json_t **ret_value, struct berth_error *err)
{
	AUTO(backend) struct backend *b = NULL;
	const char *repository, *tag;
	(void)ret_value;
	int code = argument(j, "repository", &repository, err);
	if (!code)
		code = argument(j, "tag", &tag, err);
	if (!code)
		code = open_instance(j, &b, err);
	return code ? code : backend_tag_delete(b, repository, tag, err);
}

static int run_artifact_delete(struct job *j, json_t **ret_value, struct berth_error *err)
{
	AUTO(backend) struct backend *b = NULL;
	const char *repository, *digest;
	(void)ret_value;
	int code = argument(j, "repository", &repository, err);
	if (!code)
		code = argument(j, "digest", &digest, err);
	if (!code)
		code = open_instance(j, &b, err);
	return code ? code : backend_artifact_delete(b, repository, digest, err);
}

static int run_repository_delete(struct job *j, json_t **ret_value, struct berth_error *err)
{
	AUTO(backend) struct backend *b = NULL;
	const struct backend_sink to = {backend_item_to_job, j};
	const char *repository;
	(void)ret_value;
	int code = argument(j, "repository", &repository, err);
	if (!code)
		code = open_instance(j, &b, err);
	return code ? code : backend_repository_delete(b, repository, &to, err);
}

const struct job_type job_types[] = {
	{"plugins", run_plugins},
	{"probe", run_probe},
	{"overview", run_overview},
	{"spaces", run_spaces},
	{"repositories", run_repositories},
	{"tags", run_tags},
	{"refresh", run_refresh},
	{"artifact", run_artifact},
	{"tag-delete", run_tag_delete},
	{"artifact-delete", run_artifact_delete},
	{"repository-delete", run_repository_delete},
	{"copy-plan", transfer_job_plan},
	{"copy-run", transfer_job_run},
	{NULL, NULL},
};
