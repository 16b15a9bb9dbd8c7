/* SPDX-License-Identifier: Apache-2.0 */
/* Text search for the selector: see scan.h. A candidate is a place whose first
 * and last byte fit, both with bit 5 set; what the masks let through is compared
 * byte by byte. The end of a text is copied beside zeroes, so that whole blocks
 * can be read.
 */
#include "core/select/scan.h"

#include <string.h>

#if defined(__x86_64__)
#include <immintrin.h>
#define HAS_X86 1
#define FOR_AVX2 __attribute__((target("avx2,bmi,popcnt")))
#endif

#define BLOCK 64

/* Of one block: where newlines are, and where the needle may begin. text has
 * BLOCK + byte_count - 1 bytes that can be read. */
struct masks {
	uint64_t newlines, candidates;
};
/* Part of each function that calls it, so that the masks are, too. */
#define INSIDE inline __attribute__((always_inline))
typedef void make_masks(const char *text, const struct needle *n, struct masks *ret);

static inline void masks_plain(const char *text, const struct needle *n, struct masks *ret)
{
	unsigned char first = n->text[0] | 0x20, last = n->text[n->byte_count - 1] | 0x20;
	const char *end = text + n->byte_count - 1;

	*ret = (struct masks){0, 0};
	for (unsigned i = 0; i < BLOCK; i++) {
		bool is_newline = text[i] == '\n';
		bool fits = ((unsigned char)text[i] | 0x20) == first &&
			    ((unsigned char)end[i] | 0x20) == last;
		ret->newlines |= (uint64_t)is_newline << i;
		ret->candidates |= (uint64_t)fits << i;
	}
}

#ifdef HAS_X86
static inline void masks_sse2(const char *text, const struct needle *n, struct masks *ret)
{
	const __m128i bit = _mm_set1_epi8(0x20), newline = _mm_set1_epi8('\n');
	const __m128i first = _mm_set1_epi8((char)(n->text[0] | 0x20));
	const __m128i last = _mm_set1_epi8((char)(n->text[n->byte_count - 1] | 0x20));
	const char *end = text + n->byte_count - 1;

	*ret = (struct masks){0, 0};
	for (unsigned i = 0; i < BLOCK; i += 16) {
		__m128i a = _mm_loadu_si128((const __m128i *)(const void *)(text + i));
		__m128i b = _mm_loadu_si128((const __m128i *)(const void *)(end + i));
		__m128i fit = _mm_and_si128(_mm_cmpeq_epi8(_mm_or_si128(a, bit), first),
					    _mm_cmpeq_epi8(_mm_or_si128(b, bit), last));
		__m128i line = _mm_cmpeq_epi8(a, newline);
		ret->newlines |= (uint64_t)(uint32_t)_mm_movemask_epi8(line) << i;
		ret->candidates |= (uint64_t)(uint32_t)_mm_movemask_epi8(fit) << i;
	}
}

FOR_AVX2 static inline void masks_avx2(const char *text, const struct needle *n, struct masks *ret)
{
	const __m256i bit = _mm256_set1_epi8(0x20), newline = _mm256_set1_epi8('\n');
	const __m256i first = _mm256_set1_epi8((char)(n->text[0] | 0x20));
	const __m256i last = _mm256_set1_epi8((char)(n->text[n->byte_count - 1] | 0x20));
	const char *end = text + n->byte_count - 1;

	*ret = (struct masks){0, 0};
	for (unsigned i = 0; i < BLOCK; i += 32) {
		__m256i a = _mm256_loadu_si256((const __m256i *)(const void *)(text + i));
		__m256i b = _mm256_loadu_si256((const __m256i *)(const void *)(end + i));
		__m256i fit = _mm256_and_si256(_mm256_cmpeq_epi8(_mm256_or_si256(a, bit), first),
					       _mm256_cmpeq_epi8(_mm256_or_si256(b, bit), last));
		__m256i line = _mm256_cmpeq_epi8(a, newline);
		ret->newlines |= (uint64_t)(uint32_t)_mm256_movemask_epi8(line) << i;
		ret->candidates |= (uint64_t)(uint32_t)_mm256_movemask_epi8(fit) << i;
	}
}
#endif

bool needle_set(struct needle *n, const char *text, size_t byte_count)
{
	if (!byte_count || byte_count > NEEDLE_MAX)
		return false;
	for (size_t i = 0; i < byte_count; i++)
		n->text[i] = scan_fold((unsigned char)text[i]);
	n->byte_count = byte_count;
	return true;
}

bool needle_set_line_start(struct needle *n, const char *text, size_t byte_count)
{
	if (byte_count >= NEEDLE_MAX || !needle_set(n, text, byte_count))
		return false;
	memmove(n->text + 1, n->text, byte_count);
	n->text[0] = '\n';
	n->byte_count++;
	return true;
}

static inline bool is_match(const char *at, const struct needle *n)
{
	for (size_t i = 0; i < n->byte_count; i++)
		if (scan_fold((unsigned char)at[i]) != n->text[i])
			return false;
	return true;
}

