/* SPDX-License-Identifier: Apache-2.0 */
/* Text from outside: see text.h. Every loop is bounded by its input's length;
 * the glob by length times pattern.
 */
#include "core/base/text.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* The length of the well-formed character at s, 0 where there is none. */
static size_t utf8_char(const unsigned char *s, size_t left)
{
	size_t need = s[0] < 0x80                   ? 1
		      : s[0] >= 0xC2 && s[0] < 0xE0 ? 2
		      : (s[0] & 0xF0) == 0xE0       ? 3
		      : s[0] >= 0xF0 && s[0] < 0xF5 ? 4
						    : 0;
	if (!need || need > left)
		return 0;
	for (size_t i = 1; i < need; i++)
		if ((s[i] & 0xC0) != 0x80)
			return 0;
	if ((s[0] == 0xE0 && s[1] < 0xA0) || (s[0] == 0xED && s[1] > 0x9F) ||
	    (s[0] == 0xF0 && s[1] < 0x90) || (s[0] == 0xF4 && s[1] > 0x8F))
		return 0;
	return need;
}

bool text_is_utf8(const char *s, size_t byte_count)
{
	const unsigned char *p = (const unsigned char *)s;
	while (byte_count) {
		size_t n = utf8_char(p, byte_count);
		if (!n)
			return false;
		p += n;
		byte_count -= n;
	}
	return true;
}

/* Bytes of a character that would move the cursor or turn the text around: C1
 * controls, bidirectional marks and overrides, zero-width ones. 0: none of them. */
static size_t hidden_char(const unsigned char *s)
{
	if (s[0] == 0xC2 && s[1] >= 0x80 && s[1] < 0xA0)
		return 2; /* U+0080 to 9F */
	if (s[0] == 0xE2 && s[1] == 0x80 && ((s[2] >= 0x8B && s[2] <= 0x8F) || s[2] >= 0xA8))
		return s[2] <= 0xAE ? 3 : 0; /* U+200B to 200F, 2028 to 202E */
	if (s[0] == 0xD8 && s[1] == 0x9C)
		return 2; /* U+061C */
	if (s[0] == 0xE2 && s[1] == 0x81 && s[2] >= 0xA0 && s[2] <= 0xAF)
		return 3;                                            /* U+2060 to 206F */
	return s[0] == 0xEF && s[1] == 0xBB && s[2] == 0xBF ? 3 : 0; /* U+FEFF */
}

void text_blank_controls(char *s)
{
	for (; *s; s++) {
		size_t n = hidden_char((const unsigned char *)s);
		if (n) {
			memset(s, ' ', n);
			s += n - 1;
		} else if ((unsigned char)*s < 0x20 || *s == 0x7f) {
			*s = ' ';
		}
	}
}

void text_trim_utf8(char *s)
{
	size_t left = strlen(s);
	while (left) {
		size_t n = utf8_char((unsigned char *)s, left);
		if (!n && left < 4 && ((unsigned char)*s & 0xC0) == 0xC0) {
			*s = 0; /* the text was cut inside this one */
			return;
		}
		if (!n) {
			*s = '?';
			n = 1;
		}
		s += n;
		left -= n;
	}
}

