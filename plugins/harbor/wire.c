/* SPDX-License-Identifier: Apache-2.0 */
/* One HTTP exchange with Harbor to its end, and harbor_ask on top of it:
 * credentials, and the second try with a new session.
 */
#include "harbor.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core/base/js.h"
#include "core/base/text.h"

void reply_done(struct reply *r)
{
	json_decref(r->json);
	free(r->body);
	free(r->location);
	*r = (struct reply){0};
}

int harbor_wire(struct harbor *h, const struct wire *w, struct net_exchange **ret,
		struct berth_error *err)
{
	AUTO_ASK_LINES struct ask_lines l = {0};
	AUTO_FREE char *url = text_printf("%s%s", h->base, w->path);
	const struct {
		const char *name, *value;
	} headers[] = {
		{"Accept", w->accept ? w->accept : "application/json, */*"},
		{"Content-Type", w->content_type},
		{"Cookie", w->cookie},
		{"X-Harbor-CSRF-Token", w->csrf},
		{"Authorization", w->authorization},
		{"X-Is-Resource-Name", "true"},
		{"X-Request-Id", h->remote.call ? h->remote.call->id : NULL},
		{"Referer", h->base}, /* gorilla's CSRF check wants it where Harbor sees TLS */
		{"X-Accept-Vulnerabilities",
		 "application/vnd.security.vulnerability.report; version=1.1, "
		 "application/vnd.scanner.adapter.vuln.report.harbor+json; version=1.0"},
	};
	if (!url)
		return berth_fail_memory(err);
	int r = ask_lines_init(&l, err);
	for (size_t i = 0; !r && i < ARRAY_COUNT(headers); i++)
		r = ask_lines_add(&l, headers[i].name, headers[i].value, err);
	return r ? r : ask_exchange(&h->remote, w->method, url, &l, w->body, ret, err);
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
		return ask_json(a->method, a->path, x, &ret->json, err);
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
		basic = ask_basic(h->username, h->password);
		if (!basic)
			return berth_fail_memory(err);
		w.authorization = basic;
	}
	return harbor_wire(h, &w, ret, err);
}

/* Has Harbor ended a session of an earlier job? A write then fails by the CSRF
 * token, where the key of the cookies has changed since. */
static bool is_session_over(const struct harbor *h, const struct ask *a,
			    const struct net_exchange *x)
{
	int status = net_exchange_status(x);
	if (!h->session || !h->was_kept || a->anonymous)
		return false;
	return status == 401 ||
	       (status == 403 && strstr(buf_text(net_exchange_body(x)), "CSRF token"));
}

struct asking {
	struct harbor *h;
	const struct ask *a;
	const char *body;
	struct reply *ret;
};

static int ask_harbor(void *user, struct berth_error *err)
{
	const struct asking *asking = user;
	const struct ask *a = asking->a;
	const char *body = asking->body;
	struct harbor *h = asking->h;
	struct reply *ret = asking->ret;
	AUTO(net_exchange) struct net_exchange *x = NULL;
	*ret = (struct reply){.total = -1};
	int r = exchange(h, a, body, &x, err);
	if (!r && is_session_over(h, a, x)) {
		harbor_sign_out(h);
		net_exchange_free(STEAL(x));
		r = exchange(h, a, body, &x, err);
	}
	if (r)
		return r;
	int status = net_exchange_status(x);
	if ((status < 200 || status > 299) && status != a->accept)
		return harbor_fail(h, a, x, err);
	r = take(a, x, ret, err);
	if (r)
		reply_done(ret);
	return r;
}

/* A proxy before Harbor, or Harbor itself, may limit how often it is asked. */
int harbor_ask(struct harbor *h, const struct ask *ask, struct reply *ret, struct berth_error *err)
{
	AUTO_FREE char *body = ask->body ? js_text(ask->body) : NULL;
	struct ask a = *ask;
	struct asking asking = {.h = h, .a = &a, .body = body, .ret = ret};
	a.method = a.method ? a.method : "GET";
	return ask_again(&h->remote, false, ask_harbor, &asking, err);
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
