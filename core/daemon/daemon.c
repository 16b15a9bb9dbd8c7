/* SPDX-License-Identifier: Apache-2.0 */
/* berthd's life: see run.h and daemon.h. */
#include "core/daemon/run.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sysexits.h>

#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/daemon/captive.h"
#include "core/daemon/services.h"
#include "core/daemon/supervise.h"
#include "core/http/http.h"
#include "core/process/notify.h"
#include "core/process/sockets.h"

#define STOP_LOOK_MS 50
#define STATUS_MS 5000

/* What only this file needs beside daemon_state. */
struct life {
	struct daemon_state d;
	struct supervisor *supervisor;
	struct loop_timer *stop_timer, *status_timer;
	uint64_t stop_at_ms;
	int lock_fd;
	char *const *command; /* --run, or NULL */
	pid_t command_pid;
	int status; /* the exit status when all is over */
};

static struct life life = {.lock_fd = -1};

static size_t loaded_count(const struct daemon_state *d)
{
	size_t good = 0;
	for (size_t i = 0; i < json_array_size(d->plugins); i++)
		good += json_is_true(json_object_get(json_array_get(d->plugins, i), "ok"));
	return good;
}

/* One line for the service manager: version, plugins, operations, what is off. */
static void tell_status(void *user)
{
	struct daemon_state *d = user;
	notify_status("berthd " BERTH_VERSION ", %zu plugins, %u operations running%s%s",
		      loaded_count(d), services_running(d), d->degraded[0] ? "; degraded: " : "",
		      d->degraded);
	loop_timer_set(life.status_timer, STATUS_MS);
}

static bool is_changed(const struct config_option *o, const struct settings *before,
		       const struct settings *after)
{
	const char *was = (const char *)before + o->offset, *is = (const char *)after + o->offset;
	switch (o->type) {
	case OPTION_TEXT:
		return strcmp(was, is) != 0;
	case OPTION_U64:
		return memcmp(was, is, sizeof(uint64_t)) != 0;
	case OPTION_BOOL:
		return memcmp(was, is, sizeof(bool)) != 0;
	case OPTION_U32:
	case OPTION_LEVEL:
		return memcmp(was, is, sizeof(uint32_t)) != 0;
	case OPTION_CIDRS:
		break; /* these are taken at once */
	}
	return false;
}

static void warn_fixed(const struct settings *before, const struct settings *after, json_t *names)
{
	char name[128];
	for (const struct config_option *o = settings_options; o->section; o++) {
		if (o->is_reloadable || !is_changed(o, before, after))
			continue;
		snprintf(name, sizeof name, "%s.%s", o->section, o->key);
		log_warning("%s counts from the next start on", name);
		json_array_append_new(names, json_string(name));
	}
}

int daemon_reload(struct daemon_state *d, json_t *fixed, struct berth_error *err)
{
	struct settings fresh = {0};
	const char *path = d->paths.config[0] ? d->paths.config : NULL;
	int code;
	notify_reloading();
	code = settings_load(path, &fresh, err);
	if (!code) {
		warn_fixed(&d->settings, &fresh, fixed);
		settings_done(&d->settings);
		d->settings = fresh;
		log_set_level(d->settings.log_level);
		services_configure(d);
		supervisor_reload(life.supervisor);
		log_info("the configuration is read again");
		tell_status(d);
	} else {
		notify_status("berthd " BERTH_VERSION ": the old configuration stays: %s",
			      err->message);
	}
	notify_ready();
	return code;
}

static void look_whether_idle(void *user)
{
	struct daemon_state *d = user;
	bool is_late = clock_monotonic_ms() >= life.stop_at_ms;
	if (services_drain(d) || is_late)
		loop_stop(d->loop, life.status);
	else
		loop_timer_set(life.stop_timer, STOP_LOOK_MS);
}

