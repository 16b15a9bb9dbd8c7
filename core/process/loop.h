/* SPDX-License-Identifier: Apache-2.0 */
/* The event loop of berthd, of the worker's parent and of the receiver: one epoll
 * set with descriptors, monotonic timers and signals (signalfd). One thread;
 * callbacks may start, change and end any watch or timer, their own included.
 */
#ifndef CORE_PROCESS_LOOP_H
#define CORE_PROCESS_LOOP_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "core/base/fail.h"

struct loop;
MUST_USE int loop_new(struct loop **ret, struct berth_error *err);
void loop_free(struct loop *l); /* ends what is still watched; closes no watched descriptor */
SCOPE_TYPE(loop, struct loop, loop_free)
/* In a forked child: closes the loop's descriptors and leaves the parent's
 * watches, which the two share, alone. The child must not use the loop. */
void loop_forget(struct loop *l);

/* Runs until loop_stop; returns the status given there. One round: waits at
 * most wait_ms (-1: until something happens), calls what is due. */
int loop_run(struct loop *l);
void loop_turn(struct loop *l, int wait_ms);
/* The first status given wins. */
void loop_stop(struct loop *l, int status);
bool loop_is_stopped(const struct loop *l, int *ret_status);

/* Descriptors. ready is called with what is there; LOOP_HANGUP (the other end
 * is gone, or an error is pending) comes without being asked for. LOOP_DONE:
 * the other end will write no more. */
enum { LOOP_READ = 1, LOOP_WRITE = 2, LOOP_HANGUP = 4, LOOP_DONE = 8 };
struct loop_watch;
typedef void loop_ready(void *user, unsigned events);
MUST_USE int loop_watch(struct loop *l, int fd, unsigned events, loop_ready *ready, void *user,
			struct loop_watch **ret, struct berth_error *err);
/* events 0 keeps the watch and reports hang-ups only. */
void loop_watch_change(struct loop_watch *w, unsigned events);
/* Accepts NULL. Call it before the descriptor is closed. */
void loop_unwatch(struct loop_watch *w);

/* A timer fires once each time that it is set. */
struct loop_timer;
typedef void loop_fire(void *user);
MUST_USE int loop_timer_new(struct loop *l, loop_fire *fire, void *user, struct loop_timer **ret,
			    struct berth_error *err);
void loop_timer_set(struct loop_timer *t, uint64_t delay_ms); /* from now; sets anew */
void loop_timer_clear(struct loop_timer *t);
void loop_timer_free(struct loop_timer *t); /* accepts NULL */

/* Signals: blocked in this process from the first loop_on_signal of each on,
 * and told to fire as events, before all others of their round: what somebody did
 * after the signal finds it heeded. A child of fork or posix_spawn must
 * begin with loop_unblock_signals (or a signal mask of its own). */
typedef void loop_signal(void *user, int signo);
MUST_USE int loop_on_signal(struct loop *l, int signo, loop_signal *fire, void *user,
			    struct berth_error *err);
void loop_unblock_signals(void);

#endif
