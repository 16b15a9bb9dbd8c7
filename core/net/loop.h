/* SPDX-License-Identifier: Apache-2.0 */
/* The network loop of a job: one libcurl multi handle, timers, and the one
 * function that makes every easy handle, so that TLS, protocol, proxy and time
 * limits can't be forgotten in a side path. One thread.
 */
#ifndef CORE_NET_LOOP_H
#define CORE_NET_LOOP_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "core/base/fail.h"

#define NET_PAUSE ((ssize_t)-2)

/* Time-outs and caps; every one is a configuration key. Zero: the default. */
struct net_limits {
	uint32_t connect_ms;         /* 10 000 */
	uint32_t answer_ms;          /* 60 000: a control request from start to end */
	uint32_t low_speed_s;        /* 30: below low_speed_bytes a second for so long */
	uint32_t low_speed_bytes;    /* 1 024 */
	uint32_t retry_after_max_ms; /* 300 000 */
	uint32_t tries;              /* 3 in all, of what may be repeated */
	uint32_t backoff_ms;         /* 500: the first pause, doubling, with jitter */
	uint32_t header_max_bytes;   /* 64 KiB */
	uint32_t pages_max;          /* 1 000 */
	uint32_t items_max;          /* 1 000 000 */
	uint32_t commit_ms;          /* 300 000: the most from a streamed body to its answer */
};

struct net_loop;
MUST_USE int net_loop_new(struct net_loop **ret, struct berth_error *err);
void net_loop_free(struct net_loop *loop);
SCOPE_TYPE(net_loop, struct net_loop, net_loop_free)

/* Runs until stop(user) is nonzero or nothing is left to do. tick is called
 * at least every 250 ms (cancel checks, progress). */
MUST_USE int net_loop_run(struct net_loop *loop, int (*stop)(void *user), void *user,
			  struct berth_error *err);
/* One round: waits at most wait_ms. ret_active: transfers and timers left. */
MUST_USE int net_loop_turn(struct net_loop *loop, int wait_ms, int *ret_active,
			   struct berth_error *err);
/* Calls ready(user) whenever something can be read from fd (-1: no more). One a loop. */
void net_loop_watch(struct net_loop *loop, int fd, void (*ready)(void *user), void *user);
/* Calls fire(user) once after delay_ms; the handle is for net_timer_cancel. */
struct net_timer;
MUST_USE int net_timer_start(struct net_loop *loop, uint64_t delay_ms, void (*fire)(void *user),
			     void *user, struct net_timer **ret, struct berth_error *err);
void net_timer_cancel(struct net_timer *t); /* accepts NULL; not after it fired */

#endif
