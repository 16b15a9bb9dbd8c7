/* SPDX-License-Identifier: Apache-2.0 */
/* The registry client against a scripted server: credentials, redirects,
 * retries, caps, streams. What it sends is looked at, not only what it says.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <curl/curl.h>

#include "core/base/text.h"
#include "core/oci/fetch.h"
#include "core/oci/lists.h"
#include "core/oci/referrers.h"
#include "core/oci/registry.h"
#include "scripted_server.h"

#define OK(body)                                                                                   \
	"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Type: application/json\r\n\r\n" body
#define CHALLENGE_BASIC                                                                            \
	"HTTP/1.1 401 Unauthorized\r\nConnection: close\r\nContent-Length: 0\r\n"                  \
	"WWW-Authenticate: Basic realm=\"x\"\r\n\r\n"
#define CHALLENGE_BEARER(realm)                                                                    \
	"HTTP/1.1 401 Unauthorized\r\nConnection: close\r\nContent-Length: 0\r\n"                  \
	"WWW-Authenticate: Bearer realm=\"" realm "\",service=\"s\"\r\n\r\n"
#define OWN_REALM CHALLENGE_BEARER("http://127.0.0.1:%PORT%/token")

struct fixture {
	struct scripted server;
	struct net_loop *loop;
	struct registry *registry;
	struct berth_error err;
};

static void set_up(struct fixture *f, const char *const *answers,
		   const struct registry_settings *more)
{
	struct registry_settings s = more ? *more : (struct registry_settings){0};
	AUTO_FREE char *url = NULL;
	scripted_start(&f->server, answers);
	f->err = (struct berth_error)ERROR_INIT;
	url = text_printf("http://127.0.0.1:%u", f->server.port);
	s.base_url = url;
	s.tls_verify = true;
	if (!s.limits.backoff_ms)
		s.limits.backoff_ms = 1;
	assert_int_equal(net_loop_new(&f->loop, &f->err), 0);
	assert_int_equal(registry_open(f->loop, &s, &f->registry, &f->err), 0);
}

static void tear_down(struct fixture *f)
{
	registry_close(f->registry);
	net_loop_free(f->loop);
	scripted_stop(&f->server);
}

static int get(struct fixture *f, const char *path, struct registry_request **ret)
{
	struct registry_call call = {.method = "GET",
				     .path = path,
				     .repository = "a",
				     .rights = REGISTRY_PULL,
				     .follow = true};
	return registry_wait(f->registry, &call, ret, &f->err);
}

static bool asked(const struct fixture *f, int n, const char *text)
{
	return n < f->server.request_count && strcasestr(f->server.requests[n], text) != NULL;
}

static const struct registry_settings with_user = {.username = "user", .password = "pass"};
#define USER_PASS "Authorization: Basic dXNlcjpwYXNz" /* user:pass */

/* --- credentials --- */

static void a_password_is_sent_only_when_asked_for(void **state)
{
	static const char *const answers[] = {CHALLENGE_BASIC, OK("{}"), NULL};
	struct fixture f;
	(void)state;
	set_up(&f, answers, &with_user);
	AUTO(registry_request) struct registry_request *q = NULL, *r = NULL;
	assert_int_equal(get(&f, "/v2/", &q), 0);
	assert_int_equal(get(&f, "/v2/", &r), 0);
	assert_int_equal(f.server.request_count, 3);
	assert_false(asked(&f, 0, "Authorization:"));
	assert_true(asked(&f, 1, USER_PASS));
	assert_true(asked(&f, 2, USER_PASS));
	registry_request_free(STEAL(q));
	registry_request_free(STEAL(r));
	tear_down(&f);
}

static int count_referrer(void *user, const struct descriptor *d)
{
	(void)d;
	++*(int *)user;
	return 0;
}

