/* SPDX-License-Identifier: Apache-2.0 */
/* For tests: a route table of its own with the handlers of things, references,
 * holds and streams. What the handlers see is counted.
 */
#ifndef TESTS_UNIT_HTTP_THINGS_H
#define TESTS_UNIT_HTTP_THINGS_H

#include "http_client.h"

#include "core/http/list.h"
#include "core/http/patch.h"
#include "core/http/stream.h"

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
	.role = r, .point = (r) == ROLE_NONE ? POINT_NONE : POINT_AUDIT_READ,                      \
	.produces = json_only
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
	 .item_path = "/things/{name}", .param_count = 4, .item_fields = thing_fields},
	{ROW(METHOD_POST, "/things", seg_things, 1, make_thing, ROLE_NONE), .idempotent = true,
	 .audit = AUDIT_CHANGE, .params = create_params, .param_count = 1,
	 .body_type = "application/json", .body_required = true, .body = &thing_schema},
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

static int calls, hold_s; /* handlers called; how long GET /hold waits */

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
	answer_hold(a, (unsigned)hold_s);
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
	answer_list(a, q, json_pack("[o,o]", thing("a"), thing("b")), "next cursor", 2, NULL);
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

#endif