/* Ends berthd in order: new work refused, running steps get stop_grace_s. */
static void daemon_stop(struct daemon_state *d)
{
	if (d->is_stopping)
		return;
	d->is_stopping = true;
	life.stop_at_ms = clock_monotonic_ms() + d->settings.stop_grace_ms;
	log_info("stopping: no new work; running operations have %u ms", d->settings.stop_grace_ms);
	notify_stopping();
	loop_timer_set(life.stop_timer, 0);
}

static void see_end(void *user, int signo)
{
	/* A captive command is the one to end; the daemon follows it. */
	if (life.command_pid > 0)
		kill(life.command_pid, signo);
	else
		daemon_stop(user);
}

static void see_hup(void *user, int signo)
{
	struct berth_error err = ERROR_INIT;
	(void)signo;
	if (daemon_reload(user, NULL, &err))
		log_error("the old configuration stays: %s%s%s", err.message,
			  err.cause[0] ? ": " : "", err.cause);
}

static void see_child(void *user, int signo)
{
	(void)signo;
	supervisor_reap(life.supervisor);
	if (captive_ended(life.command_pid, &life.status)) {
		life.command_pid = 0;
		daemon_stop(user);
	}
}

/* The worker says its plugins: the first time, a command finds all in place. */
static void see_plugins(void *user)
{
	struct daemon_state *d = user;
	struct berth_error err = ERROR_INIT;
	tell_status(d);
	http_wake(d->http, DAEMON_LISTED);
	char *const *command = d->plugins_known ? STEAL(life.command) : NULL;
	if (command && captive_start(command, d->paths.control_socket, &life.command_pid, &err)) {
		log_error("%s: %s", err.message, err.cause);
		life.status = EX_OSERR;
		daemon_stop(d);
	}
}

static int watch_signals(struct daemon_state *d, struct berth_error *err)
{
	int code = loop_on_signal(d->loop, SIGTERM, see_end, d, err);
	if (!code)
		code = loop_on_signal(d->loop, SIGINT, see_end, d, err);
	if (!code)
		code = loop_on_signal(d->loop, SIGHUP, see_hup, d, err);
	return code ? code : loop_on_signal(d->loop, SIGCHLD, see_child, d, err);
}

static int make_loop(struct daemon_state *d, struct berth_error *err)
{
	int code = loop_new(&d->loop, err);
	if (!code)
		code = watch_signals(d, err);
	if (!code)
		code = loop_timer_new(d->loop, look_whether_idle, d, &life.stop_timer, err);
	if (!code)
		code = loop_timer_new(d->loop, tell_status, d, &life.status_timer, err);
	return code;
}

static int open_control(struct daemon_state *d, struct berth_error *err)
{
	d->control_fd = notify_listening("control");
	if (d->control_fd >= 0)
		return 0;
	if (d->is_private)
		return socket_open(d->paths.control_socket, SOCK_STREAM, &d->control_fd, err);
	return berth_fail(err, BERTH_E_NOT_FOUND,
			  "no socket named control was passed by the service manager; a private "
			  "daemon is started with --state-dir");
}

/* Secrets are in memory: no core file, and no tracer of the same user. */
static void protect(void)
{
	struct rlimit none = {0, 0};
	setrlimit(RLIMIT_CORE, &none);
	prctl(PR_SET_DUMPABLE, 0);
	umask(0077);
	signal(SIGPIPE, SIG_IGN);
}

static int check_plugin_dir(const struct daemon_state *d, struct berth_error *err)
{
	struct stat st;
	if (stat(d->paths.plugin_dir, &st))
		return berth_fail_errno(err, errno, "the plugin folder %.150s cannot be used",
					d->paths.plugin_dir);
	return 0;
}

