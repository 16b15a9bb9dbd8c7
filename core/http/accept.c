/* SPDX-License-Identifier: Apache-2.0 */
/* Content negotiation: the Accept header against what a route produces. Pure
 * functions; a header that can't be read excludes nothing it doesn't name.
 */
#include <string.h>

#include "core/http/internal.h"

/* Skips blanks. */
static const char *skip(const char *s)
{
	return s + strspn(s, " \t");
}

/* The q of one range, in thousandths; 1000 without. s: behind the type. */
static int quality(const char *s, size_t left)
{
	const char *end = s + left;
	for (; s < end; s++) {
		const char *p = skip(s + 1);
		int value = 0, unit = 100;
		if (*s != ';' || p + 2 > end || (*p != 'q' && *p != 'Q') || p[1] != '=')
			continue;
		p += 2;
		if (*p == '1')
			return 1000;
		if (*p != '0' || p[1] != '.')
			return 0;
		for (p += 2; unit && *p >= '0' && *p <= '9'; p++, unit /= 10)
			value += (*p - '0') * unit;
		return value;
	}
	return 1000;
}

/* How well one range names a media type: 3 whole, 2 type, 1 anything, 0 not. */
static int specificity(const char *range, size_t n, const char *type)
{
	size_t slash = strcspn(type, "/");
	if (n == 3 && !strncmp(range, "*/*", 3))
		return 1;
	if (n == strlen(type) && !strncasecmp(range, type, n))
		return 3;
	return n == slash + 2 && range[n - 1] == '*' && !strncasecmp(range, type, slash + 1) ? 2
											     : 0;
}

/* The quality that the most specific range gives to type. */
static int rate(const char *accept, const char *type)
{
	int best = 0, q = 0;
	while (*accept) {
		size_t item = strcspn(accept, ",");
		const char *range = skip(accept);
		size_t lead = (size_t)(range - accept) < item ? (size_t)(range - accept) : item;
		size_t n = strcspn(range, ";, \t");
		int fit = specificity(range, n, type);
		if (fit > best) {
			best = fit;
			q = quality(range + n, item - lead > n ? item - lead - n : 0);
		}
		accept += item + (accept[item] == ',');
	}
	return q;
}

const char *accept_choose(const char *accept, const char *const *produces)
{
	const char *chosen = NULL;
	int best = 0;
	if (!accept || !*skip(accept))
		return produces[0] ? produces[0] : "application/json";
	for (size_t i = 0; produces[i]; i++) {
		int q = rate(accept, produces[i]);
		if (q > best) {
			best = q;
			chosen = produces[i];
		}
	}
	/* Routes that answer without a body accept everything. */
	return produces[0] ? chosen : "application/json";
}
