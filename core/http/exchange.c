/* SPDX-License-Identifier: Apache-2.0 */
/* One request's way through libmicrohttpd's callback: head, body, handler,
 * answer. The callback comes once for the head, once for each piece of the
 * body, once at its end, and again after each wake.
 */
#include <string.h>

#include "core/base/clock.h"
#include "core/base/js.h"
#include "core/base/log.h"
#include "core/base/text.h"
#include "core/http/internal.h"

/* Is the body of a refused request small enough to be read and thrown away?
 * Then the answer comes behind it, as clients expect that send first and read
 * later, and the connection lives on. */
static bool can_skip_body(const struct request *q)
{
	const char *length = request_header(q, "Content-Length");
	uint64_t bytes;
	return !q->answer.closes && !request_header(q, "Expect") && length &&
	       text_parse_u64(length, 0, q->server->config.limits.body_max_bytes, &bytes);
}

static enum MHD_Result take_head(struct request *q, const char *method, const char *version)
{
	q->head_is_done = true;
	head_check(q, method, version);
	if (q->answer.status && q->has_body && !can_skip_body(q)) {
		/* Answered before the body is read: libmicrohttpd closes after that. */
		q->answer.closes = true;
		conn_state(q->conn, CONN_ANSWER);
		return answer_send(q);
	}
	conn_state(q->conn, q->has_body ? CONN_BODY : CONN_ANSWER);
	return MHD_YES;
}

static enum MHD_Result take_body(struct request *q, const char *data, size_t *data_count)
{
	struct berth_error err = ERROR_INIT;
	int r = 0;
	if (!q->answer.status)
		r = buf_add(&q->body_bytes, data, *data_count, &err);
	*data_count = 0;
	if (!r) {
		conn_state(q->conn, CONN_BODY);
		return MHD_YES;
	}
	/* A chunked body: no answer can be queued in its middle. */
	conn_cut(q->conn, r == BERTH_E_LIMIT ? "body-too-large" : "no-memory");
	return MHD_NO;
}

static bool parse_body(struct request *q)
{
	struct js_limits limits = js_limits_api;
	struct berth_error err = ERROR_INIT;

	if (!q->has_body)
		return true;
	if (!q->body_bytes.byte_count && !q->route->body_required)
		return true;
	limits.bytes = q->body_bytes.max;
	switch (js_parse(buf_text(&q->body_bytes), q->body_bytes.byte_count, &limits, &q->body,
			 &err)) {
	case 0:
		break;
	case BERTH_E_LIMIT:
		answer_problem(&q->answer, 0, "json-limit", &err, NULL);
		return false;
	case BERTH_E_NO_MEMORY:
		answer_error(&q->answer, &err);
		return false;
	default:
		answer_problem(&q->answer, 0, "json-invalid", &err, NULL);
		return false;
	}
	AUTO_JSON json_t *errors = json_array();
	if (schema_check(q->route->body, q->body, q->route->method == METHOD_PATCH, errors))
		return true;
	refuse(q, "validation-failed", "the body does not fit the schema in %zu place%s",
	       json_array_size(errors), json_array_size(errors) == 1 ? "" : "s");
	answer_member(&q->answer, "errors", json_incref(errors));
	return false;
}

/* The kept form of an answer, and back. */
static json_t *keep_answer(const struct answer *a)
{
	json_t *headers = json_object();
	for (size_t i = 0; i < a->header_count; i++)
		json_object_set_new(headers, a->headers[i].name, json_string(a->headers[i].value));
	return json_pack("{s:i,s:s?,s:o,s:O?}", "status", a->status, "type", a->media_type,
			 "headers", headers, "body", a->body);
}

static void replay_answer(struct answer *a, const json_t *kept)
{
	json_t *headers = json_object_get(kept, "headers"), *value;
	json_t *body = json_object_get(kept, "body");
	int status = (int)js_int(kept, "status", 500);
	const char *name;

	if (json_is_object(body) || json_is_array(body))
		answer_json(a, status, json_incref(body));
	else
		answer_empty(a, status);
	if (status >= 400 && a->body) {
		a->media_type = "application/problem+json";
		a->problem = js_str(a->body, "code", "internal");
	}
	json_object_foreach (headers, name, value)
		answer_header(a, name, json_string_value(value));
	answer_header(a, "Idempotency-Replayed", "true");
}

