/* SPDX-License-Identifier: Apache-2.0 */
/* Jobs on the sync table: a copy rule done by a registry's own replication, made
 * ready, started and followed to its end; where the plugin can't say the rule
 * without loss and the rule leaves the choice, Berth's engine does it in the same
 * job. args: those of a copy, and {"name" (of the rule here, and of no other Berth's
 * rule), "engine", "source_kind", "target_kind",
 * "follow": {"at", "object", "run"} of a run under way}.
 */
#include <string.h>

#include "core/base/clock.h"
#include "core/base/js.h"
#include "core/base/log.h"
#include "core/base/text.h"
#include "core/jobs/kinds.h"
#include "core/transfer/job.h"
#include "core/worker/child.h"

#define PAUSE_FIRST_MS 250
#define PAUSE_MAX_MS 5000
#define LOOK_TRIES 10 /* looks in a row that may fail: the run goes on meanwhile */
#define LOGS_MAX 5    /* logs of failed tasks that are read */

struct native {
	struct job *job;
	struct backend *at, *peer; /* one where the rule stays in an instance */
	const char *at_name, *peer_kind;
	bool is_push;
	struct backend_sync_ends ends;
	char *rule_json, *peer_json;
	char *object_id, *run_id;
	json_t *run;         /* keys of the last RUN */
	json_t *tasks;       /* {id, more} of the last look */
	char last_line[256]; /* of the log that was read last */
	int64_t images, failed, copied;
};

static void native_close(struct native *n)
{
	if (n->peer != n->at)
		backend_close(n->peer);
	backend_close(n->at);
	n->at = n->peer = NULL;
}

static void native_done(struct native *n)
{
	native_close(n);
	free(n->rule_json);
	free(n->peer_json);
	free(n->object_id);
	free(n->run_id);
	json_decref(n->run);
	json_decref(n->tasks);
}
#define AUTO_NATIVE CLEANUP(native_done)

/* --- opened --- */

static bool has_value(const char *text)
{
	return text && *text;
}

/* The other end as its registry's own replication has to know it. */
static json_t *peer_of(const struct native *n)
{
	static const char *const own[] = {"tls_ca", "tls_client_cert", "tls_client_key"};
	const char *verify = backend_option(n->peer, "tls_verify");
	bool own_tls = false;
	for (size_t i = 0; i < ARRAY_COUNT(own); i++)
		own_tls |= has_value(backend_option(n->peer, own[i]));
	json_t *peer = json_pack("{s:s, s:b, s:b}", "kind", n->peer_kind, "tls_verify",
				 !has_value(verify) || !strcmp(verify, "true"), "own_tls", own_tls);
	js_put_str(peer, "address", backend_option(n->peer, "address"));
	js_put_str(peer, "username", backend_option(n->peer, "username"));
	js_put_str(peer, "password", backend_option(n->peer, "password"));
	return peer;
}

/* It is done at the source, which pushes, where that one can, else at the target. Both
 * names live as long as the job. */
static int open_ends(struct native *n, const char *source, const char *target,
		     struct berth_error *err)
{
	const char *followed = js_str(json_object_get(job_args(n->job), "follow"), "at", NULL);
	struct backend *from = NULL, *to = NULL;
	int code = backend_open(n->job, source, &from, err);
	if (!code && !strcmp(source, target))
		to = from;
	else if (!code)
		code = backend_open(n->job, target, &to, err);
	if (code) {
		backend_close(from);
		return code;
	}
	n->is_push = followed ? !strcmp(followed, source) : backend_can_replicate(from);
	n->at = n->is_push ? from : to;
	n->peer = n->is_push ? to : from;
	n->at_name = n->is_push ? source : target;
	n->peer_kind = js_str(job_args(n->job), n->is_push ? "target_kind" : "source_kind", "");
	return 0;
}

static int native_open(struct job *j, struct native *n, struct berth_error *err)
{
	const json_t *given = json_object_get(job_args(j), "rule");
	AUTO_JSON json_t *rule = json_deep_copy(given);
	n->job = j;
	n->tasks = json_array();
	if (!rule || !n->tasks)
		return berth_fail_memory(err);
	if (open_ends(n, js_str(json_object_get(given, "source"), "instance", ""),
		      js_str(json_object_get(given, "target"), "instance", ""), err))
		return err->code;
	js_put_str(rule, "name", js_str(job_args(j), "name", ""));
	json_object_set_new(rule, "push", json_boolean(n->is_push));
	AUTO_JSON json_t *other = peer_of(n);
	n->rule_json = js_text(rule);
	n->peer_json = other ? js_text(other) : NULL;
	n->ends = (struct backend_sync_ends){n->rule_json, n->peer_json};
	return n->rule_json && n->peer_json ? 0 : berth_fail_memory(err);
}

/* *ret_is_native: who does it. Unsupported is an error only where nobody else may. */
static int choose(struct native *n, bool *ret_is_native, struct berth_error *why,
		  struct berth_error *err)
{
	bool is_free = !strcmp(js_str(job_args(n->job), "engine", ""), "auto");
	int code = backend_sync_plan(n->at, &n->ends, NULL, why);
	*ret_is_native = !code;
	if (!code || (code == BERTH_E_UNSUPPORTED && is_free))
		return 0;
	*err = *why;
	return code == BERTH_E_UNSUPPORTED
		       ? berth_wrap(err, "the registry's own replication can't do this rule")
		       : code;
}

