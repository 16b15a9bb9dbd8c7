/* SPDX-License-Identifier: Apache-2.0 */
/* berthd's end of a job against a worker that the test plays: order, junk,
 * loss, and freeing from within a callback.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>
#include <sys/socket.h>

#include "core/base/js.h"
#include "core/process/sockets.h"
#include "core/worker/frame.h"
#include "core/worker/job.h"

struct world {
	char path[64];
	int listening, peer;
	struct job_client *client;
	char trace[256];
	struct berth_error err;
	bool frees_itself;
};

static void note(struct world *w, const char *fmt, const char *text)
{
	size_t at = strlen(w->trace);
	snprintf(w->trace + at, sizeof w->trace - at, fmt, text);
}

static void item(void *user, const json_t *frame)
{
	note(user, "item:%s ", js_str(frame, "name", "?"));
}

static void progress(void *user, const json_t *frame)
{
	(void)frame;
	note(user, "%s ", "progress");
}

static void log_line_of_job(void *user, int level, const char *text)
{
	assert_in_range(level, 3, 7);
	note(user, "log:%s ", text);
}

static void keep(void *user, const char *instance, const json_t *state)
{
	note(user, json_is_null(state) ? "forget:%s " : "keep:%s ", instance);
}

static void result(void *user, const json_t *value, const struct berth_error *err)
{
	struct world *w = user;
	(void)value;
	w->err = *err;
	note(w, "result:%s", berth_code_name(err->code));
	if (w->frees_itself) {
		job_client_free(w->client);
		w->client = NULL;
	}
}

static const struct job_events events = {item, progress, log_line_of_job, keep, result};

static int setup(void **state)
{
	struct world *w = calloc(1, sizeof *w);
	struct berth_error err = ERROR_INIT;
	AUTO_JSON json_t *call = json_pack("{s:s, s:s}", "job", "j1", "kind", "probe");
	snprintf(w->path, sizeof w->path, "/tmp/berth-client-%d.sock", (int)getpid());
	assert_int_equal(socket_open(w->path, SOCK_SEQPACKET, &w->listening, &err), 0);
	assert_int_equal(job_client_start(w->path, call, &events, w, &w->client, &err), 0);
	w->peer = accept(w->listening, NULL, NULL);
	assert_true(w->peer >= 0);
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;
	job_client_free(w->client);
	if (w->peer >= 0)
		close(w->peer);
	close(w->listening);
	unlink(w->path);
	free(w);
	return 0;
}

static void say(struct world *w, const char *text)
{
	assert_int_equal(send(w->peer, text, strlen(text), 0), (ssize_t)strlen(text));
}

static void hang_up(struct world *w)
{
	close(w->peer);
	w->peer = -1;
}

static void call_goes_out_first_and_is_marked_as_one(void **state)
{
	struct world *w = *state;
	AUTO_JSON json_t *frame = NULL;
	struct berth_error err = ERROR_INIT;
	assert_int_equal(frame_receive(w->peer, &frame, &err), 0);
	assert_string_equal(js_str(frame, "t", ""), "call");
	assert_string_equal(js_str(frame, "kind", ""), "probe");
}

static void frames_are_told_in_order_and_nothing_after_the_result(void **state)
{
	struct world *w = *state;
	say(w, "{\"t\":\"hello\",\"pid\":1}");
	say(w, "{\"t\":\"item\",\"name\":\"a\"}");
	say(w, "{\"t\":\"progress\",\"done\":1}");
	say(w, "{\"t\":\"log\",\"level\":99,\"text\":\"x\"}");
	say(w, "{\"t\":\"keep\",\"instance\":\"i\",\"state\":{}}");
	say(w, "{\"t\":\"keep\",\"instance\":\"i\",\"state\":null}");
	say(w, "{\"t\":\"keep\",\"instance\":\"i\",\"state\":[]}");
	say(w, "{\"t\":\"unknown\"}");
	say(w, "{\"t\":\"result\",\"ok\":true,\"value\":{}}");
	say(w, "{\"t\":\"item\",\"name\":\"late\"}");
	job_client_turn(w->client);
	job_client_turn(w->client);
	assert_string_equal(w->trace, "item:a progress log:x keep:i forget:i result:ok");
}

static void error_of_the_job_is_passed_on_whole(void **state)
{
	struct world *w = *state;
	say(w, "{\"t\":\"result\",\"ok\":false,\"error\":{\"code\":\"throttled\",\"message\":\"m\","
	       "\"cause\":\"c\",\"from\":2,\"upstream\":429,\"retry_ms\":7000}}");
	job_client_turn(w->client);
	assert_int_equal(w->err.code, BERTH_E_THROTTLED);
	assert_string_equal(w->err.message, "m");
	assert_string_equal(w->err.cause, "c");
	assert_int_equal(w->err.upstream, 429);
	assert_int_equal(w->err.retry_ms, 7000);
	assert_false(job_client_is_lost(w->client));
}

static void end_without_a_result_is_a_lost_worker(void **state)
{
	struct world *w = *state;
	say(w, "{\"t\":\"item\",\"name\":\"a\"}");
	hang_up(w);
	job_client_turn(w->client);
	assert_string_equal(w->trace, "item:a result:unavailable");
	assert_true(job_client_is_lost(w->client));
	job_client_turn(w->client);
	assert_string_equal(w->trace, "item:a result:unavailable");
}

static void junk_ends_the_job_with_protocol(void **state)
{
	static const char *const junk[] = {"{", "[]", "{\"a\":1}", "{\"t\":\"x\",\"t\":\"y\"}",
					   NULL};
	for (const char *const *j = junk; *j; j++) {
		struct world *w = *state;
		say(w, *j);
		w->trace[0] = 0;
		job_client_turn(w->client);
		assert_string_equal(w->trace, "result:protocol");
		teardown(state);
		setup(state);
	}
}

static void cancel_is_a_frame_and_a_closed_side_and_the_result_still_comes(void **state)
{
	struct world *w = *state;
	struct berth_error err = ERROR_INIT;
	json_t *frame = NULL;
	job_client_cancel(w->client);
	assert_int_equal(frame_receive(w->peer, &frame, &err), 0);
	json_decref(frame);
	assert_int_equal(frame_receive(w->peer, &frame, &err), 0);
	assert_string_equal(js_str(frame, "t", ""), "cancel");
	json_decref(frame);
	assert_int_equal(frame_receive(w->peer, &frame, &err), BERTH_E_UNAVAILABLE);
	say(w,
	    "{\"t\":\"result\",\"ok\":false,\"error\":{\"code\":\"cancelled\",\"message\":\"m\"}}");
	job_client_turn(w->client);
	assert_string_equal(w->trace, "result:cancelled");
}

static void client_may_be_freed_from_its_result(void **state)
{
	struct world *w = *state;
	w->frees_itself = true;
	say(w, "{\"t\":\"result\",\"ok\":true,\"value\":null}");
	say(w, "{\"t\":\"item\",\"name\":\"late\"}");
	job_client_turn(w->client);
	assert_null(w->client);
	assert_string_equal(w->trace, "result:ok");
}

static void nobody_at_the_socket_is_unavailable(void **state)
{
	struct job_client *c = NULL;
	struct berth_error err = ERROR_INIT;
	AUTO_JSON json_t *call = json_object();
	(void)state;
	assert_int_equal(job_client_start("/tmp/berth-nobody.sock", call, &events, NULL, &c, &err),
			 BERTH_E_UNAVAILABLE);
	assert_true(err.retry_ms > 0);
	assert_null(c);
}

static void frame_over_64_kib_is_not_sent(void **state)
{
	struct world *w = *state;
	struct berth_error err = ERROR_INIT;
	AUTO_FREE char *text = calloc(1, FRAME_MAX_BYTES + 1);
	memset(text, 'a', FRAME_MAX_BYTES);
	AUTO_JSON json_t *frame = json_pack("{s:s}", "t", text);
	assert_int_equal(frame_send(w->peer, frame, &err), BERTH_E_LIMIT);
	job_client_turn(w->client);
	assert_string_equal(w->trace, "");
}

/* Answers of claims and leases: the job would wait for one that got lost for ever. */
static void frames_without_room_wait_for_it_in_their_order(void **state)
{
	enum { COUNT = 3000 };
	struct world *w = *state;
	struct berth_error err = ERROR_INIT;
	bool had_to_wait = false;
	for (int i = 0; i < COUNT; i++) {
		AUTO_JSON json_t *frame = json_pack("{s:s, s:i}", "t", "claim", "n", i);
		had_to_wait |= !job_client_send(w->client, frame);
	}
	assert_true(had_to_wait);
	for (int i = -1; i < COUNT; i++) { /* the call is the first */
		AUTO_JSON json_t *frame = NULL;
		assert_int_equal(frame_receive(w->peer, &frame, &err), 0);
		assert_non_null(frame);
		assert_int_equal(js_int(frame, "n", -1), i);
		job_client_flush(w->client);
	}
	assert_true(job_client_flush(w->client));
}

static void frames_for_a_job_that_is_gone_are_forgotten(void **state)
{
	struct world *w = *state;
	AUTO_JSON json_t *frame = json_pack("{s:s}", "t", "claim");
	hang_up(w);
	assert_true(job_client_send(w->client, frame));
	job_client_turn(w->client);
	assert_string_equal(w->trace, "result:unavailable");
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(call_goes_out_first_and_is_marked_as_one),
		T(frames_are_told_in_order_and_nothing_after_the_result),
		T(error_of_the_job_is_passed_on_whole),
		T(end_without_a_result_is_a_lost_worker),
		T(junk_ends_the_job_with_protocol),
		T(cancel_is_a_frame_and_a_closed_side_and_the_result_still_comes),
		T(client_may_be_freed_from_its_result),
		T(nobody_at_the_socket_is_unavailable),
		T(frame_over_64_kib_is_not_sent),
		T(frames_without_room_wait_for_it_in_their_order),
		T(frames_for_a_job_that_is_gone_are_forgotten),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
