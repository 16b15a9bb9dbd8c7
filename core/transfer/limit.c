/* SPDX-License-Identifier: Apache-2.0 */
/* The token bucket: see limit.h. */
#include "core/transfer/limit.h"

#define MILLION 1000000u

/* A hundredth of a second's bytes, so that any second stays within 1 % of the
 * rate; not less than what a connection hands over at once. */
static uint64_t burst_of(uint64_t bytes_per_s)
{
	uint64_t burst = bytes_per_s / 100;
	return burst > LIMIT_BURST_BYTES ? burst : LIMIT_BURST_BYTES;
}

void limit_init(struct limit *l, uint64_t bytes_per_s, uint64_t now_us)
{
	*l = (struct limit){bytes_per_s, burst_of(bytes_per_s) * MILLION, now_us};
}

static void refill(struct limit *l, uint64_t now_us)
{
	uint64_t full = burst_of(l->bytes_per_s) * MILLION;
	uint64_t us = now_us > l->at_us ? now_us - l->at_us : 0;
	/* A second fills any bucket of at least a burst a second; it also bounds
	 * the product below. */
	us = us > 60u * MILLION ? 60u * MILLION : us;
	uint64_t more = us * (l->bytes_per_s < (1u << 30) ? l->bytes_per_s : 1u << 30);
	l->tokens = full - l->tokens < more ? full : l->tokens + more;
	l->at_us = now_us;
}

bool limit_take(struct limit *l, uint64_t byte_count, uint64_t now_us)
{
	if (!l->bytes_per_s)
		return true;
	refill(l, now_us);
	if (l->tokens < byte_count * MILLION)
		return false;
	l->tokens -= byte_count * MILLION;
	return true;
}

uint64_t limit_wait_us(struct limit *l, uint64_t byte_count, uint64_t now_us)
{
	if (!l->bytes_per_s)
		return 0;
	refill(l, now_us);
	if (l->tokens >= byte_count * MILLION)
		return 0;
	return (byte_count * MILLION - l->tokens) / l->bytes_per_s + 1;
}
