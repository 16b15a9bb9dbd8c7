/* SPDX-License-Identifier: Apache-2.0 */
/* A request's head: strictness first (what libmicrohttpd lets through), then
 * target, route, role, media types and parameters, in the order in which a
 * fault is cheapest to find. Nothing of the body has been read yet.
 */
#include <string.h>

#include "core/base/log.h"
#include "core/base/text.h"
#include "core/http/internal.h"

/* Headers that may stand once, counted by their place here. */
static const char *const single[] = {"Host",     "Content-Length",  "Content-Type",
				     "If-Match", "Idempotency-Key", "Transfer-Encoding",
				     "Accept",   "If-None-Match",   "Prefer",
				     "Expect",   "X-Request-Id",    "Last-Event-ID"};
enum { HOST, CONTENT_LENGTH, CONTENT_TYPE };

struct header_sum {
	size_t bytes;
	unsigned counts[ARRAY_COUNT(single)];
	bool has_bad_name, has_control;
};

static bool is_token_char(unsigned char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       (c && strchr("!#$%&'*+-.^_`|~", c));
}

static bool is_token(const char *s)
{
	if (!*s)
		return false;
	for (; *s; s++)
		if (!is_token_char((unsigned char)*s))
			return false;
	return true;
}

static enum MHD_Result sum_header(void *user, enum MHD_ValueKind kind, const char *name,
				  const char *value)
{
	struct header_sum *sum = user;
	(void)kind;
	if (!name)
		return MHD_YES;
	sum->has_bad_name |= !is_token(name);
	sum->bytes += strlen(name) + 4;
	for (size_t i = 0; i < ARRAY_COUNT(single); i++)
		sum->counts[i] += !strcasecmp(single[i], name);
	for (const char *s = value; s && *s; s++, sum->bytes++)
		sum->has_control |= ((unsigned char)*s < 0x20 && *s != '\t') || *s == 0x7f;
	return MHD_YES;
}

static bool is_chunked(const struct request *q)
{
	const char *encoding = request_header(q, "Transfer-Encoding");
	return encoding && !strcasecmp(encoding, "chunked");
}

/* The connection can't be trusted after one of these. */
static void refuse_malformed(struct request *q, const char *why)
{
	refuse(q, "malformed-request", "%s", why);
	q->answer.closes = true;
}

static bool check_headers(struct request *q)
{
	struct header_sum sum = {0};
	const char *length = request_header(q, "Content-Length");
	const char *encoding = request_header(q, "Transfer-Encoding");
	char why[96];

	MHD_get_connection_values(q->conn->mhd, MHD_HEADER_KIND, sum_header, &sum);
	for (size_t i = 0; i < ARRAY_COUNT(single); i++)
		if (sum.counts[i] > 1) {
			snprintf(why, sizeof why, "header %s is given more than once", single[i]);
			refuse_malformed(q, why);
			return false;
		}
	if (sum.has_bad_name)
		refuse_malformed(q, "a header's name has a character that may not stand there");
	else if (sum.has_control)
		refuse_malformed(q, "a header's value has a control character");
	else if (length && encoding)
		refuse_malformed(q, "Content-Length and Transfer-Encoding contradict each other");
	else if (encoding && !is_chunked(q))
		refuse_malformed(q, "a Transfer-Encoding other than chunked");
	else if (sum.bytes > q->server->config.limits.headers_max_bytes)
		refuse(q, "head-too-large", "the headers have %zu bytes, at most %u are allowed",
		       sum.bytes, q->server->config.limits.headers_max_bytes);
	q->has_body = encoding || (length && strcmp(length, "0") != 0);
	return !q->answer.status;
}

/* GET for HEAD. False: not a method of ours. */
static bool parse_method(const char *text, enum http_method *ret, bool *ret_is_head)
{
	*ret_is_head = !strcmp(text, "HEAD");
	if (*ret_is_head) {
		*ret = METHOD_GET;
		return true;
	}
	for (int m = METHOD_GET; m <= METHOD_DELETE; m++)
		if (!strcmp(text, http_method_name((enum http_method)m))) {
			*ret = (enum http_method)m;
			return true;
		}
	return false;
}

