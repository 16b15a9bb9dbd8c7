/* SPDX-License-Identifier: Apache-2.0 */
/* The engine's life: what the last run left open, the turn that starts,
 * watches and stores, and the sweeps that keep the tables small.
 */
#include "core/ops/ops.h"

#include <stdio.h>
#include <string.h>

#include "core/base/js.h"
#include "core/base/log.h"
#include "core/base/text.h"
#include "core/ops/audit.h"
#include "core/ops/audit_seal.h"
#include "core/ops/engine.h"
#include "core/ops/idempotency.h"
#include "core/process/loop.h"
#include "core/store/syncs.h"

#define WEEK_MS ((int64_t)7 * 24 * 3600 * 1000)

static void set_defaults(struct ops_settings *s)
{
	const struct {
		uint32_t *member, value;
	} defaults[] = {
		{&s->running_max, 32}, {&s->integration_max, 8}, {&s->open_max, 1000},
		{&s->attempts_max, 3}, {&s->deadline_s, 3600},   {&s->grace_s, 10},
		{&s->retry_ms, 500},   {&s->worker_wait_s, 60},  {&s->probe_ms, 5000},
		{&s->keep_s, 604800},  {&s->keep_count, 10000},  {&s->event_ring, 10000},
	};

	for (size_t i = 0; i < ARRAY_COUNT(defaults); i++)
		if (!*defaults[i].member)
			*defaults[i].member = defaults[i].value;
}

struct store *ops_store(struct ops *o)
{
	return o->settings.store;
}

struct events *ops_events(struct ops *o)
{
	return o->events;
}

struct schedule *ops_schedule(struct ops *o)
{
	return o->schedule;
}

struct budget *ops_budget(struct ops *o)
{
	return o->budget;
}

uint32_t ops_running(const struct ops *o)
{
	uint32_t count = 0;

	for (const struct entry *e = o->entries; e; e = e->next)
		count += e->job != NULL;
	return count;
}

const struct operation *ops_find(struct ops *o, const char *id)
{
	for (const struct entry *e = o->entries; e; e = e->next)
		if (!strcmp(e->op.id, id))
			return &e->op;
	return NULL;
}

void entry_unlink(struct entry *e)
{
	struct ops *o = e->op.ops;
	struct entry **at = &o->entries;

	while (*at && *at != e)
		at = &(*at)->next;
	if (!*at)
		return;
	/* e->next stays: a turn may be standing on e. */
	*at = e->next;
	o->open_count--;
	e->is_ended = true;
	e->next_ended = o->ended;
	o->ended = e;
	ops_wake(o);
}

static void free_ended(struct ops *o)
{
	while (o->ended) {
		struct entry *e = o->ended;

		o->ended = e->next_ended;
		entry_free(e);
	}
}

/* The row of a kind that this program does not know: a downgrade. */
static int end_unknown(struct ops *o, const struct operation_row *row, struct berth_error *err)
{
	struct berth_error why = ERROR_INIT;
	struct operation_row ended = *row;
	AUTO_JSON json_t *error = NULL;
	AUTO_FREE char *text = NULL;

	berth_fail(&why, BERTH_E_UNSUPPORTED, "operations of kind '%s' are not known here",
		   row->kind);
	error = js_of_error(&why);
	text = error ? js_canonical(error) : NULL;
	if (!text)
		return berth_fail_memory(err);
	ended.error = text;
	ended.state = (char *)(uintptr_t)op_state_name(OP_INTERRUPTED);
	ended.updated_ms = ended.ended_ms = clock_unix_ms();
	return operation_row_change(o->settings.store, &ended, err);
}

/* What a run that was cut off becomes. Its type is told in the first turn. */
static void set_outcome(struct entry *e)
{
	e->has_outcome = e->outcome_asks_type = true;
	if (e->op.state == OP_CANCELLING) {
		e->outcome = OP_CANCELLED;
		berth_fail(&e->outcome_why, BERTH_E_CANCELLED,
			   "it was cancelled, and berthd stopped before the job had");
		return;
	}
	e->op.state = e->outcome = OP_INTERRUPTED;
	berth_fail(&e->outcome_why, BERTH_E_UNAVAILABLE,
		   "berthd stopped while it ran: see what was done before you repeat it");
}

