/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes on their way from a source to a target: a queue of chunks for each
 * stream, out of one pool for the whole run, so that memory is bounded by the
 * pool and not by streams or layer sizes. One thread.
 */
#ifndef CORE_TRANSFER_RING_H
#define CORE_TRANSFER_RING_H

#include <stdbool.h>
#include <stddef.h>

#include "core/base/scope.h"

#define RING_CHUNK_BYTES ((size_t)64 << 10)

struct chunk;
struct pool {
	size_t chunk_max;   /* chunks that all rings may hold together */
	size_t chunk_count; /* held now */
	struct chunk *spare;
};
void pool_init(struct pool *p, size_t max_bytes);
void pool_done(struct pool *p); /* after every ring is empty */

/* A stream that holds nothing may always take one chunk, so that none starves
 * however slow its neighbours are; one stream may hold half of the pool. */
struct ring {
	struct pool *pool;
	struct chunk *first, *last;
	size_t chunk_count, byte_count;
};
void ring_init(struct ring *r, struct pool *pool);
void ring_done(struct ring *r); /* gives its chunks back */
/* May byte_count more bytes be put now? */
bool ring_has_room(const struct ring *r, size_t byte_count);
/* Appends; false without memory. Only after ring_has_room said yes. */
bool ring_put(struct ring *r, const char *bytes, size_t byte_count) MUST_USE;
/* Takes up to room bytes from the front. */
size_t ring_take(struct ring *r, char *to, size_t room);

#endif
