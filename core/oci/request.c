/* SPDX-License-Identifier: Apache-2.0 */
/* A request's way: it waits for its turn and its credential, is sent, and its
 * answer ends it, sends it again, or sends it elsewhere.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/clock.h"
#include "core/base/text.h"
#include "core/oci/registry_private.h"

#define HEADERS_MAX 8
#define HEADER_ROOM 1024

void request_describe(const struct registry_request *q, char *to, size_t room)
{
	const char *path = q->call.path;
	struct url_origin o;
	struct berth_error ignored = ERROR_INIT;
	char shown[URL_HOST_ROOM + 16] = "";

	if (!url_parse_origin(q->url, &o, &ignored))
		url_format_origin(&o, shown, sizeof shown);
	if (path[0] != '/')
		path = "an upload";
	snprintf(to, room, "%s %.*s at %s", q->call.method, (int)strcspn(path, "?#"), path, shown);
}

void request_release(struct registry *r)
{
	r->is_asking = false;
	net_task_queue(r->loop, &r->release);
}

void request_release_task(struct net_task *t)
{
	struct registry *r =
		(struct registry *)(void *)((char *)t - offsetof(struct registry, release));
	for (struct registry_request *q = r->requests; q; q = q->next)
		if (q->state == REQUEST_WAITS)
			q->state = REQUEST_READY;
	request_run_ready(r);
}

void request_run_ready(struct registry *r)
{
	for (struct registry_request *q = r->requests; q;) {
		struct registry_request *next = q->next;
		if (q->state == REQUEST_READY) {
			request_again(q);
			next = r->requests; /* its end may have freed others */
		}
		q = next;
	}
}

void request_fail_marked(struct registry *r, const struct berth_error *err)
{
	for (struct registry_request *q = r->requests; q;) {
		struct registry_request *next = q->next;
		if (q->state == REQUEST_FAILS) {
			request_finish(q, err);
			next = r->requests; /* it may have freed others */
		}
		q = next;
	}
}

void request_finish(struct registry_request *q, const struct berth_error *err)
{
	if (q->asks_first)
		request_release(q->registry);
	q->asks_first = false;
	q->state = REQUEST_ENDED;
	net_timer_cancel(q->timer);
	q->timer = NULL;
	q->call.done(q->call.user, q, err);
}

void request_again(struct registry_request *q)
{
	struct berth_error err = ERROR_INIT;
	net_exchange_free(q->exchange);
	q->exchange = NULL;
	if (request_advance(q, &err))
		request_finish(q, &err);
}

/* The original URL again: a redirect's target may have expired meanwhile. */
static int go_home(struct registry_request *q, struct berth_error *err)
{
	if (!q->redirects)
		return 0;
	char *url = text_printf("%s%s", q->registry->base_url, q->call.path);
	if (!url)
		return berth_fail_memory(err);
	free(q->url);
	q->url = url;
	q->redirects = 0;
	q->is_foreign = false;
	return 0;
}

static void on_headers(void *user)
{
	struct registry_request *q = user;
	int status = registry_status(q);
	if (status < 200 || status > 299)
		return;
	if (q->asks_first) {
		q->asks_first = false;
		if (q->registry->mode == AUTH_UNKNOWN)
			q->registry->mode = AUTH_NONE;
		request_release(q->registry);
	}
	if (!q->told_headers && q->call.headers) {
		q->told_headers = true;
		q->call.headers(q->call.user, q);
	}
}

static ssize_t on_produce(void *user, char *to, size_t room)
{
	struct registry_request *q = user;
	ssize_t n = q->call.produce(q->call.user, q, to, room);
	if (n > 0)
		q->registry->counts.bytes_out += (uint64_t)n;
	return n;
}

static ssize_t on_consume(void *user, const char *bytes, size_t byte_count)
{
	struct registry_request *q = user;
	struct registry *r = q->registry;
	ssize_t n = q->call.consume(q->call.user, q, bytes, byte_count);
	if (n > 0)
		r->counts.bytes_in += (uint64_t)n;
	return n;
}

/* Harbor before 2.8 answers a path that it does not know, the referrers API
 * among them, with 401 and an empty WWW-Authenticate (seen at 2.5.6). A call
 * that takes a 401 takes that one; every other asks for credentials. */
static bool asks_for_nothing(const struct registry_request *q)
{
	const char *challenge = net_exchange_header(q->exchange, "www-authenticate", 0);
	return challenge && !*challenge;
}

static bool is_accepted(const struct registry_request *q, int status)
{
	if (status >= 200 && status < 300)
		return true;
	for (const unsigned short *s = q->call.accept_status; s && *s; s++)
		if (*s == status)
			return status != 401 || asks_for_nothing(q);
	return false;
}

static bool is_redirect(const struct registry_request *q, int status)
{
	const char *m = q->call.method;
	return q->call.follow && (!strcmp(m, "GET") || !strcmp(m, "HEAD")) &&
	       (status == 301 || status == 302 || status == 303 || status == 307 || status == 308);
}

static void fail_with_what(struct registry_request *q, struct berth_error *err)
{
	char what[200];
	request_describe(q, what, sizeof what);
	berth_wrap(err, "%s", what);
	request_finish(q, err);
}

