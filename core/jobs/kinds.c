/* SPDX-License-Identifier: Apache-2.0 */
/* The kinds of jobs: what each asks of a plugin, and in which order. One table
 * at the end; a new kind is a row and its function.
 */
#include <string.h>

#include "core/base/js.h"
#include "core/jobs/kinds.h"
#include "core/transfer/job.h"
#include "core/transfer/look.h"
#include "core/worker/backend.h"
#include "core/worker/child.h"
#include "core/worker/plugins.h"

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

static int run_reload(struct job *j, json_t **ret_value, struct berth_error *err)
{
	(void)ret_value;
	return job_reload_worker(j, err);
}

static int run_probe(struct job *j, json_t **ret_value, struct berth_error *err)
{
	AUTO(backend) struct backend *b = NULL;
	const struct backend_sink to = {backend_item_to_job, j};
	AUTO_JSON json_t *scope =
		json_pack("{s:s}", "scope", js_str(job_args(j), "scope", "platform"));
	AUTO_FREE char *scope_json = scope ? js_text(scope) : NULL;
	(void)ret_value;
	int code = scope_json ? kind_open(j, &b, err) : berth_fail_memory(err);
	return code ? code : backend_probe(b, scope_json, &to, err);
}

static int run_overview(struct job *j, json_t **ret_value, struct berth_error *err)
{
	AUTO(backend) struct backend *b = NULL;
	const struct backend_sink to = {backend_item_to_job, j};
	(void)ret_value;
	int code = kind_open(j, &b, err);
	return code ? code : backend_overview(b, &to, err);
}

static int run_spaces(struct job *j, json_t **ret_value, struct berth_error *err)
{
	AUTO(backend) struct backend *b = NULL;
	const struct backend_sink to = {backend_item_to_job, j};
	(void)ret_value;
	int code = kind_open(j, &b, err);
	return code ? code : backend_spaces(b, &to, err);
}

static int run_repositories(struct job *j, json_t **ret_value, struct berth_error *err)
{
	AUTO(backend) struct backend *b = NULL;
	const struct backend_sink to = {backend_item_to_job, j};
	(void)ret_value;
	int code = kind_open(j, &b, err);
	return code ? code : backend_repositories(b, js_str(job_args(j), "space", NULL), &to, err);
}

static int run_tags(struct job *j, json_t **ret_value, struct berth_error *err)
{
	static const char *const keys[] = {"repository", NULL};
	AUTO(backend) struct backend *b = NULL;
	const struct backend_sink to = {backend_item_to_job, j};
	const char *names[1];
	(void)ret_value;
	int code = kind_open_with(j, keys, names, &b, err);
	return code ? code : backend_tags(b, names[0], &to, err);
}

/* refresh: a plugin can't be called from within its own call, so spaces and
 * repositories are collected first. Where the plugin knows the tags of a whole
 * space at once (resolve), they are kept for the length of that space, by
 * repository; else each repository is asked. What is collected is kept as text, which takes
 * a quarter of the memory. */
struct refresh {
	struct job *job;
	json_t *spaces;       /* names */
	json_t *repositories; /* name -> text of {updated_ms, more}; those still to come */
	json_t *tags;         /* of the space at hand: repository -> array of items; NULL: ask */
	uint64_t done, total, tag_count;
	const char *repository; /* whose tags come now */
};

static int collect_space(void *user, const struct berth_item *item, json_t *more,
			 struct berth_error *err)
{
	struct refresh *r = user;
	if (item->name && json_array_append_new(r->spaces, json_string(item->name)))
		return berth_fail_memory(err);
	return backend_item_to_job(r->job, item, more, err);
}

static int collect(void *user, const struct berth_item *item, json_t *more, struct berth_error *err)
{
	struct refresh *r = user;
	if (!item->name)
		return berth_fail(err, BERTH_E_PROTOCOL, "a repository without a name");
	AUTO_JSON json_t *known =
		json_pack("{s:I, s:O?}", "updated_ms", (json_int_t)item->updated_ms, "more", more);
	AUTO_FREE char *text = known ? js_text(known) : NULL;
	if (!text || json_object_set_new(r->repositories, item->name, json_string(text)))
		return berth_fail_memory(err);
	return 0;
}

