/* SPDX-License-Identifier: Apache-2.0 */
/* The selector against a naive search, each way of scanning against the others. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "naive_select.h"

static const char *const ways[] = {"avx2", "sse2", "plain"};
#define SPACES 6
#define REPOSITORIES 60
#define TAGS_MAX 150

/* The same rows as the selector has, plainly. */
struct row {
	int64_t id;
	char path[80];
	unsigned space;
	bool is_there;
	char tags[TAGS_MAX][24];
	uint32_t pushed_s[TAGS_MAX];
	uint32_t tag_count;
};
struct world {
	struct selector *selector;
	struct row rows[REPOSITORIES];
	char space_ids[SPACES][40];
	bool counts[SPACES];
	uint64_t seed;
};
static const char *const space_names[SPACES] = {"default", "team", "ab", "library", "zz", "a.b-c"};

static uint32_t random_below(struct world *w, uint32_t end)
{
	w->seed = w->seed * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(w->seed >> 33) % end;
}

/* Few letters, so that much is found. */
static void random_word(struct world *w, char *to, size_t bytes)
{
	static const char letters[] = "abAB1.-v";
	for (size_t i = 0; i < bytes; i++)
		to[i] = letters[random_below(w, sizeof(letters) - 1)];
	to[bytes] = '\0';
}

static int compare_texts(const void *a, const void *b)
{
	return strcmp(a, b);
}

static void random_tags(struct world *w, struct row *r)
{
	uint32_t count = random_below(w, 5) ? random_below(w, 20) : random_below(w, TAGS_MAX);

	for (uint32_t i = 0; i < count; i++)
		random_word(w, r->tags[i], 1 + random_below(w, i % 7 ? 6 : 20));
	qsort(r->tags, count, sizeof(r->tags[0]), compare_texts);
	r->tag_count = 0;
	for (uint32_t i = 0; i < count; i++) {
		if (r->tag_count && !strcmp(r->tags[r->tag_count - 1], r->tags[i]))
			continue;
		memmove(r->tags[r->tag_count], r->tags[i], sizeof(r->tags[0]));
		r->pushed_s[r->tag_count++] = random_below(w, 40);
	}
}

static void put(struct world *w, struct row *r)
{
	struct berth_error err = ERROR_INIT;
	char tags[TAGS_MAX * 25 + 2] = "\n";

	for (uint32_t i = 0; i < r->tag_count; i++) {
		size_t n = strlen(tags);
		snprintf(tags + n, sizeof(tags) - n, "%s\n", r->tags[i]);
	}
	const struct select_repository of = {
		.id = r->id,
		.integration_id = r->path[0] == 'h' ? "id-hub" : "id-mirror",
		.space_id = w->space_ids[r->space],
		.path = r->path,
		.tags = r->tag_count ? tags : "",
		.tags_byte_count = r->tag_count ? strlen(tags) : 0,
		.pushed_s = r->pushed_s,
		.tag_count = r->tag_count,
	};
	assert_int_equal(selector_put(w->selector, &of, &err), 0);
	r->is_there = true;
}

static void random_row(struct world *w, unsigned i)
{
	struct row *r = &w->rows[i];
	char name[40];

	random_word(w, name, 1 + random_below(w, i % 9 ? 12 : 38));
	r->id = 1000 + (int64_t)i * 7;
	r->space = random_below(w, SPACES);
	snprintf(r->path, sizeof(r->path), "%s/%s/r%02u", i % 3 ? "hub" : "mirror", name, i);
	random_tags(w, r);
	put(w, r);
}

static int setup(void **state)
{
	struct berth_error err = ERROR_INIT;
	struct world *w = calloc(1, sizeof(*w));

	if (!w || selector_new(&w->selector, &err))
		return -1;
	w->seed = 42;
	for (unsigned i = 0; i < SPACES; i++) {
		snprintf(w->space_ids[i], sizeof(w->space_ids[i]), "space-%u", i);
		w->counts[i] = i != 4;
	}
	for (unsigned i = 0; i < REPOSITORIES; i++)
		random_row(w, (i * 17) % REPOSITORIES);
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;

	selector_free(w->selector);
	free(w);
	return 0;
}

static size_t spaces_of(struct world *w, struct select_space *to)
{
	size_t n = 0;

	for (unsigned i = 0; i < SPACES; i++)
		if (w->counts[i])
			to[n++] = (struct select_space){w->space_ids[i], space_names[i]};
	return n;
}