/* False: answered without the handler. */
static bool begin_key(struct request *q)
{
	const struct http_hooks *hooks = q->server->config.hooks;
	struct berth_error err = ERROR_INIT;
	enum http_key_state state = HTTP_KEY_NEW;
	AUTO_JSON json_t *kept = NULL;

	if (!q->key.key || !hooks || !hooks->key_begin)
		return true;
	q->key.uid = q->conn->caller.uid;
	q->key.method = q->method;
	q->key.path = q->target;
	q->key.body = buf_text(&q->body_bytes);
	q->key.body_count = q->body_bytes.byte_count;
	if (hooks->key_begin(q->server->config.daemon, &q->key, &state, &kept, &err)) {
		answer_error(&q->answer, &err);
		return false;
	}
	switch (state) {
	case HTTP_KEY_NEW:
		q->key_is_open = true;
		return true;
	case HTTP_KEY_REPLAY:
		replay_answer(&q->answer, kept);
		break;
	case HTTP_KEY_OTHER_BODY:
		refuse(q, "key-reused", "this Idempotency-Key came with another body before");
		break;
	case HTTP_KEY_RUNNING:
		refuse(q, "key-in-use", "the first request with this Idempotency-Key runs yet");
		break;
	}
	return false;
}

static void finish_key(struct request *q)
{
	const struct http_hooks *hooks = q->server->config.hooks;
	struct berth_error err = ERROR_INIT;
	AUTO_JSON json_t *kept = NULL;

	if (!q->key_is_open)
		return;
	q->key_is_open = false;
	if (q->answer.status && q->answer.status < 500 &&
	    (!request_dry_run(q) || q->answer.status == 202))
		kept = keep_answer(&q->answer);
	if (hooks->key_finish(q->server->config.daemon, &q->key, kept, &err)) {
		q->answer.is_held = false;
		answer_error(&q->answer, &err);
	}
}

/* A change and its audit row are one transaction, around that of a key. Where none
 * can be begun the handler meets the same fault, if it writes at all. */
static void begin_change(struct request *q)
{
	const struct http_hooks *hooks = q->server->config.hooks;
	struct berth_error err = ERROR_INIT;

	if (q->route->audit == AUDIT_NONE || !hooks || !hooks->change_begin)
		return;
	q->change_is_open = !hooks->change_begin(q->server->config.daemon, &err);
	if (!q->change_is_open)
		log_debug("%s: %s", q->route->operation, err.message);
}

/* What can't be audited is not done; a refusal stays one. */
static void end_change(struct request *q)
{
	const struct http_hooks *hooks = q->server->config.hooks;
	struct http_audit entry = request_audit(q);
	struct berth_error err = ERROR_INIT;

	if (!q->change_is_open)
		return;
	q->change_is_open = false;
	q->is_audited = !hooks->change_end(q->server->config.daemon, &entry, &err);
	if (!q->is_audited && q->answer.status < 400) {
		q->answer.is_held = false;
		answer_unbuild(q);
		answer_error(&q->answer, &err);
	}
}

/* What a change gives once, a secret perhaps, must not be lost for want of memory: a
 * change whose answer can't be made is none. */
static void build_answer(struct request *q)
{
	struct answer *a = &q->answer;

	if (!q->change_is_open || a->is_held || a->stream || a->status >= 400 || answer_build(q))
		return;
	answer_problem(a, 0, "no-memory", NULL, NULL);
}

static enum MHD_Result hold(struct request *q)
{
	struct conn *c = q->conn;
	conn_state(c, CONN_HELD);
	c->deadline_ms = clock_monotonic_ms() + (uint64_t)q->answer.hold_s * 1000;
	conn_sleep(c);
	return MHD_YES;
}

static void call_handler(struct request *q)
{
	struct answer *a = &q->answer;
	if (!q->is_begun) {
		q->is_begun = true;
		if (!parse_body(q))
			return;
		begin_change(q);
		if (!begin_key(q)) {
			end_change(q);
			return;
		}
	}
	a->is_held = false;
	unsigned losses = js_losses();
	q->route->handle(q, a);
	if (js_losses() != losses || a->lacks_header) {
		a->is_held = false; /* it may lack a part */
		answer_problem(a, 0, "no-memory", NULL, NULL);
	}
	if (!a->status && (!a->is_held || q->key_is_open)) {
		a->is_held = false;
		refuse(q, "internal", "the handler of %s gave no answer", q->route->operation);
	}
	finish_key(q);
	build_answer(q);
	end_change(q);
}

static enum MHD_Result run(struct request *q)
{
	struct answer *a = &q->answer;
	bool is_first = !q->is_begun;

	if (q->conn->is_gone)
		return MHD_NO;
	conn_state(q->conn, CONN_ANSWER);
	if (is_first && a->status)
		return answer_send(q);
	if (a->is_held)
		a->is_woken = true;
	call_handler(q);
	if (a->is_held)
		return hold(q);
	return answer_send(q);
}

enum MHD_Result exchange_turn(struct request *q, const char *method, const char *version,
			      const char *data, size_t *data_count)
{
	if (q->is_sent)
		return MHD_YES;
	if (!q->head_is_done)
		return take_head(q, method, version);
	if (*data_count)
		return take_body(q, data, data_count);
	return run(q);
}
