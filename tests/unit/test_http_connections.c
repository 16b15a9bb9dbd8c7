/* SPDX-License-Identifier: Apache-2.0 */
/* Connections of the HTTP server: holds, streams, deadlines, limits, draining,
 * and memory that runs out. */
#include "http_exchange.h"

#include "core/base/js.h"
#include "short_memory.h"

static void held_answers_come_when_woken(void **state)
{
	static const char text[] = "GET /hold" H END;
	int fd = client_connect(&place);
	(void)state;
	hold_s = 600; /* the wake comes first, however slow this machine */
	say(fd, text);
	UNTIL(calls);
	assert_int_equal(calls, 1);
	http_wake(place.server, "other topic");
	http_wake(place.server, "topic");
	hears(fd, 200);
	SAYS("\"timed_out\":false");
	assert_int_equal(calls, 2);
	close(fd);
}

static void held_answers_come_at_their_timeout(void **state)
{
	(void)state;
	get("GET /hold" H END);
	SAYS("\"timed_out\":true");
}

static void client_that_leaves_ends_its_hold(void **state)
{
	static const char text[] = "GET /hold" H END;
	int fd = client_connect(&place);
	(void)state;
	say(fd, text);
	UNTIL(calls);
	close(fd);
	for (int i = 0; i < 20; i++)
		turn(&place, -1, 10);
	http_wake(place.server, "topic");
	turn(&place, -1, 10);
	assert_int_equal(calls, 1);
}

static void prefer_wait_holds_and_the_202_is_kept(void **state)
{
	(void)state;
	answers("POST /hold" H "Idempotency-Key: w\r\nPrefer: foo, wait=1\r\n" END, 200);
	SAYS("succeeded");
	SAYS("Preference-Applied: wait\r\n");
	assert_int_equal(json_integer_value(json_object_get(kept_answer, "status")), 202);
	answers("POST /hold" H END, 202);
	SAYS("Location: /v1/operations/00000000-");
}

static void start_stream(int fd, const char *accept)
{
	char bytes[256];
	snprintf(bytes, sizeof bytes, "GET /stream" H "Accept: %s\r\n" END, accept);
	say(fd, bytes);
	UNTIL(open_stream);
	assert_non_null(open_stream);
}

static void streams_carry_events(void **state)
{
	int fd = client_connect(&place);
	(void)state;
	start_stream(fd, "text/event-stream");
	assert_true(stream_push(open_stream, 5, "operation", "{\"a\":1}"));
	turn(&place, fd, 10);
	assert_true(stream_push(open_stream, 6, "health", "{\"b\":2}"));
	stream_end(open_stream);
	hear(fd);
	SAYS("Content-Type: text/event-stream\r\n");
	SAYS("id: 5\nevent: operation\ndata: {\"a\":1}\n\n");
	SAYS("id: 6\nevent: health\ndata: {\"b\":2}\n\n");
	turn(&place, fd, 10);
	assert_int_equal(streams_closed, 1);
	close(fd);
}

static void streams_are_lines_by_default(void **state)
{
	int fd = client_connect(&place);
	(void)state;
	start_stream(fd, "*/*");
	stream_push(open_stream, 5, "operation", "{\"a\":1}");
	stream_push_gap(open_stream, 1, 4);
	stream_end(open_stream);
	hear(fd);
	SAYS("Content-Type: application/x-ndjson\r\n");
	SAYS("{\"a\":1}\n");
	SAYS("{\"type\":\"gap\",\"since\":1,\"until\":4}\n");
	close(fd);
}

static void slow_reader_gets_a_gap_and_is_cut(void **state)
{
	char line[512];
	int fd = client_connect(&place), pushed = 0;
	(void)state;
	memset(line, 'x', sizeof line);
	line[0] = line[sizeof line - 2] = '"';
	line[sizeof line - 1] = 0;
	start_stream(fd, "text/event-stream");
	while (stream_push(open_stream, (uint64_t)++pushed, "operation", line))
		assert_true(pushed < 100);
	assert_false(stream_push(open_stream, 999, "operation", "{}"));
	hear(fd);
	SAYS("event: gap\ndata: {\"since\":");
	SAYS_NOT("id: 999");
	assert_int_equal(streams_closed, 1);
	close(fd);
}