/* Harbor before 2.8: 401 with an empty challenge means that the path is unknown. */
static void an_empty_challenge_means_no_referrers_api(void **state)
{
	static const char digest[] =
		"sha256:6b1a6bd62901f8909666b9a4b4e3363d776d134f79a86b3cc677b01541a512f8";
	static const char *const answers[] = {"HTTP/1.1 401 Unauthorized\r\nConnection: close\r\n"
					      "Content-Length: 0\r\nWWW-Authenticate: \r\n\r\n",
					      "HTTP/1.1 404 Not Found\r\nConnection: close\r\n"
					      "Content-Length: 0\r\n\r\n",
					      NULL};
	struct fixture f;
	struct registry_request *q = NULL;
	int found = 0;
	bool by_api = true;
	(void)state;
	set_up(&f, answers, &with_user);
	assert_int_equal(referrers_list(f.registry, "a/b", digest, count_referrer, &found, &by_api,
					&f.err),
			 0);
	assert_false(by_api);
	assert_int_equal(found, 0);
	tear_down(&f);
	/* Elsewhere it asks for credentials. */
	set_up(&f, answers, &with_user);
	assert_int_equal(get(&f, "/v2/a/tags/list", &q), BERTH_E_AUTH);
	registry_request_free(q);
	tear_down(&f);
}

static void a_refused_password_is_tried_once(void **state)
{
	static const char *const answers[] = {CHALLENGE_BASIC, NULL};
	struct fixture f;
	struct registry_request *q = NULL;
	(void)state;
	set_up(&f, answers, &with_user);
	assert_int_equal(get(&f, "/v2/", &q), BERTH_E_AUTH);
	assert_int_equal(f.server.request_count, 2);
	assert_null(strstr(f.err.message, "pass:"));
	registry_request_free(q);
	tear_down(&f);
}

static void a_token_is_fetched_once_for_a_scope(void **state)
{
	static const char *const answers[] = {OWN_REALM, OK("{\"token\":\"t1\"}"), OK("{}"), NULL};
	struct fixture f;
	struct registry_request *q = NULL, *r = NULL;
	(void)state;
	set_up(&f, answers, &with_user);
	assert_int_equal(get(&f, "/v2/a/tags/list", &q), 0);
	assert_int_equal(get(&f, "/v2/a/tags/list", &r), 0);
	assert_int_equal(f.server.request_count, 4);
	assert_true(
		asked(&f, 1, "GET /token?service=s&scope=repository%3Aa%3Apull&client_id=berth"));
	assert_true(asked(&f, 1, USER_PASS));
	assert_true(asked(&f, 2, "Authorization: Bearer t1"));
	assert_true(asked(&f, 3, "Authorization: Bearer t1"));
	assert_int_equal(registry_counts(f.registry)->token_requests, 1);
	registry_request_free(q);
	registry_request_free(r);
	tear_down(&f);
}

static void a_401_after_a_fresh_token_ends(void **state)
{
	static const char *const answers[] = {OWN_REALM, OK("{\"token\":\"t1\"}"), OWN_REALM, NULL};
	struct fixture f;
	struct registry_request *q = NULL;
	(void)state;
	set_up(&f, answers, &with_user);
	assert_int_equal(get(&f, "/v2/a/tags/list", &q), BERTH_E_AUTH);
	assert_int_equal(f.server.request_count, 3);
	registry_request_free(q);
	tear_down(&f);
}

static void an_expired_token_is_replaced_once(void **state)
{
	static const char *const answers[] = {OWN_REALM, OK("{\"token\":\"t1\"}"), OK("{}"),
					      OWN_REALM, OK("{\"token\":\"t2\"}"), OK("{}"),
					      NULL};
	struct fixture f;
	struct registry_request *q = NULL, *r = NULL;
	(void)state;
	set_up(&f, answers, &with_user);
	assert_int_equal(get(&f, "/v2/a/tags/list", &q), 0);
	assert_int_equal(get(&f, "/v2/a/tags/list", &r), 0);
	assert_true(asked(&f, 3, "Bearer t1"));
	assert_true(asked(&f, 5, "Bearer t2"));
	registry_request_free(q);
	registry_request_free(r);
	tear_down(&f);
}

static void a_foreign_realm_gets_nothing(void **state)
{
	static const char *const answers[] = {CHALLENGE_BEARER("http://127.0.0.2:%PORT%/token"),
					      NULL};
	struct fixture f;
	struct registry_request *q = NULL;
	(void)state;
	set_up(&f, answers, &with_user);
	assert_int_equal(get(&f, "/v2/", &q), BERTH_E_DENIED);
	assert_non_null(strstr(f.err.message, "127.0.0.2"));
	assert_int_equal(f.server.request_count, 1);
	registry_request_free(q);
	tear_down(&f);
}

