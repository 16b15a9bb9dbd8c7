/* SPDX-License-Identifier: Apache-2.0 */
/* The copy rule: what is accepted, how refusals read, how names are mapped. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/transfer/rule.h"

#define HEX64 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static int try(const char *text, struct rule **ret, struct berth_error *err)
{
	AUTO_JSON json_t *doc = json_loads(text, 0, NULL);
	assert_non_null(doc);
	return rule_parse(doc, ret, err);
}

static struct rule *parse(const char *text)
{
	struct berth_error err = ERROR_INIT;
	struct rule *r = NULL;
	if (try(text, &r, &err))
		fail_msg("%s: %s", err.message, err.cause);
	return r;
}

static void wrong_rules_are_refused_with_the_place(void **state)
{
	(void)state;
	static const struct {
		const char *text, *message, *cause;
	} cases[] = {
		{"{}", "rule: /source/instance is missing", ""},
		{"{\"source\":{\"instance\":\"a\"}}", "rule: /target/instance is missing", ""},
		{"{\"source\":3}", "rule: /source is not an object", ""},
		{"{\"sourceX\":{}}", "rule: / has no member 'sourceX'", "did you mean 'source'?"},
		{"{\"source\":{\"instance\":\"a\",\"repository\":\"Foo\"}}",
		 "rule: /source/repository is not a repository path (lower case letters, digits, . _ - "
		 "and /)",
		 "'Foo'"},
		{"{\"source\":{\"instance\":\"a\",\"repository\":\"x\",\"prefix\":\"y\"},"
		 "\"target\":{\"instance\":\"b\"}}",
		 "rule: /source has both repository and prefix, one is meant", ""},
		{"{\"source\":{\"instance\":\"a\"},\"target\":{\"instance\":\"b\",\"repository\":\"x\"}}",
		 "rule: /target/repository needs a /source/repository; many repositories can't go to "
		 "one",
		 ""},
		{"{\"source\":{\"instance\":\"a\"},\"target\":{\"instance\":\"a\"}}",
		 "rule: it would copy 'a' onto itself", ""},
		{"{\"source\":{\"instance\":\"a\",\"prefix\":\"p\"},"
		 "\"target\":{\"instance\":\"a\",\"prefix\":\"p\"}}",
		 "rule: it would copy 'p' onto itself", ""},
		{"{\"source\":{\"instance\":\"a\",\"repository\":\"p/q\"},\"target\":{\"instance\":\"a\"}}",
		 "rule: it would copy 'p/q' onto itself", ""},
		{"{\"source\":{\"instance\":\"a\"},\"target\":{\"instance\":\"b\"},\"tags\":[\"-x\"]}",
		 "rule: /tags is not a tag or a pattern", "'-x'"},
		{"{\"source\":{\"instance\":\"a\"},\"target\":{\"instance\":\"b\"},\"tags\":\"x\"}",
		 "rule: /tags is not a list of at most 1000 texts", ""},
		{"{\"source\":{\"instance\":\"a\"},\"target\":{\"instance\":\"b\"},\"platforms\":[\"amd64\"]}",
		 "rule: /platforms is not a platform (os/architecture[/variant])", "'amd64'"},
		{"{\"source\":{\"instance\":\"a\"},\"target\":{\"instance\":\"b\"},"
		 "\"limit_bytes_per_s\":1}",
		 "rule: /limit_bytes_per_s is not a number from 16384 to 1073741824", ""},
		{"{\"source\":{\"instance\":\"a\"},\"target\":{\"instance\":\"b\"},\"flatten\":-1}",
		 "rule: /flatten is not a number from 0 to 64", ""},
		{"{\"source\":{\"instance\":\"a\"},\"target\":{\"instance\":\"b\"},\"digest\":\"sha256:12\"}",
		 "rule: /digest is not a digest (sha256: and 64, or sha512: and 128 hex digits)",
		 "'sha256:12'"},
		{"{\"source\":{\"instance\":\"a\"},\"target\":{\"instance\":\"b\"},\"semver\":\"new\"}",
		 "rule: /semver is not a range of versions, as ^1.2 or >=1.4 <2 || 3.x", "'new'"},
		{"{\"source\":{\"instance\":\"a\"},\"target\":{\"instance\":\"b\"},\"newest\":-1}",
		 "rule: /newest is not a number from 0 to 100000", ""},
		{"{\"source\":{\"instance\":\"a\",\"repository\":\"x\"},"
		 "\"target\":{\"instance\":\"b\"},\"newest\":1,\"digest\":\"sha256:" HEX64 "\"}",
		 "rule: /digest names one image, but /exclude_tags, /semver and /newest choose among "
		 "tags",
		 ""},
		{"{\"source\":{\"instance\":\"a\",\"repository\":\"x\"},"
		 "\"target\":{\"instance\":\"b\",\"tag\":\"t\"},\"tags\":[\"*\"]}",
		 "rule: /target/tag needs a /source/repository and one tag or digest of it", ""},
	};
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		struct berth_error err = ERROR_INIT;
		struct rule *r = NULL;
		assert_int_equal(try(cases[i].text, &r, &err), BERTH_E_INVALID);
		assert_string_equal(err.message, cases[i].message);
		assert_string_equal(err.cause, cases[i].cause);
		assert_null(r);
	}
}

static void names_are_mapped_by_prefix_and_flattening(void **state)
{
	(void)state;
	static const struct {
		const char *ends, *name, *mapped;
	} cases[] = {
		{"\"prefix\":\"team\"},\"target\":{\"instance\":\"b\"", "team/x/y", "team/x/y"},
		{"\"prefix\":\"team\"},\"target\":{\"instance\":\"b\",\"prefix\":\"m/n\"",
		 "team/x/y", "m/n/x/y"},
		{"\"prefix\":\"team\"},\"target\":{\"instance\":\"b\",\"prefix\":\"m\"", "team",
		 "m/team"},
		{"\"repository\":\"x/y\"},\"target\":{\"instance\":\"b\",\"prefix\":\"m\"", "x/y",
		 "m/x/y"},
		{"\"repository\":\"x/y\"},\"target\":{\"instance\":\"b\",\"repository\":\"z\"",
		 "x/y", "z"},
		{"\"repository\":\"x/y/z\"},\"flatten\":1,\"target\":{\"instance\":\"b\"", "x/y/z",
		 "y/z"},
		{"\"repository\":\"x/y\"},\"flatten\":9,\"target\":{\"instance\":\"b\",\"prefix\":\"m\"",
		 "x/y", "m/y"},
	};
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		struct berth_error err = ERROR_INIT;
		char text[512];
		snprintf(text, sizeof text, "{\"source\":{\"instance\":\"a\",%s}}", cases[i].ends);
		AUTO(rule) struct rule *r = parse(text);
		AUTO_FREE char *mapped = NULL;
		assert_int_equal(rule_map(r, cases[i].name, &mapped, &err), 0);
		assert_string_equal(mapped, cases[i].mapped);
	}
}

static void a_name_that_flattens_to_nothing_is_refused(void **state)
{
	(void)state;
	struct berth_error err = ERROR_INIT;
	AUTO(rule)
	struct rule *r = parse("{\"source\":{\"instance\":\"a\"},"
			       "\"target\":{\"instance\":\"b\"},\"flatten\":2}");
	char *mapped = NULL;
	assert_int_equal(rule_map(r, "team/", &mapped, &err), BERTH_E_INVALID);
	assert_string_equal(err.message, "'team/' is no repository's name");
	assert_null(mapped);
}

static void globs_choose_repositories_and_tags(void **state)
{
	(void)state;
	AUTO(rule)
	struct rule *r = parse("{\"source\":{\"instance\":\"a\",\"prefix\":\"team\"},"
			       "\"target\":{\"instance\":\"b\"},\"names\":[\"app-*\",\"deep/**\"],"
			       "\"exclude\":[\"*-old\"],\"tags\":[\"v1.*\",\"latest\"]}");
	assert_true(rule_has_repository(r, "team/app-1"));
	assert_true(rule_has_repository(r, "team/deep/a/b"));
	assert_false(rule_has_repository(r, "team/app-old"));
	assert_false(rule_has_repository(r, "team/other"));
	assert_false(rule_has_repository(r, "teams/app-1"));
	assert_true(rule_has_tag(r, "v1.2"));
	assert_true(rule_has_tag(r, "latest"));
	assert_false(rule_has_tag(r, "v2.0"));
	assert_false(rule_has_literal_tags(r));
}

static void tags_are_chosen_by_range_exclusion_and_age(void **state)
{
	(void)state;
	static const char *const tags[] = {"1.0.0", "1.10.0",       "latest", "1.9.0",
					   "2.0.0", "1.11.0-debug", "1.2",    ("sha256-" HEX64)};
	static const struct {
		const char *more, *chosen;
	} cases[] = {
		{"\"newest\":0", "1.0.0 1.10.0 latest 1.9.0 2.0.0 1.11.0-debug 1.2 "},
		{"\"newest\":2", "2.0.0 1.11.0-debug "},
		{"\"newest\":2,\"exclude_tags\":[\"*-debug\"]", "2.0.0 1.10.0 "},
		{"\"semver\":\"^1.2\"", "1.10.0 1.9.0 1.2 "},
		{"\"semver\":\"^1.2\",\"newest\":1", "1.10.0 "},
		{"\"tags\":[\"1.0.0\",\"latest\"],\"semver\":\"1\"", "1.0.0 "},
		{"\"exclude_tags\":[\"**\"]", ""},
		{"\"only\":[\"x:latest\",\"y:1.0.0\",\"x:gone\",\"x/y:2.0.0\"]", "latest "},
	};
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		char text[512], got[512] = "", *list[ARRAY_COUNT(tags)];
		snprintf(text, sizeof text,
			 "{\"source\":{\"instance\":\"a\"},\"target\":{\"instance\":\"b\"},%s}",
			 cases[i].more);
		AUTO(rule) struct rule *r = parse(text);
		memcpy(list, tags, sizeof list);
		size_t count = rule_choose_tags(r, "x", list, ARRAY_COUNT(tags));
		for (size_t k = 0, at = 0; k < count; k++)
			at += (size_t)snprintf(got + at, sizeof got - at, "%s ", list[k]);
		assert_string_equal(got, cases[i].chosen);
		assert_false(rule_has_literal_tags(r));
	}
}

static void images_named_in_full_are_the_only_ones(void **state)
{
	(void)state;
	AUTO(rule)
	struct rule *r = parse("{\"source\":{\"instance\":\"a\",\"prefix\":\"team\"},"
			       "\"target\":{\"instance\":\"b\"},\"only\":[\"team/x:1\"]}");
	assert_true(rule_has_repository(r, "team/x"));
	assert_false(rule_has_repository(r, "team/xy"));
	assert_false(rule_has_repository(r, "team/y"));
	assert_false(rule_has_literal_tags(r));
}

static void referrer_tags_are_matched_only_literally(void **state)
{
	(void)state;
	AUTO(rule)
	struct rule *all =
		parse("{\"source\":{\"instance\":\"a\"},\"target\":{\"instance\":\"b\"}}");
	AUTO(rule)
	struct rule *one =
		parse("{\"source\":{\"instance\":\"a\",\"repository\":\"x\"},"
		      "\"target\":{\"instance\":\"b\"},\"tags\":[\"sha256-" HEX64 ".sig\"]}");
	assert_false(rule_has_tag(all, "sha256-" HEX64));
	assert_false(rule_has_tag(all, "sha256-" HEX64 ".att"));
	assert_true(rule_has_tag(all, "sha256-" HEX64 ".other"));
	assert_true(rule_has_tag(all, "sha256-0123"));
	assert_true(rule_has_tag(one, "sha256-" HEX64 ".sig"));
	assert_true(rule_has_literal_tags(one));
}

static void platforms_match_by_variant_where_one_is_named(void **state)
{
	(void)state;
	AUTO(rule)
	struct rule *r = parse("{\"source\":{\"instance\":\"a\"},\"target\":{\"instance\":\"b\"},"
			       "\"platforms\":[\"linux/amd64\",\"linux/arm/v7\"]}");
	assert_true(rule_has_platform(r, "linux", "amd64", NULL));
	assert_true(rule_has_platform(r, "linux", "amd64", "v2"));
	assert_true(rule_has_platform(r, "linux", "arm", "v7"));
	assert_false(rule_has_platform(r, "linux", "arm", "v6"));
	assert_false(rule_has_platform(r, "linux", "arm64", NULL));
	assert_false(rule_has_platform(r, "windows", "amd64", NULL));
}

static void repository_names_follow_the_specification(void **state)
{
	(void)state;
	static const char *const wrong[] = {"/a", "a/", "a//b", "a..b", "a___b", "-a", "a-", "a:b"};
	static const char *const right[] = {"a", "a/b", "a--b", "a__b", "a.b/c-d/e_f", "0/1"};
	char text[512];
	for (size_t i = 0; i < ARRAY_COUNT(wrong); i++) {
		struct berth_error err = ERROR_INIT;
		struct rule *r = NULL;
		snprintf(text, sizeof text,
			 "{\"source\":{\"instance\":\"a\",\"repository\":\"%s\"}}", wrong[i]);
		assert_int_equal(try(text, &r, &err), BERTH_E_INVALID);
		assert_non_null(strstr(err.message, "/source/repository"));
	}
	for (size_t i = 0; i < ARRAY_COUNT(right); i++) {
		snprintf(text, sizeof text,
			 "{\"source\":{\"instance\":\"a\",\"repository\":\"%s\"},"
			 "\"target\":{\"instance\":\"b\"}}",
			 right[i]);
		AUTO(rule) struct rule *r = parse(text);
		assert_string_equal(r->source.repository, right[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(wrong_rules_are_refused_with_the_place),
		cmocka_unit_test(names_are_mapped_by_prefix_and_flattening),
		cmocka_unit_test(a_name_that_flattens_to_nothing_is_refused),
		cmocka_unit_test(globs_choose_repositories_and_tags),
		cmocka_unit_test(tags_are_chosen_by_range_exclusion_and_age),
		cmocka_unit_test(images_named_in_full_are_the_only_ones),
		cmocka_unit_test(referrer_tags_are_matched_only_literally),
		cmocka_unit_test(platforms_match_by_variant_where_one_is_named),
		cmocka_unit_test(repository_names_follow_the_specification),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
