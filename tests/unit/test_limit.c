/* SPDX-License-Identifier: Apache-2.0 */
/* The token bucket, by a clock that the test turns. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/base/limit.h"

#define PIECE 16384u
#define SECOND 1000000u

/* Takes pieces as fast as it may for so long; the most in any window of a second
 * that begins at a piece. */
static uint64_t most_in_a_second(uint64_t rate, unsigned seconds, unsigned late_us,
				 uint64_t *ret_all)
{
	static uint64_t at[400000];
	struct limit l;
	size_t count = 0, first = 0;
	uint64_t now = 5, most = 0;
	limit_init(&l, rate, now);
	while (now < (uint64_t)seconds * SECOND && count < sizeof at / sizeof *at) {
		if (limit_take(&l, PIECE, now))
			at[count++] = now;
		else
			now += limit_wait_us(&l, PIECE, now) + late_us * (count % 3) / 2;
		while (count && at[count - 1] - at[first] >= SECOND)
			first++;
		most = (count - first) * PIECE > most ? (count - first) * PIECE : most;
	}
	*ret_all = count * PIECE;
	return most;
}

static void no_second_has_more_than_the_rate_and_a_burst(void **state)
{
	(void)state;
	static const uint64_t rates[] = {16384, 100000, 1 << 20, 10000000, 100 << 20};
	for (size_t i = 0; i < sizeof rates / sizeof *rates; i++) {
		uint64_t burst = rates[i] / 100;
		burst = burst > LIMIT_BURST_BYTES ? burst : LIMIT_BURST_BYTES;
		uint64_t all, most = most_in_a_second(rates[i], 20, 0, &all);
		assert_true(most <= rates[i] + burst);
		assert_true(all <= 20 * rates[i] + burst);
		assert_true(all + 2 * PIECE >= 20 * rates[i]);
	}
}

/* As from a busy machine: each wake-up is up to 40 ms late. */
static void who_comes_late_loses_little(void **state)
{
	static const uint64_t rates[] = {1 << 20, 10000000, 100 << 20};
	(void)state;
	for (size_t i = 0; i < sizeof rates / sizeof *rates; i++) {
		uint64_t all, most = most_in_a_second(rates[i], 20, 40000, &all);
		assert_true(most <= rates[i] + rates[i] / 100 + PIECE);
		assert_true(all >= 19 * rates[i]);
	}
}

static void without_a_rate_everything_passes(void **state)
{
	(void)state;
	struct limit l;
	limit_init(&l, 0, 1);
	for (int i = 0; i < 1000; i++)
		assert_true(limit_take(&l, LIMIT_BURST_BYTES, 1));
	assert_int_equal(limit_wait_us(&l, LIMIT_BURST_BYTES, 1), 0);
}

static void a_clock_that_stands_or_leaps_gives_no_more_than_a_tenth(void **state)
{
	(void)state;
	struct limit l;
	unsigned taken = 0;
	limit_init(&l, 1000000, 100 * SECOND);
	while (limit_take(&l, PIECE, 50 * SECOND))
		taken++;
	assert_int_equal(taken * PIECE, LIMIT_BURST_BYTES);
	for (taken = 0; limit_take(&l, PIECE, UINT64_MAX / 2);)
		taken++;
	assert_int_equal(taken, 1000000 / 10 / PIECE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_second_has_more_than_the_rate_and_a_burst),
		cmocka_unit_test(who_comes_late_loses_little),
		cmocka_unit_test(without_a_rate_everything_passes),
		cmocka_unit_test(a_clock_that_stands_or_leaps_gives_no_more_than_a_tenth),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
