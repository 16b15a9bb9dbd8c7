/* SPDX-License-Identifier: Apache-2.0 */
/* The registry client's credentials, redirects and upload locations: what goes
 * where, and what goes nowhere. */
#include "core/oci/referrers.h"
#include "registry_fixture.h"

static const struct registry_settings with_user = {.username = "user", .password = "pass"};
#define USER_PASS "Authorization: Basic dXNlcjpwYXNz" /* user:pass */

static void a_password_is_sent_only_when_asked_for(void **state)
{
	static const char *const answers[] = {CHALLENGE_BASIC, OK("{}"), NULL};
	struct fixture f;
	(void)state;
	set_up(&f, answers, &with_user);
	assert_int_equal(get(&f, "/v2/"), 0);
	assert_int_equal(get(&f, "/v2/"), 0);
	assert_int_equal(f.server.request_count, 3);
	assert_false(asked(&f, 0, "Authorization:"));
	assert_true(asked(&f, 1, USER_PASS));
	assert_true(asked(&f, 2, USER_PASS));
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
	int found = 0;
	bool by_api = true;
	(void)state;
	set_up(&f, answers, &with_user);
	assert_int_equal(
		referrers_list(f.registry, "a/b", digest, count_referrer, &found, &by_api, &f.err),
		0);
	assert_false(by_api);
	assert_int_equal(found, 0);
	tear_down(&f);
	/* Elsewhere it asks for credentials. */
	set_up(&f, answers, &with_user);
	assert_int_equal(get(&f, "/v2/a/tags/list"), BERTH_E_AUTH);
	tear_down(&f);
}

static void a_refused_password_is_tried_once(void **state)
{
	static const char *const answers[] = {CHALLENGE_BASIC, NULL};
	struct fixture f;
	(void)state;
	set_up(&f, answers, &with_user);
	assert_int_equal(get(&f, "/v2/"), BERTH_E_AUTH);
	assert_int_equal(f.server.request_count, 2);
	assert_null(strstr(f.err.message, "pass:"));
	tear_down(&f);
}

static void a_token_is_fetched_once_for_a_scope(void **state)
{
	static const char *const answers[] = {OWN_REALM, OK("{\"token\":\"t1\"}"), OK("{}"), NULL};
	struct fixture f;
	(void)state;
	set_up(&f, answers, &with_user);
	assert_int_equal(get(&f, "/v2/a/tags/list"), 0);
	assert_int_equal(get(&f, "/v2/a/tags/list"), 0);
	assert_int_equal(f.server.request_count, 4);
	assert_true(
		asked(&f, 1, "GET /token?service=s&scope=repository%3Aa%3Apull&client_id=berth"));
	assert_true(asked(&f, 1, USER_PASS));
	assert_true(asked(&f, 2, "Authorization: Bearer t1"));
	assert_true(asked(&f, 3, "Authorization: Bearer t1"));
	assert_int_equal(registry_counts(f.registry)->token_requests, 1);
	tear_down(&f);
}

static void a_401_after_a_fresh_token_ends(void **state)
{
	static const char *const answers[] = {OWN_REALM, OK("{\"token\":\"t1\"}"), OWN_REALM, NULL};
	struct fixture f;
	(void)state;
	set_up(&f, answers, &with_user);
	assert_int_equal(get(&f, "/v2/a/tags/list"), BERTH_E_AUTH);
	assert_int_equal(f.server.request_count, 3);
	tear_down(&f);
}

static void an_expired_token_is_replaced_once(void **state)
{
	static const char *const answers[] = {OWN_REALM, OK("{\"token\":\"t1\"}"), OK("{}"),
					      OWN_REALM, OK("{\"token\":\"t2\"}"), OK("{}"),
					      NULL};
	struct fixture f;
	(void)state;
	set_up(&f, answers, &with_user);
	assert_int_equal(get(&f, "/v2/a/tags/list"), 0);
	assert_int_equal(get(&f, "/v2/a/tags/list"), 0);
	assert_true(asked(&f, 3, "Bearer t1"));
	assert_true(asked(&f, 5, "Bearer t2"));
	tear_down(&f);
}

