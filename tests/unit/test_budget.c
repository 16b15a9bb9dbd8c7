/* SPDX-License-Identifier: Apache-2.0 */
/* Shared rates: leases to several jobs, by a clock that the test turns. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/base/clock.h"
#include "core/base/js.h"
#include "core/ops/budget.h"

#define SECOND 1000000u
#define RATE 10000000u

struct taker {
	struct budget_share *share;
	uint64_t got, last, leases;
	bool has_frame, is_limited[2];
};

static void take_frame(void *user, json_t *taken)
{
	struct taker *t = user;
	AUTO_JSON json_t *frame = taken;
	t->has_frame = true;
	if (json_object_get(frame, "bytes")) {
		t->last = (uint64_t)js_int(frame, "bytes", 0);
		t->got += t->last;
		t->leases++;
		return;
	}
	t->is_limited[0] = js_bool(frame, "read", false);
	t->is_limited[1] = js_bool(frame, "write", false);
}

static struct budget *new_budget(void)
{
	struct berth_error err = ERROR_INIT;
	struct budget *b = NULL;
	assert_int_equal(budget_new(NULL, &b, &err), 0);
	return b;
}

static void set_rate(struct budget *b, const char *bucket, uint64_t rate)
{
	struct berth_error err = ERROR_INIT;
	assert_int_equal(budget_set(b, bucket, rate, &err), 0);
}

/* Reads where "all" and read count, writes where write counts. */
static void join(struct budget *b, struct taker *t, const char *read, const char *write)
{
	struct berth_error err = ERROR_INIT;
	AUTO_JSON json_t *wanted =
		json_pack("{s:[s,s], s:[s]}", "read", "all", read, "write", write);
	*t = (struct taker){.share = NULL};
	assert_int_equal(budget_join(b, wanted, take_frame, t, &t->share, &err), 0);
}

static void say(struct taker *t, const char *chain, const char *key, uint64_t bytes)
{
	AUTO_JSON json_t *frame = json_pack("{s:s, s:I}", "chain", chain, key, (json_int_t)bytes);
	budget_frame(t->share, frame);
}

/* All takers want all that they can get, for so long. */
static void run(struct budget *b, struct taker *takers, size_t count, uint64_t *now, uint64_t until)
{
	for (; *now < until; *now += 500) {
		for (size_t i = 0; i < count; i++)
			say(&takers[i], "read", "want", 1 << 20);
		budget_turn(b, *now);
	}
}

static void jobs_of_one_rate_get_it_in_even_parts(void **state)
{
	(void)state;
	struct budget *b = new_budget();
	struct taker takers[3];
	uint64_t begin = clock_monotonic_us() + SECOND, now = begin;
	set_rate(b, "all", RATE);
	for (size_t i = 0; i < 3; i++)
		join(b, &takers[i], "read:a", "write:b");
	run(b, takers, 3, &now, begin + 4ull * SECOND);
	uint64_t all = takers[0].got + takers[1].got + takers[2].got;
	assert_true(all <= 4ull * RATE + RATE / 10 + (1 << 17));
	assert_true(all >= 4ull * RATE - RATE / 10);
	for (size_t i = 0; i < 3; i++) {
		assert_true(takers[i].got <= all / 3 + RATE / 100);
		assert_true(takers[i].got >= all / 3 - RATE / 100);
		budget_leave(takers[i].share);
	}
	budget_free(b);
}

static void the_lower_rate_of_a_registry_holds_up_nobody_else(void **state)
{
	(void)state;
	struct budget *b = new_budget();
	struct taker takers[2];
	uint64_t begin = clock_monotonic_us() + SECOND, now = begin;
	set_rate(b, "all", RATE);
	set_rate(b, "read:slow", RATE / 10);
	join(b, &takers[0], "read:slow", "write:b");
	join(b, &takers[1], "read:fast", "write:b");
	run(b, takers, 2, &now, begin + 4ull * SECOND);
	assert_true(takers[0].got <= 4ull * RATE / 10 + RATE / 50);
	assert_true(takers[0].got >= 3ull * RATE / 10);
	assert_true(takers[1].got >= 34ull * RATE / 10);
	assert_true(takers[0].got + takers[1].got <= 4ull * RATE + RATE / 10 + (1 << 17));
	budget_leave(takers[0].share);
	budget_leave(takers[1].share);
	budget_free(b);
}

static void no_lease_is_longer_than_some_milliseconds_of_the_rate(void **state)
{
	static const struct {
		uint64_t rate, lease;
	} cases[] = {{16384, 16384}, {1000000, 16384}, {RATE, 49152}, {1000000000, 1 << 20}};
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct budget *b = new_budget();
		struct taker t;
		set_rate(b, "all", cases[i].rate);
		join(b, &t, "read:a", "write:b");
		say(&t, "read", "want", 1 << 30);
		budget_turn(b, clock_monotonic_us() + SECOND);
		assert_int_equal(t.leases, 1);
		assert_int_equal(t.last, cases[i].lease);
		budget_leave(t.share);
		budget_free(b);
	}
}

static void a_job_is_told_when_a_rate_comes_and_goes(void **state)
{
	(void)state;
	struct budget *b = new_budget();
	struct taker t;
	join(b, &t, "read:a", "write:b");
	AUTO_JSON json_t *before = budget_terms(t.share);
	assert_false(js_bool(before, "read", true) || js_bool(before, "write", true));
	set_rate(b, "write:b", RATE);
	assert_true(t.has_frame && t.is_limited[1] && !t.is_limited[0]);
	t.has_frame = false;
	set_rate(b, "write:b", RATE / 2);
	assert_false(t.has_frame); /* it asks anyway */
	set_rate(b, "read:other", RATE);
	assert_false(t.has_frame);
	set_rate(b, "write:b", 0);
	assert_true(t.has_frame && !t.is_limited[1]);
	/* Who asked before the rate went is answered. */
	say(&t, "write", "want", 1 << 20);
	budget_turn(b, clock_monotonic_us());
	assert_true(t.got >= BUDGET_PIECE);
	budget_leave(t.share);
	budget_free(b);
}

