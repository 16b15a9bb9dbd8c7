/* SPDX-License-Identifier: Apache-2.0 */
/* When a request is tried again and after how long: what the server asks for
 * by Retry-After (RFC 9110 10.2.3), clamped, else a doubling pause with
 * jitter. A request that waits is control work or moves bytes; the waits of
 * control work add up to one answer's time at most.
 */
#include <curl/curl.h>
#include <string.h>

#include "core/base/clock.h"
#include "core/base/text.h"
#include "core/oci/registry_private.h"

int64_t retry_parse(const char *header, int64_t now_unix_ms, uint32_t max_ms)
{
	int64_t ms;
	size_t digits = header ? strspn(header, "0123456789") : 0;

	if (!header || !*header)
		return -1;
	if (digits && !header[digits]) {
		uint64_t seconds;
		if (!text_parse_u64(header, 0, UINT32_MAX, &seconds))
			seconds = UINT32_MAX; /* more than fits is as long as we would wait */
		ms = (int64_t)seconds * 1000;
	} else {
		time_t date = curl_getdate(header, NULL);
		ms = date < 0 ? 0 : (int64_t)date * 1000 - now_unix_ms;
	}
	return ms < 0 ? 0 : ms > max_ms ? max_ms : ms;
}

/* A small generator of its own: jitter needs no secrecy. */
static unsigned next_random(struct registry *r)
{
	r->jitter = r->jitter * 1664525u + 1013904223u;
	return r->jitter >> 8;
}

uint64_t retry_backoff_ms(struct registry *r, unsigned tries)
{
	uint64_t base = (uint64_t)net_client_limits(r->client)->backoff_ms
			<< (tries > 6 ? 6 : tries);
	return base / 2 + next_random(r) % (base / 2 + 1);
}

static bool request_is_repeatable(const struct registry_request *q)
{
	const char *m = q->call.method;
	if (q->call.once || (q->exchange && net_exchange_moved(q->exchange)))
		return false;
	if (q->call.produce)
		return false;
	return !strcmp(m, "GET") || !strcmp(m, "HEAD") || !strcmp(m, "PUT");
}

static void resume_after_pause(void *user)
{
	struct registry_request *q = user;
	q->timer = NULL;
	request_again(q);
}

static bool pause_then_again(struct registry_request *q, uint64_t delay_ms)
{
	struct berth_error err = ERROR_INIT;
	if (net_timer_start(q->registry->loop, delay_ms, resume_after_pause, q, &q->timer, &err))
		return false; /* no memory for a timer: the failure stands as it is */
	q->tries++;
	q->registry->counts.retries++;
	q->state = REQUEST_PAUSES;
	return true;
}

void registry_hold(struct registry *r, uint64_t pause_ms)
{
	uint64_t until_ms = clock_monotonic_ms() + pause_ms;
	if (until_ms > r->hold_until_ms)
		r->hold_until_ms = until_ms;
}

bool retry_is_held(struct registry_request *q)
{
	struct berth_error err = ERROR_INIT;
	uint64_t now_ms = clock_monotonic_ms(), until_ms = q->registry->hold_until_ms;
	if (until_ms <= now_ms || q->is_foreign)
		return false;
	if (net_timer_start(q->registry->loop, until_ms - now_ms, resume_after_pause, q, &q->timer,
			    &err))
		return false; /* no memory for a timer: it is sent now */
	q->state = REQUEST_PAUSES;
	return true;
}

static bool has_try_left(const struct registry_request *q)
{
	return q->tries + 1 < net_client_limits(q->registry->client)->tries;
}

bool retry_after_failure(struct registry_request *q, const struct berth_error *err)
{
	(void)err;
	if (!has_try_left(q) || !request_is_repeatable(q) || !net_exchange_may_retry(q->exchange))
		return false;
	q->call.fresh = true;
	return pause_then_again(q, retry_backoff_ms(q->registry, q->tries));
}

static bool is_busy(int status)
{
	return status == 429 || status == 503;
}

static bool is_passing(int status)
{
	return is_busy(status) || status == 500 || status == 502 || status == 504 || status == 408;
}

static bool is_left_to_caller(const struct registry_request *q, int status)
{
	const char *asked = registry_header(q, "retry-after");
	return q->call.busy_ends && (status == 429 || (status == 503 && asked && *asked));
}

bool retry_after_status(struct registry_request *q, int status)
{
	const struct net_limits *l = net_client_limits(q->registry->client);
	bool moves_bytes = q->call.consume || q->call.produce;
	/* 429 and 503 say that nothing was done, so a POST may be repeated too. */
	bool safe =
		request_is_repeatable(q) || (is_busy(status) && !q->call.once && !q->call.produce);
	if (!has_try_left(q) || !is_passing(status) || !safe || is_left_to_caller(q, status))
		return false;
	int64_t asked = retry_parse(registry_header(q, "retry-after"), clock_unix_ms(),
				    l->retry_after_max_ms);
	uint64_t delay = asked >= 0 ? (uint64_t)asked : retry_backoff_ms(q->registry, q->tries);
	if (!moves_bytes) {
		if (q->waited_ms >= l->answer_ms)
			return false;
		uint64_t left = l->answer_ms - q->waited_ms;
		delay = delay < left ? delay : left;
	}
	q->waited_ms += delay;
	return pause_then_again(q, delay);
}
