/* SPDX-License-Identifier: Apache-2.0 */
/* Stored plans of copy rules: kept step by step as they are made, shown, and
 * applied. Applying plans anew and compares by digest: where anything is not as it
 * was planned, nothing is moved and the difference is the result; else the rule's
 * run begins, in the transaction that ends the comparison. Runs in berthd.
 */
#include <string.h>

#include "api_handlers.h"
#include "core/api/job.h"
#include "core/api/sync.h"
#include "core/base/clock.h"
#include "core/store/plans.h"

#define STEPS_SHOWN "1000"
#define DRIFT_SHOWN 1000

int plan_store_begin(struct daemon_state *d, const struct sync_rule *of, const char *id,
		     struct berth_error *err)
{
	const struct sync_plan row = {.id = (char *)id,
				      .rule_id = of->id,
				      .generation = of->generation,
				      .totals = (char *)"",
				      .created_ms = clock_unix_ms()};

	return sync_plan_add(d->store, &row, err);
}

int plan_store_step(const char *plan_id, const json_t *step, struct berth_error *err)
{
	const struct sync_plan_step row = {
		.plan_id = (char *)plan_id,
		.source = (char *)js_str(step, "source", ""),
		.target = (char *)js_str(step, "target", ""),
		.digest = (char *)js_str(step, "digest", ""),
		.action = (char *)js_str(step, "action", ""),
		.bytes = js_int(step, "bytes", 0),
	};

	return sync_plan_step_put(api_daemon()->store, &row, err);
}

int plan_store_end(const char *plan_id, const json_t *totals, struct berth_error *err)
{
	struct store *s = api_daemon()->store;
	char *text AUTO_FREE = json_is_object(totals) ? js_canonical(totals) : NULL;

	if (json_is_object(totals) && !text)
		return berth_fail_memory(err);
	/* One that failed is no plan. */
	return text ? sync_plan_finish(s, plan_id, text, err) : sync_plan_remove(s, plan_id, err);
}

/* --- shown --- */

static int show(struct request *q, const void *row, json_t **ret, struct berth_error *err)
{
	const struct sync_plan *it = row;
	json_t *totals = NULL;

	if (api_parse(it->totals, &totals, err))
		return err->code;
	*ret = json_pack("{s:s, s:s, s:b, s:o}", "id", it->id, "sync", request_param(q, "name"),
			 "ready", *it->totals != 0, "totals", totals);
	if (!*ret)
		return berth_fail_memory(err);
	js_put_time(*ret, "created_at", it->created_ms);
	return 0;
}

void api_sync_plans_list(struct request *q, struct answer *a)
{
	struct sync_rule row AUTO_SYNC_RULE = {.id = NULL};

	if (!sync_of_route(q, a, &row))
		return;
	const struct store_value values[] = {V_TEXT(row.id)};
	struct api_collection of_one = {.table = &sync_plans_table,
					.noun = "plan",
					.within = "rule_id = ?",
					.within_values = values,
					.within_count = 1,
					.show = show};
	api_list(&of_one, q, a);
}

static int show_step(struct request *q, const void *row, json_t **ret, struct berth_error *err)
{
	const struct sync_plan_step *it = row;

	(void)q;
	*ret = json_pack("{s:s, s:s, s:s, s:I}", "source", it->source, "target", it->target,
			 "action", it->action, "bytes", (json_int_t)it->bytes);
	if (!*ret)
		return berth_fail_memory(err);
	js_put_str(*ret, "digest", it->digest);
	return 0;
}

static int add_step(void *user, const void *row, struct berth_error *err)
{
	json_t *one = NULL;

	if (show_step(NULL, row, &one, err))
		return err->code;
	return json_array_append_new(user, one) ? berth_fail_memory(err) : 0;
}

/* The plan, if it is that rule's and whole. */
static int plan_of(struct daemon_state *d, const struct sync_rule *of, const char *id,
		   struct sync_plan *ret, struct berth_error *err)
{
	int code = sync_plan_get(d->store, id, ret, err);