static size_t naive(struct world *w, const char *text, struct naive_hit *to)
{
	size_t n = 0;

	for (unsigned i = 0; i < REPOSITORIES; i++) {
		const struct row *r = &w->rows[i];
		for (uint32_t k = 0; r->is_there && w->counts[r->space] && k < r->tag_count; k++) {
			struct naive_hit hit = {r->path, r->tags[k], 0, r->pushed_s[k]};
			if (naive_fits(r->path, space_names[r->space], r->tags[k], text,
				       &hit.class))
				to[n++] = hit;
		}
	}
	qsort(to, n, sizeof(*to), naive_compare);
	return n;
}

static void assert_hit(const struct naive_hit *want, const struct select_hit *got, const char *text)
{
	if (strcmp(want->path, got->path) != 0 || strlen(want->tag) != got->tag_byte_count ||
	    memcmp(want->tag, got->tag, got->tag_byte_count) != 0 || want->class != got->class ||
	    want->pushed_s != got->pushed_s)
		fail_msg("'%s' (%s): expected %s:%s (%u, %u), got %s:%.*s (%u, %u)", text,
			 scan_way(), want->path, want->tag, want->class, want->pushed_s, got->path,
			 (int)got->tag_byte_count, got->tag, got->class, got->pushed_s);
}

static struct naive_hit expected[REPOSITORIES * TAGS_MAX];

/* All pages of that size, beside what the naive search found. */
static void compare_pages(struct world *w, const char *text, uint32_t limit)
{
	struct select_space spaces[SPACES];
	struct select_query q = {.text = text, .spaces = spaces, .limit = limit};
	struct select_place place;
	struct berth_error err = ERROR_INIT;
	size_t want = naive(w, text, expected), got = 0;
	char path[80], tag[24];
	bool goes_on = true;

	q.space_count = spaces_of(w, spaces);
	while (goes_on) {
		struct select_result r;
		assert_int_equal(selector_search(w->selector, &q, &r, &err), 0);
		assert_int_equal(r.total, want);
		for (size_t i = 0; i < r.hit_count; i++, got++) {
			assert_true(got < want);
			assert_hit(&expected[got], &r.hits[i], text);
		}
		goes_on = r.has_more;
		assert_int_equal(goes_on, got < want);
		if (goes_on) {
			const struct select_hit *last = &r.hits[r.hit_count - 1];
			snprintf(path, sizeof(path), "%s", last->path);
			snprintf(tag, sizeof(tag), "%.*s", (int)last->tag_byte_count, last->tag);
			place = (struct select_place){last->class, last->pushed_s, path, tag};
			q.after = &place;
		}
		select_result_done(&r);
	}
	assert_int_equal(got, want);
}

static void every_way_finds_what_a_naive_search_finds(void **state)
{
	static const char *const texts[] = {
		"",   "a",      "B",    "1.",      "hub/",  "/r1",     "team",  "nothing",
		":a", "r05:",   "r1:a", "r01:A v", "a b 1", "  ab  a", "a:b:c", "default v",
		"-",  "mirror", "ub/a", "ab",      "a a",   "v.",      ":",     "::",
	};
	struct world *w = *state;
	unsigned tried = 0;

	for (size_t way = 0; way < sizeof(ways) / sizeof(*ways); way++) {
		if (!scan_use(ways[way]))
			continue;
		tried++;
		for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
			compare_pages(w, texts[i], 1000);
			compare_pages(w, texts[i], 7);
		}
	}
	assert_true(tried > 0);
}

static void random_words_find_the_same_as_a_naive_search(void **state)
{
	struct world *w = *state;

	for (unsigned i = 0; i < 300; i++) {
		char text[64] = "";
		for (unsigned k = 0; k <= i % 3; k++) {
			char word[16];
			random_word(w, word, 1 + random_below(w, 4));
			size_t n = strlen(text);
			snprintf(text + n, sizeof(text) - n, "%s%s", k ? " " : "", word);
		}
		assert_true(scan_use("plain") || i % 2);
		(void)scan_use(ways[i % 3]);
		compare_pages(w, text, 11);
	}
}

static void what_changes_is_found_as_it_is_now(void **state)
{
	struct world *w = *state;

	for (unsigned round = 0; round < 200; round++) {
		unsigned i = random_below(w, REPOSITORIES);
		if (round % 4 == 3) {
			selector_remove(w->selector, w->rows[i].id);
			w->rows[i].is_there = false;
		} else {
			random_row(w, i);
		}
		if (round % 10 == 0)
			compare_pages(w, round % 20 ? "a" : "1", 50);
	}
	selector_remove(w->selector, 5);
	struct select_size size;
	size_t tags = 0, repositories = 0;
	for (unsigned i = 0; i < REPOSITORIES; i++)
		if (w->rows[i].is_there) {
			tags += w->rows[i].tag_count;
			repositories++;
		}
	selector_size(w->selector, &size);
	assert_int_equal(size.tag_count, tags);
	assert_int_equal(size.repository_count, repositories);
}

