/* SPDX-License-Identifier: Apache-2.0 */
/* One run of an operation: its job's call, and what comes back. The row says
 * "running" on disk before the job can do anything, so that a kill at any moment
 * leaves an operation that the next start finds.
 */
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core/base/js.h"
#include "core/base/log.h"
#include "core/base/text.h"
#include "core/ops/engine.h"
#include "core/store/integrations.h"

#define PAUSE_MAX_MS 5000
#define DEADLINE_SLACK_MS 1000 /* the worker, who knows more, is first to end a job */
#define RATE_MS 500            /* between two looks at the speed */
#define KEEPS_MAX 1000         /* times that a run may keep state */
#define RATE_DONE_MAX ((int64_t)1 << 50)

static void add_line(struct entry *e, int level, const char *text)
{
	struct log_line *line;

	if (e->line_count > LOG_LINES_MAX)
		return;
	if (e->line_count == LOG_LINES_MAX)
		text = "the log is full: what follows is left out";
	line = calloc(1, sizeof(*line));
	if (line)
		line->text = strndup(text, LOG_TEXT_MAX);
	if (!line || !line->text) {
		free(line);
		log_error("no memory for an operation's log line");
		return;
	}
	text_blank_controls(line->text);
	text_trim_utf8(line->text);
	log_mask(line->text);
	line->time_ms = clock_unix_ms();
	line->level = level;
	e->line_count++;
	*e->lines_end = line;
	e->lines_end = &line->next;
	e->is_dirty = true;
}

void op_log(struct operation *op, int level, const char *fmt, ...)
{
	char text[LOG_TEXT_MAX];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	add_line((struct entry *)op, level, text);
}

static void leave_claims(struct entry *e)
{
	for (size_t i = 0; i < CLAIMS_TARGETS_MAX; i++)
		claims_leave(STEAL(e->claims[i]));
}

static void hang_up(struct entry *e)
{
	struct ops *o = e->op.ops;

	budget_leave(e->share);
	e->share = NULL;
	leave_claims(e);
	if (e->job)
		o->runner.free(o->runner.user, e->job);
	e->job = NULL;
}

static void ask_to_stop(struct entry *e, uint64_t now_ms)
{
	struct ops *o = e->op.ops;

	if (!e->hangup_ms)
		e->hangup_ms = now_ms + (uint64_t)o->settings.grace_s * 1000;
	if (e->job)
		o->runner.cancel(o->runner.user, e->job);
}

/* A batch in its own transaction. A batch that can't be taken ends the run. */
static int take_batch(struct entry *e, struct berth_error *err)
{
	TRANSACTION t = {0};
	AUTO_JSON json_t *items = STEAL(e->items);
	int rc;

	if (!items || !e->op.type->on_items)
		return 0;
	rc = transaction_begin(&t, e->op.ops->settings.store, err);
	if (!rc)
		rc = e->op.type->on_items(&e->op, items, err);
	return rc ? rc : transaction_commit(&t, err);
}

static void flush_items(struct entry *e)
{
	struct berth_error err = ERROR_INIT;

	if (e->broken.code || !take_batch(e, &err))
		return;
	e->broken = err;
	ask_to_stop(e, clock_monotonic_ms());
}

static void on_item(void *user, const json_t *frame)
{
	struct entry *e = user;

	if (e->broken.code)
		return;
	if (!e->items) {
		e->items = json_array();
		e->items_since_ms = clock_monotonic_ms();
		ops_wake(e->op.ops);
	}
	if (!e->items || json_array_append(e->items, (json_t *)(uintptr_t)frame)) {
		berth_fail_memory(&e->broken);
		ask_to_stop(e, clock_monotonic_ms());
		return;
	}
	if (json_array_size(e->items) >= BATCH_ITEMS)
		flush_items(e);
}

/* Bytes a second, smoothed over the last looks. done is the worker's word. */
static void measure(struct entry *e, int64_t done, uint64_t now_ms)
{
	int64_t ms = (int64_t)(now_ms - e->rate_ms), rate;

	if (done < 0 || done > RATE_DONE_MAX || (e->rate_ms && ms < RATE_MS))
		return;
	if (e->rate_ms && done >= e->rate_done) {
		rate = (done - e->rate_done) * 1000 / ms;
		e->rate = e->rate ? (e->rate * 3 + rate) / 4 : rate;
	}
	e->rate_ms = now_ms;
	e->rate_done = done;
}

