/* SPDX-License-Identifier: Apache-2.0 */
/* Calling plugins: see backend.h. Every call goes through begin and end, which
 * set the deadline and the board, judge the items, and turn what came back
 * into an error that can be shown.
 */
#include "core/worker/backend.h"

#include <string.h>

#include "core/base/clock.h"
#include "core/base/js.h"
#include "core/base/log.h"
#include "core/base/text.h"
#include "core/worker/child.h"
#include "core/worker/host.h"
#include "core/worker/instance.h"
#include "core/worker/plugins.h"

struct backend {
	struct job *job;
	const struct plugin *plugin;
	struct instance instance;
	void *self;
	bool is_dry; /* beside the job's own flag */
};

/* One call. host.c finds the job through berth_call.core. */
struct calling {
	struct host_call host;
	struct berth_call call;
	struct berth_sink sink; /* what the plugin sees */
	const struct backend_sink *to;
	struct berth_error said;    /* by the plugin */
	struct berth_error refused; /* an item, by us */
	uint64_t started_ms;
	uint32_t item_count;
	const char *slot;
};

int backend_item_to_job(void *user, const struct berth_item *item, json_t *more,
			struct berth_error *err)
{
	AUTO_JSON json_t *o = json_pack("{s:s}", "kind", item_kind_name(item->kind));
	if (!o)
		return berth_fail_memory(err);
	js_put_str(o, "id", item->id);
	js_put_str(o, "name", item->name);
	js_put_str(o, "digest", item->digest);
	if (item->bytes)
		json_object_set_new(o, "bytes", json_integer((json_int_t)item->bytes));
	if (item->updated_ms)
		json_object_set_new(o, "updated_ms", json_integer(item->updated_ms));
	if (more)
		json_object_set(o, "more", more);
	return job_item(user, o, err);
}

static int put(struct berth_sink *sink, const struct berth_item *given)
{
	struct calling *c =
		(struct calling *)(void *)((char *)sink - offsetof(struct calling, sink));
	const struct settings *settings = job_settings(c->host.job);
	struct berth_item item;
	AUTO_JSON json_t *more = NULL;
	if (c->refused.code)
		return c->refused.code;
	if (c->item_count++ >= settings->jobs.items_max)
		c->refused.code = berth_fail(&c->refused, BERTH_E_LIMIT, "more than %u items",
					     settings->jobs.items_max);
	else
		c->refused.code = item_check(given, &item, &more, &c->refused);
	if (!c->refused.code && c->to)
		c->refused.code = c->to->put(c->to->user, &item, more, &c->refused);
	return c->refused.code;
}

void backend_set_dry(struct backend *b, bool is_dry)
{
	b->is_dry = is_dry;
}

static void name_call(struct backend *b, const char *slot)
{
	struct board *board = job_board(b->job);
	if (slot)
		snprintf(board->call, sizeof board->call, "%s of plugin %s", slot,
			 b->plugin->head.name);
	else
		board->call[0] = 0;
}

static int lack(const struct backend *b, const char *slot, struct berth_error *err)
{
	return berth_fail(err, BERTH_E_UNSUPPORTED, "plugin %s does not support %s",
			  b->plugin->head.name, slot);
}

static int begin(struct calling *c, struct backend *b, const char *slot,
		 const struct backend_sink *to, struct berth_error *err)
{
	int stopped = job_cancelled(b->job);
	if (stopped)
		return berth_fail(err, stopped, "%s of '%s' was not started: the job is over", slot,
				  b->instance.name);
	bool is_dry = b->is_dry || js_bool(job_args(b->job), "dry_run", false);
	*c = (struct calling){
		.host = {.job = b->job, .instance = &b->instance},
		.call = {.size = sizeof c->call,
			 .flags = is_dry ? BERTH_CALL_DRY_RUN : 0,
			 .deadline_ms = job_deadline_ms(b->job)},
		.sink = {.size = sizeof c->sink, .put = put},
		.to = to,
		.said = ERROR_INIT,
		.refused = ERROR_INIT,
		.started_ms = clock_monotonic_ms(),
		.slot = slot,
	};
	c->call.id = job_id(b->job);
	c->call.core = &c->host;
	name_call(b, slot);
	return 0;
}

/* A plugin's error struct is text from outside: it may lack an end, a reason,
 * or a code that we know. */
