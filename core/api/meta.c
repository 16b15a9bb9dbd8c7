/* SPDX-License-Identifier: Apache-2.0 */
/* The routes about the API itself: versions, server, health, metrics, its
 * document, its kinds of problems. Also the plainest example of a handler: take
 * what the request holds, build JSON, answer once.
 */
#include "api_handlers.h"

#include <berth/plugin.h>
#include <string.h>

#include "core/access/access.h"
#include "core/base/buf.h"
#include "core/http/hooks.h"
#include "core/http/metrics.h"
#include "core/http/problem.h"
#include "core/http/route.h"
#include "core/http/server.h"

#define METRICS_BYTES_MAX (1u << 20)
#define OPENMETRICS "application/openmetrics-text"

/* Names of additive changes to /v1 since its first release, oldest first. */
static const char *const api_extensions[] = {NULL};

static const struct http_hooks *hooks_of(const struct request *q)
{
	return http_server_config(request_server(q))->hooks;
}

void api_meta_root(struct request *q, struct answer *a)
{
	(void)q;
	answer_json(a, 200, json_pack("{s:[s]}", "items", "/v1"));
}

void api_meta_livez(struct request *q, struct answer *a)
{
	(void)q;
	answer_json(a, 200, json_pack("{s:b}", "alive", 1));
}

static json_t *describe_limits(const struct http_limits *l)
{
	const struct {
		const char *name;
		uint32_t value;
	} limits[] = {
		{"line_max_bytes", l->line_max_bytes},
		{"headers_max_bytes", l->headers_max_bytes},
		{"body_max_bytes", l->body_max_bytes},
		{"bulk_body_max_bytes", l->bulk_body_max_bytes},
		{"head_s", l->head_ms / 1000},
		{"body_gap_s", l->body_gap_ms / 1000},
		{"exchange_s", l->exchange_ms / 1000},
		{"idle_s", l->idle_ms / 1000},
		{"connections", l->connections_max},
		{"connections_per_user", l->connections_per_user_max},
		{"streams", l->streams_max},
		{"wait_s", l->wait_max_s},
		{"reader_max_bytes", l->reader_max_bytes},
	};
	json_t *object = json_object();
	for (size_t i = 0; i < ARRAY_COUNT(limits); i++)
		json_object_set_new(object, limits[i].name, json_integer(limits[i].value));
	return object;
}

void api_meta_server(struct request *q, struct answer *a)
{
	const struct caller *caller = request_caller(q);
	const struct http_hooks *hooks = hooks_of(q);
	struct berth_error err = ERROR_INIT;
	json_t *extensions = json_array();
	for (size_t i = 0; api_extensions[i]; i++)
		json_array_append_new(extensions, json_string(api_extensions[i]));
	json_t *body = json_pack("{s:s,s:s,s:o,s:o,s:{s:I,s:s},s:b}", "version", BERTH_VERSION,
				 "api", "v1", "api_extensions", extensions, "limits",
				 describe_limits(http_server_limits(request_server(q))), "caller",
				 "uid", (json_int_t)caller->uid, "role",
				 access_role_name(caller->role), "maintenance", 0);
	if (body)
		json_object_set_new(body, "abi",
				    json_sprintf("%u.%u", BERTH_ABI_MAJOR, BERTH_ABI_MINOR));
	if (body && hooks && hooks->describe &&
	    hooks->describe(request_daemon(q), caller, body, &err)) {
		json_decref(body);
		answer_error(a, &err);
		return;
	}
	answer_json(a, 200, body);
}

void api_meta_openapi(struct request *q, struct answer *a)
{
	answer_fixed(a, q, "application/json", openapi_text);
}

void api_meta_problem(struct request *q, struct answer *a)
{
	const struct problem_kind *kind = problem_kind_find(request_param(q, "kind"));
	if (!kind) {
		answer_problem(a, 404, "not-found", NULL, NULL);
		return;
	}
	json_t *shown = json_pack("{s:s,s:i,s:s,s:s}", "code", request_param(q, "kind"), "status",
				  kind->status, "title", kind->title, "detail", kind->detail);
	AUTO_JSON json_t *fixed = json_incref(shown);
	answer_resource(a, q, shown, fixed, 0);
}

void api_meta_readyz(struct request *q, struct answer *a)
{
	const struct http_hooks *hooks = hooks_of(q);
	json_t *components = json_pack("[{s:s,s:b}]", "name", "http", "ready", 1);
	bool ready = true;
	size_t i;
	json_t *component;
	if (hooks && hooks->ready)
		hooks->ready(request_daemon(q), components);
	json_array_foreach (components, i, component)
		ready = ready && json_is_true(json_object_get(component, "ready"));
	answer_json(a, ready ? 200 : 503,
		    json_pack("{s:b,s:o}", "ready", ready, "components", components));
}

void api_meta_metrics(struct request *q, struct answer *a)
{
	const struct http_hooks *hooks = hooks_of(q);
	bool is_open = !strcmp(request_accepts(q), OPENMETRICS);
	struct buf out;
	buf_init(&out, METRICS_BYTES_MAX);
	http_metrics(request_server(q), is_open, &out);
	if (hooks && hooks->metrics)
		hooks->metrics(request_daemon(q), is_open, &out);
	if (is_open)
		metric_end(&out);
	answer_text(a, 200,
		    is_open ? OPENMETRICS "; version=1.0.0; charset=utf-8"
			    : "text/plain; version=0.0.4; charset=utf-8",
		    strdup(buf_text(&out)));
	buf_done(&out);
}
