/* SPDX-License-Identifier: Apache-2.0 */
/* The control API as the handlers see it. A kept connection that berthd closed
 * meanwhile is opened anew once; that is safe for a POST too, because the
 * second try carries the same Idempotency-Key.
 */
#include "client/api.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>

#include "client/dial.h"
#include "core/base/clock.h"
#include "core/base/text.h"

enum { CALL_TIMEOUT_S = 60, LIST_ITEM_MAX = 100000, BRIDGE_TRIES = 40, BRIDGE_REST_MS = 25 };

static const struct js_limits answer_limits = {HTTP_BODY_MAX, 4000000, 64};

/* Connects if there is no usable connection. Says who lacks which group. */
static int api_connect(struct cli *c, struct berth_error *err)
{
	if (c->fd >= 0 && !c->http.is_broken)
		return 0;
	api_disconnect(c);
	int code = dial_connect(c, err);
	if (!code) {
		const volatile sig_atomic_t *interrupted = c->http.interrupted;
		const sigset_t *mask = c->http.wait_mask;
		http_init(&c->http, c->fd);
		c->http.interrupted = interrupted;
		c->http.wait_mask = mask;
	}
	return code;
}

/* The far end of a closed bridge ends by itself, unless ssh still waits for the
 * network: then it is told to. */
static void end_bridge(struct cli *c, bool is_hurt)
{
	int status;
	for (unsigned tries = 0; c->bridge_pid && tries < BRIDGE_TRIES && !is_hurt; tries++) {
		if (waitpid(c->bridge_pid, &status, WNOHANG) == c->bridge_pid)
			c->bridge_pid = 0;
		else
			poll(NULL, 0, BRIDGE_REST_MS);
	}
	if (!c->bridge_pid)
		return;
	kill(c->bridge_pid, SIGTERM);
	while (waitpid(c->bridge_pid, &status, 0) < 0 && errno == EINTR)
		continue;
	c->bridge_pid = 0;
}

void api_disconnect(struct cli *c)
{
	bool is_hurt = c->http.is_broken;
	if (c->fd >= 0) {
		http_done(&c->http);
		close(c->fd);
	}
	c->fd = -1;
	if (c->bridge_pid)
		end_bridge(c, is_hurt);
}

/* A problem document's status as one of our codes. */
static int code_of_status(int status)
{
	switch (status) {
	case 400:
	case 422:
		return BERTH_E_INVALID;
	case 401:
		return BERTH_E_AUTH;
	case 403:
		return BERTH_E_DENIED;
	case 404:
		return BERTH_E_NOT_FOUND;
	case 409:
	case 412:
	case 428:
		return BERTH_E_CONFLICT;
	case 429:
		return BERTH_E_THROTTLED;
	case 408:
	case 504:
		return BERTH_E_TIMEOUT;
	case 502:
	case 503:
		return BERTH_E_UNAVAILABLE;
	default:
		return BERTH_E_INTERNAL;
	}
}

/* Reads the answer of a failed call into c->problem and err. */
static int api_problem(struct cli *c, const struct http_answer *a, const struct buf *body,
		       struct berth_error *err)
{
	struct berth_error ignored = ERROR_INIT; /* a body that is no JSON is said as such */
	json_decref(c->problem);
	c->problem = NULL;
	if (js_parse(buf_text(body), body->byte_count, &answer_limits, &c->problem, &ignored) ||
	    !json_is_object(c->problem)) {
		json_decref(c->problem);
		c->problem = json_pack("{s:s, s:i, s:s?}", "title", "berthd answered with an error",
				       "status", a->status, "instance",
				       *c->request_id ? c->request_id : NULL);
	}
	return berth_fail(err, code_of_status(a->status), "%s",
			  js_str(c->problem, "title", "berthd answered with an error"));
}

struct header_lines {
	char accept[128], match[192], key[64], request[64];
	const char *lines[8];
};