/* --- followed --- */

static int set_text(char **to, const char *text, struct berth_error *err)
{
	free(*to);
	*to = strdup(text ? text : "");
	return *to ? 0 : berth_fail_memory(err);
}

static int take(void *user, const struct berth_item *item, json_t *more, struct berth_error *err)
{
	struct native *n = user;
	if (item->kind == BERTH_ITEM_OBJECT)
		return set_text(&n->object_id, item->id, err);
	if (item->kind == BERTH_ITEM_RUN) {
		json_decref(n->run);
		n->run = more ? json_incref(more) : json_object();
		return set_text(&n->run_id, item->id, err);
	}
	if (item->kind != BERTH_ITEM_TASK)
		return 0;
	json_t *task = json_pack("{s:s, s:O?}", "id", item->id ? item->id : "", "more", more);
	return json_array_append_new(n->tasks, task) ? berth_fail_memory(err) : 0;
}

/* berthd keeps both: to follow it again, to stop it, and to remove what was made. */
static int tell(struct native *n, struct berth_error *err)
{
	AUTO_JSON json_t *frame = json_pack("{s:s, s:s, s:{s:s}}", "kind", "native", "id",
					    n->object_id, "more", "at", n->at_name);
	js_put_str(frame, "name", n->run_id);
	return frame ? job_item(n->job, frame, err) : berth_fail_memory(err);
}

static int start(struct native *n, struct berth_error *err)
{
	const struct backend_sink to = {take, n};
	int code = backend_sync_prepare(n->at, &n->ends, &to, err);
	if (!code && !n->object_id)
		return berth_fail(err, BERTH_E_PROTOCOL, "the plugin made nothing that can run");
	if (!code)
		code = tell(n, err);
	if (!code)
		code = backend_sync_run(n->at, n->object_id, &to, err);
	if (!code && !n->run_id)
		return berth_fail(err, BERTH_E_PROTOCOL, "the plugin started a run without an id");
	return code ? code : tell(n, err);
}

static int look(struct native *n, struct berth_error *err)
{
	const struct backend_sink to = {take, n};
	AUTO_FREE char *id = strdup(n->run_id);
	json_array_clear(n->tasks);
	return id ? backend_sync_status(n->at, id, &to, err) : berth_fail_memory(err);
}

/* The registry may be away for a moment while its run goes on. */
static int look_patiently(struct native *n, unsigned *tries, struct berth_error *err)
{
	struct berth_error why = ERROR_INIT;
	int code = look(n, &why);
	bool is_passing =
		code == BERTH_E_UNAVAILABLE || code == BERTH_E_THROTTLED || code == BERTH_E_TIMEOUT;
	*tries = code ? *tries + 1 : 0;
	if (!is_passing || job_cancelled(n->job) || *tries >= LOOK_TRIES) {
		if (code)
			*err = why;
		return code;
	}
	job_log(n->job, LOG_LEVEL_WARNING, "the run's state can't be read now: %s", why.message);
	return 0;
}

static int follow(struct native *n, struct berth_error *err)
{
	uint64_t pause_ms = PAUSE_FIRST_MS;
	unsigned tries = 0;
	for (;;) {
		int code = look_patiently(n, &tries, err);
		if (code)
			return code;
		const char *state = js_str(n->run, "state", "running");
		job_progress(n->job, (uint64_t)js_int(n->run, "items_done", 0),
			     (uint64_t)js_int(n->run, "items", 0), "items", state, NULL);
		if (strcmp(state, "running") != 0)
			return 0;
		job_pause(n->job, pause_ms);
		if (job_cancelled(n->job))
			return berth_fail(err, job_cancelled(n->job),
					  "the registry's own replication is followed no more");
		pause_ms = pause_ms * 2 > PAUSE_MAX_MS ? PAUSE_MAX_MS : pause_ms * 2;
	}
}

/* --- its end --- */

static int forward_log(void *user, const struct berth_item *item, json_t *more,
		       struct berth_error *err)
{
	struct native *n = user;
	(void)more;
	(void)err;
	if (item->kind != BERTH_ITEM_LOG || !has_value(item->name))
		return 0;
	job_log(n->job, LOG_LEVEL_INFO, "%s", item->name);
	snprintf(n->last_line, sizeof n->last_line, "%s", item->name);
	text_trim_utf8(n->last_line);
	return 0;
}

/* Why a task failed, as an error's JSON: the last line of its log. */
static json_t *cause_of(struct native *n, const json_t *task)
{
	const struct backend_sink to = {forward_log, n};
	struct berth_error why = ERROR_INIT, said = ERROR_INIT;
	n->last_line[0] = 0;
	if (n->failed <= LOGS_MAX &&
	    backend_sync_log(n->at, n->run_id, js_str(task, "id", ""), &to, &why))
		job_log(n->job, LOG_LEVEL_WARNING, "the log of task %s can't be read: %s",
			js_str(task, "id", ""), why.message);
	(void)berth_fail(&said, BERTH_E_PROTOCOL, "the registry's own replication failed");
	if (*n->last_line)
		(void)berth_cause(&said, "%s", n->last_line);
	return js_of_error(&said);
}