static void an_unknown_way_of_asking_is_named(void **state)
{
	static const struct {
		const char *header, *says;
	} cases[] = {
		{"Negotiate", "does not know: Negotiate"},
		{"Bearer service=\"x\"", "does not say where"},
		{"", "does not say how"},
		{",,,", "does not say how"},
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		char answer[200];
		const char *const answers[] = {answer, NULL};
		struct fixture f;
		struct registry_request *q = NULL;
		snprintf(answer, sizeof answer,
			 "HTTP/1.1 401 U\r\nConnection: close\r\nContent-Length: 0\r\n"
			 "WWW-Authenticate: %s\r\n\r\n",
			 cases[i].header);
		set_up(&f, answers, &with_user);
		assert_int_equal(get(&f, "/v2/", &q), BERTH_E_AUTH);
		if (!strstr(f.err.message, cases[i].says))
			fail_msg("%s", f.err.message);
		assert_int_equal(f.server.request_count, 1);
		registry_request_free(q);
		tear_down(&f);
	}
}

struct count {
	int ended, ok;
};

static void count_done(void *user, struct registry_request *q, const struct berth_error *err)
{
	struct count *c = user;
	c->ended++;
	c->ok += !err->code;
	registry_request_free(q);
}

static void a_burst_meets_one_challenge(void **state)
{
	static const char *const answers[] = {CHALLENGE_BASIC, OK("{}"), NULL};
	struct fixture f;
	struct count c = {0};
	struct registry_call call = {
		.method = "GET", .path = "/v2/", .done = count_done, .user = &c};
	(void)state;
	set_up(&f, answers, &with_user);
	for (int i = 0; i < 8; i++) {
		struct registry_request *q;
		assert_int_equal(registry_start(f.registry, &call, &q, &f.err), 0);
	}
	assert_int_equal(net_loop_run(f.loop, NULL, NULL, &f.err), 0);
	assert_int_equal(c.ended, 8);
	assert_int_equal(c.ok, 8);
	assert_int_equal(f.server.request_count, 9);
	tear_down(&f);
}

/* --- redirects and locations --- */

static void credentials_stay_at_home_in_a_redirect(void **state)
{
	static const char *const away[] = {OK("blob"), NULL};
	struct fixture f;
	struct scripted other;
	struct registry_request *q = NULL;
	char redirect[300];
	(void)state;
	scripted_start(&other, away);
	snprintf(redirect, sizeof redirect,
		 "HTTP/1.1 307 T\r\nConnection: close\r\nContent-Length: 0\r\n"
		 "Location: http://127.0.0.1:%u/blob?sig=1\r\n\r\n",
		 other.port);
	const char *const answers[] = {CHALLENGE_BASIC, redirect, NULL};
	set_up(&f, answers, &with_user);
	assert_int_equal(get(&f, "/v2/a/blobs/x", &q), 0);
	assert_string_equal(buf_text(registry_body(q)), "blob");
	assert_true(asked(&f, 1, USER_PASS));
	assert_null(strcasestr(other.requests[0], "authorization"));
	registry_request_free(q);
	tear_down(&f);
	scripted_stop(&other);
}

static void redirects_end_after_five(void **state)
{
	static const char *const answers[] = {
		"HTTP/1.1 302 T\r\nConnection: close\r\nContent-Length: 0\r\nLocation: /again\r\n\r\n",
		NULL};
	struct fixture f;
	struct registry_request *q = NULL;
	(void)state;
	set_up(&f, answers, NULL);
	assert_int_equal(get(&f, "/v2/a/blobs/x", &q), BERTH_E_PROTOCOL);
	assert_int_equal(f.server.request_count, 6);
	registry_request_free(q);
	tear_down(&f);
}

