/* SPDX-License-Identifier: Apache-2.0 */
/* The worker's start and signals: see worker.h. Loads the plugins once, holds
 * the libraries that jobs inherit, and starts no thread.
 */
#include "core/worker/worker.h"

#include <curl/curl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sysexits.h>

#include "core/base/log.h"
#include "core/process/notify.h"
#include "core/process/sockets.h"
#include "core/worker/parent.h"

static const struct worker_options *given;

static void see_term(void *user, int signo)
{
	(void)signo;
	notify_stopping();
	parent_stop(user);
}

static void see_child(void *user, int signo)
{
	(void)signo;
	parent_reap(user);
}

static void tell_status(const struct parent *p)
{
	size_t good = 0;
	for (size_t i = 0; i < p->plugins.entry_count; i++)
		good += p->plugins.entries[i].plugin != NULL;
	notify_status("berth-worker " BERTH_VERSION ", %zu of %zu plugins loaded", good,
		      p->plugins.entry_count);
}

/* Reload: new settings and plugins for the next jobs; what is wrong stays as
 * it was. Replaced plugins are loaded beside the old ones, which running jobs
 * have and which are never unloaded. */
static void see_hup(void *user, int signo)
{
	struct parent *p = user;
	struct plugin_set fresh;
	struct berth_error err = ERROR_INIT;
	(void)signo;
	notify_reloading();
	if (settings_load(given->config, &p->settings, &err))
		log_error("the old configuration stays: %s", err.message);
	log_set_level(p->settings.log_level);
	if (plugin_set_load(given->plugin_dir, p->settings.jobs.trial_ms, &fresh, &err)) {
		log_error("the old plugins stay: %s: %s", err.message, err.cause);
	} else {
		plugin_set_done(&p->plugins);
		p->plugins = fresh;
	}
	tell_status(p);
	notify_ready();
}

/* The socket is passed by whoever manages us; alone with a state folder, as in
 * tests, the worker makes it. */
static int take_socket(struct parent *p, struct berth_error *err)
{
	p->listen_fd = notify_listening("worker");
	if (p->listen_fd >= 0)
		return 0;
	if (given->socket_path)
		return socket_open(given->socket_path, SOCK_SEQPACKET, &p->listen_fd, err);
	return berth_fail(err, BERTH_E_NOT_FOUND,
			  "no socket named worker was passed by the service manager");
}

static int watch_signals(struct parent *p, struct berth_error *err)
{
	int code = loop_on_signal(p->loop, SIGTERM, see_term, p, err);
	if (!code)
		code = loop_on_signal(p->loop, SIGINT, see_term, p, err);
	if (!code)
		code = loop_on_signal(p->loop, SIGHUP, see_hup, p, err);
	if (!code)
		code = loop_on_signal(p->loop, SIGCHLD, see_child, p, err);
	return code;
}

/* Process-wide state that plugins may not touch is set here, before any fork. */
static int prepare(struct parent *p, struct berth_error *err)
{
	struct rlimit none = {0, 0};
	setrlimit(RLIMIT_CORE, &none);
	/* A killed job's program becomes our child, so that it is reaped. */
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	signal(SIGPIPE, SIG_IGN);
	if (curl_global_init(CURL_GLOBAL_DEFAULT))
		return berth_fail(err, BERTH_E_INTERNAL, "libcurl cannot be initialised");
	int code = loop_new(&p->loop, err);
	if (!code)
		code = watch_signals(p, err);
	if (!code)
		code = plugin_set_load(given->plugin_dir, p->settings.jobs.trial_ms, &p->plugins,
				       err);
	if (!code)
		code = parent_start(p, err);
	if (!code)
		code = notify_watchdog(p->loop, err);
	return code;
}

static int fail(const struct berth_error *err, int status)
{
	log_error("%s%s%s", err->message, err->cause[0] ? ": " : "", err->cause);
	return status;
}

int worker_run(const struct worker_options *options)
{
	/* Static: what it holds lives until the process ends. */
	static struct parent p = {.listen_fd = -1, .waiting_fd = -1};
	struct berth_error err = ERROR_INIT;
	given = options;
	p.types = options->types;
	p.cache_dir = options->cache_dir;
	log_open("berth-worker", LOG_LEVEL_INFO);
	if (settings_load(options->config, &p.settings, &err))
		return fail(&err, EX_CONFIG);
	log_set_level(p.settings.log_level);
	if (take_socket(&p, &err))
		return fail(&err, err.code == BERTH_E_NOT_FOUND ? EX_USAGE : EX_NOINPUT);
	if (prepare(&p, &err))
		return fail(&err, err.code == BERTH_E_NOT_FOUND ? EX_NOINPUT : EX_SOFTWARE);
	tell_status(&p);
	notify_ready();
	return loop_run(p.loop);
}
