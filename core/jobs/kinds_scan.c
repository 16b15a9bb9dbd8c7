/* SPDX-License-Identifier: Apache-2.0 */
/* Jobs on the scan table: one scan started and followed to its end, with its
 * report where it is of one artifact; a look at a state; stopping; reports;
 * scanners and settings. A target by tag is turned into a digest first, so
 * that all that follows is about the same bytes.
 */
#include <string.h>

#include "core/base/clock.h"
#include "core/base/js.h"
#include "core/base/log.h"
#include "core/base/text.h"
#include "core/jobs/kinds.h"
#include "core/worker/child.h"

#define PAUSE_FIRST_MS 250
#define PAUSE_MAX_MS 5000
#define PAUSE_SHARE 10 /* a look that takes long is paused after so many times as long */
#define LOOK_TRIES 10  /* looks in a row that may fail: the scan goes on meanwhile */
#define LOGS_MAX 5     /* logs of failed artifacts that are read */

struct scan {
	struct job *job;
	struct backend *b;
	json_t *target; /* as the plugin gets it */
	char *target_json;
	const char *digest;  /* of target, or NULL */
	json_t *run;         /* keys of the last RUN; NULL: none came */
	json_t *tasks;       /* TASKs of the last look, as frames */
	char last_line[256]; /* of the log of what failed */
};

static void scan_done(struct scan *s)
{
	backend_close(s->b);
	json_decref(s->target);
	json_decref(s->run);
	json_decref(s->tasks);
	free(s->target_json);
}
#define AUTO_SCAN CLEANUP(scan_done)

/* --- the target --- */

static int take_digest(void *user, const struct berth_item *item, json_t *more,
		       struct berth_error *err)
{
	json_t *target = user;
	(void)more;
	if (item->kind == BERTH_ITEM_ARTIFACT && item->digest &&
	    json_object_set_new(target, "digest", json_string(item->digest)))
		return berth_fail_memory(err);
	return 0;
}

static int resolve_tag(struct scan *s, struct berth_error *err)
{
	const struct backend_sink to = {take_digest, s->target};
	const char *tag = js_str(s->target, "tag", NULL);
	if (!tag || js_str(s->target, "digest", NULL))
		return 0;
	int code = backend_artifact(s->b, js_str(s->target, "repository", ""), tag, &to, err);
	if (!code && !js_str(s->target, "digest", NULL))
		return berth_fail(err, BERTH_E_PROTOCOL, "tag '%s' has no digest", tag);
	return code;
}

static int scan_open(struct job *j, struct scan *s, struct berth_error *err)
{
	const json_t *given = json_object_get(job_args(j), "target");
	s->job = j;
	s->target = given ? json_deep_copy(given) : json_object();
	s->tasks = json_array();
	if (!s->target || !s->tasks)
		return berth_fail_memory(err);
	int code = kind_open(j, &s->b, err);
	if (!code)
		code = resolve_tag(s, err);
	if (code)
		return code;
	json_object_del(s->target, "tag");
	s->digest = js_str(s->target, "digest", NULL);
	s->target_json = js_text(s->target);
	return s->target_json ? 0 : berth_fail_memory(err);
}

/* --- looks --- */

static json_t *frame_of(const struct berth_item *item, json_t *more)
{
	json_t *frame = json_pack("{s:s}", "kind", item_kind_name(item->kind));
	js_put_str(frame, "id", item->id);
	js_put_str(frame, "name", item->name);
	js_put_str(frame, "digest", item->digest);
	if (more)
		json_object_set(frame, "more", more);
	return frame;
}

static int take_look(void *user, const struct berth_item *item, json_t *more,
		     struct berth_error *err)
{
	struct scan *s = user;
	if (item->kind == BERTH_ITEM_RUN) {
		json_decref(s->run);
		s->run = more ? json_incref(more) : json_object();
	}
	if (item->kind == BERTH_ITEM_TASK && json_array_append_new(s->tasks, frame_of(item, more)))
		return berth_fail_memory(err);
	return 0;
}

static int send_run(struct scan *s, struct berth_error *err)
{
	AUTO_JSON json_t *frame = json_pack("{s:s, s:O}", "kind", "run", "more", s->run);
	js_put_str(frame, "digest", s->digest);
	return frame ? job_item(s->job, frame, err) : berth_fail_memory(err);
}

