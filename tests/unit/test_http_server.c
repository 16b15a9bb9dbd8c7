/* SPDX-License-Identifier: Apache-2.0 */
/* The HTTP server by raw bytes over a real socket, with a route table of its
 * own: each refusal, each convention, deadlines, limits, holds and streams.
 */
#include "http_client.h"

#include "core/http/list.h"
#include "core/http/patch.h"
#include "core/http/stream.h"

/* The table. */

static const struct schema text_schema = {
	.types = SCHEMA_STRING, .min = INT64_MIN, .max = INT64_MAX, .count_max = 64};
static const struct schema name_schema = {
	.types = SCHEMA_STRING, .min = INT64_MIN, .max = INT64_MAX, .format = SCHEMA_FORMAT_NAME};
static const struct schema count_schema = {.types = SCHEMA_INTEGER, .min = 1, .max = 1000};
static const struct schema bit_schema = {.types = SCHEMA_INTEGER, .min = 0, .max = 1};
static const struct schema flag_schema = {.types = SCHEMA_BOOLEAN};
static const struct schema fields_schema = {.types = SCHEMA_ARRAY, .items = &text_schema};
static const struct schema_property thing_members[] = {
	{"name", &name_schema, true, false},
	{"count", &count_schema, false, false},
	{"made_at", &text_schema, false, true},
};
static const struct schema thing_schema = {
	.types = SCHEMA_OBJECT, .properties = thing_members, .property_count = 3};
static const struct route_param name_param[] = {{"name", true, true, false, &name_schema},
						{"dry_run", false, false, false, &flag_schema}};
static const struct route_param ref_param[] = {{"ref", true, true, true, &text_schema}};
static const struct route_param list_params[] = {{"limit", false, false, false, &count_schema},
						 {"fields", false, false, false, &fields_schema},
						 {"recursion", false, false, false, &bit_schema},
						 {"q", false, false, false, &text_schema}};
static const struct route_param create_params[] = {{"dry_run", false, false, false, &flag_schema}};
static const char *const json_only[] = {"application/json", NULL};
static const char *const stream_types[] = {"application/x-ndjson", "text/event-stream", NULL};
static const char *const thing_fields[] = {"name", "count", NULL};
static const char *const seg_admin[] = {"admin"}, *const seg_hold[] = {"hold"};
static const char *const seg_secret[] = {"admin", "{name}"};
static const char *const seg_refs[] = {"refs", "{ref}"}, *const seg_stream[] = {"stream"};
static const char *const seg_things[] = {"things"}, *const seg_thing[] = {"things", "{name}"};

static route_handler get_admin, get_hold, post_hold, get_ref, get_stream, list_things, make_thing,
	get_thing, change_thing;

#define ROW(m, p, s, n, h, r)                                                                      \
	.method = m, .path = p, .operation = #h, .handle = h, .segments = s, .segment_count = n,   \
	.role = r, .produces = json_only
const struct route routes[] = {
	{ROW(METHOD_GET, "/admin", seg_admin, 1, get_admin, ROLE_ADMIN), .audit = AUDIT_CHANGE},
	{ROW(METHOD_GET, "/admin/{name}", seg_secret, 2, get_admin, ROLE_ADMIN),
	 .params = name_param, .param_count = 1},
	{ROW(METHOD_GET, "/hold", seg_hold, 1, get_hold, ROLE_NONE)},
	{ROW(METHOD_POST, "/hold", seg_hold, 1, post_hold, ROLE_NONE), .idempotent = true,
	 .params = create_params, .param_count = 1},
	{ROW(METHOD_GET, "/refs/{ref}", seg_refs, 2, get_ref, ROLE_NONE), .params = ref_param,
	 .param_count = 1},
	{.method = METHOD_GET,
	 .path = "/stream",
	 .operation = "get_stream",
	 .handle = get_stream,
	 .segments = seg_stream,
	 .segment_count = 1,
	 .produces = stream_types},
	{ROW(METHOD_GET, "/things", seg_things, 1, list_things, ROLE_NONE), .params = list_params,
	 .param_count = 4, .item_fields = thing_fields},
	{ROW(METHOD_POST, "/things", seg_things, 1, make_thing, ROLE_NONE), .idempotent = true,
	 .params = create_params, .param_count = 1, .body_type = "application/json",
	 .body_required = true, .body = &thing_schema},
	{ROW(METHOD_GET, "/things/{name}", seg_thing, 2, get_thing, ROLE_NONE),
	 .params = name_param, .param_count = 1},
	{ROW(METHOD_PUT, "/things/{name}", seg_thing, 2, change_thing, ROLE_NONE),
	 .params = name_param, .param_count = 2, .body_type = "application/json",
	 .body_required = true, .body = &thing_schema},
	{ROW(METHOD_PATCH, "/things/{name}", seg_thing, 2, change_thing, ROLE_NONE),
	 .params = name_param, .param_count = 2, .body_type = "application/merge-patch+json",
	 .body_required = true, .body = &thing_schema},
	{ROW(METHOD_DELETE, "/things/{name}", seg_thing, 2, change_thing, ROLE_NONE),
	 .params = name_param, .param_count = 2},
};
const size_t route_count = ARRAY_COUNT(routes);
const char openapi_text[] = "{}";
const size_t openapi_text_bytes = 2;

