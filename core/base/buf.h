/* SPDX-License-Identifier: Apache-2.0 */
/* A byte buffer that grows up to a maximum given at init and never beyond:
 * what comes from outside goes into one of these. bytes is always followed by
 * a NUL that byte_count does not count. Zeroed memory with a max is valid.
 */
#ifndef CORE_BASE_BUF_H
#define CORE_BASE_BUF_H

#include <stddef.h>

#include "core/base/fail.h"

struct buf {
	char *bytes;       /* NULL while empty */
	size_t byte_count; /* without the NUL */
	size_t room;
	size_t max; /* of byte_count */
};

void buf_init(struct buf *b, size_t max);
void buf_done(struct buf *b);
void buf_reset(struct buf *b); /* keeps the memory */
/* BERTH_E_LIMIT over max, BERTH_E_NO_MEMORY; the buffer is unchanged then. */
MUST_USE int buf_add(struct buf *b, const void *bytes, size_t byte_count, struct berth_error *err);
MUST_USE int buf_add_text(struct buf *b, const char *s, struct berth_error *err);
MUST_USE int buf_printf(struct buf *b, struct berth_error *err, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* The text, never NULL. */
const char *buf_text(const struct buf *b);
/* Removes the first byte_count bytes. */
void buf_drop_front(struct buf *b, size_t byte_count);

static inline void scope_buf(struct buf *b)
{
	buf_done(b);
}
#define AUTO_BUF CLEANUP(scope_buf)

#endif