static int look(struct scan *s, struct berth_error *err)
{
	const struct backend_sink to = {take_look, s};
	json_array_clear(s->tasks);
	json_decref(STEAL(s->run));
	int code = backend_scan_status(s->b, s->target_json, &to, err);
	if (!code && !s->run)
		return berth_fail(err, BERTH_E_PROTOCOL, "the plugin told no state");
	return code;
}

static bool is_going(const struct scan *s)
{
	const char *state = js_str(s->run, "state", "");
	return !strcmp(state, "queued") || !strcmp(state, "running");
}

/* The registry may be away for a moment while its scan goes on. */
static bool is_passing(int code)
{
	return code == BERTH_E_UNAVAILABLE || code == BERTH_E_THROTTLED || code == BERTH_E_TIMEOUT;
}

static int look_patiently(struct scan *s, unsigned *tries, struct berth_error *err)
{
	struct berth_error why = ERROR_INIT;
	int code = look(s, &why);
	if (code && is_passing(code) && !job_cancelled(s->job) && ++*tries < LOOK_TRIES) {
		job_log(s->job, LOG_LEVEL_WARNING, "the scan's state can't be read now: %s",
			why.message);
		return 0;
	}
	if (code)
		*err = why;
	else
		*tries = 0;
	return code;
}

static void show_progress(const struct scan *s)
{
	int64_t items = js_int(s->run, "items", 0);
	const char *state = js_str(s->run, "state", "");
	if (items > 0)
		job_progress(s->job, (uint64_t)js_int(s->run, "items_done", 0), (uint64_t)items,
			     "items", state, NULL);
	else
		job_progress(s->job, (uint64_t)js_int(s->run, "percent", 0), 100, "percent", state,
			     NULL);
}

/* Looks until it has ended; each change is told at once. */
static int follow(struct scan *s, struct berth_error *err)
{
	AUTO_JSON json_t *told = NULL;
	uint64_t pause_ms = PAUSE_FIRST_MS;
	unsigned tries = 0;
	for (;;) {
		uint64_t began_ms = clock_monotonic_ms();
		int code = look_patiently(s, &tries, err);
		if (code)
			return code;
		uint64_t took_ms = clock_monotonic_ms() - began_ms;
		if (s->run && !json_equal(s->run, told)) {
			json_decref(told);
			told = json_deep_copy(s->run);
			show_progress(s);
			code = send_run(s, err);
		}
		if (code || (s->run && !is_going(s)))
			return code;
		job_pause(s->job,
			  pause_ms > took_ms * PAUSE_SHARE ? pause_ms : took_ms * PAUSE_SHARE);
		pause_ms = pause_ms * 2 > PAUSE_MAX_MS ? PAUSE_MAX_MS : pause_ms * 2;
	}
}

/* --- its end --- */

static int forward_log(void *user, const struct berth_item *item, json_t *more,
		       struct berth_error *err)
{
	struct scan *s = user;
	(void)more;
	(void)err;
	if (item->kind != BERTH_ITEM_LOG || !item->name)
		return 0;
	job_log(s->job, LOG_LEVEL_INFO, "%s", item->name);
	snprintf(s->last_line, sizeof s->last_line, "%s", item->name);
	text_trim_utf8(s->last_line);
	return 0;
}

static void read_log(struct scan *s, const char *target_json)
{
	const struct backend_sink to = {forward_log, s};
	struct berth_error why = ERROR_INIT;
	if (backend_can(s->b, "scan", "log") && target_json &&
	    backend_scan_log(s->b, target_json, &to, &why))
		job_log(s->job, LOG_LEVEL_WARNING, "the scan's log can't be read: %s", why.message);
}

/* The logs of what failed go into the operation's. */
static void read_logs(struct scan *s)
{
	size_t i, count = 0;
	const json_t *task;
	if (s->digest) {
		read_log(s, s->target_json);
		return;
	}
	json_array_foreach (s->tasks, i, task) {
		const json_t *more = json_object_get(task, "more");
		if (strcmp(js_str(more, "state", ""), "error") != 0 || count++ >= LOGS_MAX)
			continue;
		AUTO_JSON json_t *target =
			json_pack("{s:s, s:s}", "repository", js_str(more, "source", ""), "digest",
				  js_str(task, "digest", ""));
		AUTO_FREE char *text = target ? js_text(target) : NULL;
		job_log(s->job, LOG_LEVEL_WARNING, "%s failed", js_str(task, "id", ""));
		read_log(s, text);
	}
}