/* The handlers. */

static int calls;

static void get_admin(struct request *q, struct answer *a)
{
	(void)q;
	answer_json(a, 200, json_pack("{s:b}", "secret", 1));
}

static void get_ref(struct request *q, struct answer *a)
{
	answer_json(a, 200, json_pack("{s:s}", "ref", request_param(q, "ref")));
}

static void get_hold(struct request *q, struct answer *a)
{
	(void)q;
	calls++;
	if (answer_woken(a)) {
		answer_json(a, 200, json_pack("{s:b}", "timed_out", answer_timed_out(a)));
		return;
	}
	answer_hold_topic(a, "topic");
	answer_hold(a, 1);
}

static void post_hold(struct request *q, struct answer *a)
{
	calls++;
	if (answer_woken(a)) {
		answer_json(a, 200, json_pack("{s:s}", "state", "succeeded"));
		return;
	}
	answer_accepted(a, "00000000-0000-4000-8000-000000000000", json_pack("{s:s}", "id", "x"));
	answer_hold_topic(a, "topic");
	if (request_wait_s(q))
		answer_hold(a, request_wait_s(q));
}

static json_t *thing(const char *name)
{
	return json_pack("{s:s,s:i}", "name", name, "count", 7);
}

static void list_things(struct request *q, struct answer *a)
{
	answer_list(a, q, json_pack("[o,o]", thing("a"), thing("b")), "next cursor", 2);
}

static void make_thing(struct request *q, struct answer *a)
{
	AUTO_JSON json_t *desired = json_deep_copy(request_body(q));
	calls++;
	answer_created(a, "/things/a", json_deep_copy(desired), desired, 1);
}

static void get_thing(struct request *q, struct answer *a)
{
	AUTO_JSON json_t *desired = thing(request_param(q, "name"));
	if (!strcmp(request_param(q, "name"), "absent"))
		answer_problem(a, 0, "not-found", NULL, "berthctl thing list");
	else
		answer_resource(a, q, json_deep_copy(desired), desired, 3);
}

static void change_thing(struct request *q, struct answer *a)
{
	const char *name = request_param(q, "name");
	bool exists = strcmp(name, "absent") != 0;
	AUTO_JSON json_t *desired = thing(name);
	if (!answer_precondition(a, q, exists, desired, 3))
		return;
	calls++;
	AUTO_JSON json_t *merged = json_merge_patch(desired, request_body(q));
	if (!strcmp(request_method(q), "PATCH") && !answer_check(a, "make_thing", merged))
		return;
	answer_empty(a, 204);
}

static struct stream *open_stream;
static int streams_closed;

static void on_closed(void *user)
{
	(void)user;
	open_stream = NULL;
	streams_closed++;
}

static void get_stream(struct request *q, struct answer *a)
{
	static const struct stream_ops ops = {.closed = on_closed};
	open_stream = answer_stream(a, q, &ops, NULL);
}

/* The hooks: one remembered key, and what audit was told. */

static char kept_key[256], kept_body[256];
static json_t *kept_answer;
static bool key_runs;
static int audited_status, audited_count;

static int key_begin(struct daemon_state *daemon, const struct http_key *key,
		     enum http_key_state *ret_state, json_t **ret_answer, struct berth_error *err)
{
	(void)daemon;
	(void)err;
	if (key_runs) {
		*ret_state = HTTP_KEY_RUNNING;
		return 0;
	}
	if (kept_answer && !strcmp(kept_key, key->key)) {
		bool same = !strcmp(kept_body, key->body);
		*ret_state = same ? HTTP_KEY_REPLAY : HTTP_KEY_OTHER_BODY;
		*ret_answer = json_incref(kept_answer);
		return 0;
	}
	snprintf(kept_key, sizeof kept_key, "%s", key->key);
	snprintf(kept_body, sizeof kept_body, "%s", (const char *)key->body);
	*ret_state = HTTP_KEY_NEW;
	return 0;
}

static int key_finish(struct daemon_state *daemon, const struct http_key *key, const json_t *answer,
		      struct berth_error *err)
{
	(void)daemon;
	if (!strcmp(key->key, "disk-full"))
		return berth_fail(err, BERTH_E_QUOTA, "no room for the row");
	json_decref(kept_answer);
	kept_answer = answer ? json_deep_copy(answer) : NULL;
	return 0;
}

static void audit(struct daemon_state *daemon, const struct http_audit *entry)
{
	(void)daemon;
	audited_status = entry->status;
	audited_count++;
}

