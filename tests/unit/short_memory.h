/* SPDX-License-Identifier: Apache-2.0 */
/* Fails the n-th allocation of jansson, which holds nearly all that berthd makes: for
 * (int n = 1; fail_at(n), n < 1000; n++) { ...; if (!has_failed()) break; } */
#ifndef TESTS_UNIT_SHORT_MEMORY_H
#define TESTS_UNIT_SHORT_MEMORY_H

#include "core/base/js.h"

static int allocations_left;

static inline void *fail_one(size_t byte_count)
{
	return --allocations_left ? malloc(byte_count) : NULL;
}

/* From here on; has_failed ends it. */
static inline void fail_at(int n)
{
	allocations_left = n;
	js_count_losses(fail_one);
}

static inline bool has_failed(void)
{
	js_count_losses(NULL);
	return allocations_left <= 0;
}

#endif
