/* SPDX-License-Identifier: Apache-2.0 */
/* What the HTTP server takes for a request, by raw bytes over a real socket: heads,
 * paths, methods, media types, bodies, parameters; each refusal by its code. */
#include "http_exchange.h"

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
	say(fd, text);
	hear(fd);
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
	get("GET /refs/a%2Fb%3Atag" H END);
	SAYS("\"ref\":\"a/b:tag\"");
}

static void methods_follow_the_table(void **state)
{
	(void)state;
	EXPECT({"DELETE /things" H END, 405, "method-not-allowed"},
	       {"PATCH /hold" H END, 405, "method-not-allowed"}, {"OPTIONS /things" H END, 204, ""},
	       {"HEAD /things" H END, 200, ""});
	get("DELETE /things" H END);
	SAYS("Allow: OPTIONS, HEAD, GET, POST\r\n");
	get("HEAD /things" H END);
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
	get(POST("{", "1"));
	SAYS("line 1, column 1");
	get(POST("{\"name\":\"a\",\"cuont\":1}", "22"));
	SAYS("\"pointer\":\"/cuont\",\"code\":\"unknown-field\","
	     "\"detail\":\"no such field; did you mean count?\"");
	assert_int_equal(calls, 1);
}

static void every_fault_of_a_body_is_told(void **state)
{
	(void)state;
	answers(POST("{\"count\":\"x\",\"a/b~c\":1}", "23"), 422);
	SAYS("\"pointer\":\"/count\",\"code\":\"wrong-type\"");
	SAYS("\"pointer\":\"/a~1b~0c\",\"code\":\"unknown-field\"");
	SAYS("\"pointer\":\"/name\",\"code\":\"missing\"");
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
	STATUS(413);
	free(bytes);
}

static void large_heads_are_refused(void **state)
{
	char *bytes = malloc(40000), *fill = malloc(20000);
	(void)state;
	memset(fill, 'a', 19999);
	fill[19999] = 0;
	snprintf(bytes, 40000, "GET /things?q=%.9000s" H END, fill);
	answers(bytes, 431);
	snprintf(bytes, 40000, "GET /things" H "X: %.17000s\r\n" END, fill);
	answers(bytes, 431);
	SAYS("head-too-large");
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
	say(fd, head);
	for (int i = 0; i < 5; i++)
		turn(&place, -1, 1);
	say(fd, next);
	hears(fd, 400);
	if (!strstr(answer, "\"next\""))
		hear(fd);
	SAYS("\"ref\":\"next\"");
	close(fd);
}

static void chunked_bodies_are_taken(void **state)
{
	(void)state;
	answers("POST /things" H JSON "Transfer-Encoding: chunked\r\n" END
		"4\r\n{\"na\r\n8\r\nme\":\"a\"}\r\n0\r\n\r\n",
		201);
	SAYS("Location: /things/a\r\n");
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
	get("GET /things?lmit=5" H END);
	SAYS("did you mean limit?");
	SAYS("\"parameter\":\"lmit\"");
	get("GET /things?limit=0" H END);
	SAYS("parameter limit");
}

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
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
