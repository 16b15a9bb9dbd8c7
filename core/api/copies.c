/* SPDX-License-Identifier: Apache-2.0 */
/* Starting copies: one by POST /v1/copies, or a rule's run or plan; and what
 * was reported of runs. The operation types are in copy_ops.c.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "api_handlers.h"
#include "core/api/native.h"
#include "core/base/clock.h"
#include "core/base/text.h"

/* What is started: an engine rule, and whose it is. */
struct start {
	const char *kind; /* of the operation */
	const json_t *rule;
	const json_t *targets;      /* of a copy to several; NULL or empty: the rule's */
	const struct sync_rule *of; /* NULL: a copy without a rule */
	const char *only_failed_of;
	const char *started_by; /* NULL: by hand */
	const char *engine;     /* NULL: Berth's own */
	const char *plan;       /* to be applied; NULL: none */
	bool stores;            /* the plan is kept */
	bool only_compares;     /* it is not run, whatever comes out */
};

static bool add_lock(json_t *locks, const json_t *to)
{
	const char *path = js_str(to, "repository", js_str(to, "prefix", ""));

	return !json_array_append_new(
		locks, json_pack("s+++", "~target/", js_str(to, "instance", ""), "/", path));
}

/* NULL: no memory. */
static json_t *locks_of(const struct start *s)
{
	json_t *locks AUTO_JSON = json_array();
	const json_t *to;
	size_t i;

	if (!locks || s->only_compares || copy_only_reads(s->kind))
		return STEAL(locks);
	if (!json_array_size(s->targets) && !add_lock(locks, json_object_get(s->rule, "target")))
		return NULL;
	json_array_foreach (s->targets, i, to) {
		if (!add_lock(locks, to))
			return NULL;
	}
	if (s->of && json_array_append_new(locks, json_pack("s+", "sync/", s->of->name)))
		return NULL;
	return STEAL(locks);
}

/* What an operation is made of, and its request, which points into it. */
struct made {
	json_t *arguments, *resources, *locks;
	struct op_request request;
};

static void made_done(struct made *m)
{
	json_decref(m->arguments);
	json_decref(m->resources);
	json_decref(m->locks);
}

/* The arguments that not every copy has. false: no memory. */
static bool put_choices(json_t *arguments, const struct start *s)
{
	if (json_array_size(s->targets) &&
	    json_object_set(arguments, "targets", (json_t *)s->targets))
		return false;
	if (s->only_failed_of && *s->only_failed_of &&
	    json_object_set_new(arguments, "only_failed_of", json_string(s->only_failed_of)))
		return false;
	if (s->plan && *s->plan && json_object_set_new(arguments, "plan", json_string(s->plan)))
		return false;
	if (s->only_compares && json_object_set_new(arguments, "dry_run", json_true()))
		return false;
	if (s->stores && json_object_set_new(arguments, "store", json_true()))
		return false;
	return !s->engine || native_put_arguments(arguments, s->of, s->engine);
}

static int make_request(const struct start *s, struct made *ret, struct berth_error *err)
{
	const char *source = js_str(json_object_get(s->rule, "source"), "instance", "");
	const char *target = js_str(json_object_get(s->rule, "target"), "instance", "");
	char path[128];

	snprintf(path, sizeof(path), "%s%s", s->of ? "/v1/syncs/" : "/v1/copies",
		 s->of ? s->of->name : "");
	ret->arguments = json_pack("{s:O, s:s, s:s, s:s}", "rule", (json_t *)s->rule, "sync",
				   s->of ? s->of->name : "", "source", source, "target", target);
	ret->resources = json_pack("[s]", path);
	ret->locks = locks_of(s);
	if (!ret->arguments || !ret->resources || !ret->locks || !put_choices(ret->arguments, s))
		return berth_fail(err, BERTH_E_NO_MEMORY, "no memory for an operation's arguments");
	ret->request = (struct op_request){.kind = s->kind,
					   .arguments = ret->arguments,
					   .resources = ret->resources,
					   .locks = ret->locks,
					   .integration = target,
					   .joins = s->of != NULL};
	return 0;
}

