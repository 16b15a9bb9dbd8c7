/* SPDX-License-Identifier: Apache-2.0 */
/* Operation types of copying. A run's outcomes are stored as they come, image
 * by image, and are its journal: a run that was cut short goes on, and finds at
 * the target what it had put there.
 */
#include <stdio.h>
#include <string.h>

#include "core/api/integration.h"
#include "core/api/job.h"
#include "core/api/native.h"
#include "core/api/space.h"
#include "core/api/sync.h"
#include "core/base/clock.h"
#include "core/base/text.h"
#include "core/transfer/rule.h"

#define PLAN_STEPS_MAX 1000

/* One end of a copy: its instance, and the rate that its registry is given. */
static int add_end(struct daemon_state *d, json_t *instances, const char *name, char *ret_id,
		   struct berth_error *err)
{
	struct integration row AUTO_INTEGRATION = {.id = NULL};
	json_t *desired AUTO_JSON = NULL;
	json_t *instance = NULL;

	if (integration_get(d->store, name, &row, err) ||
	    integration_check_usable(&row, false, err) || api_parse(row.desired, &desired, err) ||
	    rates_of_integration(d, row.id, desired, err) ||
	    instance_of_row(d, &row, &instance, err))
		return err->code;
	snprintf(ret_id, UUID_ROOM, "%s", row.id);
	return json_object_set_new(instances, name, instance) ? berth_fail_memory(err) : 0;
}

bool copy_only_reads(const char *kind)
{
	return !strcmp(kind, "copy-plan") || !strcmp(kind, "copy-verify") ||
	       !strcmp(kind, "plan-apply") || !strcmp(kind, "native-check");
}

/* The job of an operation of that kind. */
static const char *job_kind_of(const char *kind, bool is_native)
{
	if (!strcmp(kind, "copy-verify") || !strcmp(kind, "native-check"))
		return kind;
	if (copy_only_reads(kind))
		return is_native ? "copy-native-plan" : "copy-plan";
	return is_native ? "copy-native" : "copy-run";
}

/* The targets of a copy to several. One whose integration can't be used fails in the job,
 * alone. ret_ids: of those that can, else empty. */
static int add_targets(struct daemon_state *d, const struct operation *op, json_t *instances,
		       json_t *args, char (*ret_ids)[UUID_ROOM], struct berth_error *err)
{
	json_t *targets = json_deep_copy(json_object_get(op->arguments, "targets")), *one;
	size_t i;

	if (!targets || json_object_set_new(args, "targets", targets))
		return berth_fail_memory(err);
	json_array_foreach (targets, i, one) {
		struct berth_error why = ERROR_INIT;
		*ret_ids[i] = 0;
		if (!add_end(d, instances, js_str(one, "instance", ""), ret_ids[i], &why))
			continue;
		if (why.code == BERTH_E_NO_MEMORY) {
			*err = why;
			return err->code;
		}
		*ret_ids[i] = 0;
		json_object_set_new(one, "error", js_of_error(&why));
	}
	return 0;
}

static int add_ends(struct daemon_state *d, const struct operation *op, json_t *instances,
		    json_t *args, json_t **ret_rates, struct berth_error *err)
{
	size_t count = json_array_size(json_object_get(op->arguments, "targets"));
	char source_id[UUID_ROOM], ids[RULE_TARGETS_MAX][UUID_ROOM];

	if (count > RULE_TARGETS_MAX)
		return berth_fail(err, BERTH_E_INVALID, "more than %d targets", RULE_TARGETS_MAX);
	if (add_end(d, instances, js_str(op->arguments, "source", ""), source_id, err) ||
	    (count ? add_targets(d, op, instances, args, ids, err)
		   : add_end(d, instances, js_str(op->arguments, "target", ""), ids[0], err)))
		return err->code;
	*ret_rates = rates_of_copy(source_id, ids, count ? count : 1);
	return *ret_rates ? 0 : berth_fail_memory(err);
}

/* Of several, in their order: where blobs are claimed. */
static void name_targets(const struct operation *op, json_t *call)
{
	const json_t *targets = json_object_get(op->arguments, "targets"), *one;
	json_t *names = targets ? json_array() : NULL;
	size_t i;

	json_array_foreach (targets, i, one)
		json_array_append_new(names, json_string(js_str(one, "instance", "")));
	if (names)
		json_object_set_new(call, "claims", names);
}