static void only_blob_reads_follow_redirects(void **state)
{
	static const char *const answers[] = {
		"HTTP/1.1 302 T\r\nConnection: close\r\nContent-Length: 0\r\n"
		"Location: http://127.0.0.2/x?secret=1\r\n\r\n",
		NULL};
	struct fixture f;
	struct registry_request *q = NULL;
	struct registry_call call = {.method = "PUT",
				     .path = "/v2/a/manifests/x",
				     .follow = true,
				     .body = "{}",
				     .body_byte_count = 2};
	(void)state;
	set_up(&f, answers, NULL);
	assert_int_equal(registry_wait(f.registry, &call, &q, &f.err), BERTH_E_PROTOCOL);
	assert_non_null(strstr(f.err.cause, "127.0.0.2"));
	assert_null(strstr(f.err.cause, "secret"));
	assert_int_equal(f.server.request_count, 1);
	registry_request_free(q);
	tear_down(&f);
}

static int location_of(const char *location, const char *upload_hosts, char **ret,
		       struct berth_error *err)
{
	struct fixture f;
	struct registry_request *q = NULL;
	char answer[300];
	struct registry_settings s = {.upload_hosts = upload_hosts};
	struct registry_call call = {.method = "POST", .path = "/v2/a/blobs/uploads/"};
	snprintf(answer, sizeof answer,
		 "HTTP/1.1 202 A\r\nConnection: close\r\nContent-Length: 0\r\nLocation: %s\r\n\r\n",
		 location);
	const char *const answers[] = {answer, NULL};
	set_up(&f, answers, &s);
	int r = registry_wait(f.registry, &call, &q, &f.err);
	if (!r)
		r = registry_location(q, ret, &f.err);
	*err = f.err;
	registry_request_free(q);
	tear_down(&f);
	return r;
}

static void an_upload_goes_to_its_own_origin_only(void **state)
{
	struct berth_error err = ERROR_INIT;
	AUTO_FREE char *near = NULL, *far = NULL, *allowed = NULL;
	(void)state;
	assert_int_equal(location_of("/v2/a/up?_state=x", NULL, &near, &err), 0);
	assert_non_null(strstr(near, "/v2/a/up?_state=x"));
	assert_int_equal(location_of("http://127.0.0.2:9/up", NULL, &far, &err), BERTH_E_PROTOCOL);
	assert_non_null(strstr(err.cause, "upload_hosts"));
	assert_int_equal(location_of("http://127.0.0.2:9/up", "127.0.0.2:9", &allowed, &err), 0);
	assert_int_equal(location_of("file:///etc/passwd", NULL, &far, &err), BERTH_E_PROTOCOL);
}

/* --- failures --- */

static void a_busy_answer_is_waited_out(void **state)
{
	static const char *const answers[] = {
		"HTTP/1.1 429 B\r\nConnection: close\r\nContent-Length: 0\r\nRetry-After: 0\r\n\r\n",
		OK("{}"), NULL};
	struct fixture f;
	struct registry_request *q = NULL;
	(void)state;
	set_up(&f, answers, NULL);
	assert_int_equal(get(&f, "/v2/", &q), 0);
	assert_int_equal(registry_counts(f.registry)->retries, 1);
	registry_request_free(q);
	tear_down(&f);
}

static void tries_are_counted(void **state)
{
	static const char *const answers[] = {
		"HTTP/1.1 503 B\r\nConnection: close\r\nContent-Length: 0\r\nRetry-After: 0\r\n\r\n",
		NULL};
	struct fixture f;
	struct registry_request *q = NULL;
	(void)state;
	set_up(&f, answers, NULL);
	assert_int_equal(get(&f, "/v2/", &q), BERTH_E_THROTTLED);
	assert_int_equal(f.server.request_count, 3);
	assert_int_not_equal(f.err.retry_ms, 0);
	registry_request_free(q);
	tear_down(&f);
}

static void a_body_cut_short_is_asked_for_again(void **state)
{
	static const char *const answers[] = {
		"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 9\r\n\r\nhal", OK("whole"),
		NULL};
	struct fixture f;
	struct registry_request *q = NULL;
	(void)state;
	set_up(&f, answers, NULL);
	assert_int_equal(get(&f, "/v2/", &q), 0);
	assert_string_equal(buf_text(registry_body(q)), "whole");
	registry_request_free(q);
	tear_down(&f);
}

