/* SPDX-License-Identifier: Apache-2.0 */
/* What goes into a workspace's pull secret, which logins that takes, and which are
 * of no use any more.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "short_memory.h"

#include "core/api/pull.h"
#include "core/base/digest.h"

#define DAY 86400000ll

/* JSON with ' for ". */
static json_t *js(const char *text)
{
	AUTO_FREE char *copy = strdup(text);

	for (char *p = copy; *p; p++)
		if (*p == '\'')
			*p = '"';
	json_t *value = json_loads(copy, 0, NULL);
	if (!value)
		fail_msg("bad JSON: %s", copy);
	return value;
}

static json_t *plan(const char *wants_text, const char *logins_text, int64_t now_ms)
{
	AUTO_JSON json_t *wants = js(wants_text), *logins = js(logins_text);
	json_t *made = pull_plan(wants, logins, now_ms);

	assert_non_null(made);
	return made;
}

static const char *member(const json_t *p, const char *list, size_t at, const char *key)
{
	return js_str(json_array_get(json_object_get(p, list), at), key, "");
}

static size_t size(const json_t *p, const char *list)
{
	return json_array_size(json_object_get(p, list));
}

static void check_digest(const json_t *p, bool patches, char *to)
{
	struct berth_error err = ERROR_INIT;

	assert_int_equal(pull_digest(p, patches, to, &err), 0);
}

#define WANT_A "{'id':'i1','name':'hub','host':'hub.example','spaces':['a']}"
#define WANT_AB "{'id':'i1','name':'hub','host':'hub.example','spaces':['a','b']}"
#define LOGIN(id, spaces, created)                                                                 \
	"{'id':'" id "','integration_id':'i1','state':'active','username':'robot$" id              \
	"','spaces':" spaces ",'created_ms':" created ",'expires_ms':2592000000}"

static void nothing_wanted_is_nothing_made(void **state)
{
	char digest[DIGEST_TEXT_ROOM];
	AUTO_JSON json_t *p = plan("[]", "[]", 0);

	(void)state;
	assert_int_equal(size(p, "make") + size(p, "surplus") + size(p, "integrations"), 0);
	assert_true(js_bool(p, "is_settled", false));
	check_digest(p, true, digest);
	assert_string_equal(digest, "");
}

static void a_first_login_is_made_for_exactly_the_spaces(void **state)
{
	AUTO_JSON json_t *p = plan("[" WANT_AB "]", "[]", 0);
	AUTO_JSON json_t *spaces = js("['a','b']");

	(void)state;
	assert_int_equal(size(p, "make"), 1);
	assert_true(json_equal(
		spaces, json_object_get(json_array_get(json_object_get(p, "make"), 0), "spaces")));
	assert_false(js_bool(p, "is_settled", true));
	assert_string_equal(member(p, "integrations", 0, "state"), "pending");
}

static void one_that_is_being_made_is_not_made_twice(void **state)
{
	AUTO_JSON json_t *p = plan("[" WANT_A "]",
				   "[{'id':'x','integration_id':'i1','state':'making',"
				   "'spaces':['a'],'created_ms':1,'expires_ms':9}]",
				   0);

	(void)state;
	assert_int_equal(size(p, "make"), 0);
	assert_false(js_bool(p, "is_settled", true));
}

static void one_that_fits_is_used_and_all_is_settled(void **state)
{
	char digest[DIGEST_TEXT_ROOM], patched[DIGEST_TEXT_ROOM];
	AUTO_JSON json_t *p = plan("[" WANT_AB "]", "[" LOGIN("x", "['b','a']", "0") "]", DAY);

	(void)state;
	assert_int_equal(size(p, "make") + size(p, "surplus"), 0);
	assert_true(js_bool(p, "is_settled", false));
	assert_string_equal(member(p, "integrations", 0, "login"), "x");
	check_digest(p, false, digest);
	check_digest(p, true, patched);
	assert_string_not_equal(digest, "");
	assert_string_not_equal(digest, patched);
}

static void another_space_makes_another_login_and_the_old_one_stays_until_then(void **state)
{
	AUTO_JSON json_t *p = plan("[" WANT_AB "]", "[" LOGIN("x", "['a']", "0") "]", DAY);

	(void)state;
	assert_int_equal(size(p, "make"), 1);
	assert_int_equal(size(p, "surplus"), 0);
	assert_string_equal(member(p, "integrations", 0, "login"), "x");
	assert_false(js_bool(p, "is_settled", true));
}

