/* SPDX-License-Identifier: Apache-2.0 */
/* The event loop: what fires, in which order, and what may be ended when. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>

#include "core/process/loop.h"

struct world {
	struct loop *loop;
	struct loop_watch *a, *b;
	struct loop_timer *timer;
	int pair[2], other[2];
	char trace[64];
};

static void note(struct world *w, const char *what)
{
	strncat(w->trace, what, sizeof w->trace - strlen(w->trace) - 1);
}

static int setup(void **state)
{
	struct berth_error err = ERROR_INIT;
	struct world *w = calloc(1, sizeof *w);
	assert_int_equal(loop_new(&w->loop, &err), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, w->pair), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, w->other), 0);
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;
	loop_timer_free(w->timer);
	loop_free(w->loop);
	for (int i = 0; i < 2; i++) {
		close(w->pair[i]);
		close(w->other[i]);
	}
	free(w);
	return 0;
}

static void see_a(void *user, unsigned events)
{
	note(user, events & LOOP_HANGUP ? "A!" : events & LOOP_READ ? "a" : "w");
	loop_stop(((struct world *)user)->loop, 7);
}

static void readable_descriptor_is_reported(void **state)
{
	struct world *w = *state;
	struct berth_error err = ERROR_INIT;
	assert_int_equal(loop_watch(w->loop, w->pair[0], LOOP_READ, see_a, w, &w->a, &err), 0);
	loop_turn(w->loop, 0);
	assert_string_equal(w->trace, "");
	assert_int_equal(write(w->pair[1], "x", 1), 1);
	assert_int_equal(loop_run(w->loop), 7);
	assert_string_equal(w->trace, "a");
	loop_watch_change(w->a, 0);
	loop_turn(w->loop, 0);
	assert_string_equal(w->trace, "a");
	loop_watch_change(w->a, LOOP_WRITE);
	loop_turn(w->loop, 0);
	assert_string_equal(w->trace, "aw");
}

static void hangup_is_reported_without_being_asked_for(void **state)
{
	struct world *w = *state;
	struct berth_error err = ERROR_INIT;
	assert_int_equal(loop_watch(w->loop, w->pair[0], 0, see_a, w, &w->a, &err), 0);
	shutdown(w->pair[1], SHUT_RDWR);
	loop_turn(w->loop, 1000);
	assert_string_equal(w->trace, "A!");
}

static void end_both(void *user, unsigned events)
{
	struct world *w = user;
	(void)events;
	note(w, "x");
	loop_unwatch(w->a);
	loop_unwatch(w->b);
}

static void watch_ended_in_the_same_round_is_not_called(void **state)
{
	struct world *w = *state;
	struct berth_error err = ERROR_INIT;
	assert_int_equal(loop_watch(w->loop, w->pair[0], LOOP_READ, end_both, w, &w->a, &err), 0);
	assert_int_equal(loop_watch(w->loop, w->other[0], LOOP_READ, end_both, w, &w->b, &err), 0);
	assert_int_equal(write(w->pair[1], "x", 1), 1);
	assert_int_equal(write(w->other[1], "x", 1), 1);
	loop_turn(w->loop, 1000);
	loop_turn(w->loop, 0);
	assert_string_equal(w->trace, "x");
}

static void tick(void *user)
{
	struct world *w = user;
	note(w, "t");
	if (strlen(w->trace) < 3)
		loop_timer_set(w->timer, 0);
	else
		loop_stop(w->loop, 0);
}

static void stop_late(void *user)
{
	note(user, "L");
}

static void timers_fire_once_each_time_they_are_set_and_in_order(void **state)
{
	struct world *w = *state;
	struct berth_error err = ERROR_INIT;
	struct loop_timer *late = NULL, *cleared = NULL;
	assert_int_equal(loop_timer_new(w->loop, tick, w, &w->timer, &err), 0);
	assert_int_equal(loop_timer_new(w->loop, stop_late, w, &late, &err), 0);
	assert_int_equal(loop_timer_new(w->loop, stop_late, w, &cleared, &err), 0);
	loop_timer_set(late, 3600000);
	loop_timer_set(cleared, 0);
	loop_timer_clear(cleared);
	loop_timer_set(w->timer, 5);
	loop_timer_set(w->timer, 1);
	assert_int_equal(loop_run(w->loop), 0);
	assert_string_equal(w->trace, "ttt");
	loop_timer_free(late);
	loop_timer_free(cleared);
}

static void a_timer_that_sets_itself_anew_waits_for_the_next_round(void **state)
{
	struct world *w = *state;
	struct berth_error err = ERROR_INIT;
	assert_int_equal(loop_timer_new(w->loop, tick, w, &w->timer, &err), 0);
	loop_timer_set(w->timer, 0);
	loop_turn(w->loop, 0);
	assert_string_equal(w->trace, "t");
	loop_turn(w->loop, 0);
	assert_string_equal(w->trace, "tt");
}

static void see_signal(void *user, int signo)
{
	note(user, signo == SIGHUP ? "H" : "U");
}

static void signals_are_ordinary_events(void **state)
{
	struct world *w = *state;
	struct berth_error err = ERROR_INIT;
	assert_int_equal(loop_on_signal(w->loop, SIGHUP, see_signal, w, &err), 0);
	assert_int_equal(loop_on_signal(w->loop, SIGUSR1, see_signal, w, &err), 0);
	raise(SIGHUP);
	raise(SIGUSR1);
	loop_turn(w->loop, 1000);
	assert_non_null(strchr(w->trace, 'H'));
	assert_non_null(strchr(w->trace, 'U'));
	loop_unblock_signals();
}

static void closed_descriptor_is_refused_with_its_number(void **state)
{
	struct world *w = *state;
	struct berth_error err = ERROR_INIT;
	assert_int_not_equal(loop_watch(w->loop, 9999, LOOP_READ, see_a, w, &w->a, &err), 0);
	assert_string_equal(err.message, "cannot watch descriptor 9999");
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(readable_descriptor_is_reported),
		T(hangup_is_reported_without_being_asked_for),
		T(watch_ended_in_the_same_round_is_not_called),
		T(timers_fire_once_each_time_they_are_set_and_in_order),
		T(a_timer_that_sets_itself_anew_waits_for_the_next_round),
		T(signals_are_ordinary_events),
		T(closed_descriptor_is_refused_with_its_number),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
