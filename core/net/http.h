/* SPDX-License-Identifier: Apache-2.0 */
/* One HTTP exchange on the loop: a request and its answer, without any
 * meaning. Owns the easy handles (made here and nowhere else) and what must
 * hold for each of them: protocols, TLS, no cookies, no redirects followed by
 * libcurl, proxies only as configured, the address rule, caps and time limits.
 * core/oci and the plugins' own APIs are built on it. Runs in a job's process.
 */
#ifndef CORE_NET_HTTP_H
#define CORE_NET_HTTP_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "core/base/buf.h"
#include "core/net/limits.h"
#include "core/net/loop.h"

/* How to reach one server; strings are copied by net_client_new. */
struct net_settings {
	const char *tls_ca, *tls_client_cert, *tls_client_key; /* PEM text or NULL */
	bool tls_verify;
	bool allow_http;
	uint32_t receive_bytes; /* the socket's buffer for what arrives; 0: the system's choice */
	const char *proxy;      /* URL; NULL: none, whatever the environment says */
	struct net_limits limits;
	/* May this address be connected to? Zero: yes. NULL: any. */
	int (*allow_address)(void *user, const void *sockaddr, uint32_t byte_count);
	void *allow_user;
	/* Asked about every 250 ms; nonzero, a BERTH_E_*: everything ends with it. */
	int (*cancelled)(void *user);
	void *cancelled_user;
};

struct net_client;
/* Takes no connection yet; BERTH_E_INVALID where a PEM text can't be read. */
MUST_USE int net_client_new(struct net_loop *loop, const struct net_settings *settings,
			    struct net_client **ret, struct berth_error *err);
void net_client_free(struct net_client *c); /* its exchanges have been freed before */
SCOPE_TYPE(net_client, struct net_client, net_client_free)
const struct net_limits *net_client_limits(const struct net_client *c);
/* Seconds by which the last Date header was ahead of our clock. */
int64_t net_client_clock_skew_s(const struct net_client *c);

/* NET_FOREIGN: not the server's own origin (a redirect's target, a token
 * server): no client certificate, and the system's authorities are trusted
 * beside the private one. NET_PUBLIC: refuse addresses that are not public.
 * NET_FRESH: on a connection of its own making, after one that broke. */
enum { NET_FOREIGN = 1, NET_PUBLIC = 2, NET_FRESH = 4 };

struct net_exchange;
struct net_call {
	const char *method, *url;
	const char *const *headers; /* "Name: value" lines, ends with NULL */
	unsigned flags;
	size_t body_max_bytes; /* of a 2xx body kept in memory; 0: 4 MiB */
	const void *body;      /* borrowed until done */
	size_t body_byte_count;
	int64_t stream_byte_count; /* with produce; -1: chunked */
	/* produce gives bytes, 0 at the end, or NET_PAUSE; consume takes all bytes
	 * (returns byte_count), NET_PAUSE, or -1 to abort; headers_in: the head of the
	 * answer is in. They run inside libcurl: they may start, resume and free
	 * exchanges, all of which take effect a moment later. */
	ssize_t (*produce)(void *user, char *to, size_t room);
	ssize_t (*consume)(void *user, const char *bytes, size_t byte_count);
	void (*headers_in)(void *user);
	/* Once, last, from net_loop_turn. err->code 0: there was an answer,
	 * whatever its status. */
	void (*done)(void *user, const struct berth_error *err);
	void *user;
};

/* Queues it: nothing is sent before the loop turns, and a failure to connect comes
 * through done. The caller frees *ret. */
MUST_USE int net_exchange_start(struct net_client *c, const struct net_call *call,
				struct net_exchange **ret, struct berth_error *err);
/* Goes on with what produce or consume paused. */
void net_exchange_resume(struct net_exchange *x);
void net_exchange_free(struct net_exchange *x); /* accepts NULL; cancels: no done then */

int net_exchange_status(const struct net_exchange *x); /* 0: no answer yet */
/* The n-th header (from 0) of that name among those kept (the table in
 * headers.c), or NULL. */
const char *net_exchange_header(const struct net_exchange *x, const char *name, int n);
const struct buf *net_exchange_body(const struct net_exchange *x);
/* Have bytes of the answer's body been given to consume, or of produce taken? */
bool net_exchange_moved(const struct net_exchange *x);
/* Bytes that have arrived for its connection and were not read yet (TLS records as they
 * are; with HTTP/2 those of the connection's other requests, too); 0: none, or not known. */
size_t net_exchange_waiting(const struct net_exchange *x);
/* Was the address that answered a public one? */
bool net_exchange_was_public(const struct net_exchange *x);
/* May the same be tried again after this failure (a cut, a time-out)? */
bool net_exchange_may_retry(const struct net_exchange *x);

#endif
