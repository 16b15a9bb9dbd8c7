/* SPDX-License-Identifier: Apache-2.0 */
/* A ranked search over the selector's blocks. Blocks are visited in the order of
 * their paths and tags in byte order, so of two hits that rank alike the one
 * that came first wins, and no texts are compared. The best of a page are kept
 * in a heap whose root is the worst of them.
 */
#include <string.h>

#include "core/select/pack.h"

#define LIMIT_MAX 1000
#define BLANKS " \t\n\v\f\r"
#define AHEAD 4 /* blocks that are fetched before they are read */

/* One word, in the forms that it is looked for. */
struct word {
	struct needle part;  /* anywhere: in the path, the space's name, a tag */
	struct needle start; /* the same, or what follows its colon, at a tag's begin */
	struct needle tail;  /* what stands before its colon */
	bool has_colon, has_tail, has_start;
	bool is_hopeless; /* two colons: in no reference */
};

/* rank: class, then age; order: the block's place + 1 and the line. */
struct candidate {
	uint64_t rank, order;
};
struct heap {
	struct candidate *items;
	size_t count, room;
};
struct search {
	struct selector *s;
	struct word words[SELECT_WORDS_MAX];
	size_t word_count;
	struct heap heap;
	struct candidate after; /* zero: the first page */
	uint64_t total;
};

static uint64_t rank_of(unsigned class, uint32_t pushed_s)
{
	return (uint64_t) class << 32 | (UINT32_MAX - pushed_s);
}

static bool is_before(const struct candidate *a, const struct candidate *b)
{
	return a->rank != b->rank ? a->rank < b->rank : a->order < b->order;
}

static void sift_down(struct heap *h, size_t at)
{
	for (;;) {
		size_t child = 2 * at + 1;
		if (child + 1 < h->count && is_before(&h->items[child], &h->items[child + 1]))
			child++;
		if (child >= h->count || !is_before(&h->items[at], &h->items[child]))
			return;
		struct candidate other = h->items[at];
		h->items[at] = h->items[child];
		h->items[child] = other;
		at = child;
	}
}

static void sift_up(struct heap *h, size_t at)
{
	while (at && is_before(&h->items[(at - 1) / 2], &h->items[at])) {
		struct candidate other = h->items[at];
		h->items[at] = h->items[(at - 1) / 2];
		h->items[(at - 1) / 2] = other;
		at = (at - 1) / 2;
	}
}

/* A hit: counted, and kept where it is among the best after the page before. */
static void consider(struct search *q, unsigned class, uint32_t pushed_s, uint64_t order)
{
	struct candidate c = {rank_of(class, pushed_s), order};
	struct heap *h = &q->heap;

	if (h->count == h->room && !is_before(&c, &h->items[0]))
		return;
	if (q->after.order && !is_before(&q->after, &c))
		return;
	if (h->count < h->room) {
		h->items[h->count] = c;
		sift_up(h, h->count++);
		return;
	}
	h->items[0] = c;
	sift_down(h, 0);
}

static bool make_word(struct word *w, const char *text, size_t byte_count)
{
	const char *colon = memchr(text, ':', byte_count);
	size_t tail = colon ? (size_t)(colon - text) : 0, rest = byte_count - tail - 1;

	*w = (struct word){.has_colon = colon != NULL};
	if (byte_count > NEEDLE_MAX - 6)
		return false;
	if (!colon) {
		w->has_start = needle_set_line_start(&w->start, text, byte_count);
		return needle_set(&w->part, text, byte_count);
	}
	w->has_tail = needle_set(&w->tail, text, tail);
	w->has_start = needle_set_line_start(&w->start, colon + 1, rest);
	w->is_hopeless = memchr(colon + 1, ':', rest) != NULL;
	return true;
}

static int split(struct search *q, const char *text, struct berth_error *err)
{
	for (;;) {
		text += strspn(text, BLANKS);
		size_t n = strcspn(text, BLANKS);
		if (!n)
			return 0;
		if (q->word_count == SELECT_WORDS_MAX)
			return berth_fail(err, BERTH_E_INVALID, "more than %d words",
					  SELECT_WORDS_MAX);
		if (!make_word(&q->words[q->word_count++], text, n))
			return berth_fail(err, BERTH_E_INVALID, "a word of more than %d bytes",
					  NEEDLE_MAX - 6);
		text += n;
	}
}

/* Which words a space's name has. */
static uint32_t words_in(const struct search *q, const char *name)
{
	uint32_t bits = 0;
	size_t n = strlen(name);

	for (size_t i = 0; i < q->word_count; i++)
		if (!q->words[i].has_colon && scan_find(name, n, &q->words[i].part, 0) < n)
			bits |= 1u << i;
	return bits;
}

