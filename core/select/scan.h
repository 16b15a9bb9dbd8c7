/* SPDX-License-Identifier: Apache-2.0 */
/* Text search for the selector: a word in a short text, and a word in many lines
 * at once. Bytes are compared without regard to ASCII case. Blocks of 64 bytes
 * become bit masks, by AVX2, SSE2 or plain C, chosen once by what the processor
 * has; all else is the same code for the three. Pure functions, no memory.
 */
#ifndef CORE_SELECT_SCAN_H
#define CORE_SELECT_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NEEDLE_MAX 256 /* bytes of a word, its newline included */

/* A word, in lower case. One that begins with a newline stands at the begin of
 * a line. */
struct needle {
	unsigned char text[NEEDLE_MAX];
	size_t byte_count;
};
/* False: empty or longer than NEEDLE_MAX. */
bool needle_set(struct needle *n, const char *text, size_t byte_count);
/* The same word at the begin of a line. */
bool needle_set_line_start(struct needle *n, const char *text, size_t byte_count);

/* Where the needle stands first in text at or after from; byte_count: nowhere.
 * Nothing outside of text is read. */
size_t scan_find(const char *text, size_t byte_count, const struct needle *n, size_t from);

/* Lines "\nfirst\nsecond\n...last\n": each one that has the needle, once, with
 * where it stands first. hits has room for all lines; the number of them. */
struct scan_hit {
	uint32_t line; /* from 0 */
	uint32_t at;   /* the match's offset in lines */
};
size_t scan_lines(const char *lines, size_t byte_count, const struct needle *n,
		  struct scan_hit *hits);

/* Lower case of one byte, as needles have it. */
static inline unsigned char scan_fold(unsigned char c)
{
	return c >= 'A' && c <= 'Z' ? (unsigned char)(c + 32) : c;
}

/* For tests and benchmarks: take that way from now on; false: the processor
 * has it not. "avx2", "sse2" and "plain". */
bool scan_use(const char *way);
const char *scan_way(void);

#endif
