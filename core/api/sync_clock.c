/* SPDX-License-Identifier: Apache-2.0 */
/* Rules that run by the clock. The next turn of each is a row's member, so that
 * one that was missed while berthd was down is known; the run and the turn after
 * it are one transaction, so that no turn runs twice. Looked at when the next turn
 * is due, and at least once a minute, since the wall clock may jump:
 *
 *	forward     what was passed over runs once, however many turns that were
 *	back        a next turn that lies beyond the true one is set anew
 *
 * A turn that comes while a run of the rule is under way joins it. Runs in berthd.
 */
#include "core/api/sync.h"
#include "core/base/clock.h"
#include "core/base/cron.h"
#include "core/base/log.h"
#include "core/ops/schedule.h"

#define LOOK_MS 60000
#define FIRST_LOOK_MS 500 /* after a start: all else is up by then */

static const char name[] = "syncs";

int sync_next_turn(const json_t *desired, int64_t after_ms, int64_t *ret_ms,
		   struct berth_error *err)
{
	const char *text = js_str(desired, "cron", "");
	struct cron cron;

	*ret_ms = 0;
	if (!*text || !js_bool(desired, "enabled", true))
		return 0;
	int code = cron_parse(text, &cron, err);
	return code ? code
		    : cron_next(&cron, js_str(desired, "time_zone", "UTC"), after_ms, ret_ms, err);
}

void sync_check_clock(const json_t *desired, struct findings *f)
{
	const char *text = js_str(desired, "cron", ""), *zone = js_str(desired, "time_zone", "UTC");
	struct berth_error err = ERROR_INIT;
	struct cron cron;
	int64_t next_ms;

	if (cron_check_zone(zone, &err)) {
		findings_add_error(f, "/time_zone", "zone-unknown", &err);
		return;
	}
	if (*text && (cron_parse(text, &cron, &err) ||
		      cron_next(&cron, zone, clock_unix_ms(), &next_ms, &err)))
		findings_add_error(f, "/cron", "cron-invalid", &err);
}

struct look {
	struct daemon_state *d;
	int64_t now_ms, earliest_ms;
	json_t *due; /* names: rows are not changed while they are read */
};

/* Rules whose turn is due, or whose next turn is not what it should be. */
static int find_due(void *user, const void *row, struct berth_error *err)
{
	const struct sync_rule *rule = row;
	struct look *l = user;
	json_t *desired AUTO_JSON = NULL;
	struct berth_error why = ERROR_INIT;
	int64_t next_ms = 0;

	if (!rule->is_enabled || api_parse(rule->desired, &desired, err))
		return rule->is_enabled ? err->code : 0;
	if (sync_next_turn(desired, l->now_ms, &next_ms, &why) && rule->next_run_ms)
		log_warning("copy rule %s will not run by the clock: %s", rule->name, why.message);
	if (next_ms && (!l->earliest_ms || next_ms < l->earliest_ms))
		l->earliest_ms = next_ms;
	if (next_ms == rule->next_run_ms)
		return 0;
	return json_array_append_new(l->due, json_pack("{s:s, s:I}", "name", rule->name, "next",
						       (json_int_t)next_ms))
		       ? berth_fail_memory(err)
		       : 0;
}

/* Runs a rule whose turn has come, and notes the next one. */
static int take_turn(struct look *l, const json_t *due, struct berth_error *err)
{
	struct sync_rule rule AUTO_SYNC_RULE = {.id = NULL};
	struct store *s = l->d->store;

	if (sync_rule_get(s, js_str(due, "name", ""), &rule, err))
		return err->code;
	char id[UUID_ROOM];
	bool is_due = rule.next_run_ms && rule.next_run_ms <= l->now_ms;
	if (store_begin(s, err))
		return err->code;
	struct store *undo AUTO_UNDO = s;
	if (sync_rule_set_next(s, rule.id, js_int(due, "next", 0), err) ||
	    (is_due && copy_start_run(l->d, &rule, &(struct run_cause){"cron", NULL}, id, err)))
		return err->code;
	return store_commit(STEAL(undo), err);
}

static void look(void *user, const char *entry)
{
	struct look l = {.d = user, .now_ms = clock_unix_ms(), .due = json_array()};
	struct berth_error err = ERROR_INIT;
	json_t *due AUTO_JSON = l.due;
	const json_t *one;
	int64_t wait_ms = LOOK_MS;
	size_t i;

	(void)entry;
	if (!due)
		(void)berth_fail_memory(&err);
	if (err.code || api_each(l.d->store, &sync_rules_table, NULL, find_due, &l, &err))
		log_warning("cannot look for copy rules that are due: %s", err.message);
	json_array_foreach (due, i, one) {
		struct berth_error why = ERROR_INIT;
		if (take_turn(&l, one, &why))
			log_warning("copy rule %s does not run by the clock: %s",
				    js_str(one, "name", ""), why.message);
	}
	if (l.earliest_ms && l.earliest_ms - l.now_ms < wait_ms)
		wait_ms = l.earliest_ms - l.now_ms;
	if (schedule_set(ops_schedule(l.d->ops), name, (uint64_t)wait_ms, LOOK_MS, look, l.d, &err))
		log_warning("copy rules are looked at in a minute: %s", err.message);
}

int sync_clock_start(struct daemon_state *d, struct berth_error *err)
{
	return schedule_set(ops_schedule(d->ops), name, FIRST_LOOK_MS, LOOK_MS, look, d, err);
}

void sync_clock_changed(struct daemon_state *d)
{
	struct berth_error err = ERROR_INIT;

	if (schedule_set(ops_schedule(d->ops), name, 0, LOOK_MS, look, d, &err))
		log_warning("copy rules are looked at in a minute: %s", err.message);
	else
		ops_wake(d->ops);
}
