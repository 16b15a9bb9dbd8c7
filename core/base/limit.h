/* SPDX-License-Identifier: Apache-2.0 */
/* A token bucket with a window: so many bytes a second on average, and in no second
 * more than a quarter of a percent and a quarter of a burst above the rate. Who comes late
 * to take its bytes makes up for a tenth of a second. Pure; time is given by the caller.
 */
#ifndef CORE_BASE_LIMIT_H
#define CORE_BASE_LIMIT_H

#include <stdbool.h>
#include <stdint.h>

#include "core/base/scope.h"

#define LIMIT_BURST_BYTES ((uint64_t)64 << 10) /* at the beginning; or a hundredth of the rate */
#define LIMIT_SLOTS 401

struct limit {
	uint64_t bytes_per_s; /* 0: no limit */
	uint64_t tokens;      /* in millionths of a byte */
	uint64_t at_us;       /* when tokens was true */
	uint64_t slot;        /* of the last LIMIT_SLOTS slots of time, the newest */
	uint64_t in_window;   /* bytes taken in all of them */
	uint32_t taken[LIMIT_SLOTS];
};

/* With a burst at the beginning. */
void limit_init(struct limit *l, uint64_t bytes_per_s, uint64_t now_us);
/* Another rate from now on; what was taken in the last second still counts. */
void limit_change(struct limit *l, uint64_t bytes_per_s, uint64_t now_us);
/* Takes byte_count bytes (at most a burst) if they are there. */
bool limit_take(struct limit *l, uint64_t byte_count, uint64_t now_us) MUST_USE;
/* Microseconds until byte_count bytes will be there; 0: they are. */
uint64_t limit_wait_us(struct limit *l, uint64_t byte_count, uint64_t now_us);
/* Puts bytes back that were taken and not moved. */
void limit_give_back(struct limit *l, uint64_t byte_count, uint64_t now_us);

#endif
