/* SPDX-License-Identifier: Apache-2.0 */
/* Cron fields and the next turn: see cron.h. Days are walked by the calendar, a
 * day that fits is searched by the minute, so that no pattern costs more than a
 * few thousand steps.
 */
#include "core/base/cron.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "core/base/scope.h"
#include "core/base/text.h"

#define DAYS_MAX (9 * 366) /* 29 February skips 2100 */
#define DAY_S 86400

static const char *const month_names[] = {"jan", "feb", "mar", "apr", "may", "jun",
					  "jul", "aug", "sep", "oct", "nov", "dec"};
static const char *const day_names[] = {"sun", "mon", "tue", "wed", "thu", "fri", "sat"};
static const struct field {
	const char *name;
	unsigned min, max;
	const char *const *names;
	unsigned name_count;
} fields[] = {
	{"minute", 0, 59, NULL, 0},          {"hour", 0, 23, NULL, 0},
	{"day of month", 1, 31, NULL, 0},    {"month", 1, 12, month_names, 12},
	{"day of week", 0, 7, day_names, 7},
};

/* A number or a name; false: neither, or out of range. */
static bool take_value(const char **s, const struct field *f, unsigned *ret)
{
	size_t digits = strspn(*s, "0123456789");
	for (unsigned i = 0; i < f->name_count && !digits; i++)
		if (!strncasecmp(*s, f->names[i], 3)) {
			*s += 3;
			*ret = i + f->min;
			return true;
		}
	if (!digits || digits > 4)
		return false;
	for (*ret = 0; digits; digits--)
		*ret = *ret * 10 + (unsigned)(*(*s)++ - '0');
	return *ret >= f->min && *ret <= f->max;
}

/* *, N, N-M, each with /STEP. */
static bool take_part(const char **s, const struct field *f, uint64_t *bits)
{
	unsigned from = f->min, to = f->max, step = 1;
	bool is_one = false;
	if (**s == '*') {
		(*s)++;
	} else {
		if (!take_value(s, f, &from))
			return false;
		is_one = **s != '-';
		to = from;
		if (!is_one && (++*s, !take_value(s, f, &to) || to < from))
			return false;
	}
	if (**s == '/') {
		const struct field steps = {"step", 1, 1000, NULL, 0};
		(*s)++;
		if (!take_value(s, &steps, &step))
			return false;
		to = is_one ? f->max : to;
	}
	for (unsigned v = from; v <= to; v += step)
		*bits |= 1ull << v;
	return true;
}

static int take_field(const char **s, const struct field *f, uint64_t *bits, bool *ret_all,
		      struct berth_error *err)
{
	*bits = 0;
	*ret_all = **s == '*';
	for (;;) {
		if (!take_part(s, f, bits))
			break;
		if (**s == ',') {
			(*s)++;
			continue;
		}
		if (**s && **s != ' ' && **s != '\t')
			break;
		*s += strspn(*s, " \t");
		return 0;
	}
	return berth_fail(err, BERTH_E_INVALID,
			  "cron: the field '%s' is not of numbers from %u to %u, with * , - and /",
			  f->name, f->min, f->max);
}

static const char *macro(const char *text)
{
	static const char *const macros[][2] = {
		{"@hourly", "0 * * * *"},   {"@daily", "0 0 * * *"},   {"@midnight", "0 0 * * *"},
		{"@weekly", "0 0 * * 0"},   {"@monthly", "0 0 1 * *"}, {"@yearly", "0 0 1 1 *"},
		{"@annually", "0 0 1 1 *"},
	};
	for (size_t i = 0; i < ARRAY_COUNT(macros); i++)
		if (!strcmp(text, macros[i][0]))
			return macros[i][1];
	return text;
}

int cron_parse(const char *text, struct cron *ret, struct berth_error *err)
{
	uint64_t bits[ARRAY_COUNT(fields)];
	bool all[ARRAY_COUNT(fields)];
	if (strlen(text) > CRON_TEXT_MAX)
		return berth_fail(err, BERTH_E_INVALID, "cron: more than %d bytes", CRON_TEXT_MAX);
	const char *s = macro(text);
	s += strspn(s, " \t");
	for (size_t i = 0; i < ARRAY_COUNT(fields); i++) {
		if (!*s)
			return berth_fail(err, BERTH_E_INVALID,
					  "cron: the field '%s' is missing: expected minute, hour, "
					  "day of month, month and day of week",
					  fields[i].name);
		int r = take_field(&s, &fields[i], &bits[i], &all[i], err);
		if (r)
			return r;
	}
	if (*s)
		return berth_fail(err, BERTH_E_INVALID, "cron: there is more than five fields");
	*ret = (struct cron){
		.minutes = bits[0],
		.hours = (uint32_t)bits[1],
		.month_days = (uint32_t)bits[2],
		.months = (uint16_t)bits[3],
		.week_days = (uint8_t)((bits[4] | bits[4] >> 7) & 0x7f),
		.every_month_day = all[2],
		.every_week_day = all[4],
	};
	return 0;
}

/* --- zones --- */

static bool is_zone_name(const char *zone)
{
	size_t n = strlen(zone);
	if (!n || n > CRON_ZONE_MAX || zone[0] == '/' || zone[n - 1] == '/' || zone[0] == '-')
		return false;
	return !strstr(zone, "//") && zone[strspn(zone, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijkl"
							"mnopqrstuvwxyz0123456789_+-/")] == 0;
}

static bool is_zone_file(const char *path)
{
	char magic[4];
	FILE *file = fopen(path, "re");
	bool is_it = file && fread(magic, sizeof magic, 1, file) == 1 &&
		     !memcmp(magic, "TZif", sizeof magic);
	if (file)
		fclose(file);
	return is_it;
}

