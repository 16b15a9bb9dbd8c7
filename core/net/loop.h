/* SPDX-License-Identifier: Apache-2.0 */
/* The network loop of a job: one libcurl multi handle, on which the exchanges of
 * core/net/http.h run, timers, and one descriptor of the caller's. One thread.
 */
#ifndef CORE_NET_LOOP_H
#define CORE_NET_LOOP_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "core/base/fail.h"

/* What a callback that gives or takes bytes returns to be asked again after a resume. */
#define NET_PAUSE ((ssize_t)-2)

struct net_loop;
MUST_USE int net_loop_new(struct net_loop **ret, struct berth_error *err);
void net_loop_free(struct net_loop *loop);
SCOPE_TYPE(net_loop, struct net_loop, net_loop_free)

/* Runs until stop(user) is nonzero or nothing is left to do. stop (NULL: none) is
 * asked after each round, at least every 250 ms. */
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