static void fill_headers(const struct api_call *call, const char *accept, struct header_lines *h)
{
	char uuid[UUID_ROOM];
	size_t n = 0;
	snprintf(h->accept, sizeof(h->accept), "Accept: %s", accept);
	h->lines[n++] = h->accept;
	uuid_make(uuid);
	snprintf(h->request, sizeof(h->request), "X-Request-Id: %s", uuid);
	h->lines[n++] = h->request;
	if (!strcmp(call->method, "POST")) {
		uuid_make(uuid);
		snprintf(h->key, sizeof(h->key), "Idempotency-Key: %s", uuid);
		h->lines[n++] = h->key;
	}
	if (call->if_match)
		snprintf(h->match, sizeof(h->match), "If-Match: %s", call->if_match);
	else if (call->is_create_only)
		snprintf(h->match, sizeof(h->match), "If-None-Match: *");
	if (*h->match)
		h->lines[n++] = h->match;
}

/* Sends and reads the head, on a fresh connection where the kept one is gone. */
static int exchange(struct cli *c, const struct http_request *q, uint32_t timeout_s,
		    struct http_answer *a, struct berth_error *err)
{
	for (;;) {
		bool was_kept = c->fd >= 0 && !c->http.is_broken;
		int code = api_connect(c, err);
		if (code)
			return code;
		c->http.deadline_ms =
			clock_monotonic_ms() + (c->budget_ms ? c->budget_ms : timeout_s * 1000ull);
		code = http_send(&c->http, q, err);
		if (!code)
			code = http_read_head(&c->http, q->method, a, err);
		if (code != BERTH_E_UNAVAILABLE || !was_kept)
			return code;
		http_answer_done(a);
		api_disconnect(c);
	}
}

static void keep_headers(struct cli *c, const struct http_answer *a)
{
	c->status = a->status;
	free(c->head);
	c->head = strdup(buf_text(&a->head));
	http_header(a, "ETag", c->etag, sizeof(c->etag));
	http_header(a, "X-Request-Id", c->request_id, sizeof(c->request_id));
}

/* Reads the answer's body as JSON, or as the problem that it is. */
static int take_answer(struct cli *c, struct http_answer *a, bool takes_text, json_t **ret_body,
		       struct berth_error *err)
{
	char type[64];
	struct buf body AUTO_BUF = {.max = HTTP_BODY_MAX};
	keep_headers(c, a);
	int code = http_read_body(&c->http, a, &body, err);
	if (code)
		return code;
	if (a->status >= 400)
		return api_problem(c, a, &body, err);
	*ret_body = NULL;
	if (!body.byte_count)
		return 0;
	if (takes_text && !(http_header(a, "Content-Type", type, sizeof(type)) &&
			    strstr(type, "json") && !strstr(type, "ndjson"))) {
		free(c->text);
		c->text = term_escape(&c->out, body.bytes, true);
		return c->text ? 0 : berth_fail_memory(err);
	}
	code = js_parse(body.bytes, body.byte_count, &answer_limits, ret_body, err);
	if (code && code != BERTH_E_NO_MEMORY) /* its fault, not the user's */
		err->code = BERTH_E_PROTOCOL;
	return code ? berth_wrap(err, "cannot read berthd's answer") : 0;
}

int api_send(struct cli *c, const struct api_call *call, json_t **ret_body, struct berth_error *err)
{
	struct header_lines h = {.match = ""};
	struct http_answer a = {0};
	json_decref(c->problem);
	c->problem = NULL;
	bool is_patch = !strcmp(call->method, "PATCH");
	AUTO_FREE char *text = call->body ? js_text(call->body) : NULL;
	/* A member that lacked memory is not there: nothing is asked for in part. */
	if (call->body && (!text || js_losses() != c->losses))
		return berth_fail_memory(err);
	fill_headers(call, call->takes_text ? "*/*" : "application/json, application/problem+json",
		     &h);
	struct http_request q = {
		.method = call->method,
		.path = call->path,
		.headers = h.lines,
		.body = text,
		.body_bytes = text ? strlen(text) : 0,
		.content_type = is_patch ? "application/merge-patch+json" : "application/json",
	};
	uint32_t timeout_s = call->timeout_s ? call->timeout_s : CALL_TIMEOUT_S;
	int code = exchange(c, &q, timeout_s, &a, err);
	if (!code)
		code = take_answer(c, &a, call->takes_text, ret_body, err);
	http_answer_done(&a);
	return code;
}

