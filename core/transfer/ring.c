/* SPDX-License-Identifier: Apache-2.0 */
/* The chunk pool and the queues: see ring.h. */
#include "core/transfer/ring.h"

#include <stdlib.h>
#include <string.h>

struct chunk {
	struct chunk *next;
	size_t start, end;
	char bytes[RING_CHUNK_BYTES];
};

void pool_init(struct pool *p, size_t max_bytes)
{
	size_t n = max_bytes / RING_CHUNK_BYTES;
	*p = (struct pool){.chunk_max = n > 2 ? n : 2};
}

void pool_done(struct pool *p)
{
	while (p->spare) {
		struct chunk *c = p->spare;
		p->spare = c->next;
		free(c);
	}
}

void ring_init(struct ring *r, struct pool *pool)
{
	*r = (struct ring){.pool = pool};
}

/* The front chunk goes back: kept as a spare, or freed where a stream that had
 * nothing went over the pool's bound. */
static void drop_first(struct ring *r)
{
	struct chunk *c = r->first;
	r->first = c->next;
	if (!r->first)
		r->last = NULL;
	r->chunk_count--;
	if (r->pool->chunk_count-- > r->pool->chunk_max) {
		free(c);
		return;
	}
	c->next = r->pool->spare;
	r->pool->spare = c;
}

void ring_done(struct ring *r)
{
	while (r->first)
		drop_first(r);
	r->byte_count = 0;
}

bool ring_has_room(const struct ring *r, size_t byte_count)
{
	size_t in_last = r->last ? RING_CHUNK_BYTES - r->last->end : 0;
	if (byte_count <= in_last || !r->chunk_count)
		return true;
	size_t need = (byte_count - in_last + RING_CHUNK_BYTES - 1) / RING_CHUNK_BYTES;
	return r->pool->chunk_count + need <= r->pool->chunk_max &&
	       r->chunk_count + need <= r->pool->chunk_max / 2;
}

static struct chunk *add_chunk(struct ring *r)
{
	struct chunk *c = r->pool->spare;
	if (c)
		r->pool->spare = c->next;
	else if (!(c = malloc(sizeof *c)))
		return NULL;
	c->next = NULL;
	c->start = c->end = 0;
	if (r->last)
		r->last->next = c;
	else
		r->first = c;
	r->last = c;
	r->chunk_count++;
	r->pool->chunk_count++;
	return c;
}

bool ring_put(struct ring *r, const char *bytes, size_t byte_count)
{
	while (byte_count) {
		struct chunk *c = r->last;
		if ((!c || c->end == RING_CHUNK_BYTES) && !(c = add_chunk(r)))
			return false;
		size_t n = RING_CHUNK_BYTES - c->end;
		n = n < byte_count ? n : byte_count;
		memcpy(c->bytes + c->end, bytes, n);
		c->end += n;
		r->byte_count += n;
		bytes += n;
		byte_count -= n;
	}
	return true;
}

size_t ring_take(struct ring *r, char *to, size_t room)
{
	size_t taken = 0;
	while (taken < room && r->first) {
		struct chunk *c = r->first;
		size_t n = c->end - c->start;
		n = n < room - taken ? n : room - taken;
		memcpy(to + taken, c->bytes + c->start, n);
		c->start += n;
		taken += n;
		if (c->start == c->end)
			drop_first(r);
	}
	r->byte_count -= taken;
	return taken;
}
