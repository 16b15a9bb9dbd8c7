/* SPDX-License-Identifier: Apache-2.0 */
/* What all operation types share: the call frame, the state of a running
 * operation, and the table of the types themselves.
 */
#include "core/api/job.h"

#include <stdio.h>
#include <string.h>

#include "core/api/cluster.h"
#include "core/api/integration.h"
#include "core/api/login.h"
#include "core/api/native.h"
#include "core/api/pull.h"
#include "core/api/refresh_part.h"
#include "core/api/selector.h"
#include "core/api/slot.h"
#include "core/api/sync.h"

static struct daemon_state *daemon_of_api;

struct daemon_state *api_daemon(void)
{
	return daemon_of_api;
}

static json_t *limits(const struct net_limits *net)
{
	return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "connect_ms",
			 (json_int_t)net->connect_ms, "answer_ms", (json_int_t)net->answer_ms,
			 "low_speed_s", (json_int_t)net->low_speed_s, "low_speed_bytes",
			 (json_int_t)net->low_speed_bytes, "retry_after_max_ms",
			 (json_int_t)net->retry_after_max_ms, "tries", (json_int_t)net->tries,
			 "backoff_ms", (json_int_t)net->backoff_ms, "header_max_bytes",
			 (json_int_t)net->header_max_bytes, "pages_max", (json_int_t)net->pages_max,
			 "items_max", (json_int_t)net->items_max, "commit_ms",
			 (json_int_t)net->commit_ms);
}

int job_call(const struct operation *op, const struct job_call *from, json_t **ret,
	     struct berth_error *err)
{
	const struct daemon_state *d = api_daemon();

	*ret = json_pack("{s:s, s:s, s:I, s:O, s:O, s:o}", "kind", from->kind, "request",
			 op->request_id ? op->request_id : op->id, "deadline_ms",
			 (json_int_t)from->deadline_ms, "instances", from->instances, "args",
			 from->arguments, "limits", limits(&d->settings.net));
	return *ret ? 0 : berth_fail_memory(err);
}

int job_call_one(struct operation *op, const char *kind, uint32_t deadline_ms, json_t *arguments,
		 json_t **ret, struct berth_error *err)
{
	struct daemon_state *d = api_daemon();
	struct integration row AUTO_INTEGRATION = {.id = NULL};
	json_t *instance = NULL;

	if (integration_get_by_id(d->store, js_str(op->arguments, "id", ""), &row, err) ||
	    integration_check_usable(&row, false, err) || instance_of_row(d, &row, &instance, err))
		return err->code;
	json_t *instances AUTO_JSON = json_pack("{s:o}", row.name, instance);
	if (!instances || json_object_set_new(arguments, "instance", json_string(row.name)))
		return berth_fail_memory(err);
	struct job_call call = {.kind = kind,
				.deadline_ms = deadline_ms,
				.instances = instances,
				.arguments = arguments};
	return job_call(op, &call, ret, err);
}

/* on_items: gathers FACTs as {name: value} in op->own, a json_t. */
static int job_facts(struct operation *op, const json_t *items, struct berth_error *err)
{
	const json_t *item;
	size_t i;

	if (!op->own)
		op->own = json_object();
	if (!op->own)
		return berth_fail_memory(err);
	json_array_foreach (items, i, item) {
		const json_t *more = json_object_get(item, "more");
		json_t *value = json_object_get(more, "value");
		if (strcmp(js_str(item, "kind", ""), "fact") != 0)
			continue;
		if (json_object_set(op->own, js_str(item, "name", ""),
				    value ? value : (json_t *)more))
			return berth_fail_memory(err);
	}
	return 0;
}

void job_release_json(struct operation *op)
{
	json_decref(op->own);
	op->own = NULL;
}

