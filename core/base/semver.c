/* SPDX-License-Identifier: Apache-2.0 */
/* Versions and ranges: see semver.h. A comparator becomes a lower and an upper
 * bound as it is read, so that nothing is stored.
 */
#include "core/base/semver.h"

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define DIGITS "0123456789"
#define WORD DIGITS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-"
#define DIGITS_MAX 15

struct version {
	uint64_t parts[3];
	int part_count;  /* given; the others are zero */
	const char *pre; /* not ended by a NUL */
	size_t pre_bytes;
};

/* Takes a number; false: there is none, or it is too long. */
static bool take_number(const char **s, uint64_t *ret)
{
	size_t n = strspn(*s, DIGITS);
	*ret = 0;
	if (!n || n > DIGITS_MAX)
		return false;
	for (; n; n--)
		*ret = *ret * 10 + (uint64_t)(*(*s)++ - '0');
	return true;
}

/* Identifiers with dots between them; how many bytes, 0: one is empty. */
static size_t identifiers(const char *s)
{
	size_t at = 0;
	for (;;) {
		size_t n = strspn(s + at, WORD);
		if (!n)
			return 0;
		at += n;
		if (s[at] != '.')
			return at;
		at++;
	}
}

static bool take_tail(const char **s, struct version *v)
{
	if (**s == '-') {
		v->pre = ++*s;
		v->pre_bytes = identifiers(*s);
		*s += v->pre_bytes;
		if (!v->pre_bytes)
			return false;
	}
	if (**s == '+' || **s == '_') {
		size_t n = identifiers(*s + 1);
		*s += n + 1;
		return n > 0;
	}
	return true;
}

/* Takes a version; with wild, also x or * in place of its last parts. */
static bool take_version(const char **s, bool wild, struct version *v)
{
	bool is_open = false;
	*v = (struct version){.part_count = 0};
	if (**s == 'v' || **s == 'V')
		(*s)++;
	for (int i = 0; i < 3; i++) {
		if (i && **s != '.')
			break;
		*s += i > 0;
		if (wild && **s && strchr("xX*", **s)) {
			(*s)++;
			is_open = true;
		} else if (is_open || !take_number(s, &v->parts[i])) {
			return false;
		}
		v->part_count += !is_open;
	}
	return is_open ? true : take_tail(s, v);
}

static bool parse(const char *s, struct version *v)
{
	return take_version(&s, false, v) && !*s;
}

bool semver_is_version(const char *s)
{
	struct version v;
	return parse(s, &v);
}

/* Runs of digits count as numbers, whatever their length. */
static int natural(const char *a, size_t a_bytes, const char *b, size_t b_bytes)
{
	const char *a_end = a + a_bytes, *b_end = b + b_bytes;
	while (a < a_end && b < b_end) {
		size_t m = strspn(a, DIGITS), n = strspn(b, DIGITS);
		if (m && n) {
			size_t zeros_a = strspn(a, "0"), zeros_b = strspn(b, "0");
			if (m - zeros_a != n - zeros_b)
				return m - zeros_a < n - zeros_b ? -1 : 1;
			int r = memcmp(a + zeros_a, b + zeros_b, m - zeros_a);
			if (r)
				return r;
			a += m;
			b += n;
			continue;
		}
		if (*a != *b)
			return (unsigned char)*a < (unsigned char)*b ? -1 : 1;
		a++;
		b++;
	}
	return (a < a_end) - (b < b_end);
}

/* One identifier of a prerelease: numbers below words. */
static int compare_identifier(const char *a, size_t m, const char *b, size_t n)
{
	bool a_number = strspn(a, DIGITS) >= m, b_number = strspn(b, DIGITS) >= n;
	if (a_number && b_number)
		return natural(a, m, b, n);
	if (a_number != b_number)
		return a_number ? -1 : 1;
	int r = memcmp(a, b, m < n ? m : n);
	return r ? r : (m > n) - (m < n);
}

static size_t identifier_bytes(const char *s, size_t left)
{
	const char *dot = memchr(s, '.', left);
	return dot ? (size_t)(dot - s) : left;
}

static int compare_pre(const struct version *a, const struct version *b)
{
	const char *p = a->pre, *q = b->pre;
	size_t left = a->pre_bytes, right = b->pre_bytes;
	if (!left || !right)
		return (right > 0) - (left > 0); /* a prerelease is below its version */
	for (;;) {
		size_t m = identifier_bytes(p, left), n = identifier_bytes(q, right);
		int r = compare_identifier(p, m, q, n);
		if (r)
			return r;
		if (m == left || n == right)
			return (left > m) - (right > n);
		p += m + 1;
		q += n + 1;
		left -= m + 1;
		right -= n + 1;
	}
}

static int compare(const struct version *a, const struct version *b)
{
	for (int i = 0; i < 3; i++)
		if (a->parts[i] != b->parts[i])
			return a->parts[i] < b->parts[i] ? -1 : 1;
	return compare_pre(a, b);
}

int semver_compare(const char *a, const char *b)
{
	struct version v, w;
	bool a_is = parse(a, &v), b_is = parse(b, &w);
	int r = a_is && b_is ? compare(&v, &w) : (int)a_is - (int)b_is;
	if (!r)
		r = natural(a, strlen(a), b, strlen(b));
	return r ? r : strcmp(a, b);
}

/* The first version above all that begin with v's first count parts. */
static struct version above(const struct version *v, int count)
{
	struct version w = {.part_count = 3};
	for (int i = 0; i < count; i++)
		w.parts[i] = v->parts[i];
	w.parts[count - 1]++;
	return w;
}

