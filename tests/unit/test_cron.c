/* SPDX-License-Identifier: Apache-2.0 */
/* Cron: what is accepted, and the next turn around every kind of clock change.
 * The zones are files made here, so that no machine's own database matters.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/base/clock.h"
#include "core/base/cron.h"

static char folder[] = "/tmp/berth-cron-XXXXXX";

/* A zone file with one change, in 1970, and a rule for all times after it. */
static void make_zone(const char *name, const char *rule)
{
	static const unsigned char type_and_name[] = {0, 0, 0, 0, 0, 0, 'L', 'M', 'T', 0};
	unsigned char head[44] = "TZif2";
	char path[128];
	head[39] = 1; /* one type */
	head[43] = 4; /* bytes of names */
	snprintf(path, sizeof path, "%s/%s", folder, name);
	FILE *file = fopen(path, "we");
	assert_non_null(file);
	for (int i = 0; i < 2; i++) {
		static const unsigned char change[9] = {0}; /* when, and to which type */
		head[35] = (unsigned char)i;                /* changes */
		assert_int_equal(fwrite(head, sizeof head, 1, file), 1);
		assert_int_equal(fwrite(change, sizeof change, (size_t)i, file), i);
		assert_int_equal(fwrite(type_and_name, sizeof type_and_name, 1, file), 1);
	}
	fprintf(file, "\n%s\n", rule);
	assert_int_equal(fclose(file), 0);
}

static int make_zones(void **state)
{
	char path[128];
	(void)state;
	if (!mkdtemp(folder))
		return -1;
	snprintf(path, sizeof path, "%s/Test", folder);
	if (mkdir(path, 0700) || setenv("TZDIR", folder, 1))
		return -1;
	make_zone("Test/Berlin", "CET-1CEST,M3.5.0,M10.5.0/3");
	make_zone("Test/Half", "<+1030>-10:30<+11>-11,M10.1.0,M4.1.0"); /* half an hour */
	make_zone("Test/Midnight", "<-04>4<-03>,M9.1.6/24,M4.1.6/24");  /* a day from 01:00 */
	return 0;
}

static int drop_zones(void **state)
{
	static const char *const names[] = {"Test/Berlin", "Test/Half", "Test/Midnight", "Test",
					    "."};
	char path[128];
	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(names); i++) {
		snprintf(path, sizeof path, "%s/%s", folder, names[i]);
		if (i + 1 < ARRAY_COUNT(names))
			remove(path);
	}
	return rmdir(folder);
}

/* Turns after the first time, as UTC, with spaces between them. */
static void expect(const char *cron, const char *zone, const char *after, const char *turns)
{
	struct berth_error err = ERROR_INIT;
	struct cron c;
	char got[512] = "", one[CLOCK_TEXT_ROOM];
	int64_t ms;
	size_t at = 0;
	assert_true(clock_parse(after, &ms));
	if (cron_parse(cron, &c, &err))
		fail_msg("%s: %s", cron, err.message);
	for (const char *s = turns; s; s = strchr(s, ' ') ? strchr(s, ' ') + 1 : NULL) {
		if (cron_next(&c, zone, ms, &ms, &err))
			fail_msg("%s: %s", cron, err.message);
		clock_format(ms, one);
		at += (size_t)snprintf(got + at, sizeof got - at, "%s%.16s", at ? " " : "", one);
	}
	if (strcmp(got, turns) != 0)
		fail_msg("%s in %s after %s: %s, not %s", cron, zone, after, got, turns);
}

static void fields_mean_what_crontab_says(void **state)
{
	(void)state;
	expect("*/20 * * * *", "UTC", "2026-11-22T23:30:00Z",
	       "2026-11-22T23:40 2026-11-23T00:00 2026-11-23T00:20");
	expect("30 2 * * *", "UTC", "2026-11-22T02:30:00Z", "2026-11-23T02:30");
	expect("30 2 * * *", "UTC", "2026-11-22T02:29:59Z", "2026-11-22T02:30");
	expect("0 4 1,15 * *", "UTC", "2026-11-22T00:00:00Z", "2026-12-01T04:00 2026-12-15T04:00");
	expect("0 4 * * mon-wed", "UTC", "2026-11-22T00:00:00Z",
	       "2026-11-23T04:00 2026-11-24T04:00 2026-11-25T04:00 2026-11-30T04:00");
	expect("0 4 * * 7", "UTC", "2026-11-22T05:00:00Z", "2026-11-29T04:00");
	expect("0 4 13 * FRI", "UTC", "2026-11-13T05:00:00Z",
	       "2026-11-20T04:00 2026-11-27T04:00 2026-12-04T04:00 2026-12-11T04:00 "
	       "2026-12-13T04:00");
	expect("5 0-6/3,12 * * *", "UTC", "2026-11-22T00:05:00Z",
	       "2026-11-22T03:05 2026-11-22T06:05 2026-11-22T12:05 2026-11-23T00:05");
	expect("@daily", "UTC", "2026-12-31T00:00:00Z", "2027-01-01T00:00");
	expect("0 0 1 jan *", "UTC", "2037-06-01T00:00:00Z", "2038-01-01T00:00 2039-01-01T00:00");
}

static void leap_days_are_found_across_2100(void **state)
{
	(void)state;
	expect("0 0 29 2 *", "UTC", "2026-01-01T00:00:00Z", "2028-02-29T00:00 2032-02-29T00:00");
	expect("0 0 29 2 *", "UTC", "2096-03-01T00:00:00Z", "2104-02-29T00:00");
}

