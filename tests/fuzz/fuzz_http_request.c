/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes on a connection of the control socket: libmicrohttpd, the strict
 * head, paths, parameters, JSON and schemas, behind a table of two routes. The
 * first byte says in how large pieces the rest arrives.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/http/internal.h"

static const struct schema text = {.types = SCHEMA_STRING, .count_max = 100};
static struct schema_pattern letters = {.text = "^[a-z]{1,8}$"};
static const struct schema word = {.types = SCHEMA_STRING, .pattern = &letters};
static const struct schema number = {.types = SCHEMA_INTEGER, .min = 1, .max = 1000};
static const struct schema list = {.types = SCHEMA_ARRAY, .items = &text, .items_unique = true};
static const struct schema_property members[] = {{"name", &word, true, false},
						 {"count", &number, false, false},
						 {"tags", &list, false, false}};
static const struct schema thing = {.types = SCHEMA_OBJECT,
				    .properties = members,
				    .property_count = 3,
				    .rest = &text,
				    .open = true};
static const struct route_param params[] = {{"name", true, true, true, &text},
					    {"limit", false, false, false, &number},
					    {"fields", false, false, false, &list},
					    {"dry_run", false, false, false, &text}};
static const char *const json_only[] = {"application/json", NULL};
static const char *const fields[] = {"name", "count", NULL};
static const char *const segments[] = {"things", "{name}"};
static route_handler get, change;

const struct route routes[] = {
	{.method = METHOD_GET,
	 .path = "/things/{name}",
	 .operation = "get",
	 .handle = get,
	 .segments = segments,
	 .segment_count = 2,
	 .params = params,
	 .param_count = 4,
	 .produces = json_only,
	 .item_fields = fields},
	{.method = METHOD_POST,
	 .path = "/things/{name}",
	 .operation = "make",
	 .handle = change,
	 .idempotent = true,
	 .segments = segments,
	 .segment_count = 2,
	 .params = params,
	 .param_count = 4,
	 .produces = json_only,
	 .body_type = "application/json",
	 .body = &thing},
	{.method = METHOD_PATCH,
	 .path = "/things/{name}",
	 .operation = "change",
	 .handle = change,
	 .segments = segments,
	 .segment_count = 2,
	 .params = params,
	 .param_count = 4,
	 .produces = json_only,
	 .body_type = "application/merge-patch+json",
	 .body = &thing},
};
const size_t route_count = ARRAY_COUNT(routes);
const char openapi_text[] = "{}";
const size_t openapi_text_bytes = 2;

static void get(struct request *q, struct answer *a)
{
	answer_list(a, q, json_pack("[{s:s,s:i}]", "name", request_param(q, "name"), "count", 1),
		    "cursor", 1, NULL);
}

static void change(struct request *q, struct answer *a)
{
	AUTO_JSON json_t *desired = json_pack("{s:s}", "name", "a");
	if (answer_precondition(a, q, true, desired, 1))
		answer_created(a, "/things/a", json_deep_copy(request_body(q)), desired, 1);
}

static struct http_server *start(void)
{
	const struct http_config config = {
		.limits = {.line_max_bytes = 512,
			   .headers_max_bytes = 1024,
			   .body_max_bytes = 2048,
			   .bulk_body_max_bytes = 2048,
			   .head_ms = 1000,
			   .body_gap_ms = 1000,
			   .idle_ms = 1000,
			   .exchange_ms = 1000,
			   .connections_max = 8,
			   .connections_per_user_max = 8,
			   .streams_max = 2,
			   .wait_max_s = 1,
			   .reader_max_bytes = 4096,
			   .keep_alive_ms = 1000},
		.access = {ACCESS_NO_ID, ACCESS_NO_ID, ACCESS_NO_ID, getuid()}};
	struct http_server *s = NULL;
	struct berth_error err = ERROR_INIT;
	if (http_server_new(&config, -1, &s, &err))
		abort();
	return s;
}

static void drain(int fd)
{
	char answer[4096];
	while (recv(fd, answer, sizeof answer, MSG_DONTWAIT) > 0)
		continue;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct http_server *s;
	int pair[2];
	size_t piece;

	if (!s)
		s = start();
	if (!size || socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair))
		return 0;
	piece = data[0] ? data[0] * 8u : size;
	data++;
	size--;
	server_adopt(s, pair[1]);
	while (size) {
		size_t n = piece < size ? piece : size;
		ssize_t sent = send(pair[0], data, n, MSG_NOSIGNAL);
		if (sent <= 0)
			break;
		data += sent;
		size -= (size_t)sent;
		http_server_turn(s);
		drain(pair[0]);
	}
	for (int i = 0; i < 4; i++)
		http_server_turn(s);
	close(pair[0]);
	for (int i = 0; i < 100 && s->conn_count; i++)
		http_server_turn(s);
	if (s->conn_count)
		abort(); /* a connection outlived its client */
	return 0;
}