int api_get(struct cli *c, const char *path, json_t **ret_body, struct berth_error *err)
{
	struct api_call call = {.method = "GET", .path = path};
	int code = api_send(c, &call, ret_body, err);
	if (!code && !*ret_body)
		return berth_fail(err, BERTH_E_PROTOCOL, "berthd gave an empty answer to %s", path);
	return code;
}

/* Appends the page's items to all's; false once limit is reached. */
static bool add_page(json_t *all, const json_t *page, uint64_t limit)
{
	json_t *items = json_object_get(all, "items"), *item;
	size_t i;
	json_array_foreach (json_object_get(page, "items"), i, item) {
		if (limit && json_array_size(items) >= limit)
			return false;
		json_array_append(items, item);
	}
	return !limit || json_array_size(items) < limit;
}

int api_list(struct cli *c, const char *path, uint64_t limit, json_t **ret_body,
	     struct berth_error *err)
{
	AUTO_JSON json_t *all = NULL;
	AUTO_FREE char *next = strdup(path);
	bool goes_on = next != NULL;
	while (goes_on) {
		AUTO_JSON json_t *page = NULL;
		int code = api_get(c, next, &page, err);
		if (code)
			return code;
		if (!json_is_array(json_object_get(page, "items")))
			return berth_fail(err, BERTH_E_PROTOCOL, "berthd's answer to %s is no list",
					  path);
		if (!all) {
			all = json_copy(page);
			json_object_set_new(all, "items", json_array());
		}
		goes_on = add_page(all, page, limit ? limit : LIST_ITEM_MAX);
		json_t *more = json_object_get(page, "next");
		if (more)
			json_object_set(all, "next", more);
		else
			json_object_del(all, "next");
		if (!json_is_string(more) || strncmp(json_string_value(more), "/v1/", 4) != 0)
			break;
		free(next);
		next = strdup(json_string_value(more));
		goes_on = goes_on && next;
	}
	*ret_body = STEAL(all);
	return *ret_body ? 0 : berth_fail_memory(err);
}

int api_stream(struct cli *c, const char *path, const char *accept, struct http_answer *ret_answer,
	       struct berth_error *err)
{
	struct api_call call = {.method = "GET"};
	struct header_lines h = {.match = ""};
	struct buf body AUTO_BUF = {.max = HTTP_BODY_MAX};
	fill_headers(&call, accept, &h);
	struct http_request q = {.method = "GET", .path = path, .headers = h.lines};
	*ret_answer = (struct http_answer){0};
	int code = exchange(c, &q, CALL_TIMEOUT_S, ret_answer, err);
	if (code)
		return code;
	keep_headers(c, ret_answer);
	if (ret_answer->status < 400) {
		c->http.deadline_ms = 0;
		return 0;
	}
	code = http_read_body(&c->http, ret_answer, &body, err);
	return code ? code : api_problem(c, ret_answer, &body, err);
}

char *api_route(const struct cli *c, const char *route)
{
	struct berth_error err = ERROR_INIT;
	struct buf b AUTO_BUF = {.max = 64 * 1024};
	for (const char *s = route; *s; s++) {
		int code;
		if (s[0] == '{' && s[1] >= '0' && s[1] <= '9' && s[2] == '}') {
			const char *word = cli_operand(c, (size_t)(s[1] - '0'));
			AUTO_FREE char *safe = text_url_encode(word ? word : "");
			code = safe ? buf_add_text(&b, safe, &err) : berth_fail_memory(&err);
			s += 2;
		} else {
			code = buf_add(&b, s, 1, &err);
		}
		if (code)
			return NULL;
	}
	return strdup(buf_text(&b));
}

char *api_query(char *take_path, const char *key, const char *value)
{
	AUTO_FREE char *path = take_path;
	AUTO_FREE char *safe = text_url_encode(value);
	if (!path || !safe)
		return NULL;
	return text_printf("%s%c%s=%s", path, strchr(path, '?') ? '&' : '?', key, safe);
}
