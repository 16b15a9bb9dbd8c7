/* SPDX-License-Identifier: Apache-2.0 */
/* Time limits of an exchange. libcurl's own low-speed rule counts the pauses
 * that we ask for ourselves and the time in which a server works on an answer,
 * so the rule lives here: bytes per second while something is due to move.
 */
#include "core/base/clock.h"
#include "core/net/http_private.h"

void net_limits_defaults(struct net_limits *l)
{
	static const struct {
		size_t offset;
		uint32_t value;
	} defaults[] = {
		{offsetof(struct net_limits, connect_ms), 10000},
		{offsetof(struct net_limits, answer_ms), 60000},
		{offsetof(struct net_limits, low_speed_s), 30},
		{offsetof(struct net_limits, low_speed_bytes), 1024},
		{offsetof(struct net_limits, retry_after_max_ms), 300000},
		{offsetof(struct net_limits, tries), 3},
		{offsetof(struct net_limits, backoff_ms), 500},
		{offsetof(struct net_limits, header_max_bytes), 65536},
		{offsetof(struct net_limits, pages_max), 1000},
		{offsetof(struct net_limits, items_max), 1000000},
		{offsetof(struct net_limits, commit_ms), 300000},
	};
	for (size_t i = 0; i < ARRAY_COUNT(defaults); i++) {
		uint32_t *at = (uint32_t *)(void *)((char *)l + defaults[i].offset);
		if (!*at)
			*at = defaults[i].value;
	}
}

static bool answer_began(const struct net_exchange *x)
{
	curl_off_t us = 0;
	if (x->header_bytes)
		return true;
	curl_easy_getinfo(x->easy, CURLINFO_STARTTRANSFER_TIME_T, &us);
	return us > 0;
}

static bool fail_late(struct net_exchange *x, uint32_t limit_ms, const char *what)
{
	berth_fail(&x->failure, BERTH_E_TIMEOUT, "%s %s within %u.%u s", x->origin, what,
		   limit_ms / 1000, limit_ms % 1000 / 100);
	return true;
}

/* Since when the server owes us the head of its answer, or (of what is small, as all is
 * but a stream that we asked for) its end. 0: bytes move, for as long as they must. */
static uint64_t owes_since(const struct net_exchange *x)
{
	bool is_good = x->in_body && x->status >= 200 && x->status < 300;
	if (x->call.consume && is_good)
		return 0;
	if (!x->call.produce)
		return x->started_ms;
	/* A refusal may come before all is sent. */
	return x->sent_ms || is_good ? x->sent_ms : x->head_ms;
}

/* A registry reads a big upload again before it answers; a small one takes no longer
 * than any other answer. */
static uint32_t limit_ms(const struct net_exchange *x)
{
	const struct net_limits *l = &x->client->settings.limits;
	uint64_t ms = l->answer_ms + (x->sent_bytes >> 10); /* 1 MiB a second */
	if (!x->call.produce)
		return l->answer_ms;
	return ms < l->commit_ms ? (uint32_t)ms : l->commit_ms;
}

/* A server may drip faster than the low-speed rule wants, and never end. */
static bool is_late(struct net_exchange *x, uint64_t now_ms)
{
	uint64_t since = owes_since(x);
	uint32_t limit = limit_ms(x);

	if (!since || now_ms - since <= limit)
		return false;
	return fail_late(x, limit, x->in_body ? "did not end its answer" : "gave no answer");
}

static bool is_moving(const struct net_exchange *x)
{
	if (x->recv_paused || x->send_paused)
		return false;
	if (x->call.produce && !x->sent_ms)
		return x->body_moved; /* else it still connects */
	return x->in_body || answer_began(x);
}

static bool is_dripping(struct net_exchange *x, uint64_t now_ms)
{
	const struct net_limits *l = &x->client->settings.limits;
	struct net_pace *p = &x->pace;
	uint64_t elapsed = now_ms - p->mark_ms, bytes = x->moved_bytes - p->mark_bytes;

	if (p->mark_ms && is_moving(x) && elapsed < 1000)
		return false;
	if (!p->mark_ms || !is_moving(x) || bytes * 1000 >= l->low_speed_bytes * elapsed)
		p->slow_ms = 0;
	else if (!p->slow_ms)
		p->slow_ms = p->mark_ms;
	p->mark_ms = now_ms;
	p->mark_bytes = x->moved_bytes;
	if (!p->slow_ms || now_ms - p->slow_ms < (uint64_t)l->low_speed_s * 1000)
		return false;
	berth_fail(&x->failure, BERTH_E_TIMEOUT, "%s moved less than %u bytes a second for %u s",
		   x->origin, l->low_speed_bytes, l->low_speed_s);
	x->may_retry = true;
	return true;
}

bool net_too_slow(struct net_exchange *x, uint64_t now_ms)
{
	return is_dripping(x, now_ms) || is_late(x, now_ms);
}
