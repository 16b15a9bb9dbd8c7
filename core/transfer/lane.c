/* SPDX-License-Identifier: Apache-2.0 */
/* What answers say of their registry: the window of requests in flight follows them
 * (window.h), and a pause that one answer asks for holds for all requests to it.
 */
#include "core/base/clock.h"
#include "core/transfer/parts.h"

/* Requests that the registry's client repeated by itself are trouble, too. */
static bool was_repeated(struct side *s)
{
	uint64_t retries = registry_counts(s->registry)->retries;
	bool is_more = retries > s->retries_seen;
	s->retries_seen = retries;
	return is_more;
}

/* A time-out is not: it came after a long wait, and with fewer requests at once the waits
 * of a silent server would add up. */
static bool is_trouble(int code)
{
	return code == BERTH_E_THROTTLED || code == BERTH_E_UNAVAILABLE;
}

bool lane_answered(struct side *s, const struct berth_error *err, uint64_t began_ms)
{
	struct lane *l = s->lane;
	uint64_t now_ms = clock_monotonic_ms();
	bool is_throttled = err->code == BERTH_E_THROTTLED;
	if (!was_repeated(s) && !is_trouble(err->code)) {
		window_answered(&l->window, l->in_flight, began_ms, now_ms);
		return false;
	}
	return window_troubled(&l->window, l->in_flight, began_ms, now_ms) && is_throttled;
}

bool lane_has_slot(const struct lane *l)
{
	return l->in_flight < l->window.limit;
}

/* How long an op may wait again after a 429: its pauses add up to one answer's time. */
bool op_may_wait(struct op *op, bool is_free, struct berth_error *err)
{
	uint32_t most_ms = registry_limits(op->side->registry)->answer_ms;
	uint32_t left_ms = most_ms > op->waited_ms ? most_ms - op->waited_ms : 0;
	if (!is_free && ++op->tries >= op->run->set.tries)
		return false;
	if (!left_ms)
		return false;
	if (err->retry_ms > left_ms)
		err->retry_ms = left_ms;
	op->waited_ms += err->retry_ms ? err->retry_ms : 1;
	return true;
}