static const struct http_hooks hooks = {
	.key_begin = key_begin, .key_finish = key_finish, .audit = audit};

static struct place place;
static char answer[1 << 16];

static struct http_config small_config(void)
{
	struct http_config c = {.limits = {.line_max_bytes = 8192,
					   .headers_max_bytes = 16384,
					   .body_max_bytes = 4096,
					   .bulk_body_max_bytes = 8192,
					   .head_ms = 60000,
					   .body_gap_ms = 60000,
					   .idle_ms = 60000,
					   .exchange_ms = 60000,
					   .connections_max = 12,
					   .connections_per_user_max = 8,
					   .streams_max = 2,
					   .wait_max_s = 1,
					   .reader_max_bytes = 4096,
					   .keep_alive_ms = 60000},
				.access = {.admin_gid = ACCESS_NO_ID,
					   .operator_gid = ACCESS_NO_ID,
					   .viewer_gid = ACCESS_NO_ID,
					   .private_admin_uid = getuid()},
				.hooks = &hooks};
	return c;
}

static int set_up(void **state)
{
	struct http_config c = small_config();
	(void)state;
	calls = streams_closed = audited_status = 0;
	kept_key[0] = 0;
	key_runs = false;
	place_open(&place, &c);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	place_close(&place);
	json_decref(kept_answer);
	kept_answer = NULL;
	return 0;
}

static void restart(void (*change)(struct http_config *))
{
	struct http_config c = small_config();
	change(&c);
	place_close(&place);
	place_open(&place, &c);
}

/* Each row: what is sent, the status, the problem's code ("" none). */
struct exchange {
	const char *bytes;
	int status;
	const char *code;
};
#define H " HTTP/1.1\r\nHost: x\r\n"
#define END "\r\n"
#define JSON "Content-Type: application/json\r\n"

static void expect(const struct exchange *rows, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		char code[96];
		ask(&place, rows[i].bytes, answer, sizeof answer);
		snprintf(code, sizeof code, "\"code\":\"%s\"", rows[i].code);
		if (status_of(answer) != rows[i].status ||
		    (rows[i].code[0] && !strstr(answer, code)))
			print_message("sent %s\ngot %s\nwanted %d %s\n", rows[i].bytes, answer,
				      rows[i].status, rows[i].code);
		assert_int_equal(status_of(answer), rows[i].status);
		if (rows[i].code[0])
			assert_non_null(strstr(answer, code));
		if (rows[i].status >= 400)
			assert_non_null(strstr(answer, "application/problem+json"));
		assert_non_null(strstr(answer, "X-Request-Id: "));
	}
}
#define EXPECT(...)                                                                                \
	do {                                                                                       \
		static const struct exchange rows_[] = {__VA_ARGS__};                              \
		expect(rows_, ARRAY_COUNT(rows_));                                                 \
	} while (0)

static void malformed_heads_are_refused(void **state)
{
	(void)state;
	EXPECT({"BREW /things" H END, 400, "malformed-request"},
	       {"G(T /things" H END, 400, "malformed-request"},
	       {"get /things" H END, 400, "malformed-request"},
	       {"GET /things HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n", 400, "malformed-request"},
	       {"GET /things" H "X: a\001b\r\n" END, 400, "malformed-request"},
	       {"GET /things" H "X: a\177b\r\n" END, 400, "malformed-request"},
	       {"GET /things" H "X y: a\r\n" END, 400, "malformed-request"},
	       {"GET /thing\001s" H END, 400, "malformed-request"},
	       {"GET /thing\303\244s" H END, 400, "malformed-request"},
	       {"GET http://x/things" H END, 400, "path-invalid"},
	       {"GET *" H END, 400, "path-invalid"},
	       {"POST /things" H JSON "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n" END
		"2\r\n{}\r\n0\r\n\r\n",
		400, "malformed-request"},
	       {"POST /things" H JSON "Transfer-Encoding: gzip, chunked\r\n" END, 400,
		"malformed-request"},
	       {"POST /things" H JSON JSON "Content-Length: 2\r\n" END "{}", 400,
		"malformed-request"},
	       {"PUT /things/a" H "If-Match: *\r\nIf-Match: *\r\nContent-Length: 2\r\n" JSON END
		"{}",
		400, "malformed-request"},
	       {"POST /things" H
		"Idempotency-Key: a\r\nIdempotency-Key: b\r\nContent-Length: 2\r\n" JSON END "{}",
		400, "malformed-request"});
}

static void connection_is_closed_after_a_malformed_head(void **state)
{
	int fd = client_connect(&place);
	static const char text[] = "BREW /things" H END;
	(void)state;
	client_send(&place, fd, text, sizeof text - 1);
	client_read(&place, fd, answer, sizeof answer, false);
	assert_non_null(strcasestr(answer, "Connection: close"));
	assert_true(client_is_cut(&place, fd));
	close(fd);
}

