/* SPDX-License-Identifier: Apache-2.0 */
/* The registry client where a server, a proxy, an address or time is against it:
 * retries, caps, words of the error, cancel and deadlines. */
#include "registry_fixture.h"

static void a_busy_answer_is_waited_out(void **state)
{
	static const char *const answers[] = {EMPTY("429 B", "Retry-After: 0\r\n"), OK("{}"), NULL};
	struct fixture f;
	(void)state;
	set_up(&f, answers, NULL);
	assert_int_equal(get(&f, "/v2/"), 0);
	assert_int_equal(registry_counts(f.registry)->retries, 1);
	tear_down(&f);
}

static void tries_are_counted(void **state)
{
	static const char *const answers[] = {EMPTY("503 B", "Retry-After: 0\r\n"), NULL};
	struct fixture f;
	(void)state;
	set_up(&f, answers, NULL);
	assert_int_equal(get(&f, "/v2/"), BERTH_E_THROTTLED);
	assert_int_equal(f.server.request_count, 3);
	assert_int_not_equal(f.err.retry_ms, 0);
	tear_down(&f);
}

static void a_body_cut_short_is_asked_for_again(void **state)
{
	static const char *const answers[] = {
		"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 9\r\n\r\nhal", OK("whole"),
		NULL};
	struct fixture f;
	(void)state;
	set_up(&f, answers, NULL);
	assert_int_equal(get(&f, "/v2/"), 0);
	assert_string_equal(buf_text(registry_body(f.q)), "whole");
	tear_down(&f);
}

static void a_post_is_never_repeated_after_a_cut(void **state)
{
	static const char *const answers[] = {"", NULL};
	struct fixture f;
	struct registry_call call = {.method = "POST", .path = "/v2/a/blobs/uploads/"};
	(void)state;
	set_up(&f, answers, NULL);
	assert_int_equal(wait_for(&f, &call), BERTH_E_UNAVAILABLE);
	assert_int_equal(f.server.request_count, 1);
	tear_down(&f);
}

static void errors_carry_the_registrys_words_made_harmless(void **state)
{
	static const char *const answers[] = {
		"HTTP/1.1 404 N\r\nConnection: close\r\n\r\n{\"errors\":[{\"code\":\"NAME_UNKNOWN\","
		"\"message\":\"no \\u001b[31msuch\\nname\"}]}",
		NULL};
	struct fixture f;
	(void)state;
	set_up(&f, answers, NULL);
	assert_int_equal(get(&f, "/v2/a/tags/list?token=secret"), BERTH_E_NOT_FOUND);
	assert_non_null(strstr(f.err.cause, "HTTP 404 NAME_UNKNOWN: no  [31msuch name"));
	assert_null(strstr(f.err.message, "secret"));
	tear_down(&f);
}

static void what_is_no_registry_is_told(void **state)
{
	static const struct {
		const char *answer;
		int code;
	} cases[] = {
		{"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Type: text/html\r\n\r\n<html>",
		 BERTH_E_PROTOCOL},
		{"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Encoding: gzip\r\n\r\nx",
		 BERTH_E_PROTOCOL},
		{"SSH-2.0-OpenSSH_9.2\r\n", BERTH_E_PROTOCOL},
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		const char *const answers[] = {cases[i].answer, NULL};
		struct fixture f;
		set_up(&f, answers, NULL);
		assert_int_equal(get(&f, "/v2/"), cases[i].code);
		tear_down(&f);
	}
}

static void headers_and_bodies_have_caps(void **state)
{
	static const char *const big[] = {OK("0123456789abcdef"), NULL};
	char *head = calloc(1, 80000);
	const char *const wide[] = {head, NULL};
	struct fixture f;
	struct registry_call call = {.method = "GET", .path = "/v2/", .body_max_bytes = 8};
	(void)state;
	set_up(&f, big, NULL);
	assert_int_equal(wait_for(&f, &call), BERTH_E_LIMIT);
	tear_down(&f);
	int n = snprintf(head, 80000, "HTTP/1.1 200 OK\r\n");
	for (int i = 0; i < 3000; i++)
		n += snprintf(head + n, 80000 - (size_t)n, "X-Header-%06d: abcdefg\r\n", i);
	snprintf(head + n, 80000 - (size_t)n, "\r\n");
	set_up(&f, wide, NULL);
	assert_int_equal(get(&f, "/v2/"), BERTH_E_LIMIT);
	tear_down(&f);
	free(head);
}

