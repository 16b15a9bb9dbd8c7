/* SPDX-License-Identifier: Apache-2.0 */
/* House-keeping: read-only switch, garbage collection, its history and logs. One table
 * of actions; a name that is not in it is unsupported.
 */
#include "harbor.h"

#include <stdio.h>
#include <string.h>

#include "core/base/js.h"
#include "core/base/text.h"

struct action {
	struct harbor *h;
	const json_t *arguments;
	struct berth_sink *sink;
	bool dry_run;
};

static int read_only(struct action *a, struct berth_error *err)
{
	AUTO_JSON json_t *now = NULL, *body = NULL;
	const json_t *on = json_object_get(a->arguments, "on");
	int r = harbor_get(a->h, "/api/v2.0/configurations", &now, err);
	if (r)
		return r;
	const json_t *setting = json_object_get(now, "read_only");
	if (!json_is_boolean(on) || a->dry_run)
		return remote_give_fact(a->sink, "read_only",
					json_boolean(js_bool(setting, "value", false)), err);
	if (!js_bool(setting, "editable", true))
		return berth_fail(err, BERTH_E_UNSUPPORTED,
				  "Harbor's settings are fixed by its own configuration "
				  "(CONFIG_OVERWRITE_JSON)");
	body = json_pack("{s:b}", "read_only", json_is_true(on));
	r = harbor_do(a->h, "PUT", "/api/v2.0/configurations", body, err);
	return r ? r : remote_give_fact(a->sink, "read_only", json_boolean(json_is_true(on)), err);
}

int harbor_check_cron(const char *cron, struct berth_error *err)
{
	size_t fields = 0;
	for (const char *p = cron; *p;) {
		p += strspn(p, " ");
		fields += *p != 0;
		p += strcspn(p, " ");
	}
	if (fields != 6 || strncmp(cron, "0 ", 2) != 0)
		return berth_fail(err, BERTH_E_INVALID,
				  "schedule '%.60s': Harbor wants six fields, seconds first and 0",
				  cron);
	return 0;
}

static json_t *gc_body(const struct action *a, const char *type, const char *cron)
{
	return json_pack("{s:{s:s, s:s}, s:{s:b, s:b}}", "schedule", "type", type, "cron", cron,
			 "parameters", "delete_untagged",
			 js_bool(a->arguments, "delete_untagged", false), "dry_run", a->dry_run);
}

static int gc_now(struct action *a, struct berth_error *err)
{
	AUTO_REPLY struct reply reply = {0};
	AUTO_JSON json_t *body = gc_body(a, "Manual", "");
	AUTO_JSON json_t *more = json_pack("{s:s, s:b}", "state", "running", "dry_run", a->dry_run);
	struct ask ask = {.method = "POST", .path = "/api/v2.0/system/gc/schedule", .body = body};
	int r = harbor_ask(a->h, &ask, &reply, err);
	const char *id = r || !reply.location ? NULL : strrchr(reply.location, '/');
	if (!r && !id)
		return berth_fail(err, BERTH_E_PROTOCOL, "POST %s: no Location of the run",
				  ask.path);
	return r ? r
		 : remote_give(a->sink,
			       &(struct give){.kind = BERTH_ITEM_RUN, .id = id + 1, .more = more},
			       err);
}

/* PUT with type None removes; the first schedule of an instance is a POST. */
static int gc_schedule(struct action *a, const char *cron, struct berth_error *err)
{
	AUTO_REPLY struct reply now = {0};
	AUTO_JSON json_t *body = gc_body(a, *cron ? "Custom" : "None", cron);
	int r = *cron ? harbor_check_cron(cron, err) : 0;
	if (!r)
		r = harbor_ask(a->h, &(struct ask){.path = "/api/v2.0/system/gc/schedule"}, &now,
			       err);
	if (!r && !a->dry_run)
		r = harbor_do(a->h, now.json ? "PUT" : "POST", "/api/v2.0/system/gc/schedule", body,
			      err);
	return r ? r : remote_give_fact(a->sink, "schedule", json_string(cron), err);
}

static int gc(struct action *a, struct berth_error *err)
{
	const char *cron = js_str(a->arguments, "schedule", NULL);
	return cron ? gc_schedule(a, cron, err) : gc_now(a, err);
}

/* Only what a RUN has: before 2.15 the parameters of a job hold the address of
 * Redis in clear text. */
