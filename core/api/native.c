/* SPDX-License-Identifier: Apache-2.0 */
/* Copy rules that a registry's own replication does: see native.h. */
#include "core/api/native.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/api/integration.h"
#include "core/base/clock.h"
#include "core/base/text.h"
#include "core/store/natives.h"
#include "core/store/workspaces.h"

static bool can_replicate(const struct daemon_state *d, const struct integration *row)
{
	static const char *const slots[] = {"plan",   "prepare", "run",   "status",
					    "cancel", "log",     "remove"};
	const json_t *plugin = catalog_find(d, row->kind);

	for (size_t i = 0; i < ARRAY_COUNT(slots); i++)
		if (!catalog_has(plugin, "sync", slots[i]))
			return false;
	return true;
}

/* A rule's two ends; the job asks their plugins which of them replicates. */
struct ends {
	struct integration source, target;
};

static void ends_done(struct ends *e)
{
	integration_done(&e->source);
	integration_done(&e->target);
}
#define AUTO_ENDS CLEANUP(ends_done)

static int get_ends(struct daemon_state *d, const char *source, const char *target,
		    struct ends *ret, struct berth_error *err)
{
	int code = integration_get(d->store, source, &ret->source, err);

	return code ? code : integration_get(d->store, target, &ret->target, err);
}

/* Of a rule as the API has it. */
static int get_ends_of_rule(struct daemon_state *d, const json_t *desired, struct ends *ret,
			    struct berth_error *err)
{
	struct sync_end source, target;
	int code = sync_end_parse(js_str(desired, "source", ""), &source, err);

	if (!code)
		code = sync_end_parse(js_str(desired, "target", ""), &target, err);
	return code ? code : get_ends(d, source.integration, target.integration, ret, err);
}

static int get_ends_of_operation(const struct operation *op, struct ends *ret,
				 struct berth_error *err)
{
	return get_ends(api_daemon(), js_str(op->arguments, "source", ""),
			js_str(op->arguments, "target", ""), ret, err);
}

/* A workspace's integration may reach less than the registry would: Berth's engine alone
 * holds to that. */
static bool are_of_platform(const struct ends *e)
{
	return !strcmp(e->source.scope, PLATFORM_SCOPE) && !strcmp(e->target.scope, PLATFORM_SCOPE);
}

/* A rate that is set for an integration, or for all copies, holds for Berth's engine alone. */
static int find_rate(struct daemon_state *d, const struct ends *e, bool *ret,
		     struct berth_error *err)
{
	const struct integration *const both[] = {&e->source, &e->target};

	*ret = d->settings.copy_limit_bytes_per_s > 0;
	for (size_t i = 0; i < ARRAY_COUNT(both); i++) {
		json_t *desired AUTO_JSON = NULL;
		if (api_parse(both[i]->desired, &desired, err))
			return err->code;
		*ret |= js_int(desired, "limit_bytes_per_s", 0) > 0;
	}
	return 0;
}

/* *ret: why Berth's engine alone can do a rule with these ends, or NULL. */
static int find_obstacle(struct daemon_state *d, const struct ends *e, const char **ret,
			 struct berth_error *err)
{
	bool has_rate = false;

	if (find_rate(d, e, &has_rate, err))
		return err->code;
	*ret = !are_of_platform(e) ? "a workspace's integration is copied by Berth alone"
	       : has_rate ? "a limit of bytes a second is set, which is kept by Berth alone"
			  : NULL;
	return 0;
}

/* A registry's own replication would read the source once for each. */
#define SEVERAL_TARGETS "a rule with several targets is copied by Berth alone"

static const char *engine_of(const json_t *desired)
{
	return js_str(desired, "engine", "berth");
}

int native_check(struct daemon_state *d, const json_t *desired, struct findings *f,
		 struct berth_error *err)
{
	struct ends e AUTO_ENDS = {.source = {.id = NULL}};
	const char *obstacle = NULL;

	if (sync_target_count(desired) > 1) {
		findings_add(f, "/engine", "unsupported", "%s", SEVERAL_TARGETS);
		return 0;
	}
	if (get_ends_of_rule(d, desired, &e, err) || find_obstacle(d, &e, &obstacle, err))
		return err->code;
	if (obstacle)
		findings_add(f, "/engine", "unsupported", "%s", obstacle);
	else if (!can_replicate(d, &e.source) && !can_replicate(d, &e.target))
		findings_add(f, "/engine", "unsupported",
			     "neither %s nor %s is a registry that replicates by itself",
			     e.source.name, e.target.name);
	return 0;
}

