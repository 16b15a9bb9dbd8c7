/* SPDX-License-Identifier: Apache-2.0 */
/* Clocks, RFC 3339 and UUIDs: see clock.h. */
#include "core/base/clock.h"

#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "core/base/text.h"

uint64_t clock_monotonic_ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

uint64_t clock_monotonic_us(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

int64_t clock_unix_ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_REALTIME, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

void clock_format(int64_t unix_ms, char *to)
{
	int64_t ms = unix_ms % 1000;
	time_t seconds = (time_t)(unix_ms / 1000 - (ms < 0));
	struct tm tm;
	if (ms < 0)
		ms += 1000;
	if (!gmtime_r(&seconds, &tm) || tm.tm_year > 9999 - 1900 || tm.tm_year < 1 - 1900)
		memset(&tm, 0, sizeof tm);
	char day[24];
	strftime(day, sizeof day, "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(to, CLOCK_TEXT_ROOM, "%s.%03dZ", day, (int)ms);
}

static bool digits(const char **s, int count, int min, int max, int *ret)
{
	int v = 0;
	for (int i = 0; i < count; i++) {
		if ((*s)[i] < '0' || (*s)[i] > '9')
			return false;
		v = v * 10 + ((*s)[i] - '0');
	}
	*s += count;
	*ret = v;
	return v >= min && v <= max;
}

static bool literal(const char **s, const char *any)
{
	if (!**s || !strchr(any, **s))
		return false;
	(*s)++;
	return true;
}

static int fraction_ms(const char **s)
{
	int ms = 0, weight = 100;
	for (; **s >= '0' && **s <= '9'; (*s)++) {
		ms += (**s - '0') * weight;
		weight /= 10;
	}
	return ms;
}

static bool offset_minutes(const char **s, int *ret)
{
	int hours, minutes, sign = **s == '-' ? -1 : 1;
	*ret = 0;
	if (literal(s, "Zz"))
		return true;
	if (!literal(s, "+-") || !digits(s, 2, 0, 23, &hours) || !literal(s, ":") ||
	    !digits(s, 2, 0, 59, &minutes))
		return false;
	*ret = sign * (hours * 60 + minutes);
	return true;
}

bool clock_parse(const char *s, int64_t *ret_unix_ms)
{
	struct tm tm = {0};
	int ms = 0, offset;
	if (!digits(&s, 4, 1, 9999, &tm.tm_year) || !literal(&s, "-") ||
	    !digits(&s, 2, 1, 12, &tm.tm_mon) || !literal(&s, "-") ||
	    !digits(&s, 2, 1, 31, &tm.tm_mday) || !literal(&s, "Tt ") ||
	    !digits(&s, 2, 0, 23, &tm.tm_hour) || !literal(&s, ":") ||
	    !digits(&s, 2, 0, 59, &tm.tm_min) || !literal(&s, ":") ||
	    !digits(&s, 2, 0, 60, &tm.tm_sec))
		return false;
	if (literal(&s, ".")) {
		if (*s < '0' || *s > '9')
			return false;
		ms = fraction_ms(&s);
	}
	if (!offset_minutes(&s, &offset) || *s)
		return false;
	int day = tm.tm_mday;
	tm.tm_year -= 1900;
	tm.tm_mon -= 1;
	tm.tm_sec -= tm.tm_sec == 60; /* a leap second is its predecessor again */
	time_t seconds = timegm(&tm);
	if (tm.tm_mday != day)
		return false; /* 31 April became 1 May */
	*ret_unix_ms = ((int64_t)seconds - offset * 60) * 1000 + ms;
	return true;
}

void random_fill(void *to, size_t byte_count)
{
	unsigned char *b = to;
	size_t got = 0;
	while (got < byte_count) {
		ssize_t n = getrandom(b + got, byte_count - got, 0);
		got += n > 0 ? (size_t)n : 0;
	}
}

void uuid_make(char *to)
{
	unsigned char b[16];
	char hex[33];
	random_fill(b, sizeof b);
	b[6] = (unsigned char)((b[6] & 0x0f) | 0x40);
	b[8] = (unsigned char)((b[8] & 0x3f) | 0x80);
	text_hex(b, sizeof b, hex);
	snprintf(to, UUID_ROOM, "%.8s-%.4s-%.4s-%.4s-%.12s", hex, hex + 8, hex + 12, hex + 16,
		 hex + 20);
}

bool uuid_is(const char *s)
{
	for (int i = 0; i < 36; i++) {
		bool dash = i == 8 || i == 13 || i == 18 || i == 23;
		bool hex = (s[i] >= '0' && s[i] <= '9') || (s[i] >= 'a' && s[i] <= 'f');
		if (dash ? s[i] != '-' : !hex)
			return false;
	}
	return !s[36];
}