static int add_run_row(struct daemon_state *d, const struct start *s, const char *id,
		       struct berth_error *err)
{
	struct sync_run row = {
		.id = (char *)id,
		.rule_id = s->of ? s->of->id : (char *)"",
		.rule = s->of ? s->of->name : (char *)"",
		.state = (char *)"pending",
		.totals = (char *)"{}",
		.started_ms = clock_unix_ms(),
		.started_by = (char *)s->started_by,
	};

	return sync_run_put(d->store, &row, err);
}

/* Submits, and notes the run, in one transaction. */
static void start(struct request *q, struct answer *a, const struct start *s)
{
	struct daemon_state *d = request_daemon(q);
	const char *source = js_str(json_object_get(s->rule, "source"), "instance", "");
	const char *target = js_str(json_object_get(s->rule, "target"), "instance", "");
	struct op_submitted done = {.id = ""};
	struct made made CLEANUP(made_done) = {.arguments = NULL};
	struct berth_error err = ERROR_INIT;

	bool has_several = json_array_size(s->targets) > 0;
	if (has_several ? !copy_targets_usable(q, a, source, s->targets)
			: !sync_ends_usable(q, a, source, target))
		return;
	if (make_request(s, &made, &err) || store_begin(d->store, &err)) {
		api_fail(a, &err, NULL);
		return;
	}
	struct store *undo AUTO_UNDO = d->store;
	if (!api_submit_id(q, a, &made.request, &done))
		return;
	if ((!copy_only_reads(s->kind) && !done.joined && add_run_row(d, s, done.id, &err)) ||
	    (s->stores && plan_store_begin(d, s->of, done.id, &err)) ||
	    store_commit(STEAL(undo), &err))
		api_fail(a, &err, NULL);
}

/* Source and target must not be one place. False: answered. */
static bool goes_elsewhere(struct request *q, struct answer *a, const json_t *rule,
			   const json_t *to)
{
	const json_t *from = json_object_get(rule, "source");
	const char *source = js_str(from, "instance", ""), *path = js_str(from, "repository", "");
	const char *tag = js_str(to, "tag", NULL);
	const json_t *only = json_array_get(json_object_get(rule, "tags"), 0);
	bool same_tag = !tag || (only && !strcmp(json_string_value(only), tag)), is_same = false;
	struct berth_error err = ERROR_INIT;

	if (strcmp(path, js_str(to, "repository", "")) != 0 || !same_tag)
		return true;
	if (sync_same_registry(request_daemon(q), source, js_str(to, "instance", ""), &is_same,
			       &err))
		api_fail(a, &err, NULL);
	else if (is_same)
		api_refuse(a, 409, "copy-onto-itself", NULL,
			   "source and target are the same place: %s/%s", source, path);
	return !err.code && !is_same;
}

/* The rule is right, with each of its targets. */
static bool is_copy_right(struct request *q, struct answer *a, const json_t *rule,
			  const json_t *targets, struct findings *f)
{
	const json_t *to;
	size_t i;

	if (!copy_ends_allowed(q, a, rule, targets))
		return false;
	if (!json_array_size(targets))
		return sync_ends_known(q, a, rule) &&
		       goes_elsewhere(q, a, rule, json_object_get(rule, "target")) &&
		       engine_rule_is_right(rule, f);
	if (!copy_targets_known(q, a, targets) || !sync_ends_known(q, a, rule))
		return false;
	json_array_foreach (targets, i, to) {
		if (!goes_elsewhere(q, a, rule, to))
			return false;
	}
	return engine_rules_are_right(rule, targets, f);
}

void api_copies_create(struct request *q, struct answer *a)
{
	struct findings f = {.answer = a};
	json_t *targets AUTO_JSON = NULL;

	if (api_resumed(q, a))
		return;
	json_t *rule AUTO_JSON = copy_engine_rule(request_body(q), &targets, &f);
	if (!rule || !is_copy_right(q, a, rule, targets, &f))
		return;
	struct start s = {.kind = request_dry_run(q) ? "copy-plan" : "copy",
			  .rule = rule,
			  .targets = targets};
	start(q, a, &s);
}

