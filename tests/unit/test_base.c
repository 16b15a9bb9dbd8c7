/* SPDX-License-Identifier: Apache-2.0 */
/* The base modules: text, time, JSON caps, buffers, digests, errors. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/base/buf.h"
#include "core/base/clock.h"
#include "core/base/digest.h"
#include "core/base/js.h"
#include "core/base/log.h"
#include "core/base/text.h"

static void names_follow_convention_seven(void **state)
{
	(void)state;
	assert_true(text_is_name("prod"));
	assert_true(text_is_name("a"));
	assert_true(text_is_name("a.b_c-9"));
	assert_false(text_is_name(""));
	assert_false(text_is_name("-a"));
	assert_false(text_is_name("a-"));
	assert_false(text_is_name("A"));
	assert_false(text_is_name("a/b"));
	assert_false(text_is_name("a~b"));
	assert_false(
		text_is_name("a234567890123456789012345678901234567890123456789012345678901234"));
}

static void integrations_are_named_alone_or_below_a_workspace(void **state)
{
	(void)state;
	assert_true(text_is_integration("hub"));
	assert_true(text_is_integration("shop.eu~hub-2"));
	assert_int_equal(text_workspace_bytes("hub"), 0);
	assert_int_equal(text_workspace_bytes("shop.eu~hub-2"), 7);
	assert_false(text_is_integration("~hub"));
	assert_false(text_is_integration("shop~"));
	assert_false(text_is_integration("shop-~hub"));
	assert_false(text_is_integration("shop~-hub"));
	assert_false(text_is_integration("a~b~c"));
	assert_false(text_is_integration("shop~a/b"));
	assert_true(text_is_integration(
		"a~3456789012345678901234567890123456789012345678901234567890123"));
	assert_false(text_is_integration(
		"ab~4567890123456789012345678901234567890123456789012345678901234"));
}

static void malformed_utf8_is_seen(void **state)
{
	static const char *const bad[] = {"\xC0\x80", "\xED\xA0\x80", "\xF4\x90\x80\x80",
					  "\xFF",     "a\x80",        "\xE2\x82"};
	(void)state;
	assert_true(text_is_utf8("gr\xC3\xBC\xC3\x9F \xE6\xBC\xA2 \xF0\x9F\x9A\xA2", 15));
	for (size_t i = 0; i < ARRAY_COUNT(bad); i++)
		assert_false(text_is_utf8(bad[i], strlen(bad[i])));
}

static void globs_match_as_documented(void **state)
{
	static const struct {
		const char *pattern, *text;
		int match;
	} cases[] = {
		{"*", "a", 1},        {"*", "a/b", 0},      {"**", "a/b", 1},
		{"a/**", "a/b/c", 1}, {"**/c", "c", 1},     {"**/c", "a/b/c", 1},
		{"v?.*", "v1.2", 1},  {"v?.*", "v10.2", 0}, {"{a,b*}", "bcd", 1},
		{"{a,b}", "c", 0},    {"", "", 1},          {"", "a", 0},
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++)
		assert_int_equal(text_glob(cases[i].pattern, cases[i].text), cases[i].match);
}

static void a_hostile_glob_ends(void **state)
{
	(void)state;
	assert_false(text_glob("*a*a*a*a*a*a*a*a*a*a*a*b",
			       "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"));
}

static void times_are_read_and_written_as_rfc_3339(void **state)
{
	int64_t t;
	char text[CLOCK_TEXT_ROOM];
	(void)state;
	assert_true(clock_parse("2026-11-22T17:29:10.123Z", &t));
	clock_format(t, text);
	assert_string_equal(text, "2026-11-22T17:29:10.123Z");
	assert_true(clock_parse("2026-11-22T19:29:10+02:00", &t));
	clock_format(t, text);
	assert_string_equal(text, "2026-11-22T17:29:10.000Z");
	assert_true(clock_parse("2024-02-29T00:00:00Z", &t));
	assert_false(clock_parse("2023-02-29T00:00:00Z", &t));
	assert_false(clock_parse("2026-11-22T24:00:00Z", &t));
	assert_false(clock_parse("2026-11-22 17:29", &t));
	clock_format(-1, text);
	assert_string_equal(text, "1969-12-31T23:59:59.999Z");
}

static void hostile_json_is_refused_by_cap(void **state)
{
	struct berth_error err = ERROR_INIT;
	AUTO_JSON json_t *v = NULL;
	char deep[200];
	(void)state;
	memset(deep, '[', 65);
	memset(deep + 65, ']', 65);
	assert_int_equal(js_parse(deep, 130, &js_limits_api, &v, &err), BERTH_E_LIMIT);
	assert_int_equal(js_parse("{\"a\":1,\"a\":2}", 13, &js_limits_api, &v, &err),
			 BERTH_E_INVALID);
	assert_non_null(strstr(err.cause, "duplicate"));
	assert_int_equal(js_parse("1e999", 5, &js_limits_api, &v, &err), BERTH_E_INVALID);
	assert_int_equal(js_parse("\"\xFF\"", 3, &js_limits_api, &v, &err), BERTH_E_INVALID);
	assert_int_equal(js_parse("{} x", 4, &js_limits_api, &v, &err), BERTH_E_INVALID);
	assert_int_equal(js_parse("[\"],],]\"]", 9, &js_limits_api, &v, &err), 0);
}