static void a_post_is_never_repeated_after_a_cut(void **state)
{
	static const char *const answers[] = {"", NULL};
	struct fixture f;
	struct registry_request *q = NULL;
	struct registry_call call = {.method = "POST", .path = "/v2/a/blobs/uploads/"};
	(void)state;
	set_up(&f, answers, NULL);
	assert_int_equal(registry_wait(f.registry, &call, &q, &f.err), BERTH_E_UNAVAILABLE);
	assert_int_equal(f.server.request_count, 1);
	registry_request_free(q);
	tear_down(&f);
}

static void errors_carry_the_registrys_words_made_harmless(void **state)
{
	static const char *const answers[] = {
		"HTTP/1.1 404 N\r\nConnection: close\r\n\r\n{\"errors\":[{\"code\":\"NAME_UNKNOWN\","
		"\"message\":\"no \\u001b[31msuch\\nname\"}]}",
		NULL};
	struct fixture f;
	struct registry_request *q = NULL;
	(void)state;
	set_up(&f, answers, NULL);
	assert_int_equal(get(&f, "/v2/a/tags/list?token=secret", &q), BERTH_E_NOT_FOUND);
	assert_non_null(strstr(f.err.cause, "HTTP 404 NAME_UNKNOWN: no  [31msuch name"));
	assert_null(strstr(f.err.message, "secret"));
	registry_request_free(q);
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
		struct registry_request *q = NULL;
		set_up(&f, answers, NULL);
		assert_int_equal(get(&f, "/v2/", &q), cases[i].code);
		registry_request_free(q);
		tear_down(&f);
	}
}

static void headers_and_bodies_have_caps(void **state)
{
	static const char *const big[] = {OK("0123456789abcdef"), NULL};
	char *head = calloc(1, 80000);
	const char *const wide[] = {head, NULL};
	struct fixture f;
	struct registry_request *q = NULL;
	struct registry_call call = {.method = "GET", .path = "/v2/", .body_max_bytes = 8};
	(void)state;
	set_up(&f, big, NULL);
	assert_int_equal(registry_wait(f.registry, &call, &q, &f.err), BERTH_E_LIMIT);
	registry_request_free(q);
	tear_down(&f);
	int n = snprintf(head, 80000, "HTTP/1.1 200 OK\r\n");
	for (int i = 0; i < 3000; i++)
		n += snprintf(head + n, 80000 - (size_t)n, "X-Header-%06d: abcdefg\r\n", i);
	snprintf(head + n, 80000 - (size_t)n, "\r\n");
	q = NULL;
	set_up(&f, wide, NULL);
	assert_int_equal(get(&f, "/v2/", &q), BERTH_E_LIMIT);
	registry_request_free(q);
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
	struct registry_request *q = NULL;
	(void)state;
	set_up(&f, answers, &s);
	assert_int_equal(get(&f, "/v2/", &q), BERTH_E_ADDRESS);
	assert_int_equal(count, 1);
	assert_int_equal(f.server.request_count, 0);
	registry_request_free(q);
	tear_down(&f);
}

static int get_by_proxy(const char *proxy, struct berth_error *err)
{
	static const char *const answers[] = {OK("{}"), NULL};
	struct registry_settings s = {.proxy = proxy, .limits = {.tries = 1}};
	struct registry_request *q = NULL;
	struct fixture f;
	set_up(&f, answers, &s);
	int r = get(&f, "/v2/", &q);
	assert_int_equal(f.server.request_count, 0);
	*err = f.err;
	registry_request_free(q);
	tear_down(&f);
	return r;
}

static void a_proxy_is_named_when_it_is_the_one_that_fails(void **state)
{
	static const char *const answers[] = {
		"HTTP/1.1 407 P\r\nConnection: close\r\nContent-Length: 0\r\n"
		"Proxy-Authenticate: Basic realm=x\r\n\r\n",
		NULL};
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t n = sizeof a;
	struct berth_error err = ERROR_INIT;
	struct scripted server;
	char proxy[40];
	(void)state;
	scripted_start(&server, answers);
	snprintf(proxy, sizeof proxy, "http://127.0.0.1:%u", server.port);
	assert_int_equal(get_by_proxy(proxy, &err), BERTH_E_AUTH);
	assert_non_null(strstr(err.message, "proxy"));
	scripted_stop(&server);
	/* A port that is taken and not listened on: nobody else can get it. */
	int taken = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(taken, (struct sockaddr *)&a, sizeof a), 0);
	assert_int_equal(getsockname(taken, (struct sockaddr *)&a, &n), 0);
	snprintf(proxy, sizeof proxy, "http://127.0.0.1:%u", ntohs(a.sin_port));
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
	struct registry_request *q = NULL;
	(void)state;
	set_up(&f, answers, &s);
	f.server.drip_ms = 300;
	assert_int_equal(get(&f, "/v2/", &q), BERTH_E_CANCELLED);
	registry_request_free(q);
	tear_down(&f);
}