static int refuse_all(void *user, const void *sockaddr, uint32_t byte_count)
{
	(void)sockaddr;
	(void)byte_count;
	++*(int *)user;
	return BERTH_E_ADDRESS;
}

static void an_address_is_judged_at_connect(void **state)
{
	static const char *const answers[] = {OK("{}"), NULL};
	int count = 0;
	struct registry_settings s = {.allow_address = refuse_all, .allow_user = &count};
	struct fixture f;
	(void)state;
	set_up(&f, answers, &s);
	assert_int_equal(get(&f, "/v2/"), BERTH_E_ADDRESS);
	assert_int_equal(count, 1);
	assert_int_equal(f.server.request_count, 0);
	tear_down(&f);
}

static int get_by_proxy(const char *proxy, struct berth_error *err)
{
	static const char *const answers[] = {OK("{}"), NULL};
	struct registry_settings s = {.proxy = proxy, .limits = {.tries = 1}};
	struct fixture f;
	set_up(&f, answers, &s);
	int r = get(&f, "/v2/");
	assert_int_equal(f.server.request_count, 0);
	*err = f.err;
	tear_down(&f);
	return r;
}

static void a_proxy_is_named_when_it_is_the_one_that_fails(void **state)
{
	static const char *const answers[] = {
		EMPTY("407 P", "Proxy-Authenticate: Basic realm=x\r\n"), NULL};
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct berth_error err = ERROR_INIT;
	struct scripted server;
	uint16_t port = 40700;
	char proxy[40];
	(void)state;
	scripted_start(&server, answers);
	snprintf(proxy, sizeof proxy, "http://127.0.0.1:%u", server.port);
	assert_int_equal(get_by_proxy(proxy, &err), BERTH_E_AUTH);
	assert_non_null(strstr(err.message, "proxy"));
	scripted_stop(&server);
	/* A port that is taken and not listened on: nobody else can get it. Its number has
	 * 407 in it, which is no answer. */
	int taken = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	do
		a.sin_port = htons(port);
	while (bind(taken, (struct sockaddr *)&a, sizeof a) && ++port < 40800);
	assert_in_range(port, 40700, 40799);
	snprintf(proxy, sizeof proxy, "http://127.0.0.1:%u", port);
	assert_int_equal(get_by_proxy(proxy, &err), BERTH_E_UNAVAILABLE);
	assert_non_null(strstr(err.message, proxy));
	close(taken);
}

static int cancel_now(void *user)
{
	(void)user;
	return BERTH_E_CANCELLED;
}

static void cancel_ends_what_waits(void **state)
{
	static const char *const answers[] = {OK("{}"), NULL};
	struct registry_settings s = {.cancelled = cancel_now};
	struct fixture f;
	(void)state;
	set_up(&f, answers, &s);
	f.server.drip_ms = 300;
	assert_int_equal(get(&f, "/v2/"), BERTH_E_CANCELLED);
	tear_down(&f);
}

/* Time is up once the server has been asked. */
static int asked_once(void *user)
{
	return ((struct fixture *)user)->server.request_count ? BERTH_E_TIMEOUT : 0;
}

static void a_deadline_ends_the_wait_before_another_try(void **state)
{
	static const char *const answers[] = {EMPTY("429 B", "Retry-After: 9999\r\n"), NULL};
	struct fixture f = {.server = {.request_count = 0}};
	struct registry_settings s = {.cancelled = asked_once, .cancelled_user = &f};
	(void)state;
	set_up(&f, answers, &s);
	assert_int_equal(get(&f, "/v2/"), BERTH_E_TIMEOUT);
	assert_int_equal(f.server.request_count, 1);
	tear_down(&f);
}

struct ends {
	int ok, denied;
};

static void note_end(void *user, struct registry_request *q, const struct berth_error *err)
{
	struct ends *e = user;
	e->ok += !err->code;
	e->denied += err->code == BERTH_E_DENIED;
	registry_request_free(q);
}