static void tidy(struct berth_error *e, int code, struct backend *b, const char *slot)
{
	e->message[sizeof e->message - 1] = 0;
	e->cause[sizeof e->cause - 1] = 0;
	text_blank_controls(e->message);
	text_trim_utf8(e->message);
	text_blank_controls(e->cause);
	text_trim_utf8(e->cause);
	log_mask(e->message);
	log_mask(e->cause);
	e->code = code;
	if (!e->message[0])
		snprintf(e->message, sizeof e->message, "plugin %s gave no reason",
			 b->plugin->head.name);
	if (code > 0 || code < BERTH_E_ADDRESS)
		berth_fail(e, BERTH_E_PROTOCOL, "plugin %s answered %s with the unknown code %d",
			   b->plugin->head.name, slot, code);
}

/* Closed, not found and not allowed are one answer where addresses are not to be looked
 * around in: an integration of a workspace's own. */
static void hush(const struct instance *i, struct berth_error *err)
{
	bool has_no_answer = err->code == BERTH_E_UNAVAILABLE && err->from == BERTH_FROM_CURL;
	if (!i->policy.is_quiet || (!has_no_answer && err->code != BERTH_E_ADDRESS))
		return;
	berth_fail(err, BERTH_E_UNAVAILABLE,
		   "no connection to the registry of '%s': nothing answers there, or its address "
		   "is not one that a workspace may use",
		   i->name);
	err->from = BERTH_FROM_CURL;
}

static int end(struct calling *c, struct backend *b, int code, struct berth_error *err)
{
	int stopped = job_cancelled(b->job);
	name_call(b, NULL);
	log_debug("plugin=%s instance=%s call=%s code=%d items=%u ms=%llu", b->plugin->head.name,
		  b->instance.name, c->slot, code, c->item_count,
		  (unsigned long long)(clock_monotonic_ms() - c->started_ms));
	if (c->refused.code) {
		*err = c->refused;
		return berth_wrap(err, "%s of '%s' was stopped", c->slot, b->instance.name);
	}
	if (!code)
		return 0;
	tidy(&c->said, code, b, c->slot);
	*err = c->said;
	hush(&b->instance, err);
	/* A call that gave up because it was told to is named by what told it. */
	if (stopped && (err->code == BERTH_E_CANCELLED || err->code == BERTH_E_TIMEOUT))
		err->code = stopped;
	return err->code;
}

bool backend_can(const struct backend *b, const char *table, const char *slot)
{
	for (const struct plugin_slot *s = plugin_slots; s->table; s++)
		if (!strcmp(s->table, table) && !strcmp(s->name, slot))
			return plugin_has(b->plugin, s);
	return false;
}

int backend_allow_address(void *user, const void *sockaddr, uint32_t byte_count)
{
	struct backend *b = user;
	struct berth_error err = ERROR_INIT;
	return policy_check(&b->instance.policy, sockaddr, byte_count, &err);
}

const char *backend_option(const struct backend *b, const char *key)
{
	return instance_option(&b->instance, key);
}

static int open_self(struct backend *b, struct berth_error *err)
{
	struct berth_error said = ERROR_INIT;
	name_call(b, "open");
	int code = b->plugin->head.open(&host_vtable, &b->instance, &b->self, &said);
	name_call(b, NULL);
	if (!code)
		return 0;
	tidy(&said, code, b, "open");
	*err = said;
	return err->code;
}

int backend_open(struct job *j, const char *instance, struct backend **ret, struct berth_error *err)
{
	json_t *document = (json_t *)(uintptr_t)job_instance(j, instance);
	struct net_limits limits;
	const char *name = json_string_value(json_object_get(document, "plugin"));
	if (!name)
		return berth_fail(err, BERTH_E_PROTOCOL, "the call names no instance '%.60s'",
				  instance);
	struct backend *b = calloc(1, sizeof *b);
	if (!b)
		return berth_fail_memory(err);
	b->job = j;
	job_net_limits(j, &limits);
	int code = plugin_set_find(job_plugins(j), name, &b->plugin, err);
	if (!code)
		code = instance_init(&b->instance, instance, b->plugin, document, &limits, err);
	if (code) {
		free(b);
		return code;
	}
	code = open_self(b, err);
	if (code) {
		instance_done(&b->instance);
		free(b);
		return code;
	}
	*ret = b;
	return 0;
}