static int cancel_later(void *user)
{
	return ++*(int *)user > 2 ? BERTH_E_TIMEOUT : 0;
}

static void a_deadline_ends_the_wait_before_another_try(void **state)
{
	static const char *const answers[] = {
		"HTTP/1.1 429 B\r\nConnection: close\r\nContent-Length: 0\r\nRetry-After: 9999\r\n\r\n",
		NULL};
	int count = 0;
	struct registry_settings s = {.cancelled = cancel_later, .cancelled_user = &count};
	struct fixture f;
	struct registry_request *q = NULL;
	(void)state;
	set_up(&f, answers, &s);
	assert_int_equal(get(&f, "/v2/", &q), BERTH_E_TIMEOUT);
	assert_int_equal(f.server.request_count, 1);
	registry_request_free(q);
	tear_down(&f);
}

static void a_dripping_server_is_left(void **state)
{
	static const char *const answers[] = {OK("0123456789012345678901234567890123456789"), NULL};
	struct registry_settings s = {.limits = {.low_speed_s = 1, .tries = 1}};
	struct fixture f;
	struct registry_request *q = NULL;
	(void)state;
	set_up(&f, answers, &s);
	f.server.drip_ms = 50;
	assert_int_equal(get(&f, "/v2/", &q), BERTH_E_TIMEOUT);
	assert_non_null(strstr(f.err.message, "bytes a second"));
	registry_request_free(q);
	tear_down(&f);
}

static void a_silent_server_meets_the_time_limit(void **state)
{
	static const char *const answers[] = {OK("{}"), NULL};
	struct registry_settings s = {.limits = {.answer_ms = 100}};
	struct fixture f;
	struct registry_request *q = NULL;
	(void)state;
	set_up(&f, answers, &s);
	f.server.drip_ms = 100;
	assert_int_equal(get(&f, "/v2/", &q), BERTH_E_TIMEOUT);
	registry_request_free(q);
	tear_down(&f);
}

/* --- streams --- */

struct stream {
	struct registry_request *request;
	struct fixture *fixture;
	char got[64];
	size_t got_count, sent;
	int pauses;
	bool ended;
	int code;
};

static void resume_later(void *user)
{
	registry_resume(((struct stream *)user)->request);
}

static void pause_for(struct stream *s)
{
	struct net_timer *t;
	s->pauses++;
	assert_int_equal(
		net_timer_start(s->fixture->loop, 5, resume_later, s, &t, &s->fixture->err), 0);
}

static ssize_t take(void *user, struct registry_request *q, const char *bytes, size_t n)
{
	struct stream *s = user;
	(void)q;
	if (!s->pauses) {
		pause_for(s);
		return NET_PAUSE;
	}
	memcpy(s->got + s->got_count, bytes, n);
	s->got_count += n;
	return (ssize_t)n;
}

static ssize_t give(void *user, struct registry_request *q, char *to, size_t room)
{
	static const char text[] = "streamed body";
	struct stream *s = user;
	size_t left = sizeof text - 1 - s->sent, n = left < 5 ? left : 5;
	(void)q;
	assert_true(room >= 5);
	if (s->sent == 5 && !s->pauses) {
		pause_for(s);
		return NET_PAUSE;
	}
	memcpy(to, text + s->sent, n);
	s->sent += n;
	return (ssize_t)n;
}

static void stream_done(void *user, struct registry_request *q, const struct berth_error *err)
{
	struct stream *s = user;
	(void)q;
	s->ended = true;
	s->code = err->code;
}

