/* SPDX-License-Identifier: Apache-2.0 */
/* Rules that run when their source changes. The source is looked at each period, or
 * at once where somebody says that it has changed; all rules of one source that are
 * due are one operation, and so one job. What was seen and the run that follows from
 * it are written in one transaction, so that no change is lost or run twice:
 *
 *	berthd was down      the looks that were missed are one, at its start
 *	a look failed        it is shown with the rule, and comes later each time
 *	a run is under way   it is joined; if it had begun, it may have come too early:
 *	                     what was seen is forgotten, and its end is the next look
 *	a run failed         it comes again, later each time, changed or not
 *
 * Runs in berthd.
 */
#include <string.h>
#include <unistd.h>

#include "core/api/integration.h"
#include "core/api/job.h"
#include "core/api/sync.h"
#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/base/text.h"
#include "core/ops/schedule.h"
#include "core/store/watches.h"

#define TURN_MS 60000     /* the wall clock may jump */
#define FIRST_TURN_MS 500 /* after a start: all else is up by then */
#define LATEST_MS 3600000 /* between tries, however many have failed */
#define AGAIN_MS 2000     /* after a look during which a change was told */
#define KEEP_MS 600000    /* operations of looks that went well */
#define RULES_MAX 50      /* of one look; others come in the next one */
#define RULES_MAX_BYTES 32768
#define DEFAULT_PERIOD_S 60

static const char turn_name[] = "sync-watches";

/* --- rows --- */

int sync_watch_save(struct daemon_state *d, const char *rule_id, const json_t *desired,
		    struct berth_error *err)
{
	struct sync_end source;
	struct sync_watch row = {
		.rule_id = (char *)(uintptr_t)rule_id,
		.integration = source.integration,
		.period_ms = js_int(desired, "poll_period_s", DEFAULT_PERIOD_S) * 1000,
		.next_ms = clock_unix_ms(),
	};

	row.hinted_ms = row.next_ms; /* a look under way is at the rule as it was */
	if (!js_bool(desired, "on_change", false) || !js_bool(desired, "enabled", true))
		return sync_watch_remove(d->store, rule_id, err);
	if (sync_end_parse(js_str(desired, "source", ""), &source, err))
		return err->code;
	return sync_watch_put(d->store, &row, err);
}

int sync_watch_show(struct daemon_state *d, const char *rule_id, json_t *status,
		    struct berth_error *err)
{
	struct sync_watch row AUTO_SYNC_WATCH = {.rule_id = NULL};
	struct berth_error mine = ERROR_INIT;
	json_t *fault = NULL;
	int code = sync_watch_get(d->store, rule_id, &row, &mine);

	if (code == BERTH_E_NOT_FOUND)
		return 0;
	if (code) {
		*err = mine;
		return code;
	}
	json_t *watch = json_pack("{s:I, s:I}", "images", (json_int_t)row.images, "failures",
				  (json_int_t)row.failures);
	js_put_time(watch, "looked_at", row.looked_ms);
	js_put_time(watch, "next_look_at", row.next_ms);
	js_put_time(watch, "changed_at", row.changed_ms);
	js_put_time(watch, "retry_at", row.retry_ms);
	if (*row.error && !api_parse(row.error, &fault, err))
		json_object_set_new(watch, "error", fault);
	return json_object_set_new(status, "watch", watch) ? berth_fail_memory(err) : err->code;
}

static int set_text(char **at, const char *text, struct berth_error *err)
{
	return text_replace(at, text) ? 0 : berth_fail_memory(err);
}

/* Twice as long for each failure. */
static int64_t pause_of(int64_t period_ms, int64_t failures)
{
	int64_t pause_ms = period_ms, latest_ms = period_ms > LATEST_MS ? period_ms : LATEST_MS;

	while (failures-- > 1 && pause_ms < latest_ms)
		pause_ms *= 2;
	return pause_ms < latest_ms ? pause_ms : latest_ms;
}

int sync_watch_run_ended(struct daemon_state *d, const char *rule_id, const char *state,
			 struct berth_error *err)
{
	struct sync_watch row AUTO_SYNC_WATCH = {.rule_id = NULL};
	struct berth_error mine = ERROR_INIT;
	bool has_failed = !strcmp(state, "failed");
	int code = *rule_id ? sync_watch_get(d->store, rule_id, &row, &mine) : BERTH_E_NOT_FOUND;

	if (code == BERTH_E_NOT_FOUND)
		return 0;
	if (code) {
		*err = mine;
		return code;
	}
	if (!*row.seen && row.looked_ms && strcmp(state, "cancelled") != 0) {
		row.next_ms = clock_unix_ms();
		sync_watch_changed(d);
	}
	row.run_failures = has_failed ? row.run_failures + 1 : 0;
	row.retry_ms = has_failed ? clock_unix_ms() + pause_of(row.period_ms, row.run_failures) : 0;
	return sync_watch_change(d->store, &row, err);
}

/* --- turns --- */

