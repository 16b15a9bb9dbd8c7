/* SPDX-License-Identifier: Apache-2.0 */
/* Files for apply: what the YAML loader takes, and what it refuses in words. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "client/show.h"
#include "core/base/yaml_in.h"

static void check(const char *yaml, const char *json)
{
	struct berth_error err = ERROR_INIT;
	json_t *value = NULL;
	if (documents_parse(yaml, &value, &err))
		fail_msg("%s", err.message);
	char *text = json_dumps(value, JSON_COMPACT | JSON_SORT_KEYS);
	assert_string_equal(text, json);
	free(text);
	json_decref(value);
}

static void check_refused(const char *yaml, int code, const char *words)
{
	struct berth_error err = ERROR_INIT;
	json_t *value = NULL;
	assert_int_equal(documents_parse(yaml, &value, &err), code);
	if (!strstr(err.message, words))
		fail_msg("'%s' is not in '%s'", words, err.message);
}

static void yaml_and_json_mean_the_same(void **state)
{
	(void)state;
	check("a: 1\nb: [x, 'y', \"z\\n\"]\nc: {d: true, e: null, f: ~}\n",
	      "[{\"a\":1,\"b\":[\"x\",\"y\",\"z\\n\"],\"c\":{\"d\":true,\"e\":null,\"f\":null}}]");
	check("{\"a\":1}", "[{\"a\":1}]");
	check("--- a\n--- b\n", "[\"a\",\"b\"]");
	check("t: |\n  one\n  two\n", "[{\"t\":\"one\\ntwo\\n\"}]");
	check("i: -7\nz: 0\nv: v1.10\n", "[{\"i\":-7,\"v\":\"v1.10\",\"z\":0}]");
	check("", "[]");
}

static void what_readers_disagree_about_must_be_quoted(void **state)
{
	static const char *const words[] = {"1.10", "yes",   "No",   "on", "0x1f", "0o17",
					    "017",  "1_000", ".nan", "+1", "-0"};
	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(words); i++) {
		char text[64];
		snprintf(text, sizeof(text), "tag: %s\n", words[i]);
		check_refused(text, BERTH_E_INVALID, "line 1, column 6: put this value in quotes");
	}
	check("tag: '1.10'\n", "[{\"tag\":\"1.10\"}]");
}

static void aliases_anchors_tags_and_double_keys_are_refused(void **state)
{
	(void)state;
	check_refused("a: &x [1]\nb: *x\n", BERTH_E_INVALID, "anchors");
	check_refused("a: *x\n", BERTH_E_INVALID, "aliases");
	check_refused("a: !!python/object x\n", BERTH_E_INVALID, "tags");
	check_refused("a: 1\na: 2\n", BERTH_E_INVALID, "line 2, column 1: this key is there twice");
	check_refused("? [1]\n: 2\n", BERTH_E_INVALID, "a key must be plain text");
	check_refused("a: [\n", BERTH_E_INVALID, "line 2");
	check_refused("<<: {a: 1}\n", BERTH_E_INVALID, "quotes");
}

static void caps_hold(void **state)
{
	(void)state;
	char deep[400] = "";
	for (size_t i = 0; i < 70; i++)
		strncat(deep, "- ", sizeof(deep) - strlen(deep) - 1);
	strncat(deep, "x", sizeof(deep) - strlen(deep) - 1);
	check_refused(deep, BERTH_E_LIMIT, "deeper than 64");
	size_t bytes = 3 * (YAML_EVENTS_MAX + 1);
	char *many = malloc(bytes + 1);
	assert_non_null(many);
	for (size_t i = 0; i < bytes; i++)
		many[i] = "-a\n"[i % 3] == 'a' ? ' ' : "-a\n"[i % 3];
	many[bytes] = 0;
	check_refused(many, BERTH_E_LIMIT, "more than 100000 parts");
	free(many);
	char *big = malloc(YAML_BYTES_MAX + 2);
	assert_non_null(big);
	memset(big, 'a', YAML_BYTES_MAX + 1);
	big[YAML_BYTES_MAX + 1] = 0;
	check_refused(big, BERTH_E_LIMIT, "bytes");
	free(big);
}

static void yaml_that_was_written_reads_back_the_same(void **state)
{
	static const char *const values[] = {
		"{\"a\":\"yes\",\"b\":\"1.10\",\"c\":\"0x1\",\"d\":\"\",\"e\":\" x \",\"f\":\"a: b\"}",
		"{\"a\":\"#x\",\"b\":\"x #y\",\"c\":\"-\",\"d\":\"~\",\"e\":\"null\",\"f\":\"a\\nb\"}",
		"[[1,[2,[]],{}],{\"a\":[{\"b\":{\"c\":null}}]},\"\\u202e\\u009b\",true,-5]",
		"{\"\":1,\"yes\":2,\"a b\":3,\"http://x:80/y\":\"http://x:80/y\"}",
		"{\"d\":\"sha256:0123\",\"t\":\"2026-11-22T18:00:00Z\",\"k\":\"k:\"}",
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(values); i++) {
		struct berth_error err = ERROR_INIT;
		json_t *value = json_loads(values[i], 0, NULL), *back = NULL;
		assert_non_null(value);
		char *text = yaml_text(value);
		assert_non_null(text);
		if (documents_parse(text, &back, &err))
			fail_msg("%s in\n%s", err.message, text);
		if (!json_equal(json_array_get(back, 0), value))
			fail_msg("differs:\n%s", text);
		free(text);
		json_decref(back);
		json_decref(value);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(yaml_and_json_mean_the_same),
		cmocka_unit_test(what_readers_disagree_about_must_be_quoted),
		cmocka_unit_test(aliases_anchors_tags_and_double_keys_are_refused),
		cmocka_unit_test(caps_hold),
		cmocka_unit_test(yaml_that_was_written_reads_back_the_same),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