static void end_answered(struct registry_request *q, int status)
{
	struct berth_error err = ERROR_INIT;
	bool ok = status >= 200 && status < 300;
	if (!is_accepted(q, status))
		answer_fail(q, status, &err);
	else if (ok && request_check_answer(q, &err))
		q->state = REQUEST_ENDED;
	if (!err.code && !q->told_headers && q->call.headers)
		q->call.headers(q->call.user, q);
	request_finish(q, &err);
}

/* An answer has come whole: its status says what is next. */
static void on_answer(struct registry_request *q)
{
	struct registry *r = q->registry;
	struct berth_error err = ERROR_INIT;
	int status = registry_status(q);

	if (status == 401 && !q->is_foreign && !is_accepted(q, status)) {
		if (auth_challenged(q, &err))
			request_finish(q, &err);
		else
			request_again(q);
		return;
	}
	if (r->mode == AUTH_UNKNOWN)
		r->mode = AUTH_NONE;
	if (is_redirect(q, status)) {
		if (redirect_follow(q, &err))
			fail_with_what(q, &err);
		else
			request_again(q);
		return;
	}
	if (!is_accepted(q, status) && retry_after_status(q, status))
		return;
	end_answered(q, status);
}

static void on_done(void *user, const struct berth_error *err)
{
	struct registry_request *q = user;
	if (!err->code) {
		on_answer(q);
		return;
	}
	if (retry_after_failure(q, err))
		return;
	struct berth_error mine = *err;
	if (net_exchange_may_retry(q->exchange) && !mine.retry_ms)
		mine.retry_ms = net_client_limits(q->registry->client)->backoff_ms;
	request_finish(q, &mine);
}

struct lines {
	const char *at[HEADERS_MAX];
	char room[4][HEADER_ROOM];
	size_t count, used;
};

/* Adds "Name: value" where there is a value and it fits in a header line. */
static int add_line(struct lines *l, const char *name, const char *value, struct berth_error *err)
{
	if (!value || !*value)
		return 0;
	int n = snprintf(l->room[l->used], HEADER_ROOM, "%s: %s", name, value);
	if (n < 0 || n >= HEADER_ROOM || strpbrk(value, "\r\n"))
		return berth_fail(err, BERTH_E_INVALID, "a %s header that is no use", name);
	l->at[l->count++] = l->room[l->used++];
	return 0;
}

static int make_lines(const struct registry_request *q, const char *auth, struct lines *l,
		      struct berth_error *err)
{
	const struct registry_call *c = &q->call;
	if (auth)
		l->at[l->count++] = auth;
	/* Digests are over the bytes as stored: nothing may pack them. */
	if (!c->consume && (!strcmp(c->method, "GET") || !strcmp(c->method, "HEAD")))
		l->at[l->count++] = "Accept-Encoding: identity";
	int r = add_line(l, "Accept", c->accept, err);
	if (!r)
		r = add_line(l, "Range", c->range, err);
	if (!r)
		r = add_line(l, "Content-Type", c->content_type, err);
	if (!r)
		r = add_line(l, "Content-Range", c->content_range, err);
	return r;
}

static int send_now(struct registry_request *q, const char *auth, struct berth_error *err)
{
	struct registry *r = q->registry;
	struct lines lines = {0};
	int rc = make_lines(q, auth, &lines, err);
	if (rc)
		return rc;
	struct net_call call = {
		.method = q->call.method,
		.url = q->url,
		.headers = lines.at,
		.flags = (q->is_foreign ? NET_FOREIGN : 0u) |
			 (q->is_foreign && q->public_only ? NET_PUBLIC : 0u) |
			 (q->call.fresh ? NET_FRESH : 0u),
		.body_max_bytes = q->call.body_max_bytes,
		.body = q->call.body,
		.body_byte_count = q->call.body_byte_count,
		.stream_byte_count = q->call.stream_byte_count,
		.produce = q->call.produce ? on_produce : NULL,
		.consume = q->call.consume ? on_consume : NULL,
		.headers_in = on_headers,
		.done = on_done,
		.user = q,
	};
	rc = net_exchange_start(r->client, &call, &q->exchange, err);
	if (rc)
		return rc;
	q->state = REQUEST_RUNS;
	r->counts.requests++;
	r->counts.bytes_out += q->call.body_byte_count;
	return 0;
}

/* Until the first answer nobody knows what the registry asks for: one goes
 * ahead, so that not every request of a burst meets its own 401. */
static bool must_wait(struct registry_request *q)
{
	struct registry *r = q->registry;
	if (r->mode != AUTH_UNKNOWN || r->bearer_header || q->asks_first || q->is_foreign)
		return false;
	if (r->is_asking) {
		q->state = REQUEST_WAITS;
		return true;
	}
	r->is_asking = q->asks_first = true;
	return false;
}

int request_advance(struct registry_request *q, struct berth_error *err)
{
	const char *auth = NULL;
	int r = q->tries && q->state == REQUEST_PAUSES ? go_home(q, err) : 0;
	if (r || retry_is_held(q) || must_wait(q))
		return r;
	if (!q->is_foreign) {
		r = auth_header(q, &auth, err);
		if (r || q->state == REQUEST_WAITS_TOKEN)
			return r;
	}
	return send_now(q, auth, err);
}