static void on_progress(void *user, const json_t *frame)
{
	static const char *const keys[] = {"done", "total", "unit", "stage", "more"};
	struct entry *e = user;
	json_t *progress = json_object();

	if (!progress)
		return;
	for (size_t i = 0; i < ARRAY_COUNT(keys); i++) {
		json_t *value = json_object_get(frame, keys[i]);

		if (value)
			json_object_set(progress, keys[i], value);
	}
	if (!strcmp(js_str(frame, "unit", ""), "bytes")) {
		measure(e, js_int(frame, "done", 0), clock_monotonic_ms());
		json_object_set_new(progress, "bytes_per_s", json_integer(e->rate));
	}
	json_decref(e->op.progress);
	e->op.progress = progress;
	e->op.updated_ms = clock_unix_ms();
	e->is_dirty = true;
	watch_tell(e, false);
	ops_wake(e->op.ops);
}

static void on_log(void *user, int level, const char *text)
{
	struct entry *e = user;

	add_line(e, level, text);
	ops_wake(e->op.ops);
}

static int keep(struct ops *o, const char *name, const json_t *state, struct berth_error *err)
{
	AUTO_INTEGRATION struct integration row = {0};
	AUTO_FREE char *text = json_is_null(state) ? strdup("") : js_canonical(state);
	int rc =
		text ? integration_get(o->settings.store, name, &row, err) : berth_fail_memory(err);

	return rc ? rc : kept_store(o->settings.store, o->settings.sealer, row.id, text, err);
}

/* Lost kept state costs a token request, not the run. A job is what a registry's answers
 * may have made of it: it says nothing of integrations that it was not given. */
static void on_keep(void *user, const char *instance, const json_t *state)
{
	struct entry *e = user;
	struct berth_error err = ERROR_INIT;

	if (!json_object_get(e->hosts, instance)) {
		log_complain(&e->strange,
			     "a job of %s wants to keep state of '%.63s', which it was not given",
			     e->op.type->kind, instance);
		return;
	}
	/* Each is a transaction in berthd's only thread. */
	if (e->keep_count++ >= KEEPS_MAX) {
		log_complain(&e->strange, "a job of %s keeps state too often", e->op.type->kind);
		return;
	}
	if (e->op.type->is_proof) {
		json_decref(e->op.kept);
		e->op.kept = json_deep_copy(state);
		return;
	}
	if (e->op.ops->settings.sealer && keep(e->op.ops, instance, state, &err))
		log_warning("kept state of integration '%s' is not stored: %s", instance,
			    err.message);
}

/* What the end of the job means for the operation. */
static enum op_state judge(const struct entry *e, struct berth_error *why)
{
	if (e->broken.code) {
		*why = e->broken;
		return OP_FAILED;
	}
	if (!why->code)
		return OP_SUCCEEDED;
	if (e->is_late) {
		berth_wrap(why, "it did not end within its time");
		why->code = BERTH_E_TIMEOUT;
		return OP_FAILED;
	}
	if (e->op.state == OP_CANCELLING)
		return OP_CANCELLED;
	return e->is_lost ? OP_INTERRUPTED : OP_FAILED;
}

static bool may_resume(const struct entry *e)
{
	return e->op.type->is_resumable && e->op.attempts < e->op.ops->settings.attempts_max &&
	       !e->op.ops->is_stopping;
}

static void reset_run(struct entry *e, uint64_t now_ms)
{
	e->deadline_ms = e->hangup_ms = e->rate_ms = 0;
	e->keep_count = 0;
	e->is_lost = e->is_late = false;
	e->retry_ms = now_ms + e->pause_ms;
	e->pause_ms = e->pause_ms * 2 > PAUSE_MAX_MS ? PAUSE_MAX_MS : e->pause_ms * 2;
}

/* While berthd stops, a run that was lost stays as it is: the next start finds it
 * running, and takes it up again. */
static bool is_left_for_later(const struct entry *e, enum op_state state)
{
	return state == OP_INTERRUPTED && e->op.type->is_resumable && e->op.ops->is_stopping;
}

