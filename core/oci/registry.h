/* SPDX-License-Identifier: Apache-2.0 */
/* A client of one OCI registry: asynchronous requests on one libcurl multi
 * loop, with authentication, redirects, retries and caps inside. Used by the
 * copy engine (many requests at once) and by plugins (registry_wait). Runs in
 * a job's process; one thread.
 *
 * What it does by itself, so that no caller does it: 401 challenges (Basic,
 * Bearer; tokens cached by scope set, renewed at 80 % of their life), the
 * origin rules for credentials, realms, redirects, upload Locations and Link
 * (reference: RFC 9110, distribution spec 1.1), Retry-After (clamped), back-off
 * for requests that may be repeated, low-speed and total time limits, caps of
 * bodies and headers, the address policy at connect.
 */
#ifndef CORE_OCI_REGISTRY_H
#define CORE_OCI_REGISTRY_H

#include <stdbool.h>
#include <stdint.h>

#include "core/base/buf.h"
#include "core/base/digest.h"
#include "core/net/limits.h"
#include "core/net/loop.h"

/* How to reach one registry. Strings are copied by registry_open. */
struct registry_settings {
	const char *base_url;                     /* scheme://host[:port][/prefix], before /v2/ */
	const char *username, *password, *bearer; /* NULL: none */
	const char *tls_ca, *tls_client_cert, *tls_client_key; /* PEM text or NULL */
	bool tls_verify;
	const char *proxy;       /* URL without a user; NULL: none, whatever the environment says */
	uint32_t receive_bytes;  /* of each connection's buffer; 0: the system's choice */
	bool basic_first;        /* BERTH_OCI_BASIC_FIRST */
	const char *auth_realms; /* hosts allowed as Bearer realm, comma-separated */
	const char *upload_hosts; /* origins allowed in upload Locations */
	struct net_limits limits; /* time-outs and caps, from configuration */
	/* May this address be connected to? NULL: any. */
	int (*allow_address)(void *user, const void *sockaddr, uint32_t byte_count);
	void *allow_user;
	/* Asked often; nonzero: give up with BERTH_E_CANCELLED or _TIMEOUT. */
	int (*cancelled)(void *user);
	void *cancelled_user;
};

struct registry;
/* Checks the settings and sends nothing; strings are copied. BERTH_E_INVALID names the
 * setting. */
MUST_USE int registry_open(struct net_loop *loop, const struct registry_settings *settings,
			   struct registry **ret, struct berth_error *err);
void registry_close(struct registry *r);
SCOPE_TYPE(registry, struct registry, registry_close)
struct net_loop *registry_loop(const struct registry *r);
const struct net_limits *registry_limits(const struct registry *r); /* as in force */
/* Seconds by which the registry's Date header was ahead of our clock. */
int64_t registry_clock_skew_s(const struct registry *r);

/* The HTTP client that it works with, for a server's API beside /v2/: same TLS,
 * limits and address rule. Lives as long as the registry. */
struct net_client *registry_net(const struct registry *r);

/* What a request may do, for its token's scope. */
enum registry_right {
	REGISTRY_PULL = 1,
	REGISTRY_PUSH = 2,
	REGISTRY_DELETE = 4,
	REGISTRY_CATALOG = 8
};

struct registry_request;
/* Called once, when the request has ended for good: err->code 0 or why not.
 * An HTTP status is an error unless the request accepts it. The request is
 * freed by the caller of done's owner with registry_request_free, also in
 * done itself. */
typedef void registry_done(void *user, struct registry_request *q, const struct berth_error *err);

/* One request. Everything is borrowed until done but the strings, which are
 * copied. Zero members mean the default. */
struct registry_call {
	const char *method;     /* "GET", "HEAD", "POST", "PATCH", "PUT", "DELETE" */
	const char *repository; /* for the token's scope */
	const char *path;       /* below base_url, begins with /v2/; or an absolute upload URL */
	const char *mount_from; /* a second repository that needs pull */
	unsigned rights;        /* REGISTRY_* */
	const char *accept, *content_type, *range, *content_range;
	const unsigned short *accept_status; /* ends with 0; besides 2xx these are no error */
	bool follow;                         /* follow redirects (GET and HEAD of content, lists) */
	/* Never repeat by itself after a failure, 429 or 5xx. A 401 without a
	 * body sent yet is still met with a credential. Streamed bodies are
	 * never repeated, nor is an answer of which consume has had bytes. */
	bool once;
	/* The same for 429, and 503 with Retry-After, alone: the caller knows what else is
	 * under way, and asks again when that is less. */
	bool busy_ends;
	bool fresh;            /* on a new connection: the last one broke */
	size_t body_max_bytes; /* cap of a body kept in memory; 0: 4 MiB */
	/* A body in memory, or streamed: produce gives bytes, 0 at the end,
	 * NET_PAUSE to be asked again after registry_resume. */
	const void *body;
	size_t body_byte_count;
	int64_t stream_byte_count; /* of a streamed body; -1: chunked */
	ssize_t (*produce)(void *user, struct registry_request *q, char *to, size_t room);
	/* A streamed answer: takes all bytes (returns byte_count), NET_PAUSE, or
	 * -1 to abort. Only 2xx bodies are streamed. NULL: kept in memory. */
	ssize_t (*consume)(void *user, struct registry_request *q, const char *bytes,
			   size_t byte_count);
	/* Headers of the final answer are in; status may be asked. Optional. Of a
	 * 2xx before its body, of any other accepted answer just before done. */
	void (*headers)(void *user, struct registry_request *q);
	registry_done *done;
	void *user;
};

/* Starts it; done is called from net_loop_run, never from here. */
MUST_USE int registry_start(struct registry *r, const struct registry_call *call,
			    struct registry_request **ret, struct berth_error *err);
void registry_resume(struct registry_request *q); /* after NET_PAUSE */
/* Bytes of it that its connection has and consume was not given yet; 0: none, or not known.
 * With what the socket's buffer may still take (settings.receive_bytes) it is what the
 * registry has sent ahead. */
size_t registry_waiting(const struct registry_request *q);
void registry_request_free(struct registry_request *q); /* cancels one in flight; no done then */

/* Of the last answer, after redirects; 0: none came. */
int registry_status(const struct registry_request *q);
const char *registry_header(const struct registry_request *q, const char *name); /* or NULL */
const struct buf *registry_body(const struct registry_request *q);
/* The absolute URL of an upload's Location, checked against the origin rule; never that of a
 * manifest or of a stored blob. */
MUST_USE int registry_location(const struct registry_request *q, char **ret_url,
			       struct berth_error *err);
/* The path and query of Link rel=next at the own origin; NULL when there is none. Of what a
 * redirect led to elsewhere it is the path that was asked for, with the link's query. */
MUST_USE int registry_next(const struct registry_request *q, char **ret_path,
			   struct berth_error *err);

/* The registry asked for a pause: nothing is sent to it for so long. */
void registry_hold(struct registry *r, uint64_t pause_ms);

/* Start and run the loop to its end: for plugins. The caller frees *ret. */
MUST_USE int registry_wait(struct registry *r, const struct registry_call *call,
			   struct registry_request **ret, struct berth_error *err);
SCOPE_TYPE(registry_request, struct registry_request, registry_request_free)

/* Counters of one registry for reports and benchmarks. */
struct registry_counts {
	uint64_t requests, retries, token_requests, bytes_in, bytes_out;
};
const struct registry_counts *registry_counts(const struct registry *r);

#endif
