/* SPDX-License-Identifier: Apache-2.0 */
/* How fast bytes may move: by the rule's own rate, which this run alone keeps, and by
 * rates that are shared with other runs, of which it has leases. Bytes are asked for
 * before they are taken from the source's stream or given to the target's; who gets none
 * pauses its stream and is woken in its turn. Without a rate all of this is two tests.
 */
#include "core/base/clock.h"
#include "core/transfer/move.h"

/* A lease comes as a frame; the loop has to turn to see it, also where no request is
 * under way. */
#define LEASE_WAIT_US 10000

static void fire(void *user)
{
	struct transfer *t = user;
	t->limit_timer = NULL;
	move_tick(t);
}

/* Wakes the streams that wait for a rate; for the first of them, if there are several. */
static void arm(struct transfer *t, uint64_t wait_us)
{
	struct berth_error err = ERROR_INIT;
	uint64_t due_ms = clock_monotonic_ms() + wait_us / 1000 + 1;
	if (t->limit_timer && t->limit_due_ms <= due_ms)
		return;
	net_timer_cancel(STEAL(t->limit_timer));
	t->limit_due_ms = due_ms;
	if (net_timer_start(t->set.loop, wait_us / 1000 + 1, fire, t, &t->limit_timer, &err))
		run_abort(t, &err);
}

void pace_turn_soon(struct transfer *t)
{
	arm(t, 0);
}

static uint64_t leased(struct transfer *t, enum transfer_rate rate)
{
	return t->set.leased ? t->set.leased(t->set.user, rate) : UINT64_MAX;
}

/* The rule's own rate; NULL: there is none. Several runs of a fan read at it together, and
 * each may write at it: what has waited for a target does not go to it at once. */
static struct limit *own(struct transfer *t, enum transfer_rate rate)
{
	struct limit *l = rate == RATE_WRITTEN ? &t->own_limit[rate] : &t->limit[rate];
	return l->bytes_per_s ? l : NULL;
}

#define RECEIVES_PER_S 320
#define RECEIVE_LEAST (32u << 10)
#define RECEIVE_MOST (208u << 10) /* what a system takes that nobody has tuned */

uint32_t transfer_receive_bytes(uint64_t bytes_per_s)
{
	uint64_t bytes = bytes_per_s / RECEIVES_PER_S;
	if (bytes < RECEIVE_LEAST)
		return RECEIVE_LEAST;
	return bytes > RECEIVE_MOST ? RECEIVE_MOST : (uint32_t)bytes;
}

int64_t pace_ahead(struct transfer *t)
{
	struct limit *l = own(t, RATE_SENT);
	bool is_own = l && leased(t, RATE_SENT) == UINT64_MAX;
	return (int64_t)transfer_receive_bytes(is_own ? l->bytes_per_s : 0) * 3 / 2;
}

bool pace_is_on(struct transfer *t, enum transfer_rate rate)
{
	return own(t, rate) || leased(t, rate) != UINT64_MAX;
}

uint64_t pace_pieces(struct transfer *t, enum transfer_rate rate)
{
	uint64_t pieces = leased(t, rate) / PIECE_BYTES;
	struct limit *l = own(t, rate);
	if (!pieces && t->moves)
		arm(t, LEASE_WAIT_US);
	if (!pieces || !l)
		return pieces;
	uint64_t wait_us = limit_wait_us(l, PIECE_BYTES, clock_monotonic_us());
	if (wait_us) {
		if (t->moves)
			arm(t, wait_us); /* also where the timer came a moment too early */
		return 0;
	}
	uint64_t most = l->tokens / 1000000u / PIECE_BYTES;
	return most < pieces ? most : pieces;
}

bool pace_take(struct transfer *t, enum transfer_rate rate, size_t byte_count)
{
	struct limit *l = own(t, rate);
	if (leased(t, rate) < byte_count)
		return false;
	if (l) {
		uint64_t now_us = clock_monotonic_us();
		if (!limit_take(l, byte_count, now_us)) {
			arm(t, limit_wait_us(l, PIECE_BYTES, now_us));
			return false;
		}
	}
	if (t->set.spend)
		t->set.spend(t->set.user, rate, byte_count);
	return true;
}