int copy_call(struct operation *op, json_t **ret, struct berth_error *err)
{
	struct daemon_state *d = api_daemon();
	bool is_plan = copy_only_reads(op->type->kind);
	json_t *instances AUTO_JSON = json_object();
	json_t *args AUTO_JSON = json_pack("{s:O}", "rule", json_object_get(op->arguments, "rule"));
	json_t *rates AUTO_JSON = NULL;

	job_release_json(op);
	if (!args || !instances)
		return berth_fail_memory(err);
	if (add_ends(d, op, instances, args, &rates, err))
		return err->code;
	if (!is_plan)
		json_object_set_new(args, "resume", op->attempts > 1 ? json_object() : json_null());
	bool is_native = false;
	if (strcmp(op->type->kind, "copy-verify") != 0 && native_call(op, args, &is_native, err))
		return err->code;
	struct job_call call = {.kind = job_kind_of(op->type->kind, is_native),
				.deadline_ms = d->settings.jobs.copy_ms,
				.instances = instances,
				.arguments = args};
	if (job_call(op, &call, ret, err))
		return err->code;
	name_targets(op, *ret);
	return is_plan || !json_object_set(*ret, "budget", rates) ? 0 : berth_fail_memory(err);
}

/* "app:1" of a job becomes "hub/app:1". */
static void put_name(char *to, size_t room, const char *integration, const char *name)
{
	size_t length = strlen(integration);

	if (!strncmp(name, integration, length) && name[length] == '/')
		snprintf(to, room, "%s", name);
	else
		snprintf(to, room, "%s/%s", integration, name);
}

/* The same of what is at a target: with several, the job says which. */
static void put_target_name(char *to, size_t room, const struct operation *op, const json_t *item)
{
	const char *name = js_str(item, "name", "");

	if (json_object_get(op->arguments, "targets"))
		snprintf(to, room, "%s", name);
	else
		put_name(to, room, js_str(op->arguments, "target", ""), name);
}

static int keep_outcome(struct operation *op, const json_t *item, struct berth_error *err)
{
	const json_t *more = json_object_get(item, "more");
	const json_t *why = json_object_get(more, "error");
	char *cause AUTO_FREE = why ? js_canonical(why) : strdup("");
	char source[512], target[512];
	struct sync_outcome row = {
		.run_id = op->id,
		.source = source,
		.target = target,
		.digest = (char *)js_str(item, "digest", ""),
		.state = (char *)js_str(more, "state", "failed"),
		.cause = cause,
		.attempts = js_int(more, "attempts", 1),
		.bytes = js_int(item, "bytes", 0),
		.updated_ms = clock_unix_ms(),
	};

	if (!cause)
		return berth_fail_memory(err);
	put_name(source, sizeof(source), js_str(op->arguments, "source", ""),
		 js_str(more, "source", ""));
	put_target_name(target, sizeof(target), op, item);
	return sync_outcome_put(api_daemon()->store, &row, err);
}

/* What is at the target now is in its index at once, not after a refresh. *ret_repository:
 * which is to be counted again; 0: none. */
static int index_image(struct operation *op, const json_t *item, int64_t *ret_repository,
		       struct berth_error *err)
{
	struct daemon_state *d = api_daemon();
	const json_t *more = json_object_get(item, "more");
	const char *state = js_str(more, "state", "");
	struct integration at AUTO_INTEGRATION = {.id = NULL};
	struct reference to = {.integration = ""};
	struct berth_error why = ERROR_INIT;
	char target[512];
	int64_t repository_id = 0;

	put_target_name(target, sizeof(target), op, item);
	if ((strcmp(state, "copied") != 0 && strcmp(state, "present") != 0) ||
	    js_bool(more, "referrer", false) || reference_parse(target, &to, &why) || !*to.tag)
		return 0;
	int code = integration_get(d->store, to.integration, &at, &why);
	if (!code)
		code = space_repository(d, at.id, to.repository, &repository_id, &why);
	if (code == BERTH_E_NOT_FOUND)
		return 0; /* of a space that the next refresh will find */
	if (code) {
		*err = why;
		return code;
	}
	struct tag row = {.repository_id = repository_id,
			  .name = to.tag,
			  .digest = (char *)js_str(item, "digest", ""),
			  .seen_ms = clock_unix_ms()};
	*ret_repository = repository_id;
	return tag_put(d->store, &row, err);
}

/* The images of one repository come one after the other, mostly: it is counted once. */
static int count_changed(int64_t *last, int64_t now, struct berth_error *err)
{
	int64_t before = *last;

	*last = now;
	if (!before || before == now)
		return 0;
	return repository_recount(api_daemon()->store, before, err);
}

int copy_items(struct operation *op, const json_t *items, struct berth_error *err)
{
	int64_t counted = 0;
	const json_t *item;
	size_t i;

	json_array_foreach (items, i, item) {
		const char *kind = js_str(item, "kind", "");
		int64_t repository = 0;
		if (!strcmp(kind, "native") && native_item(op, item, err))
			return err->code;
		if (strcmp(kind, "image") != 0)
			continue;
		if (keep_outcome(op, item, err) || index_image(op, item, &repository, err))
			return err->code;
		if (repository && count_changed(&counted, repository, err))
			return err->code;
	}
	return count_changed(&counted, 0, err);
}

static int recount(const char *name, struct berth_error *err)
{
	struct daemon_state *d = api_daemon();
	struct integration to AUTO_INTEGRATION = {.id = NULL};

	if (integration_get(d->store, name, &to, err))
		return err->code;
	return space_recount_all(d, to.id, err);
}