static int submit_check(struct request *q, const json_t *arguments, const char *rule,
			const char *integration, char *ret_id, struct berth_error *err)
{
	char user[USER_NAME_ROOM], path[128];
	struct op_submitted done = {.id = ""};

	api_user_name(request_caller(q)->uid, user, sizeof(user));
	snprintf(path, sizeof(path), "/v1/syncs/%s", rule);
	json_t *resources AUTO_JSON = json_pack("[s]", path);
	json_t *locks AUTO_JSON = json_array();
	const struct op_request request = {.kind = "native-check",
					   .arguments = arguments,
					   .resources = resources,
					   .locks = locks,
					   .integration = integration,
					   .user_name = user,
					   .request_id = request_id(q),
					   .uid = request_caller(q)->uid};
	if (ops_submit(request_daemon(q)->ops, &request, &done, err))
		return err->code;
	memcpy(ret_id, done.id, UUID_ROOM);
	return 0;
}

int native_ask(struct request *q, const struct sync_rule *of, const json_t *desired, char *ret_id,
	       struct berth_error *err)
{
	struct ends e AUTO_ENDS = {.source = {.id = NULL}};
	struct findings f = {.answer = NULL}; /* it was found to be right */
	struct berth_error off = ERROR_INIT;

	*ret_id = '\0';
	if (strcmp(engine_of(desired), "native") != 0)
		return 0;
	if (get_ends_of_rule(request_daemon(q), desired, &e, err))
		return err->code;
	if (integration_check_usable(&e.source, false, &off) ||
	    integration_check_usable(&e.target, false, &off))
		return 0;
	json_t *rule AUTO_JSON = sync_engine_rule(desired, NULL, &f);
	json_t *arguments AUTO_JSON =
		json_pack("{s:O?, s:s, s:s, s:s}", "rule", rule, "sync", of->name, "source",
			  e.source.name, "target", e.target.name);
	if (!rule || !arguments || !native_put_arguments(arguments, of, "native"))
		return berth_fail_memory(err);
	return submit_check(q, arguments, of->name, e.target.name, ret_id, err);
}

/* --- the operation of a run or plan --- */

bool native_put_arguments(json_t *arguments, const struct sync_rule *of, const char *engine)
{
	if (!of || !strcmp(engine, "berth"))
		return true;
	return !json_object_set_new(arguments, "engine", json_string(engine)) &&
	       !json_object_set_new(arguments, "rule_id", json_string(of->id));
}

/* The row of a run that this operation began and that has not ended. */
static int find_run(const struct operation *op, struct sync_native *ret, bool *ret_is_there,
		    struct berth_error *err)
{
	const struct store_value id = V_TEXT(op->id);
	struct berth_error why = ERROR_INIT;
	int code =
		store_get(api_daemon()->store, &sync_natives_table,
			  PAGE_OF("operation_id = ? AND run_id <> ''", &id, 1), op->id, ret, &why);

	*ret_is_there = !code;
	if (!code || code == BERTH_E_NOT_FOUND)
		return 0;
	*err = why;
	return code;
}

/* Sets args.follow: the run that an earlier attempt of the operation began, and where. */
static int put_follow(const struct operation *op, json_t *args, struct berth_error *err)
{
	struct sync_native row AUTO_SYNC_NATIVE = {.object_id = NULL};
	struct integration at AUTO_INTEGRATION = {.id = NULL};
	bool is_there = false;

	if (find_run(op, &row, &is_there, err) || !is_there)
		return err->code;
	if (integration_get_by_id(api_daemon()->store, row.integration_id, &at, err))
		return err->code;
	json_t *follow = json_pack("{s:s, s:s, s:s}", "at", at.name, "object", row.object_id, "run",
				   row.run_id);
	return json_object_set_new(args, "follow", follow) ? berth_fail_memory(err) : 0;
}

/* What the rule is called at registries: two daemons may share one, and both have a
 * rule of that name. free(). */
static char *name_there(const json_t *arguments)
{
	return text_printf("%s-%.8s", js_str(arguments, "sync", ""),
			   js_str(arguments, "rule_id", ""));
}

