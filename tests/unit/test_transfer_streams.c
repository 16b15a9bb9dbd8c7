/* SPDX-License-Identifier: Apache-2.0 */
/* What a copy says of its streams: it has to fit a frame, however many there are. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "core/base/js.h"
#include "core/transfer/move.h"

#define MOVES 256 /* the most that the configuration allows */

static struct move moves[MOVES];

static size_t said_bytes(const char *label, size_t *ret_count, uint64_t *ret_sent)
{
	struct pair pair = {.label_target = (char *)(uintptr_t)label};
	struct blob blob = {.byte_count = INT64_MAX};
	struct place place = {.blob = &blob, .pair = &pair};
	struct transfer t = {.moves = moves};
	place.digest.algorithm = DIGEST_SHA512;
	place.digest.byte_count = 64;
	for (size_t i = 0; i < MOVES; i++)
		moves[i] = (struct move){.place = &place,
					 .sent = 1000,
					 .attempt = INT32_MAX,
					 .next = i + 1 < MOVES ? &moves[i + 1] : NULL};
	AUTO_JSON json_t *said = move_streams(&t, ret_sent);
	AUTO_FREE char *text = js_text(said);
	assert_non_null(text);
	*ret_count = json_array_size(said);
	return strlen(text);
}

static void streams_with_the_longest_names_fit_a_frame(void **state)
{
	char label[320];
	size_t count;
	uint64_t sent;
	(void)state;
	memset(label, 'n', sizeof label);
	label[sizeof label - 1] = 0;
	assert_true(said_bytes(label, &count, &sent) < 50000);
	assert_true(count > 50);
	assert_int_equal(sent, MOVES * 1000);
}

static void most_streams_with_short_names_are_said(void **state)
{
	size_t count;
	uint64_t sent;
	(void)state;
	assert_true(said_bytes("harbor/team/app", &count, &sent) < 50000);
	assert_true(count > 128);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(streams_with_the_longest_names_fit_a_frame),
		cmocka_unit_test(most_streams_with_short_names_are_said),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