static void what_may_more_than_it_should_is_excess(void **state)
{
	AUTO_JSON json_t *p =
		plan("[" WANT_A "]",
		     "[" LOGIN("x", "['a','b']", "0") "," LOGIN("y", "['a']", "5") "]", DAY);
	AUTO_JSON json_t *gone = plan("[]", "[" LOGIN("x", "['a']", "0") "]", DAY);
	const json_t *first = json_array_get(json_object_get(p, "surplus"), 0);

	(void)state;
	assert_string_equal(member(p, "integrations", 0, "login"), "y");
	assert_int_equal(size(p, "surplus"), 1);
	assert_string_equal(js_str(first, "login", ""), "x");
	assert_true(js_bool(first, "is_excess", false));
	assert_true(
		js_bool(json_array_get(json_object_get(gone, "surplus"), 0), "is_excess", false));
}

static void an_old_login_is_renewed_before_it_expires(void **state)
{
	AUTO_JSON json_t *early = plan("[" WANT_A "]", "[" LOGIN("x", "['a']", "0") "]", 19 * DAY);
	AUTO_JSON json_t *late = plan("[" WANT_A "]", "[" LOGIN("x", "['a']", "0") "]", 21 * DAY);
	AUTO_JSON json_t *after = plan(
		"[" WANT_A "]",
		"[" LOGIN("x", "['a']",
			  "0") ",{'id':'y','integration_id':'i1','state':'active',"
			       "'spaces':['a'],'created_ms':1814400000,'expires_ms':4406400000}]",
		21 * DAY);

	(void)state;
	assert_int_equal(size(early, "make"), 0);
	assert_int_equal(size(late, "make"), 1);
	assert_true(js_bool(late, "is_settled", false));
	assert_string_equal(member(after, "integrations", 0, "login"), "y");
	assert_string_equal(member(after, "surplus", 0, "login"), "x");
	assert_false(
		js_bool(json_array_get(json_object_get(after, "surplus"), 0), "is_excess", true));
}

static void an_obstacle_leaves_a_registry_out_with_its_reason(void **state)
{
	static const char wants[] = "[{'id':'i1','name':'hub','host':'hub.example','spaces':['a'],"
				    "'obstacle':{'reason':'NoLogins','message':'none'}}]";
	AUTO_JSON json_t *p = plan(wants, "[]", 0);
	AUTO_JSON json_t *had = plan(wants, "[" LOGIN("x", "['a']", "0") "]", DAY);

	(void)state;
	assert_int_equal(size(p, "make"), 0);
	assert_true(js_bool(p, "is_settled", false));
	assert_string_equal(member(p, "integrations", 0, "state"), "left-out");
	assert_string_equal(member(p, "integrations", 0, "reason"), "NoLogins");
	assert_string_equal(member(had, "integrations", 0, "state"), "included");
}

static void two_integrations_of_one_host_are_one_entry(void **state)
{
	AUTO_JSON json_t *p = plan(
		"[" WANT_A ",{'id':'i2','name':'hub2','host':'hub.example','spaces':['c']}]",
		"[" LOGIN(
			"x", "['a']",
			"0") ",{'id':'z','integration_id':'i2','state':'active',"
			     "'username':'u','spaces':['c'],'created_ms':0,'expires_ms':2592000000}]",
		DAY);

	(void)state;
	assert_string_equal(member(p, "integrations", 0, "login"), "x");
	assert_string_equal(member(p, "integrations", 1, "reason"), "SameHost");
	assert_string_equal(member(p, "integrations", 1, "login"), "");
}

/* One that lacked a login's name or a surplus would let a namespace down for good. */
static void a_plan_is_whole_or_none(void **state)
{
	AUTO_JSON json_t *wants = js("[" WANT_AB "]");
	AUTO_JSON json_t *logins = js("[" LOGIN("l1", "['a']", "0") "," LOGIN(
		"l2", "['a','b']", "1") "," LOGIN("l3", "['c']", "2") "]");
	AUTO_JSON json_t *whole = pull_plan(wants, logins, DAY);
	bool failed;
	int n = 0;

	(void)state;
	assert_non_null(whole);
	do {
		fail_at(++n);
		AUTO_JSON json_t *got = pull_plan(wants, logins, DAY);
		failed = has_failed();
		assert_true(failed ? !got : json_equal(got, whole));
	} while (failed);
	assert_true(n > 20);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_wanted_is_nothing_made),
		cmocka_unit_test(a_plan_is_whole_or_none),
		cmocka_unit_test(a_first_login_is_made_for_exactly_the_spaces),
		cmocka_unit_test(one_that_is_being_made_is_not_made_twice),
		cmocka_unit_test(one_that_fits_is_used_and_all_is_settled),
		cmocka_unit_test(
			another_space_makes_another_login_and_the_old_one_stays_until_then),
		cmocka_unit_test(what_may_more_than_it_should_is_excess),
		cmocka_unit_test(an_old_login_is_renewed_before_it_expires),
		cmocka_unit_test(an_obstacle_leaves_a_registry_out_with_its_reason),
		cmocka_unit_test(two_integrations_of_one_host_are_one_entry),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
