/* SPDX-License-Identifier: Apache-2.0 */
/* The conventions of the control API that the server keeps for every handler:
 * lists, ETags, patches, idempotency keys, dry runs, ids, roles, audit. */
#include "http_exchange.h"

static void lists_have_views_and_a_next_page(void **state)
{
	(void)state;
	get("GET /things?limit=2&q=a+b%26c" H END);
	SAYS("\"next\":\"/things?cursor=next%20cursor&limit=2&"
	     "q=a%20b%26c\"");
	SAYS("Link: </things?cursor=next%20cursor&limit=2&q=a%20b%26c>; "
	     "rel=\"next\"\r\n");
	SAYS("\"total\":2");
	get("GET /things?recursion=0" H END);
	SAYS("\"items\":[\"/things/a\",\"/things/b\"]");
	get("GET /things?fields=name" H END);
	SAYS("\"items\":[{\"name\":\"a\"},{\"name\":\"b\"}]");
}

static void etags_decide(void **state)
{
	char etag[80], bytes[400];
	const char *at;
	(void)state;
	get("GET /things/a" H END);
	at = strstr(answer, "ETag: ");
	assert_non_null(at);
	snprintf(etag, sizeof etag, "%.*s", (int)strcspn(at + 6, "\r"), at + 6);
	snprintf(bytes, sizeof bytes, "GET /things/a" H "If-None-Match: \"x\", %s\r\n" END, etag);
	answers(bytes, 304);
	SAYS(etag);
	snprintf(bytes, sizeof bytes, "DELETE /things/a" H "If-Match: %s\r\n" END, etag);
	answers(bytes, 204);
	snprintf(bytes, sizeof bytes, "DELETE /things/a" H "If-Match: W/%s\r\n" END, etag);
	answers(bytes, 412);
	SAYS(etag);
	EXPECT({"DELETE /things/a" H "If-Match: \"old\"\r\n" END, 412, "precondition-failed"},
	       {"DELETE /things/a" H END, 428, "precondition-required"},
	       {"DELETE /things/a" H "If-Match: *\r\n" END, 204, ""},
	       {"DELETE /things/absent" H "If-Match: *\r\n" END, 412, "precondition-failed"},
	       {"PUT /things/a" H JSON "If-None-Match: *\r\nContent-Length: 12\r\n" END
		"{\"name\":\"a\"}",
		412, "precondition-failed"},
	       {"PUT /things/absent" H JSON "If-None-Match: *\r\nContent-Length: 17\r\n" END
		"{\"name\":\"absent\"}",
		204, ""});
}

static void patches_merge_and_are_checked_as_a_whole(void **state)
{
	(void)state;
	EXPECT({PATCH("{\"count\":null}", "14"), 204, ""}, {PATCH("{\"count\":9}", "11"), 204, ""},
	       {PATCH("{\"name\":null}", "13"), 422, "validation-failed"},
	       {PATCH("{\"count\":\"x\"}", "13"), 422, "validation-failed"},
	       {PATCH("{\"extra\":null}", "14"), 422, "validation-failed"});
}

#define KEYED(key, body, length)                                                                   \
	"POST /things" H JSON "Idempotency-Key: " key "\r\nContent-Length: " length "\r\n" END body

static void idempotency_keys_give_the_first_answer_again(void **state)
{
	(void)state;
	answers(KEYED("k1", "{\"name\":\"a\"}", "12"), 201);
	SAYS_NOT("Idempotency-Replayed");
	answers(KEYED("k1", "{\"name\":\"a\"}", "12"), 201);
	SAYS("Idempotency-Replayed: true\r\n");
	SAYS("Location: /things/a\r\n");
	SAYS("{\"name\":\"a\"}");
	assert_int_equal(calls, 1);
	EXPECT({KEYED("k1", "{\"name\":\"b\"}", "12"), 422, "key-reused"},
	       {KEYED("disk-full", "{\"name\":\"c\"}", "12"), 507, "disk-full"},
	       {KEYED("", "{\"name\":\"c\"}", "12"), 400, "header-invalid"});
	key_runs = true;
	EXPECT({KEYED("k2", "{\"name\":\"b\"}", "12"), 409, "key-in-use"});
}

static void dry_run_keeps_no_key_but_for_an_operation(void **state)
{
	(void)state;
	answers("POST /things?dry_run=true" H JSON
		"Idempotency-Key: k3\r\nContent-Length: 12\r\n" END "{\"name\":\"a\"}",
		201);
	assert_null(kept_answer);
	answers("POST /hold?dry_run=true" H "Idempotency-Key: k4\r\n" END, 202);
	assert_non_null(kept_answer);
}