static void a_time_that_is_skipped_comes_at_the_end_of_the_gap(void **state)
{
	(void)state;
	/* 29 March 2026: 02:00 becomes 03:00, at 01:00 UTC. */
	expect("30 2 * * *", "Test/Berlin", "2026-03-27T12:00:00Z",
	       "2026-03-28T01:30 2026-03-29T01:00 2026-03-30T00:30");
	expect("0,15,45 2 * * *", "Test/Berlin", "2026-03-28T12:00:00Z",
	       "2026-03-29T01:00 2026-03-30T00:00");
	expect("30 2,3 * * *", "Test/Berlin", "2026-03-28T12:00:00Z",
	       "2026-03-29T01:00 2026-03-29T01:30 2026-03-30T00:30");
	/* A day that begins at 01:00. */
	expect("0 0 * * *", "Test/Midnight", "2026-09-05T12:00:00Z",
	       "2026-09-06T04:00 2026-09-07T03:00");
}

static void a_time_that_comes_twice_is_taken_once(void **state)
{
	(void)state;
	/* 25 October 2026: 03:00 becomes 02:00, at 01:00 UTC. */
	expect("30 2 * * *", "Test/Berlin", "2026-10-24T12:00:00Z",
	       "2026-10-25T00:30 2026-10-26T01:30");
	expect("15,45 1-3 * * *", "Test/Berlin", "2026-10-24T22:50:00Z",
	       "2026-10-24T23:15 2026-10-24T23:45 2026-10-25T00:15 2026-10-25T00:45 "
	       "2026-10-25T02:15");
	expect("45 1 * * *", "Test/Half", "2026-04-03T20:00:00Z",
	       "2026-04-04T14:45 2026-04-05T15:15");
}

static void every_hour_means_every_hour_that_passes(void **state)
{
	(void)state;
	expect("30 * * * *", "Test/Berlin", "2026-03-29T00:00:00Z",
	       "2026-03-29T00:30 2026-03-29T01:30 2026-03-29T02:30");
	expect("30 * * * *", "Test/Berlin", "2026-10-24T23:40:00Z",
	       "2026-10-25T00:30 2026-10-25T01:30 2026-10-25T02:30");
	expect("0 * * * *", "Test/Half", "2026-04-04T13:10:00Z",
	       "2026-04-04T14:00 2026-04-04T15:30 2026-04-04T16:30");
	expect("0 * 29 * *", "Test/Berlin", "2026-03-27T12:00:00Z", "2026-03-28T23:00");
}

static void wrong_fields_are_refused_by_name(void **state)
{
	(void)state;
	static const char *const cases[][2] = {
		{"", "minute"},
		{"* * * *", "day of week"},
		{"60 * * * *", "minute"},
		{"* 24 * * *", "hour"},
		{"* * 0 * *", "day of month"},
		{"* * * 13 *", "month"},
		{"* * * * 8", "day of week"},
		{"* * * * * *", "five"},
		{"*/0 * * * *", "minute"},
		{"5-1 * * * *", "minute"},
		{"1,,2 * * * *", "minute"},
		{"a * * * *", "minute"},
		{"@often", "minute"},
		{"* * * foo *", "month"},
		{"-1 * * * *", "minute"},
		{"1- * * * *", "minute"},
		{"99999999999 * * * *", "minute"},
	};
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		struct berth_error err = ERROR_INIT;
		struct cron c;
		assert_int_equal(cron_parse(cases[i][0], &c, &err), BERTH_E_INVALID);
		if (!strstr(err.message, cases[i][1]))
			fail_msg("'%s': %s", cases[i][0], err.message);
	}
}

static void a_day_that_never_comes_is_found_out(void **state)
{
	struct berth_error err = ERROR_INIT;
	struct cron c;
	int64_t ms;
	(void)state;
	assert_int_equal(cron_parse("0 0 30 2 *", &c, &err), 0);
	assert_int_equal(cron_next(&c, "UTC", 0, &ms, &err), BERTH_E_NOT_FOUND);
}

static void unknown_zones_are_refused_and_the_own_zone_stays(void **state)
{
	static const char *const wrong[] = {
		"", "Test/None", "../../etc/passwd", "/etc/zone", "Test//Berlin", "Test", "a b"};
	struct berth_error err = ERROR_INIT;
	struct cron c;
	int64_t ms;
	(void)state;
	assert_int_equal(cron_parse("@daily", &c, &err), 0);
	for (size_t i = 0; i < ARRAY_COUNT(wrong); i++)
		assert_int_equal(cron_next(&c, wrong[i], 0, &ms, &err), BERTH_E_INVALID);
	assert_int_equal(setenv("TZ", "XYZ-3", 1), 0);
	assert_int_equal(cron_next(&c, "Test/Berlin", 0, &ms, &err), 0);
	assert_string_equal(getenv("TZ"), "XYZ-3");
	assert_int_equal(unsetenv("TZ"), 0);
	assert_int_equal(cron_next(&c, "Test/Berlin", 0, &ms, &err), 0);
	assert_null(getenv("TZ"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fields_mean_what_crontab_says),
		cmocka_unit_test(leap_days_are_found_across_2100),
		cmocka_unit_test(a_time_that_is_skipped_comes_at_the_end_of_the_gap),
		cmocka_unit_test(a_time_that_comes_twice_is_taken_once),
		cmocka_unit_test(every_hour_means_every_hour_that_passes),
		cmocka_unit_test(wrong_fields_are_refused_by_name),
		cmocka_unit_test(a_day_that_never_comes_is_found_out),
		cmocka_unit_test(unknown_zones_are_refused_and_the_own_zone_stays),
	};
	return cmocka_run_group_tests(tests, make_zones, drop_zones);
}