static int send_task(struct native *n, const json_t *task, struct berth_error *err)
{
	const json_t *more = json_object_get(task, "more");
	const char *state = js_str(more, "state", "");
	bool is_done = !strcmp(state, "succeeded"), is_stopped = !strcmp(state, "stopped");
	json_t *error = NULL;
	n->images++;
	n->copied += is_done;
	if (!is_done) {
		n->failed++;
		error = cause_of(n, task);
	}
	AUTO_JSON json_t *frame = json_pack("{s:s, s:s, s:{s:s, s:s, s:o*}}", "kind", "image",
					    "name", js_str(more, "target", ""), "more", "source",
					    js_str(more, "source", ""), "state",
					    is_done      ? "copied"
					    : is_stopped ? "cancelled"
							 : "failed",
					    "error", error);
	return frame ? job_item(n->job, frame, err) : berth_fail_memory(err);
}

static int end(struct native *n, json_t **ret_value, struct berth_error *err)
{
	const char *state = js_str(n->run, "state", "");
	const char *message = js_str(n->run, "message", "");
	const json_t *task;
	size_t i;
	json_array_foreach (n->tasks, i, task)
		if (send_task(n, task, err))
			return err->code;
	if (strcmp(state, "succeeded") != 0 && !n->failed) {
		(void)berth_fail(err, BERTH_E_PROTOCOL, "the registry's own replication %s",
				 !strcmp(state, "stopped") ? "was stopped there" : "failed");
		return *message ? berth_cause(err, "%s", message) : err->code;
	}
	*ret_value = json_pack("{s:I, s:I, s:I, s:I, s:s}", "images", (json_int_t)n->images,
			       "copied", (json_int_t)n->copied, "failed", (json_int_t)n->failed,
			       "bytes", (json_int_t)0, "engine", "native");
	return *ret_value ? 0 : berth_fail_memory(err);
}

/* Says in the value of Berth's engine why it was that one. */
static int name_engine(json_t *value, bool is_native, const struct berth_error *why,
		       struct berth_error *err)
{
	if (!value ||
	    json_object_set_new(value, "engine", json_string(is_native ? "native" : "berth")))
		return berth_fail_memory(err);
	if (!is_native)
		js_put_str(value, "engine_reason", why->message);
	return 0;
}

int run_copy_native(struct job *j, json_t **ret_value, struct berth_error *err)
{
	AUTO_NATIVE struct native n = {0};
	struct berth_error why = ERROR_INIT;
	const json_t *under_way = json_object_get(job_args(j), "follow");
	bool is_native = true;
	int code = native_open(j, &n, err);
	/* A run that an earlier attempt of this job began is not begun again. */
	if (!code && under_way)
		code = set_text(&n.run_id, js_str(under_way, "run", ""), err);
	else if (!code)
		code = choose(&n, &is_native, &why, err);
	if (code)
		return code;
	if (!is_native) {
		native_close(&n);
		job_log(j, LOG_LEVEL_INFO, "Berth's own engine copies: %s", why.message);
		code = transfer_job_run(j, ret_value, err);
		return code ? code : name_engine(*ret_value, false, &why, err);
	}
	if (!under_way)
		code = start(&n, err);
	if (!code)
		code = follow(&n, err);
	return code ? code : end(&n, ret_value, err);
}

int run_copy_native_plan(struct job *j, json_t **ret_value, struct berth_error *err)
{
	AUTO_NATIVE struct native n = {0};
	struct berth_error why = ERROR_INIT;
	bool is_native = false;
	int code = native_open(j, &n, err);
	if (!code)
		code = choose(&n, &is_native, &why, err);
	native_close(&n);
	if (!code)
		code = transfer_job_plan(j, ret_value, err);
	return code ? code : name_engine(*ret_value, is_native, &why, err);
}

int run_native_check(struct job *j, json_t **ret_value, struct berth_error *err)
{
	AUTO_NATIVE struct native n = {0};
	struct berth_error why = ERROR_INIT;
	bool is_native = false;
	(void)ret_value;
	int code = native_open(j, &n, err);
	return code ? code : choose(&n, &is_native, &why, err);
}

int run_native_stop(struct job *j, json_t **ret_value, struct berth_error *err)
{
	static const char *const keys[] = {"run", NULL};
	AUTO(backend) struct backend *b = NULL;
	const char *run_id;
	(void)ret_value;
	int code = kind_open_with(j, keys, &run_id, &b, err);
	return code ? code : backend_sync_cancel(b, run_id, err);
}

int run_native_remove(struct job *j, json_t **ret_value, struct berth_error *err)
{
	static const char *const keys[] = {"object", NULL};
	AUTO(backend) struct backend *b = NULL;
	const char *id;
	(void)ret_value;
	int code = kind_open_with(j, keys, &id, &b, err);
	return code ? code : backend_sync_remove(b, id, err);
}
