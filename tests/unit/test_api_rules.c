/* SPDX-License-Identifier: Apache-2.0 */
/* Copy rules as data: what they become for the engine, and what one does to
 * another. No store, no daemon.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <string.h>

#include "short_memory.h"

#include "core/api/sync.h"

/* The pure part asks for no answer unless it finds something. */
static struct findings quiet(void)
{
	return (struct findings){.answer = NULL};
}

static json_t *parse(const char *text)
{
	json_t *value = json_loads(text, 0, NULL);
	assert_non_null(value);
	return value;
}

static void expect_engine(const char *desired, const char *expected)
{
	struct findings f = quiet();
	json_t *from AUTO_JSON = parse(desired);
	json_t *want AUTO_JSON = parse(expected);
	json_t *got AUTO_JSON = sync_engine_rule(from, NULL, &f);

	assert_int_equal(f.count, 0);
	if (!json_equal(want, got)) {
		char *text AUTO_FREE = json_dumps(got, JSON_SORT_KEYS);
		fail_msg("%s became %s", desired, text);
	}
	assert_true(engine_rule_is_right(got, &f));
}

static void a_rule_becomes_the_engines(void **state)
{
	(void)state;
	expect_engine("{\"source\":\"hub\",\"target\":\"mirror\"}",
		      "{\"source\":{\"instance\":\"hub\"},\"target\":{\"instance\":\"mirror\"}}");
	expect_engine("{\"source\":\"hub/a/b\",\"target\":\"mirror/c\",\"repositories\":[\"x*\"],"
		      "\"exclude\":[],\"tags\":[\"1.*\"],\"override\":false,\"flatten\":1}",
		      "{\"source\":{\"instance\":\"hub\",\"prefix\":\"a/b\"},"
		      "\"target\":{\"instance\":\"mirror\",\"prefix\":\"c\"},\"names\":[\"x*\"],"
		      "\"tags\":[\"1.*\"],\"override\":false,\"flatten\":1}");
	expect_engine("{\"source\":\"hub\",\"target\":\"mirror\",\"semver\":\"^1\",\"newest\":3,"
		      "\"exclude_tags\":[\"*-rc*\"]}",
		      "{\"source\":{\"instance\":\"hub\"},\"target\":{\"instance\":\"mirror\"},"
		      "\"semver\":\"^1\",\"newest\":3,\"exclude_tags\":[\"*-rc*\"]}");
	expect_engine("{\"source\":\"hub\",\"target\":\"mirror\",\"limit_bytes_per_s\":20000}",
		      "{\"source\":{\"instance\":\"hub\"},\"target\":{\"instance\":\"mirror\"},"
		      "\"limit_bytes_per_s\":20000}");
	expect_engine("{\"source\":\"hub\",\"target\":\"mirror\",\"limit_bytes_per_s\":0}",
		      "{\"source\":{\"instance\":\"hub\"},\"target\":{\"instance\":\"mirror\"}}");
	expect_engine("{\"source\":\"hub\",\"target\":\"mirror\",\"semver\":\"\"}",
		      "{\"source\":{\"instance\":\"hub\"},\"target\":{\"instance\":\"mirror\"}}");
}

/* One that lacks a choice would copy more than was asked for. */
static void a_rule_is_whole_or_none(void **state)
{
	json_t *from AUTO_JSON = parse(
		"{\"source\":\"hub/a\",\"target\":\"mirror/b\",\"repositories\":[\"x*\"],\"exclude\":"
		"[\"xy\"],\"tags\":[\"1.*\"],\"semver\":\"^1\",\"newest\":3,\"override\":false}");
	struct findings f = quiet();
	json_t *whole AUTO_JSON = sync_engine_rule(from, NULL, &f);
	bool failed;
	int n = 0;

	(void)state;
	assert_non_null(whole);
	do {
		fail_at(++n);
		json_t *got AUTO_JSON = sync_engine_rule(from, NULL, &f);
		failed = has_failed();
		assert_true(failed ? !got : json_equal(got, whole));
		assert_int_equal(f.count, 0);
	} while (failed);
	assert_true(n > 5);
}

