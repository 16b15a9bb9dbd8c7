/* SPDX-License-Identifier: Apache-2.0 */
/* The selector's blocks, in the order of their paths, found by id through a hash
 * table with linear probing. Owns all memory of the selector.
 */
#include "core/select/pack.h"

#include <string.h>

#define PATH_MAX_BYTES 65535

int selector_new(struct selector **ret, struct berth_error *err)
{
	*ret = calloc(1, sizeof(**ret));
	return *ret ? 0 : berth_fail_memory(err);
}

static void known_done(struct known_ids *k)
{
	free(k->items);
	free(k->slots);
}

void selector_free(struct selector *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < s->count; i++)
		free(s->by_path[i]);
	free(s->by_path);
	free(s->by_id);
	known_done(&s->spaces);
	known_done(&s->integrations);
	free(s->hits);
	free(s->classes);
	free(s);
}

static size_t hash_text(const char *s)
{
	uint64_t hash = 14695981039346656037u;

	for (; *s; s++)
		hash = (hash ^ (unsigned char)*s) * 1099511628211u;
	return (size_t)(hash ^ hash >> 32);
}

static size_t hash_id(int64_t id)
{
	uint64_t hash = (uint64_t)id * 0x9e3779b97f4a7c15u;

	return (size_t)(hash ^ hash >> 32);
}

long known_find(const struct known_ids *k, const char *id)
{
	if (!k->slot_count)
		return -1;
	for (size_t i = hash_text(id) & (k->slot_count - 1); k->slots[i];
	     i = (i + 1) & (k->slot_count - 1))
		if (!strcmp(k->items[k->slots[i] - 1].id, id))
			return (long)k->slots[i] - 1;
	return -1;
}

static void known_settle(struct known_ids *k, size_t place)
{
	size_t i = hash_text(k->items[place].id) & (k->slot_count - 1);

	while (k->slots[i])
		i = (i + 1) & (k->slot_count - 1);
	k->slots[i] = (uint32_t)place + 1;
}

/* Room for one more, with at most half of the slots used. */
static bool known_grow(struct known_ids *k)
{
	size_t room = k->room ? k->room * 2 : 16;
	struct known_id *items;
	uint32_t *slots;

	if (k->count < k->room)
		return true;
	items = realloc(k->items, room * sizeof(*items));
	if (!items)
		return false;
	k->items = items;
	slots = calloc(room * 2, sizeof(*slots));
	if (!slots)
		return false;
	free(k->slots);
	k->slots = slots;
	k->slot_count = room * 2;
	k->room = room;
	for (size_t i = 0; i < k->count; i++)
		known_settle(k, i);
	return true;
}

/* The place of an id, added where it is new; -1: no memory. */
static long known_add(struct known_ids *k, const char *id)
{
	long place = known_find(k, id);

	if (place >= 0)
		return place;
	if (!known_grow(k))
		return -1;
	struct known_id *one = &k->items[k->count];
	*one = (struct known_id){.asked = 0};
	snprintf(one->id, sizeof(one->id), "%s", id);
	known_settle(k, k->count);
	return (long)k->count++;
}

/* The slot of that id, or the free one where it would be. */
static size_t slot_of(const struct selector *s, int64_t id)
{
	size_t i = hash_id(id) & (s->slot_count - 1);

	while (s->by_id[i] && s->by_id[i]->id != id)
		i = (i + 1) & (s->slot_count - 1);
	return i;
}

static struct block *find(const struct selector *s, int64_t id)
{
	return s->slot_count ? s->by_id[slot_of(s, id)] : NULL;
}

