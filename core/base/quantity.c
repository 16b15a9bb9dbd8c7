/* SPDX-License-Identifier: Apache-2.0 */
/* Amounts as Kubernetes writes them: see quantity.h. In whole numbers, so that
 * what is added up is exact.
 */
#include "core/base/quantity.h"

#include <stddef.h>
#include <string.h>

#include "core/base/scope.h"
#include "core/base/text.h"

#define DIGITS_MAX 18
#define EXPONENT_MAX 36 /* of ten, either way: beyond it nothing fits or all is 1 */

#define DIVISOR_TEN_MAX 38 /* 10^38 is below 2^128 */

typedef unsigned __int128 wide;

static const struct {
	const char *suffix;
	int ten, two; /* exponents */
} suffixes[] = {
	{"", 0, 0},    {"n", -9, 0},  {"u", -6, 0},  {"m", -3, 0},  {"k", 3, 0},   {"M", 6, 0},
	{"G", 9, 0},   {"T", 12, 0},  {"P", 15, 0},  {"E", 18, 0},  {"Ki", 0, 10}, {"Mi", 0, 20},
	{"Gi", 0, 30}, {"Ti", 0, 40}, {"Pi", 0, 50}, {"Ei", 0, 60},
};

/* Digits with at most one point; *ret_ten counts those behind it, negative. */
static const char *read_digits(const char *s, uint64_t *ret, int *ret_ten)
{
	int digits = 0, behind = 0;
	bool has_point = false, has_any = false;
	*ret = 0;
	for (; (*s >= '0' && *s <= '9') || (*s == '.' && !has_point); s++) {
		if (*s == '.') {
			has_point = true;
			continue;
		}
		has_any = true;
		digits += digits || *s != '0';
		behind += has_point;
		if (digits > DIGITS_MAX || behind > EXPONENT_MAX)
			return NULL;
		*ret = *ret * 10 + (uint64_t)(*s - '0');
	}
	*ret_ten = -behind;
	return has_any ? s : NULL;
}

/* A suffix of the table, or e and a whole number: the powers to multiply by. */
static bool read_suffix(const char *s, int *ten, int *two)
{
	int64_t exponent;
	for (size_t i = 0; i < ARRAY_COUNT(suffixes); i++)
		if (!strcmp(s, suffixes[i].suffix)) {
			*ten += suffixes[i].ten;
			*two = suffixes[i].two;
			return true;
		}
	if ((*s != 'e' && *s != 'E') || (s[1] == '+' && s[2] == '-') ||
	    !text_parse_i64(s + 1 + (s[1] == '+'), -EXPONENT_MAX, EXPONENT_MAX, &exponent))
		return false;
	*ten += (int)exponent;
	return true;
}

bool quantity_parse(const char *s, uint32_t scale, int64_t *ret_amount)
{
	uint64_t digits;
	int ten = 0, two = 0;
	s = read_digits(s + (*s == '+'), &digits, &ten);
	if (!s || !read_suffix(s, &ten, &two))
		return false;
	wide amount = (wide)digits * scale, divisor = 1;
	bool overflow = __builtin_mul_overflow(amount, (wide)1 << two, &amount);
	for (; ten > 0 && amount; ten--)
		overflow |= __builtin_mul_overflow(amount, 10, &amount);
	for (ten = ten < -DIVISOR_TEN_MAX ? -DIVISOR_TEN_MAX : ten; ten < 0; ten++)
		divisor *= 10;
	amount = amount / divisor + (amount % divisor != 0);
	if (overflow || amount > INT64_MAX)
		return false;
	*ret_amount = (int64_t)amount;
	return true;
}
