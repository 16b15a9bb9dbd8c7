/* SPDX-License-Identifier: Apache-2.0 */
/* The event loop: see loop.h. A watch that ends while a round is being served
 * is only marked, and freed when the round is over, because epoll may already
 * have reported it. Timers are a list sorted by due time: there are some
 * hundreds at most.
 */
#include "core/process/loop.h"

#include <errno.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>

#include "core/base/clock.h"

#define ROUND_MAX 64
#define SIGNAL_MAX 8

struct loop_watch {
	struct loop *loop;
	struct loop_watch *next, *previous;
	loop_ready *ready;
	void *user;
	int fd;
	bool dead;
};

struct loop_timer {
	struct loop *loop;
	struct loop_timer *next, *previous;
	loop_fire *fire;
	void *user;
	uint64_t due_ms, round; /* and in which round it was set */
	bool is_set;
};

struct loop {
	int epoll_fd, signal_fd;
	struct loop_watch *watches, *dead;
	struct loop_timer *timers; /* set ones, soonest first */
	uint64_t round;
	struct loop_watch *signal_watch;
	struct {
		int signo;
		loop_signal *fire;
		void *user;
	} signals[SIGNAL_MAX];
	size_t signal_count;
	sigset_t signal_mask;
	bool is_stopped;
	int status;
};

int loop_new(struct loop **ret, struct berth_error *err)
{
	struct loop *l = calloc(1, sizeof *l);
	if (!l)
		return berth_fail_memory(err);
	l->signal_fd = -1;
	sigemptyset(&l->signal_mask);
	l->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (l->epoll_fd < 0) {
		free(l);
		return berth_fail_errno(err, errno, "cannot make an event loop");
	}
	*ret = l;
	return 0;
}

static void sweep(struct loop *l)
{
	while (l->dead) {
		struct loop_watch *w = l->dead;
		l->dead = w->next;
		free(w);
	}
}

void loop_free(struct loop *l)
{
	if (!l)
		return;
	while (l->watches)
		loop_unwatch(l->watches);
	sweep(l);
	while (l->timers)
		loop_timer_clear(l->timers);
	if (l->signal_fd >= 0)
		close(l->signal_fd);
	close(l->epoll_fd);
	free(l);
}

void loop_forget(struct loop *l)
{
	if (l->signal_fd >= 0)
		close(l->signal_fd);
	close(l->epoll_fd);
}

static uint32_t epoll_bits(unsigned events)
{
	return (events & LOOP_READ ? (uint32_t)EPOLLIN : 0) |
	       (events & LOOP_WRITE ? (uint32_t)EPOLLOUT : 0) |
	       (events & LOOP_DONE ? (uint32_t)EPOLLRDHUP : 0);
}

int loop_watch(struct loop *l, int fd, unsigned events, loop_ready *ready, void *user,
	       struct loop_watch **ret, struct berth_error *err)
{
	struct loop_watch *w = calloc(1, sizeof *w);
	if (!w)
		return berth_fail_memory(err);
	*w = (struct loop_watch){.loop = l, .ready = ready, .user = user, .fd = fd};
	struct epoll_event e = {.events = epoll_bits(events), .data.ptr = w};
	if (epoll_ctl(l->epoll_fd, EPOLL_CTL_ADD, fd, &e)) {
		free(w);
		return berth_fail_errno(err, errno, "cannot watch descriptor %d", fd);
	}
	w->next = l->watches;
	if (w->next)
		w->next->previous = w;
	l->watches = w;
	*ret = w;
	return 0;
}

void loop_watch_change(struct loop_watch *w, unsigned events)
{
	struct epoll_event e = {.events = epoll_bits(events), .data.ptr = w};
	epoll_ctl(w->loop->epoll_fd, EPOLL_CTL_MOD, w->fd, &e);
}

void loop_unwatch(struct loop_watch *w)
{
	if (!w)
		return;
	struct loop *l = w->loop;
	epoll_ctl(l->epoll_fd, EPOLL_CTL_DEL, w->fd, NULL);
	if (w->previous)
		w->previous->next = w->next;
	else
		l->watches = w->next;
	if (w->next)
		w->next->previous = w->previous;
	w->dead = true;
	w->next = l->dead;
	l->dead = w;
}

int loop_timer_new(struct loop *l, loop_fire *fire, void *user, struct loop_timer **ret,
		   struct berth_error *err)
{
	struct loop_timer *t = calloc(1, sizeof *t);
	if (!t)
		return berth_fail_memory(err);
	*t = (struct loop_timer){.loop = l, .fire = fire, .user = user};
	*ret = t;
	return 0;
}

void loop_timer_clear(struct loop_timer *t)
{
	if (!t->is_set)
		return;
	if (t->previous)
		t->previous->next = t->next;
	else
		t->loop->timers = t->next;
	if (t->next)
		t->next->previous = t->previous;
	t->next = t->previous = NULL;
	t->is_set = false;
}