static void a_buffer_stops_at_its_maximum(void **state)
{
	struct berth_error err = ERROR_INIT;
	AUTO_BUF struct buf b;
	(void)state;
	buf_init(&b, 10);
	assert_int_equal(buf_add(&b, "12345", 5, &err), 0);
	assert_int_equal(buf_add(&b, "678901", 6, &err), BERTH_E_LIMIT);
	assert_string_equal(buf_text(&b), "12345");
	buf_drop_front(&b, 2);
	assert_string_equal(buf_text(&b), "345");
}

static void a_hash_goes_on_from_a_state_that_was_kept(void **state)
{
	static const char text[] =
		"one half of it and the other half of it, over a block's end ....";
	unsigned char kept[HASHER_STATE_ROOM];
	struct berth_error err = ERROR_INIT;
	(void)state;
	for (int algorithm = DIGEST_SHA256; algorithm <= DIGEST_SHA512; algorithm++) {
		struct hasher *h = NULL, *later = NULL;
		struct digest whole, parts;
		assert_int_equal(digest_of(algorithm, text, sizeof text, &whole, &err), 0);
		assert_int_equal(hasher_new(algorithm, &h, &err), 0);
		hasher_add(h, text, 20);
		hasher_save(h, kept);
		hasher_free(h);
		assert_int_equal(hasher_load(algorithm, kept, &later, &err), 0);
		hasher_add(later, text + 20, sizeof text - 20);
		hasher_end(later, &parts);
		hasher_free(later);
		assert_true(digest_equal(&whole, &parts));
	}
}

static void what_is_no_state_of_a_hash_is_refused(void **state)
{
	unsigned char kept[HASHER_STATE_ROOM];
	struct berth_error err = ERROR_INIT;
	struct hasher *h = NULL;
	(void)state;
	memset(kept, 0xff, sizeof kept);
	assert_int_equal(hasher_load(DIGEST_SHA256, kept, &h, &err), BERTH_E_INVALID);
	assert_int_equal(hasher_load(DIGEST_SHA512, kept, &h, &err), BERTH_E_INVALID);
	memset(kept, 0, sizeof kept);
	assert_int_equal(hasher_load(DIGEST_SHA256, kept, &h, &err), BERTH_E_INVALID);
	assert_null(h);
}

static void digests_are_parsed_strictly(void **state)
{
	struct berth_error err = ERROR_INIT;
	struct digest d, e;
	char text[DIGEST_TEXT_ROOM];
	(void)state;
	assert_int_equal(digest_of(DIGEST_SHA256, "", 0, &d, &err), 0);
	digest_format(&d, text);
	assert_string_equal(
		text, "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
	assert_int_equal(digest_parse(text, &e, &err), 0);
	assert_true(digest_equal(&d, &e));
	text[10] = 'B';
	assert_int_equal(digest_parse(text, &e, &err), BERTH_E_INVALID);
	assert_int_equal(digest_parse("sha256:ab", &e, &err), BERTH_E_INVALID);
	assert_int_equal(digest_parse("md5:ab", &e, &err), BERTH_E_INVALID);
}

static void wrapping_keeps_code_and_moves_the_message(void **state)
{
	struct berth_error err = ERROR_INIT;
	(void)state;
	assert_int_equal(berth_fail_http(&err, 401, "GET /v2/"), BERTH_E_AUTH);
	assert_int_equal(berth_wrap(&err, "cannot list"), BERTH_E_AUTH);
	assert_string_equal(err.message, "cannot list");
	assert_string_equal(err.cause, "GET /v2/: HTTP 401");
	assert_int_equal(err.upstream, 401);
	berth_fail(&err, BERTH_E_INVALID, "a\nb\x1b[31m");
	assert_string_equal(err.message, "a b [31m");
}

static void secrets_are_masked(void **state)
{
	char line[] = "password hunter2 and hunter2";
	(void)state;
	log_add_secret("hunter2");
	log_mask(line);
	assert_string_equal(line, "password ******* and *******");
}

static void a_secret_that_is_part_of_another_does_not_uncover_the_rest(void **state)
{
	char line[] = "basic robot-9:tail-of-it, token tail";
	(void)state;
	log_add_secret("tail");
	log_add_secret("robot-9:tail-of-it");
	log_mask(line);
	assert_string_equal(line, "basic ******************, token ****");
}

static void a_text_is_replaced_by_a_copy_of_another_or_itself(void **state)
{
	AUTO_FREE char *text = NULL;

	(void)state;
	assert_true(text_replace(&text, "one"));
	assert_true(text_replace(&text, text));
	assert_string_equal(text, "one");
	assert_true(text_replace(&text, "another"));
	assert_string_equal(text, "another");
}

static void the_closest_word_is_found(void **state)
{
	static const char *const words[] = {"integration", "space", "image", NULL};
	(void)state;
	assert_string_equal(text_closest("integratoin", words), "integration");
	assert_null(text_closest("zzzzz", words));
}

static void text_that_would_move_a_cursor_is_blanked(void **state)
{
	(void)state;
	static const struct {
		const char *in, *out;
	} cases[] = {
		{"a\x1b[2Jb\x7f", "a [2Jb "},
		{"\xc2\x9b"
		 "31m",
		 "  31m"},
		{"no \xe2\x80\xae"
		 "exe",
		 "no    exe"},
		{"\xe2\x81\xa6"
		 "x\xe2\x81\xa9",
		 "   x   "},
		{"a\xd8\x9c"
		 "b\xe2\x81\xa0"
		 "c",
		 "a  b   c"},
		{"\xef\xbb\xbf"
		 "x",
		 "   x"},
		{"caf\xc3\xa9 \xe2\x80\x94 \xe2\x80\xb0", "caf\xc3\xa9 \xe2\x80\x94 \xe2\x80\xb0"},
		{"\xe2\x80", "\xe2\x80"},
	};
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		char text[64];
		snprintf(text, sizeof text, "%s", cases[i].in);
		text_blank_controls(text);
		assert_string_equal(text, cases[i].out);
	}
}

