/* SPDX-License-Identifier: Apache-2.0 */
/* See services.h. */
#include "core/daemon/services.h"

#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "core/access/access.h"
#include "core/api/api.h"
#include "core/api/hooks.h"
#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/http/server.h"
#include "core/ops/ops.h"
#include "core/secrets/secrets.h"
#include "core/store/integrations.h"
#include "core/store/store.h"

static struct loop_watch *http_watch;

/* No key is a state to run in (the key may be mounted later); any other fault
 * of the key is one to stop at, before anything is written. A private daemon
 * makes its key before its store, and never for a store that is there: what that
 * one sealed would stay closed for ever. */
static int open_sealer(struct daemon_state *d, struct berth_error *err)
{
	if (d->paths.key[0]) {
		bool create = d->is_private && access(d->paths.store, F_OK) != 0;
		int code = sealer_open(d->paths.key, create, &d->sealer, err);
		if (code != BERTH_E_NOT_FOUND)
			return code;
	}
	snprintf(d->degraded, sizeof d->degraded, "no master key: secrets are off");
	log_warning("there is no master key: integrations with secrets are off until there is one");
	return 0;
}

int services_open_store(struct daemon_state *d, struct berth_error *err)
{
	const struct store_settings settings = {.path = d->paths.store};
	int code = open_sealer(d, err);
	if (!code)
		code = store_open(&settings, &d->store, err);
	if (!code && d->sealer)
		code = store_check_key(d->store, d->sealer, err);
	return code;
}

/* The worker gives a job one grace before SIGTERM and one before SIGKILL, and
 * then says what became of it: ops hangs up only after that. */
static uint32_t patience_s(const struct settings *s)
{
	return 2 * (s->jobs.grace_ms + 999) / 1000 + 2;
}

static int open_ops(struct daemon_state *d, struct berth_error *err)
{
	const struct operation_limits *limits = &d->settings.operations;
	const struct ops_settings settings = {
		.store = d->store,
		.sealer = d->sealer,
		.loop = d->loop,
		.worker_socket = d->paths.worker_socket,
		.types = api_op_types,
		.running_max = d->settings.jobs.children_max,
		.integration_max = d->settings.jobs.per_instance_max,
		.open_max = d->settings.jobs.queue_max,
		.attempts_max = limits->step_tries,
		.grace_s = patience_s(&d->settings),
		.keep_s = limits->keep_days * 86400,
		.keep_count = limits->keep_count,
		.event_ring = limits->events_keep_count,
	};
	int code = ops_new(&settings, &d->ops, err);
	return code ? code : api_attach(d, err);
}

static void http_config_of(struct daemon_state *d, struct http_config *ret)
{
	*ret = (struct http_config){.limits = d->settings.http, .hooks = &api_hooks, .daemon = d};
	access_config_load(&ret->access, d->settings.admin_group, d->settings.operator_group,
			   d->settings.viewer_group, d->settings.reporter_group);
	ret->access.private_admin_uid = d->is_private ? d->owner_uid : ACCESS_NO_ID;
}

/* libmicrohttpd is turned after every round of the loop; its descriptor only
 * has to end the wait. */
static void see_http(void *user, unsigned events)
{
	(void)user;
	(void)events;
}

static int open_http(struct daemon_state *d, struct berth_error *err)
{
	struct http_config config;
	http_config_of(d, &config);
	return http_server_new(&config, d->control_fd, &d->http, err);
}

int services_open(struct daemon_state *d, struct berth_error *err)
{
	int code = services_open_store(d, err);
	if (!code)
		code = open_ops(d, err);
	return code ? code : open_http(d, err);
}

/* Until the worker has said its plugins, an answer about kinds would be wrong:
 * who comes that early stays in the socket's backlog, for a bounded time. */
static void wait_for_plugins(struct daemon_state *d)
{
	uint64_t now_ms = clock_monotonic_ms();
	uint64_t until_ms = now_ms + d->settings.jobs.plugins_wait_ms;
	int status;
	while (now_ms < until_ms && !d->plugins_known && !loop_is_stopped(d->loop, &status)) {
		loop_turn(d->loop, (int)(until_ms - now_ms));
		now_ms = clock_monotonic_ms();
	}
}

void services_run(struct daemon_state *d, int *ret_status)
{
	struct berth_error err = ERROR_INIT;
	wait_for_plugins(d);
	if (loop_watch(d->loop, http_server_fd(d->http), LOOP_READ, see_http, d, &http_watch,
		       &err)) {
		log_error("%s: %s", err.message, err.cause);
		loop_stop(d->loop, EX_OSERR);
	}
	while (!loop_is_stopped(d->loop, ret_status)) {
		loop_turn(d->loop, http_server_timeout_ms(d->http));
		http_server_turn(d->http);
	}
}

void services_configure(struct daemon_state *d)
{
	struct http_config config;
	http_config_of(d, &config);
	http_server_configure(d->http, &config);
	struct berth_error err = ERROR_INIT;
	if (api_configured(d, &err))
		log_warning("the periods of probes and refreshes stay: %s", err.message);
}

bool services_drain(struct daemon_state *d)
{
	ops_stop(d->ops);
	bool is_idle = !ops_running(d->ops);
	return http_server_drain(d->http) && is_idle;
}

uint32_t services_running(const struct daemon_state *d)
{
	return ops_running(d->ops);
}

void services_close(struct daemon_state *d)
{
	loop_unwatch(http_watch);
	http_watch = NULL;
	http_server_free(d->http);
	d->http = NULL;
	ops_free(d->ops);
	d->ops = NULL;
	store_close(d->store);
	d->store = NULL;
	sealer_close(d->sealer);
	d->sealer = NULL;
}
