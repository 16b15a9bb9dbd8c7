/* SPDX-License-Identifier: Apache-2.0 */
/* The rings of the copy engine: order, bounds, and that nobody starves. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/transfer/ring.h"

static void bytes_come_out_as_they_went_in(void **state)
{
	(void)state;
	static char in[300000], out[300000];
	struct pool pool;
	struct ring ring;
	size_t put = 0, taken = 0;
	for (size_t i = 0; i < sizeof in; i++)
		in[i] = (char)(i * 31 + i / 251);
	pool_init(&pool, 1 << 20);
	ring_init(&ring, &pool);
	for (size_t step = 1; taken < sizeof in; step = step * 7 % 20011) {
		size_t n = step < sizeof in - put ? step : sizeof in - put;
		if (ring_has_room(&ring, n)) {
			assert_true(ring_put(&ring, in + put, n));
			put += n;
		}
		taken += ring_take(&ring, out + taken, step / 2 + 1);
		assert_int_equal(ring.byte_count, put - taken);
	}
	assert_memory_equal(in, out, sizeof in);
	ring_done(&ring);
	assert_int_equal(pool.chunk_count, 0);
	pool_done(&pool);
}

static void one_stream_holds_at_most_half_of_the_pool(void **state)
{
	(void)state;
	static char bytes[16384];
	struct pool pool;
	struct ring ring;
	size_t put = 0;
	pool_init(&pool, 16 * RING_CHUNK_BYTES);
	ring_init(&ring, &pool);
	for (; ring_has_room(&ring, sizeof bytes); put += sizeof bytes)
		assert_true(ring_put(&ring, bytes, sizeof bytes));
	assert_int_equal(put, 8 * RING_CHUNK_BYTES);
	ring_done(&ring);
	pool_done(&pool);
}

static void a_stream_with_nothing_may_always_take_a_chunk(void **state)
{
	(void)state;
	static char bytes[RING_CHUNK_BYTES];
	struct pool pool;
	struct ring greedy[2], late;
	pool_init(&pool, 4 * RING_CHUNK_BYTES);
	for (int i = 0; i < 2; i++) {
		ring_init(&greedy[i], &pool);
		while (ring_has_room(&greedy[i], sizeof bytes))
			assert_true(ring_put(&greedy[i], bytes, sizeof bytes));
	}
	assert_int_equal(pool.chunk_count, pool.chunk_max);
	ring_init(&late, &pool);
	assert_true(ring_has_room(&late, 16384));
	assert_true(ring_put(&late, bytes, 16384));
	assert_false(ring_has_room(&late, sizeof bytes));
	assert_int_equal(ring_take(&late, bytes, sizeof bytes), 16384);
	assert_int_equal(pool.chunk_count, pool.chunk_max);
	for (int i = 0; i < 2; i++)
		ring_done(&greedy[i]);
	ring_done(&late);
	pool_done(&pool);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bytes_come_out_as_they_went_in),
		cmocka_unit_test(one_stream_holds_at_most_half_of_the_pool),
		cmocka_unit_test(a_stream_with_nothing_may_always_take_a_chunk),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