void backend_close(struct backend *b)
{
	if (!b)
		return;
	name_call(b, "close");
	b->plugin->head.close(b->self);
	name_call(b, NULL);
	instance_done(&b->instance);
	free(b);
}

/* begin, the slot with its arguments, end: the form that all calls share. */
#define CALL(table, slot, to, ...)                                                                 \
	struct calling c;                                                                          \
	if (!b->plugin->table.slot)                                                                \
		return lack(b, #slot, err);                                                        \
	int code = begin(&c, b, #slot, to, err);                                                   \
	if (code)                                                                                  \
		return code;                                                                       \
	code = b->plugin->table.slot(b->self, &c.call, __VA_ARGS__, &c.said);                      \
	return end(&c, b, code, err)

int backend_probe(struct backend *b, const char *scope_json, const struct backend_sink *to,
		  struct berth_error *err)
{
	CALL(integration, probe, to, scope_json, &c.sink);
}

int backend_overview(struct backend *b, const struct backend_sink *to, struct berth_error *err)
{
	CALL(integration, overview, to, &c.sink);
}

int backend_spaces(struct backend *b, const struct backend_sink *to, struct berth_error *err)
{
	CALL(integration, spaces, to, &c.sink);
}

int backend_space_create(struct backend *b, const char *space, const char *space_json,
			 const struct backend_sink *to, struct berth_error *err)
{
	CALL(integration, space_create, to, space, space_json, &c.sink);
}

int backend_space_update(struct backend *b, const char *space, const char *space_json,
			 const struct backend_sink *to, struct berth_error *err)
{
	CALL(integration, space_update, to, space, space_json, &c.sink);
}

int backend_space_delete(struct backend *b, const char *space, struct berth_error *err)
{
	CALL(integration, space_delete, NULL, space);
}

int backend_repositories(struct backend *b, const char *space, const struct backend_sink *to,
			 struct berth_error *err)
{
	CALL(integration, repositories, to, space, &c.sink);
}

int backend_tags(struct backend *b, const char *repository, const struct backend_sink *to,
		 struct berth_error *err)
{
	CALL(integration, tags, to, repository, &c.sink);
}

int backend_resolve(struct backend *b, const char *space, const struct backend_sink *to,
		    struct berth_error *err)
{
	CALL(integration, resolve, to, space, &c.sink);
}

int backend_artifact(struct backend *b, const char *repository, const char *reference,
		     const struct backend_sink *to, struct berth_error *err)
{
	CALL(integration, artifact, to, repository, reference, &c.sink);
}

int backend_tag_delete(struct backend *b, const char *repository, const char *tag,
		       struct berth_error *err)
{
	CALL(integration, tag_delete, NULL, repository, tag);
}

int backend_artifact_delete(struct backend *b, const char *repository, const char *digest,
			    struct berth_error *err)
{
	CALL(integration, artifact_delete, NULL, repository, digest);
}

int backend_repository_delete(struct backend *b, const char *repository,
			      const struct backend_sink *to, struct berth_error *err)
{
	CALL(integration, repository_delete, to, repository, &c.sink);
}

int backend_describe(struct backend *b, const char *repository, const char *text,
		     struct berth_error *err)
{
	CALL(integration, describe, NULL, repository, text);
}

int backend_login_create(struct backend *b, const char *request_json, const struct backend_sink *to,
			 struct berth_error *err)
{
	CALL(integration, login_create, to, request_json, &c.sink);
}

int backend_login_list(struct backend *b, const char *prefix, const struct backend_sink *to,
		       struct berth_error *err)
{
	CALL(integration, login_list, to, prefix, &c.sink);
}

int backend_login_revoke(struct backend *b, const char *id, struct berth_error *err)
{
	CALL(integration, login_revoke, NULL, id);
}

int backend_retention_get(struct backend *b, const char *space, const struct backend_sink *to,
			  struct berth_error *err)
{
	CALL(integration, retention_get, to, space, &c.sink);
}

int backend_retention_set(struct backend *b, const char *space, const char *rules_json,
			  struct berth_error *err)
{
	CALL(integration, retention_set, NULL, space, rules_json);
}

int backend_retention_run(struct backend *b, const char *space, const struct backend_sink *to,
			  struct berth_error *err)
{
	CALL(integration, retention_run, to, space, &c.sink);
}

int backend_retention_runs(struct backend *b, const char *space, const char *run_id,
			   const struct backend_sink *to, struct berth_error *err)
{
	CALL(integration, retention_runs, to, space, run_id, &c.sink);
}

int backend_maintain(struct backend *b, const char *action, const char *arguments_json,
		     const struct backend_sink *to, struct berth_error *err)
{
	CALL(integration, maintain, to, action, arguments_json, &c.sink);
}

int backend_lifecycle_apply(struct backend *b, const char *spec_json, const struct backend_sink *to,
			    struct berth_error *err)
{
	CALL(lifecycle, apply, to, spec_json, &c.sink);
}

int backend_lifecycle_remove(struct backend *b, const char *spec_json,
			     const struct backend_sink *to, struct berth_error *err)
{
	CALL(lifecycle, remove, to, spec_json, "{}", &c.sink);
}

int backend_lifecycle_status(struct backend *b, const char *spec_json,
			     const struct backend_sink *to, struct berth_error *err)
{
	CALL(lifecycle, status, to, spec_json, &c.sink);
}

int backend_oci_endpoint(struct backend *b, const char *repository, struct berth_oci_endpoint *ret,
			 struct berth_error *err)
{
	*ret = (struct berth_oci_endpoint){.size = sizeof *ret};
	CALL(integration, oci_endpoint, NULL, repository, ret);
}

int backend_scan_scanners(struct backend *b, const struct backend_sink *to, struct berth_error *err)
{
	CALL(scan, scanners, to, &c.sink);
}

int backend_scan_start(struct backend *b, const char *target_json, const struct backend_sink *to,
		       struct berth_error *err)
{
	CALL(scan, start, to, target_json, &c.sink);
}

int backend_scan_status(struct backend *b, const char *target_json, const struct backend_sink *to,
			struct berth_error *err)
{
	CALL(scan, status, to, target_json, &c.sink);
}

int backend_scan_stop(struct backend *b, const char *target_json, struct berth_error *err)
{
	CALL(scan, stop, NULL, target_json);
}

int backend_scan_report(struct backend *b, const char *target_json, const struct backend_sink *to,
			struct berth_error *err)
{
	CALL(scan, report, to, target_json, &c.sink);
}

int backend_scan_log(struct backend *b, const char *target_json, const struct backend_sink *to,
		     struct berth_error *err)
{
	CALL(scan, log, to, target_json, &c.sink);
}

int backend_scan_configure(struct backend *b, const char *settings_json, struct berth_error *err)
{
	CALL(scan, configure, NULL, settings_json);
}

bool backend_can_replicate(const struct backend *b)
{
	const struct berth_sync_ops *ops = &b->plugin->sync;

	return ops->plan && ops->prepare && ops->run && ops->status && ops->cancel && ops->log &&
	       ops->remove;
}

int backend_sync_plan(struct backend *b, const struct backend_sync_ends *of,
		      const struct backend_sink *to, struct berth_error *err)
{
	CALL(sync, plan, to, of->rule_json, of->peer_json, &c.sink);
}

int backend_sync_prepare(struct backend *b, const struct backend_sync_ends *of,
			 const struct backend_sink *to, struct berth_error *err)
{
	CALL(sync, prepare, to, of->rule_json, of->peer_json, &c.sink);
}

int backend_sync_run(struct backend *b, const char *id, const struct backend_sink *to,
		     struct berth_error *err)
{
	CALL(sync, run, to, id, &c.sink);
}

int backend_sync_status(struct backend *b, const char *run_id, const struct backend_sink *to,
			struct berth_error *err)
{
	CALL(sync, status, to, run_id, &c.sink);
}

int backend_sync_cancel(struct backend *b, const char *run_id, struct berth_error *err)
{
	CALL(sync, cancel, NULL, run_id);
}

int backend_sync_log(struct backend *b, const char *run_id, const char *task_id,
		     const struct backend_sink *to, struct berth_error *err)
{
	CALL(sync, log, to, run_id, task_id, &c.sink);
}

int backend_sync_remove(struct backend *b, const char *id, struct berth_error *err)
{
	CALL(sync, remove, NULL, id);
}