static bool is_lower_alnum(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

static bool is_name(const char *s, size_t n)
{
	if (n < 1 || n > 63 || !is_lower_alnum(s[0]) || !is_lower_alnum(s[n - 1]))
		return false;
	for (size_t i = 0; i < n; i++)
		if (!is_lower_alnum(s[i]) && !strchr("._-", s[i]))
			return false;
	return true;
}

bool text_is_name(const char *s)
{
	return is_name(s, strlen(s));
}

size_t text_workspace_bytes(const char *integration)
{
	const char *end = strchr(integration, '~');
	return end ? (size_t)(end - integration) : 0;
}

bool text_is_integration(const char *s)
{
	const char *end = strchr(s, '~');
	if (!end)
		return text_is_name(s);
	return strlen(s) <= 63 && is_name(s, (size_t)(end - s)) && text_is_name(end + 1);
}

bool text_is_token(const char *s)
{
	size_t n = strlen(s);
	for (size_t i = 0; i < n; i++)
		if (!is_lower_alnum(s[i]) && !(s[i] >= 'A' && s[i] <= 'Z') && s[i] != '_' &&
		    s[i] != '-')
			return false;
	return n >= 1 && n <= 64;
}

bool text_parse_u64(const char *s, uint64_t min, uint64_t max, uint64_t *ret_value)
{
	uint64_t v = 0;
	if (!*s)
		return false;
	for (; *s; s++) {
		if (*s < '0' || *s > '9')
			return false;
		unsigned digit = (unsigned)(*s - '0');
		if (v > (UINT64_MAX - digit) / 10)
			return false;
		v = v * 10 + digit;
	}
	if (v < min || v > max)
		return false;
	*ret_value = v;
	return true;
}

bool text_parse_i64(const char *s, int64_t min, int64_t max, int64_t *ret_value)
{
	bool negative = *s == '-';
	uint64_t v;
	if (!text_parse_u64(s + negative, 0, INT64_MAX, &v))
		return false;
	int64_t value = negative ? -(int64_t)v : (int64_t)v;
	if (value < min || value > max)
		return false;
	*ret_value = value;
	return true;
}

void text_hex(const unsigned char *bytes, size_t byte_count, char *to)
{
	static const char digits[] = "0123456789abcdef";
	for (size_t i = 0; i < byte_count; i++) {
		to[2 * i] = digits[bytes[i] >> 4];
		to[2 * i + 1] = digits[bytes[i] & 15];
	}
	to[2 * byte_count] = 0;
}

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

bool text_unhex(const char *hex, unsigned char *to, size_t byte_count)
{
	for (size_t i = 0; i < byte_count; i++) {
		int high = hex_value(hex[2 * i]);
		int low = high < 0 ? -1 : hex_value(hex[2 * i + 1]);
		if (low < 0)
			return false;
		to[i] = (unsigned char)(high << 4 | low);
	}
	return true;
}

struct glob {
	size_t steps; /* what is left of the work allowed */
};

static bool glob_match(struct glob *g, const char *p, const char *s);

/* {a,b}rest: tries each alternative followed by the rest. */
static bool glob_braces(struct glob *g, const char *p, const char *s)
{
	const char *end = strchr(p, '}');
	if (!end)
		return false;
	for (const char *a = p + 1; a <= end;) {
		size_t n = strcspn(a, ",}");
		char joined[512];
		int want = snprintf(joined, sizeof joined, "%.*s%s", (int)n, a, end + 1);
		if (want >= 0 && (size_t)want < sizeof joined && glob_match(g, joined, s))
			return true;
		a += n + 1;
	}
	return false;
}

static bool glob_star(struct glob *g, const char *p, const char *s)
{
	bool deep = p[1] == '*';
	const char *rest = p + 1 + deep;
	if (deep && *rest == '/' && glob_match(g, rest + 1, s))
		return true; /* a leading double star and slash also match nothing */
	for (;; s++) {
		if (glob_match(g, rest, s))
			return true;
		if (!*s || (!deep && *s == '/'))
			return false;
	}
}

static bool glob_match(struct glob *g, const char *p, const char *s)
{
	for (; *p; p++, s++) {
		if (!g->steps)
			return false;
		g->steps--;
		if (*p == '*')
			return glob_star(g, p, s);
		if (*p == '{')
			return glob_braces(g, p, s);
		if (!*s || (*p == '?' ? *s == '/' : *p != *s))
			return false;
	}
	return !*s;
}

bool text_glob(const char *pattern, const char *s)
{
	struct glob g = {.steps = 100000};
	return glob_match(&g, pattern, s);
}

bool text_replace(char **to, const char *text)
{
	char *copy = strdup(text);

	if (!copy)
		return false;
	free(*to);
	*to = copy;
	return true;
}

char *text_printf(const char *fmt, ...)
{
	char *s = NULL;
	va_list args;
	va_start(args, fmt);
	if (vasprintf(&s, fmt, args) < 0)
		s = NULL;
	va_end(args);
	return s;
}

static size_t distance(const char *a, const char *b)
{
	size_t row[65], n = strlen(b);
	if (n > 64 || strlen(a) > 64)
		return SIZE_MAX;
	for (size_t j = 0; j <= n; j++)
		row[j] = j;
	for (size_t i = 1; a[i - 1]; i++) {
		size_t diagonal = row[0];
		row[0] = i;
		for (size_t j = 1; j <= n; j++) {
			size_t best = diagonal + (a[i - 1] != b[j - 1]);
			diagonal = row[j];
			best = row[j] + 1 < best ? row[j] + 1 : best;
			row[j] = row[j - 1] + 1 < best ? row[j - 1] + 1 : best;
		}
	}
	return row[n];
}

const char *text_closest(const char *s, const char *const *candidates)
{
	const char *best = NULL;
	size_t least = strlen(s) / 3 + 2;
	for (; *candidates; candidates++) {
		size_t d = distance(s, *candidates);
		if (d < least) {
			least = d;
			best = *candidates;
		}
	}
	return best;
}

char *text_url_encode(const char *s)
{
	static const char keep[] = "-._~";
	char *to = malloc(3 * strlen(s) + 1), *w = to;
	if (!to)
		return NULL;
	for (; *s; s++) {
		unsigned char c = (unsigned char)*s;
		if (is_lower_alnum(*s) || (c >= 'A' && c <= 'Z') || strchr(keep, c)) {
			*w++ = *s;
			continue;
		}
		*w++ = '%';
		*w++ = "0123456789ABCDEF"[c >> 4];
		*w++ = "0123456789ABCDEF"[c & 15];
	}
	*w = 0;
	return to;
}

bool text_url_decode(const char *s, size_t byte_count, char *to, size_t room)
{
	size_t w = 0;
	for (size_t i = 0; i < byte_count; i++) {
		unsigned char c = (unsigned char)s[i];
		if (c == '%') {
			if (i + 2 >= byte_count || !text_unhex(s + i + 1, &c, 1))
				return false;
			i += 2;
		}
		if (!c || w + 1 >= room)
			return false;
		to[w++] = (char)c;
	}
	if (!room)
		return false;
	to[w] = 0;
	return text_is_utf8(to, w);
}
