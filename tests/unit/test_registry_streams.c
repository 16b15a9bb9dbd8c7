/* SPDX-License-Identifier: Apache-2.0 */
/* The registry client's streams that pause, its lists and its manifests. */
#include "core/oci/fetch.h"
#include "core/oci/lists.h"
#include "registry_fixture.h"

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
	static const char *const answers[] = {EMPTY("400 B", ""), PAGE("\"a\"", ""), NULL};
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