/* A stored rule that this build refuses is looked at by the clock, too. */
static void findings_that_nobody_is_told_of_are_counted(void **state)
{
	json_t *from AUTO_JSON =
		parse("{\"source\":\"Hub\",\"target\":\"mirror\",\"semver\":\"one\"}");
	struct findings f = quiet();

	(void)state;
	assert_null(sync_engine_rule(from, NULL, &f));
	assert_int_equal(f.count, 2);
}

static void a_copy_becomes_the_engines(void **state)
{
	static const char *const cases[][2] = {
		{"{\"source\":\"hub/a:1\",\"target\":\"mirror\"}",
		 "{\"source\":{\"instance\":\"hub\",\"repository\":\"a\"},"
		 "\"target\":{\"instance\":\"mirror\",\"repository\":\"a\"},\"tags\":[\"1\"]}"},
		{"{\"source\":\"hub/a:1\",\"target\":\"mirror/b:2\"}",
		 "{\"source\":{\"instance\":\"hub\",\"repository\":\"a\"},\"target\":"
		 "{\"instance\":\"mirror\",\"repository\":\"b\",\"tag\":\"2\"},\"tags\":[\"1\"]}"},
		{"{\"source\":\"hub/a\",\"target\":\"mirror/b\",\"all_tags\":true}",
		 "{\"source\":{\"instance\":\"hub\",\"repository\":\"a\"},\"target\":"
		 "{\"instance\":\"mirror\",\"repository\":\"b\"}}"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		struct findings f = quiet();
		json_t *body AUTO_JSON = parse(cases[i][0]);
		json_t *want AUTO_JSON = parse(cases[i][1]);
		json_t *targets AUTO_JSON = NULL;
		json_t *got AUTO_JSON = copy_engine_rule(body, &targets, &f);
		assert_true(json_equal(want, got));
		assert_int_equal(0, json_array_size(targets));
	}
}

static void a_copy_to_several_has_the_rule_of_its_first_target(void **state)
{
	struct findings f = quiet();
	json_t *body AUTO_JSON =
		parse("{\"source\":\"hub/a:1\",\"targets\":[\"lab/b:2\",\"far\"]}");
	json_t *want AUTO_JSON = parse("[{\"instance\":\"lab\",\"repository\":\"b\",\"tag\":\"2\"},"
				       "{\"instance\":\"far\",\"repository\":\"a\"}]");
	json_t *targets AUTO_JSON = NULL;
	json_t *rule AUTO_JSON = copy_engine_rule(body, &targets, &f);

	(void)state;
	assert_true(json_equal(want, targets));
	assert_true(json_equal(json_array_get(want, 0), json_object_get(rule, "target")));
}

static void ends_are_names_with_a_path(void **state)
{
	static const char *const bad[] = {"",      "/a",     "Hub",      "hub/",
					  "hub/A", "hub//a", "hub/../a", "hub:1"};
	struct berth_error err = ERROR_INIT;
	struct sync_end end;

	(void)state;
	assert_int_equal(sync_end_parse("hub/team/app", &end, &err), 0);
	assert_string_equal(end.integration, "hub");
	assert_string_equal(end.path, "team/app");
	assert_int_equal(sync_end_parse("hub", &end, &err), 0);
	assert_string_equal(end.path, "");
	for (size_t i = 0; i < ARRAY_COUNT(bad); i++)
		assert_int_equal(sync_end_parse(bad[i], &end, &err), BERTH_E_INVALID);
}

/* A route whose addresses are the integrations' names. */
static struct sync_route route(const char *desired)
{
	struct berth_error err = ERROR_INIT;
	struct sync_route r = {.desired = parse(desired)};

	assert_int_equal(sync_end_parse(json_string_value(json_object_get(r.desired, "source")),
					&r.source, &err),
			 0);
	assert_int_equal(sync_end_parse(json_string_value(json_object_get(r.desired, "target")),
					&r.target, &err),
			 0);
	r.source_address = strdup(r.source.integration);
	r.target_address = strdup(r.target.integration);
	return r;
}

static void route_done(struct sync_route *r)
{
	json_decref(r->desired);
	free(r->source_address);
	free(r->target_address);
}

struct pair {
	const char *one, *other;
	bool same_target, feeds;
};

static void rules_meet_where_they_could(void **state)
{
	static const struct pair pairs[] = {
		{"{\"source\":\"a/x\",\"target\":\"m/x\"}", "{\"source\":\"b\",\"target\":\"m/x\"}",
		 true, false},
		{"{\"source\":\"a/x\",\"target\":\"m/x\"}",
		 "{\"source\":\"b\",\"target\":\"m/x/y\"}", true, false},
		{"{\"source\":\"a/x\",\"target\":\"m/x\"}",
		 "{\"source\":\"b\",\"target\":\"m/xy\"}", false, false},
		{"{\"source\":\"a/x\",\"target\":\"m\"}", "{\"source\":\"b/y\",\"target\":\"m\"}",
		 false, false},
		{"{\"source\":\"a\",\"target\":\"m\"}", "{\"source\":\"b/y\",\"target\":\"m\"}",
		 true, false},
		{"{\"source\":\"a/x\",\"target\":\"m/t\",\"repositories\":[\"one\"]}",
		 "{\"source\":\"b/x\",\"target\":\"m/t\",\"repositories\":[\"two\",\"th*\"]}",
		 false, false},
		{"{\"source\":\"a/x\",\"target\":\"m/t\",\"repositories\":[\"tho\"]}",
		 "{\"source\":\"b/x\",\"target\":\"m/t\",\"repositories\":[\"th*\"]}", true, false},
		{"{\"source\":\"a/x\",\"target\":\"m/t\",\"tags\":[\"1.*\"]}",
		 "{\"source\":\"b/x\",\"target\":\"m/t\",\"tags\":[\"2.*\"]}", false, false},
		{"{\"source\":\"a/x\",\"target\":\"m/t\"}", "{\"source\":\"m/t\",\"target\":\"c\"}",
		 false, true},
		{"{\"source\":\"a/x\",\"target\":\"m/t\"}", "{\"source\":\"m/u\",\"target\":\"c\"}",
		 false, false},
		{"{\"source\":\"a/x\",\"target\":\"m/t\",\"repositories\":[\"p/q\"],\"flatten\":1}",
		 "{\"source\":\"m/t/q\",\"target\":\"c\"}", false, true},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(pairs); i++) {
		struct sync_route one = route(pairs[i].one), other = route(pairs[i].other);
		if (sync_same_target(&one, &other) != pairs[i].same_target ||
		    sync_same_target(&other, &one) != pairs[i].same_target ||
		    sync_feeds(&one, &other) != pairs[i].feeds)
			fail_msg("pair %zu: %s and %s", i, pairs[i].one, pairs[i].other);
		route_done(&one);
		route_done(&other);
	}
}

static void a_rule_that_reads_what_it_writes_is_found(void **state)
{
	static const struct {
		const char *rule;
		bool feeds;
	} cases[] = {
		{"{\"source\":\"a\",\"target\":\"a\"}", true},
		{"{\"source\":\"a/x\",\"target\":\"a/x\"}", true},
		{"{\"source\":\"a/x\",\"target\":\"a/x/copy\"}", true},
		{"{\"source\":\"a/x\",\"target\":\"a/y\"}", false},
		{"{\"source\":\"a/x\",\"target\":\"b/x\"}", false},
		{"{\"source\":\"a/x\",\"target\":\"a/x/copy\",\"repositories\":[\"app\"]}", false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		struct sync_route r = route(cases[i].rule);
		if (sync_feeds_itself(&r) != cases[i].feeds)
			fail_msg("%s", cases[i].rule);
		route_done(&r);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_rule_becomes_the_engines),
		cmocka_unit_test(a_rule_is_whole_or_none),
		cmocka_unit_test(findings_that_nobody_is_told_of_are_counted),
		cmocka_unit_test(a_copy_becomes_the_engines),
		cmocka_unit_test(a_copy_to_several_has_the_rule_of_its_first_target),
		cmocka_unit_test(ends_are_names_with_a_path),
		cmocka_unit_test(rules_meet_where_they_could),
		cmocka_unit_test(a_rule_that_reads_what_it_writes_is_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