const struct op_type api_op_types[] = {
	{.kind = "integration-create",
	 .is_of_one = true,
	 .is_proof = true,
	 .is_resumable = true,
	 .build_call = integration_proof_call,
	 .on_items = job_facts,
	 .on_result = integration_created,
	 .release = integration_proof_release},
	{.kind = "integration-change",
	 .is_of_one = true,
	 .is_proof = true,
	 .is_resumable = true,
	 .build_call = integration_proof_call,
	 .on_items = job_facts,
	 .on_result = integration_changed,
	 .release = integration_proof_release},
	{.kind = "probe",
	 .is_of_one = true,
	 .is_resumable = true,
	 .build_call = integration_probe_call,
	 .on_items = job_facts,
	 .on_result = integration_probed,
	 .release = job_release_json},
	{.kind = "refresh",
	 .is_of_one = true,
	 .is_resumable = true,
	 .concurrency = 4,
	 .build_call = refresh_call,
	 .on_items = refresh_items,
	 .on_result = refresh_ended,
	 .release = refresh_release},
	{.kind = "cluster-create",
	 .is_proof = true,
	 .is_resumable = true,
	 .build_call = cluster_proof_call,
	 .on_items = slot_items,
	 .on_result = cluster_proved,
	 .release = cluster_proof_release},
	{.kind = "cluster-change",
	 .is_proof = true,
	 .is_resumable = true,
	 .build_call = cluster_proof_call,
	 .on_items = slot_items,
	 .on_result = cluster_proved,
	 .release = cluster_proof_release},
	{.kind = "cluster-probe",
	 .is_resumable = true,
	 .build_call = cluster_probe_call,
	 .on_items = slot_items,
	 .on_result = cluster_probed,
	 .release = job_release_json},
	{.kind = "pull-secrets",
	 .is_resumable = true,
	 .concurrency = 4,
	 .build_call = pull_call,
	 .on_items = pull_items,
	 .on_result = pull_ended,
	 .release = job_release_json},
	{.kind = "artifact",
	 .is_resumable = true,
	 .build_call = artifact_call,
	 .on_items = artifact_items,
	 .on_result = artifact_ended,
	 .release = job_release_json},
	{.kind = "copy",
	 .is_resumable = true,
	 .build_call = copy_call,
	 .on_items = copy_items,
	 .on_result = copy_ended},
	{.kind = "sync-run",
	 .is_resumable = true,
	 .build_call = copy_call,
	 .on_items = copy_items,
	 .on_result = copy_ended},
	{.kind = "sync-look",
	 .is_resumable = true,
	 .concurrency = 4,
	 .is_routine = true,
	 .build_call = look_call,
	 .on_items = job_facts,
	 .on_result = look_ended,
	 .release = job_release_json},
	{.kind = "copy-plan",
	 .is_resumable = true,
	 .build_call = copy_call,
	 .on_items = plan_items,
	 .on_result = plan_ended,
	 .release = job_release_json},
	{.kind = "plan-apply",
	 .is_resumable = true,
	 .build_call = copy_call,
	 .on_items = apply_items,
	 .on_result = apply_ended,
	 .release = job_release_json},
	{.kind = "copy-verify",
	 .is_resumable = true,
	 .build_call = copy_call,
	 .on_items = plan_items,
	 .on_result = plan_ended,
	 .release = job_release_json},
	{.kind = "native-check",
	 .is_resumable = true,
	 .build_call = copy_call,
	 .on_result = slot_ended},
	{.kind = "native-stop", .is_resumable = true, .build_call = slot_call},
	{.kind = "native-remove",
	 .is_resumable = true,
	 .build_call = slot_call,
	 .on_result = native_removed},
	{.kind = "tag-delete",
	 .is_of_one = true,
	 .build_call = removal_call,
	 .on_result = removal_ended},
	{.kind = "artifact-delete",
	 .is_of_one = true,
	 .build_call = removal_call,
	 .on_result = removal_ended},
	{.kind = "repository-delete",
	 .is_of_one = true,
	 .build_call = removal_call,
	 .on_result = removal_ended},
	{.kind = "repository-describe",
	 .is_of_one = true,
	 .is_resumable = true,
	 .build_call = slot_call,
	 .on_result = description_written},
	{.kind = "space-create",
	 .is_of_one = true,
	 .build_call = slot_call,
	 .on_items = space_items,
	 .on_result = space_created,
	 .release = job_release_json},
	{.kind = "space-change",
	 .is_of_one = true,
	 .is_resumable = true,
	 .build_call = slot_call,
	 .on_items = space_items,
	 .on_result = space_changed,
	 .release = job_release_json},
	{.kind = "space-delete",
	 .is_of_one = true,
	 .build_call = slot_call,
	 .on_result = space_deleted},
	{.kind = "login-create",
	 .is_of_one = true,
	 .build_call = slot_call,
	 .on_items = login_items,
	 .on_result = login_made,
	 .release = login_release},
	{.kind = "login-revoke",
	 .is_of_one = true,
	 .is_resumable = true,
	 .build_call = login_clean_call,
	 .on_items = login_clean_items,
	 .on_result = login_cleaned,
	 .release = job_release_json},
	{.kind = "login-clean",
	 .is_resumable = true,
	 .build_call = login_clean_call,
	 .on_items = login_clean_items,
	 .on_result = login_cleaned,
	 .release = job_release_json},
	{.kind = "retention-show",
	 .is_resumable = true,
	 .build_call = slot_call,
	 .on_items = slot_items,
	 .on_result = retention_shown,
	 .release = job_release_json},
	{.kind = "retention-set",
	 .is_resumable = true,
	 .build_call = slot_call,
	 .on_result = retention_written},
	{.kind = "retention-run",
	 .build_call = slot_call,
	 .on_items = slot_items,
	 .on_result = retention_started,
	 .release = job_release_json},
	{.kind = "retention-runs",
	 .is_resumable = true,
	 .build_call = slot_call,
	 .on_items = slot_items,
	 .on_result = slot_ended,
	 .release = job_release_json},
	{.kind = "scan",
	 .is_resumable = true,
	 .concurrency = 4,
	 .build_call = scan_call,
	 .on_items = scan_items,
	 .on_result = scan_ended,
	 .release = scan_release},
	{.kind = "scan-state",
	 .is_resumable = true,
	 .build_call = slot_call,
	 .on_items = scan_state_items,
	 .on_result = scan_state_ended,
	 .release = job_release_json},
	{.kind = "scan-report",
	 .is_resumable = true,
	 .build_call = scan_report_call,
	 .on_items = scan_report_items,
	 .on_result = scan_report_ended,
	 .release = scan_release},
	{.kind = "scan-stop",
	 .is_resumable = true,
	 .build_call = slot_call,
	 .on_result = slot_ended},
	{.kind = "scanners",
	 .is_resumable = true,
	 .build_call = slot_call,
	 .on_items = slot_items,
	 .on_result = slot_ended,
	 .release = job_release_json},
	{.kind = "scan-configure",
	 .is_resumable = true,
	 .build_call = slot_call,
	 .on_result = slot_ended},
	{.kind = "maintain",
	 .build_call = slot_call,
	 .on_items = slot_items,
	 .on_result = maintained,
	 .release = job_release_json},
	{.kind = "overview",
	 .is_of_one = true,
	 .is_resumable = true,
	 .build_call = slot_call,
	 .on_items = slot_items,
	 .on_result = overview_read,
	 .release = job_release_json},
	{.kind = NULL},
};

int api_attach(struct daemon_state *d, struct berth_error *err)
{
	daemon_of_api = d;
	if (vault_sweep(d, err))
		return err->code;
	if (selector_attach(d, err) || integration_clock_start(d, err) ||
	    refresh_hints_attach(d, err))
		return err->code;
	if (sync_clock_start(d, err) || sync_watch_start(d, err) || rates_configured(d, err) ||
	    cluster_clock_start(d, err) || pull_clock_start(d, err))
		return err->code;
	return login_clock_start(d, err);
}

int api_configured(struct daemon_state *d, struct berth_error *err)
{
	if (rates_configured(d, err))
		return err->code;
	return clock_start_common(d, err);
}