static void a_paused_download_goes_on(void **state)
{
	static const char *const answers[] = {OK("streamed answer"), NULL};
	struct fixture f;
	struct stream s = {.fixture = &f};
	struct registry_call call = {
		.method = "GET", .path = "/v2/", .consume = take, .done = stream_done, .user = &s};
	(void)state;
	set_up(&f, answers, NULL);
	assert_int_equal(registry_start(f.registry, &call, &s.request, &f.err), 0);
	assert_int_equal(net_loop_run(f.loop, NULL, NULL, &f.err), 0);
	assert_true(s.ended);
	assert_int_equal(s.code, 0);
	assert_int_equal(s.pauses, 1);
	assert_string_equal(s.got, "streamed answer");
	registry_request_free(s.request);
	tear_down(&f);
}

static void upload(int64_t stream_byte_count, const char *head)
{
	static const char *const answers[] = {OK(""), NULL};
	struct fixture f;
	struct stream s = {.fixture = &f};
	struct registry_call call = {.method = "PATCH",
				     .path = "/v2/a/blobs/uploads/1",
				     .content_type = "application/octet-stream",
				     .stream_byte_count = stream_byte_count,
				     .produce = give,
				     .done = stream_done,
				     .user = &s};
	set_up(&f, answers, NULL);
	assert_int_equal(registry_start(f.registry, &call, &s.request, &f.err), 0);
	assert_int_equal(net_loop_run(f.loop, NULL, NULL, &f.err), 0);
	assert_int_equal(s.code, 0);
	assert_int_equal(s.pauses, 1);
	assert_true(asked(&f, 0, head));
	assert_false(asked(&f, 0, "Expect:"));
	assert_int_equal(registry_counts(f.registry)->bytes_out, 13);
	registry_request_free(s.request);
	tear_down(&f);
}

static void a_paused_upload_goes_on(void **state)
{
	(void)state;
	upload(13, "Content-Length: 13");
	upload(-1, "Transfer-Encoding: chunked");
}

static ssize_t free_in_callback(void *user, struct registry_request *q, const char *bytes, size_t n)
{
	struct stream *s = user;
	(void)bytes;
	s->got_count += n;
	registry_request_free(q);
	return (ssize_t)n;
}

static void a_request_may_be_freed_in_its_own_callback(void **state)
{
	static const char *const answers[] = {OK("streamed answer"), NULL};
	struct fixture f;
	struct stream s = {.fixture = &f};
	struct registry_call call = {.method = "GET",
				     .path = "/v2/",
				     .consume = free_in_callback,
				     .done = stream_done,
				     .user = &s};
	(void)state;
	set_up(&f, answers, NULL);
	assert_int_equal(registry_start(f.registry, &call, &s.request, &f.err), 0);
	assert_int_equal(net_loop_run(f.loop, NULL, NULL, &f.err), 0);
	assert_int_not_equal(s.got_count, 0);
	assert_false(s.ended);
	tear_down(&f);
}

/* --- lists and manifests --- */

static int take_name(void *user, const char *name)
{
	strncat(user, name, 32);
	return 0;
}

#define PAGE(items, link)                                                                          \
	"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Type: application/json\r\n" link          \
	"\r\n{\"repositories\":[" items "]}"

static void a_catalog_is_read_to_its_end(void **state)
{
	static const char *const answers[] = {
		PAGE("\"a\",\"BAD\"",
		     "Link: <http://elsewhere/v2/_catalog?last=a>; rel=\"next\"\r\n"),
		PAGE("\"b\"", ""), NULL};
	struct fixture f;
	char got[64] = "";
	uint64_t left_out = 0;
	struct list_call call = {.kind = LIST_CATALOG, .item = take_name, .user = got};
	(void)state;
	set_up(&f, answers, NULL);
	assert_int_equal(list_run(f.registry, &call, &left_out, &f.err), 0);
	assert_string_equal(got, "ab");
	assert_int_equal(left_out, 1);
	assert_true(asked(&f, 1, "GET /v2/_catalog?last=a HTTP/1.1\r\nHost: 127.0.0.1"));
	tear_down(&f);
}