static void bad_paths_are_refused(void **state)
{
	(void)state;
	EXPECT({"GET /things/%2e%2e" H END, 400, "path-invalid"},
	       {"GET /things/../x" H END, 400, "path-invalid"},
	       {"GET /things/." H END, 400, "path-invalid"},
	       {"GET /things/a%00b" H END, 400, "path-invalid"},
	       {"GET /things/a%0ab" H END, 400, "path-invalid"},
	       {"GET /things/%c0%af" H END, 400, "path-invalid"},
	       {"GET /things/%ff" H END, 400, "path-invalid"},
	       {"GET /things/%zz" H END, 400, "path-invalid"},
	       {"GET /things/%2" H END, 400, "path-invalid"},
	       {"GET /things/a%2fb" H END, 400, "path-invalid"},
	       {"GET /refs/a%2Fb%3Atag" H END, 200, ""},
	       {"GET /refs/a%2F..%2Fb" H END, 400, "path-invalid"},
	       {"GET /1/2/3/4/5/6/7/8/9/10/11/12/13/14/15/16/17" H END, 400, "path-invalid"},
	       {"GET /things/UPPER" H END, 400, "parameter-invalid"},
	       {"GET /nothing" H END, 404, "not-found"}, {"GET /things/" H END, 404, "not-found"},
	       {"GET //things" H END, 404, "not-found"}, {"GET /" H END, 404, "not-found"});
	ask(&place, "GET /refs/a%2Fb%3Atag" H END, answer, sizeof answer);
	assert_non_null(strstr(answer, "\"ref\":\"a/b:tag\""));
}

static void methods_follow_the_table(void **state)
{
	(void)state;
	EXPECT({"DELETE /things" H END, 405, "method-not-allowed"},
	       {"PATCH /hold" H END, 405, "method-not-allowed"}, {"OPTIONS /things" H END, 204, ""},
	       {"HEAD /things" H END, 200, ""});
	ask(&place, "DELETE /things" H END, answer, sizeof answer);
	assert_non_null(strstr(answer, "Allow: OPTIONS, HEAD, GET, POST\r\n"));
	ask(&place, "HEAD /things" H END, answer, sizeof answer);
	assert_string_equal(strstr(answer, "\r\n\r\n"), "\r\n\r\n");
}

static void media_types_are_exact(void **state)
{
	(void)state;
	EXPECT({"POST /things" H "Content-Type: text/plain\r\nContent-Length: 2\r\n" END "{}", 415,
		"media-type-unsupported"},
	       {"POST /things" H "Content-Type: application/json; charset=utf-8\r\n"
		"Content-Length: 2\r\n" END "{}",
		415, "media-type-unsupported"},
	       {"POST /things" H "Content-Length: 2\r\n" END "{}", 415, "media-type-unsupported"},
	       {"POST /things" H JSON "Content-Encoding: gzip\r\nContent-Length: 2\r\n" END "{}",
		415, "media-type-unsupported"},
	       {"PATCH /things/a" H JSON "Content-Length: 2\r\n" END "{}", 415,
		"media-type-unsupported"},
	       {"GET /things" H "Accept: text/html\r\n" END, 406, "not-acceptable"},
	       {"GET /things" H "Accept: application/json;q=0, text/html\r\n" END, 406,
		"not-acceptable"},
	       {"GET /things" H "Accept: */*\r\n" END, 200, ""},
	       {"GET /things" H "Accept: text/html, application/*;q=0.5\r\n" END, 200, ""},
	       {"POST /things" H JSON END, 400, "body-missing"},
	       {"GET /things" H JSON "Content-Length: 2\r\n" END "{}", 400, "body-unexpected"},
	       {"DELETE /things/a" H "If-Match: *\r\nContent-Length: 0\r\n" END, 204, ""});
}

#define POST(body, length) "POST /things" H JSON "Content-Length: " length "\r\n" END body

static void bodies_are_parsed_strictly(void **state)
{
	(void)state;
	EXPECT({POST("{", "1"), 400, "json-invalid"},
	       {POST("{\"name\":\"a\",\"name\":\"b\"}", "23"), 400, "json-invalid"},
	       {POST("{\"name\":\"\\ud800\"}", "17"), 400, "json-invalid"},
	       {POST("{\"name\":\"\377\"}", "12"), 400, "json-invalid"},
	       {POST("{\"count\":1e999}", "15"), 400, "json-invalid"},
	       {POST("{} x", "4"), 400, "json-invalid"},
	       {POST("[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[", "65"),
		400, "json-limit"},
	       {POST("{\"name\":\"a\",\"cuont\":1}", "22"), 422, "validation-failed"},
	       {POST("{\"name\":\"a\",\"count\":1.5}", "24"), 422, "validation-failed"},
	       {POST("{\"name\":\"a\",\"count\":0}", "22"), 422, "validation-failed"},
	       {POST("{\"name\":\"A\"}", "12"), 422, "validation-failed"},
	       {POST("{\"name\":\"a\",\"made_at\":\"x\"}", "26"), 422, "validation-failed"},
	       {POST("[]", "2"), 422, "validation-failed"},
	       {POST("{}", "2"), 422, "validation-failed"},
	       {POST("{\"name\":\"a\"}", "12"), 201, ""});
	ask(&place, POST("{", "1"), answer, sizeof answer);
	assert_non_null(strstr(answer, "line 1, column 1"));
	ask(&place, POST("{\"name\":\"a\",\"cuont\":1}", "22"), answer, sizeof answer);
	assert_non_null(strstr(answer, "\"pointer\":\"/cuont\",\"code\":\"unknown-field\","
				       "\"detail\":\"no such field; did you mean count?\""));
	assert_int_equal(calls, 1);
}

