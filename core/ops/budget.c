/* SPDX-License-Identifier: Apache-2.0 */
/* Leases of shared rates: see budget.h. Jobs stand in one line; who got a lease
 * goes to its end. A bucket that is short for somebody is kept for that job until
 * the next turn, so that small wants behind it do not eat up what it waits for; a
 * job that waits for its own registry's rate holds up nobody else.
 */
#include "core/ops/budget.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/clock.h"
#include "core/base/js.h"
#include "core/base/limit.h"
#include "core/base/log.h"
#include "core/process/loop.h"

#define NAME_ROOM 64
#define LEASES_PER_S 200

struct bucket {
	struct bucket *next;
	char name[NAME_ROOM];
	struct limit limit;
	unsigned users;
	bool is_short; /* in this turn: kept for one that came earlier */
};

static const char *const chain_names[] = {"read",   "take",   "write",  "write2", "write3",
					  "write4", "write5", "write6", "write7", "write8"};
#define CHAINS ARRAY_COUNT(chain_names)
struct chain {
	struct bucket *buckets[BUDGET_BUCKETS_MAX];
	size_t bucket_count;
	uint64_t want;   /* asked for and not answered; 0: nothing */
	uint64_t leased; /* of which some may come back */
};

struct budget_share {
	struct budget *budget;
	struct budget_share *next;
	struct chain chains[CHAINS];
	budget_send *send;
	void *user;
};

struct budget {
	struct bucket *buckets;
	struct budget_share *line;
	struct loop_timer *timer;
	uint64_t now_us; /* of the last turn: tests turn the clock */
};

static void fire(void *user);

/* Looks again as soon as there may be something to give. */
static void turn_soon(struct budget *b, uint64_t wait_us)
{
	if (b->timer && wait_us != UINT64_MAX)
		loop_timer_set(b->timer, (wait_us + 999) / 1000);
}

static uint64_t now_of(const struct budget *b)
{
	uint64_t now_us = clock_monotonic_us();

	return now_us > b->now_us ? now_us : b->now_us;
}

static void turn_now(struct budget *b)
{
	if (b->timer)
		turn_soon(b, budget_turn(b, clock_monotonic_us()));
}

static void fire(void *user)
{
	turn_now(user);
}

int budget_new(struct loop *loop, struct budget **ret, struct berth_error *err)
{
	struct budget *b = calloc(1, sizeof(*b));
	int rc;

	if (!b)
		return berth_fail_memory(err);
	rc = loop ? loop_timer_new(loop, fire, b, &b->timer, err) : 0;
	if (rc)
		budget_free(b);
	else
		*ret = b;
	return rc;
}

void budget_free(struct budget *b)
{
	if (!b)
		return;
	loop_timer_free(b->timer);
	while (b->buckets) {
		struct bucket *one = b->buckets;

		b->buckets = one->next;
		free(one);
	}
	free(b);
}

static struct bucket *find(struct budget *b, const char *name)
{
	for (struct bucket *one = b->buckets; one; one = one->next)
		if (!strcmp(one->name, name))
			return one;
	return NULL;
}

static int get(struct budget *b, const char *name, struct bucket **ret, struct berth_error *err)
{
	struct bucket *one = find(b, name);

	if (!one) {
		one = calloc(1, sizeof(*one));
		if (!one)
			return berth_fail_memory(err);
		snprintf(one->name, sizeof(one->name), "%s", name);
		one->next = b->buckets;
		b->buckets = one;
	}
	*ret = one;
	return 0;
}

/* Buckets without a rate that nobody draws on go. */
static void drop_idle(struct budget *b)
{
	struct bucket **at = &b->buckets;

	while (*at) {
		struct bucket *one = *at;

		if (one->users || one->limit.bytes_per_s) {
			at = &one->next;
			continue;
		}
		*at = one->next;
		free(one);
	}
}

static bool is_limited(const struct chain *c)
{
	for (size_t i = 0; i < c->bucket_count; i++)
		if (c->buckets[i]->limit.bytes_per_s)
			return true;
	return false;
}

/* ":ID" of the integration whose bucket it is; NULL: it is of no single one. */
static const char *integration_of(const struct chain *c)
{
	for (size_t i = 0; i < c->bucket_count; i++)
		if (strchr(c->buckets[i]->name, ':'))
			return strchr(c->buckets[i]->name, ':');
	return NULL;
}

