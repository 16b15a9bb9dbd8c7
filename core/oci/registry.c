/* SPDX-License-Identifier: Apache-2.0 */
/* The public face of the registry client: see registry.h. */
#include "core/oci/registry.h"

#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/clock.h"
#include "core/base/text.h"
#include "core/oci/link.h"
#include "core/oci/realm.h"
#include "core/oci/registry_private.h"

#define SECRET_MAX_BYTES ((size_t)64 << 10)

static int copy_text(const char *from, char **ret, struct berth_error *err)
{
	*ret = from && *from ? strdup(from) : NULL;
	return from && *from && !*ret ? berth_fail_memory(err) : 0;
}

static bool has_control(const char *s)
{
	for (; s && *s; s++)
		if ((unsigned char)*s < 0x20 || *s == 0x7f)
			return true;
	return false;
}

/* "Authorization: Basic base64(user:password)" in new memory. */
static char *basic_line(const char *user, const char *password)
{
	AUTO_FREE char *pair = text_printf("%s:%s", user, password ? password : "");
	size_t n = pair ? strlen(pair) : 0;
	AUTO_FREE unsigned char *coded = malloc(4 * (n / 3 + 1) + 1);
	if (!pair || !coded)
		return NULL;
	EVP_EncodeBlock(coded, (const unsigned char *)pair, (int)n);
	memset(pair, 0, n);
	return text_printf("Authorization: Basic %s", (const char *)coded);
}

static int set_credentials(struct registry *r, const struct registry_settings *s,
			   struct berth_error *err)
{
	if (has_control(s->username) || has_control(s->password) || has_control(s->bearer))
		return berth_fail(err, BERTH_E_INVALID,
				  "a user name, password or token with a control character");
	if ((s->username && strlen(s->username) > SECRET_MAX_BYTES) ||
	    (s->password && strlen(s->password) > SECRET_MAX_BYTES) ||
	    (s->bearer && strlen(s->bearer) > SECRET_MAX_BYTES))
		return berth_fail(err, BERTH_E_LIMIT, "a credential of more than %zu bytes",
				  SECRET_MAX_BYTES);
	if (s->username && strchr(s->username, ':'))
		return berth_fail(err, BERTH_E_INVALID, "a user name with a colon");
	if (s->username && *s->username) {
		r->basic_header = basic_line(s->username, s->password);
		if (!r->basic_header)
			return berth_fail_memory(err);
	}
	if (s->bearer && *s->bearer) {
		r->bearer_header = text_printf("Authorization: Bearer %s", s->bearer);
		if (!r->bearer_header)
			return berth_fail_memory(err);
	}
	if (s->basic_first && r->basic_header)
		r->mode = AUTH_BASIC;
	return 0;
}

static int set_client(struct registry *r, const struct registry_settings *s,
		      struct berth_error *err)
{
	struct net_settings net = {
		.tls_ca = s->tls_ca,
		.tls_client_cert = s->tls_client_cert,
		.tls_client_key = s->tls_client_key,
		.tls_verify = s->tls_verify,
		.proxy = s->proxy,
		.allow_http = !r->origin.is_https,
		.receive_bytes = s->receive_bytes,
		.limits = s->limits,
		.allow_address = s->allow_address,
		.allow_user = s->allow_user,
		.cancelled = s->cancelled,
		.cancelled_user = s->cancelled_user,
	};
	return net_client_new(r->loop, &net, &r->client, err);
}

static bool is_in_pause(const struct registry_request *q)
{
	return q->state == REQUEST_PAUSES || q->state == REQUEST_WAITS ||
	       (q->state == REQUEST_WAITS_TOKEN && q->token && !q->token->fetch);
}

/* A pause before another try may be minutes long: a cancel ends it too. What
 * is on its way is ended by the client's own watch. */
static void watch(struct net_task *t)
{
	struct registry *r =
		(struct registry *)(void *)((char *)t - offsetof(struct registry, watch));
	struct berth_error err = ERROR_INIT;
	int code = r->cancelled ? r->cancelled(r->cancelled_user) : 0;
	if (!code)
		return;
	for (struct registry_request *q = r->requests; q; q = q->next)
		if (is_in_pause(q))
			q->state = REQUEST_FAILS;
	if (code == BERTH_E_TIMEOUT)
		berth_fail(&err, BERTH_E_TIMEOUT, "the time was up while waiting for %s",
			   r->base_url);
	else
		berth_fail(&err, BERTH_E_CANCELLED, "cancelled while waiting for %s", r->base_url);
	request_fail_marked(r, &err);
}

int registry_open(struct net_loop *loop, const struct registry_settings *settings,
		  struct registry **ret, struct berth_error *err)
{
	AUTO(registry) struct registry *r = calloc(1, sizeof *r);
	if (!r)
		return berth_fail_memory(err);
	r->loop = loop;
	r->release.run = request_release_task;
	r->cancelled = settings->cancelled;
	r->cancelled_user = settings->cancelled_user;
	r->watch.run = watch;
	net_task_tick(loop, &r->watch);
	r->jitter = (unsigned)clock_unix_ms();
	int rc = url_normalize(settings->base_url, &r->base_url, err);
	if (rc)
		return berth_wrap(err, "the address of the registry is no use");
	rc = url_parse_origin(r->base_url, &r->origin, err);
	if (!rc)
		rc = copy_text(settings->auth_realms, &r->auth_realms, err);
	if (!rc)
		rc = copy_text(settings->upload_hosts, &r->upload_hosts, err);
	if (!rc)
		rc = set_credentials(r, settings, err);
	if (!rc)
		rc = set_client(r, settings, err);
	if (rc)
		return rc;
	*ret = STEAL(r);
	return 0;
}