static int take_over(void *user, const void *each, struct berth_error *err)
{
	struct ops *o = user;
	const struct operation_row *row = each;
	struct entry *e = NULL;
	int rc = entry_new(o, row, &e, err);

	if (rc == BERTH_E_UNSUPPORTED)
		return end_unknown(o, row, err);
	if (rc)
		return rc;
	e->is_stored = true;
	e->outcome_why.size = sizeof(e->outcome_why);
	entry_add(e);
	if (e->op.state == OP_PENDING)
		return 0;
	if (e->op.state == OP_RUNNING && e->op.type->is_resumable &&
	    e->op.attempts < o->settings.attempts_max)
		return run_requeue(e, err);
	set_outcome(e);
	return 0;
}

/* Log lines go on after the last one stored. */
static int count_lines(struct ops *o, struct berth_error *err)
{
	int rc = 0;

	for (struct entry *e = o->entries; e && !rc; e = e->next) {
		const struct store_value id = V_TEXT(e->op.id);

		rc = store_count(o->settings.store, &operation_log_table,
				 PAGE_OF("operation_id = ?", &id, 1), &e->line_count, err);
	}
	return rc;
}

static void fire(void *user)
{
	struct ops *o = user;
	uint32_t wait_ms = ops_turn(o);

	loop_timer_set(o->timer, wait_ms);
}

void ops_wake(struct ops *o)
{
	o->is_wanted = true;
	if (o->timer && !o->is_turning)
		loop_timer_set(o->timer, 0);
}

/* After an unclean stop the whole file is read once, beside the work. */
static void check_unclean(struct ops *o)
{
	struct berth_error err = ERROR_INIT;

	if (!store_needs_check(o->settings.store))
		return;
	log_info("the last stop was unclean: the store is checked in the background");
	o->is_checking = !store_check_start(o->settings.store, false, &err);
	if (!o->is_checking)
		log_error("the store can't be checked: %s", err.message);
}

static int start(struct ops *o, struct berth_error *err)
{
	struct store_hook hook = {submit_committed, submit_rolled_back, o};
	int rc = events_new(o->settings.store, o->settings.event_ring, &o->events, err);

	if (!rc)
		rc = schedule_new(&o->schedule, err);
	if (!rc)
		rc = budget_new(o->settings.loop, &o->budget, err);
	if (!rc)
		rc = claims_new(&o->claims, err);
	if (!rc && o->settings.loop)
		rc = loop_timer_new(o->settings.loop, fire, o, &o->timer, err);
	if (!rc)
		rc = operation_row_open(o->settings.store, take_over, o, err);
	if (!rc)
		rc = count_lines(o, err);
	if (rc)
		return rc;
	store_add_hook(o->settings.store, &hook);
	seal_set_sealer(o->settings.sealer);
	check_unclean(o);
	ops_wake(o);
	return 0;
}

int ops_new(const struct ops_settings *settings, struct ops **ret, struct berth_error *err)
{
	struct ops *o = calloc(1, sizeof(*o));
	int rc;

	if (!o)
		return berth_fail_memory(err);
	o->settings = *settings;
	set_defaults(&o->settings);
	o->sweep_ms = clock_monotonic_ms() + SWEEP_FIRST_MS;
	o->runner = settings->runner ? *settings->runner : worker_runner(o);
	rc = start(o, err);
	if (rc)
		ops_free(o);
	else
		*ret = o;
	return rc;
}

void ops_free(struct ops *o)
{
	if (!o)
		return;
	if (o->timer)
		loop_timer_free(o->timer);
	store_remove_hook(o->settings.store, o);
	for (struct entry *e = o->entries, *next; e; e = next) {
		next = e->next;
		budget_leave(e->share);
		for (size_t i = 0; i < CLAIMS_TARGETS_MAX; i++)
			claims_leave(e->claims[i]);
		if (e->job)
			o->runner.free(o->runner.user, e->job);
		entry_free(e);
	}
	free_ended(o);
	schedule_free(o->schedule);
	budget_free(o->budget);
	claims_free(o->claims);
	events_free(o->events);
	seal_set_sealer(NULL);
	free(o);
}

void ops_stop(struct ops *o)
{
	o->is_stopping = true;
}

static int drop_old(struct ops *o, struct berth_error *err)
{
	struct store *s = o->settings.store;
	int64_t before_ms = clock_unix_ms() - (int64_t)o->settings.keep_s * 1000;
	int rc = operation_row_prune(s, before_ms, o->settings.keep_count, err);

	if (!rc)
		rc = sync_run_prune(s, before_ms, err);
	if (!rc)
		rc = idempotency_prune(s, err);
	return rc ? rc : events_prune(o->events, err);
}

