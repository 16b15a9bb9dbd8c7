/* SPDX-License-Identifier: Apache-2.0 */
/* The bounded buffer: see buf.h. */
#include "core/base/buf.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void buf_init(struct buf *b, size_t max)
{
	*b = (struct buf){.max = max};
}

void buf_done(struct buf *b)
{
	free(b->bytes);
	*b = (struct buf){.max = b->max};
}

void buf_reset(struct buf *b)
{
	b->byte_count = 0;
	if (b->bytes)
		b->bytes[0] = 0;
}

static int grow(struct buf *b, size_t need, struct berth_error *err)
{
	size_t room = b->room ? b->room : 256;
	if (need > b->max)
		return berth_fail(err, BERTH_E_LIMIT, "more than %zu bytes", b->max);
	while (room < need + 1)
		room *= 2;
	if (room > b->max + 1)
		room = b->max + 1;
	if (room <= b->room)
		return 0;
	char *bytes = realloc(b->bytes, room);
	if (!bytes)
		return berth_fail_memory(err);
	b->bytes = bytes;
	b->room = room;
	return 0;
}

int buf_add(struct buf *b, const void *bytes, size_t byte_count, struct berth_error *err)
{
	assert(b->max);
	if (byte_count > b->max - b->byte_count)
		return berth_fail(err, BERTH_E_LIMIT, "more than %zu bytes", b->max);
	int r = grow(b, b->byte_count + byte_count, err);
	if (r)
		return r;
	if (byte_count)
		memcpy(b->bytes + b->byte_count, bytes, byte_count);
	b->byte_count += byte_count;
	b->bytes[b->byte_count] = 0;
	return 0;
}

int buf_add_text(struct buf *b, const char *s, struct berth_error *err)
{
	return buf_add(b, s, strlen(s), err);
}

int buf_printf(struct buf *b, struct berth_error *err, const char *fmt, ...)
{
	char *s = NULL;
	va_list args;
	va_start(args, fmt);
	int n = vasprintf(&s, fmt, args);
	va_end(args);
	if (n < 0)
		return berth_fail_memory(err);
	int r = buf_add(b, s, (size_t)n, err);
	free(s);
	return r;
}

const char *buf_text(const struct buf *b)
{
	return b->bytes ? b->bytes : "";
}

void buf_drop_front(struct buf *b, size_t byte_count)
{
	assert(byte_count <= b->byte_count);
	if (!byte_count)
		return;
	b->byte_count -= byte_count;
	memmove(b->bytes, b->bytes + byte_count, b->byte_count + 1);
}