	if (!code && strcmp(ret->rule_id, of->id) != 0)
		return berth_fail(err, BERTH_E_NOT_FOUND, "copy rule %s has no plan %s", of->name,
				  id);
	return code;
}

void api_sync_plans_get(struct request *q, struct answer *a)
{
	struct daemon_state *d = request_daemon(q);
	struct sync_rule rule AUTO_SYNC_RULE = {.id = NULL};
	struct sync_plan row AUTO_SYNC_PLAN = {.id = NULL};
	struct berth_error err = ERROR_INIT;
	json_t *shown = NULL, *steps AUTO_JSON = json_array();

	if (!sync_of_route(q, a, &rule))
		return;
	const struct store_value values[] = {V_TEXT(request_param(q, "id"))};
	struct store_page page = {.within = "plan_id = ?",
				  .within_values = values,
				  .within_count = 1,
				  .tail = "ORDER BY target LIMIT " STEPS_SHOWN};
	if (plan_of(d, &rule, request_param(q, "id"), &row, &err) ||
	    store_list(d->store, &sync_plan_steps_table, &page, add_step, steps, NULL, &err) ||
	    show(q, &row, &shown, &err)) {
		api_fail(a, &err, "berthctl sync plans NAME");
		return;
	}
	json_object_set(shown, "outcomes", steps);
	json_t *desired AUTO_JSON = json_incref(shown);
	answer_resource(a, q, shown, desired, 0);
}

void api_sync_plan_steps(struct request *q, struct answer *a)
{
	struct sync_rule rule AUTO_SYNC_RULE = {.id = NULL};
	struct sync_plan row AUTO_SYNC_PLAN = {.id = NULL};
	struct berth_error err = ERROR_INIT;

	if (!sync_of_route(q, a, &rule))
		return;
	if (plan_of(request_daemon(q), &rule, request_param(q, "id"), &row, &err)) {
		api_fail(a, &err, "berthctl sync plans NAME");
		return;
	}
	const struct store_value values[] = {V_TEXT(row.id)};
	struct api_collection of_one = {.table = &sync_plan_steps_table,
					.noun = "step",
					.within = "plan_id = ?",
					.within_values = values,
					.within_count = 1,
					.show = show_step};
	api_list(&of_one, q, a);
}

/* --- applied --- */

bool plan_is_appliable(struct request *q, struct answer *a, const struct sync_rule *of,
		       const char *id)
{
	struct sync_plan row AUTO_SYNC_PLAN = {.id = NULL};
	struct berth_error err = ERROR_INIT;

	if (plan_of(request_daemon(q), of, id, &row, &err)) {
		api_fail(a, &err, "berthctl sync plans NAME");
		return false;
	}
	if (*row.totals && row.generation == of->generation)
		return true;
	api_refuse(a, 409, "plan-outdated", "berthctl sync plan NAME --store",
		   *row.totals ? "copy rule %s was changed after that plan"
			       : "that plan of copy rule %s is not made yet",
		   of->name);
	return false;
}

/* What a comparison gathers: in op->own. */
static json_t *own_of(struct operation *op)
{
	if (!op->own)
		op->own = json_pack("{s:[], s:{}, s:i}", "drift", "seen", "drifted", 0);
	return op->own;
}

static int add_drift(json_t *own, const char *target, const char *how, const char *planned,
		     const char *now)
{
	json_t *list = json_object_get(own, "drift");
	int64_t count = js_int(own, "drifted", 0);

	json_object_set_new(own, "drifted", json_integer(count + 1));
	if (json_array_size(list) == DRIFT_SHOWN)
		return 0;
	json_t *one = json_pack("{s:s, s:s}", "target", target, "how", how);
	js_put_str(one, "planned", planned && *planned ? planned : NULL);
	js_put_str(one, "now", now && *now ? now : NULL);
	return json_array_append_new(list, one);
}

/* One step of the new plan beside the old one's. What is there by now, and was to
 * be copied, is no drift. */
