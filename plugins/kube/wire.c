/* SPDX-License-Identifier: Apache-2.0 */
/* Requests to the API server, the pages of its lists, and names that may stand
 * in a path. Runs in a job.
 */
#include "kube.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core/base/text.h"

#define RESTARTS_MAX 3 /* of a list whose token became too old */

static int add_headers(const struct kube *k, const struct kube_ask *ask, struct ask_lines *l,
		       struct berth_error *err)
{
	AUTO_FREE char *bearer = k->token ? text_printf("Bearer %s", k->token) : NULL;
	const char *type = ask->type ? ask->type : "application/json";
	const struct {
		const char *name, *value;
	} headers[] = {
		{"Accept", ask->is_text ? "text/plain, */*" : "application/json"},
		{"Content-Type", ask->body ? type : NULL},
		{"Authorization", bearer},
	};
	if (k->token && !bearer)
		return berth_fail_memory(err);
	int r = ask_lines_init(l, err);
	for (size_t i = 0; !r && i < ARRAY_COUNT(headers); i++)
		r = ask_lines_add(l, headers[i].name, headers[i].value, err);
	if (bearer)
		explicit_bzero(bearer, strlen(bearer));
	return r;
}

struct asking {
	struct kube *k;
	const struct kube_ask *ask;
	const char *body;
	json_t **ret;
};

static int ask_kube(void *user, struct berth_error *err)
{
	const struct asking *a = user;
	const struct kube_ask *ask = a->ask;
	struct kube *k = a->k;
	AUTO(net_exchange) struct net_exchange *x = NULL;
	AUTO_ASK_LINES struct ask_lines l = {0};
	AUTO_FREE char *url = text_printf("%s%s", k->base, ask->path);
	AUTO_FREE char *text = NULL;
	int r = url ? add_headers(k, ask, &l, err) : berth_fail_memory(err);
	if (!r)
		r = ask_exchange(&k->remote, ask->method, url, &l, a->body, &x, err);
	if (r)
		return r;
	int status = net_exchange_status(x);
	if (status < 200 || status > 299)
		return kube_fail(k, ask, x, err);
	if (!ask->is_text)
		return ask_json(ask->method, ask->path, x, a->ret, err);
	r = ask_text(ask->method, ask->path, x, &text, err);
	if (!r && !(*a->ret = json_string(text)))
		r = berth_fail(err, BERTH_E_PROTOCOL, "%s %s: no UTF-8 text", ask->method,
			       ask->path);
	return r;
}

int kube_ask(struct kube *k, const struct kube_ask *asked, json_t **ret, struct berth_error *err)
{
	AUTO_FREE char *body = asked->body ? js_text(asked->body) : NULL;
	struct kube_ask ask = *asked;
	struct asking asking = {.k = k, .ask = &ask, .body = body, .ret = ret};
	if (asked->body && !body)
		return berth_fail_memory(err);
	ask.method = ask.method ? ask.method : "GET";
	bool is_read = !strcmp(ask.method, "GET");
	int r = ask_again(&k->remote, is_read, ask_kube, &asking, err);
	if (body)
		explicit_bzero(body, strlen(body));
	return r;
}

static int get(struct kube *k, const char *path, json_t **ret, struct berth_error *err)
{
	AUTO_JSON json_t *json = NULL;
	int r = kube_ask(k, &(struct kube_ask){.path = path}, &json, err);
	if (!r && !json_is_object(json))
		return berth_fail(err, BERTH_E_PROTOCOL, "GET %.*s: the answer is no object",
				  (int)strcspn(path, "?"), path);
	if (!r)
		*ret = STEAL(json);
	return r;
}

int kube_getf(struct kube *k, json_t **ret, struct berth_error *err, const char *fmt, ...)
{
	va_list args;
	char *made = NULL;
	va_start(args, fmt);
	int n = vasprintf(&made, fmt, args);
	va_end(args);
	AUTO_FREE char *path = n < 0 ? NULL : made;
	return path ? get(k, path, ret, err) : berth_fail_memory(err);
}

/* --- lists --- */

