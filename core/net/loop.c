/* SPDX-License-Identifier: Apache-2.0 */
/* The network loop: see loop.h. One round is: due timers, queued tasks, what
 * libcurl can do, transfers that ended, then a wait for the next of these.
 */
#include "core/net/loop.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/clock.h"
#include "core/net/loop_private.h"

#define TICK_MS 250

struct net_timer {
	struct net_loop *loop;
	struct net_timer *next;
	uint64_t due_ms;
	void (*fire)(void *user);
	void *user;
};

struct net_loop {
	CURLM *multi;
	CURLSH *share;
	struct net_timer *timers;     /* the next one due first */
	struct net_task queue, ticks; /* heads of rings */
	uint64_t tick_ms;
	int running; /* easy handles, as libcurl counted them last */
	int watched_fd;
	void (*ready)(void *user);
	void *ready_user;
};

static int fail_multi(struct berth_error *err, CURLMcode code)
{
	if (code == CURLM_OUT_OF_MEMORY)
		return berth_fail_memory(err);
	return berth_fail(err, BERTH_E_INTERNAL, "the network loop failed: %s",
			  curl_multi_strerror(code));
}

int net_loop_new(struct net_loop **ret, struct berth_error *err)
{
	AUTO(net_loop) struct net_loop *l = calloc(1, sizeof *l);
	if (!l)
		return berth_fail_memory(err);
	l->watched_fd = -1;
	l->queue.next = l->queue.prev = &l->queue;
	l->ticks.next = l->ticks.prev = &l->ticks;
	l->multi = curl_multi_init();
	l->share = curl_share_init();
	if (!l->multi || !l->share)
		return berth_fail_memory(err);
	/* Names and TLS sessions only: cookies are never kept. */
	curl_share_setopt(l->share, CURLSHOPT_SHARE, CURL_LOCK_DATA_DNS);
	curl_share_setopt(l->share, CURLSHOPT_SHARE, CURL_LOCK_DATA_SSL_SESSION);
	curl_multi_setopt(l->multi, CURLMOPT_PIPELINING, CURLPIPE_NOTHING);
	curl_multi_setopt(l->multi, CURLMOPT_MAXCONNECTS, 256L);
	*ret = STEAL(l);
	return 0;
}

void net_loop_free(struct net_loop *loop)
{
	if (!loop)
		return;
	while (loop->timers) {
		struct net_timer *t = loop->timers;
		loop->timers = t->next;
		free(t);
	}
	curl_multi_cleanup(loop->multi);
	curl_share_cleanup(loop->share);
	free(loop);
}

CURLM *net_loop_multi(struct net_loop *loop)
{
	return loop->multi;
}

CURLSH *net_loop_share(struct net_loop *loop)
{
	return loop->share;
}

int net_timer_start(struct net_loop *loop, uint64_t delay_ms, void (*fire)(void *user), void *user,
		    struct net_timer **ret, struct berth_error *err)
{
	struct net_timer *t = calloc(1, sizeof *t), **at = &loop->timers;
	if (!t)
		return berth_fail_memory(err);
	*t = (struct net_timer){.loop = loop,
				.due_ms = clock_monotonic_ms() + delay_ms,
				.fire = fire,
				.user = user};
	while (*at && (*at)->due_ms <= t->due_ms)
		at = &(*at)->next;
	t->next = *at;
	*at = t;
	*ret = t;
	return 0;
}

void net_timer_cancel(struct net_timer *t)
{
	if (!t)
		return;
	for (struct net_timer **at = &t->loop->timers; *at; at = &(*at)->next)
		if (*at == t) {
			*at = t->next;
			break;
		}
	free(t);
}

static void fire_timers(struct net_loop *loop, uint64_t now)
{
	while (loop->timers && loop->timers->due_ms <= now) {
		struct net_timer *t = loop->timers;
		loop->timers = t->next;
		t->fire(t->user);
		free(t);
	}
}

static void append(struct net_task *list, struct net_task *t)
{
	t->next = list;
	t->prev = list->prev;
	list->prev->next = t;
	list->prev = t;
}