/* The masks of the block at from; only places in text are left in them. */
static INSIDE void block_at(make_masks *make, const char *text, size_t byte_count, size_t from,
			    const struct needle *n, struct masks *ret)
{
	char room[BLOCK + NEEDLE_MAX];
	size_t left = byte_count - from, need = BLOCK + n->byte_count - 1;

	if (left >= need) {
		make(text + from, n, ret);
		return;
	}
	memcpy(room, text + from, left);
	memset(room + left, 0, need - left);
	make(room, n, ret);
	/* What would reach behind the end is none. */
	if (left < n->byte_count)
		ret->candidates = 0;
	else if (left - n->byte_count < BLOCK - 1)
		ret->candidates &= ((uint64_t)2 << (left - n->byte_count)) - 1;
}

static INSIDE size_t find(make_masks *make, const char *text, size_t byte_count,
			  const struct needle *n, size_t from)
{
	for (; from < byte_count; from += BLOCK) {
		struct masks m;
		block_at(make, text, byte_count, from, n, &m);
		for (; m.candidates; m.candidates &= m.candidates - 1) {
			size_t at = from + (size_t)__builtin_ctzll(m.candidates);
			if (is_match(text + at, n))
				return at;
		}
	}
	return byte_count;
}

/* The bits from the given one on. */
static inline uint64_t bits_from(unsigned bit)
{
	return bit < 64 ? ~(uint64_t)0 << bit : 0;
}

/* A line's newline stands before it: of the newlines up to a match in it, the
 * last one's number is the line's. */
static INSIDE size_t find_lines(make_masks *make, const char *lines, size_t byte_count,
				const struct needle *n, struct scan_hit *hits)
{
	unsigned own = n->text[0] == '\n'; /* the newline is part of the match */
	uint32_t before = 0;               /* newlines before this block */
	size_t count = 0;
	bool is_open = true; /* the line that this block begins in has no hit yet */

	for (size_t from = 0; from < byte_count; from += BLOCK) {
		struct masks m;
		block_at(make, lines, byte_count, from, n, &m);
		if (!is_open) /* skip to the first newline */
			m.candidates &=
				m.newlines ? bits_from((unsigned)__builtin_ctzll(m.newlines)) : 0;
		is_open |= m.newlines != 0;
		while (m.candidates) {
			unsigned bit = (unsigned)__builtin_ctzll(m.candidates);
			size_t at = from + bit;
			m.candidates &= m.candidates - 1;
			if (!is_match(lines + at, n))
				continue;
			uint64_t below = ~bits_from(bit + own), rest = m.newlines & ~below;
			uint32_t number =
				before + (uint32_t)__builtin_popcountll(m.newlines & below);
			hits[count++] = (struct scan_hit){number - 1, (uint32_t)at};
			m.candidates &= rest ? bits_from((unsigned)__builtin_ctzll(rest)) : 0;
			is_open = rest != 0;
		}
		before += (uint32_t)__builtin_popcountll(m.newlines);
	}
	return count;
}

#define WAY(attributes, name)                                                                      \
	attributes static size_t find_##name(const char *text, size_t byte_count,                  \
					     const struct needle *n, size_t from)                  \
	{                                                                                          \
		return find(masks_##name, text, byte_count, n, from);                              \
	}                                                                                          \
	attributes static size_t lines_##name(const char *lines, size_t byte_count,                \
					      const struct needle *n, struct scan_hit *hits)       \
	{                                                                                          \
		return find_lines(masks_##name, lines, byte_count, n, hits);                       \
	}
#ifdef HAS_X86
WAY(FOR_AVX2, avx2)
WAY(, sse2)
#endif
WAY(, plain)

static const struct way {
	const char *name;
	size_t (*find)(const char *text, size_t byte_count, const struct needle *n, size_t from);
	size_t (*lines)(const char *lines, size_t byte_count, const struct needle *n,
			struct scan_hit *hits);
} ways[] = {
#ifdef HAS_X86
	{"avx2", find_avx2, lines_avx2},
	{"sse2", find_sse2, lines_sse2},
#endif
	{"plain", find_plain, lines_plain},
};
static const struct way *chosen; /* NULL: not yet; the same for the whole process */

static bool is_there(const struct way *w)
{
#ifdef HAS_X86
	if (w->find == find_avx2)
		return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi") &&
		       __builtin_cpu_supports("popcnt");
#endif
	return w->find != NULL;
}

bool scan_use(const char *name)
{
	for (size_t i = 0; i < sizeof(ways) / sizeof(*ways); i++)
		if (!strcmp(ways[i].name, name) && is_there(&ways[i])) {
			chosen = &ways[i];
			return true;
		}
	return false;
}

static const struct way *way(void)
{
	for (size_t i = 0; !chosen; i++)
		if (is_there(&ways[i]))
			chosen = &ways[i];
	return chosen;
}

const char *scan_way(void)
{
	return way()->name;
}

size_t scan_find(const char *text, size_t byte_count, const struct needle *n, size_t from)
{
	return way()->find(text, byte_count, n, from);
}

size_t scan_lines(const char *lines, size_t byte_count, const struct needle *n,
		  struct scan_hit *hits)
{
	return way()->lines(lines, byte_count, n, hits);
}