static bool uses(const struct budget_share *s, const char *integration)
{
	for (size_t i = 0; i < CHAINS; i++) {
		const char *its = integration_of(&s->chains[i]);

		if (its && !strcmp(its, integration))
			return true;
	}
	return false;
}

static int count_users(const struct budget *b, const char *integration)
{
	int count = 0;

	for (const struct budget_share *s = b->line; s; s = s->next)
		count += uses(s, integration);
	return count;
}

json_t *budget_terms(const struct budget_share *s)
{
	json_t *o = json_object(), *users = json_object();

	for (size_t i = 0; i < CHAINS; i++) {
		const char *integration = integration_of(&s->chains[i]);

		json_object_set_new(o, chain_names[i], json_boolean(is_limited(&s->chains[i])));
		if (integration)
			json_object_set_new(users, chain_names[i],
					    json_integer(count_users(s->budget, integration)));
	}
	json_object_set_new(o, "users", users);
	return o;
}

static void tell(struct budget_share *s)
{
	json_t *frame = budget_terms(s);

	if (frame)
		s->send(s->user, frame);
}

/* The others at its integrations are one more, or one less. */
static void tell_others(const struct budget_share *s)
{
	for (struct budget_share *other = s->budget->line; other; other = other->next) {
		bool meets = false;

		for (size_t i = 0; i < CHAINS && other != s; i++) {
			const char *integration = integration_of(&s->chains[i]);

			meets = meets || (integration && uses(other, integration));
		}
		if (meets)
			tell(other);
	}
}

static bool draws_on(const struct budget_share *s, const struct bucket *one)
{
	for (size_t i = 0; i < CHAINS; i++)
		for (size_t n = 0; n < s->chains[i].bucket_count; n++)
			if (s->chains[i].buckets[n] == one)
				return true;
	return false;
}

int budget_set(struct budget *b, const char *name, uint64_t bytes_per_s, struct berth_error *err)
{
	struct bucket *one = find(b, name);
	bool had_rate = one && one->limit.bytes_per_s;

	if (!one && !bytes_per_s)
		return 0;
	if (!one && get(b, name, &one, err))
		return err->code;
	if (one->limit.bytes_per_s == bytes_per_s)
		return 0;
	limit_change(&one->limit, bytes_per_s, now_of(b));
	if (had_rate != (bytes_per_s != 0))
		for (struct budget_share *s = b->line; s; s = s->next)
			if (draws_on(s, one))
				tell(s);
	drop_idle(b);
	turn_now(b);
	return 0;
}

static int join_chain(struct budget *b, struct chain *c, const json_t *names,
		      struct berth_error *err)
{
	const json_t *name;
	size_t i;

	json_array_foreach (names, i, name) {
		struct bucket *one = NULL;

		if (i == BUDGET_BUCKETS_MAX)
			return berth_fail(err, BERTH_E_INTERNAL, "a job draws on too many rates");
		if (get(b, json_string_value(name), &one, err))
			return err->code;
		one->users++;
		c->buckets[c->bucket_count++] = one;
	}
	return 0;
}

int budget_join(struct budget *b, const json_t *wanted, budget_send *send, void *user,
		struct budget_share **ret, struct berth_error *err)
{
	struct budget_share *s = calloc(1, sizeof(*s)), **at = &b->line;
	int rc = 0;

	if (!s)
		return berth_fail_memory(err);
	*s = (struct budget_share){.budget = b, .send = send, .user = user};
	while (*at)
		at = &(*at)->next;
	*at = s;
	for (size_t i = 0; i < CHAINS && !rc; i++)
		rc = join_chain(b, &s->chains[i], json_object_get(wanted, chain_names[i]), err);
	if (rc) {
		budget_leave(s);
		return rc;
	}
	*ret = s;
	tell_others(s);
	return 0;
}

static void unlink_share(struct budget_share *s)
{
	struct budget_share **at = &s->budget->line;

	while (*at != s)
		at = &(*at)->next;
	*at = s->next;
}

void budget_leave(struct budget_share *s)
{
	if (!s)
		return;
	unlink_share(s);
	tell_others(s);
	for (size_t i = 0; i < CHAINS; i++)
		for (size_t n = 0; n < s->chains[i].bucket_count; n++)
			s->chains[i].buckets[n]->users--;
	drop_idle(s->budget);
	turn_now(s->budget);
	free(s);
}

