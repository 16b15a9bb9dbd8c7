/* SPDX-License-Identifier: Apache-2.0 */
/* The control API's request and answer, as handlers see them. A handler runs
 * in berthd's only thread, reads and writes the store, and never blocks on the
 * network: what does becomes a job and a 202.
 */
#ifndef CORE_HTTP_HTTP_H
#define CORE_HTTP_HTTP_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "core/base/fail.h"

/* Who is asking: the kernel's word at accept, and the role that follows. */
enum role { ROLE_NONE, ROLE_VIEWER, ROLE_OPERATOR, ROLE_ADMIN };
struct caller {
	uid_t uid;
	gid_t groups[64];
	size_t group_count;
	pid_t pid; /* for the log; never trusted */
	enum role role;
};

struct daemon_state; /* berthd's whole: store, operations, plugins; core/daemon.h */
struct request;	     /* opaque: what the client sent, parsed and checked */

const struct caller *request_caller(const struct request *q);
struct daemon_state *request_daemon(const struct request *q);
const char *request_id(const struct request *q);
/* A path parameter, decoded and checked against its schema; never NULL for one
 * that the route declares. */
const char *request_param(const struct request *q, const char *name);
/* A query parameter, checked against its schema; NULL when absent. */
const char *request_query(const struct request *q, const char *name);
/* The body, already validated against the route's schema; NULL without one. */
const json_t *request_body(const struct request *q);
const char *request_header(const struct request *q, const char *name);
bool request_dry_run(const struct request *q);
uint32_t request_wait_s(const struct request *q); /* Prefer: wait=N, 0: don't */

/* The answer. take_body is owned by the answer. */
struct answer;
void answer_json(struct answer *a, int status, json_t *take_body);
void answer_empty(struct answer *a, int status);
/* A problem document (RFC 9457) made of the error; code is the stable symbol
 * ("integration-not-found"); hint: one command to run next, or NULL. */
void answer_problem(struct answer *a, int status, const char *code, const struct berth_error *err,
		    const char *hint);
/* Adds a member to the problem: errors[], operation, upstream ... */
void answer_member(struct answer *a, const char *key, json_t *take_value);
void answer_header(struct answer *a, const char *name, const char *value);
/* 200 with ETag for a single resource: hash of the canonical JSON of desired
 * plus generation; answers 304 by itself. */
void answer_resource(struct answer *a, const struct request *q, json_t *take_body,
		     const json_t *desired, int64_t generation);
/* Checks If-Match / If-None-Match before a change; true: go on, else answered
 * (412, 428). exists: is the resource there? */
bool answer_precondition(struct answer *a, const struct request *q, bool exists,
			 const json_t *desired, int64_t generation);
/* A page of a collection: items, next cursor (NULL: last), total (-1: unknown);
 * applies recursion and fields. */
void answer_list(struct answer *a, const struct request *q, json_t *take_items,
		 const char *next_cursor, int64_t total);
/* Holds the answer (the connection sleeps) until answer_wake or timeout_s; then
 * the handler is called again with the same request, answer_woken(a) true. */
void answer_hold(struct answer *a, uint32_t timeout_s);
bool answer_woken(const struct answer *a);
/* Streams lines: pull is asked for more whenever the client can take some;
 * see core/http/stream.h. */

typedef void route_handler(struct request *q, struct answer *a);

#endif
