/* SPDX-License-Identifier: Apache-2.0 */
/* The token bucket and its window: see limit.h. */
#include "core/base/limit.h"

#define MILLION 1000000u
#define SLOT_US 2500u /* LIMIT_SLOTS of them are a second and one more */

static uint64_t at_least(uint64_t bytes, uint64_t least)
{
	return bytes > least ? bytes : least;
}

/* What may be made up for: a tenth of a second; not less than what a connection
 * hands over at once. */
static uint64_t full_of(uint64_t bytes_per_s)
{
	return at_least(bytes_per_s / 10, LIMIT_BURST_BYTES);
}

/* Any second lies within LIMIT_SLOTS slots, which at the rate itself hold a quarter
 * of a percent more than a second's bytes, and a piece that is cut by the edge. */
static uint64_t window_of(uint64_t bytes_per_s)
{
	return bytes_per_s + bytes_per_s / 400 + LIMIT_BURST_BYTES / 4;
}

void limit_init(struct limit *l, uint64_t bytes_per_s, uint64_t now_us)
{
	*l = (struct limit){.bytes_per_s = bytes_per_s,
			    .tokens = at_least(bytes_per_s / 100, LIMIT_BURST_BYTES) * MILLION,
			    .at_us = now_us,
			    .slot = now_us / SLOT_US};
}

static void move_window(struct limit *l, uint64_t now_us)
{
	uint64_t slot = now_us / SLOT_US;
	uint64_t steps = slot > l->slot ? slot - l->slot : 0;
	for (uint64_t i = 1; i <= steps && i <= LIMIT_SLOTS; i++) {
		uint32_t *taken = &l->taken[(l->slot + i) % LIMIT_SLOTS];
		l->in_window -= *taken;
		*taken = 0;
	}
	l->slot += steps;
}

static void refill(struct limit *l, uint64_t now_us)
{
	uint64_t full = full_of(l->bytes_per_s) * MILLION;
	uint64_t us = now_us > l->at_us ? now_us - l->at_us : 0;
	/* A second fills any bucket of at least a burst a second; it also bounds
	 * the product below. */
	us = us > 60u * MILLION ? 60u * MILLION : us;
	uint64_t more = us * (l->bytes_per_s < (1u << 30) ? l->bytes_per_s : 1u << 30);
	l->tokens = full - l->tokens < more ? full : l->tokens + more;
	l->at_us = now_us;
	move_window(l, now_us);
}

void limit_change(struct limit *l, uint64_t bytes_per_s, uint64_t now_us)
{
	if (!l->bytes_per_s || !bytes_per_s) {
		limit_init(l, bytes_per_s, now_us);
		return;
	}
	refill(l, now_us);
	l->bytes_per_s = bytes_per_s;
	if (l->tokens > full_of(bytes_per_s) * MILLION)
		l->tokens = full_of(bytes_per_s) * MILLION;
}

static bool fits_window(const struct limit *l, uint64_t byte_count)
{
	return l->in_window + byte_count <= window_of(l->bytes_per_s);
}

bool limit_take(struct limit *l, uint64_t byte_count, uint64_t now_us)
{
	if (!l->bytes_per_s)
		return true;
	refill(l, now_us);
	if (l->tokens < byte_count * MILLION || !fits_window(l, byte_count))
		return false;
	l->tokens -= byte_count * MILLION;
	l->taken[l->slot % LIMIT_SLOTS] += (uint32_t)byte_count;
	l->in_window += byte_count;
	return true;
}

uint64_t limit_wait_us(struct limit *l, uint64_t byte_count, uint64_t now_us)
{
	if (!l->bytes_per_s)
		return 0;
	refill(l, now_us);
	if (l->tokens < byte_count * MILLION)
		return (byte_count * MILLION - l->tokens) / l->bytes_per_s + 1;
	return fits_window(l, byte_count) ? 0 : SLOT_US - now_us % SLOT_US;
}

void limit_give_back(struct limit *l, uint64_t byte_count, uint64_t now_us)
{
	uint64_t full = full_of(l->bytes_per_s) * MILLION;
	uint32_t *taken = &l->taken[now_us / SLOT_US % LIMIT_SLOTS];
	if (!l->bytes_per_s)
		return;
	refill(l, now_us);
	l->tokens =
		full - l->tokens < byte_count * MILLION ? full : l->tokens + byte_count * MILLION;
	/* Of this slot alone: the older ones are other bytes, by now. */
	uint32_t back = *taken < byte_count ? *taken : (uint32_t)byte_count;
	*taken -= back;
	l->in_window -= back;
}