static void streams_are_limited_and_freed_when_their_reader_leaves(void **state)
{
	int fds[3];
	(void)state;
	for (int i = 0; i < 2; i++) {
		open_stream = NULL;
		fds[i] = client_connect(&place);
		start_stream(fds[i], "text/event-stream");
	}
	answers("GET /stream" H END, 429);
	SAYS("Retry-After: ");
	streams_closed = 0;
	close(fds[0]);
	UNTIL(streams_closed);
	assert_int_equal(streams_closed, 1);
	fds[2] = client_connect(&place);
	start_stream(fds[2], "text/event-stream");
	close(fds[1]);
	close(fds[2]);
}

static void comment_soon(struct http_config *c)
{
	c->limits.keep_alive_ms = 20;
}

static void idle_streams_carry_comments(void **state)
{
	uint64_t end = clock_monotonic_ms() + PATIENCE_MS;
	int fd;
	(void)state;
	restart(comment_soon);
	fd = client_connect(&place);
	start_stream(fd, "text/event-stream");
	answer[0] = 0;
	for (size_t n = 0; !strstr(answer, ": \n\n") && clock_monotonic_ms() < end; answer[n] = 0) {
		ssize_t got = recv(fd, answer + n, sizeof answer - n - 1, 0);
		n += got > 0 ? (size_t)got : 0;
		turn(&place, fd, 10);
	}
	SAYS(": \n\n");
	close(fd);
}

static void hurry(struct http_config *c)
{
	c->limits.head_ms = c->limits.body_gap_ms = c->limits.idle_ms = 150;
}

static void slow_heads_and_bodies_are_cut(void **state)
{
	static const char head[] = "GET /thing", body[] = POST("{\"na", "12");
	int fd;
	(void)state;
	restart(hurry);
	fd = client_connect(&place);
	say(fd, head);
	hears(fd, 408);
	SAYS("Retry-After: ");
	assert_true(client_is_cut(&place, fd));
	close(fd);
	fd = client_connect(&place);
	say(fd, body);
	hears(fd, 408);
	assert_true(client_is_cut(&place, fd));
	close(fd);
	assert_int_equal(calls, 0);
}

static void silent_and_idle_connections_are_closed(void **state)
{
	static const char text[] = "GET /things" H END;
	int fd;
	(void)state;
	restart(hurry);
	fd = client_connect(&place);
	hears(fd, 408);
	assert_true(client_is_cut(&place, fd));
	close(fd);
	fd = client_connect(&place);
	say(fd, text);
	hears(fd, 200);
	assert_true(client_is_cut(&place, fd));
	close(fd);
}

static void drip(struct http_config *c)
{
	c->limits.head_ms = 100;
}

static void dripping_head_is_cut_however_it_drips(void **state)
{
	uint64_t end = clock_monotonic_ms() + PATIENCE_MS;
	int fd;
	(void)state;
	restart(drip);
	fd = client_connect(&place);
	while (clock_monotonic_ms() < end && send(fd, "G", 1, MSG_NOSIGNAL) == 1)
		turn(&place, -1, 10);
	assert_true(clock_monotonic_ms() < end);
	close(fd);
}

static void connections_of_one_user_are_limited(void **state)
{
	int fds[9];
	(void)state;
	for (int i = 0; i < 8; i++)
		fds[i] = client_connect(&place);
	turn(&place, -1, 10);
	fds[8] = client_connect(&place);
	hears(fds[8], 429);
	SAYS("Retry-After: ");
	close(fds[0]);
	for (int i = 0; i < 5; i++)
		turn(&place, -1, 10);
	answers("GET /things" H END, 200);
	for (int i = 1; i < 9; i++)
		close(fds[i]);
}