static void each_target_of_a_copy_has_a_rate_of_its_own(void **state)
{
	(void)state;
	struct budget *b = new_budget();
	struct berth_error err = ERROR_INIT;
	struct taker t = {.share = NULL};
	AUTO_JSON json_t *wanted =
		json_pack("{s:[s], s:[s]}", "write", "write:a", "write3", "write:b");
	assert_int_equal(budget_join(b, wanted, take_frame, &t, &t.share, &err), 0);
	set_rate(b, "write:b", RATE);
	AUTO_JSON json_t *limited = budget_terms(t.share);
	assert_false(js_bool(limited, "write", true) || js_bool(limited, "write2", true));
	assert_true(js_bool(limited, "write3", false));
	say(&t, "write3", "want", 1 << 20);
	budget_turn(b, clock_monotonic_us());
	assert_true(t.got >= BUDGET_PIECE);
	budget_leave(t.share);
	budget_free(b);
}

static void ask(struct budget *b, struct taker *t, uint64_t now)
{
	say(t, "read", "want", BUDGET_PIECE);
	budget_turn(b, now);
}

static void what_was_not_used_goes_to_the_next_and_only_once(void **state)
{
	(void)state;
	struct budget *b = new_budget();
	struct taker one, other;
	uint64_t now = clock_monotonic_us() + 2ull * SECOND;
	set_rate(b, "all", 65536);
	join(b, &one, "read:a", "write:b");
	join(b, &other, "read:a", "write:b");
	for (int i = 0; i < 4; i++)
		ask(b, &one, now);
	assert_int_equal(one.got, 65536);
	ask(b, &other, now);
	assert_int_equal(other.got, 0);
	say(&one, "read", "back", 1 << 30); /* more than it had: two leases count */
	budget_turn(b, now);
	assert_int_equal(other.got, BUDGET_PIECE);
	ask(b, &other, now);
	ask(b, &other, now);
	assert_int_equal(other.got, 2 * BUDGET_PIECE);
	say(&one, "read", "back", 1 << 30);
	budget_turn(b, now);
	assert_int_equal(other.got, 2 * BUDGET_PIECE);
	budget_leave(one.share);
	budget_leave(other.share);
	budget_free(b);
}

static int users(const struct taker *t, const char *chain)
{
	AUTO_JSON json_t *terms = budget_terms(t->share);
	return (int)js_int(json_object_get(terms, "users"), chain, 0);
}

static void jobs_know_how_many_they_are_at_an_integration(void **state)
{
	(void)state;
	struct budget *b = new_budget();
	struct taker one, other, third;
	join(b, &one, "read:a", "write:b");
	assert_int_equal(users(&one, "read"), 1);
	join(b, &other, "read:b", "write:c"); /* it reads where the first one writes */
	assert_true(one.has_frame);
	assert_int_equal(users(&one, "read"), 1);
	assert_int_equal(users(&one, "write"), 2);
	assert_int_equal(users(&other, "read"), 2);
	assert_int_equal(users(&other, "write"), 1);
	one.has_frame = false;
	join(b, &third, "read:d", "write:e");
	assert_false(one.has_frame); /* it meets nobody */
	budget_leave(other.share);
	assert_true(one.has_frame);
	assert_int_equal(users(&one, "write"), 1);
	budget_leave(one.share);
	budget_leave(third.share);
	budget_free(b);
}

static void frames_that_make_no_sense_change_nothing(void **state)
{
	(void)state;
	struct budget *b = new_budget();
	struct taker t;
	static const char *const frames[] = {"{}",
					     "{\"chain\":7}",
					     "{\"chain\":\"sideways\",\"want\":16384}",
					     "{\"chain\":\"read\",\"want\":-1}",
					     "{\"chain\":\"read\",\"want\":\"much\"}",
					     "{\"chain\":\"read\",\"back\":-5}",
					     "{\"chain\":\"read\",\"back\":16384}"};
	set_rate(b, "all", RATE);
	join(b, &t, "read:a", "write:b");
	for (size_t i = 0; i < sizeof frames / sizeof *frames; i++) {
		AUTO_JSON json_t *frame = json_loads(frames[i], 0, NULL);
		assert_non_null(frame);
		budget_frame(t.share, frame);
	}
	assert_int_equal(budget_turn(b, clock_monotonic_us() + SECOND), UINT64_MAX);
	assert_int_equal(t.got, 0);
	budget_leave(t.share);
	budget_free(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(jobs_of_one_rate_get_it_in_even_parts),
		cmocka_unit_test(the_lower_rate_of_a_registry_holds_up_nobody_else),
		cmocka_unit_test(no_lease_is_longer_than_some_milliseconds_of_the_rate),
		cmocka_unit_test(a_job_is_told_when_a_rate_comes_and_goes),
		cmocka_unit_test(each_target_of_a_copy_has_a_rate_of_its_own),
		cmocka_unit_test(what_was_not_used_goes_to_the_next_and_only_once),
		cmocka_unit_test(jobs_know_how_many_they_are_at_an_integration),
		cmocka_unit_test(frames_that_make_no_sense_change_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
