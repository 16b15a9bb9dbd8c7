/* SPDX-License-Identifier: Apache-2.0 */
/* What a comparison after a copy makes of the copy's outcomes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "core/base/js.h"
#include "core/transfer/confirm.h"

static json_t *parse(const char *text)
{
	struct berth_error err = ERROR_INIT;
	json_t *value = NULL;
	if (js_parse(text, strlen(text), &js_limits_frame, &value, &err))
		fail_msg("%s: %s", text, err.message);
	return value;
}

static json_t *noted(void)
{
	static const char *const items[] = {
		"{\"name\":\"lab/a:1\",\"bytes\":7,\"more\":{\"state\":\"copied\"}}",
		"{\"name\":\"lab/a:2\",\"bytes\":0,\"more\":{\"state\":\"kept\"}}",
		"{\"name\":\"lab/a:3\",\"bytes\":0,\"more\":{\"state\":\"failed\"}}",
		"{\"name\":\"lab/a@x\",\"bytes\":5,\"more\":{\"state\":\"copied\",\"referrer\":true}}",
	};
	struct berth_error err = ERROR_INIT;
	json_t *to = json_object();
	for (size_t i = 0; i < ARRAY_COUNT(items); i++) {
		AUTO_JSON json_t *item = parse(items[i]);
		assert_int_equal(0, confirm_note(to, item, &err));
	}
	return to;
}

/* The outcome and the totals after one verdict. */
static json_t *refute(const char *verdict, json_t *totals)
{
	struct berth_error err = ERROR_INIT;
	AUTO_JSON json_t *before = noted();
	AUTO_JSON json_t *item = parse(verdict);
	json_t *outcome = NULL;
	assert_int_equal(0, confirm_refute(before, item, totals, &outcome, &err));
	return outcome;
}

static const char *error_text(const json_t *outcome, const char *key)
{
	return js_str(json_object_get(json_object_get(outcome, "more"), "error"), key, "");
}

static void what_is_the_same_or_was_no_success_stays_as_it_was(void **state)
{
	static const char *const verdicts[] = {
		"{\"name\":\"lab/a:1\",\"more\":{\"state\":\"same\"}}",
		"{\"name\":\"lab/a:2\",\"more\":{\"state\":\"different\"}}",
		"{\"name\":\"lab/a:3\",\"more\":{\"state\":\"missing\"}}",
	};
	(void)state;
	AUTO_JSON json_t *totals = parse("{\"copied\":1,\"kept\":1,\"failed\":1}");
	AUTO_JSON json_t *before = json_deep_copy(totals);
	for (size_t i = 0; i < ARRAY_COUNT(verdicts); i++)
		assert_null(refute(verdicts[i], totals));
	assert_true(json_equal(before, totals));
}

static void an_image_that_is_broken_has_failed_and_says_where(void **state)
{
	(void)state;
	AUTO_JSON json_t *totals = parse("{\"images\":3,\"copied\":1,\"failed\":1}");
	AUTO_JSON json_t *one = refute(
		"{\"name\":\"lab/a:1\",\"digest\":\"sha256:d\",\"more\":{\"state\":\"incomplete\","
		"\"source\":\"hub/a:1\",\"differences\":[{\"what\":\"blob\",\"digest\":\"sha256:b\","
		"\"how\":\"missing\"},{\"what\":\"blob\",\"digest\":\"sha256:c\",\"how\":\"size\"}]}}",
		totals);
	assert_string_equal("image", js_str(one, "kind", ""));
	assert_string_equal("sha256:d", js_str(one, "digest", ""));
	assert_int_equal(7, js_int(one, "bytes", 0));
	assert_string_equal("failed", js_str(json_object_get(one, "more"), "state", ""));
	assert_int_equal(0, js_int(json_object_get(one, "more"), "attempts", 1));
	assert_string_equal("digest", error_text(one, "code"));
	assert_string_equal("after the copy the target does not hold 'lab/a:1' as the source does",
			    error_text(one, "message"));
	assert_string_equal("blob sha256:b is missing, and there is more",
			    error_text(one, "cause"));
	assert_int_equal(0, js_int(totals, "copied", -1));
	assert_int_equal(2, js_int(totals, "failed", -1));
	assert_int_equal(3, js_int(totals, "images", -1));
}

static void each_kind_of_difference_has_its_words(void **state)
{
	static const struct {
		const char *verdict, *cause;
	} cases[] = {
		{"{\"name\":\"lab/a:1\",\"more\":{\"state\":\"missing\",\"differences\":[]}}",
		 "it has no such tag"},
		{"{\"name\":\"lab/a:1\",\"more\":{\"state\":\"different\",\"differences\":[],"
		 "\"found\":\"sha256:f\"}}",
		 "it has sha256:f"},
		{"{\"name\":\"lab/a:1\",\"more\":{\"state\":\"incomplete\",\"differences\":[{"
		 "\"what\":\"blob\",\"digest\":\"sha256:c\",\"how\":\"size\"}]}}",
		 "blob sha256:c has another size"},
		{"{\"name\":\"lab/a:1\",\"more\":{\"state\":\"failed\",\"error\":{\"code\":"
		 "\"unavailable\",\"message\":\"no answer\",\"cause\":\"\"}}}",
		 "no answer"},
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		AUTO_JSON json_t *totals = json_object();
		AUTO_JSON json_t *one = refute(cases[i].verdict, totals);
		assert_string_equal(cases[i].cause, error_text(one, "cause"));
	}
}

static void an_attachment_fails_but_is_no_image_of_the_totals(void **state)
{
	(void)state;
	AUTO_JSON json_t *totals =
		parse("{\"images\":3,\"copied\":1,\"referrers\":1,\"failed\":0}");
	AUTO_JSON json_t *one =
		refute("{\"name\":\"lab/a@x\",\"more\":{\"state\":\"missing\",\"referrer\":true}}",
		       totals);
	assert_true(js_bool(json_object_get(one, "more"), "referrer", false));
	assert_int_equal(1, js_int(totals, "failed", -1));
	assert_int_equal(1, js_int(totals, "copied", -1));
	assert_int_equal(1, js_int(totals, "referrers", -1));
}

static void what_came_after_the_copy_counts_as_missing(void **state)
{
	(void)state;
	AUTO_JSON json_t *totals = parse("{\"images\":3,\"failed\":0}");
	AUTO_JSON json_t *one =
		refute("{\"name\":\"lab/a:9\",\"more\":{\"state\":\"missing\"}}", totals);
	assert_non_null(one);
	assert_int_equal(1, js_int(totals, "failed", -1));
	assert_int_equal(4, js_int(totals, "images", -1));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_the_same_or_was_no_success_stays_as_it_was),
		cmocka_unit_test(an_image_that_is_broken_has_failed_and_says_where),
		cmocka_unit_test(each_kind_of_difference_has_its_words),
		cmocka_unit_test(an_attachment_fails_but_is_no_image_of_the_totals),
		cmocka_unit_test(what_came_after_the_copy_counts_as_missing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