static void a_foreign_realm_gets_nothing(void **state)
{
	static const char *const answers[] = {CHALLENGE_BEARER("http://127.0.0.2:%PORT%/token"),
					      NULL};
	struct fixture f;
	(void)state;
	set_up(&f, answers, &with_user);
	assert_int_equal(get(&f, "/v2/"), BERTH_E_DENIED);
	assert_non_null(strstr(f.err.message, "127.0.0.2"));
	assert_int_equal(f.server.request_count, 1);
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
		snprintf(answer, sizeof answer, EMPTY("401 U", "WWW-Authenticate: %s\r\n"),
			 cases[i].header);
		set_up(&f, answers, &with_user);
		assert_int_equal(get(&f, "/v2/"), BERTH_E_AUTH);
		if (!strstr(f.err.message, cases[i].says))
			fail_msg("%s", f.err.message);
		assert_int_equal(f.server.request_count, 1);
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

static void credentials_stay_at_home_in_a_redirect(void **state)
{
	static const char *const away[] = {OK("blob"), NULL};
	struct fixture f;
	struct scripted other;
	char redirect[300];
	(void)state;
	scripted_start(&other, away);
	snprintf(redirect, sizeof redirect,
		 EMPTY("307 T", "Location: http://127.0.0.1:%u/blob?sig=1\r\n"), other.port);
	const char *const answers[] = {CHALLENGE_BASIC, redirect, NULL};
	set_up(&f, answers, &with_user);
	assert_int_equal(get(&f, "/v2/a/blobs/x"), 0);
	assert_string_equal(buf_text(registry_body(f.q)), "blob");
	assert_true(asked(&f, 1, USER_PASS));
	assert_null(strcasestr(other.requests[0], "authorization"));
	tear_down(&f);
	scripted_stop(&other);
}

static void redirects_end_after_five(void **state)
{
	static const char *const answers[] = {EMPTY("302 T", "Location: /again\r\n"), NULL};
	struct fixture f;
	(void)state;
	set_up(&f, answers, NULL);
	assert_int_equal(get(&f, "/v2/a/blobs/x"), BERTH_E_PROTOCOL);
	assert_int_equal(f.server.request_count, 6);
	tear_down(&f);
}

static void only_blob_reads_follow_redirects(void **state)
{
	static const char *const answers[] = {
		EMPTY("302 T", "Location: http://127.0.0.2/x?secret=1\r\n"), NULL};
	struct fixture f;
	struct registry_call call = {.method = "PUT",
				     .path = "/v2/a/manifests/x",
				     .follow = true,
				     .body = "{}",
				     .body_byte_count = 2};
	(void)state;
	set_up(&f, answers, NULL);
	assert_int_equal(wait_for(&f, &call), BERTH_E_PROTOCOL);
	assert_non_null(strstr(f.err.cause, "127.0.0.2"));
	assert_null(strstr(f.err.cause, "secret"));
	assert_int_equal(f.server.request_count, 1);
	tear_down(&f);
}

static int location_of(const char *location, const char *upload_hosts, char **ret,
		       struct berth_error *err)
{
	struct fixture f;
	char answer[300];
	struct registry_settings s = {.upload_hosts = upload_hosts};
	struct registry_call call = {.method = "POST", .path = "/v2/a/blobs/uploads/"};
	snprintf(answer, sizeof answer, EMPTY("202 A", "Location: %s\r\n"), location);
	const char *const answers[] = {answer, NULL};
	set_up(&f, answers, &s);
	int r = wait_for(&f, &call);
	if (!r)
		r = registry_location(f.q, ret, &f.err);
	*err = f.err;
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

/* A DELETE there, to cancel, would be an image's. */
static void an_upload_goes_to_no_image(void **state)
{
	static const char *const bad[] = {"/v2/a/manifests/latest", "/v2/a/manifests/latest/?x=1",
					  "/v2/a/%6danifests/b",    "/v2/a/blobs/../manifests/b",
					  "/v2/a/blobs/sha256:00",  "/v2/a/blobs/sha256%3A00"};
	static const char *const good[] = {"/v2/manifests/blobs/uploads/1",
					   "/v2/a/manifests/blobs/upload/1", "/v2/a/blobs/1-2-3",
					   "/uploads/1?to=/v2/a/manifests/b", "/1"};
	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct berth_error err = ERROR_INIT;
		char *url = NULL;
		assert_int_equal(location_of(bad[i], NULL, &url, &err), BERTH_E_PROTOCOL);
		assert_non_null(strstr(err.message, "manifest"));
		assert_null(url);
	}
	for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
		struct berth_error err = ERROR_INIT;
		AUTO_FREE char *url = NULL;
		assert_int_equal(location_of(good[i], NULL, &url, &err), 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_password_is_sent_only_when_asked_for),
		cmocka_unit_test(an_empty_challenge_means_no_referrers_api),
		cmocka_unit_test(a_refused_password_is_tried_once),
		cmocka_unit_test(a_token_is_fetched_once_for_a_scope),
		cmocka_unit_test(a_401_after_a_fresh_token_ends),
		cmocka_unit_test(an_expired_token_is_replaced_once),
		cmocka_unit_test(a_foreign_realm_gets_nothing),
		cmocka_unit_test(an_unknown_way_of_asking_is_named),
		cmocka_unit_test(a_burst_meets_one_challenge),
		cmocka_unit_test(credentials_stay_at_home_in_a_redirect),
		cmocka_unit_test(redirects_end_after_five),
		cmocka_unit_test(only_blob_reads_follow_redirects),
		cmocka_unit_test(an_upload_goes_to_its_own_origin_only),
		cmocka_unit_test(an_upload_goes_to_no_image),
	};
	curl_global_init(CURL_GLOBAL_ALL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