static void end_run(struct entry *e, const json_t *value, const struct berth_error *result)
{
	struct berth_error why = *result, err = ERROR_INIT;
	enum op_state state;

	hang_up(e);
	if (!e->broken.code && take_batch(e, &err))
		e->broken = err;
	state = judge(e, &why);
	if (is_left_for_later(e, state))
		return;
	if (state == OP_INTERRUPTED && may_resume(e)) {
		reset_run(e, clock_monotonic_ms());
		add_line(e, LOG_LEVEL_WARNING, "the worker was lost; it begins again");
		if (!run_requeue(e, &err)) {
			watch_tell(e, false);
			ops_wake(e->op.ops);
			return;
		}
	}
	run_end(e, state, value, &why);
}

/* Was the job ended from outside (for want of memory, with its unit)? One that
 * crashed by itself is not begun again: its input may be the cause. */
static bool is_killed(const struct berth_error *why)
{
	return why->code && why->from == BERTH_FROM_SIGNAL &&
	       (why->upstream == SIGKILL || why->upstream == SIGTERM);
}

static void on_result(void *user, const json_t *value, const struct berth_error *why)
{
	struct entry *e = user;
	struct ops *o = e->op.ops;

	e->is_lost = e->job && o->runner.is_lost(o->runner.user, e->job);
	e->is_lost = e->is_lost || (e->op.type->is_resumable && is_killed(why));
	end_run(e, value, why);
}

static void on_budget(void *user, const json_t *frame)
{
	struct entry *e = user;

	if (e->share)
		budget_frame(e->share, frame);
}

static void send_claim(void *user, json_t *take_frame)
{
	struct entry *e = user;
	struct ops *o = e->op.ops;
	AUTO_JSON json_t *frame = take_frame;

	if (e->job && o->runner.send)
		o->runner.send(o->runner.user, e->job, frame);
}

/* Claims count within the integrations that an operation is for: which they are its call
 * says, and a job only the number of one. */
static const char *claimed_target(const struct entry *e, size_t number)
{
	if (e->targets)
		return json_string_value(json_array_get(e->targets, number));
	return number ? NULL : e->op.integration;
}

static void on_claim(void *user, const json_t *frame)
{
	struct entry *e = user;
	struct berth_error err = ERROR_INIT;
	json_int_t number = js_int(frame, "target", 0);

	if (number < 0 || number >= CLAIMS_TARGETS_MAX)
		return;
	struct claims_part **part = &e->claims[number];
	const char *target = claimed_target(e, (size_t)number);
	if (!target)
		return;
	if (!*part &&
	    claims_join(e->op.ops->claims, target, (unsigned)number, send_claim, e, part, &err)) {
		e->broken = err;
		ask_to_stop(e, clock_monotonic_ms());
		return;
	}
	claims_frame(*part, frame);
}

static const struct job_events events = {on_item,   on_progress, on_log,  on_keep,
					 on_result, on_budget,   on_claim};

bool run_can_start(const struct entry *e, uint64_t now_ms)
{
	const struct ops *o = e->op.ops;
	uint32_t of_kind = 0, of_integration = 0, running = 0;

	if (e->op.state != OP_PENDING || !e->is_stored || e->has_outcome || e->retry_ms > now_ms ||
	    o->is_stopping)
		return false;
	for (const struct entry *other = o->entries; other; other = other->next) {
		if (!other->job)
			continue;
		running++;
		of_kind += other->op.type == e->op.type;
		of_integration +=
			*e->op.integration && !strcmp(other->op.integration, e->op.integration);
	}
	return running < o->settings.running_max &&
	       (!e->op.type->concurrency || of_kind < e->op.type->concurrency) &&
	       of_integration < o->settings.integration_max && !entry_must_wait(e);
}

static int mark_running(struct entry *e, struct berth_error *err)
{
	TRANSACTION t = {0};
	int rc = transaction_begin(&t, e->op.ops->settings.store, err);

	e->op.state = OP_RUNNING;
	e->op.attempts++;
	if (!e->op.started_ms)
		e->op.started_ms = clock_unix_ms();
	if (!rc)
		rc = entry_save(e, NULL, NULL, err);
	if (!rc)
		rc = entry_announce(e, NULL, NULL, err);
	if (!rc)
		rc = transaction_commit(&t, err);
	if (rc) {
		e->op.state = OP_PENDING;
		e->op.attempts--;
	}
	return rc;
}

