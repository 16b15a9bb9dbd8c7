/* SPDX-License-Identifier: Apache-2.0 */
/* One HTTP exchange with Harbor to its end, and harbor_ask on top of it:
 * credentials, the second try with a new session, errors in Harbor's words.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core/base/js.h"
#include "core/base/text.h"
#include "plugins/harbor/harbor.h"

/* A page of 100 artifacts with labels, tags and annotations stays below this
 * in a sane instance; a report of 20 000 findings too. */
static const struct js_limits limits = {32u << 20, 1000000, 64};

void reply_done(struct reply *r)
{
	json_decref(r->json);
	free(r->body);
	free(r->location);
	*r = (struct reply){0};
}

struct waiting {
	bool ended;
	struct berth_error err;
};

static void on_done(void *user, const struct berth_error *err)
{
	struct waiting *w = user;
	w->ended = true;
	w->err = *err;
}

static int has_ended(void *user)
{
	return ((struct waiting *)user)->ended;
}

/* Adds "Name: value" as the next header line where there is a value. */
static int add_line(struct buf *b, const char **lines, size_t *count, const char *name,
		    const char *value)
{
	struct berth_error err = ERROR_INIT;
	if (!value)
		return 0;
	lines[(*count)++] = b->bytes + b->byte_count;
	if (buf_printf(b, &err, "%s: %s", name, value))
		return err.code;
	return buf_add(b, "", 1, &err);
}

#define LINES_MAX_BYTES 16384

static int header_lines(struct harbor *h, const struct wire *w, struct buf *b, const char **lines,
			struct berth_error *err)
{
	size_t count = 0;
	/* All room at once: lines point into it. */
	static const char zeros[LINES_MAX_BYTES];
	int r = buf_add(b, zeros, sizeof zeros, err);
	if (r)
		return r;
	b->byte_count = 0;
	r = add_line(b, lines, &count, "Accept", w->accept ? w->accept : "application/json, */*");
	if (!r)
		r = add_line(b, lines, &count, "Content-Type", w->content_type);
	if (!r)
		r = add_line(b, lines, &count, "Cookie", w->cookie);
	if (!r)
		r = add_line(b, lines, &count, "X-Harbor-CSRF-Token", w->csrf);
	if (!r)
		r = add_line(b, lines, &count, "Authorization", w->authorization);
	if (!r)
		r = add_line(b, lines, &count, "X-Is-Resource-Name", "true");
	if (!r)
		r = add_line(b, lines, &count, "X-Request-Id",
			     h->remote.call ? h->remote.call->id : NULL);
	if (!r) /* gorilla's CSRF check wants it where Harbor sees TLS */
		r = add_line(b, lines, &count, "Referer", h->base);
	if (!r)
		r = add_line(b, lines, &count, "X-Accept-Vulnerabilities",
			     "application/vnd.security.vulnerability.report; version=1.1, "
			     "application/vnd.scanner.adapter.vuln.report.harbor+json; "
			     "version=1.0");
	lines[count] = NULL;
	return r ? berth_fail(err, r, "cannot make the head of a request") : 0;
}

int harbor_wire(struct harbor *h, const struct wire *w, struct net_exchange **ret,
		struct berth_error *err)
{
	AUTO_BUF struct buf b;
	const char *lines[12];
	struct waiting waiting = {.err = ERROR_INIT};
	AUTO_FREE char *url = text_printf("%s%s", h->base, w->path);
	AUTO(net_exchange) struct net_exchange *x = NULL;
	struct net_call call = {
		.method = w->method,
		.headers = lines,
		.body = w->body,
		.body_byte_count = w->body ? strlen(w->body) : 0,
		.body_max_bytes = limits.bytes,
		.done = on_done,
		.user = &waiting,
	};

	buf_init(&b, LINES_MAX_BYTES);
	if (!url)
		return berth_fail_memory(err);
	call.url = url;
	int r = header_lines(h, w, &b, lines, err);
	if (!r)
		r = net_exchange_start(registry_net(h->remote.registry), &call, &x, err);
	if (!r)
		r = net_loop_run(h->remote.loop, has_ended, &waiting, err);
	if (!r && waiting.err.code) {
		*err = waiting.err;
		r = err->code;
	}
	if (!r)
		*ret = STEAL(x);
	return r;
}

/* What Harbor says of an error: its own envelope, or what kind of body it was. */
static void explain(const struct buf *body, int status, struct berth_error *err)
{
	AUTO_JSON json_t *j = NULL;
	struct berth_error ignored = ERROR_INIT;
	const char *text = buf_text(body);
	if (!js_parse(text, body->byte_count, &limits, &j, &ignored)) {
		const json_t *first = json_array_get(json_object_get(j, "errors"), 0);
		const char *message = js_str(first, "message", js_str(j, "message", NULL));
		if (message)
			berth_cause(err, "HTTP %d %s: %s", status, js_str(first, "code", ""),
				    message);
		return;
	}
	if (strstr(text, "<html") || strstr(text, "<!DOCTYPE"))
		berth_cause(err, "HTTP %d with an HTML page%s", status,
			    status == 503 ? ": Harbor or its database is down or in upgrade"
					  : ": a proxy before Harbor answered");
}

/* Statuses whose meaning Harbor's API gives them beyond HTTP's own. */
static int refine(int status, const struct berth_error *err)
{
	if (status == 403 && strstr(err->cause, "read only"))
		return BERTH_E_READ_ONLY;
	if (status == 403 && strstr(err->cause, "quota"))
		return BERTH_E_QUOTA;
	return err->code;
}

