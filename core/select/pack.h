/* SPDX-License-Identifier: Apache-2.0 */
/* The selector's inside, shared by select.c, which keeps the blocks, and
 * search.c, which reads them.
 */
#ifndef CORE_SELECT_PACK_H
#define CORE_SELECT_PACK_H

#include "core/select/scan.h"
#include "core/select/select.h"

/* One repository; pushed_s[tag_count], the tags and the path follow it. */
struct block {
	int64_t id;
	uint32_t space, integration; /* places in the selector's tables of names */
	uint32_t tag_count, tags_byte_count;
	uint32_t path_byte_count;
	uint32_t pass;
	uint32_t pushed_s[];
};
static inline const char *block_tags(const struct block *b)
{
	return (const char *)(b->pushed_s + b->tag_count);
}
static inline const char *block_path(const struct block *b)
{
	return block_tags(b) + b->tags_byte_count;
}

/* An id that blocks refer to, once: a UUID of a space or an integration. Those
 * that nothing refers to any more stay: 48 bytes each. */
struct known_id {
	char id[40];
	uint32_t asked; /* number of the query that this space counts in */
	uint32_t words; /* of that query: bits of the words that its name has */
};
struct known_ids {
	struct known_id *items;
	size_t count, room;
	uint32_t *slots; /* place + 1 by hash; 0: free */
	size_t slot_count;
};
/* -1: not there. */
long known_find(const struct known_ids *k, const char *id);

struct selector {
	struct block **by_path; /* in the order of paths */
	struct block **by_id;   /* by hash of the id; NULL: free */
	size_t count, room, slot_count;
	struct known_ids spaces, integrations;
	size_t tag_count, byte_count;
	uint32_t pass, query;
	struct scan_hit *hits; /* room for the largest block's lines */
	unsigned char *classes;
	size_t hit_room;
};
/* The first block whose path is not before that one. */
size_t selector_lower(const struct selector *s, const char *path);

#endif