/* How many leading parts ^ keeps: up to the first that is not zero. */
static int caret_parts(const struct version *v)
{
	for (int i = 0; i < v->part_count; i++)
		if (v->parts[i])
			return i + 1;
	return v->part_count;
}

enum { OP_EQ, OP_GT, OP_GE, OP_LT, OP_LE, OP_CARET, OP_TILDE };

static int take_op(const char **s)
{
	static const struct {
		const char *text;
		int op;
	} ops[] = {{">=", OP_GE}, {"<=", OP_LE},   {">", OP_GT},   {"<", OP_LT},
		   {"=", OP_EQ},  {"^", OP_CARET}, {"~", OP_TILDE}};
	for (size_t i = 0; i < sizeof ops / sizeof *ops; i++) {
		size_t n = strlen(ops[i].text);
		if (strncmp(*s, ops[i].text, n) != 0)
			continue;
		*s += n;
		*s += strspn(*s, " ");
		return ops[i].op;
	}
	return OP_EQ;
}

/* The versions between two bounds. Zeroed: all. */
struct span {
	struct version low, high;
	bool has_low, has_high;
	bool low_open, high_open; /* the bound itself is not within */
	bool is_empty;
};

static void raise_low(struct span *s, const struct version *v, bool is_open)
{
	int order = s->has_low ? compare(v, &s->low) : 1;

	if (order < 0)
		return;
	s->low_open = is_open || (!order && s->low_open);
	s->low = *v;
	s->has_low = true;
}

static void lower_high(struct span *s, const struct version *v, bool is_open)
{
	int order = s->has_high ? compare(v, &s->high) : -1;

	if (order > 0)
		return;
	s->high_open = is_open || (!order && s->high_open);
	s->high = *v;
	s->has_high = true;
}

/* Keeps of s what the comparator holds for. */
static void narrow(struct span *s, int op, const struct version *bound)
{
	int given = bound->part_count, keep = given;

	if (!given) {
		s->is_empty |= op == OP_GT || op == OP_LT;
		return;
	}
	if (op == OP_CARET)
		keep = caret_parts(bound);
	else if (op == OP_TILDE)
		keep = given > 2 ? 2 : given;
	struct version next = above(bound, keep);
	bool is_whole = given == 3;
	bool keeps_parts = op == OP_CARET || op == OP_TILDE || (op == OP_EQ && !is_whole);

	if (op == OP_GT)
		raise_low(s, is_whole ? bound : &next, is_whole);
	else if (op != OP_LT && op != OP_LE)
		raise_low(s, bound, false);
	if (keeps_parts || (op == OP_LE && !is_whole))
		lower_high(s, &next, true);
	else if (op == OP_LT || op == OP_LE || op == OP_EQ)
		lower_high(s, bound, op == OP_LT);
}

static bool span_has(const struct span *s, const struct version *v)
{
	int from_low = s->has_low ? compare(v, &s->low) : 1;
	int from_high = s->has_high ? compare(v, &s->high) : -1;

	return !s->is_empty && (s->low_open ? from_low > 0 : from_low >= 0) &&
	       (s->high_open ? from_high < 0 : from_high <= 0);
}

static bool spans_meet(const struct span *a, const struct span *b)
{
	struct span both = *a;

	both.is_empty |= b->is_empty;
	if (b->has_low)
		raise_low(&both, &b->low, b->low_open);
	if (b->has_high)
		lower_high(&both, &b->high, b->high_open);
	if (both.is_empty || !both.has_low || !both.has_high)
		return !both.is_empty;
	int order = compare(&both.low, &both.high);
	return order < 0 || (!order && !both.low_open && !both.high_open);
}

/* The comparators up to the next || or the end, and what follows it; v: is a comparator's
 * prerelease of its version (true where it is none)? False: not a range. */
static bool take_span(const char **at, const struct version *v, struct span *ret,
		      bool *ret_pre_named)
{
	const char *s = *at;
	int count = 0;

	*ret = (struct span){.is_empty = false};
	*ret_pre_named = !v->pre_bytes;
	for (s += strspn(s, " ,"); *s && *s != '|'; s += strspn(s, " ,"), count++) {
		struct version bound;
		int op = take_op(&s);
		if (!take_version(&s, true, &bound) || (*s && !strchr(" ,|", *s)))
			return false;
		narrow(ret, op, &bound);
		*ret_pre_named |=
			bound.pre_bytes && !memcmp(bound.parts, v->parts, sizeof v->parts);
	}
	if (!count || (*s && s[1] != '|'))
		return false;
	*at = *s ? s + 2 : NULL;
	return true;
}

/* Reads the whole range; false: it is none. *ret: v is in it. */
static bool walk(const char *s, const struct version *v, bool *ret)
{
	struct span span;
	bool pre_named;

	*ret = false;
	if (strlen(s) > SEMVER_RANGE_MAX)
		return false;
	while (s) {
		if (!take_span(&s, v, &span, &pre_named))
			return false;
		*ret |= pre_named && span_has(&span, v);
	}
	return true;
}

bool semver_is_range(const char *s)
{
	struct version none = {.part_count = 3};
	bool ignored;
	return walk(s, &none, &ignored);
}

bool semver_in_range(const char *version, const char *range)
{
	struct version v;
	bool is_in;
	return parse(version, &v) && walk(range, &v, &is_in) && is_in;
}

bool semver_ranges_meet(const char *a, const char *b)
{
	struct version none = {.part_count = 3};
	struct span one, other;
	bool ignored;

	if (!semver_is_range(a) || !semver_is_range(b))
		return true;
	while (a && take_span(&a, &none, &one, &ignored))
		for (const char *rest = b; rest && take_span(&rest, &none, &other, &ignored);)
			if (spans_meet(&one, &other))
				return true;
	return false;
}