/* Marks the spaces that count with this query's number. */
static void mark_spaces(struct search *q, const struct select_query *of)
{
	struct selector *s = q->s;

	if (!++s->query) { /* the number went round: no old mark may stand */
		for (size_t i = 0; i < s->spaces.count; i++)
			s->spaces.items[i].asked = 0;
		s->query = 1;
	}
	for (size_t i = 0; i < of->space_count; i++) {
		long place = known_find(&s->spaces, of->spaces[i].id);
		if (place < 0)
			continue;
		s->spaces.items[place].asked = s->query;
		s->spaces.items[place].words = words_in(q, of->spaces[i].name);
	}
}

static bool ends_with(const char *path, size_t byte_count, const struct needle *n)
{
	return byte_count >= n->byte_count &&
	       scan_find(path, byte_count, n, byte_count - n->byte_count) < byte_count;
}

/* Does a word that is in the path begin one of its parts? */
static bool begins_part(const char *path, size_t byte_count, const struct needle *n, size_t at)
{
	while (at < byte_count && at && path[at - 1] != '/')
		at = scan_find(path, byte_count, n, at + 1);
	return at < byte_count;
}

/* What the path leaves to the tags. */
struct rest {
	const struct word *words[SELECT_WORDS_MAX];
	size_t count;
	unsigned class; /* by the path alone */
};

/* False: no tag of this repository can be a hit. */
static bool judge_path(const struct search *q, const struct block *b, uint32_t in_space,
		       struct rest *ret)
{
	const char *path = block_path(b);
	size_t bytes = b->path_byte_count;

	ret->count = 0;
	ret->class = SELECT_PART;
	for (size_t i = 0; i < q->word_count; i++) {
		const struct word *w = &q->words[i];
		if (w->has_colon) {
			if (w->is_hopeless || (w->has_tail && !ends_with(path, bytes, &w->tail)))
				return false;
			if (w->has_start)
				ret->words[ret->count++] = w;
			continue;
		}
		size_t at = scan_find(path, bytes, &w->part, 0);
		if (at < bytes && begins_part(path, bytes, &w->part, at))
			ret->class = SELECT_PREFIX;
		if (at == bytes && !(in_space & 1u << i))
			ret->words[ret->count++] = w;
	}
	return true;
}

/* How a tag that begins with the word fits; line is the newline before it. */
static unsigned start_class(const char *tags, size_t line, const struct needle *start)
{
	return tags[line + start->byte_count] == '\n' ? SELECT_EXACT : SELECT_PREFIX;
}

/* All tags of the repository are hits; a word may be a tag as well. */
static void take_all(struct search *q, const struct block *b, const struct rest *rest,
		     uint64_t order)
{
	const char *tags = block_tags(b);
	unsigned char *classes = q->s->classes;

	q->total += b->tag_count;
	if (!b->tag_count)
		return;
	memset(classes, (int)rest->class, b->tag_count);
	for (size_t i = 0; i < q->word_count; i++) {
		const struct word *w = &q->words[i];
		if (!w->has_start || w->has_colon)
			continue;
		size_t n = scan_lines(tags, b->tags_byte_count, &w->start, q->s->hits);
		for (size_t k = 0; k < n; k++) {
			const struct scan_hit *hit = &q->s->hits[k];
			unsigned class = start_class(tags, hit->at, &w->start);
			if (class < classes[hit->line])
				classes[hit->line] = (unsigned char)class;
		}
	}
	for (uint32_t i = 0; i < b->tag_count; i++)
		consider(q, classes[i], b->pushed_s[i], order + i);
}

static const struct needle *needle_of(const struct word *w)
{
	return w->has_colon ? &w->start : &w->part;
}

/* How a tag fits by one word that was found in it at that place. */
static unsigned hit_class(const char *tags, const struct word *w, size_t at)
{
	if (w->has_colon)
		return start_class(tags, at, &w->start);
	if (tags[at - 1] != '\n')
		return SELECT_PART;
	return tags[at + w->part.byte_count] == '\n' ? SELECT_EXACT : SELECT_PREFIX;
}

/* The other words in the line of a hit; false: one is not there. */
static bool judge_line(const struct search *q, const struct block *b, const struct rest *rest,
		       size_t at, unsigned *class)
{
	const char *tags = block_tags(b);
	size_t begin = at, end = at + 1;

	while (tags[begin] != '\n')
		begin--;
	while (tags[end] != '\n')
		end++;
	for (size_t i = 1; i < rest->count; i++) {
		const struct needle *n = needle_of(rest->words[i]);
		size_t found = scan_find(tags + begin, end - begin, n, 0);
		if (found == end - begin)
			return false;
		unsigned other = hit_class(tags, rest->words[i], begin + found);
		*class = other < *class ? other : *class;
	}
	for (size_t i = 0; i < q->word_count; i++) { /* one that the path has may begin it, too */
		const struct word *w = &q->words[i];
		if (w->has_colon || !w->has_start || end - begin < w->start.byte_count)
			continue;
		if (scan_find(tags + begin, w->start.byte_count, &w->start, 0) == 0) {
			unsigned other = start_class(tags, begin, &w->start);
			*class = other < *class ? other : *class;
		}
	}
	return true;
}