static struct net_task *take_first(struct net_task *list)
{
	struct net_task *t = list->next;
	if (t == list)
		return NULL;
	net_task_drop(t);
	return t;
}

/* Moves all of from, in order, to the empty list to. */
static void move_all(struct net_task *from, struct net_task *to)
{
	to->next = to->prev = to;
	for (struct net_task *t; (t = take_first(from));)
		append(to, t);
}

void net_task_queue(struct net_loop *loop, struct net_task *t)
{
	if (!t->next)
		append(&loop->queue, t);
}

void net_task_tick(struct net_loop *loop, struct net_task *t)
{
	if (!t->next)
		append(&loop->ticks, t);
}

void net_task_drop(struct net_task *t)
{
	if (!t->next)
		return;
	t->prev->next = t->next;
	t->next->prev = t->prev;
	t->next = t->prev = NULL;
}

/* A task may queue others, itself too, and drop any: those run next round. */
static void run_tasks(struct net_loop *loop)
{
	struct net_task now;
	move_all(&loop->queue, &now);
	for (struct net_task *t; (t = take_first(&now));)
		t->run(t);
}

static void run_ticks(struct net_loop *loop, uint64_t now_ms)
{
	struct net_task now;
	if (now_ms < loop->tick_ms)
		return;
	loop->tick_ms = now_ms + TICK_MS;
	move_all(&loop->ticks, &now);
	for (struct net_task *t; (t = take_first(&now));) {
		append(&loop->ticks, t);
		t->run(t);
	}
}

static void take_ended(struct net_loop *loop)
{
	int left;
	for (CURLMsg *m; (m = curl_multi_info_read(loop->multi, &left));) {
		void *owner = NULL;
		CURLcode result = m->data.result;
		curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &owner);
		net_exchange_ended(owner, result);
	}
}

static int pause_ms(const struct net_loop *loop, int wait_ms)
{
	uint64_t now = clock_monotonic_ms(), until = loop->tick_ms;
	if (loop->queue.next != &loop->queue)
		return 0;
	if (loop->timers && loop->timers->due_ms < until)
		until = loop->timers->due_ms;
	uint64_t most = until > now ? until - now : 0;
	return most < (uint64_t)wait_ms ? (int)most : wait_ms;
}

void net_loop_watch(struct net_loop *loop, int fd, void (*ready)(void *user), void *user)
{
	loop->watched_fd = fd;
	loop->ready = ready;
	loop->ready_user = user;
}

static CURLMcode wait_for_work(struct net_loop *loop, int wait_ms)
{
	struct curl_waitfd own = {.fd = loop->watched_fd, .events = CURL_WAIT_POLLIN};
	unsigned own_count = own.fd >= 0;
	CURLMcode r = curl_multi_poll(loop->multi, own_count ? &own : NULL, own_count,
				      pause_ms(loop, wait_ms), NULL);
	if (r == CURLM_OK && own.revents)
		loop->ready(loop->ready_user);
	return r;
}

int net_loop_turn(struct net_loop *loop, int wait_ms, int *ret_active, struct berth_error *err)
{
	uint64_t now = clock_monotonic_ms();
	fire_timers(loop, now);
	run_tasks(loop);
	run_ticks(loop, now);
	CURLMcode r = curl_multi_perform(loop->multi, &loop->running);
	if (r != CURLM_OK)
		return fail_multi(err, r);
	take_ended(loop);
	*ret_active = loop->running || loop->timers || loop->queue.next != &loop->queue;
	if (!*ret_active)
		return 0;
	r = wait_for_work(loop, wait_ms);
	return r == CURLM_OK ? 0 : fail_multi(err, r);
}

int net_loop_run(struct net_loop *loop, int (*stop)(void *user), void *user,
		 struct berth_error *err)
{
	int active = 1;
	while (active && !(stop && stop(user))) {
		int r = net_loop_turn(loop, TICK_MS, &active, err);
		if (r)
			return r;
	}
	return 0;
}