void loop_timer_set(struct loop_timer *t, uint64_t delay_ms)
{
	loop_timer_clear(t);
	t->due_ms = clock_monotonic_ms() + delay_ms;
	t->round = t->loop->round;
	t->is_set = true;
	struct loop_timer *before = NULL, *after = t->loop->timers;
	while (after && after->due_ms <= t->due_ms) {
		before = after;
		after = after->next;
	}
	t->previous = before;
	t->next = after;
	if (after)
		after->previous = t;
	if (before)
		before->next = t;
	else
		t->loop->timers = t;
}

void loop_timer_free(struct loop_timer *t)
{
	if (!t)
		return;
	loop_timer_clear(t);
	free(t);
}

static void read_signals(void *user, unsigned events)
{
	struct loop *l = user;
	struct signalfd_siginfo info;
	(void)events;
	while (read(l->signal_fd, &info, sizeof info) == sizeof info)
		for (size_t i = 0; i < l->signal_count; i++)
			if (l->signals[i].signo == (int)info.ssi_signo)
				l->signals[i].fire(l->signals[i].user, l->signals[i].signo);
}

int loop_on_signal(struct loop *l, int signo, loop_signal *fire, void *user,
		   struct berth_error *err)
{
	if (l->signal_count == SIGNAL_MAX)
		return berth_fail(err, BERTH_E_LIMIT, "too many signals are watched");
	sigaddset(&l->signal_mask, signo);
	if (sigprocmask(SIG_BLOCK, &l->signal_mask, NULL))
		return berth_fail_errno(err, errno, "cannot block signal %d", signo);
	int fd = signalfd(l->signal_fd, &l->signal_mask, SFD_CLOEXEC | SFD_NONBLOCK);
	if (fd < 0)
		return berth_fail_errno(err, errno, "cannot receive signal %d", signo);
	l->signal_fd = fd;
	if (!l->signal_watch) {
		int code = loop_watch(l, fd, LOOP_READ, read_signals, l, &l->signal_watch, err);
		if (code)
			return code;
	}
	l->signals[l->signal_count].signo = signo;
	l->signals[l->signal_count].fire = fire;
	l->signals[l->signal_count++].user = user;
	return 0;
}

void loop_unblock_signals(void)
{
	sigset_t none;
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

/* How long epoll may sleep: until the soonest timer, rounded up. */
static int sleep_ms(const struct loop *l, int wait_ms)
{
	if (!l->timers)
		return wait_ms;
	uint64_t now = clock_monotonic_ms();
	uint64_t left = l->timers->due_ms > now ? l->timers->due_ms - now : 0;
	if (wait_ms >= 0 && left > (uint64_t)wait_ms)
		return wait_ms;
	return left > 3600000 ? 3600000 : (int)left;
}

/* Fires what was due when the round began; a timer that sets itself anew with
 * no delay waits for the next round, so that descriptors are never starved. */
static void fire_timers(struct loop *l)
{
	uint64_t now = clock_monotonic_ms();
	l->round++;
	for (int i = 0; i < ROUND_MAX && l->timers && l->timers->due_ms <= now; i++) {
		struct loop_timer *t = l->timers;
		if (t->round == l->round)
			return; /* so are all behind it that are due */
		loop_timer_clear(t);
		t->fire(t->user);
	}
}

static unsigned loop_bits(uint32_t epoll_events)
{
	return (epoll_events & EPOLLIN ? LOOP_READ : 0u) |
	       (epoll_events & EPOLLOUT ? LOOP_WRITE : 0u) |
	       (epoll_events & EPOLLRDHUP ? LOOP_DONE : 0u) |
	       (epoll_events & (EPOLLHUP | EPOLLERR) ? LOOP_HANGUP : 0u);
}

static void call_ready(const struct loop *l, const struct epoll_event *ready, int count,
		       bool is_signal)
{
	for (int i = 0; i < count; i++) {
		struct loop_watch *w = ready[i].data.ptr;
		if (!w->dead && (w == l->signal_watch) == is_signal)
			w->ready(w->user, loop_bits(ready[i].events));
	}
}

void loop_turn(struct loop *l, int wait_ms)
{
	struct epoll_event ready[ROUND_MAX];
	int count = epoll_wait(l->epoll_fd, ready, ROUND_MAX, sleep_ms(l, wait_ms));
	call_ready(l, ready, count, true);
	call_ready(l, ready, count, false);
	fire_timers(l);
	sweep(l);
}

int loop_run(struct loop *l)
{
	while (!l->is_stopped)
		loop_turn(l, -1);
	return l->status;
}

void loop_stop(struct loop *l, int status)
{
	if (!l->is_stopped)
		l->status = status;
	l->is_stopped = true;
}

bool loop_is_stopped(const struct loop *l, int *ret_status)
{
	if (l->is_stopped)
		*ret_status = l->status;
	return l->is_stopped;
}
