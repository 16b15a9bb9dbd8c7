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
	{"native-check", run_native_check},
	{"native-stop", run_native_stop},
	{"native-remove", run_native_remove},
	{"source-look", look_job_run},
	{NULL, NULL},
};