static int compare(json_t *own, const char *plan_id, const json_t *step, struct berth_error *err)
{
	struct sync_plan_step was AUTO_SYNC_PLAN_STEP = {.plan_id = NULL};
	const char *target = js_str(step, "target", ""), *digest = js_str(step, "digest", "");
	const char *action = js_str(step, "action", "");
	int code = sync_plan_step_get(api_daemon()->store, plan_id, target, &was, err), bad = 0;

	json_object_set_new(json_object_get(own, "seen"), target, json_true());
	if (code == BERTH_E_NOT_FOUND) {
		*err = (struct berth_error)ERROR_INIT;
		bad = add_drift(own, target, "new", NULL, digest);
	} else if (code) {
		return code;
	} else if (strcmp(was.digest, digest) != 0) {
		bad = add_drift(own, target, "moved", was.digest, digest);
	} else if (strcmp(was.action, action) != 0 && strcmp(action, "present") != 0) {
		bad = add_drift(own, target, "target", was.action, action);
	}
	return bad ? berth_fail_memory(err) : 0;
}

int apply_items(struct operation *op, const json_t *items, struct berth_error *err)
{
	const char *plan_id = js_str(op->arguments, "plan", "");
	const json_t *item;
	size_t i;

	if (!own_of(op))
		return berth_fail_memory(err);
	json_array_foreach (items, i, item) {
		json_t *step AUTO_JSON = plan_step(op, item);
		if (step && compare(op->own, plan_id, step, err))
			return err->code;
	}
	return 0;
}

static int add_gone(void *user, const void *row, struct berth_error *err)
{
	const struct sync_plan_step *it = row;

	if (json_object_get(json_object_get(user, "seen"), it->target))
		return 0;
	return add_drift(user, it->target, "gone", it->digest, NULL) ? berth_fail_memory(err) : 0;
}

static int start_run(struct operation *op, json_t *result, struct berth_error *err)
{
	struct sync_rule rule AUTO_SYNC_RULE = {.id = NULL};
	struct sync_plan plan AUTO_SYNC_PLAN = {.id = NULL};
	struct daemon_state *d = api_daemon();
	char id[UUID_ROOM];

	if (sync_rule_get(d->store, js_str(op->arguments, "sync", ""), &rule, err) ||
	    plan_of(d, &rule, js_str(op->arguments, "plan", ""), &plan, err))
		return err->code;
	if (plan.generation != rule.generation)
		return berth_fail(err, BERTH_E_CONFLICT, "copy rule %s was changed meanwhile",
				  rule.name);
	if (copy_start_run(d, &rule, &(struct run_cause){"plan", op}, id, err))
		return err->code;
	return json_object_set_new(result, "run", json_string(id)) ? berth_fail_memory(err) : 0;
}

int apply_ended(struct operation *op, const json_t *value, const struct berth_error *why,
		json_t **ret_result, struct berth_error *err)
{
	const char *plan_id = js_str(op->arguments, "plan", "");
	const struct store_value values[] = {V_TEXT(plan_id)};
	struct store_page page = {
		.within = "plan_id = ?", .within_values = values, .within_count = 1};
	json_t *own = own_of(op);

	(void)value;
	if (why->code)
		return 0;
	if (!own)
		return berth_fail_memory(err);
	if (api_each(api_daemon()->store, &sync_plan_steps_table, &page, add_gone, own, err))
		return err->code;
	int64_t drifted = js_int(own, "drifted", 0);
	json_t *result = json_pack("{s:s, s:I, s:O}", "plan", plan_id, "drifted",
				   (json_int_t)drifted, "drift", json_object_get(own, "drift"));
	bool starts = !drifted && !js_bool(op->arguments, "dry_run", false);
	if (!result || (starts && start_run(op, result, err))) {
		json_decref(result);
		return err->code ? err->code : berth_fail_memory(err);
	}
	*ret_result = result;
	if (drifted)
		(void)berth_fail(err, BERTH_E_CONFLICT,
				 "%lld images are not as they were planned: nothing was moved",
				 (long long)drifted);
	return 0; /* with err set: it fails and keeps its result */
}
