/* SPDX-License-Identifier: Apache-2.0 */
/* What the HTTP side asks of the rest of berthd, given to http_server_new: one
 * table of functions, so that core/http depends on no store and tests can play
 * it. Every member may be NULL: then the thing is not done (no idempotency, no
 * audit) or left out of the answer.
 */
#ifndef CORE_HTTP_HOOKS_H
#define CORE_HTTP_HOOKS_H

#include "core/base/buf.h"
#include "core/http/http.h"

/* One use of an Idempotency-Key. */
struct http_key {
	uid_t uid;
	const char *key;    /* as sent: 1 to 255 printable ASCII characters */
	const char *method; /* "POST" */
	const char *path;   /* with its query, as sent */
	const void *body;
	size_t body_count;
};
enum http_key_state {
	HTTP_KEY_NEW,        /* remembered as running: go on */
	HTTP_KEY_REPLAY,     /* answered before: ret_answer is that */
	HTTP_KEY_OTHER_BODY, /* 422 */
	HTTP_KEY_RUNNING     /* 409 */
};

struct http_audit {
	const struct caller *caller;
	const char *request_id, *method, *path, *operation;
	const char *problem; /* code of the problem, or NULL */
	int status;
	bool dry_run;
	/* Borrowed, or NULL: the body; what the resource was and what it is. */
	const json_t *asked, *before, *after;
};

struct http_hooks {
	/* Begins a POST that has a key; for HTTP_KEY_NEW it also opens a transaction
	 * which key_finish commits, so that a crash leaves both the effect and the
	 * answer, or neither. A kept answer is {"status","headers":{},"body"}, made
	 * and read by core/http only; the caller owns *ret_answer. */
	int (*key_begin)(struct daemon_state *daemon, const struct http_key *key,
			 enum http_key_state *ret_state, json_t **ret_answer,
			 struct berth_error *err);
	/* Ends it: the answer to keep, or NULL to forget the key and roll back (5xx,
	 * dry runs without an operation). An error becomes the answer. Of an answer that is held,
	 * the one set before the hold (the 202) is kept, at once. */
	int (*key_finish)(struct daemon_state *daemon, const struct http_key *key,
			  const json_t *answer, struct berth_error *err);
	/* Opens the transaction that a change and its audit row share, and ends it: the
	 * row is added and both are on disk, or neither is. Of a request that failed (5xx)
	 * there is the row alone. A change that could not be begun goes on without, and is
	 * audited after its answer. */
	int (*change_begin)(struct daemon_state *daemon, struct berth_error *err);
	int (*change_end)(struct daemon_state *daemon, const struct http_audit *entry,
			  struct berth_error *err);
	/* One finished request on a route whose audit class is not none and which has
	 * no row by then, and each refusal by role. */
	void (*audit)(struct daemon_state *daemon, const struct http_audit *entry);
	/* What the store grants the caller beyond its role; afterwards grants_done. */
	int (*grants)(struct daemon_state *daemon, const struct caller *caller, struct grants *ret,
		      struct berth_error *err);
	/* The login name of a uid, else "uid N". */
	void (*user_name)(uid_t uid, char *to, size_t room);
	/* Appends {"name","ready","detail"} for each component to components. */
	void (*ready)(struct daemon_state *daemon, json_t *components);
	/* Fills members of GET /v1: plugins, maintenance, caller.workspaces; what the store
	 * can't say is left out. BERTH_E_NO_MEMORY. */
	int (*describe)(struct daemon_state *daemon, const struct caller *caller, json_t *server,
			struct berth_error *err);
	/* Adds samples to GET /v1/metrics, by core/http/metrics.h. */
	void (*metrics)(struct daemon_state *daemon, bool is_openmetrics, struct buf *out);
};

#endif