static void every_fault_of_a_body_is_told(void **state)
{
	(void)state;
	ask(&place, POST("{\"count\":\"x\",\"a/b~c\":1}", "23"), answer, sizeof answer);
	assert_int_equal(status_of(answer), 422);
	assert_non_null(strstr(answer, "\"pointer\":\"/count\",\"code\":\"wrong-type\""));
	assert_non_null(strstr(answer, "\"pointer\":\"/a~1b~0c\",\"code\":\"unknown-field\""));
	assert_non_null(strstr(answer, "\"pointer\":\"/name\",\"code\":\"missing\""));
}

static void large_bodies_are_refused_before_they_are_read(void **state)
{
	static const char head[] =
		"POST /things" H JSON "Transfer-Encoding: chunked\r\n" END "ffff\r\n";
	size_t count = sizeof head - 1 + 0xffff;
	char *bytes = malloc(count);
	(void)state;
	EXPECT({POST("", "999999999"), 413, "body-too-large"},
	       {POST("", "4097"), 413, "body-too-large"});
	memset(bytes, ' ', count);
	memcpy(bytes, head, sizeof head - 1);
	ask_bytes(&place, bytes, count, answer, sizeof answer);
	assert_int_equal(status_of(answer), 413);
	free(bytes);
}

static void large_heads_are_refused(void **state)
{
	char *bytes = malloc(40000), *fill = malloc(20000);
	(void)state;
	memset(fill, 'a', 19999);
	fill[19999] = 0;
	snprintf(bytes, 40000, "GET /things?q=%.9000s" H END, fill);
	ask(&place, bytes, answer, sizeof answer);
	assert_int_equal(status_of(answer), 431);
	snprintf(bytes, 40000, "GET /things" H "X: %.17000s\r\n" END, fill);
	ask(&place, bytes, answer, sizeof answer);
	assert_int_equal(status_of(answer), 431);
	assert_non_null(strstr(answer, "head-too-large"));
	free(bytes);
	free(fill);
}

static void refused_small_bodies_are_read_and_the_connection_lives(void **state)
{
	static const char head[] = "GET /things" H JSON "Content-Length: 5\r\n" END;
	static const char next[] = "hello"
				   "GET /refs/next" H END;
	int fd = client_connect(&place);
	(void)state;
	client_send(&place, fd, head, sizeof head - 1);
	for (int i = 0; i < 5; i++)
		turn(&place, -1, 1);
	client_send(&place, fd, next, sizeof next - 1);
	client_read(&place, fd, answer, sizeof answer, false);
	assert_int_equal(status_of(answer), 400);
	if (!strstr(answer, "\"next\""))
		client_read(&place, fd, answer, sizeof answer, false);
	assert_non_null(strstr(answer, "\"ref\":\"next\""));
	close(fd);
}

static void chunked_bodies_are_taken(void **state)
{
	(void)state;
	ask(&place,
	    "POST /things" H JSON "Transfer-Encoding: chunked\r\n" END
	    "4\r\n{\"na\r\n8\r\nme\":\"a\"}\r\n0\r\n\r\n",
	    answer, sizeof answer);
	assert_int_equal(status_of(answer), 201);
	assert_non_null(strstr(answer, "Location: /things/a\r\n"));
}

static void parameters_are_checked(void **state)
{
	(void)state;
	EXPECT({"GET /things?limit=5" H END, 200, ""},
	       {"GET /things?limit=0" H END, 400, "parameter-invalid"},
	       {"GET /things?limit=x" H END, 400, "parameter-invalid"},
	       {"GET /things?limit=" H END, 400, "parameter-invalid"},
	       {"GET /things?limit=99999999999999999999" H END, 400, "parameter-invalid"},
	       {"GET /things?limit=1&limit=2" H END, 400, "parameter-invalid"},
	       {"GET /things?lmit=5" H END, 400, "parameter-unknown"},
	       {"GET /things?%00=5" H END, 400, "parameter-invalid"},
	       {"GET /things?q=%ff" H END, 400, "parameter-invalid"},
	       {"GET /things?q=%c0%80" H END, 400, "parameter-invalid"},
	       {"GET /things?fields=name,colour" H END, 400, "parameter-invalid"},
	       {"GET /things?&&" H END, 200, ""},
	       {"POST /things?dry_run" H JSON "Content-Length: 2\r\n" END "{}", 400,
		"parameter-invalid"});
	ask(&place, "GET /things?lmit=5" H END, answer, sizeof answer);
	assert_non_null(strstr(answer, "did you mean limit?"));
	assert_non_null(strstr(answer, "\"parameter\":\"lmit\""));
	ask(&place, "GET /things?limit=0" H END, answer, sizeof answer);
	assert_non_null(strstr(answer, "parameter limit"));
}

