/* SPDX-License-Identifier: Apache-2.0 */
/* The selector: all repositories and tags of the index, packed in memory, and
 * ranked searches over them. It knows no store, no callers and no rights: who
 * asks says which spaces count. Used from berthd's only thread.
 *
 * A repository is one block: the Unix second that each tag was pushed (4 bytes),
 * the tags in byte order as "\nfirst\nsecond\n", and its path
 * "integration/repository". So a tag costs its name and 5 bytes, a repository
 * its path and about 80: 14 MiB for a million tags in 20 000 repositories. A
 * search looks at each repository's path, and scans the tags of those that the
 * path alone does not decide.
 */
#ifndef CORE_SELECT_SELECT_H
#define CORE_SELECT_SELECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/fail.h"

struct selector;
MUST_USE int selector_new(struct selector **ret, struct berth_error *err);
void selector_free(struct selector *s); /* accepts NULL */
SCOPE_TYPE(selector, struct selector, selector_free)

/* One repository as it is now. Texts are copied. */
struct select_repository {
	int64_t id;
	const char *integration_id, *space_id; /* UUIDs */
	const char *path;                      /* "integration/repository" */
	const char *tags;                      /* "\na\nb\n" in byte order; tag_count 0: "" */
	size_t tags_byte_count;
	const uint32_t *pushed_s; /* of each tag; 0: unknown */
	uint32_t tag_count;
};
/* Adds it, or puts it in place of what it was. BERTH_E_NO_MEMORY (it is then as
 * before); BERTH_E_LIMIT: more than 4 GiB of tags, or a path over 64 KiB. */
MUST_USE int selector_put(struct selector *s, const struct select_repository *r,
			  struct berth_error *err);
/* No error where it is not there. */
void selector_remove(struct selector *s, int64_t id);
/* Is it there, in that space? Then it is marked with pass. */
bool selector_mark(struct selector *s, int64_t id, const char *space_id, uint32_t pass);
/* Removes what an integration has without that mark, and gives new and replaced
 * ones it: selector_put marks with the pass set here. */
void selector_set_pass(struct selector *s, uint32_t pass);
void selector_remove_unmarked(struct selector *s, const char *integration_id, uint32_t pass);

struct select_size {
	size_t repository_count, tag_count, byte_count;
};
void selector_size(const struct selector *s, struct select_size *ret);

/* How well a hit fits; smaller is better. */
enum select_class { SELECT_EXACT, SELECT_PREFIX, SELECT_PART };
/* Where a page ended: in the order of class, newest first, path, tag. */
struct select_place {
	enum select_class class;
	uint32_t pushed_s;
	const char *path, *tag;
};
struct select_space {
	const char *id, *name;
};
struct select_query {
	const char *text;                  /* words between blanks; all of them must be found */
	const struct select_space *spaces; /* those that count */
	size_t space_count;
	const struct select_place *after; /* NULL: the first page */
	uint32_t limit;                   /* 1 to 1000 */
};
struct select_hit {
	int64_t repository_id;
	const char *path; /* borrowed until the next put or remove */
	const char *tag;  /* the same, and not ended by a NUL */
	size_t tag_byte_count;
	enum select_class class;
	uint32_t pushed_s;
};
struct select_result {
	struct select_hit *hits; /* free() */
	size_t hit_count;
	uint64_t total; /* of all pages */
	bool has_more;
};
#define SELECT_WORDS_MAX 16
/* A word without a colon is found anywhere in "integration/repository", in the
 * space's name, or in the tag; PATH:TAG where the path ends with the one and the
 * tag begins with the other. Case of ASCII letters does not count. SELECT_EXACT:
 * a word is the whole tag; SELECT_PREFIX: it begins the tag or a part of the
 * path. BERTH_E_INVALID: too many words, or one over 250 bytes. */
MUST_USE int selector_search(struct selector *s, const struct select_query *q,
			     struct select_result *ret, struct berth_error *err);
void select_result_done(struct select_result *r);

#endif