int native_call(struct operation *op, json_t *args, bool *ret_is_native, struct berth_error *err)
{
	const char *engine = js_str(op->arguments, "engine", "berth");
	struct ends e AUTO_ENDS = {.source = {.id = NULL}};
	const char *obstacle = NULL;

	*ret_is_native = false;
	if (!strcmp(engine, "berth"))
		return 0;
	if (json_object_get(op->arguments, "targets"))
		obstacle = SEVERAL_TARGETS;
	else if (get_ends_of_operation(op, &e, err) ||
		 find_obstacle(api_daemon(), &e, &obstacle, err))
		return err->code;
	if (obstacle)
		return strcmp(engine, "native")
			       ? 0
			       : berth_fail(err, BERTH_E_UNSUPPORTED, "%s", obstacle);
	char *name AUTO_FREE = name_there(op->arguments);
	json_t *more AUTO_JSON =
		json_pack("{s:s, s:s*, s:s, s:s}", "engine", engine, "name", name, "source_kind",
			  e.source.kind, "target_kind", e.target.kind);
	if (!name || !more || json_object_update(args, more))
		return berth_fail_memory(err);
	*ret_is_native = true;
	return put_follow(op, args, err);
}

static int submit(const struct sync_native *row, const char *integration, const char *kind,
		  json_t *take_args, struct berth_error *err);

static int remove_at(const struct sync_native *row, struct berth_error *err)
{
	struct integration at AUTO_INTEGRATION = {.id = NULL};

	if (integration_get_by_id(api_daemon()->store, row->integration_id, &at, err))
		return err->code;
	return submit(row, at.name, "native-remove", json_pack("{s:s}", "object", row->object_id),
		      err);
}

static int remove_other(void *user, const void *of, struct berth_error *err)
{
	const struct sync_native *other = of, *row = user;

	if (!strcmp(other->integration_id, row->integration_id) &&
	    !strcmp(other->object_id, row->object_id))
		return 0;
	return remove_at(other, err);
}

int native_item(struct operation *op, const json_t *item, struct berth_error *err)
{
	struct store *s = api_daemon()->store;
	struct integration at AUTO_INTEGRATION = {.id = NULL};

	if (integration_get(s, js_str(json_object_get(item, "more"), "at", ""), &at, err))
		return err->code;
	struct sync_native row = {
		.integration_id = at.id,
		.object_id = (char *)js_str(item, "id", ""),
		.rule_id = (char *)js_str(op->arguments, "rule_id", ""),
		.rule = (char *)js_str(op->arguments, "sync", ""),
		.operation_id = op->id,
		.run_id = (char *)js_str(item, "name", ""),
		.updated_ms = clock_unix_ms(),
	};
	const struct store_value rule = V_TEXT(row.rule_id);
	/* What another registry keeps for the rule, from before it was changed, is wanted no more.
	 */
	if (sync_native_put(s, &row, err))
		return err->code;
	return api_each(s, &sync_natives_table, PAGE_OF("rule_id = ?", &rule, 1), remove_other,
			&row, err);
}

/* Submits work at the registry that nobody asked for by itself. */
static int submit(const struct sync_native *row, const char *integration, const char *kind,
		  json_t *take_args, struct berth_error *err)
{
	struct daemon_state *d = api_daemon();
	struct op_submitted done = {.id = ""};
	char path[128], lock[192];

	snprintf(path, sizeof(path), "/v1/integrations/%s", integration);
	snprintf(lock, sizeof(lock), "%s/%s/%.80s", kind, integration, row->object_id);
	json_t *parts AUTO_JSON = json_pack("{s:{s:s, s:s, s:o}, s:[s], s:[s]}", "arguments", "id",
					    row->integration_id, "name", integration, "args",
					    take_args, "resources", path, "locks", lock);
	if (!parts)
		return berth_fail_memory(err);
	const struct op_request request = {.kind = kind,
					   .arguments = json_object_get(parts, "arguments"),
					   .resources = json_object_get(parts, "resources"),
					   .locks = json_object_get(parts, "locks"),
					   .integration = integration,
					   .user_name = "berthd",
					   .request_id = kind,
					   .uid = getuid()};
	struct berth_error why = ERROR_INIT;
	int code = ops_submit(d->ops, &request, &done, &why);
	if (!code || code == BERTH_E_CONFLICT) /* the same is under way */
		return 0;
	*err = why;
	return code;
}

static int refresh_target(const struct operation *op, struct berth_error *err)
{
	struct integration to AUTO_INTEGRATION = {.id = NULL};
	struct op_request request;
	struct op_submitted done;
	json_t *parts AUTO_JSON = NULL;

	if (integration_get(api_daemon()->store, js_str(op->arguments, "target", ""), &to, err))
		return err->code;
	integration_work(&to, "refresh", &request, &parts);
	request.user_name = op->user_name;
	request.request_id = op->request_id;
	request.uid = op->uid;
	return ops_submit(op->ops, &request, &done, err);
}