static void lists_have_views_and_a_next_page(void **state)
{
	(void)state;
	ask(&place, "GET /things?limit=2&q=a+b%26c" H END, answer, sizeof answer);
	assert_non_null(strstr(answer, "\"next\":\"/things?cursor=next%20cursor&limit=2&"
				       "q=a%20b%26c\""));
	assert_non_null(strstr(answer, "Link: </things?cursor=next%20cursor&limit=2&q=a%20b%26c>; "
				       "rel=\"next\"\r\n"));
	assert_non_null(strstr(answer, "\"total\":2"));
	ask(&place, "GET /things?recursion=0" H END, answer, sizeof answer);
	assert_non_null(strstr(answer, "\"items\":[\"/things/a\",\"/things/b\"]"));
	ask(&place, "GET /things?fields=name" H END, answer, sizeof answer);
	assert_non_null(strstr(answer, "\"items\":[{\"name\":\"a\"},{\"name\":\"b\"}]"));
}

static void etags_decide(void **state)
{
	char etag[80], bytes[400];
	const char *at;
	(void)state;
	ask(&place, "GET /things/a" H END, answer, sizeof answer);
	at = strstr(answer, "ETag: ");
	assert_non_null(at);
	snprintf(etag, sizeof etag, "%.*s", (int)strcspn(at + 6, "\r"), at + 6);
	snprintf(bytes, sizeof bytes, "GET /things/a" H "If-None-Match: \"x\", %s\r\n" END, etag);
	ask(&place, bytes, answer, sizeof answer);
	assert_int_equal(status_of(answer), 304);
	assert_non_null(strstr(answer, etag));
	snprintf(bytes, sizeof bytes, "DELETE /things/a" H "If-Match: %s\r\n" END, etag);
	ask(&place, bytes, answer, sizeof answer);
	assert_int_equal(status_of(answer), 204);
	snprintf(bytes, sizeof bytes, "DELETE /things/a" H "If-Match: W/%s\r\n" END, etag);
	ask(&place, bytes, answer, sizeof answer);
	assert_int_equal(status_of(answer), 412);
	assert_non_null(strstr(answer, etag));
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

#define PATCH(body, length)                                                                        \
	"PATCH /things/a" H                                                                        \
	"Content-Type: application/merge-patch+json\r\nContent-Length: " length "\r\n" END body

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
	ask(&place, KEYED("k1", "{\"name\":\"a\"}", "12"), answer, sizeof answer);
	assert_int_equal(status_of(answer), 201);
	assert_null(strstr(answer, "Idempotency-Replayed"));
	ask(&place, KEYED("k1", "{\"name\":\"a\"}", "12"), answer, sizeof answer);
	assert_int_equal(status_of(answer), 201);
	assert_non_null(strstr(answer, "Idempotency-Replayed: true\r\n"));
	assert_non_null(strstr(answer, "Location: /things/a\r\n"));
	assert_non_null(strstr(answer, "{\"name\":\"a\"}"));
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
	ask(&place,
	    "POST /things?dry_run=true" H JSON "Idempotency-Key: k3\r\nContent-Length: 12\r\n" END
	    "{\"name\":\"a\"}",
	    answer, sizeof answer);
	assert_int_equal(status_of(answer), 201);
	assert_null(kept_answer);
	ask(&place, "POST /hold?dry_run=true" H "Idempotency-Key: k4\r\n" END, answer,
	    sizeof answer);
	assert_int_equal(status_of(answer), 202);
	assert_non_null(kept_answer);
}

static void request_ids_are_echoed_or_made(void **state)
{
	(void)state;
	ask(&place, "GET /things" H "X-Request-Id: my_id-1\r\n" END, answer, sizeof answer);
	assert_non_null(strstr(answer, "X-Request-Id: my_id-1\r\n"));
	ask(&place, "GET /nothing" H "X-Request-Id: bad id\r\n" END, answer, sizeof answer);
	assert_null(strstr(answer, "bad id"));
	assert_non_null(strstr(answer, "\"instance\":\""));
}

