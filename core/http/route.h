/* SPDX-License-Identifier: Apache-2.0 */
/* The route table: one row an operation of docs/openapi.json, generated at
 * build time (core/http/openapi_gen.c). A row without a handler doesn't link;
 * a handler api_<operationId> without a row doesn't compile, because its
 * declaration is in the generated api_handlers.h and nowhere else.
 */
#ifndef CORE_HTTP_ROUTE_H
#define CORE_HTTP_ROUTE_H

#include "core/http/http.h"
#include "core/http/schema.h"

enum http_method { METHOD_GET, METHOD_POST, METHOD_PUT, METHOD_PATCH, METHOD_DELETE };
enum route_scope { SCOPE_SERVER, SCOPE_PLATFORM, SCOPE_WORKSPACE };
enum route_audit { AUDIT_NONE, AUDIT_CHANGE, AUDIT_SECRET };

struct route_param {
	const char *name;
	bool in_path; /* else in the query */
	bool required;
	bool is_reference; /* %2F may stand in it */
	const struct schema *schema;
};
struct route {
	enum http_method method;
	const char *path; /* "/v1/integrations/{name}" */
	const char *operation;
	route_handler *handle;
	enum point point; /* what the caller needs; decides */
	enum role role;   /* the least built-in role that has it, for texts */
	enum route_scope scope;
	enum member member;   /* scope workspace: the same of one */
	bool takes_reporters; /* whoever may only tell of changes may call it, too */
	enum route_audit audit;
	bool idempotent;             /* takes Idempotency-Key: every POST */
	const char *const *segments; /* of path; "{name}" for a parameter */
	size_t segment_count;
	const struct route_param *params;
	size_t param_count;
	const char *body_type; /* media type of the body; NULL: no body */
	bool body_required;
	bool has_bulk_body; /* its cap is that of bulk configuration */
	const struct schema *body;
	const char *const *produces; /* media types of success, first is default; ends with NULL */
	const char *const *item_fields; /* members of a list's items, ends with NULL; or NULL */
	const char *item_path;          /* template of one item's path, or NULL */
};

/* Sorted so that of two templates which match, the more literal comes first;
 * rows of one template stand together. */
extern const struct route routes[];
extern const size_t route_count;
/* docs/openapi.json, compact. */
extern const char openapi_text[];
extern const size_t openapi_text_bytes;

const char *http_method_name(enum http_method method);

#define ROUTE_SEGMENTS_MAX 16
/* A request's path, cut at its slashes and decoded. */
struct route_path {
	size_t count;
	char *segments[ROUTE_SEGMENTS_MAX]; /* point into text */
	bool had_slash[ROUTE_SEGMENTS_MAX]; /* %2F was in it */
	char *text;
};
/* Decodes a path. BERTH_E_INVALID: a bad escape, NUL, control byte, overlong or
 * invalid UTF-8, "." or ".." as a segment. BERTH_E_LIMIT: too many segments.
 * A trailing or doubled slash gives an empty segment, which no route has. */
MUST_USE int route_path_parse(const char *path, size_t byte_count, struct route_path *ret,
			      struct berth_error *err);
void route_path_done(struct route_path *p);
/* The first row whose template fits the path, whatever its method; NULL: none. */
const struct route *route_find(const struct route_path *p);
/* The row of the same template for that method, or NULL. */
const struct route *route_of_method(const struct route *first, enum http_method method);
/* The parameter whose segment holds %2F although it is no reference, or NULL. */
const struct route_param *route_bad_slash(const struct route *row, const struct route_path *p);
const struct route *route_of_operation(const char *operation);
/* "OPTIONS, HEAD, GET, POST": what the template of this row takes. */
void route_allow(const struct route *first, char *to, size_t room);

enum route_verdict {
	ROUTE_ALLOW,
	ROUTE_FORBID, /* 403: the caller may know that it is there */
	ROUTE_HIDE    /* 404: the caller may not even list where it would be */
};
/* The check of a row's point, before any handler. Where only a workspace allows
 * the route (scope workspace), its handler shows what the workspaces with that
 * point may see and nothing else: core/api/sight.h. */
enum route_verdict route_decide(const struct caller *caller, const struct grants *grants,
				const struct route *route);

#endif
