/* SPDX-License-Identifier: Apache-2.0 */
/* What handlers may ask of a request; its making and its end. */
#include <stdlib.h>
#include <string.h>

#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/base/text.h"
#include "core/http/internal.h"

struct request *request_new(struct conn *c, const char *target)
{
	struct request *q = calloc(1, sizeof *q);
	if (!q)
		return NULL;
	q->server = c->server;
	q->conn = c;
	q->answer.request = q;
	q->started_us = monotonic_us();
	uuid_make(q->id);
	q->target = strdup(target);
	q->path_text = strndup(target, strcspn(target, "?"));
	buf_init(&q->body_bytes, c->server->config.limits.body_max_bytes);
	if (!q->target || !q->path_text) {
		request_free(q);
		return NULL;
	}
	return q;
}

void request_free(struct request *q)
{
	if (!q)
		return;
	if (q->kept && q->release)
		q->release(q->kept);
	answer_unbuild(q);
	answer_clear(&q->answer);
	for (size_t i = 0; i < q->query_count; i++) {
		free(q->query[i].name);
		free(q->query[i].value);
	}
	route_path_done(&q->path);
	buf_done(&q->body_bytes);
	json_decref(q->body);
	grants_done(&q->grants);
	json_decref(q->before);
	json_decref(q->after);
	free(q->path_text);
	free(q->target);
	free(q);
}

const struct caller *request_caller(const struct request *q)
{
	return &q->conn->caller;
}

const struct grants *request_grants(const struct request *q)
{
	return &q->grants;
}

int request_load_grants(struct request *q, struct berth_error *err)
{
	const struct http_hooks *hooks = q->server->config.hooks;

	if (q->grants.is_loaded || !hooks || !hooks->grants)
		return 0;
	q->grants.is_loaded = true;
	return hooks->grants(q->server->config.daemon, &q->conn->caller, &q->grants, err);
}

bool request_is_platform(const struct request *q)
{
	const struct point_set set = access_points(&q->conn->caller, &q->grants);

	return q->route->point == POINT_NONE ? points_any(&set) : points_has(&set, q->route->point);
}

bool request_may(struct request *q, enum point point)
{
	struct berth_error err = ERROR_INIT;
	struct point_set set = points_of_role(q->conn->caller.role);

	if (points_has(&set, point))
		return true;
	if (request_load_grants(q, &err))
		log_error("a caller's roles can't be read: %s: %s", err.message, err.cause);
	return points_has(&q->grants.platform, point);
}

bool request_may_somewhere(struct request *q, enum point point)
{
	return request_may(q, point) || points_has(&q->grants.workspace, point);
}

struct daemon_state *request_daemon(const struct request *q)
{
	return q->server->config.daemon;
}

struct http_server *request_server(const struct request *q)
{
	return q->server;
}

const struct route *request_route(const struct request *q)
{
	return q->route;
}

const char *request_id(const struct request *q)
{
	return q->id;
}

const char *request_method(const struct request *q)
{
	return q->method;
}

const char *request_param(const struct request *q, const char *name)
{
	size_t n = strlen(name);
	for (size_t i = 0; i < q->route->segment_count; i++) {
		const char *s = q->route->segments[i];
		if (s[0] == '{' && !strncmp(s + 1, name, n) && s[n + 1] == '}')
			return q->path.segments[i];
	}
	return NULL;
}

const char *request_query(const struct request *q, const char *name)
{
	for (size_t i = 0; i < q->query_count; i++)
		if (!strcmp(q->query[i].name, name))
			return q->query[i].value;
	return NULL;
}

int64_t request_query_int(const struct request *q, const char *name, int64_t fallback)
{
	const char *text = request_query(q, name);
	int64_t value;
	return text && text_parse_i64(text, INT64_MIN, INT64_MAX, &value) ? value : fallback;
}

static bool request_query_bool(const struct request *q, const char *name, bool fallback)
{
	const char *text = request_query(q, name);
	return text ? !strcmp(text, "true") : fallback;
}

const json_t *request_body(const struct request *q)
{
	return q->body;
}

const char *request_header(const struct request *q, const char *name)
{
	return MHD_lookup_connection_value(q->conn->mhd, MHD_HEADER_KIND, name);
}

const char *request_accepts(const struct request *q)
{
	return q->accepts;
}

bool request_dry_run(const struct request *q)
{
	return request_query_bool(q, "dry_run", false);
}

uint32_t request_wait_s(const struct request *q)
{
	return q->wait_s;
}

void request_keep(struct request *q, void *take_kept, void (*release)(void *kept))
{
	if (q->kept && q->release)
		q->release(q->kept);
	q->kept = take_kept;
	q->release = release;
}

void *request_kept(const struct request *q)
{
	return q->kept;
}