static void one_users_flood_leaves_room_for_others(void **state)
{
	int fds[40];
	(void)state;
	if (geteuid())
		skip(); /* needs a second user */
	for (int i = 0; i < 40; i++)
		fds[i] = client_connect(&place);
	turn(&place, -1, 10);
	ask_unprivileged("GET /things" H END);
	STATUS(200);
	for (int i = 0; i < 40; i++)
		close(fds[i]);
}

static void draining_refuses_and_ends(void **state)
{
	static const char text[] = "GET /hold" H END;
	int fd = client_connect(&place), i;
	(void)state;
	say(fd, text);
	UNTIL(calls);
	assert_false(http_server_drain(place.server));
	hears(fd, 200);
	assert_non_null(strcasestr(answer, "Connection: close"));
	for (i = 0; i < 100 && !http_server_drain(place.server); i++)
		turn(&place, -1, 10);
	assert_true(i < 100);
	close(fd);
}

/* Whatever comes, the next request is served. */
static void every_failed_allocation_is_survived(void **state)
{
	static const char *const requests[] = {
		"GET /things?fields=name" H END,
		"GET /things?lmit=1" H END,
		POST("{\"name\":\"a\",\"count\":2}", "22"),
		POST("{\"name\":5,\"cuont\":1}", "20"),
		PATCH("{\"count\":9}", "11"),
		"GET /things/a" H "If-None-Match: *\r\n" END,
		"DELETE /things/a" H END,
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(requests); i++) {
		int n = 0;
		do {
			fail_at(++n);
			get(requests[i]);
			assert_true(n < 1000);
		} while (has_failed());
		assert_true(status_of(answer) > 0);
	}
}

/* An answer that lacked memory for a part is a problem, and none of the rest. */
static void no_answer_lacks_a_part(void **state)
{
	char whole[sizeof answer];
	int n = 0;

	(void)state;
	answers("GET /things" H END, 200);
	snprintf(whole, sizeof whole, "%s", strstr(answer, "\r\n\r\n"));
	do {
		fail_at(++n);
		get("GET /things" H END);
		assert_true(n < 1000);
		if (status_of(answer) == 200)
			assert_string_equal(strstr(answer, "\r\n\r\n"), whole);
	} while (has_failed());
	assert_true(n > 3);
	answers("GET /things" H END, 200);
}

/* A change that is made has its answer, and one without an answer is not made. */
static void a_change_whose_answer_is_lost_is_not_made(void **state)
{
	int n = 0, kept = 0, undone = 0;

	(void)state;
	change_begins = true;
	do {
		change_is_kept = false;
		fail_at(++n);
		get(POST("{\"name\":\"a\",\"count\":2}", "22"));
		assert_true(n < 1000);
		bool is_told = status_of(answer) >= 200 && status_of(answer) < 500;
		assert_int_equal(is_told, change_is_kept);
		kept += is_told;
		undone += !is_told;
	} while (has_failed());
	change_begins = false;
	assert_true(kept > 0 && undone > 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(held_answers_come_when_woken),
		T(held_answers_come_at_their_timeout),
		T(client_that_leaves_ends_its_hold),
		T(prefer_wait_holds_and_the_202_is_kept),
		T(streams_carry_events),
		T(streams_are_lines_by_default),
		T(slow_reader_gets_a_gap_and_is_cut),
		T(streams_are_limited_and_freed_when_their_reader_leaves),
		T(idle_streams_carry_comments),
		T(slow_heads_and_bodies_are_cut),
		T(silent_and_idle_connections_are_closed),
		T(dripping_head_is_cut_however_it_drips),
		T(connections_of_one_user_are_limited),
		T(one_users_flood_leaves_room_for_others),
		T(draining_refuses_and_ends),
		T(every_failed_allocation_is_survived),
		T(a_change_whose_answer_is_lost_is_not_made),
		T(no_answer_lacks_a_part),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