/* An origin's host alone: "" of a plugin's own form of address. */
static int keep_hosts(struct entry *e, const json_t *instances, struct berth_error *err)
{
	struct berth_error ignored = ERROR_INIT;
	struct url_origin origin;
	const char *name;
	json_t *instance;

	e->blamed = NULL;
	json_decref(e->hosts);
	e->hosts = json_object();
	json_object_foreach ((json_t *)(uintptr_t)instances, name, instance) {
		const char *address = js_str(json_object_get(instance, "options"), "address", "");
		bool is_url = !url_parse_origin(address, &origin, &ignored);

		if (json_object_set_new(e->hosts, name, json_string(is_url ? origin.host : "")))
			return berth_fail_memory(err);
	}
	return e->hosts ? 0 : berth_fail_memory(err);
}

void op_blame(struct operation *op, const char *integration)
{
	struct entry *e = (struct entry *)op;
	const char *name;
	json_t *host;

	e->blamed = NULL;
	json_object_foreach (e->hosts, name, host)
		if (!strcmp(name, integration))
			e->blamed = name;
}

static int make_call(struct entry *e, json_t **ret, struct berth_error *err)
{
	const struct ops *o = e->op.ops;
	unsigned losses = js_losses();
	int rc = e->op.type->build_call(&e->op, ret, err);
	json_t *call = *ret;

	if (rc)
		return rc;
	if (js_losses() != losses) /* it may lack a part: a rule, an exclusion */
		return berth_fail_memory(err);
	bool is_short = json_object_set_new(call, "t", json_string("call")) ||
			json_object_set_new(call, "job", json_string(e->op.id));
	if (!json_object_get(call, "kind"))
		is_short |= json_object_set_new(call, "kind", json_string(e->op.type->kind)) != 0;
	if (!json_object_get(call, "request"))
		is_short |=
			json_object_set_new(call, "request", json_string(e->op.request_id)) != 0;
	if (!json_object_get(call, "deadline_ms"))
		is_short |= json_object_set_new(
				    call, "deadline_ms",
				    json_integer((json_int_t)o->settings.deadline_s * 1000)) != 0;
	return is_short ? berth_fail_memory(err)
			: keep_hosts(e, json_object_get(call, "instances"), err);
}

static void send_budget(void *user, json_t *take_frame)
{
	struct entry *e = user;
	struct ops *o = e->op.ops;
	AUTO_JSON json_t *frame = take_frame;

	if (e->job && !json_object_set_new(frame, "t", json_string("budget")))
		o->runner.send(o->runner.user, e->job, frame);
}

/* The call names the rates that the job counts in; the job is told only whether it
 * has to ask, and how many there are. */
static int join_budget(struct entry *e, json_t *call, struct berth_error *err)
{
	struct ops *o = e->op.ops;
	json_t *wanted = json_object_get(call, "budget");
	int rc = 0;

	if (wanted && o->runner.send)
		rc = budget_join(o->budget, wanted, send_budget, e, &e->share, err);
	if (!rc && e->share)
		rc = json_object_set_new(call, "budget", budget_terms(e->share))
			     ? berth_fail_memory(err)
			     : 0;
	else
		json_object_del(call, "budget");
	return rc;
}

/* The job is not told of the names: it counts. */
static void take_targets(struct entry *e, json_t *call)
{
	json_decref(e->targets);
	e->targets = json_incref(json_object_get(call, "claims"));
	json_object_del(call, "claims");
}

/* The worker can't be reached: wait for it, not for ever. */
static void wait_for_worker(struct entry *e, uint64_t now_ms, const struct berth_error *why)
{
	struct berth_error err = ERROR_INIT;
	const struct ops_settings *settings = &e->op.ops->settings;

	if (!e->unreachable_ms)
		e->unreachable_ms = now_ms;
	if (now_ms - e->unreachable_ms >= (uint64_t)settings->worker_wait_s * 1000) {
		run_end(e, OP_FAILED, NULL, why);
		return;
	}
	e->op.attempts--; /* nothing was begun */
	reset_run(e, now_ms);
	e->op.state = OP_PENDING;
	if (entry_save(e, NULL, NULL, &err))
		log_warning("operation %s: %s", e->op.id, err.message);
}