static void who_joined_a_refused_token_asks_for_its_own(void **state)
{
	static const char *const answers[] = {OWN_REALM,
					      OK("{\"token\":\"pull\"}"),
					      OK("{}"),
					      EMPTY("403 F", ""),
					      OK("{\"token\":\"push\"}"),
					      OK("{}"),
					      NULL};
	struct ends e = {0, 0};
	struct registry_call mount = {.method = "POST",
				      .path = "/v2/a/blobs/uploads/?mount=x&from=b",
				      .repository = "a",
				      .mount_from = "b",
				      .rights = REGISTRY_PULL | REGISTRY_PUSH,
				      .done = note_end,
				      .user = &e};
	struct registry_call upload = mount;
	struct registry_request *q;
	struct fixture f;
	(void)state;
	upload.path = "/v2/a/blobs/uploads/";
	upload.mount_from = NULL;
	set_up(&f, answers, NULL);
	assert_int_equal(get(&f, "/v2/a/tags/list"), 0);
	assert_int_equal(registry_start(f.registry, &mount, &q, &f.err), 0);
	assert_int_equal(registry_start(f.registry, &upload, &q, &f.err), 0);
	assert_int_equal(net_loop_run(f.loop, NULL, NULL, &f.err), 0);
	assert_int_equal(e.denied, 1);
	assert_int_equal(e.ok, 1);
	assert_int_equal(f.server.request_count, 6);
	assert_true(asked(&f, 3, "repository%3Ab%3Apull"));
	assert_false(asked(&f, 4, "repository%3Ab%3Apull"));
	assert_true(asked(&f, 5, "Bearer push"));
	tear_down(&f);
}

static void a_token_servers_long_pause_is_told(void **state)
{
	static const char *const answers[] = {OWN_REALM, EMPTY("429 B", "Retry-After: 70\r\n"),
					      NULL};
	struct fixture f;
	(void)state;
	set_up(&f, answers, NULL);
	assert_int_equal(get(&f, "/v2/a/tags/list"), BERTH_E_THROTTLED);
	assert_int_equal(f.err.retry_ms, 70000);
	assert_int_equal(f.server.request_count, 2);
	tear_down(&f);
}

static void a_dripping_server_is_left(void **state)
{
	static const char *const answers[] = {OK("0123456789012345678901234567890123456789"), NULL};
	struct registry_settings s = {.limits = {.low_speed_s = 1, .tries = 1}};
	struct fixture f;
	(void)state;
	set_up(&f, answers, &s);
	f.server.drip_ms = 50;
	assert_int_equal(get(&f, "/v2/"), BERTH_E_TIMEOUT);
	assert_non_null(strstr(f.err.message, "bytes a second"));
	tear_down(&f);
}

static void a_silent_server_meets_the_time_limit(void **state)
{
	static const char *const answers[] = {OK("{}"), NULL};
	struct registry_settings s = {.limits = {.answer_ms = 100}};
	struct fixture f;
	(void)state;
	set_up(&f, answers, &s);
	f.server.drip_ms = 100;
	assert_int_equal(get(&f, "/v2/"), BERTH_E_TIMEOUT);
	tear_down(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_busy_answer_is_waited_out),
		cmocka_unit_test(tries_are_counted),
		cmocka_unit_test(a_body_cut_short_is_asked_for_again),
		cmocka_unit_test(a_post_is_never_repeated_after_a_cut),
		cmocka_unit_test(errors_carry_the_registrys_words_made_harmless),
		cmocka_unit_test(what_is_no_registry_is_told),
		cmocka_unit_test(headers_and_bodies_have_caps),
		cmocka_unit_test(an_address_is_judged_at_connect),
		cmocka_unit_test(a_proxy_is_named_when_it_is_the_one_that_fails),
		cmocka_unit_test(cancel_ends_what_waits),
		cmocka_unit_test(a_deadline_ends_the_wait_before_another_try),
		cmocka_unit_test(who_joined_a_refused_token_asks_for_its_own),
		cmocka_unit_test(a_token_servers_long_pause_is_told),
		cmocka_unit_test(a_dripping_server_is_left),
		cmocka_unit_test(a_silent_server_meets_the_time_limit),
	};
	curl_global_init(CURL_GLOBAL_ALL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
