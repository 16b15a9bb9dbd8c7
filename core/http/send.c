/* SPDX-License-Identifier: Apache-2.0 */
/* The answer as a response of libmicrohttpd, or as plain bytes for a socket
 * that has no parser behind it; then the counters, the audit hook and the log.
 */
#include <inttypes.h>
#include <string.h>

#include "core/base/clock.h"
#include "core/base/js.h"
#include "core/base/log.h"
#include "core/http/internal.h"

#define REFUSALS_PER_S 10

const uint32_t duration_bounds_us[DURATION_BUCKETS] = {100,   250,    500,    1000,    2500,
						       10000, 100000, 500000, 1000000, 10000000};

static struct MHD_Response *make_response(struct request *q)
{
	struct answer *a = &q->answer;
	static char nothing[1];
	char *text = a->text;

	if (a->stream)
		return stream_response(a->stream);
	if (a->body)
		text = js_text(a->body);
	else
		a->text = NULL; /* the response owns it now */
	if (!text && a->body)
		return NULL;
	if (!text)
		return MHD_create_response_from_buffer(0, nothing, MHD_RESPMEM_PERSISTENT);
	struct MHD_Response *r =
		MHD_create_response_from_buffer(strlen(text), text, MHD_RESPMEM_MUST_FREE);
	if (!r)
		free(text);
	return r;
}

/* Answers are as of now: one is asked for again before it is used again. */
static bool add_cache_control(const struct answer *a, struct MHD_Response *r)
{
	for (size_t i = 0; i < a->header_count; i++)
		if (!strcmp(a->headers[i].name, "Cache-Control"))
			return true;
	return MHD_add_response_header(r, "Cache-Control", "no-cache");
}

/* False: no memory for one of them. */
static bool add_headers(struct request *q, struct MHD_Response *r)
{
	const struct answer *a = &q->answer;
	bool has_type = a->media_type && a->status != 204 && a->status != 304;
	bool has_waited = a->is_woken && q->wait_s;
	bool closes = a->closes || q->server->is_draining;

	for (size_t i = 0; i < a->header_count; i++)
		if (!MHD_add_response_header(r, a->headers[i].name, a->headers[i].value))
			return false;
	return (!has_type || MHD_add_response_header(r, "Content-Type", a->media_type)) &&
	       MHD_add_response_header(r, "X-Request-Id", q->id) && add_cache_control(a, r) &&
	       (!has_waited || MHD_add_response_header(r, "Preference-Applied", "wait")) &&
	       (!closes || MHD_add_response_header(r, "Connection", "close"));
}

static void count(const struct request *q)
{
	struct http_counters *c = &q->server->counters;
	size_t route = q->route ? (size_t)(q->route - routes) : route_count;
	uint64_t took = monotonic_us() - q->started_us;
	size_t bucket = 0;

	c->by_route[route * STATUS_CLASSES + (size_t)(q->answer.status / 100) % STATUS_CLASSES]++;
	while (bucket < DURATION_BUCKETS && took > duration_bounds_us[bucket])
		bucket++;
	c->durations[bucket]++;
	c->duration_us += took;
	c->duration_count++;
}

/* Refusals are rows too, each a write to the disk: so many a second, that a
 * caller without rights can't keep the daemon busy with them. */
static bool may_audit_refusal(struct http_server *s)
{
	uint64_t second = monotonic_us() / 1000000;
	if (s->refusal_second != second) {
		s->refusal_second = second;
		s->refusal_count = 0;
	}
	return s->refusal_count++ < REFUSALS_PER_S;
}

struct http_audit request_audit(const struct request *q)
{
	return (struct http_audit){
		.caller = &q->conn->caller,
		.request_id = q->id,
		.method = q->method,
		.path = q->path_text,
		.operation = q->route ? q->route->operation : "",
		.problem = q->answer.problem,
		/* What was held answered its 202 first; the operation's end is audited there. */
		.status = q->answer.is_woken || !q->answer.status ? 202 : q->answer.status,
		.dry_run = request_dry_run(q),
		.asked = q->body,
		.before = q->before,
		.after = q->after,
	};
}

static void audit(const struct request *q)
{
	const struct http_hooks *hooks = q->server->config.hooks;
	bool is_refusal = q->answer.status == 403;
	struct http_audit entry = request_audit(q);

	if (q->is_audited)
		return;
	if (!hooks || !hooks->audit || !q->route || (is_refusal && !may_audit_refusal(q->server)))
		return;
	if (q->route->audit != AUDIT_NONE || is_refusal)
		hooks->audit(q->server->config.daemon, &entry);
}

static void write_log(const struct request *q)
{
	const struct log_context context = {.request = q->id};
	const json_t *body = q->answer.body;
	int level = q->answer.status >= 500 ? LOG_LEVEL_ERROR : LOG_LEVEL_DEBUG;
	if (level > log_level())
		return;
	log_line(level, &context, "%s %s uid=%u: %d%s%s%s%s", q->method, q->path_text,
		 (unsigned)q->conn->caller.uid, q->answer.status, q->answer.problem ? " " : "",
		 q->answer.problem ? q->answer.problem : "", q->answer.problem ? ": " : "",
		 q->answer.problem ? js_str(body, "detail", "") : "");
}

bool answer_build(struct request *q)
{
	q->response = make_response(q);
	if (!q->response || add_headers(q, q->response))
		return q->response;
	answer_unbuild(q);
	q->answer.stream = NULL; /* the response's */
	return false;
}

void answer_unbuild(struct request *q)
{
	if (q->response)
		MHD_destroy_response(q->response);
	q->response = NULL;
}

enum MHD_Result answer_send(struct request *q)
{
	enum MHD_Result result;

	if (!q->response && !answer_build(q)) {
		answer_clear(&q->answer);
		log_error("out of memory for an answer; the connection is closed");
		return MHD_NO;
	}
	struct MHD_Response *r = STEAL(q->response);
	q->is_sent = true;
	result = MHD_queue_response(q->conn->mhd, (unsigned)q->answer.status, r);
	if (q->answer.stream && result == MHD_YES)
		stream_started(q->answer.stream);
	q->answer.stream = NULL; /* the response's */
	MHD_destroy_response(r);
	count(q);
	audit(q);
	write_log(q);
	return result;
}

size_t problem_bytes(const char *code, const char *id, char *to, size_t room)
{
	const struct problem_kind *kind = problem_kind_find(code);
	char body[512];
	int n = snprintf(body, sizeof body,
			 "{\"type\":\"/v1/problems/%s\",\"title\":\"%s\",\"status\":%d,"
			 "\"code\":\"%s\",\"instance\":\"%s\",\"retry_after_s\":2}",
			 kind->code, kind->title, kind->status, kind->code, id);
	n = snprintf(to, room,
		     "HTTP/1.1 %d %s\r\nContent-Type: application/problem+json\r\n"
		     "Content-Length: %d\r\nRetry-After: 2\r\nX-Request-Id: %s\r\n"
		     "Cache-Control: no-cache\r\nConnection: close\r\n\r\n%s",
		     kind->status, kind->title, n, id, body);
	return n < 0 || (size_t)n >= room ? 0 : (size_t)n;
}
