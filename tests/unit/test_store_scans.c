/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of scans and reports: what replaces what, and what goes with what. */
#include "tests/unit/store_fixture.h"

static struct scan scan_row(const char *id, const char *state)
{
	return (struct scan){
		.id = (char *)id,
		.integration_id = "i1",
		.target = "hub/app:1",
		.scope = "artifact",
		.repository = "app",
		.digest = "",
		.state = (char *)state,
		.run = "",
		.error = "",
		.created_ms = 10,
		.updated_ms = 10,
	};
}

static void add_report(struct store *s, const char *id, const char *digest, int findings)
{
	struct scan_report report = {
		.id = (char *)id,
		.integration_id = "i1",
		.repository = "app",
		.digest = (char *)digest,
		.facts = "{}",
		.counts = "{}",
		.total = findings,
		.fetched_ms = 10,
	};
	struct scan_finding finding = {
		.report_id = (char *)id,
		.vulnerability = "CVE-1",
		.package = "p",
		.version = "1",
		.fixed = "",
		.severity = "low",
		.rank = 3,
		.artifact = (char *)digest,
		.more = "{}",
	};

	OK(scan_report_begin(s, &report, &err));
	for (finding.number = 1; finding.number <= findings; finding.number++)
		OK(scan_finding_add(s, &finding, &err));
	if (findings >= 0)
		OK(scan_report_end(s, &report, &err));
}

static int64_t count(struct store *s, const struct store_table *table)
{
	static const struct store_page all = {0};
	int64_t n = -1;

	OK(store_count(s, table, &all, &n, &err));
	return n;
}

static void a_scan_is_updated_by_its_id(void **state)
{
	struct fixture *f = *state;
	struct scan row = scan_row("s1", "queued");
	struct scan found AUTO_SCAN_ROW = {.id = NULL}, none AUTO_SCAN_ROW = {.id = NULL};

	add_integration(f->store, "i1", "hub");
	OK(scan_put(f->store, &row, &err));
	row.state = "done";
	row.digest = "sha256:aa";
	row.total = 7;
	row.created_ms = 99; /* stays as it was */
	OK(scan_put(f->store, &row, &err));
	fixture_reopen(f);
	OK(scan_get(f->store, "s1", &found, &err));
	assert_string_equal(found.state, "done");
	assert_string_equal(found.digest, "sha256:aa");
	assert_string_equal(found.integration, "hub");
	assert_int_equal(found.total, 7);
	assert_int_equal(found.created_ms, 10);
	FAILS(BERTH_E_NOT_FOUND, scan_get(f->store, "s2", &none, &err));
}

static void a_whole_report_takes_the_place_of_the_older_one(void **state)
{
	struct fixture *f = *state;
	struct scan_report found AUTO_SCAN_REPORT = {.id = NULL};

	add_integration(f->store, "i1", "hub");
	add_report(f->store, "r1", "sha256:aa", 3);
	add_report(f->store, "r2", "sha256:bb", 2);
	add_report(f->store, "r3", "sha256:aa", 1);
	assert_int_equal(count(f->store, &scan_reports_table), 2);
	assert_int_equal(count(f->store, &scan_findings_table), 3);
	FAILS(BERTH_E_NOT_FOUND, scan_report_get(f->store, "r1", &found, &err));
	OK(scan_report_get(f->store, "r3", &found, &err));
	assert_int_equal(found.total, 1);
}

static void a_report_that_was_cut_short_is_not_shown_and_goes_with_the_next(void **state)
{
	struct fixture *f = *state;
	struct scan_report found AUTO_SCAN_REPORT = {.id = NULL};

	add_integration(f->store, "i1", "hub");
	add_report(f->store, "r1", "sha256:aa", 2);
	add_report(f->store, "r2", "sha256:aa", -1);
	FAILS(BERTH_E_NOT_FOUND, scan_report_get(f->store, "r2", &found, &err));
	assert_int_equal(count(f->store, &scan_reports_table), 2);
	add_report(f->store, "r3", "sha256:aa", -1);
	assert_int_equal(count(f->store, &scan_reports_table), 2);
	OK(scan_report_get(f->store, "r1", &found, &err));
}

static void what_is_old_is_pruned_and_what_goes_on_stays(void **state)
{
	struct fixture *f = *state;
	struct scan old = scan_row("s1", "done"), going = scan_row("s2", "running");
	struct scan_artifact artifact = {.scan_id = "s1",
					 .repository = "app",
					 .digest = "sha256:aa",
					 .state = "done",
					 .run = "{}"};

	add_integration(f->store, "i1", "hub");
	old.ended_ms = 20;
	OK(scan_put(f->store, &old, &err));
	OK(scan_put(f->store, &going, &err));
	OK(scan_artifact_put(f->store, &artifact, &err));
	OK(scan_artifact_put(f->store, &artifact, &err));
	assert_int_equal(count(f->store, &scan_artifacts_table), 1);
	add_report(f->store, "r1", "sha256:aa", 2);
	OK(scan_prune(f->store, 10, &err));
	assert_int_equal(count(f->store, &scans_table), 2);
	assert_int_equal(count(f->store, &scan_findings_table), 2);
	OK(scan_prune(f->store, 21, &err));
	assert_int_equal(count(f->store, &scans_table), 1);
	assert_int_equal(count(f->store, &scan_artifacts_table), 0);
	assert_int_equal(count(f->store, &scan_findings_table), 0);
}

static void everything_goes_with_its_integration(void **state)
{
	struct fixture *f = *state;
	struct scan row = scan_row("s1", "running");

	add_integration(f->store, "i1", "hub");
	OK(scan_put(f->store, &row, &err));
	add_report(f->store, "r1", "sha256:aa", 2);
	OK(integration_remove(f->store, "i1", &err));
	assert_int_equal(count(f->store, &scans_table), 0);
	assert_int_equal(count(f->store, &scan_reports_table), 0);
	assert_int_equal(count(f->store, &scan_findings_table), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_scan_is_updated_by_its_id),
		TEST(a_whole_report_takes_the_place_of_the_older_one),
		TEST(a_report_that_was_cut_short_is_not_shown_and_goes_with_the_next),
		TEST(what_is_old_is_pruned_and_what_goes_on_stays),
		TEST(everything_goes_with_its_integration),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