/* The engine's rule of a stored one, whose object *ret_desired is; NULL: answered. */
static json_t *rule_of_row(struct answer *a, const struct sync_rule *row, json_t **ret_desired,
			   json_t **ret_targets)
{
	struct findings f = {.answer = a};
	struct berth_error err = ERROR_INIT;

	if (!api_parse(row->desired, ret_desired, &err))
		return sync_engine_rule(*ret_desired, ret_targets, &f);
	api_fail(a, &err, NULL);
	return NULL;
}

/* Starts what only looks at a rule's two ends. */
static void start_reading(struct request *q, struct answer *a, const char *kind)
{
	struct sync_rule row AUTO_SYNC_RULE = {.id = NULL};
	json_t *desired AUTO_JSON = NULL, *targets AUTO_JSON = NULL;

	if (api_resumed(q, a) || !sync_of_route(q, a, &row))
		return;
	json_t *rule AUTO_JSON = rule_of_row(a, &row, &desired, &targets);
	struct start s = {.kind = kind,
			  .rule = rule,
			  .targets = targets,
			  .of = &row,
			  .engine = js_str(desired, "engine", NULL),
			  .stores = js_bool(request_body(q), "store", false)};
	if (rule)
		start(q, a, &s);
}

void api_syncs_plan(struct request *q, struct answer *a)
{
	start_reading(q, a, "copy-plan");
}

void api_syncs_verify(struct request *q, struct answer *a)
{
	start_reading(q, a, "copy-verify");
}

/* --- what failed, alone --- */

/* The list goes to the job in one frame: what does not fit is for another time. */
#define FAILED_MAX 500
#define FAILED_MAX_BYTES 32768

struct failed {
	json_t *images;
	json_t *instances; /* a set: of which targets */
	size_t byte_count;
	bool has_repository; /* a whole one failed, whose images nobody has listed */
};

static int add_failed(void *user, const void *row, struct berth_error *err)
{
	const struct sync_outcome *it = row;
	struct failed *f = user;
	struct reference of = {.integration = ""};
	struct berth_error ignored = ERROR_INIT;
	const json_t *one;
	size_t i;

	if (reference_parse(it->source, &of, &ignored))
		return 0;
	char *instance AUTO_FREE = strndup(it->target, strcspn(it->target, "/"));
	if (!instance || json_object_set_new(f->instances, instance, json_true()))
		return berth_fail_memory(err);
	/* A referrer without a tag goes with its subject. */
	if (!*of.tag && !*of.digest && !*it->digest)
		f->has_repository = true;
	if (!*of.tag)
		return 0;
	char *image AUTO_FREE = text_printf("%s:%s", of.repository, of.tag);
	if (!image)
		return berth_fail_memory(err);
	/* It may have failed at several targets. */
	json_array_foreach (f->images, i, one)
		if (!strcmp(json_string_value(one), image))
			return 0;
	f->byte_count += strlen(of.repository) + strlen(of.tag) + 4;
	if (json_array_size(f->images) == FAILED_MAX || f->byte_count > FAILED_MAX_BYTES)
		return 0;
	return json_array_append_new(f->images, json_string(image)) ? berth_fail_memory(err) : 0;
}

static void put_only(json_t *rule, json_t *images)
{
	static const char *const choices[] = {"names",        "exclude", "tags",
					      "exclude_tags", "semver",  "newest"};

	json_object_set(rule, "only", images);
	for (size_t i = 0; i < ARRAY_COUNT(choices); i++)
		json_object_del(rule, choices[i]);
}

/* Of several targets those where something failed. One alone is the rule's own, then;
 * none, since the rule's are others by now: all that it has. */
static void narrow_targets(json_t *rule, json_t **targets, const json_t *instances)
{
	json_t *kept = json_array(), *one;
	size_t i;

	json_array_foreach (*targets, i, one)
		if (json_object_get(instances, js_str(one, "instance", "")))
			json_array_append(kept, one);
	if (json_array_size(kept) == 1)
		json_object_set(rule, "target", json_array_get(kept, 0));
	if (json_array_size(kept)) {
		json_decref(*targets);
		*targets = json_array_size(kept) > 1 ? json_incref(kept) : NULL;
	}
	json_decref(kept);
}