static int each_gc(void *user, json_t *run, struct berth_error *err)
{
	struct action *a = user;
	char id[24];
	const char *state = harbor_run_state(js_str(run, "job_status", ""));
	bool has_ended = strcmp(state, "running") != 0 && strcmp(state, "queued") != 0;
	AUTO_JSON json_t *more = json_pack("{s:s}", "state", state);
	js_put_str(more, "trigger", js_str(run, "job_kind", NULL));
	js_put_time(more, "started_at", harbor_time(run, "creation_time"));
	js_put_time(more, "ended_at", has_ended ? harbor_time(run, "update_time") : 0);
	snprintf(id, sizeof id, "%lld", (long long)js_int(run, "id", 0));
	return remote_give(a->sink, &(struct give){.kind = BERTH_ITEM_RUN, .id = id, .more = more},
			   err);
}

/* The schedule, empty where there is none, and the runs of before. */
static int gc_history(struct action *a, struct berth_error *err)
{
	AUTO_REPLY struct reply now = {0};
	int r = harbor_ask(a->h, &(struct ask){.path = "/api/v2.0/system/gc/schedule"}, &now, err);
	const char *cron = js_str(json_object_get(now.json, "schedule"), "cron", "");
	if (!r)
		r = remote_give_fact(a->sink, "schedule", json_string(cron), err);
	return r ? r
		 : harbor_pages(a->h, "/api/v2.0/system/gc?sort=-creation_time", each_gc, a, err);
}

/* A run's number; it becomes part of a path. */
static int run_path(const struct action *a, const char *more, char **ret, struct berth_error *err)
{
	const char *run = js_str(a->arguments, "run", "");
	uint64_t number;
	if (!text_parse_u64(run, 1, INT64_MAX, &number))
		return berth_fail(err, BERTH_E_INVALID,
				  "'%.40s' is not the number of a garbage collection", run);
	*ret = text_printf("/api/v2.0/system/gc/%s%s", run, more);
	return *ret ? 0 : berth_fail_memory(err);
}

static int give_gc(struct action *a, struct berth_error *err)
{
	AUTO_FREE char *path = NULL;
	AUTO_JSON json_t *run = NULL;
	int r = run_path(a, "", &path, err);
	if (!r)
		r = harbor_get(a->h, path, &run, err);
	if (r == BERTH_E_NOT_FOUND)
		return berth_wrap(err, "Harbor has no garbage collection %s",
				  js_str(a->arguments, "run", ""));
	return r ? r : each_gc(a, run, err);
}

/* Harbor looks at the request between two blobs; before 2.6 it has no such route (405). */
static int gc_stop(struct action *a, struct berth_error *err)
{
	AUTO_FREE char *path = NULL;
	int r = run_path(a, "", &path, err);
	if (!r && !a->dry_run)
		r = harbor_do(a->h, "PUT", path, NULL, err);
	if (r && err->upstream == 405)
		return berth_fail(err, BERTH_E_UNSUPPORTED,
				  "this Harbor can't stop a garbage collection: 2.6 and newer can");
	return r && r != BERTH_E_NOT_FOUND ? r : give_gc(a, err);
}

static int gc_log(struct action *a, struct berth_error *err)
{
	AUTO_REPLY struct reply reply = {0};
	AUTO_FREE char *path = NULL;
	int r = give_gc(a, err);
	if (!r)
		r = run_path(a, "/log", &path, err);
	if (!r)
		r = harbor_ask(a->h, &(struct ask){.path = path, .is_text = true}, &reply, err);
	return r ? r : harbor_give_log(a->sink, reply.body, err);
}

static const struct {
	const char *name;
	int (*run)(struct action *a, struct berth_error *err);
} actions[] = {
	{"read-only", read_only}, {"gc", gc},         {"gc-history", gc_history},
	{"gc-stop", gc_stop},     {"gc-log", gc_log},
};

int harbor_maintain(void *self, const struct berth_call *call, const char *action,
		    const char *arguments_json, struct berth_sink *sink, struct berth_error *err)
{
	struct harbor *h = self;
	AUTO_JSON json_t *arguments = NULL;
	remote_begin(&h->remote, call);
	int r = ask_argument(arguments_json, &arguments, err);
	if (r)
		return r;
	struct action a = {.h = h,
			   .arguments = arguments,
			   .sink = sink,
			   .dry_run = call->flags & BERTH_CALL_DRY_RUN};
	for (size_t i = 0; i < ARRAY_COUNT(actions); i++)
		if (!strcmp(actions[i].name, action))
			return actions[i].run(&a, err);
	return berth_fail(err, BERTH_E_UNSUPPORTED, "Harbor has no house-keeping named '%.60s'",
			  action);
}
