/* SPDX-License-Identifier: Apache-2.0 */
/* The selector's search as anybody would write it, to compare with: one tag
 * after the other, one word after the other.
 */
#ifndef TESTS_UNIT_NAIVE_SELECT_H
#define TESTS_UNIT_NAIVE_SELECT_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/select/scan.h"
#include "core/select/select.h"

struct naive_hit {
	const char *path, *tag;
	unsigned class;
	uint32_t pushed_s;
};

static inline bool naive_begins(const char *text, const char *word, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!text[i] ||
		    scan_fold((unsigned char)text[i]) != scan_fold((unsigned char)word[i]))
			return false;
	return true;
}

static inline bool naive_has(const char *text, const char *word, size_t n)
{
	for (; *text; text++)
		if (naive_begins(text, word, n))
			return true;
	return false;
}

static inline bool naive_begins_part(const char *path, const char *word, size_t n)
{
	for (const char *at = path; *at; at++)
		if ((at == path || at[-1] == '/') && naive_begins(at, word, n))
			return true;
	return false;
}

/* One word; false: it is not there. *class gets better where it fits better. */
static inline bool naive_word(const char *path, const char *space, const char *tag,
			      const char *word, size_t n, unsigned *class)
{
	const char *colon = memchr(word, ':', n);
	unsigned own = SELECT_PART;

	if (colon) {
		size_t tail = (size_t)(colon - word), rest = n - tail - 1, bytes = strlen(path);
		if (memchr(colon + 1, ':', rest) || tail > bytes ||
		    !naive_begins(path + bytes - tail, word, tail) ||
		    !naive_begins(tag, colon + 1, rest))
			return false;
		if (rest)
			own = strlen(tag) == rest ? SELECT_EXACT : SELECT_PREFIX;
	} else {
		if (!naive_has(path, word, n) && !naive_has(space, word, n) &&
		    !naive_has(tag, word, n))
			return false;
		if (naive_begins_part(path, word, n))
			own = SELECT_PREFIX;
		if (naive_begins(tag, word, n))
			own = strlen(tag) == n ? SELECT_EXACT : SELECT_PREFIX;
	}
	*class = own < *class ? own : *class;
	return true;
}

static inline bool naive_fits(const char *path, const char *space, const char *tag,
			      const char *text, unsigned *class)
{
	*class = SELECT_PART;
	for (;;) {
		text += strspn(text, " ");
		size_t n = strcspn(text, " ");
		if (!n)
			return true;
		if (!naive_word(path, space, tag, text, n, class))
			return false;
		text += n;
	}
}

static inline int naive_compare(const void *a, const void *b)
{
	const struct naive_hit *x = a, *y = b;

	if (x->class != y->class)
		return x->class < y->class ? -1 : 1;
	if (x->pushed_s != y->pushed_s)
		return x->pushed_s > y->pushed_s ? -1 : 1;
	int order = strcmp(x->path, y->path);
	return order ? order : strcmp(x->tag, y->tag);
}

#endif