/* Narrows a rule to the images that failed in that run, and to where: chosen then,
 * whatever the rule would choose now. Where a target failed as a whole, all of the rule is
 * to be done, and what is there is not moved again. */
static bool narrow_to_failed(struct request *q, struct answer *a, const struct sync_rule *of,
			     const char *run_id, json_t *rule, json_t **targets)
{
	struct daemon_state *d = request_daemon(q);
	const struct store_value values[] = {V_TEXT(run_id)};
	struct store_page page = {.within = "run_id = ? AND state IN ('failed', 'cancelled')",
				  .within_values = values,
				  .within_count = 1};
	struct sync_run run AUTO_SYNC_RUN = {.id = NULL};
	json_t *images AUTO_JSON = json_array(), *instances AUTO_JSON = json_object();
	struct failed f = {.images = images, .instances = instances};
	struct berth_error err = ERROR_INIT;
	char hint[HINT_ROOM];

	int code = sync_run_of(d, of, run_id, &run, &err);
	if (!code)
		code = api_each(d->store, &sync_outcomes_table, &page, add_failed, &f, &err);
	bool has_any = f.has_repository || json_array_size(images) > 0;
	if (!f.has_repository)
		put_only(rule, images);
	narrow_targets(rule, targets, instances);
	if (code)
		api_fail(a, &err, "berthctl sync list");
	if (!code && !has_any) {
		snprintf(hint, sizeof(hint), "berthctl sync run %s", of->name);
		api_refuse(a, 409, "run-has-no-failures", hint, "nothing failed in run %s", run_id);
	}
	return !code && has_any;
}

int copy_start_run(struct daemon_state *d, const struct sync_rule *of, const struct run_cause *why,
		   char *ret_id, struct berth_error *err)
{
	struct findings f = {.answer = NULL};
	struct made made CLEANUP(made_done) = {.arguments = NULL};
	struct op_submitted done = {.id = ""};
	json_t *desired AUTO_JSON = NULL, *targets AUTO_JSON = NULL;

	if (api_parse(of->desired, &desired, err))
		return err->code;
	json_t *rule AUTO_JSON = sync_engine_rule(desired, &targets, &f);
	if (!rule && !f.count)
		return berth_fail_memory(err);
	if (!rule)
		return berth_fail(err, BERTH_E_INVALID, "copy rule %s is no longer right",
				  of->name);
	struct start s = {.kind = "sync-run",
			  .rule = rule,
			  .targets = targets,
			  .of = of,
			  .engine = js_str(desired, "engine", NULL),
			  .started_by = why->started_by};
	if (make_request(&s, &made, err))
		return err->code;
	made.request.user_name = why->by ? why->by->user_name : "berthd";
	made.request.request_id = why->by ? why->by->request_id : why->started_by;
	made.request.uid = why->by ? why->by->uid : getuid();
	int code = ops_submit(d->ops, &made.request, &done, err);
	memcpy(ret_id, done.id, UUID_ROOM);
	return code || done.joined ? code : add_run_row(d, &s, done.id, err);
}

void api_sync_runs_create(struct request *q, struct answer *a)
{
	struct sync_rule row AUTO_SYNC_RULE = {.id = NULL};
	const char *run_id = js_str(request_body(q), "only_failed_of", NULL);
	const char *plan_id = js_str(request_body(q), "plan", NULL);
	json_t *desired AUTO_JSON = NULL, *targets AUTO_JSON = NULL;
	char hint[HINT_ROOM];

	if (api_resumed(q, a) || !sync_of_route(q, a, &row))
		return;
	if (!row.is_enabled) {
		snprintf(hint, sizeof(hint), "berthctl sync edit %s --enable", row.name);
		api_refuse(a, 409, "sync-disabled", hint, "copy rule %s is disabled", row.name);
		return;
	}
	json_t *rule AUTO_JSON = rule_of_row(a, &row, &desired, &targets);
	if (!rule || (run_id && !narrow_to_failed(q, a, &row, run_id, rule, &targets)) ||
	    (plan_id && !plan_is_appliable(q, a, &row, plan_id)))
		return;
	struct start s = {.kind = plan_id              ? "plan-apply"
				  : request_dry_run(q) ? "copy-plan"
						       : "sync-run",
			  .only_compares = plan_id && request_dry_run(q),
			  .rule = rule,
			  .targets = targets,
			  .of = &row,
			  .engine = js_str(desired, "engine", NULL),
			  .only_failed_of = run_id,
			  .plan = plan_id};
	start(q, a, &s);
}