int cron_check_zone(const char *zone, struct berth_error *err)
{
	const char *folder = getenv("TZDIR");
	if (!strcmp(zone, "UTC"))
		return 0;
	if (!is_zone_name(zone))
		return berth_fail(err, BERTH_E_INVALID,
				  "'%.64s' is no time zone: expected UTC, or a name as "
				  "Europe/Berlin",
				  zone);
	folder = folder && *folder ? folder : "/usr/share/zoneinfo";
	AUTO_FREE char *path = text_printf("%s/%s", folder, zone);
	if (!path)
		return berth_fail_memory(err);
	if (is_zone_file(path))
		return 0;
	return berth_fail(err, BERTH_E_INVALID,
			  "this machine knows no time zone %s: is the package tzdata installed?",
			  zone);
}

static int enter_zone(const char *zone, char **ret_before, struct berth_error *err)
{
	const char *before = getenv("TZ");
	int r = cron_check_zone(zone, err);
	if (r)
		return r;
	AUTO_FREE char *keep = before ? strdup(before) : NULL;
	AUTO_FREE char *text = text_printf("%s%s", strcmp(zone, "UTC") ? ":" : "", zone);
	if ((before && !keep) || !text || setenv("TZ", strcmp(zone, "UTC") ? text : "UTC0", 1))
		return berth_fail_memory(err);
	tzset();
	*ret_before = STEAL(keep);
	return 0;
}

static void leave_zone(char *take_before)
{
	if (!take_before || setenv("TZ", take_before, 1))
		unsetenv("TZ");
	tzset();
	free(take_before);
}

static long offset_at(time_t t)
{
	struct tm tm = {0};
	localtime_r(&t, &tm);
	return tm.tm_gmtoff;
}

/* The moment between the two at which the zone's offset changes. */
static time_t change_between(time_t from, time_t to)
{
	long before = offset_at(from);
	while (to - from > 1) {
		time_t middle = from + (to - from) / 2;
		if (offset_at(middle) == before)
			from = middle;
		else
			to = middle;
	}
	return to;
}

/* The moment of a time of day: the first of two, or the end of the gap. */
static time_t moment_of(const struct tm *local)
{
	struct tm tm = *local;
	time_t as_utc = timegm(&tm);
	long early = offset_at(as_utc - DAY_S), late = offset_at(as_utc + DAY_S);
	time_t by_early = as_utc - early, by_late = as_utc - late;
	bool early_fits = offset_at(by_early) == early, late_fits = offset_at(by_late) == late;
	if (early_fits && late_fits)
		return by_early < by_late ? by_early : by_late;
	if (early_fits || late_fits)
		return early_fits ? by_early : by_late;
	return change_between(as_utc - DAY_S, as_utc + DAY_S);
}

/* --- turns --- */

static bool has_day(const struct cron *c, const struct tm *day)
{
	bool by_month = c->month_days >> day->tm_mday & 1;
	bool by_week = c->week_days >> day->tm_wday & 1;
	if (!(c->months >> (day->tm_mon + 1) & 1))
		return false;
	if (c->every_month_day || c->every_week_day)
		return by_month && by_week;
	return by_month || by_week;
}

static bool is_every_hour(const struct cron *c)
{
	return c->hours == 0xffffff;
}

/* Each minute that passes on that day counts. */
static bool turn_by_minutes(const struct cron *c, const struct tm *day, time_t after, time_t *ret)
{
	struct tm now;
	time_t t = moment_of(day), first = after - after % 60 + 60;
	for (t = t > first ? t : first;; t += 60) {
		localtime_r(&t, &now);
		if (now.tm_mday != day->tm_mday)
			return false;
		if (c->minutes >> now.tm_min & 1) {
			*ret = t;
			return true;
		}
	}
}

/* Each time of that day counts once. */
static bool turn_by_times(const struct cron *c, const struct tm *day, time_t after, time_t *ret)
{
	for (int minute = 0; minute < 24 * 60; minute++) {
		struct tm tm = *day;
		tm.tm_hour = minute / 60;
		tm.tm_min = minute % 60;
		if (!(c->hours >> tm.tm_hour & 1) || !(c->minutes >> tm.tm_min & 1))
			continue;
		*ret = moment_of(&tm);
		if (*ret > after)
			return true;
	}
	return false;
}

static bool next_turn(const struct cron *c, time_t after, time_t *ret)
{
	struct tm now;
	localtime_r(&after, &now);
	for (int i = 0; i < DAYS_MAX; i++) {
		struct tm day = {
			.tm_year = now.tm_year, .tm_mon = now.tm_mon, .tm_mday = now.tm_mday + i};
		timegm(&day); /* which day that is */
		if (!has_day(c, &day))
			continue;
		if (is_every_hour(c) ? turn_by_minutes(c, &day, after, ret)
				     : turn_by_times(c, &day, after, ret))
			return true;
	}
	return false;
}

int cron_next(const struct cron *c, const char *zone, int64_t after_ms, int64_t *ret_ms,
	      struct berth_error *err)
{
	char *before = NULL;
	time_t turn = 0;
	int r = enter_zone(zone, &before, err);
	if (r)
		return r;
	bool found = next_turn(c, (time_t)(after_ms / 1000), &turn);
	leave_zone(before);
	if (!found)
		return berth_fail(err, BERTH_E_NOT_FOUND,
				  "cron: no day of the next nine years is meant");
	*ret_ms = (int64_t)turn * 1000;
	return 0;
}