static int send_tasks(struct scan *s, struct berth_error *err)
{
	size_t i;
	const json_t *task;
	json_array_foreach (s->tasks, i, task) {
		int code = job_item(s->job, task, err);
		if (code)
			return code;
	}
	return 0;
}

/* How a scan ended that found nothing to show; its log's last line is why. */
static int refuse(const struct scan *s, struct berth_error *err)
{
	const char *state = js_str(s->run, "state", "");
	const json_t *artifacts = json_object_get(s->run, "artifacts");
	int64_t failed = js_int(artifacts, "error", 0);
	if (!strcmp(state, "stopped"))
		return berth_fail(err, BERTH_E_CANCELLED, "the scan was stopped");
	if (!strcmp(state, "unsupported"))
		return berth_fail(err, BERTH_E_UNSUPPORTED,
				  "the scanner can't read this kind of artifact");
	if (failed)
		berth_fail(err, BERTH_E_PROTOCOL, "%lld of %lld artifacts failed to scan",
			   (long long)failed, (long long)js_int(s->run, "items", failed));
	else
		berth_fail(err, BERTH_E_PROTOCOL, "the scan failed at the registry");
	return *s->last_line ? berth_cause(err, "%s", s->last_line) : err->code;
}

static int end(struct scan *s, json_t **ret_value, struct berth_error *err)
{
	const struct backend_sink to = {backend_item_to_job, s->job};
	const char *state = js_str(s->run, "state", "");
	int code = send_tasks(s, err);
	if (code)
		return code;
	if (!strcmp(state, "error"))
		read_logs(s);
	if (strcmp(state, "done") != 0 && strcmp(state, "not-scanned") != 0)
		return refuse(s, err);
	if (s->digest && backend_can(s->b, "scan", "report"))
		code = backend_scan_report(s->b, s->target_json, &to, err);
	*ret_value = json_deep_copy(s->run);
	js_put_str(*ret_value, "digest", s->digest);
	return code;
}

int run_scan(struct job *j, json_t **ret_value, struct berth_error *err)
{
	AUTO_SCAN struct scan s = {0};
	const struct backend_sink to = {take_look, &s};
	int code = scan_open(j, &s, err);
	/* A scan that an earlier run of this job began is not begun again. */
	if (!code && !js_bool(job_args(j), "follow", false)) {
		code = backend_scan_start(s.b, s.target_json, &to, err);
		if (!code)
			code = s.run ? send_run(&s, err) : 0;
	}
	if (!code)
		code = follow(&s, err);
	return code ? code : end(&s, ret_value, err);
}

int run_scan_state(struct job *j, json_t **ret_value, struct berth_error *err)
{
	AUTO_SCAN struct scan s = {0};
	int code = scan_open(j, &s, err);
	if (!code)
		code = look(&s, err);
	if (!code)
		code = send_tasks(&s, err);
	if (code)
		return code;
	*ret_value = json_deep_copy(s.run);
	js_put_str(*ret_value, "digest", s.digest);
	return 0;
}

int run_scan_stop(struct job *j, json_t **ret_value, struct berth_error *err)
{
	AUTO_SCAN struct scan s = {0};
	(void)ret_value;
	int code = scan_open(j, &s, err);
	return code ? code : backend_scan_stop(s.b, s.target_json, err);
}

int run_scan_report(struct job *j, json_t **ret_value, struct berth_error *err)
{
	AUTO_SCAN struct scan s = {0};
	const struct backend_sink to = {backend_item_to_job, j};
	int code = scan_open(j, &s, err);
	if (!code) {
		s.run = json_object();
		code = send_run(&s, err);
	}
	if (!code)
		code = backend_scan_report(s.b, s.target_json, &to, err);
	if (!code)
		*ret_value = json_pack("{s:s?}", "digest", s.digest);
	return code;
}

int run_scanners(struct job *j, json_t **ret_value, struct berth_error *err)
{
	AUTO(backend) struct backend *b = NULL;
	const struct backend_sink to = {backend_item_to_job, j};
	(void)ret_value;
	int code = kind_open(j, &b, err);
	return code ? code : backend_scan_scanners(b, &to, err);
}

int run_scan_configure(struct job *j, json_t **ret_value, struct berth_error *err)
{
	AUTO(backend) struct backend *b = NULL;
	AUTO_FREE char *settings = NULL;
	(void)ret_value;
	int code = kind_object(j, "settings", &settings, err);
	if (!code)
		code = kind_open(j, &b, err);
	return code ? code : backend_scan_configure(b, settings, err);
}
