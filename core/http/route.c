/* SPDX-License-Identifier: Apache-2.0 */
/* Paths and the route table: decodes a path strictly, segment by segment, and
 * finds its rows; whether a caller may take one. The table itself is generated;
 * see route.h.
 */
#include "core/http/route.h"

#include <string.h>

#include "core/base/text.h"

static const char *const method_names[] = {
	[METHOD_GET] = "GET",     [METHOD_POST] = "POST",     [METHOD_PUT] = "PUT",
	[METHOD_PATCH] = "PATCH", [METHOD_DELETE] = "DELETE",
};

const char *http_method_name(enum http_method method)
{
	return method_names[method];
}

static bool has_control(const char *s)
{
	for (; *s; s++)
		if ((unsigned char)*s < 0x20 || *s == 0x7f)
			return true;
	return false;
}

/* Is one of the parts between slashes "." or ".."? */
static bool has_dots(const char *s)
{
	for (;;) {
		size_t n = strcspn(s, "/");
		if ((n == 1 && s[0] == '.') || (n == 2 && s[0] == '.' && s[1] == '.'))
			return true;
		if (!s[n])
			return false;
		s += n + 1;
	}
}

static int decode_segment(const char *from, size_t byte_count, char *to, size_t room,
			  struct berth_error *err)
{
	if (!text_url_decode(from, byte_count, to, room))
		return berth_fail(err, BERTH_E_INVALID,
				  "a path segment has a bad escape, a NUL, or is not UTF-8");
	if (has_control(to))
		return berth_fail(err, BERTH_E_INVALID, "a path segment has a control character");
	if (has_dots(to))
		return berth_fail(err, BERTH_E_INVALID, "a path segment is . or ..");
	return 0;
}

int route_path_parse(const char *path, size_t byte_count, struct route_path *ret,
		     struct berth_error *err)
{
	const char *end = path + byte_count;
	struct route_path p = {.text = malloc(byte_count + 2)};
	char *to = p.text;
	int r = 0;

	if (!p.text)
		return berth_fail_memory(err);
	if (!byte_count || *path != '/')
		r = berth_fail(err, BERTH_E_INVALID, "the request target is not a path");
	for (path++; !r && path <= end && byte_count > 1; path++) {
		const char *slash = memchr(path, '/', (size_t)(end - path));
		size_t n = (size_t)((slash ? slash : end) - path);
		if (p.count == ROUTE_SEGMENTS_MAX) {
			r = berth_fail(err, BERTH_E_LIMIT, "the path has more than %d segments",
				       ROUTE_SEGMENTS_MAX);
			break;
		}
		r = decode_segment(path, n, to, n + 1, err);
		if (r)
			break;
		p.had_slash[p.count] = strchr(to, '/') != NULL;
		p.segments[p.count++] = to;
		to += strlen(to) + 1;
		path += n;
	}
	if (r)
		route_path_done(&p);
	else
		*ret = p;
	return r;
}

void route_path_done(struct route_path *p)
{
	free(p->text);
	p->text = NULL;
	p->count = 0;
}

static const struct route_param *find_param(const struct route *row, const char *segment)
{
	size_t n = strlen(segment) - 2;
	for (size_t i = 0; i < row->param_count; i++)
		if (row->params[i].in_path && !strncmp(row->params[i].name, segment + 1, n) &&
		    !row->params[i].name[n])
			return &row->params[i];
	return NULL;
}

static bool fits(const struct route *row, const struct route_path *p)
{
	if (row->segment_count != p->count)
		return false;
	for (size_t i = 0; i < p->count; i++) {
		const char *want = row->segments[i];
		if (want[0] != '{' && strcmp(want, p->segments[i]) != 0)
			return false;
		if (want[0] == '{' && !p->segments[i][0])
			return false;
	}
	return true;
}

const struct route *route_find(const struct route_path *p)
{
	for (size_t i = 0; i < route_count; i++)
		if (fits(&routes[i], p))
			return &routes[i];
	return NULL;
}

const struct route_param *route_bad_slash(const struct route *row, const struct route_path *p)
{
	for (size_t i = 0; i < p->count; i++) {
		const struct route_param *param;
		if (!p->had_slash[i])
			continue;
		param = find_param(row, row->segments[i]);
		if (param && !param->is_reference)
			return param;
	}
	return NULL;
}

static const struct route *row_end(void)
{
	return routes + route_count;
}

const struct route *route_of_method(const struct route *first, enum http_method method)
{
	for (const struct route *r = first; r < row_end() && !strcmp(r->path, first->path); r++)
		if (r->method == method)
			return r;
	return NULL;
}

void route_allow(const struct route *first, char *to, size_t room)
{
	size_t n = (size_t)snprintf(to, room, "OPTIONS");
	for (const struct route *r = first; r < row_end() && !strcmp(r->path, first->path); r++)
		if (n < room)
			n += (size_t)snprintf(to + n, room - n, ", %s%s",
					      r->method == METHOD_GET ? "HEAD, " : "",
					      http_method_name(r->method));
}

const struct route *route_of_operation(const char *operation)
{
	for (size_t i = 0; i < route_count; i++)
		if (!strcmp(routes[i].operation, operation))
			return &routes[i];
	return NULL;
}

/* The point that lists what the route's path stands in: that of the longest GET
 * route which is a prefix of it; none is needed where there is no such. */
static enum point parent_point(const struct route *route)
{
	for (size_t length = strlen(route->path); length > 1;) {
		while (--length > 1 && route->path[length] != '/')
			continue;
		for (size_t i = 0; i < route_count; i++)
			if (routes[i].method == METHOD_GET && strlen(routes[i].path) == length &&
			    !strncmp(routes[i].path, route->path, length))
				return routes[i].point;
	}
	return POINT_NONE;
}

enum route_verdict route_decide(const struct caller *caller, const struct grants *grants,
				const struct route *route)
{
	const struct point_set set = access_points(caller, grants);
	bool is_theirs = route->scope == SCOPE_WORKSPACE;

	if (caller->is_reporter && route->takes_reporters)
		return ROUTE_ALLOW;
	if (route->point == POINT_NONE || points_has(&set, route->point))
		return ROUTE_ALLOW;
	if (is_theirs && points_has(&grants->workspace, route->point))
		return ROUTE_ALLOW;
	/* For a tenant the platform's own things are not there. */
	if (!points_any(&set) && grants->is_member)
		return is_theirs ? ROUTE_FORBID : ROUTE_HIDE;
	/* Without any role the answer says which group is missing, on every route
	 * alike: it tells nothing about what there is. */
	if (!points_any(&set))
		return ROUTE_FORBID;
	enum point parent = parent_point(route);
	return parent == POINT_NONE || points_has(&set, parent) ? ROUTE_FORBID : ROUTE_HIDE;
}