static int left;

static void *fail_one(size_t byte_count)
{
	return --left ? malloc(byte_count) : NULL;
}

static void json_that_lacked_memory_is_none(void **state)
{
	static const char text[] = "{\"a\":[1,\"b\",{\"c\":2.5}],\"d\":null}";
	struct berth_error err = ERROR_INIT;
	json_t *value = NULL;
	unsigned before;
	int n = 0, code;

	(void)state;
	do {
		left = ++n;
		js_count_losses(fail_one);
		code = js_parse(text, sizeof text - 1, &js_limits_api, &value, &err);
		js_count_losses(NULL);
		assert_int_equal(code, left > 0 ? 0 : BERTH_E_NO_MEMORY);
	} while (left <= 0);
	for (left = 0, n = 0; left <= 0;) {
		left = ++n;
		before = js_losses();
		js_count_losses(fail_one);
		AUTO_FREE char *got = js_canonical(value);
		js_count_losses(NULL);
		assert_int_equal(js_losses() - before, left <= 0);
		if (got)
			assert_string_equal(got, text);
		assert_true(got || left <= 0);
	}
	before = js_losses();
	value = js_whole(value, before);
	assert_non_null(value);
	left = 1;
	js_count_losses(fail_one);
	js_put_str(value, "e", "f");
	js_count_losses(NULL);
	assert_null(js_whole(value, before));
}

/* jansson itself would read behind the end of a text that could not grow. */
static void a_long_text_that_lacked_memory_is_none(void **state)
{
	struct berth_error err = ERROR_INIT;
	char text[300] = "";

	(void)state;
	for (int bytes = 0; bytes < 200; bytes++) {
		int at = snprintf(text, sizeof text, "[\"%s", bytes % 2 ? "x" : "");
		for (int i = 1; i < bytes; i += 2)
			at += snprintf(text + at, sizeof text - (size_t)at, "\\n");
		snprintf(text + at, sizeof text - (size_t)at, "\", 12]");
		for (int n = 1; left = n, n < 100; n++) {
			json_t *value AUTO_JSON = NULL;
			js_count_losses(fail_one);
			int code = js_parse(text, strlen(text), &js_limits_api, &value, &err);
			js_count_losses(NULL);
			assert_int_equal(code, left > 0 ? 0 : BERTH_E_NO_MEMORY);
			if (!code)
				break;
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(text_that_would_move_a_cursor_is_blanked),
		cmocka_unit_test(names_follow_convention_seven),
		cmocka_unit_test(integrations_are_named_alone_or_below_a_workspace),
		cmocka_unit_test(malformed_utf8_is_seen),
		cmocka_unit_test(globs_match_as_documented),
		cmocka_unit_test(a_hostile_glob_ends),
		cmocka_unit_test(times_are_read_and_written_as_rfc_3339),
		cmocka_unit_test(hostile_json_is_refused_by_cap),
		cmocka_unit_test(json_that_lacked_memory_is_none),
		cmocka_unit_test(a_long_text_that_lacked_memory_is_none),
		cmocka_unit_test(a_buffer_stops_at_its_maximum),
		cmocka_unit_test(digests_are_parsed_strictly),
		cmocka_unit_test(a_hash_goes_on_from_a_state_that_was_kept),
		cmocka_unit_test(what_is_no_state_of_a_hash_is_refused),
		cmocka_unit_test(wrapping_keeps_code_and_moves_the_message),
		cmocka_unit_test(secrets_are_masked),
		cmocka_unit_test(a_secret_that_is_part_of_another_does_not_uncover_the_rest),
		cmocka_unit_test(a_text_is_replaced_by_a_copy_of_another_or_itself),
		cmocka_unit_test(the_closest_word_is_found),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
