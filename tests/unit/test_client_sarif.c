/* SPDX-License-Identifier: Apache-2.0 */
/* Reports as SARIF, and the threshold that a pipeline sets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "client/report_scan.h"
#include "client/show.h"

static json_t *finding(const char *id, const char *severity, const char *fixed)
{
	return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:[s]}", "vulnerability", id, "severity",
			 severity, "package", "zlib", "version", "1.0", "fixed", fixed, "artifact",
			 "sha256:aa", "links", "http://cve.invalid/1");
}

static json_t *report(void)
{
	return json_pack("{s:s, s:s, s:s, s:{s:s}, s:{s:i, s:i}}", "integration", "lab",
			 "repository", "team/app", "digest", "sha256:bb", "scanner", "name",
			 "Trivy", "counts", "high", 1, "low", 2);
}

static void a_vulnerability_is_one_rule_and_each_finding_a_result(void **state)
{
	AUTO_JSON json_t *of = report();
	AUTO_JSON json_t *findings =
		json_pack("{s:[o, o, o]}", "items", finding("CVE-1", "high", "1.1"),
			  finding("CVE-1", "high", "1.1"), finding("CVE-2", "medium", ""));
	AUTO_JSON json_t *sarif = sarif_of(of, findings);
	(void)state;

	assert_string_equal(js_str(sarif, "version", ""), "2.1.0");
	const json_t *run = json_array_get(json_object_get(sarif, "runs"), 0);
	const json_t *rules = value_at(run, "tool.driver.rules");
	const json_t *results = json_object_get(run, "results");
	assert_int_equal(json_array_size(rules), 2);
	assert_int_equal(json_array_size(results), 3);
	const json_t *last = json_array_get(results, 2);
	assert_int_equal(js_int(last, "ruleIndex", -1), 1);
	assert_string_equal(js_str(last, "level", ""), "warning");
	assert_string_equal(js_str(json_object_get(last, "message"), "text", ""),
			    "CVE-2 in zlib 1.0: no fix is known");
	const json_t *location = json_array_get(json_object_get(last, "locations"), 0);
	assert_string_equal(
		json_string_value(value_at(location, "physicalLocation.artifactLocation.uri")),
		"lab/team/app@sha256:aa");
}

static void an_empty_report_is_a_whole_document(void **state)
{
	AUTO_JSON json_t *of = report();
	AUTO_JSON json_t *findings = json_pack("{s:[]}", "items");
	AUTO_JSON json_t *sarif = sarif_of(of, findings);
	const json_t *run = json_array_get(json_object_get(sarif, "runs"), 0);
	(void)state;

	assert_true(json_is_array(json_object_get(run, "results")));
	assert_string_equal(json_string_value(value_at(run, "tool.driver.name")), "Trivy");
}

static void a_threshold_counts_what_is_as_bad_or_worse(void **state)
{
	AUTO_JSON json_t *of = report();
	(void)state;

	assert_false(report_reaches(of, NULL));
	assert_false(report_reaches(of, "critical"));
	assert_true(report_reaches(of, "high"));
	assert_true(report_reaches(of, "medium"));
	assert_true(report_reaches(of, "low"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_vulnerability_is_one_rule_and_each_finding_a_result),
		cmocka_unit_test(an_empty_report_is_a_whole_document),
		cmocka_unit_test(a_threshold_counts_what_is_as_bad_or_worse),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