struct turn {
	struct daemon_state *d;
	int64_t now_ms, earliest_ms;
	json_t *due; /* {INTEGRATION: [rule names]} */
};

static int find_due(void *user, const void *row, struct berth_error *err)
{
	const struct sync_watch *w = row;
	struct turn *t = user;
	int64_t longest_ms = w->period_ms > LATEST_MS ? w->period_ms : LATEST_MS;
	json_t *rules = json_object_get(t->due, w->integration);

	/* A clock that was put back must not make it wait for what is long gone. */
	if (w->next_ms > t->now_ms && w->next_ms - t->now_ms <= longest_ms) {
		if (!t->earliest_ms || w->next_ms < t->earliest_ms)
			t->earliest_ms = w->next_ms;
		return 0;
	}
	if (!rules) {
		rules = json_array();
		if (json_object_set_new(t->due, w->integration, rules))
			return berth_fail_memory(err);
	}
	if (json_array_size(rules) == RULES_MAX)
		return 0;
	return json_array_append_new(rules, json_string(w->rule)) ? berth_fail_memory(err) : 0;
}

/* One look at an integration; one that is under way is joined, and wakes this again
 * at its end. */
static int start_look(struct turn *t, const char *integration, json_t *rules,
		      struct berth_error *err)
{
	struct integration row AUTO_INTEGRATION = {.id = NULL};
	struct op_submitted done;

	if (integration_get(t->d->store, integration, &row, err))
		return err->code;
	json_t *arguments AUTO_JSON =
		json_pack("{s:s, s:s, s:O}", "id", row.id, "name", row.name, "rules", rules);
	json_t *resources AUTO_JSON = json_pack("[s+]", "/v1/integrations/", row.name);
	json_t *locks AUTO_JSON = json_pack("[s+]", "sync-look/", row.name);
	struct op_request request = {.kind = "sync-look",
				     .arguments = arguments,
				     .resources = resources,
				     .locks = locks,
				     .integration = row.name,
				     .user_name = "berthd",
				     .request_id = "sync-look",
				     .uid = getuid(),
				     .joins = true};
	return ops_submit(t->d->ops, &request, &done, err);
}

static void turn(void *user, const char *entry)
{
	struct turn t = {.d = user, .now_ms = clock_unix_ms(), .due = json_object()};
	struct berth_error err = ERROR_INIT;
	json_t *due AUTO_JSON = t.due, *rules;
	int64_t wait_ms = TURN_MS;
	const char *integration;

	(void)entry;
	if (!due)
		(void)berth_fail_memory(&err);
	if (err.code || api_each(t.d->store, &sync_watches_table, NULL, find_due, &t, &err) ||
	    (json_object_size(due) && sync_look_forget(t.d->store, t.now_ms - KEEP_MS, &err)))
		log_warning("cannot look for sources that are due: %s", err.message);
	json_object_foreach (due, integration, rules) {
		struct berth_error why = ERROR_INIT;
		if (start_look(&t, integration, rules, &why))
			log_warning("integration %s is not looked at for changes: %s", integration,
				    why.message);
	}
	if (t.earliest_ms && t.earliest_ms - t.now_ms < wait_ms)
		wait_ms = t.earliest_ms - t.now_ms;
	if (schedule_set(ops_schedule(t.d->ops), turn_name, (uint64_t)wait_ms, TURN_MS, turn, t.d,
			 &err))
		log_warning("sources are looked at in a minute: %s", err.message);
}

int sync_watch_start(struct daemon_state *d, struct berth_error *err)
{
	return schedule_set(ops_schedule(d->ops), turn_name, FIRST_TURN_MS, TURN_MS, turn, d, err);
}

void sync_watch_changed(struct daemon_state *d)
{
	struct berth_error err = ERROR_INIT;

	if (schedule_set(ops_schedule(d->ops), turn_name, 0, TURN_MS, turn, d, &err))
		log_warning("sources are looked at in a minute: %s", err.message);
	else
		ops_wake(d->ops);
}

/* --- looks --- */

/* The engine's rule by its name; *ret NULL: it is gone, or no longer right. */
static int engine_rule(struct daemon_state *d, const char *name, json_t **ret,
		       struct berth_error *err)
{
	struct sync_rule row AUTO_SYNC_RULE = {.id = NULL};
	struct berth_error mine = ERROR_INIT;
	struct findings f = {.answer = NULL};
	json_t *desired AUTO_JSON = NULL;
	int code = sync_rule_get(d->store, name, &row, &mine);

	*ret = NULL;
	if (code == BERTH_E_NOT_FOUND)
		return 0;
	if (code) {
		*err = mine;
		return code;
	}
	if (api_parse(row.desired, &desired, err))
		return err->code;
	*ret = sync_engine_rule(desired, NULL, &f);
	return *ret || f.count ? 0 : berth_fail_memory(err);
}