/* --- what was reported --- */

static int show_run(struct daemon_state *d, const struct sync_run *it, json_t **ret,
		    struct berth_error *err)
{
	json_t *totals = NULL;
	const char *state = it->state;
	const struct operation *op = ops_find(d->ops, it->id);

	if (api_parse(it->totals, &totals, err))
		return err->code;
	if (op)
		state = op_state_name(op->state);
	else if (!it->ended_ms)
		state = "interrupted";
	*ret = json_pack("{s:s, s:s, s:s, s:s, s:s, s:o}", "id", it->id, "operation", it->id,
			 "sync", it->rule, "state", state, "started_by", it->started_by, "totals",
			 totals);
	if (!*ret)
		return berth_fail_memory(err);
	js_put_time(*ret, "started_at", it->started_ms);
	js_put_time(*ret, "ended_at", it->ended_ms);
	return 0;
}

static int show_run_row(struct request *q, const void *row, json_t **ret, struct berth_error *err)
{
	return show_run(request_daemon(q), row, ret, err);
}

struct last {
	struct daemon_state *d;
	json_t *run;
};

static int take_last(void *user, const void *row, struct berth_error *err)
{
	struct last *l = user;

	return show_run(l->d, row, &l->run, err);
}

int sync_last_run(struct daemon_state *d, const char *rule_id, json_t **ret,
		  struct berth_error *err)
{
	const struct store_value values[] = {V_TEXT(rule_id)};
	struct store_page page = {.within = "rule_id = ?",
				  .within_values = values,
				  .within_count = 1,
				  .tail = "ORDER BY started_ms DESC LIMIT 1"};
	struct last l = {.d = d};
	int code = store_list(d->store, &sync_runs_table, &page, take_last, &l, NULL, err);

	*ret = l.run;
	return code;
}

void api_sync_runs_list(struct request *q, struct answer *a)
{
	struct sync_rule row AUTO_SYNC_RULE = {.id = NULL};

	if (!sync_of_route(q, a, &row))
		return;
	const struct store_value values[] = {V_TEXT(row.id)};
	struct api_collection of_one = {.table = &sync_runs_table,
					.noun = "run",
					.within = "rule_id = ?",
					.within_values = values,
					.within_count = 1,
					.show = show_run_row};
	api_list(&of_one, q, a);
}

int sync_run_of(struct daemon_state *d, const struct sync_rule *of, const char *id,
		struct sync_run *ret, struct berth_error *err)
{
	int code = sync_run_get(d->store, id, ret, err);

	if (code || !of || !strcmp(ret->rule_id, of->id))
		return code;
	return berth_fail(err, BERTH_E_NOT_FOUND, "copy rule %s has no run %s", of->name, id);
}

/* A run with its first outcomes. */
static void answer_run(struct request *q, struct answer *a, const struct sync_rule *of)
{
	struct daemon_state *d = request_daemon(q);
	struct sync_run row AUTO_SYNC_RUN = {.id = NULL};
	struct berth_error err = ERROR_INIT;
	json_t *shown = NULL, *outcomes = NULL;

	if (sync_run_of(d, of, request_param(q, "id"), &row, &err) ||
	    copy_outcomes(d, row.id, &outcomes, &err) || show_run(d, &row, &shown, &err)) {
		json_decref(outcomes);
		api_fail(a, &err, "berthctl sync list");
		return;
	}
	json_object_set_new(shown, "outcomes", outcomes);
	json_t *desired AUTO_JSON = json_incref(shown);
	answer_resource(a, q, shown, desired, 0);
}

void api_sync_runs_get(struct request *q, struct answer *a)
{
	struct sync_rule rule AUTO_SYNC_RULE = {.id = NULL};

	if (sync_of_route(q, a, &rule))
		answer_run(q, a, &rule);
}

void api_copies_get(struct request *q, struct answer *a)
{
	if (copy_is_seen(q, a))
		answer_run(q, a, NULL);
}