static void free_secret(char *s)
{
	if (s)
		explicit_bzero(s, strlen(s));
	free(s);
}

void registry_close(struct registry *r)
{
	if (!r)
		return;
	while (r->requests)
		registry_request_free(r->requests);
	auth_free(r);
	net_task_drop(&r->release);
	net_task_drop(&r->watch);
	net_client_free(r->client);
	free_secret(r->basic_header);
	free_secret(r->bearer_header);
	free(r->base_url);
	free(r->auth_realms);
	free(r->upload_hosts);
	free(r->realm);
	free(r->service);
	free(r->scope_prefix);
	free(r);
}

static const char **call_text(struct registry_call *c, size_t n)
{
	const char **texts[] = {&c->method, &c->repository,   &c->path,  &c->mount_from,
				&c->accept, &c->content_type, &c->range, &c->content_range};
	return n < ARRAY_COUNT(texts) ? texts[n] : NULL;
}

static int own_call(struct registry_request *q, const struct registry_call *call,
		    struct berth_error *err)
{
	const char **at;
	bool failed = false;
	q->call = *call;
	for (size_t i = 0; (at = call_text(&q->call, i)); i++) {
		const char *text = *at;
		*at = text ? strdup(text) : NULL;
		failed = failed || (text && !*at);
	}
	return failed ? berth_fail_memory(err) : 0;
}

/* The absolute URL of a call: below the base, or an upload's own. */
static int set_url(struct registry_request *q, struct berth_error *err)
{
	struct registry *r = q->registry;
	const char *path = q->call.path;
	struct url_origin o;

	if (path[0] == '/') {
		q->url = text_printf("%s%s", r->base_url, path);
		return q->url ? 0 : berth_fail_memory(err);
	}
	int rc = url_join(r->base_url, path, &q->url, err);
	if (!rc)
		rc = url_parse_origin(q->url, &o, err);
	if (rc)
		return rc;
	q->is_foreign = !url_same_origin(&o, &r->origin);
	if (q->is_foreign && !realm_in_list(&o, r->upload_hosts))
		return link_refuse_upload(&o, err);
	return 0;
}

int registry_start(struct registry *r, const struct registry_call *call,
		   struct registry_request **ret, struct berth_error *err)
{
	struct registry_request *q = calloc(1, sizeof *q);
	if (!q)
		return berth_fail_memory(err);
	q->registry = r;
	q->next = r->requests;
	if (q->next)
		q->next->prev = q;
	r->requests = q;
	int rc = own_call(q, call, err);
	if (!rc)
		rc = set_url(q, err);
	if (!rc)
		rc = request_advance(q, err);
	if (rc) {
		registry_request_free(q);
		return rc;
	}
	*ret = q;
	return 0;
}

void registry_resume(struct registry_request *q)
{
	if (q->exchange)
		net_exchange_resume(q->exchange);
}

size_t registry_waiting(const struct registry_request *q)
{
	return q->exchange ? net_exchange_waiting(q->exchange) : 0;
}

void registry_request_free(struct registry_request *q)
{
	const char **at;
	if (!q)
		return;
	if (q->prev)
		q->prev->next = q->next;
	else
		q->registry->requests = q->next;
	if (q->next)
		q->next->prev = q->prev;
	net_timer_cancel(q->timer);
	net_exchange_free(q->exchange);
	if (q->asks_first)
		request_release(q->registry);
	for (size_t i = 0; (at = call_text(&q->call, i)); i++)
		free((void *)(uintptr_t)*at);
	free(q->url);
	free(q);
}

struct net_loop *registry_loop(const struct registry *r)
{
	return r->loop;
}

const struct net_limits *registry_limits(const struct registry *r)
{
	return net_client_limits(r->client);
}

int64_t registry_clock_skew_s(const struct registry *r)
{
	return net_client_clock_skew_s(r->client);
}

int registry_status(const struct registry_request *q)
{
	return q->exchange ? net_exchange_status(q->exchange) : 0;
}

const char *registry_header(const struct registry_request *q, const char *name)
{
	return q->exchange ? net_exchange_header(q->exchange, name, 0) : NULL;
}

const struct buf *registry_body(const struct registry_request *q)
{
	static const struct buf nothing;
	return q->exchange ? net_exchange_body(q->exchange) : &nothing;
}

const struct registry_counts *registry_counts(const struct registry *r)
{
	return &r->counts;
}

/* --- waiting, for plugins --- */

struct wait {
	struct berth_error err;
	bool ended;
};

static void wait_done(void *user, struct registry_request *q, const struct berth_error *err)
{
	struct wait *w = user;
	(void)q;
	w->err = *err;
	w->ended = true;
}

static int wait_ended(void *user)
{
	return ((struct wait *)user)->ended;
}

int registry_wait(struct registry *r, const struct registry_call *call,
		  struct registry_request **ret, struct berth_error *err)
{
	struct wait w = {.err = ERROR_INIT};
	struct registry_call mine = *call;
	AUTO(registry_request) struct registry_request *q = NULL;

	mine.done = wait_done;
	mine.user = &w;
	int rc = registry_start(r, &mine, &q, err);
	if (!rc)
		rc = net_loop_run(r->loop, wait_ended, &w, err);
	if (rc)
		return rc;
	if (!w.ended)
		return berth_fail(err, BERTH_E_INTERNAL, "a request was lost");
	*ret = STEAL(q); /* also after a failure: the status may be asked */
	if (w.err.code)
		*err = w.err;
	return w.err.code;
}

struct net_client *registry_net(const struct registry *r)
{
	return r->client;
}