int native_ended(struct operation *op, const json_t *value, const struct berth_error *why,
		 struct berth_error *err)
{
	struct sync_native row AUTO_SYNC_NATIVE = {.object_id = NULL};
	struct integration at AUTO_INTEGRATION = {.id = NULL};
	bool is_there = false;

	if (!json_object_get(op->arguments, "engine"))
		return 0;
	if (find_run(op, &row, &is_there, err) || !is_there)
		return err->code;
	if (integration_get_by_id(api_daemon()->store, row.integration_id, &at, err))
		return err->code;
	if (why->code == BERTH_E_CANCELLED &&
	    submit(&row, at.name, "native-stop", json_pack("{s:s}", "run", row.run_id), err))
		return err->code;
	*row.run_id = '\0';
	if (sync_native_put(api_daemon()->store, &row, err))
		return err->code;
	return strcmp(js_str(value, "engine", ""), "native") ? 0 : refresh_target(op, err);
}

/* --- what is kept at registries --- */

/* Is it still what the rule of that id wants? */
static int is_wanted(struct daemon_state *d, const struct sync_native *row, bool *ret,
		     struct berth_error *err)
{
	const struct store_value id = V_TEXT(row->rule_id);
	struct sync_rule rule AUTO_SYNC_RULE = {.id = NULL};
	json_t *desired AUTO_JSON = NULL;
	struct ends e AUTO_ENDS = {.source = {.id = NULL}};

	struct berth_error why = ERROR_INIT;

	*ret = false;
	int code = store_get(d->store, &sync_rules_table, PAGE_OF("id = ?", &id, 1), row->rule,
			     &rule, &why);
	if (code == BERTH_E_NOT_FOUND)
		return 0;
	if (code) {
		*err = why;
		return code;
	}
	if (api_parse(rule.desired, &desired, err))
		return err->code;
	if (!rule.is_enabled || !strcmp(engine_of(desired), "berth") ||
	    sync_target_count(desired) > 1)
		return 0;
	if (get_ends_of_rule(d, desired, &e, err))
		return err->code;
	*ret = !strcmp(e.source.id, row->integration_id) ||
	       !strcmp(e.target.id, row->integration_id);
	return 0;
}

static int clean_row(void *user, const void *of, struct berth_error *err)
{
	bool is_kept = false;

	if (is_wanted(user, of, &is_kept, err) || is_kept)
		return err->code;
	return remove_at(of, err);
}

int native_clean(struct daemon_state *d, const char *integration_id, struct berth_error *err)
{
	const struct store_value id = V_TEXT(integration_id ? integration_id : "");
	const struct store_page of_one = {
		.within = "integration_id = ?", .within_values = &id, .within_count = 1};

	return api_each(d->store, &sync_natives_table, integration_id ? &of_one : NULL, clean_row,
			d, err);
}

int native_removed(struct operation *op, const json_t *value, const struct berth_error *why,
		   json_t **ret_result, struct berth_error *err)
{
	const json_t *args = json_object_get(op->arguments, "args");

	(void)value;
	(void)ret_result;
	if (why->code && why->code != BERTH_E_NOT_FOUND)
		return 0;
	return sync_native_remove(api_daemon()->store, js_str(op->arguments, "id", ""),
				  js_str(args, "object", ""), err);
}

struct shown {
	struct daemon_state *d;
	json_t *status;
};

static int show_row(void *user, const void *of, struct berth_error *err)
{
	const struct sync_native *row = of;
	struct shown *s = user;
	struct integration at AUTO_INTEGRATION = {.id = NULL};

	if (integration_get_by_id(s->d->store, row->integration_id, &at, err))
		return err->code;
	json_t *native = json_pack("{s:s, s:s}", "integration", at.name, "object", row->object_id);
	return json_object_set_new(s->status, "native", native) ? berth_fail_memory(err) : 0;
}

int native_show(struct daemon_state *d, const char *rule_id, json_t *status,
		struct berth_error *err)
{
	const struct store_value id = V_TEXT(rule_id);
	struct shown s = {.d = d, .status = status};

	return api_each(d->store, &sync_natives_table, PAGE_OF("rule_id = ?", &id, 1), show_row, &s,
			err);
}