int look_call(struct operation *op, json_t **ret, struct berth_error *err)
{
	struct daemon_state *d = api_daemon();
	json_t *rules AUTO_JSON = json_array();
	size_t i, byte_count = 0;
	const json_t *name;

	job_release_json(op);
	json_array_foreach (json_object_get(op->arguments, "rules"), i, name) {
		json_t *rule = NULL;
		if (engine_rule(d, json_string_value(name), &rule, err))
			return err->code;
		if (!rule)
			continue;
		json_t *one AUTO_JSON = json_pack("{s:O, s:o}", "name", name, "rule", rule);
		char *text AUTO_FREE = one ? js_text(one) : NULL;
		if (!text)
			return berth_fail_memory(err);
		byte_count += strlen(text);
		if (json_array_size(rules) && byte_count > RULES_MAX_BYTES)
			break;
		if (json_array_append(rules, one))
			return berth_fail_memory(err);
	}
	json_t *arguments AUTO_JSON = json_pack("{s:O}", "rules", rules);
	if (!arguments)
		return berth_fail_memory(err);
	return job_call_one(op, "source-look", d->settings.jobs.refresh_ms, arguments, ret, err);
}

/* What the source shows is not what was seen: a run, new or under way. One that had
 * begun before may have read what was there before. */
static int start_run(struct daemon_state *d, const struct sync_rule *rule, bool *ret_is_fresh,
		     struct berth_error *err)
{
	char id[UUID_ROOM];

	if (store_begin(d->store, err))
		return err->code;
	struct store *undo AUTO_UNDO = d->store;
	if (copy_start_run(d, rule, &(struct run_cause){"change", NULL}, id, err))
		return err->code;
	const struct operation *op = ops_find(d->ops, id);
	*ret_is_fresh = op && op->state == OP_PENDING;
	return store_commit(STEAL(undo), err);
}

/* A look that went well. A source without images is nothing to run for. */
static int take_seen(struct daemon_state *d, const struct sync_rule *rule, struct sync_watch *w,
		     const json_t *found, struct berth_error *err)
{
	const char *seen = js_str(found, "seen", "");
	int64_t now_ms = clock_unix_ms();
	bool has_changed = strcmp(seen, w->seen) != 0, is_fresh = true;

	w->images = js_int(found, "images", 0);
	if (!has_changed && (!w->retry_ms || w->retry_ms > now_ms))
		return 0;
	if (w->images && start_run(d, rule, &is_fresh, err))
		return err->code;
	w->retry_ms = 0;
	if (!has_changed)
		return 0;
	w->changed_ms = now_ms;
	return set_text(&w->seen, is_fresh ? seen : "", err);
}

static int take_fault(struct sync_watch *w, const struct berth_error *fault,
		      struct berth_error *err)
{
	json_t *why AUTO_JSON = js_of_error(fault);
	char *text AUTO_FREE = why ? js_canonical(why) : NULL;

	w->failures++;
	w->next_ms = w->looked_ms + pause_of(w->period_ms, w->failures);
	return text ? set_text(&w->error, text, err) : berth_fail_memory(err);
}

/* What a look says of one rule: of a rule that was left for the next one, nothing. */
static int settle(struct operation *op, const struct sync_rule *rule, struct sync_watch *w,
		  const struct berth_error *why, struct berth_error *err)
{
	struct daemon_state *d = api_daemon();
	const json_t *found = json_object_get(op->own, rule->name);
	const json_t *error = json_object_get(found, "error");
	struct berth_error fault = *why;

	if (!why->code && !found)
		return 0;
	if (error)
		js_to_error(error, &fault);
	w->looked_ms = clock_unix_ms();
	w->next_ms = w->looked_ms + w->period_ms;
	if (!fault.code)
		(void)take_seen(d, rule, w, found, &fault);
	if (fault.code ? take_fault(w, &fault, err) : set_text(&w->error, "", err))
		return err->code;
	if (!fault.code)
		w->failures = 0;
	if (w->hinted_ms >= op->started_ms && w->next_ms > w->looked_ms + AGAIN_MS)
		w->next_ms = w->looked_ms + AGAIN_MS;
	return sync_watch_change(d->store, w, err);
}

int look_ended(struct operation *op, const json_t *value, const struct berth_error *why,
	       json_t **ret_result, struct berth_error *err)
{
	struct daemon_state *d = api_daemon();
	const json_t *name;
	size_t i;

	(void)value;
	(void)ret_result;
	json_array_foreach (json_object_get(op->arguments, "rules"), i, name) {
		struct sync_rule rule AUTO_SYNC_RULE = {.id = NULL};
		struct sync_watch watch AUTO_SYNC_WATCH = {.rule_id = NULL};
		struct berth_error mine = ERROR_INIT;
		int code = sync_rule_get(d->store, json_string_value(name), &rule, &mine);
		if (!code)
			code = sync_watch_get(d->store, rule.id, &watch, &mine);
		if (!code)
			code = settle(op, &rule, &watch, why, &mine);
		if (code && code != BERTH_E_NOT_FOUND) {
			*err = mine;
			return code;
		}
	}
	sync_watch_changed(d);
	return 0;
}