static void connections_are_kept_and_pipelines_answered_in_order(void **state)
{
	static const char three[] = "GET /refs/one" H END "GET /refs/two" H END "GET /refs/three" H
				    "Connection: close\r\n" END;
	int fd = client_connect(&place);
	size_t n = 0;
	uint64_t end = clock_monotonic_ms() + PATIENCE_MS;
	(void)state;
	client_send(&place, fd, three, sizeof three - 1);
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

static void ask_unprivileged(const char *bytes)
{
	uid_t mine = geteuid();
	if (!mine)
		assert_int_equal(seteuid(65534), 0);
	int fd = client_connect(&place);
	if (!mine)
		assert_int_equal(seteuid(0), 0);
	client_send(&place, fd, bytes, strlen(bytes));
	client_read(&place, fd, answer, sizeof answer, false);
	close(fd);
}

static void roles_are_checked_before_handlers(void **state)
{
	(void)state;
	ask(&place, "GET /admin" H END, answer, sizeof answer);
	assert_int_equal(status_of(answer), 200);
	restart(no_viewer);
	ask_unprivileged("GET /admin" H END);
	assert_int_equal(status_of(answer), 403);
	assert_int_equal(audited_status, 403);
	assert_null(strstr(answer, "\"secret\""));
	restart(as_viewer);
	ask_unprivileged("GET /admin" H END);
	assert_int_equal(status_of(answer), 403);
	ask_unprivileged("GET /admin/thing" H END);
	assert_int_equal(status_of(answer), 404);
}

static void refusals_are_audited_but_not_without_end(void **state)
{
	(void)state;
	restart(no_viewer);
	audited_count = 0;
	for (int i = 0; i < 300; i++)
		ask_unprivileged("GET /admin" H END);
	assert_in_range(audited_count, 1, 299);
}

static void held_answers_come_when_woken(void **state)
{
	static const char text[] = "GET /hold" H END;
	int fd = client_connect(&place);
	(void)state;
	client_send(&place, fd, text, sizeof text - 1);
	for (int i = 0; i < 20 && !calls; i++)
		turn(&place, fd, 10);
	assert_int_equal(calls, 1);
	http_wake(place.server, "other topic");
	http_wake(place.server, "topic");
	client_read(&place, fd, answer, sizeof answer, false);
	assert_int_equal(status_of(answer), 200);
	assert_non_null(strstr(answer, "\"timed_out\":false"));
	assert_int_equal(calls, 2);
	close(fd);
}

static void held_answers_come_at_their_timeout(void **state)
{
	(void)state;
	ask(&place, "GET /hold" H END, answer, sizeof answer);
	assert_non_null(strstr(answer, "\"timed_out\":true"));
}

static void client_that_leaves_ends_its_hold(void **state)
{
	static const char text[] = "GET /hold" H END;
	int fd = client_connect(&place);
	(void)state;
	client_send(&place, fd, text, sizeof text - 1);
	for (int i = 0; i < 20 && !calls; i++)
		turn(&place, fd, 10);
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
	ask(&place, "POST /hold" H "Idempotency-Key: w\r\nPrefer: foo, wait=1\r\n" END, answer,
	    sizeof answer);
	assert_int_equal(status_of(answer), 200);
	assert_non_null(strstr(answer, "succeeded"));
	assert_non_null(strstr(answer, "Preference-Applied: wait\r\n"));
	assert_int_equal(json_integer_value(json_object_get(kept_answer, "status")), 202);
	ask(&place, "POST /hold" H END, answer, sizeof answer);
	assert_int_equal(status_of(answer), 202);
	assert_non_null(strstr(answer, "Location: /v1/operations/00000000-"));
}

static void start_stream(int fd, const char *accept)
{
	char bytes[256];
	snprintf(bytes, sizeof bytes, "GET /stream" H "Accept: %s\r\n" END, accept);
	client_send(&place, fd, bytes, strlen(bytes));
	for (int i = 0; i < 20 && !open_stream; i++)
		turn(&place, fd, 10);
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
	client_read(&place, fd, answer, sizeof answer, false);
	assert_non_null(strstr(answer, "Content-Type: text/event-stream\r\n"));
	assert_non_null(strstr(answer, "id: 5\nevent: operation\ndata: {\"a\":1}\n\n"));
	assert_non_null(strstr(answer, "id: 6\nevent: health\ndata: {\"b\":2}\n\n"));
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
	client_read(&place, fd, answer, sizeof answer, false);
	assert_non_null(strstr(answer, "Content-Type: application/x-ndjson\r\n"));
	assert_non_null(strstr(answer, "{\"a\":1}\n"));
	assert_non_null(strstr(answer, "{\"type\":\"gap\",\"since\":1,\"until\":4}\n"));
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
	client_read(&place, fd, answer, sizeof answer, false);
	assert_non_null(strstr(answer, "event: gap\ndata: {\"since\":"));
	assert_null(strstr(answer, "id: 999"));
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
	ask(&place, "GET /stream" H END, answer, sizeof answer);
	assert_int_equal(status_of(answer), 429);
	assert_non_null(strstr(answer, "Retry-After: "));
	streams_closed = 0;
	close(fds[0]);
	for (int i = 0; i < 50 && !streams_closed; i++)
		turn(&place, -1, 10);
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
	int fd;
	(void)state;
	restart(comment_soon);
	fd = client_connect(&place);
	start_stream(fd, "text/event-stream");
	for (int i = 0; i < 20; i++)
		turn(&place, -1, 10);
	stream_end(open_stream);
	client_read(&place, fd, answer, sizeof answer, false);
	assert_non_null(strstr(answer, ": \n\n"));
	close(fd);
}

static void hurry(struct http_config *c)
{
	c->limits.head_ms = c->limits.body_gap_ms = c->limits.idle_ms = 50;
}

static void slow_heads_and_bodies_are_cut(void **state)
{
	static const char head[] = "GET /thing", body[] = POST("{\"na", "12");
	int fd;
	(void)state;
	restart(hurry);
	fd = client_connect(&place);
	client_send(&place, fd, head, sizeof head - 1);
	client_read(&place, fd, answer, sizeof answer, false);
	assert_int_equal(status_of(answer), 408);
	assert_non_null(strstr(answer, "Retry-After: "));
	assert_true(client_is_cut(&place, fd));
	close(fd);
	fd = client_connect(&place);
	client_send(&place, fd, body, sizeof body - 1);
	client_read(&place, fd, answer, sizeof answer, false);
	assert_int_equal(status_of(answer), 408);
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
	client_read(&place, fd, answer, sizeof answer, false);
	assert_int_equal(status_of(answer), 408);
	assert_true(client_is_cut(&place, fd));
	close(fd);
	fd = client_connect(&place);
	client_send(&place, fd, text, sizeof text - 1);
	client_read(&place, fd, answer, sizeof answer, false);
	assert_int_equal(status_of(answer), 200);
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
	client_read(&place, fds[8], answer, sizeof answer, false);
	assert_int_equal(status_of(answer), 429);
	assert_non_null(strstr(answer, "Retry-After: "));
	close(fds[0]);
	for (int i = 0; i < 5; i++)
		turn(&place, -1, 10);
	ask(&place, "GET /things" H END, answer, sizeof answer);
	assert_int_equal(status_of(answer), 200);
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
	assert_int_equal(status_of(answer), 200);
	for (int i = 0; i < 40; i++)
		close(fds[i]);
}

static void draining_refuses_and_ends(void **state)
{
	static const char text[] = "GET /hold" H END;
	int fd = client_connect(&place), i;
	(void)state;
	client_send(&place, fd, text, sizeof text - 1);
	for (i = 0; i < 20 && !calls; i++)
		turn(&place, fd, 10);
	assert_false(http_server_drain(place.server));
	client_read(&place, fd, answer, sizeof answer, false);
	assert_int_equal(status_of(answer), 200);
	assert_non_null(strcasestr(answer, "Connection: close"));
	for (i = 0; i < 100 && !http_server_drain(place.server); i++)
		turn(&place, -1, 10);
	assert_true(i < 100);
	close(fd);
}

/* Fails the n-th allocation of jansson, which holds nearly all that a request
 * makes; whatever comes, the next request is served. */
static int allocations_left;

static void *fail_one(size_t bytes)
{
	return --allocations_left ? malloc(bytes) : NULL;
}

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
			allocations_left = ++n;
			json_set_alloc_funcs(fail_one, free);
			ask(&place, requests[i], answer, sizeof answer);
			json_set_alloc_funcs(malloc, free);
			assert_true(n < 1000);
		} while (allocations_left <= 0);
		assert_true(status_of(answer) > 0);
	}
	ask(&place, "GET /things" H END, answer, sizeof answer);
	assert_int_equal(status_of(answer), 200);
}

#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
int main(void)
{
	const struct CMUnitTest tests[] = {
		T(malformed_heads_are_refused),
		T(connection_is_closed_after_a_malformed_head),
		T(bad_paths_are_refused),
		T(methods_follow_the_table),
		T(media_types_are_exact),
		T(bodies_are_parsed_strictly),
		T(every_fault_of_a_body_is_told),
		T(large_bodies_are_refused_before_they_are_read),
		T(large_heads_are_refused),
		T(refused_small_bodies_are_read_and_the_connection_lives),
		T(chunked_bodies_are_taken),
		T(parameters_are_checked),
		T(lists_have_views_and_a_next_page),
		T(etags_decide),
		T(patches_merge_and_are_checked_as_a_whole),
		T(idempotency_keys_give_the_first_answer_again),
		T(dry_run_keeps_no_key_but_for_an_operation),
		T(request_ids_are_echoed_or_made),
		T(connections_are_kept_and_pipelines_answered_in_order),
		T(roles_are_checked_before_handlers),
		T(refusals_are_audited_but_not_without_end),
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
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