static void request_ids_are_echoed_or_made(void **state)
{
	(void)state;
	get("GET /things" H "X-Request-Id: my_id-1\r\n" END);
	SAYS("X-Request-Id: my_id-1\r\n");
	get("GET /nothing" H "X-Request-Id: bad id\r\n" END);
	SAYS_NOT("bad id");
	SAYS("\"instance\":\"");
}

static void connections_are_kept_and_pipelines_answered_in_order(void **state)
{
	static const char three[] = "GET /refs/one" H END "GET /refs/two" H END "GET /refs/three" H
				    "Connection: close\r\n" END;
	int fd = client_connect(&place);
	size_t n = 0;
	uint64_t end = clock_monotonic_ms() + PATIENCE_MS;
	(void)state;
	say(fd, three);
	while (clock_monotonic_ms() < end) {
		ssize_t got = recv(fd, answer + n, sizeof answer - n - 1, 0);
		if (got == 0)
			break;
		n += got > 0 ? (size_t)got : 0;
		turn(&place, fd, 20);
	}
	answer[n] = 0;
	const char *one = strstr(answer, "\"one\""), *two = strstr(answer, "\"two\"");
	const char *last = strstr(answer, "\"three\"");
	assert_true(one && two && last && one < two && two < last);
	close(fd);
}

static void no_viewer(struct http_config *c)
{
	c->access.private_admin_uid = ACCESS_NO_ID;
}

static void as_viewer(struct http_config *c)
{
	c->access.private_admin_uid = ACCESS_NO_ID;
	c->access.viewer_gid = getegid();
}

static void roles_are_checked_before_handlers(void **state)
{
	(void)state;
	answers("GET /admin" H END, 200);
	restart(no_viewer);
	ask_unprivileged("GET /admin" H END);
	STATUS(403);
	assert_int_equal(audited_status, 403);
	SAYS_NOT("\"secret\"");
	restart(as_viewer);
	ask_unprivileged("GET /admin" H END);
	STATUS(403);
	ask_unprivileged("GET /admin/thing" H END);
	STATUS(404);
}

/* In one go on one connection: so many a second are audited, and requests one by
 * one may be slower than that. */
static void refusals_are_audited_but_not_without_end(void **state)
{
	enum { REFUSALS = 150 };
	static const char one[] = "GET /admin" H END,
			  last[] = "GET /x" H "Connection: close\r\n" END;
	static char many[REFUSALS * sizeof one + sizeof last];
	(void)state;
	restart(no_viewer);
	audited_count = 0;
	for (size_t i = 0; i < REFUSALS; i++)
		memcpy(many + i * (sizeof one - 1), one, sizeof one);
	memcpy(many + REFUSALS * (sizeof one - 1), last, sizeof last);
	int fd = connect_unprivileged();
	say(fd, many);
	assert_true(client_is_cut(&place, fd));
	close(fd);
	assert_in_range(audited_count, 1, REFUSALS - 1);
}

static void a_change_and_its_audit_row_are_one(void **state)
{
	(void)state;
	change_begins = true;
	changes_begun = changes_ended = audited_count = 0;
	answers(KEYED("c1", "{\"name\":\"a\"}", "12"), 201);
	assert_int_equal(audited_status, 201);
	answers(KEYED("c1", "{\"name\":\"a\"}", "12"), 201); /* replayed */
	answers(KEYED("c1", "{\"name\":\"b\"}", "12"), 422);
	assert_int_equal(audited_status, 422);
	assert_int_equal(changes_begun, 3);
	assert_int_equal(changes_ended, 3);
	assert_int_equal(audited_count, 0); /* they have their rows */
	change_fails = true;
	EXPECT({KEYED("c2", "{\"name\":\"a\"}", "12"), 507, "disk-full"},
	       {KEYED("c2", "{\"name\":\"b\"}", "12"), 422, "key-reused"});
	change_begins = change_fails = false;
	answers(KEYED("c3", "{\"name\":\"a\"}", "12"), 201);
	assert_true(audited_count > 0); /* after the answer, then */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(lists_have_views_and_a_next_page),
		T(etags_decide),
		T(patches_merge_and_are_checked_as_a_whole),
		T(idempotency_keys_give_the_first_answer_again),
		T(dry_run_keeps_no_key_but_for_an_operation),
		T(request_ids_are_echoed_or_made),
		T(connections_are_kept_and_pipelines_answered_in_order),
		T(a_change_and_its_audit_row_are_one),
		T(roles_are_checked_before_handlers),
		T(refusals_are_audited_but_not_without_end),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