static bool check_line(struct request *q, const char *method, const char *version)
{
	enum http_method m;
	bool is_head;
	size_t line = strlen(method) + strlen(q->target) + strlen(version) + 2;

	snprintf(q->method, sizeof q->method, "%s", method);
	if (strcmp(method, "OPTIONS") != 0 && !parse_method(method, &m, &is_head)) {
		refuse_malformed(q, "a method that this server does not know");
		return false;
	}
	if (strcmp(version, "HTTP/1.1") != 0 && strcmp(version, "HTTP/1.0") != 0) {
		refuse_malformed(q, "a version of HTTP other than 1.1 and 1.0");
		return false;
	}
	if (line > q->server->config.limits.line_max_bytes) {
		refuse(q, "head-too-large",
		       "the request line has %zu bytes, at most %u are allowed", line,
		       q->server->config.limits.line_max_bytes);
		return false;
	}
	for (const char *s = q->target; *s; s++)
		if ((unsigned char)*s <= 0x20 || (unsigned char)*s >= 0x7f) {
			refuse_malformed(q, "the request target has a character that must be "
					    "percent-encoded");
			return false;
		}
	return true;
}

/* The row, or NULL and an answer: 204 to OPTIONS, 400, 404, 405. */
static const struct route *find_route(struct request *q)
{
	struct berth_error err = ERROR_INIT;
	const struct route *first;
	enum http_method method;
	char allow[96];

	if (route_path_parse(q->path_text, strlen(q->path_text), &q->path, &err)) {
		answer_problem(&q->answer, 0,
			       err.code == BERTH_E_NO_MEMORY ? "no-memory" : "path-invalid", &err,
			       NULL);
		return NULL;
	}
	first = route_find(&q->path);
	if (!first) {
		refuse(q, "not-found", "there is nothing at this path");
		return NULL;
	}
	const struct route_param *slash = route_bad_slash(first, &q->path);
	if (slash) {
		refuse(q, "path-invalid", "%%2F may not stand in parameter %s", slash->name);
		return NULL;
	}
	const struct route *row = parse_method(q->method, &method, &q->is_head)
					  ? route_of_method(first, method)
					  : NULL;
	if (row)
		return row;
	route_allow(first, allow, sizeof allow);
	if (!strcmp(q->method, "OPTIONS"))
		answer_empty(&q->answer, 204);
	else
		refuse(q, "method-not-allowed", "%s takes %s", first->path, allow);
	answer_header(&q->answer, "Allow", allow);
	return NULL;
}

/* "alice (uid 1000)", or "uid 1000". */
static void name_caller(const struct request *q, char *to, size_t room)
{
	const struct http_hooks *hooks = q->server->config.hooks;
	char name[64] = "", number[32];

	snprintf(number, sizeof number, "uid %u", (unsigned)q->conn->caller.uid);
	if (hooks && hooks->user_name)
		hooks->user_name(q->conn->caller.uid, name, sizeof name);
	if (*name && strcmp(name, number) != 0)
		snprintf(to, room, "%s (%s)", name, number);
	else
		snprintf(to, room, "%s", number);
}

/* The roles that the caller has on that side: "viewer, keeper", or "none". */
static void name_roles(const struct request *q, bool is_of_workspace, char *to, size_t room)
{
	const struct grants *g = &q->grants;
	size_t n = 0;

	*to = '\0';
	if (!is_of_workspace && q->conn->caller.role != ROLE_NONE)
		n = (size_t)snprintf(to, room, "%s", access_role_name(q->conn->caller.role));
	for (size_t i = 0; i < g->role_count && n < room; i++)
		if (g->roles[i].is_of_workspace == is_of_workspace)
			n += (size_t)snprintf(to + n, room - n, "%s%s", n ? ", " : "",
					      g->roles[i].name);
	if (!n)
		snprintf(to, room, "none");
}

/* 403: what is needed, who asked, and what that one has. */
static void forbid(struct request *q)
{
	const struct route *row = q->route;
	bool is_tenant = q->grants.is_member && row->scope == SCOPE_WORKSPACE &&
			 q->conn->caller.role == ROLE_NONE;
	/* Of what members of workspaces have, nobody needs a role over everything. */
	bool is_nobody = !q->grants.is_member && !q->grants.role_count &&
			 row->scope == SCOPE_WORKSPACE && q->conn->caller.role == ROLE_NONE;
	const char *need =
		is_tenant ? access_member_name(row->member) : access_role_name(row->role);
	char who[128], has[128];

	name_caller(q, who, sizeof who);
	name_roles(q, is_tenant, has, sizeof has);
	refuse(q, "forbidden", "this needs the role %s, or one with %s, and %s has %s", need,
	       points[row->point].name, who, has);
	answer_member(&q->answer, "permission", json_string(points[row->point].name));
	if (is_nobody)
		answer_member(&q->answer, "hint",
			      json_string("berthctl workspace edit WORKSPACE --member USER"));
	else if (!is_tenant)
		answer_member(&q->answer, "hint",
			      json_sprintf("sudo usermod -aG berth-users,berth-%s USER", need));
}