static void take_some(struct search *q, const struct block *b, const struct rest *rest,
		      uint64_t order)
{
	const char *tags = block_tags(b);
	const struct word *w = rest->words[0];
	size_t n = scan_lines(tags, b->tags_byte_count, needle_of(w), q->s->hits);

	for (size_t i = 0; i < n; i++) {
		const struct scan_hit *hit = &q->s->hits[i];
		unsigned class = hit_class(tags, w, hit->at);
		class = class < rest->class ? class : rest->class;
		if (q->word_count > 1 && !judge_line(q, b, rest, hit->at, &class))
			continue;
		q->total++;
		consider(q, class, b->pushed_s[hit->line], order + hit->line);
	}
}

static void run(struct search *q)
{
	const struct selector *s = q->s;
	struct rest rest;

	for (size_t i = 0; i < s->count; i++) {
		const struct block *b = s->by_path[i];
		const struct known_id *space = &s->spaces.items[b->space];
		uint64_t order = (uint64_t)(i + 1) << 32;
		if (i + AHEAD < s->count)
			__builtin_prefetch(s->by_path[i + AHEAD]);
		if (space->asked != s->query || !judge_path(q, b, space->words, &rest))
			continue;
		if (rest.count)
			take_some(q, b, &rest, order);
		else
			take_all(q, b, &rest, order);
	}
}

/* A tag's number among the block's lines; where it is gone, that of the last one
 * before it; -1: it is before all. */
static int64_t line_of(const struct block *b, const char *tag)
{
	const char *at = block_tags(b), *end = at + b->tags_byte_count;
	size_t bytes = strlen(tag);
	int64_t line = -1;

	while (at + 1 < end) {
		size_t n = (size_t)((const char *)memchr(at + 1, '\n', (size_t)(end - at - 1)) -
				    at - 1);
		int order = memcmp(at + 1, tag, n < bytes ? n : bytes);
		if (order > 0 || (!order && n > bytes))
			return line;
		line++;
		at += n + 1;
	}
	return line;
}

/* Where a page ended, in this selector's order. */
static struct candidate place_after(const struct selector *s, const struct select_place *p)
{
	size_t i = selector_lower(s, p->path);
	uint64_t order = (uint64_t)(i + 1) << 32;
	bool is_there = i < s->count && !strcmp(block_path(s->by_path[i]), p->path);
	int64_t line = is_there ? line_of(s->by_path[i], p->tag) : -1;

	return (struct candidate){rank_of(p->class, p->pushed_s),
				  line < 0 ? order - 1 : order + (uint64_t)line};
}

static int compare(const void *a, const void *b)
{
	return is_before(a, b) ? -1 : is_before(b, a);
}

static void fill_hit(const struct selector *s, const struct candidate *c, struct select_hit *ret)
{
	const struct block *b = s->by_path[(c->order >> 32) - 1];
	uint32_t line = (uint32_t)c->order;
	const char *at = block_tags(b);

	for (uint32_t i = 0; i < line; i++)
		at = (const char *)memchr(at + 1, '\n', (size_t)(block_path(b) - at - 1));
	*ret = (struct select_hit){
		.repository_id = b->id,
		.path = block_path(b),
		.tag = at + 1,
		.tag_byte_count = strcspn(at + 1, "\n"),
		.class = (enum select_class)(c->rank >> 32),
		.pushed_s = UINT32_MAX - (uint32_t)c->rank,
	};
}

static int fill_result(struct search *q, uint32_t limit, struct select_result *ret,
		       struct berth_error *err)
{
	struct heap *h = &q->heap;

	*ret = (struct select_result){.total = q->total, .has_more = h->count > limit};
	qsort(h->items, h->count, sizeof(*h->items), compare);
	size_t count = h->count > limit ? limit : h->count;
	ret->hits = calloc(count + 1, sizeof(*ret->hits));
	if (!ret->hits)
		return berth_fail_memory(err);
	for (; ret->hit_count < count; ret->hit_count++)
		fill_hit(q->s, &h->items[ret->hit_count], &ret->hits[ret->hit_count]);
	return 0;
}

int selector_search(struct selector *s, const struct select_query *q, struct select_result *ret,
		    struct berth_error *err)
{
	uint32_t limit = q->limit < 1 ? 1 : q->limit < LIMIT_MAX ? q->limit : LIMIT_MAX;
	struct search search = {.s = s, .heap = {.room = limit + 1u}};
	AUTO_FREE struct candidate *items = calloc(search.heap.room, sizeof(*items));

	*ret = (struct select_result){.total = 0};
	if (!items)
		return berth_fail_memory(err);
	search.heap.items = items;
	if (split(&search, q->text, err))
		return err->code;
	if (q->after)
		search.after = place_after(s, q->after);
	mark_spaces(&search, q);
	run(&search);
	return fill_result(&search, limit, ret, err);
}

void select_result_done(struct select_result *r)
{
	free(r->hits);
	r->hits = NULL;
	r->hit_count = 0;
}