struct listing {
	struct kube *k;
	const char *path;
	unsigned limit;
	kube_each *each;
	void *user;
	json_t *seen;         /* by uid: a list that begins again has objects a second time */
	char *next;           /* the token of the next page; NULL: from the beginning */
	struct ask_list come; /* items are those of seen */
	uint32_t restarts;
	bool is_over;
};

static int give_once(struct listing *l, const json_t *object, struct berth_error *err)
{
	const char *uid = kube_meta(object, "uid");
	if (!*kube_meta(object, "name") || !*uid)
		return berth_fail(err, BERTH_E_PROTOCOL, "GET %s: an object without name or uid",
				  l->path);
	if (json_object_get(l->seen, uid))
		return 0;
	if (json_object_set_new(l->seen, uid, json_true()))
		return berth_fail_memory(err);
	return l->each(l->user, object, err);
}

static int take_next(struct listing *l, const json_t *answer, struct berth_error *err)
{
	const char *token = kube_meta(answer, "continue");
	free(l->next);
	l->next = *token ? text_url_encode(token) : NULL;
	l->is_over = !*token;
	return *token && !l->next ? berth_fail_memory(err) : 0;
}

static int take_page(struct listing *l, const json_t *page, struct berth_error *err)
{
	const json_t *items = json_object_get(page, "items"), *one;
	size_t i;
	int r = take_next(l, page, err);
	if (!r && !json_is_array(items) && !json_is_null(items))
		r = berth_fail(err, BERTH_E_PROTOCOL, "GET %s: the answer is no list", l->path);
	json_array_foreach (items, i, one) {
		if (!r)
			r = give_once(l, one, err);
	}
	l->come.items = json_object_size(l->seen);
	return r ? r : ask_list_check(&l->k->remote, &l->come, err);
}

/* A token that is too old comes back with one that goes on from there, and sees
 * what was changed meanwhile; where a server gives none, all is read again. */
static int read_page(struct listing *l, struct berth_error *err)
{
	AUTO_JSON json_t *page = NULL;
	AUTO_FREE char *path = text_printf("%s?limit=%u%s%s", l->path, l->limit,
					   l->next ? "&continue=" : "", l->next ? l->next : "");
	int r = path ? get(l->k, path, &page, err) : berth_fail_memory(err);
	if (!r)
		return take_page(l, page, err);
	if (err->upstream != 410 || l->restarts++ >= RESTARTS_MAX)
		return r;
	*err = (struct berth_error)ERROR_INIT;
	free(l->next);
	l->next = STEAL(l->k->fresh_continue);
	return 0;
}

int kube_list(struct kube *k, const char *path, unsigned limit, kube_each *each, void *user,
	      struct berth_error *err)
{
	AUTO_JSON json_t *seen = json_object();
	struct listing l = {.k = k,
			    .path = path,
			    .limit = limit,
			    .each = each,
			    .user = user,
			    .seen = seen,
			    .come = {.path = path, .page_size = limit}};
	int r = seen ? 0 : berth_fail_memory(err);
	while (!r && !l.is_over) {
		l.come.pages++;
		r = ask_list_check(&k->remote, &l.come, err);
		if (!r)
			r = read_page(&l, err);
	}
	free(l.next);
	return r;
}

const char *kube_meta(const json_t *object, const char *key)
{
	return js_str(json_object_get(object, "metadata"), key, "");
}

/* One label (RFC 1123) of n bytes. */
static bool is_label(const char *s, size_t n)
{
	if (!n || n > 63 || s[0] == '-' || s[n - 1] == '-')
		return false;
	for (size_t i = 0; i < n; i++)
		if (!(s[i] >= 'a' && s[i] <= 'z') && !(s[i] >= '0' && s[i] <= '9') && s[i] != '-')
			return false;
	return true;
}

bool kube_is_label(const char *s)
{
	return is_label(s, strlen(s));
}

bool kube_is_name(const char *s)
{
	if (strlen(s) > 253)
		return false;
	for (;; s++) {
		size_t n = strcspn(s, ".");
		if (!is_label(s, n))
			return false;
		s += n;
		if (!*s)
			return true;
	}
}