static int fail_status(const struct ask *a, struct net_exchange *x, struct berth_error *err)
{
	int status = net_exchange_status(x);
	/* The query stays out: it may hold names that the reader may not see. */
	berth_fail_http(err, status, "%s %.*s", a->method, (int)strcspn(a->path, "?"), a->path);
	explain(net_exchange_body(x), status, err);
	err->code = refine(status, err);
	return err->code;
}

static int take_json(const struct ask *a, const struct buf *body, struct reply *ret,
		     struct berth_error *err)
{
	if (!body->byte_count)
		return 0; /* "no schedule", "no scanner": 200 with an empty body */
	int r = js_parse(body->bytes, body->byte_count, &limits, &ret->json, err);
	if (!r)
		return 0;
	bool html = strstr(buf_text(body), "<html") || strstr(buf_text(body), "<!DOCTYPE");
	if (r == BERTH_E_INVALID)
		err->code = BERTH_E_PROTOCOL;
	return berth_wrap(err, "%s %s: %s", a->method, a->path,
			  html ? "an HTML page in place of JSON: not Harbor's API, or a login page"
			       : "the answer is not JSON");
}

static int take(const struct ask *a, struct net_exchange *x, struct reply *ret,
		struct berth_error *err)
{
	const struct buf *body = net_exchange_body(x);
	const char *location = net_exchange_header(x, "location", 0);
	const char *total = net_exchange_header(x, "x-total-count", 0);
	ret->status = net_exchange_status(x);
	ret->total = -1;
	if (total && !text_parse_i64(total, 0, INT64_MAX, &ret->total))
		return berth_fail(err, BERTH_E_PROTOCOL, "%s %s: X-Total-Count is not a number",
				  a->method, a->path);
	if (location && !(ret->location = strdup(location)))
		return berth_fail_memory(err);
	if (!a->is_text && ret->status < 300)
		return take_json(a, body, ret, err);
	ret->body = strdup(buf_text(body));
	return ret->body ? 0 : berth_fail_memory(err);
}

static int exchange(struct harbor *h, const struct ask *a, const char *body,
		    struct net_exchange **ret, struct berth_error *err)
{
	AUTO_FREE char *basic = NULL;
	struct wire w = {
		.method = a->method,
		.path = a->path,
		.body = body,
		.content_type = body ? "application/json" : NULL,
		.accept = a->is_text ? "text/plain, */*" : NULL,
	};
	if (!a->anonymous && h->username && !h->is_robot) {
		int r = harbor_sign_in(h, err);
		if (r)
			return r;
		w.cookie = h->session;
		w.csrf = h->csrf;
	} else if (!a->anonymous && h->username) {
		basic = harbor_basic(h);
		if (!basic)
			return berth_fail_memory(err);
		w.authorization = basic;
	}
	return harbor_wire(h, &w, ret, err);
}

int harbor_ask(struct harbor *h, const struct ask *ask, struct reply *ret, struct berth_error *err)
{
	AUTO(net_exchange) struct net_exchange *x = NULL;
	AUTO_FREE char *body = ask->body ? js_text(ask->body) : NULL;
	struct ask a = *ask;
	a.method = a.method ? a.method : "GET";
	*ret = (struct reply){.total = -1};
	int r = exchange(h, &a, body, &x, err);
	if (!r && net_exchange_status(x) == 401 && h->session && h->was_kept && !a.anonymous) {
		harbor_sign_out(h);
		net_exchange_free(STEAL(x));
		r = exchange(h, &a, body, &x, err);
	}
	if (r)
		return r;
	int status = net_exchange_status(x);
	if ((status < 200 || status > 299) && status != a.accept)
		return fail_status(&a, x, err);
	r = take(&a, x, ret, err);
	if (r)
		reply_done(ret);
	return r;
}

int harbor_get(struct harbor *h, const char *path, json_t **ret, struct berth_error *err)
{
	AUTO_REPLY struct reply reply = {0};
	int r = harbor_ask(h, &(struct ask){.path = path}, &reply, err);
	if (!r && !reply.json)
		return berth_fail(err, BERTH_E_PROTOCOL, "GET %s: an empty answer", path);
	if (!r)
		*ret = STEAL(reply.json);
	return r;
}

int harbor_do(struct harbor *h, const char *method, const char *path, const json_t *body,
	      struct berth_error *err)
{
	AUTO_REPLY struct reply reply = {0};
	return harbor_ask(
		h, &(struct ask){.method = method, .path = path, .body = body, .is_text = true},
		&reply, err);
}

static char *print(const char *fmt, va_list args) __attribute__((format(printf, 1, 0)));
static char *print(const char *fmt, va_list args)
{
	char *s = NULL;
	return vasprintf(&s, fmt, args) < 0 ? NULL : s;
}

int harbor_getf(struct harbor *h, json_t **ret, struct berth_error *err, const char *fmt, ...)
{
	va_list args;
	va_start(args, fmt);
	AUTO_FREE char *path = print(fmt, args);
	va_end(args);
	return path ? harbor_get(h, path, ret, err) : berth_fail_memory(err);
}

int harbor_dof(struct harbor *h, const char *method, const json_t *body, struct berth_error *err,
	       const char *fmt, ...)
{
	va_list args;
	va_start(args, fmt);
	AUTO_FREE char *path = print(fmt, args);
	va_end(args);
	return path ? harbor_do(h, method, path, body, err) : berth_fail_memory(err);
}