static void take_back(struct chain *c, uint64_t bytes, uint64_t now_us)
{
	if (bytes > c->leased)
		bytes = c->leased;
	c->leased = 0;
	for (size_t i = 0; i < c->bucket_count && bytes; i++)
		limit_give_back(&c->buckets[i]->limit, bytes, now_us);
}

void budget_frame(struct budget_share *s, const json_t *frame)
{
	const char *name = js_str(frame, "chain", "");
	int64_t want = js_int(frame, "want", 0), back = js_int(frame, "back", 0);

	for (size_t i = 0; i < CHAINS; i++) {
		if (strcmp(chain_names[i], name) != 0)
			continue;
		if (back > 0)
			take_back(&s->chains[i], (uint64_t)back, now_of(s->budget));
		if (want > 0)
			s->chains[i].want = (uint64_t)want;
		turn_now(s->budget);
	}
}

/* What one lease is: some milliseconds of the slowest rate, in whole pieces. */
static uint64_t lease_of(const struct chain *c)
{
	uint64_t least = (uint64_t)BUDGET_LEASE_MAX;

	for (size_t i = 0; i < c->bucket_count; i++) {
		uint64_t rate = c->buckets[i]->limit.bytes_per_s;

		if (rate && rate / LEASES_PER_S < least)
			least = rate / LEASES_PER_S;
	}
	least -= least % BUDGET_PIECE;
	if (least < BUDGET_PIECE)
		least = BUDGET_PIECE;
	uint64_t want = c->want - c->want % BUDGET_PIECE;
	return want >= BUDGET_PIECE && want < least ? want : least;
}

/* 0: all of its buckets have that much; else until the first of those that lack it
 * has it. They are kept for it meanwhile. */
static uint64_t wait_of(struct chain *c, uint64_t bytes, uint64_t now_us)
{
	uint64_t least = UINT64_MAX;
	bool is_kept = false;

	for (size_t i = 0; i < c->bucket_count; i++) {
		struct bucket *one = c->buckets[i];
		uint64_t wait_us = limit_wait_us(&one->limit, bytes, now_us);

		is_kept = is_kept || one->is_short;
		if (wait_us)
			one->is_short = true;
		if (wait_us && wait_us < least)
			least = wait_us;
	}
	return is_kept || least != UINT64_MAX ? least : 0;
}

static void lease(struct budget_share *s, size_t number, uint64_t bytes, uint64_t now_us)
{
	struct chain *c = &s->chains[number];
	json_t *frame =
		json_pack("{s:s, s:I}", "chain", chain_names[number], "bytes", (json_int_t)bytes);

	if (!frame)
		return; /* no memory: it is tried again in the next turn */
	for (size_t i = 0; i < c->bucket_count; i++)
		if (!limit_take(&c->buckets[i]->limit, bytes, now_us))
			log_error("rate %s was given out twice", c->buckets[i]->name);
	c->want = 0;
	c->leased = 2 * bytes; /* with what may be left of the one before */
	s->send(s->user, frame);
}

/* Answers what s asked for, where that can be; else when to look again. */
static uint64_t serve(struct budget_share *s, uint64_t now_us, bool *ret_served)
{
	uint64_t least = UINT64_MAX;

	for (size_t i = 0; i < CHAINS; i++) {
		struct chain *c = &s->chains[i];
		uint64_t bytes, wait_us;

		if (!c->want)
			continue;
		bytes = lease_of(c);
		wait_us = wait_of(c, bytes, now_us);
		if (wait_us) {
			least = wait_us < least ? wait_us : least;
			continue;
		}
		lease(s, i, bytes, now_us);
		*ret_served = true;
	}
	return least;
}

uint64_t budget_turn(struct budget *b, uint64_t now_us)
{
	struct budget_share *served = NULL, **served_end = &served, **at = &b->line;
	uint64_t least = UINT64_MAX;

	b->now_us = now_us;
	for (struct bucket *one = b->buckets; one; one = one->next)
		one->is_short = false;
	while (*at) {
		struct budget_share *s = *at;
		bool was_served = false;
		uint64_t wait_us = serve(s, now_us, &was_served);

		least = wait_us < least ? wait_us : least;
		if (!was_served) {
			at = &s->next;
			continue;
		}
		*at = s->next;
		s->next = NULL;
		*served_end = s;
		served_end = &s->next;
	}
	*at = served;
	return least;
}