static bool check_access(struct request *q)
{
	const struct point_set set = points_of_role(q->conn->caller.role);
	struct berth_error err = ERROR_INIT;

	if (q->route->point != POINT_NONE && !points_has(&set, q->route->point) &&
	    request_load_grants(q, &err)) {
		answer_error(&q->answer, &err);
		return false;
	}
	switch (route_decide(&q->conn->caller, &q->grants, q->route)) {
	case ROUTE_ALLOW:
		return true;
	case ROUTE_HIDE:
		refuse(q, "not-found", "there is nothing at this path");
		answer_member(&q->answer, "hint", json_string("berthctl help topic access"));
		break;
	case ROUTE_FORBID:
		forbid(q);
		break;
	}
	return false;
}

static bool check_body_head(struct request *q)
{
	const struct http_limits *l = &q->server->config.limits;
	const char *type = request_header(q, "Content-Type");
	const char *length = request_header(q, "Content-Length");
	uint64_t bytes, max;

	if (q->has_body && !q->route->body_type) {
		refuse(q, "body-unexpected", "%s %s takes no body", q->method, q->route->path);
		return false;
	}
	if (!q->route->body_type)
		return true;
	if (!q->has_body && q->route->body_required) {
		refuse(q, "body-missing", "%s %s needs a body of %s", q->method, q->route->path,
		       q->route->body_type);
		return false;
	}
	if (q->has_body && (!type || strcasecmp(type, q->route->body_type) != 0 ||
			    request_header(q, "Content-Encoding"))) {
		refuse(q, "media-type-unsupported", "Content-Type must be exactly %s, not encoded",
		       q->route->body_type);
		return false;
	}
	max = q->route->has_bulk_body ? l->bulk_body_max_bytes : l->body_max_bytes;
	q->body_bytes.max = max;
	if (length && (!text_parse_u64(length, 0, UINT64_MAX, &bytes) || bytes > max)) {
		refuse(q, "body-too-large", "the body has more than %llu bytes",
		       (unsigned long long)max);
		return false;
	}
	return true;
}

static bool check_accept(struct request *q)
{
	char list[256] = "";
	size_t n = 0;
	q->accepts = accept_choose(request_header(q, "Accept"), q->route->produces);
	if (q->accepts)
		return true;
	for (size_t i = 0; q->route->produces[i] && n < sizeof list; i++)
		n += (size_t)snprintf(list + n, sizeof list - n, "%s%s", i ? ", " : "",
				      q->route->produces[i]);
	refuse(q, "not-acceptable", "this route produces %s", list);
	return false;
}

/* Prefer: wait=N among other preferences, which are ignored. */
static void read_prefer(struct request *q)
{
	const char *prefer = request_header(q, "Prefer");
	uint64_t seconds = 0;
	while (prefer && *prefer) {
		prefer += strspn(prefer, " \t,;");
		size_t n = strcspn(prefer, ",; \t");
		if (n > 5 && n < 16 && !strncasecmp(prefer, "wait=", 5)) {
			char digits[16];
			snprintf(digits, sizeof digits, "%.*s", (int)(n - 5), prefer + 5);
			if (text_parse_u64(digits, 0, UINT32_MAX, &seconds))
				break;
		}
		prefer += n;
	}
	if (seconds > q->server->config.limits.wait_max_s)
		seconds = q->server->config.limits.wait_max_s;
	q->wait_s = (uint32_t)seconds;
}

static bool check_key(struct request *q)
{
	const char *key = request_header(q, "Idempotency-Key");
	size_t n = key ? strlen(key) : 0;
	if (!key || !q->route->idempotent)
		return true;
	for (size_t i = 0; i < n; i++)
		if (key[i] < 0x20 || key[i] > 0x7e)
			n = 0;
	if (!n || n > 255) {
		refuse(q, "header-invalid",
		       "Idempotency-Key takes 1 to 255 printable ASCII characters");
		return false;
	}
	q->key.key = key;
	return true;
}

void head_check(struct request *q, const char *method, const char *version)
{
	const char *id = request_header(q, "X-Request-Id");
	const char *query = strchr(q->target, '?');

	if (id && text_is_token(id))
		snprintf(q->id, sizeof q->id, "%s", id);
	if (!check_headers(q) || !check_line(q, method, version))
		return;
	if (q->server->is_draining) {
		refuse(q, "draining", "berthd is stopping");
		q->answer.closes = true;
		return;
	}
	q->route = find_route(q);
	if (!q->route || !check_access(q) || !check_accept(q) || !check_body_head(q) ||
	    !check_key(q))
		return;
	read_prefer(q);
	query_check(q, query ? query + 1 : "");
}