static int collect_tag(void *user, const struct berth_item *item, json_t *more,
		       struct berth_error *err)
{
	struct refresh *r = user;
	json_t *list = item->id ? json_object_get(r->tags, item->id) : NULL;
	(void)more;
	if (!item->id || !item->name)
		return berth_fail(err, BERTH_E_PROTOCOL, "a tag without its repository or name");
	if (!list) {
		list = json_array();
		if (json_object_set_new(r->tags, item->id, list))
			return berth_fail_memory(err);
	}
	if (json_array_append_new(list,
				  json_pack("{s:s, s:s?, s:I, s:I}", "name", item->name, "digest",
					    item->digest, "bytes", (json_int_t)item->bytes,
					    "updated_ms", (json_int_t)item->updated_ms)))
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

/* The tags of the repository at hand that resolve brought. */
static int forward_known(struct refresh *r, struct berth_error *err)
{
	size_t i;
	const json_t *one;
	int code = 0;
	json_array_foreach (json_object_get(r->tags, r->repository), i, one) {
		const struct berth_item tag = {
			.size = sizeof tag,
			.kind = BERTH_ITEM_TAG,
			.name = js_str(one, "name", ""),
			.digest = js_str(one, "digest", NULL),
			.bytes = (uint64_t)js_int(one, "bytes", 0),
			.updated_ms = js_int(one, "updated_ms", 0),
		};
		code = forward_tag(r, &tag, NULL, err);
		if (code)
			break;
	}
	return code;
}

static int refresh_one(struct refresh *r, struct backend *b, const char *name, const char *text,
		       struct berth_error *err)
{
	const struct backend_sink to = {forward_tag, r};
	AUTO_JSON json_t *known = NULL;
	if (js_parse(text, strlen(text), &js_limits_frame, &known, err))
		return err->code;
	const struct berth_item item = {
		.size = sizeof item,
		.kind = BERTH_ITEM_REPOSITORY,
		.name = name,
		.updated_ms = js_int(known, "updated_ms", 0),
	};
	r->repository = name;
	int code = backend_item_to_job(r->job, &item, json_object_get(known, "more"), err);
	if (!code)
		code = r->tags ? forward_known(r, err) : backend_tags(b, name, &to, err);
	/* It went away between the two looks: then it has no tags. */
	if (code == BERTH_E_NOT_FOUND)
		code = 0;
	job_progress(r->job, ++r->done, r->total, "items", "repositories", NULL);
	return code;
}

/* The repositories below a space, or all that are left for NULL; each once. */
static int refresh_below(struct refresh *r, struct backend *b, const char *space,
			 struct berth_error *err)
{
	size_t n = space ? strlen(space) : 0;
	const char *name;
	json_t *known;
	void *next;
	json_object_foreach_safe (r->repositories, next, name, known) {
		if (space && (strncmp(name, space, n) != 0 || name[n] != '/'))
			continue;
		int code = refresh_one(r, b, name, json_string_value(known), err);
		if (code)
			return code;
		json_object_del(r->repositories, name);
	}
	return 0;
}

static int refresh_space(struct refresh *r, struct backend *b, const char *space,
			 struct berth_error *err)
{
	const struct backend_sink to = {collect_tag, r};
	AUTO_JSON json_t *tags = json_object();
	if (!tags)
		return berth_fail_memory(err);
	r->tags = tags;
	int code = backend_resolve(b, space, &to, err);
	/* Not for this space, or it went away: what is left is asked one by one. */
	if (code == BERTH_E_UNSUPPORTED || code == BERTH_E_NOT_FOUND) {
		r->tags = NULL;
		return 0;
	}
	if (!code)
		code = refresh_below(r, b, space, err);
	r->tags = NULL;
	return code;
}

static int refresh_all(struct refresh *r, struct backend *b, struct berth_error *err)
{
	const char *only = js_str(job_args(r->job), "space", NULL);
	const struct backend_sink to_spaces = {collect_space, r};
	const struct backend_sink to_list = {collect, r};
	int code = 0;
	if (backend_can(b, "integration", "spaces"))
		code = backend_spaces(b, &to_spaces, err);
	if (!code)
		code = backend_repositories(b, only, &to_list, err);
	r->total = json_object_size(r->repositories);
	bool in_bulk = !only && backend_can(b, "integration", "resolve");
	for (size_t i = 0; in_bulk && !code && i < json_array_size(r->spaces); i++)
		code = refresh_space(r, b, json_string_value(json_array_get(r->spaces, i)), err);
	return code ? code : refresh_below(r, b, NULL, err);
}

static int run_refresh(struct job *j, json_t **ret_value, struct berth_error *err)
{
	AUTO(backend) struct backend *b = NULL;
	AUTO_JSON json_t *spaces = json_array();
	AUTO_JSON json_t *repositories = json_object();
	struct refresh r = {.job = j, .spaces = spaces, .repositories = repositories};
	int code = repositories && spaces ? kind_open(j, &b, err) : berth_fail_memory(err);
	if (!code)
		code = refresh_all(&r, b, err);
	if (!code)
		*ret_value = json_pack("{s:I, s:I}", "repositories", (json_int_t)r.done, "tags",
				       (json_int_t)r.tag_count);
	return code;
}

static int run_artifact(struct job *j, json_t **ret_value, struct berth_error *err)
{
	static const char *const keys[] = {"repository", "reference", NULL};
	AUTO(backend) struct backend *b = NULL;
	const struct backend_sink to = {backend_item_to_job, j};
	const char *names[2];
	(void)ret_value;
	int code = kind_open_with(j, keys, names, &b, err);
	return code ? code : backend_artifact(b, names[0], names[1], &to, err);
}

static int run_tag_delete(struct job *j, json_t **ret_value, struct berth_error *err)
{
	static const char *const keys[] = {"repository", "tag", NULL};
	AUTO(backend) struct backend *b = NULL;
	const char *names[2];
	(void)ret_value;
	int code = kind_open_with(j, keys, names, &b, err);
	return code ? code : backend_tag_delete(b, names[0], names[1], err);
}

static int run_artifact_delete(struct job *j, json_t **ret_value, struct berth_error *err)
{
	static const char *const keys[] = {"repository", "digest", NULL};
	AUTO(backend) struct backend *b = NULL;
	const char *names[2];
	(void)ret_value;
	int code = kind_open_with(j, keys, names, &b, err);
	return code ? code : backend_artifact_delete(b, names[0], names[1], err);
}

static int run_repository_delete(struct job *j, json_t **ret_value, struct berth_error *err)
{
	static const char *const keys[] = {"repository", NULL};
	AUTO(backend) struct backend *b = NULL;
	const struct backend_sink to = {backend_item_to_job, j};
	const char *names[1];
	(void)ret_value;
	int code = kind_open_with(j, keys, names, &b, err);
	return code ? code : backend_repository_delete(b, names[0], &to, err);
}

const struct job_type job_types[] = {
	{"plugins", run_plugins},
	{"reload", run_reload},
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
	{"repository-describe", run_repository_describe},
	{"space-create", run_space_create},
	{"space-change", run_space_change},
	{"space-delete", run_space_delete},
	{"maintain", run_maintain},
	{"cluster-probe", run_cluster_probe},
	{"pull-secrets", run_pull_secrets},
	{"login-create", run_login_create},
	{"login-clean", run_login_clean},
	{"retention-show", run_retention_show},
	{"retention-set", run_retention_set},
	{"retention-run", run_retention_run},
	{"retention-runs", run_retention_runs},
	{"scan", run_scan},
	{"scan-state", run_scan_state},
	{"scan-stop", run_scan_stop},
	{"scan-report", run_scan_report},
	{"scanners", run_scanners},
	{"scan-configure", run_scan_configure},
	{"copy-plan", transfer_job_plan},
	{"copy-verify", transfer_job_verify},
	{"copy-run", transfer_job_run},
	{"copy-native", run_copy_native},
	{"copy-native-plan", run_copy_native_plan},
	{"native-stop", run_native_stop},
	{"native-remove", run_native_remove},
	{"source-look", look_job_run},
	{NULL, NULL},
};
