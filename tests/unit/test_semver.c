/* SPDX-License-Identifier: Apache-2.0 */
/* Versions in tags: what is one, their order, and what ranges hold. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/base/scope.h"
#include "core/base/semver.h"

static void versions_are_told_from_other_tags(void **state)
{
	(void)state;
	static const char *const right[] = {"1",           "v1.2",         "1.2.3",
					    "V1.2.3-rc.1", "1.2.3-alpine", "1.2.3_build.5",
					    "1.2.3-rc1+b", "0.0.0",        "007"};
	static const char *const wrong[] = {
		"",       "latest",     "v",      "1.",    "1.2.3.4",         "1..2",
		"1.2.3-", "1.2.3-a..b", "1.2.3+", "1.2.x", "1234567890123456"};
	for (size_t i = 0; i < ARRAY_COUNT(right); i++)
		if (!semver_is_version(right[i]))
			fail_msg("%s is a version", right[i]);
	for (size_t i = 0; i < ARRAY_COUNT(wrong); i++)
		if (semver_is_version(wrong[i]))
			fail_msg("%s is no version", wrong[i]);
}

static void tags_are_ordered_by_precedence(void **state)
{
	(void)state;
	static const char *const rising[] = {"build9",
					     "build10",
					     "latest",
					     "nightly-2026-09-30",
					     "nightly-2026-11-22",
					     "1.0.0-1",
					     "1.0.0-2",
					     "1.0.0-10",
					     "1.0.0-alpha",
					     "1.0.0-alpha.1",
					     "1.0.0-alpha.beta",
					     "1.0.0-beta",
					     "1.0.0-beta.2",
					     "1.0.0-beta.11",
					     "1.0.0-rc.1",
					     "1.0.0",
					     "v1.0.1",
					     "1.9",
					     "1.10",
					     "v10.0.0"};
	for (size_t i = 0; i < ARRAY_COUNT(rising); i++)
		for (size_t j = 0; j < ARRAY_COUNT(rising); j++) {
			int r = semver_compare(rising[i], rising[j]);
			if ((r > 0) - (r < 0) != (i > j) - (i < j))
				fail_msg("%s and %s: %d", rising[i], rising[j], r);
		}
	assert_true(semver_compare("1.0", "1.0.0") != 0); /* one precedence, two tags */
	assert_int_equal(semver_compare("same", "same"), 0);
}

static void ranges_hold_what_they_say(void **state)
{
	(void)state;
	static const struct {
		const char *range, *in, *out; /* words with spaces between them */
	} cases[] = {
		{"1.2.3", "1.2.3 v1.2.3", "1.2.4 1.2 1.2.3-rc1"},
		{"1.2", "1.2 1.2.0 1.2.9", "1.3.0 1.1.9"},
		{"1.x", "1.0.0 1.9.9", "2.0.0 0.9.0"},
		{"*", "0.0.1 9", "latest 1.0.0-rc1"},
		{">1.2", "1.3.0 2", "1.2.9 1.2"},
		{">=1.2", "1.2.0 2", "1.1.9 1.2.0-rc1"},
		{"<1.2", "1.1.9", "1.2.0 1.2.0-rc1"},
		{"<=1.2", "1.2.9 0.1", "1.3.0"},
		{"^1.2.3", "1.2.3 1.9.0", "1.2.2 2.0.0 2.0.0-rc1"},
		{"^0.2.3", "0.2.3 0.2.9", "0.3.0 0.2.2"},
		{"^0.0.3", "0.0.3", "0.0.4"},
		{"^0.0", "0.0.9", "0.1.0"},
		{"^0", "0.9.0", "1.0.0"},
		{"~1.2.3", "1.2.3 1.2.9", "1.3.0 1.2.2"},
		{"~1", "1.9.9", "2.0.0"},
		{">=1.4 <2 || 3.x", "1.4 1.9.9 3.1", "2.0.0 4 1.3.9"},
		{">= 1.4, < 2", "1.5.0", "2.0.0"},
		{">=1.2.3-rc.1", "1.2.3-rc.2 1.2.3 1.3.0", "1.2.3-beta 1.2.4-rc.1"},
	};
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++)
		for (int is_in = 0; is_in < 2; is_in++) {
			AUTO_FREE char *words = strdup(is_in ? cases[i].in : cases[i].out);
			char *rest = words, *w;
			while ((w = strsep(&rest, " ")))
				if (semver_in_range(w, cases[i].range) != is_in)
					fail_msg("%s in %s: not %d", w, cases[i].range, is_in);
		}
}

static void wrong_ranges_are_refused(void **state)
{
	(void)state;
	static const char *const wrong[] = {"",       " ",     "||",    "1 ||",  ">",
					    "latest", "1.x.3", "1 - 2", "1 | 2", "1.2.3.4",
					    "=>1",    "1;2",   "!1"};
	char big[SEMVER_RANGE_MAX + 8];
	for (size_t i = 0; i < ARRAY_COUNT(wrong); i++)
		if (semver_is_range(wrong[i]))
			fail_msg("'%s' is no range", wrong[i]);
	memset(big, ' ', sizeof big);
	big[0] = '1';
	big[sizeof big - 1] = 0;
	assert_false(semver_is_range(big));
	assert_true(semver_is_range("1 ||2"));
}

static void ranges_meet_unless_no_version_is_between_their_bounds(void **state)
{
	(void)state;
	static const struct {
		const char *a, *b;
		bool meet;
	} cases[] = {
		{"^1", "^2", false},
		{"<1.2", ">=1.2", false},
		{"<=1.2", ">1.2", false},
		{"<=1.2.0", ">=1.2.0", true},
		{"<1.2.0", ">=1.2.0-rc.1", true},
		{"1.x", "~1.4", true},
		{"=1.2.3", "1.2.4", false},
		{"=1.2.3", "1.2.3", true},
		{"^0.1", "^0.2", false},
		{">=1 <2 || >=3 <4", ">=2 <3", false},
		{">=1 <2 || >=3 <4", ">=2 <3.0.1", true},
		{"*", "^7", true},
		{">*", "^7", false},
		{">=3 <2", "*", false},
		{"latest", "^1", true},
	};
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++)
		if (semver_ranges_meet(cases[i].a, cases[i].b) != cases[i].meet ||
		    semver_ranges_meet(cases[i].b, cases[i].a) != cases[i].meet)
			fail_msg("%s and %s", cases[i].a, cases[i].b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(versions_are_told_from_other_tags),
		cmocka_unit_test(tags_are_ordered_by_precedence),
		cmocka_unit_test(ranges_hold_what_they_say),
		cmocka_unit_test(wrong_ranges_are_refused),
		cmocka_unit_test(ranges_meet_unless_no_version_is_between_their_bounds),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
