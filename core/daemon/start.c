/* SPDX-License-Identifier: Apache-2.0 */
/* Modes of berthd: see start.h. */
#include "core/daemon/start.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>

#include "core/base/log.h"
#include "core/daemon/run.h"
#include "core/hooks/hooks.h"
#include "core/jobs/kinds.h"
#include "core/worker/worker.h"

static int fail(const struct berth_error *err, int status)
{
	log_error("%s%s%s", err->message, err->cause[0] ? ": " : "", err->cause);
	return status;
}

static const char *config_of(const struct daemon_paths *p)
{
	return p->config[0] ? p->config : NULL;
}

static int check(const struct daemon_paths *p)
{
	struct settings s = {0};
	struct berth_error err = ERROR_INIT;
	if (settings_load(config_of(p), &s, &err))
		return fail(&err, EX_CONFIG);
	settings_done(&s);
	printf("configuration  %s: right\n", p->config[0] ? p->config : "none, defaults hold");
	printf("state          %s\n", p->state_dir);
	printf("store          %s\n", p->store);
	printf("key            %s\n", p->key[0] ? p->key : "none: secrets cannot be kept");
	printf("control socket %s\n", p->control_socket);
	printf("worker socket  %s\n", p->worker_socket);
	printf("plugins        %s\n", p->plugin_dir);
	return EX_OK;
}

/* Of the worker; a private one makes it. Without it nothing is kept between jobs. */
static const char *cache_of(const struct start_options *o, const struct daemon_paths *p)
{
	if (!p->cache_dir[0])
		return NULL;
	if (!o->state_dir || !mkdir(p->cache_dir, 0700) || errno == EEXIST)
		return p->cache_dir;
	log_warning("cannot make %s: %s", p->cache_dir, strerror(errno));
	return NULL;
}

static int work(const struct start_options *o, const struct daemon_paths *p)
{
	const struct worker_options w = {
		.config = config_of(p),
		.plugin_dir = p->plugin_dir,
		.socket_path = o->state_dir ? p->worker_socket : NULL,
		.types = job_types,
		.cache_dir = cache_of(o, p),
	};
	return worker_run(&w);
}

static int receive(const struct daemon_paths *p)
{
	const struct hooks_options h = {.config = config_of(p),
					.control_socket = p->control_socket};
	return hooks_run(&h);
}

int start(const struct start_options *o)
{
	struct daemon_paths paths;
	struct berth_error err = ERROR_INIT;
	log_open(o->mode == START_WORKER  ? "berth-worker"
		 : o->mode == START_HOOKS ? "berth-hooks"
					  : "berthd",
		 LOG_LEVEL_INFO);
	if (paths_init(o, &paths, &err))
		return fail(&err, EX_CONFIG);
	switch (o->mode) {
	case START_CHECK:
		return check(&paths);
	case START_WORKER:
		return work(o, &paths);
	case START_HOOKS:
		return receive(&paths);
	case START_INIT:
		return daemon_init(o, &paths);
	case START_DAEMON:
		return daemon_run(o, &paths);
	}
	return EX_SOFTWARE;
}
