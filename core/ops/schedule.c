/* SPDX-License-Identifier: Apache-2.0 */
/* Periodic work: a list of names with the monotonic time of their next turn.
 * A thousand entries are looked through in microseconds; no heap is needed.
 */
#include "core/ops/schedule.h"

#include <stdbool.h>
#include <string.h>

#include "core/base/clock.h"

#define TURN_MAX_MS 60000
#define PERIOD_MIN_MS 1000

struct entry {
	char *name;
	uint64_t due_ms, period_ms;
	schedule_fire *fire;
	void *user;
	bool is_gone; /* removed while firing */
	struct entry *next;
};

struct schedule {
	struct entry *entries;
	bool is_firing;
};

int schedule_new(struct schedule **ret, struct berth_error *err)
{
	*ret = calloc(1, sizeof(**ret));
	return *ret ? 0 : berth_fail_memory(err);
}

static void drop_gone(struct schedule *c)
{
	struct entry **at = &c->entries;

	while (*at) {
		struct entry *e = *at;

		if (e->is_gone) {
			*at = e->next;
			free(e->name);
			free(e);
		} else {
			at = &e->next;
		}
	}
}

void schedule_free(struct schedule *c)
{
	if (!c)
		return;
	for (struct entry *e = c->entries; e; e = e->next)
		e->is_gone = true;
	drop_gone(c);
	free(c);
}

static struct entry *find(struct schedule *c, const char *name)
{
	for (struct entry *e = c->entries; e; e = e->next)
		if (!e->is_gone && !strcmp(e->name, name))
			return e;
	return NULL;
}

int schedule_set(struct schedule *c, const char *name, uint64_t first_ms, uint64_t period_ms,
		 schedule_fire *fire, void *user, struct berth_error *err)
{
	struct entry *e = find(c, name);

	if (!e) {
		e = calloc(1, sizeof(*e));
		if (!e)
			return berth_fail_memory(err);
		e->name = strdup(name);
		if (!e->name) {
			free(e);
			return berth_fail_memory(err);
		}
		e->next = c->entries;
		c->entries = e;
	}
	e->due_ms = clock_monotonic_ms() + first_ms;
	e->period_ms = period_ms < PERIOD_MIN_MS ? PERIOD_MIN_MS : period_ms;
	e->fire = fire;
	e->user = user;
	return 0;
}

void schedule_remove(struct schedule *c, const char *name)
{
	struct entry *e = find(c, name);

	if (!e)
		return;
	e->is_gone = true;
	if (!c->is_firing)
		drop_gone(c);
}

uint32_t schedule_turn(struct schedule *c, uint64_t now_ms)
{
	uint64_t wait_ms = TURN_MAX_MS;

	c->is_firing = true;
	for (struct entry *e = c->entries; e; e = e->next) {
		if (e->is_gone || e->due_ms > now_ms)
			continue;
		/* Once, however many periods have gone by; the rhythm is kept. */
		e->due_ms += ((now_ms - e->due_ms) / e->period_ms + 1) * e->period_ms;
		e->fire(e->user, e->name);
	}
	c->is_firing = false;
	drop_gone(c);
	for (const struct entry *e = c->entries; e; e = e->next)
		if (e->due_ms <= now_ms)
			wait_ms = 0;
		else if (e->due_ms - now_ms < wait_ms)
			wait_ms = e->due_ms - now_ms;
	return (uint32_t)wait_ms;
}
