/* SPDX-License-Identifier: Apache-2.0 */
/* Times of day in a time zone, as crontab(5) writes them: five fields (minute,
 * hour, day of month, month, day of week) of *, numbers, names, ranges, lists and
 * steps, or @hourly @daily @weekly @monthly @yearly. Where both days are given,
 * either is enough. Zones are names of the C library's database.
 *
 * Clock changes: where the hour field names every hour, each minute that really
 * passes counts: an hour that is skipped has no turn, one that comes twice has
 * its turns twice. Elsewhere each named time has one turn a day: one that is
 * skipped comes at the end of the gap, one that comes twice is taken the first
 * time.
 *
 * The zone is set by the TZ variable for the time of a call: one thread only.
 */
#ifndef CORE_BASE_CRON_H
#define CORE_BASE_CRON_H

#include <stdbool.h>
#include <stdint.h>

#include "core/base/fail.h"

#define CRON_TEXT_MAX 255
#define CRON_ZONE_MAX 64

struct cron {
	uint64_t minutes; /* bits */
	uint32_t hours, month_days;
	uint16_t months;
	uint8_t week_days;
	bool every_month_day, every_week_day;
};
/* BERTH_E_INVALID says which field is wrong and what it may be. */
MUST_USE int cron_parse(const char *text, struct cron *ret, struct berth_error *err);
/* Is there such a zone on this machine? UTC always is. */
MUST_USE int cron_check_zone(const char *zone, struct berth_error *err);
/* The first turn after then, in Unix milliseconds. BERTH_E_NOT_FOUND: none in the
 * next nine years (30 February). BERTH_E_INVALID: no such zone. */
MUST_USE int cron_next(const struct cron *c, const char *zone, int64_t after_ms, int64_t *ret_ms,
		       struct berth_error *err);

#endif