/* Once a week, by the wall clock, the file is checked with its indexes. */
static int check_weekly(struct ops *o, struct berth_error *err)
{
	static const char setting[] = "checked-whole";
	AUTO_FREE char *text = NULL;
	char now[24];
	int64_t now_ms = clock_unix_ms(), last_ms;
	int rc = store_get_setting(o->settings.store, setting, &text, err);

	if (rc || o->is_checking)
		return rc;
	if (text && text_parse_i64(text, 0, now_ms, &last_ms) && now_ms - last_ms < WEEK_MS)
		return 0;
	snprintf(now, sizeof(now), "%lld", (long long)now_ms);
	rc = store_set_setting(o->settings.store, setting, now, err);
	if (!rc)
		rc = store_check_start(o->settings.store, true, err);
	o->is_checking = !rc;
	return rc;
}

static void sweep(struct ops *o, uint64_t now_ms)
{
	struct berth_error err = ERROR_INIT;
	int rc;

	if (now_ms < o->sweep_ms || store_health(o->settings.store, NULL))
		return;
	o->sweep_ms = now_ms + SWEEP_MS;
	rc = drop_old(o, &err);
	if (!rc)
		rc = audit_log_end(o->settings.store, &o->audit_logged, &err);
	if (!o->is_checking)
		check_unclean(o); /* one that could not look before */
	if (!rc)
		rc = check_weekly(o, &err);
	if (rc)
		log_warning("the store is not tidied: %s", err.message);
}

/* Tries whether a store that took no writes takes them again. */
static void probe(struct ops *o, uint64_t now_ms)
{
	struct berth_error err = ERROR_INIT;

	if (!store_health(o->settings.store, NULL) || now_ms < o->probe_ms)
		return;
	o->probe_ms = now_ms + o->settings.probe_ms;
	if (store_probe(o->settings.store, &err))
		log_debug("store: %s", err.message);
}

static void check_store(struct ops *o)
{
	struct berth_error err = ERROR_INIT;
	bool has_ended = false;

	if (!o->is_checking)
		return;
	if (store_check_end(o->settings.store, &has_ended, &err))
		log_error("%s: %s", err.message, err.cause);
	o->is_checking = !has_ended;
}

static void turn_entry(struct entry *e, uint64_t now_ms)
{
	if (e->has_outcome)
		run_end_again(e, now_ms);
	else if (run_can_start(e, now_ms))
		run_start(e, now_ms);
	if (!e->is_ended)
		run_watch_clock(e, now_ms);
	if (!e->is_ended)
		run_flush(e, now_ms, false);
}

static void nearer(uint64_t *wait_ms, uint64_t at_ms, uint64_t now_ms)
{
	uint64_t ms = at_ms > now_ms ? at_ms - now_ms : 0;

	if (ms < *wait_ms)
		*wait_ms = ms;
}

/* When this one wants to be looked at again. */
static void next_of(const struct entry *e, uint64_t now_ms, uint64_t *wait_ms)
{
	if (e->job)
		nearer(wait_ms, e->hangup_ms ? e->hangup_ms : e->deadline_ms, now_ms);
	if (!e->job && e->retry_ms > now_ms)
		nearer(wait_ms, e->retry_ms, now_ms);
	if (e->items)
		nearer(wait_ms, e->items_since_ms + BATCH_MS, now_ms);
	if (e->is_dirty)
		nearer(wait_ms, now_ms + BATCH_MS, now_ms);
}

uint32_t ops_turn(struct ops *o)
{
	uint64_t now_ms = clock_monotonic_ms(), wait_ms;

	o->is_turning = true;
	o->is_wanted = false;
	probe(o, now_ms);
	check_store(o);
	for (struct entry *e = o->entries; e; e = e->next)
		if (!e->is_ended)
			turn_entry(e, now_ms);
	free_ended(o);
	wait_ms = schedule_turn(o->schedule, now_ms);
	sweep(o, now_ms);
	o->is_turning = false;
	if (store_health(o->settings.store, NULL))
		nearer(&wait_ms, o->probe_ms, now_ms);
	if (o->is_checking)
		nearer(&wait_ms, now_ms + BATCH_MS, now_ms);
	for (const struct entry *e = o->entries; e; e = e->next)
		next_of(e, now_ms, &wait_ms);
	return o->is_wanted ? 0 : (uint32_t)wait_ms;
}
