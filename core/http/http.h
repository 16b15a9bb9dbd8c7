/* SPDX-License-Identifier: Apache-2.0 */
/* The control API's request and answer, as handlers see them. A handler runs
 * in berthd's only thread, reads and writes the store, and never blocks on the
 * network: what does becomes a job and a 202. See core/api/meta.c for a plain
 * example; core/http/list.h for collections, core/http/stream.h for streams.
 */
#ifndef CORE_HTTP_HTTP_H
#define CORE_HTTP_HTTP_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/access/access.h"
#include "core/base/fail.h"

struct daemon_state; /* berthd's whole: store, operations, plugins; core/daemon.h */
struct request;      /* opaque: what the client sent, parsed and checked */
struct route;        /* its row in the table; core/http/route.h */
struct http_server;

const struct caller *request_caller(const struct request *q);
/* Does the platform allow the caller this route? Else a workspace does, and then
 * only what such workspaces may see is shown. Of a route for everybody: has the
 * caller a role of the platform? */
bool request_is_platform(const struct request *q);
/* Does the platform allow the caller that point? */
bool request_may(struct request *q, enum point point);
/* Does it, or some workspace? */
bool request_may_somewhere(struct request *q, enum point point);
/* What the store grants the caller; empty where the role allowed the route. */
const struct grants *request_grants(const struct request *q);
struct daemon_state *request_daemon(const struct request *q);
struct http_server *request_server(const struct request *q);
const struct route *request_route(const struct request *q);
const char *request_id(const struct request *q);
const char *request_method(const struct request *q); /* "POST" */
/* A path parameter, decoded and checked against its schema; never NULL for one
 * that the route declares. */
const char *request_param(const struct request *q, const char *name);
/* A query parameter, checked against its schema; NULL when absent. The typed
 * forms give the fallback when absent. */
const char *request_query(const struct request *q, const char *name);
int64_t request_query_int(const struct request *q, const char *name, int64_t fallback);
/* The body, already validated against the route's schema; NULL without one.
 * Of a PATCH it is the merge patch: see json_merge_patch in core/http/patch.h. */
const json_t *request_body(const struct request *q);
/* A header's value, name in any case; NULL when absent. */
const char *request_header(const struct request *q, const char *name);
/* The media type chosen by Accept among those that the route produces. */
const char *request_accepts(const struct request *q);
bool request_dry_run(const struct request *q);
uint32_t request_wait_s(const struct request *q); /* Prefer: wait=N, 0: don't */
/* A place for one pointer of the handler's own that lives as long as the
 * request (an answer that is held is handled twice); freed by release. */
void request_keep(struct request *q, void *take_kept, void (*release)(void *kept));
void *request_kept(const struct request *q);

/* The answer. take_body is owned by the answer. Setting an answer again
 * replaces the one before, its headers and members included. */
struct answer;
void answer_json(struct answer *a, int status, json_t *take_body);
void answer_empty(struct answer *a, int status);
/* Text of another media type; take_text (malloc) is owned by the answer. */
void answer_text(struct answer *a, int status, const char *media_type, char *take_text);
/* A problem document (RFC 9457); code is a stable symbol of core/http/problem.c
 * ("integration-not-found"), which gives title and, where status is 0, the
 * status. err, or NULL, gives detail, cause, upstream and retry_after_s. hint:
 * one command to run next, or NULL. */
void answer_problem(struct answer *a, int status, const char *code, const struct berth_error *err,
		    const char *hint);
/* A problem whose code and status follow from err->code by the table. */
void answer_error(struct answer *a, const struct berth_error *err);
/* Adds a member to the problem: operation, upstream ... */
void answer_member(struct answer *a, const char *key, json_t *take_value);
/* Adds one of errors[]: where is a JSON pointer ("/tls/ca"), or the name of a
 * query parameter behind a question mark ("?filter"). */
void answer_fault(struct answer *a, const char *where, const char *code, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
/* Sets a header; a value with control characters is refused and logged. */
void answer_header(struct answer *a, const char *name, const char *value);
/* 200 with ETag for a single resource: hash of the canonical JSON of desired
 * plus generation; answers 304 by itself where If-None-Match of a read fits. */
void answer_resource(struct answer *a, const struct request *q, json_t *take_body,
		     const json_t *desired, int64_t generation);
/* The same of a text that this build of berthd always gives. */
void answer_fixed(struct answer *a, const struct request *q, const char *media_type,
		  const char *text);
/* The same as 201 with Location. */
void answer_created(struct answer *a, const char *location, json_t *take_body,
		    const json_t *desired, int64_t generation);
/* 202 with Location of an operation and its object as the body. */
void answer_accepted(struct answer *a, const char *operation_id, json_t *take_operation);
/* Checks If-Match / If-None-Match before a change; true: go on, else answered
 * (412, 428). exists: is the resource there? */
bool answer_precondition(struct answer *a, const struct request *q, bool exists,
			 const json_t *desired, int64_t generation);
/* A page of a collection: items, next cursor (NULL: last), total (-1: unknown);
 * applies recursion and fields. core/http/list.h makes the cursor. more: members
 * of the answer beside these, or NULL; borrowed. */
void answer_list(struct answer *a, const struct request *q, json_t *take_items,
		 const char *next_cursor, int64_t total, const json_t *more);
/* Holds the answer (the connection sleeps) until answer_wake or timeout_s; then
 * the handler is called again with the same request, answer_woken(a) true.
 * Where the client goes away meanwhile, the handler is not called again. A POST
 * answers its 202 first and then holds: that is what an Idempotency-Key keeps. */
void answer_hold(struct answer *a, uint32_t timeout_s);
bool answer_woken(const struct answer *a);
/* The hold's time ran out (as opposed to a wake). */
bool answer_timed_out(const struct answer *a);
/* Wakes every answer that is held under this topic (an operation's id); a
 * handler says what it waits for before it holds. */
void answer_hold_topic(struct answer *a, const char *topic);
void http_wake(struct http_server *server, const char *topic);

typedef void route_handler(struct request *q, struct answer *a);

#endif