/* Of several targets one may be gone meanwhile. */
static int recount_targets(const struct operation *op, struct berth_error *err)
{
	const json_t *targets = json_object_get(op->arguments, "targets"), *one;
	size_t i;

	if (!targets)
		return recount(js_str(op->arguments, "target", ""), err);
	json_array_foreach (targets, i, one) {
		struct berth_error why = ERROR_INIT;
		if (recount(js_str(one, "instance", ""), &why) && why.code != BERTH_E_NOT_FOUND) {
			*err = why;
			return err->code;
		}
	}
	return 0;
}

static int end_run(struct operation *op, const char *state, const json_t *totals,
		   struct berth_error *err)
{
	struct daemon_state *d = api_daemon();
	struct sync_run row AUTO_SYNC_RUN = {.id = NULL};
	int code = sync_run_get(d->store, op->id, &row, err);

	if (code == BERTH_E_NOT_FOUND) {
		*err = (struct berth_error)ERROR_INIT;
		return 0;
	}
	if (code)
		return code;
	char *text AUTO_FREE = json_is_object(totals) ? js_canonical(totals) : strdup("{}");
	if (!text || !text_replace(&row.totals, text) || !text_replace(&row.state, state))
		return berth_fail_memory(err);
	row.ended_ms = clock_unix_ms();
	if (sync_run_put(d->store, &row, err))
		return err->code;
	return sync_watch_run_ended(d, row.rule_id, state, err);
}

int copy_ended(struct operation *op, const json_t *value, const struct berth_error *why,
	       json_t **ret_result, struct berth_error *err)
{
	struct daemon_state *d = api_daemon();
	json_t *outcomes = NULL;

	if (recount_targets(op, err) || native_ended(op, value, why, err))
		return err->code;
	if (why->code)
		return end_run(op, why->code == BERTH_E_CANCELLED ? "cancelled" : "failed", value,
			       err);
	int64_t failed = js_int(value, "failed", 0);
	if (end_run(op, failed ? "failed" : "succeeded", value, err) ||
	    copy_outcomes(d, op->id, &outcomes, err))
		return err->code;
	json_t *result = json_deep_copy(value);
	if (failed)
		copy_blame(op, failed, js_int(value, "images", failed), err);
	json_object_set_new(result, "outcomes", outcomes);
	json_object_set_new(result, "run", json_string(op->id));
	*ret_result = result;
	return 0; /* with err set: the operation fails and keeps what was written */
}

/* A plan's image has an action, a comparison's a state. */
static void put_members(json_t *step, const json_t *item, const json_t *more)
{
	static const char *const names[] = {"action", "state", "differences", "found", "error"};

	if (json_object_get(more, "action"))
		json_object_set_new(step, "bytes", json_integer(js_int(item, "bytes", 0)));
	for (size_t i = 0; i < ARRAY_COUNT(names); i++)
		if (json_object_get(more, names[i]))
			json_object_set(step, names[i], json_object_get(more, names[i]));
}

json_t *plan_step(const struct operation *op, const json_t *item)
{
	char source[512], target[512];
	const json_t *more = json_object_get(item, "more");

	if (strcmp(js_str(item, "kind", ""), "step") != 0)
		return NULL;
	put_name(source, sizeof(source), js_str(op->arguments, "source", ""),
		 js_str(more, "source", ""));
	put_target_name(target, sizeof(target), op, item);
	json_t *step = json_pack("{s:s, s:s}", "source", source, "target", target);
	js_put_str(step, "digest", js_str(item, "digest", NULL));
	put_members(step, item, more);
	return step;
}

int plan_items(struct operation *op, const json_t *items, struct berth_error *err)
{
	bool stores = js_bool(op->arguments, "store", false);
	const json_t *item;
	size_t i;

	if (!op->own)
		op->own = json_array();
	if (!op->own)
		return berth_fail_memory(err);
	json_array_foreach (items, i, item) {
		json_t *step AUTO_JSON = plan_step(op, item);
		if (!step)
			continue;
		if (stores && plan_store_step(op->id, step, err))
			return err->code;
		if (json_array_size(op->own) < PLAN_STEPS_MAX && json_array_append(op->own, step))
			return berth_fail_memory(err);
	}
	return 0;
}

int plan_ended(struct operation *op, const json_t *value, const struct berth_error *why,
	       json_t **ret_result, struct berth_error *err)
{
	bool stores = js_bool(op->arguments, "store", false);

	if (stores && plan_store_end(op->id, why->code ? NULL : value, err))
		return err->code;
	if (why->code)
		return 0;
	json_t *result = value ? json_deep_copy(value) : json_object();
	if (!result)
		return berth_fail_memory(err);
	if (stores)
		json_object_set_new(result, "plan", json_string(op->id));
	if (!strcmp(op->type->kind, "copy-plan"))
		json_object_set_new(result, "dry_run", json_true());
	json_object_set_new(result, "outcomes", op->own ? json_incref(op->own) : json_array());
	*ret_result = result;
	return 0;
}