void run_start(struct entry *e, uint64_t now_ms)
{
	struct ops *o = e->op.ops;
	struct berth_error err = ERROR_INIT;
	AUTO_JSON json_t *call = NULL;

	if (mark_running(e, &err)) {
		struct log_context context = entry_context(e);

		log_line(LOG_LEVEL_WARNING, &context, "%s waits: %s", e->op.type->kind,
			 err.message);
		e->retry_ms = now_ms + PAUSE_MAX_MS;
		return;
	}
	watch_tell(e, false);
	if (make_call(e, &call, &err) || join_budget(e, call, &err)) {
		hang_up(e);
		run_end(e, OP_FAILED, NULL, &err);
		return;
	}
	take_targets(e, call);
	e->deadline_ms = now_ms + (uint64_t)js_int(call, "deadline_ms", 0) + DEADLINE_SLACK_MS;
	e->hangup_ms = 0;
	if (!o->runner.start(o->runner.user, call, &events, e, &e->job, &err)) {
		e->unreachable_ms = 0;
		return;
	}
	hang_up(e);
	if (err.code == BERTH_E_UNAVAILABLE)
		wait_for_worker(e, now_ms, &err);
	else
		run_end(e, OP_FAILED, NULL, &err);
}

/* Deadlines. The worker keeps them too; this is for a worker that does not. */
void run_watch_clock(struct entry *e, uint64_t now_ms)
{
	struct berth_error err = ERROR_INIT;

	if (!e->job)
		return;
	if (!e->hangup_ms && now_ms >= e->deadline_ms) {
		e->is_late = true;
		ask_to_stop(e, now_ms);
	} else if (e->hangup_ms && now_ms >= e->hangup_ms) {
		berth_fail(&err, e->is_late ? BERTH_E_TIMEOUT : BERTH_E_CANCELLED,
			   "the job did not stop when it was asked to, and was hung up on");
		end_run(e, NULL, &err);
	}
}

static int save_progress(struct entry *e, struct berth_error *err)
{
	TRANSACTION t = {0};
	int rc = transaction_begin(&t, e->op.ops->settings.store, err);

	if (!rc)
		rc = entry_save_lines(e, err);
	if (!rc)
		rc = entry_save(e, NULL, NULL, err);
	if (!rc)
		rc = entry_announce(e, NULL, NULL, err);
	return rc ? rc : transaction_commit(&t, err);
}

/* Writes what has gathered, at most once a second. What can't be stored now
 * stays for the next time. */
void run_flush(struct entry *e, uint64_t now_ms, bool all)
{
	struct berth_error err = ERROR_INIT;

	if (e->items && (all || now_ms - e->items_since_ms >= BATCH_MS))
		flush_items(e);
	if (!e->is_dirty || !e->is_stored || (!all && now_ms - e->saved_ms < SAVE_MS))
		return;
	e->saved_ms = now_ms;
	if (save_progress(e, &err)) {
		log_debug("operation %s: progress is not stored: %s", e->op.id, err.message);
		return;
	}
	e->is_dirty = false;
	entry_drop_lines(e);
	watch_tell(e, false);
}

int ops_cancel(struct ops *o, const char *id, struct berth_error *err)
{
	static const struct berth_error asked = {.size = sizeof(asked),
						 .code = BERTH_E_CANCELLED,
						 .message = "cancelled before it began"};
	AUTO_OPERATION_ROW struct operation_row row = {0};
	struct entry *e = (struct entry *)(uintptr_t)ops_find(o, id);
	int rc = 0;

	if (!e)
		return operation_row_get(o->settings.store, id, &row, err);
	if (e->has_outcome)
		return 0;
	if (e->op.state == OP_PENDING && e->is_stored) {
		run_end(e, OP_CANCELLED, NULL, &asked);
		return 0;
	}
	if (e->op.state != OP_RUNNING)
		return 0;
	e->op.state = OP_CANCELLING;
	rc = save_progress(e, err);
	if (rc) {
		e->op.state = OP_RUNNING;
		return rc;
	}
	entry_drop_lines(e);
	e->is_dirty = false;
	ask_to_stop(e, clock_monotonic_ms());
	watch_tell(e, false);
	return 0;
}
