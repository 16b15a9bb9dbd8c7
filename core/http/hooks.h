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

/* What one Idempotency-Key stands for. */
struct idempotency_key {
	uid_t uid;
	const char *key;    /* as sent: 1 to 128 printable characters */
	const char *method; /* "POST" */
	const char *path;   /* with its query, as sent */
	unsigned char body_hash[32];
};
enum idempotency_state {
	IDEMPOTENCY_NEW,	/* remembered as running: go on */
	IDEMPOTENCY_REPLAY,	/* answered before: ret_answer is that */
	IDEMPOTENCY_OTHER_BODY, /* 422 */
	IDEMPOTENCY_RUNNING	/* 409 */
};

struct http_audit {
	const struct caller *caller;
	const char *request_id, *method, *path, *operation;
	const char *problem; /* code of the problem, or NULL */
	int status;
	bool dry_run;
};

struct http_hooks {
	/* Begins a POST. A stored answer is {"status","headers":{},"body"}, made and
	 * read by core/http only; the caller of begin owns *ret_answer. A key whose
	 * first request never finished (berthd was killed) is the store's to judge:
	 * an operation that was created under it (request_idempotency) must not be
	 * created again. */
	int (*idempotency_begin)(struct daemon_state *daemon, const struct idempotency_key *key,
				 enum idempotency_state *ret_state, json_t **ret_answer,
				 struct berth_error *err);
	/* Ends it: the answer to keep for 24 h, or NULL to forget the key (5xx). */
	int (*idempotency_finish)(struct daemon_state *daemon, const struct idempotency_key *key,
				  const json_t *answer, struct berth_error *err);
	/* One finished request on a route whose audit class is not none, and each
	 * refusal by role. */
	void (*audit)(struct daemon_state *daemon, const struct http_audit *entry);
	/* Appends {"name","ready","detail"} for each component to components. */
	void (*ready)(struct daemon_state *daemon, json_t *components);
	/* Fills members of GET /v1: plugins, maintenance, caller.workspaces. */
	void (*describe)(struct daemon_state *daemon, const struct caller *caller, json_t *server);
	/* Adds samples to GET /v1/metrics, by core/http/metrics.h. */
	void (*metrics)(struct daemon_state *daemon, bool is_openmetrics, struct buf *out);
};

/* The key of a POST that is being handled, or NULL: who creates an operation
 * stores it in the same transaction, and so "same key, same operation" holds
 * even when berthd is killed between creation and answer. */
const struct idempotency_key *request_idempotency(const struct request *q);

#endif