static void a_refused_page_size_is_learned(void **state)
{
	static const char *const answers[] = {
		"HTTP/1.1 400 B\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
		PAGE("\"a\"", ""), NULL};
	struct fixture f;
	char got[64] = "";
	struct list_call call = {.kind = LIST_CATALOG, .item = take_name, .user = got};
	(void)state;
	set_up(&f, answers, NULL);
	assert_int_equal(list_run(f.registry, &call, NULL, &f.err), 0);
	assert_string_equal(got, "a");
	assert_true(asked(&f, 1, "GET /v2/_catalog HTTP"));
	tear_down(&f);
}

static void a_list_that_goes_round_is_not_whole(void **state)
{
	static const char *const circle[] = {
		PAGE("\"a\"", "Link: </v2/_catalog?last=a>; rel=next\r\n"),
		PAGE("\"b\"", "Link: </v2/_catalog?last=a>; rel=next\r\n"), NULL};
	static const char *const same[] = {
		PAGE("\"a\"", "Link: </v2/_catalog?last=1>; rel=next\r\n"),
		PAGE("\"a\"", "Link: </v2/_catalog?last=2>; rel=next\r\n"), NULL};
	static const char *const *const scripts[] = {circle, same};
	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(scripts); i++) {
		struct fixture f;
		char got[64] = "";
		struct list_call call = {.kind = LIST_CATALOG, .item = take_name, .user = got};
		set_up(&f, scripts[i], NULL);
		assert_int_equal(list_run(f.registry, &call, NULL, &f.err), BERTH_E_PROTOCOL);
		assert_non_null(strstr(f.err.message, "not whole"));
		tear_down(&f);
	}
}

static void a_manifest_has_the_digest_it_is_asked_by(void **state)
{
	static const char *const answers[] = {OK("{}"), NULL};
	static const char other[] =
		"sha256:0000000000000000000000000000000000000000000000000000000000000000";
	static const char right[] =
		"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a";
	struct fetch_item bad = {.reference = other}, good = {.reference = right};
	struct fetch_item head = {.reference = "tag", .head_only = true};
	struct fixture f;
	(void)state;
	set_up(&f, answers, NULL);
	assert_int_equal(fetch_manifests(f.registry, "a", &bad, 1, &f.err), BERTH_E_DIGEST);
	f.err = (struct berth_error)ERROR_INIT;
	assert_int_equal(fetch_manifests(f.registry, "a", &good, 1, &f.err), 0);
	assert_true(good.is_found);
	/* No digest header in the HEAD's answer: the body is asked for and hashed. */
	assert_int_equal(fetch_manifests(f.registry, "a", &head, 1, &f.err), 0);
	assert_string_equal(head.digest, right);
	fetch_items_done(&good, 1);
	tear_down(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_password_is_sent_only_when_asked_for),
		cmocka_unit_test(a_refused_password_is_tried_once),
		cmocka_unit_test(a_token_is_fetched_once_for_a_scope),
		cmocka_unit_test(a_401_after_a_fresh_token_ends),
		cmocka_unit_test(an_expired_token_is_replaced_once),
		cmocka_unit_test(a_foreign_realm_gets_nothing),
		cmocka_unit_test(an_unknown_way_of_asking_is_named),
		cmocka_unit_test(a_burst_meets_one_challenge),
		cmocka_unit_test(an_empty_challenge_means_no_referrers_api),
		cmocka_unit_test(credentials_stay_at_home_in_a_redirect),
		cmocka_unit_test(redirects_end_after_five),
		cmocka_unit_test(only_blob_reads_follow_redirects),
		cmocka_unit_test(an_upload_goes_to_its_own_origin_only),
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
		cmocka_unit_test(a_dripping_server_is_left),
		cmocka_unit_test(a_silent_server_meets_the_time_limit),
		cmocka_unit_test(a_paused_download_goes_on),
		cmocka_unit_test(a_paused_upload_goes_on),
		cmocka_unit_test(a_request_may_be_freed_in_its_own_callback),
		cmocka_unit_test(a_catalog_is_read_to_its_end),
		cmocka_unit_test(a_refused_page_size_is_learned),
		cmocka_unit_test(a_list_that_goes_round_is_not_whole),
		cmocka_unit_test(a_manifest_has_the_digest_it_is_asked_by),
	};
	curl_global_init(CURL_GLOBAL_ALL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