static void a_pass_removes_what_it_did_not_mark(void **state)
{
	struct world *w = *state;

	selector_set_pass(w->selector, 7);
	for (unsigned i = 0; i < REPOSITORIES; i++) {
		struct row *r = &w->rows[i];
		bool is_hub = r->path[0] == 'h';
		if (i % 4 == 0 && is_hub)
			assert_true(selector_mark(w->selector, r->id, w->space_ids[r->space], 7));
		else if (i % 4 == 1 && is_hub)
			put(w, r);
		else if (is_hub)
			r->is_there = false;
	}
	assert_false(selector_mark(w->selector, w->rows[0].id, "elsewhere", 7));
	assert_false(selector_mark(w->selector, 1, w->space_ids[0], 7));
	selector_remove_unmarked(w->selector, "id-hub", 7);
	selector_remove_unmarked(w->selector, "id-nobody", 7);
	compare_pages(w, "", 1000);
	compare_pages(w, "a", 3);
}

static void a_page_goes_on_where_its_last_hit_was_even_when_that_is_gone(void **state)
{
	struct world *w = *state;
	struct select_space spaces[SPACES];
	struct select_query q = {.text = "", .spaces = spaces, .limit = 1000};
	struct select_result all, rest;
	struct berth_error err = ERROR_INIT;

	q.space_count = spaces_of(w, spaces);
	assert_int_equal(selector_search(w->selector, &q, &all, &err), 0);
	for (size_t i = 0; i + 1 < all.hit_count; i += 13) {
		char tag[40];
		snprintf(tag, sizeof(tag), "%.*s!", (int)all.hits[i].tag_byte_count,
			 all.hits[i].tag);
		struct select_place gone = {all.hits[i].class, all.hits[i].pushed_s,
					    all.hits[i].path, tag};
		q.after = &gone;
		assert_int_equal(selector_search(w->selector, &q, &rest, &err), 0);
		assert_int_equal(rest.hit_count ? rest.hits[0].repository_id : -1,
				 all.hits[i + 1].repository_id);
		assert_int_equal(rest.total, all.total);
		select_result_done(&rest);
	}
	select_result_done(&all);
}

static void too_much_to_ask_is_refused(void **state)
{
	struct world *w = *state;
	struct select_query q = {.text = "a b c d e f g h i j k l m n o p q", .limit = 10};
	struct select_result r;
	struct berth_error err = ERROR_INIT;
	char word[300];

	assert_int_equal(selector_search(w->selector, &q, &r, &err), BERTH_E_INVALID);
	memset(word, 'a', sizeof(word));
	word[251] = '\0';
	q.text = word;
	assert_int_equal(selector_search(w->selector, &q, &r, &err), BERTH_E_INVALID);
	word[250] = '\0';
	assert_int_equal(selector_search(w->selector, &q, &r, &err), 0);
	assert_int_equal(r.total, 0);
	select_result_done(&r);
}

/* Texts of each length around the size of a block, ending where memory does. */
static void nothing_behind_a_text_is_read(void **state)
{
	struct needle n;
	(void)state;
	assert_true(needle_set(&n, "Xy", 2));
	for (size_t way = 0; way < sizeof(ways) / sizeof(*ways); way++)
		for (size_t bytes = 1; scan_use(ways[way]) && bytes < 200; bytes++) {
			char *text = malloc(bytes);
			assert_non_null(text);
			memset(text, 'x', bytes);
			assert_int_equal(scan_find(text, bytes, &n, 0), bytes);
			text[bytes - 1] = 'Y';
			assert_int_equal(scan_find(text, bytes, &n, 0),
					 bytes < 2 ? bytes : bytes - 2);
			free(text);
		}
}

int main(void)
{
	scan_use("plain");
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(every_way_finds_what_a_naive_search_finds),
		T(random_words_find_the_same_as_a_naive_search),
		T(what_changes_is_found_as_it_is_now),
		T(a_pass_removes_what_it_did_not_mark),
		T(a_page_goes_on_where_its_last_hit_was_even_when_that_is_gone),
		T(too_much_to_ask_is_refused),
		cmocka_unit_test(nothing_behind_a_text_is_read),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