size_t selector_lower(const struct selector *s, const char *path)
{
	size_t low = 0, high = s->count;

	if (high && strcmp(block_path(s->by_path[high - 1]), path) < 0)
		return high;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (strcmp(block_path(s->by_path[middle]), path) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* Room for one more block in both tables. */
static bool grow(struct selector *s)
{
	size_t room = s->room ? s->room * 2 : 64;
	struct block **by_path, **by_id;

	if (s->count < s->room)
		return true;
	by_path = realloc(s->by_path, room * sizeof(struct block *));
	if (!by_path)
		return false;
	s->by_path = by_path;
	by_id = calloc(room * 2, sizeof(struct block *));
	if (!by_id)
		return false;
	free(s->by_id);
	s->by_id = by_id;
	s->slot_count = room * 2;
	s->room = room;
	for (size_t i = 0; i < s->count; i++)
		s->by_id[slot_of(s, s->by_path[i]->id)] = s->by_path[i];
	return true;
}

/* Room in what a search of this block needs. */
static bool grow_hits(struct selector *s, uint32_t tag_count)
{
	struct scan_hit *hits;
	unsigned char *classes;

	if (tag_count <= s->hit_room)
		return true;
	hits = realloc(s->hits, tag_count * sizeof(*hits));
	if (!hits)
		return false;
	s->hits = hits;
	classes = realloc(s->classes, tag_count);
	if (!classes)
		return false;
	s->classes = classes;
	s->hit_room = tag_count;
	return true;
}

static size_t bytes_of(const struct block *b)
{
	return sizeof(*b) + b->tag_count * sizeof(uint32_t) + b->tags_byte_count +
	       b->path_byte_count + 1;
}

static struct block *make_block(const struct selector *s, const struct select_repository *r,
				long space, long integration)
{
	struct block head = {
		.id = r->id,
		.space = (uint32_t)space,
		.integration = (uint32_t)integration,
		.tag_count = r->tag_count,
		.tags_byte_count = (uint32_t)r->tags_byte_count,
		.path_byte_count = (uint32_t)strlen(r->path),
		.pass = s->pass,
	};
	struct block *b = malloc(bytes_of(&head));

	if (!b)
		return NULL;
	*b = head;
	if (b->tag_count) {
		memcpy(b->pushed_s, r->pushed_s, b->tag_count * sizeof(uint32_t));
		memcpy((char *)(b->pushed_s + b->tag_count), r->tags, b->tags_byte_count);
	}
	memcpy((char *)(b->pushed_s + b->tag_count) + b->tags_byte_count, r->path,
	       b->path_byte_count + 1);
	return b;
}

static void insert(struct selector *s, struct block *b)
{
	size_t place = selector_lower(s, block_path(b));

	memmove(s->by_path + place + 1, s->by_path + place,
		(s->count - place) * sizeof(struct block *));
	s->by_path[place] = b;
	s->count++;
	s->by_id[slot_of(s, b->id)] = b;
	s->tag_count += b->tag_count;
	s->byte_count += bytes_of(b);
}

int selector_put(struct selector *s, const struct select_repository *r, struct berth_error *err)
{
	if (r->tags_byte_count > UINT32_MAX || strlen(r->path) > PATH_MAX_BYTES)
		return berth_fail(err, BERTH_E_LIMIT, "%.200s is too much for the selector",
				  r->path);
	long space = known_add(&s->spaces, r->space_id);
	long integration = known_add(&s->integrations, r->integration_id);
	struct block *b = space < 0 || integration < 0 || !grow(s) || !grow_hits(s, r->tag_count)
				  ? NULL
				  : make_block(s, r, space, integration);
	if (!b)
		return berth_fail_memory(err);
	selector_remove(s, r->id);
	insert(s, b);
	return 0;
}

/* Frees a slot and brings those behind it nearer to where they belong. */
static void free_slot(struct selector *s, size_t hole)
{
	size_t mask = s->slot_count - 1;

	for (size_t i = (hole + 1) & mask; s->by_id[i]; i = (i + 1) & mask) {
		size_t home = hash_id(s->by_id[i]->id) & mask;
		if (((i - home) & mask) >= ((i - hole) & mask)) {
			s->by_id[hole] = s->by_id[i];
			hole = i;
		}
	}
	s->by_id[hole] = NULL;
}

/* Two repositories may have one path for a moment, while names move. */
static size_t place_of(const struct selector *s, const struct block *b)
{
	size_t place = selector_lower(s, block_path(b));

	while (s->by_path[place] != b)
		place++;
	return place;
}

static void forget(struct selector *s, struct block *b)
{
	free_slot(s, slot_of(s, b->id));
	s->tag_count -= b->tag_count;
	s->byte_count -= bytes_of(b);
	free(b);
}

void selector_remove(struct selector *s, int64_t id)
{
	struct block *b = find(s, id);

	if (!b)
		return;
	size_t place = place_of(s, b);
	memmove(s->by_path + place, s->by_path + place + 1,
		(s->count - place - 1) * sizeof(struct block *));
	s->count--;
	forget(s, b);
}

bool selector_mark(struct selector *s, int64_t id, const char *space_id, uint32_t pass)
{
	struct block *b = find(s, id);

	if (!b || strcmp(s->spaces.items[b->space].id, space_id) != 0)
		return false;
	b->pass = pass;
	return true;
}

void selector_set_pass(struct selector *s, uint32_t pass)
{
	s->pass = pass;
}

void selector_remove_unmarked(struct selector *s, const char *integration_id, uint32_t pass)
{
	long integration = known_find(&s->integrations, integration_id);
	size_t kept = 0, count = s->count;

	if (integration < 0)
		return;
	for (size_t i = 0; i < count; i++) {
		struct block *b = s->by_path[i];
		if (b->integration == (uint32_t)integration && b->pass != pass)
			forget(s, b);
		else
			s->by_path[kept++] = b;
	}
	s->count = kept;
}

void selector_size(const struct selector *s, struct select_size *ret)
{
	*ret = (struct select_size){
		.repository_count = s->count,
		.tag_count = s->tag_count,
		.byte_count = s->byte_count + s->room * sizeof(struct block *) +
			      s->slot_count * sizeof(struct block *),
	};
}