static int begin(struct daemon_state *d, struct berth_error *err)
{
	int code = 0;
	protect();
	if (d->is_private)
		code = check_plugin_dir(d, err);
	if (!code && d->is_private)
		code = folder_lock(d->paths.state_dir, &life.lock_fd, err);
	if (!code)
		code = make_loop(d, err);
	if (!code)
		code = open_control(d, err);
	if (!code)
		code = services_open(d, err);
	if (!code)
		code = supervisor_new(d, see_plugins, d, &life.supervisor, err);
	if (!code)
		code = notify_watchdog(d->loop, err);
	return code;
}

static void end(struct daemon_state *d)
{
	services_close(d);
	supervisor_free(life.supervisor, d->settings.jobs.grace_ms);
	if (d->control_fd >= 0)
		close(d->control_fd);
	/* Without the lock the sockets are another berthd's. */
	if (d->is_private && life.lock_fd >= 0)
		unlink(d->paths.control_socket);
	loop_timer_free(life.stop_timer);
	loop_timer_free(life.status_timer);
	loop_free(d->loop);
	json_decref(d->plugins);
	settings_done(&d->settings);
}

/* Which exit status an error at the start means: 75 where trying again may
 * help, 78 where a person has to look, 66 where something is missing. */
static int status_of(const struct berth_error *err)
{
	switch (err->code) {
	case BERTH_E_CONFLICT:
	case BERTH_E_UNAVAILABLE:
	case BERTH_E_QUOTA:
	case BERTH_E_READ_ONLY:
	case BERTH_E_NO_MEMORY:
		return EX_TEMPFAIL;
	case BERTH_E_INVALID:
	case BERTH_E_DENIED:
	case BERTH_E_UNSUPPORTED:
	case BERTH_E_PROTOCOL: /* a damaged store */
	case BERTH_E_DIGEST:
	case BERTH_E_LIMIT:
		return EX_CONFIG;
	case BERTH_E_INTERNAL:
		return EX_SOFTWARE;
	default:
		return EX_NOINPUT;
	}
}

static int fail(const struct berth_error *err, int status)
{
	log_error("%s%s%s", err->message, err->cause[0] ? ": " : "", err->cause);
	return status;
}

static int prepare(const struct start_options *o, const struct daemon_paths *paths,
		   struct berth_error *err)
{
	struct daemon_state *d = &life.d;
	d->paths = *paths;
	d->is_private = o->state_dir != NULL;
	d->owner_uid = geteuid();
	d->started_at = clock_unix_ms();
	d->control_fd = -1;
	d->plugins = json_array();
	if (!d->plugins)
		return berth_fail_memory(err);
	life.command = o->is_captive ? o->command : NULL;
	int code = settings_load(paths->config[0] ? paths->config : NULL, &d->settings, err);
	if (!code)
		log_set_level(d->settings.log_level);
	return code;
}

int daemon_run(const struct start_options *o, const struct daemon_paths *paths)
{
	struct daemon_state *d = &life.d;
	struct berth_error err = ERROR_INIT;
	if (prepare(o, paths, &err))
		return fail(&err, EX_CONFIG);
	if (begin(d, &err)) {
		end(d);
		return fail(&err, status_of(&err));
	}
	log_info("berthd " BERTH_VERSION " serves %s", d->paths.control_socket);
	tell_status(d);
	notify_ready();
	services_run(d, &life.status);
	end(d);
	log_info("stopped");
	return life.status;
}

int daemon_init(const struct start_options *o, const struct daemon_paths *paths)
{
	struct daemon_state *d = &life.d;
	struct berth_error err = ERROR_INIT;
	if (prepare(o, paths, &err))
		return fail(&err, EX_CONFIG);
	protect();
	int code = 0;
	if (d->is_private)
		code = folder_lock(d->paths.state_dir, &life.lock_fd, &err);
	if (!code)
		code = services_open_store(d, &err);
	if (!code)
		printf("store  %s\nkey    %s\n", d->paths.store,
		       d->sealer ? d->paths.key : "none: secrets cannot be kept");
	services_close(d);
	return code ? fail(&err, status_of(&err)) : EX_OK;
}
