/* SPDX-License-Identifier: Apache-2.0 */
/* The window of requests in flight, by a clock and a registry that the test plays. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/transfer/window.h"

/* A registry that takes `bound` requests at once (0: any number) and answers each round
 * after took_ms; all that the window allows is sent, again where it was refused. */
struct play {
	struct window w;
	unsigned bound, refused, failed, answered;
	uint64_t now_ms, took_ms;
};

static void round_of(struct play *p)
{
	unsigned sent = p->w.limit;
	uint64_t began_ms = p->now_ms;
	p->now_ms += p->took_ms;
	for (unsigned i = 0; i < sent; i++) {
		if (!p->bound || i < p->bound) {
			p->answered++;
			window_answered(&p->w, p->w.limit, began_ms, p->now_ms);
			continue;
		}
		p->refused++;
		p->failed += !window_troubled(&p->w, sent, began_ms, p->now_ms);
	}
}

static void play(struct play *p, unsigned most, unsigned bound)
{
	*p = (struct play){.bound = bound, .now_ms = 1000, .took_ms = 20};
	window_init(&p->w, 1, most);
}

static void it_begins_modest_and_grows_to_its_bound(void **state)
{
	struct play p;
	(void)state;
	play(&p, 64, 0);
	assert_int_equal(p.w.limit, WINDOW_BEGIN);
	for (int i = 0; i < 20; i++)
		round_of(&p);
	assert_int_equal(p.w.limit, 64);
	play(&p, 4, 0);
	assert_int_equal(p.w.limit, 4);
	round_of(&p);
	assert_int_equal(p.w.limit, 4);
}

static void it_does_not_grow_while_it_is_not_full(void **state)
{
	struct window w;
	(void)state;
	window_init(&w, 1, 64);
	for (int i = 0; i < 1000; i++)
		window_answered(&w, WINDOW_BEGIN - 1, 10, 20);
	assert_int_equal(w.limit, WINDOW_BEGIN);
}

static void trouble_halves_it_once_for_all_that_was_in_flight(void **state)
{
	struct window w;
	(void)state;
	window_init(&w, 1, 8);
	for (unsigned i = 8; i > 2; i--)
		assert_true(window_troubled(&w, i, 10, 20));
	assert_int_equal(w.limit, 4);
	assert_true(window_troubled(&w, 4, 21, 30));
	assert_int_equal(w.limit, 2);
	assert_true(window_troubled(&w, 2, 31, 40));
	assert_int_equal(w.limit, 1);
	/* Fewer than one can't be: now it is the request's own failure. */
	assert_false(window_troubled(&w, 2, 41, 50));
	assert_false(window_troubled(&w, 1, 51, 60));
	assert_int_equal(w.limit, 1);
}

static void who_is_alone_asks_once_more_and_the_window_opens_quickly_again(void **state)
{
	struct window w;
	(void)state;
	window_init(&w, 1, 16);
	assert_true(window_troubled(&w, 1, 10, 20));
	assert_int_equal(w.limit, 1);
	assert_false(window_troubled(&w, 1, 21, 30));
	for (unsigned i = 1; i < 16; i++)
		window_answered(&w, i, 31, 40);
	assert_int_equal(w.limit, 16);
}

static void a_registry_with_a_bound_refuses_few_of_many(void **state)
{
	(void)state;
	for (unsigned bound = 1; bound <= 16; bound++) {
		struct play p;
		play(&p, 16, bound);
		while (p.answered < 100000)
			round_of(&p);
		assert_int_equal(p.failed, 0);
		assert_true(p.refused <= 16 + 32);
		assert_true(p.w.limit <= bound + 1);
		assert_true(2 * p.w.limit >= bound);
	}
}

static void after_trouble_has_passed_it_grows_to_its_bound_again(void **state)
{
	struct play p;
	(void)state;
	play(&p, 16, 2);
	for (int i = 0; i < 100; i++)
		round_of(&p);
	p.bound = 0;
	while (p.answered < 100000)
		round_of(&p);
	assert_int_equal(p.w.limit, 16);
}

static void answers_that_take_ever_longer_halve_it_but_not_to_one(void **state)
{
	struct play p;
	(void)state;
	play(&p, 16, 0);
	for (int i = 0; i < 50; i++)
		round_of(&p);
	assert_int_equal(p.w.limit, 16);
	p.took_ms = 5000;
	for (int i = 0; i < 10; i++)
		round_of(&p);
	assert_int_equal(p.w.limit, 4);
	p.took_ms = 20;
	for (int i = 0; i < 1000; i++)
		round_of(&p);
	assert_int_equal(p.w.limit, 16);
}

static void a_registry_that_is_slow_from_the_first_answer_is_not_held_for_troubled(void **state)
{
	struct play p;
	(void)state;
	play(&p, 16, 0);
	p.took_ms = 5000;
	for (int i = 0; i < 50; i++)
		round_of(&p);
	assert_int_equal(p.w.limit, 16);
}

static void its_bound_comes_down_and_goes_up_again(void **state)
{
	struct window w;
	(void)state;
	window_init(&w, 2, 32);
	window_bound(&w, 8);
	assert_int_equal(8, w.limit);
	window_answered(&w, 8, 0, 1);
	assert_int_equal(8, w.limit);
	window_bound(&w, 1);
	assert_int_equal(2, w.limit);
	window_bound(&w, 32);
	window_answered(&w, 2, 0, 1);
	assert_int_equal(3, w.limit);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_begins_modest_and_grows_to_its_bound),
		cmocka_unit_test(it_does_not_grow_while_it_is_not_full),
		cmocka_unit_test(its_bound_comes_down_and_goes_up_again),
		cmocka_unit_test(trouble_halves_it_once_for_all_that_was_in_flight),
		cmocka_unit_test(who_is_alone_asks_once_more_and_the_window_opens_quickly_again),
		cmocka_unit_test(a_registry_with_a_bound_refuses_few_of_many),
		cmocka_unit_test(after_trouble_has_passed_it_grows_to_its_bound_again),
		cmocka_unit_test(answers_that_take_ever_longer_halve_it_but_not_to_one),
		cmocka_unit_test(
			a_registry_that_is_slow_from_the_first_answer_is_not_held_for_troubled),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
