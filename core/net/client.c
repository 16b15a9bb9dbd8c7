/* SPDX-License-Identifier: Apache-2.0 */
/* A client: the settings that all exchanges with one server share, and the
 * watch over those in flight (cancel, time limits).
 */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/net/http_private.h"
#include "core/net/pem.h"

/* Where the n-th text of the settings is, NULL after the last. */
static const char **text_at(struct net_settings *s, size_t n)
{
	const char **texts[] = {&s->tls_ca, &s->tls_client_cert, &s->tls_client_key, &s->proxy};
	return n < ARRAY_COUNT(texts) ? texts[n] : NULL;
}

static int own_texts(struct net_settings *s, struct berth_error *err)
{
	const char **at;
	bool failed = false;
	for (size_t i = 0; (at = text_at(s, i)); i++) {
		const char *text = *at;
		*at = text && *text ? strdup(text) : NULL;
		failed = failed || (text && *text && !*at);
	}
	return failed ? berth_fail_memory(err) : 0;
}

/* libcurl before 7.77 reads authorities from files only. */
static int store_ca(struct net_client *c, struct berth_error *err)
{
#if LIBCURL_VERSION_NUM < 0x074d00
	const char *ca = c->settings.tls_ca;
	size_t left = ca ? strlen(ca) : 0;
	if (!ca)
		return 0;
	c->ca_fd = memfd_create("ca", MFD_CLOEXEC);
	if (c->ca_fd < 0 || write(c->ca_fd, ca, left) != (ssize_t)left)
		return berth_fail(err, BERTH_E_INTERNAL, "cannot store the CA certificate");
#endif
	(void)c;
	(void)err;
	return 0;
}

/* The first exchange that has to end now, with its reason in failure. */
static struct net_exchange *find_overdue(struct net_client *c, int cancelled)
{
	uint64_t now = clock_monotonic_ms();
	for (struct net_exchange *x = c->active; x; x = x->next) {
		if (x->dead || x->wants_start)
			continue;
		if (cancelled) {
			berth_fail(&x->failure,
				   cancelled == BERTH_E_TIMEOUT ? BERTH_E_TIMEOUT
								: BERTH_E_CANCELLED,
				   "%s while talking to %s",
				   cancelled == BERTH_E_TIMEOUT ? "the time was up" : "cancelled",
				   x->origin);
			return x;
		}
		if (net_too_slow(x, now))
			return x;
	}
	return NULL;
}

static void watch(struct net_task *t)
{
	struct net_client *c =
		(struct net_client *)(void *)((char *)t - offsetof(struct net_client, tick));
	const struct net_settings *s = &c->settings;
	int cancelled = s->cancelled ? s->cancelled(s->cancelled_user) : 0;
	/* Its end may free others, so the list is looked through anew. */
	for (struct net_exchange *x; (x = find_overdue(c, cancelled));)
		net_exchange_ended(x, CURLE_ABORTED_BY_CALLBACK);
}

/* A proxy is an http or https URL without a user: what libcurl takes for a
 * proxy otherwise (SOCKS, host alone) is not judged by our rules. */
static int check_proxy(const char *proxy, struct berth_error *err)
{
	AUTO_FREE char *plain = NULL;
	int r = proxy ? url_normalize(proxy, &plain, err) : 0;
	return r ? berth_wrap(err, "the address of the proxy is no use") : 0;
}

static int check_pems(const struct net_settings *s, struct berth_error *err)
{
	int r = s->tls_ca ? pem_check_ca(s->tls_ca, err) : 0;
	if (!r && s->tls_client_cert)
		r = pem_check_pair(s->tls_client_cert, s->tls_client_key, err);
	return r;
}

int net_client_new(struct net_loop *loop, const struct net_settings *settings,
		   struct net_client **ret, struct berth_error *err)
{
	AUTO(net_client) struct net_client *c = calloc(1, sizeof *c);
	if (!c)
		return berth_fail_memory(err);
	c->loop = loop;
	c->ca_fd = -1;
	c->settings = *settings;
	int r = own_texts(&c->settings, err);
	if (!r)
		r = check_pems(&c->settings, err);
	if (!r)
		r = check_proxy(c->settings.proxy, err);
	if (!r)
		r = store_ca(c, err);
	if (r)
		return r;
	net_limits_defaults(&c->settings.limits);
	c->tick.run = watch;
	net_task_tick(loop, &c->tick);
	*ret = STEAL(c);
	return 0;
}

void net_client_free(struct net_client *c)
{
	const char **at;
	if (!c)
		return;
	net_task_drop(&c->tick);
	while (c->active)
		net_exchange_destroy(c->active);
	while (c->idle)
		net_exchange_destroy(c->idle);
	for (size_t i = 0; (at = text_at(&c->settings, i)); i++)
		free((void *)(uintptr_t)*at);
	if (c->ca_fd >= 0)
		close(c->ca_fd);
	free(c);
}

const struct net_limits *net_client_limits(const struct net_client *c)
{
	return &c->settings.limits;
}

int64_t net_client_clock_skew_s(const struct net_client *c)
{
	return c->skew_s;
}
