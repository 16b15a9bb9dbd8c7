/* SPDX-License-Identifier: Apache-2.0 */
/* The worker's care: see supervise.h. The listening worker.sock belongs to
 * berthd and is handed to each worker in turn, so that a job that comes while
 * one is replaced waits in its backlog.
 */
#include "core/daemon/supervise.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "core/base/clock.h"
#include "core/base/js.h"
#include "core/base/log.h"
#include "core/base/text.h"
#include "core/process/sockets.h"
#include "core/worker/job.h"

/* As a service: how often the plugins are asked for, the worker's restarts
 * being none of our business. In vain: how soon again. */
#define ASK_AGAIN_MS 60000
#define ASK_SOON_MS 1000
#define PLUGINS_DEADLINE_MS 10000
#define STOP_LOOK_MS 20

struct supervisor {
	struct daemon_state *d;
	void (*listed)(void *user);
	void *listed_user;
	/* private daemon */
	pid_t pid; /* 0: none runs */
	int listen_fd, notify_fd;
	char notify_path[PATH_MAX];
	struct loop_watch *notify_watch;
	struct loop_timer *restart, *silence;
	uint64_t started_ms;
	uint32_t backoff_ms;
	/* the job that asks for plugins, or has them loaded anew */
	struct job_client *client;
	struct loop_watch *client_watch;
	struct loop_timer *ask;
	json_t *found;
	struct log_complaint unreachable;
};

static void turn_client(void *user, unsigned events);

static void drop_client(struct supervisor *s)
{
	loop_unwatch(s->client_watch);
	s->client_watch = NULL;
	job_client_free(s->client);
	s->client = NULL;
}

static void see_plugin(void *user, const json_t *frame)
{
	struct supervisor *s = user;
	json_t *more = json_object_get(frame, "more");
	if (json_is_object(more) && json_array_size(s->found) < 256)
		json_array_append(s->found, more);
}

static void ask_later(struct supervisor *s, uint64_t delay_ms)
{
	loop_timer_set(s->ask, delay_ms);
}

/* It could not be asked, or did not answer. */
static void see_failure(struct supervisor *s, const struct berth_error *err)
{
	char *why = s->d->plugins_failed;
	drop_client(s);
	snprintf(why, sizeof s->d->plugins_failed, "the worker does not say its plugins: %s%s%s",
		 err->message, err->cause[0] ? ": " : "", err->cause);
	text_trim_utf8(why);
	log_complain(&s->unreachable, "%s", why);
	ask_later(s, ASK_SOON_MS);
	if (!s->d->plugins_awaited)
		return;
	s->d->plugins_awaited = false;
	s->listed(s->listed_user);
}

static void start_job(struct supervisor *s, const char *kind, const struct job_events *events)
{
	struct berth_error err = ERROR_INIT;
	AUTO_JSON json_t *call = json_pack("{s:s, s:s, s:i, s:{}}", "job", kind, "kind", kind,
					   "deadline_ms", PLUGINS_DEADLINE_MS, "args");
	int code = call ? job_client_start(s->d->paths.worker_socket, call, events, s, &s->client,
					   &err)
			: berth_fail_memory(&err);
	if (!code)
		code = loop_watch(s->d->loop, job_client_fd(s->client), LOOP_READ, turn_client, s,
				  &s->client_watch, &err);
	if (code)
		see_failure(s, &err);
}

static void see_plugins_end(void *user, const json_t *value, const struct berth_error *err)
{
	struct supervisor *s = user;
	(void)value;
	if (err->code) {
		see_failure(s, err);
		return;
	}
	drop_client(s);
	log_calm(&s->unreachable, "the worker answers again");
	json_decref(s->d->plugins);
	s->d->plugins = STEAL(s->found);
	s->d->plugins_known = true;
	s->d->plugins_awaited = false;
	s->d->plugins_failed[0] = 0;
	if (!s->d->is_private)
		ask_later(s, ASK_AGAIN_MS);
	s->listed(s->listed_user);
}

static const struct job_events plugin_events = {.item = see_plugin, .result = see_plugins_end};

static void turn_client(void *user, unsigned events)
{
	struct supervisor *s = user;
	(void)events;
	job_client_turn(s->client);
}

static void ask_plugins(void *user)
{
	struct supervisor *s = user;
	if (s->client)
		return;
	json_decref(s->found);
	s->found = json_array();
	if (s->found)
		start_job(s, "plugins", &plugin_events);
	else
		ask_later(s, ASK_SOON_MS);
}

static void see_reload_end(void *user, const json_t *value, const struct berth_error *err)
{
	struct supervisor *s = user;
	(void)value;
	if (err->code) {
		see_failure(s, err);
		return;
	}
	drop_client(s);
	ask_plugins(s);
}

static const struct job_events reload_events = {.result = see_reload_end};

/* The child between fork and exec. The one thread that may have been beside, the
 * store's check, takes no lock that is needed here. */
static _Noreturn void become_worker(const struct supervisor *s, pid_t parent)
{
	const struct daemon_paths *p = &s->d->paths;
	const char *argv[10] = {"berthd",    "--worker",    "--state-dir", p->state_dir,
				"--plugins", p->plugin_dir, NULL};
	char text[32];
	if (p->config[0]) {
		argv[6] = "--config";
		argv[7] = p->config;
	}
	loop_unblock_signals();
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (getppid() != parent)
		_exit(70); /* berthd was killed before that took effect */
	if (s->listen_fd == 3)
		fcntl(3, F_SETFD, 0);
	else
		dup2(s->listen_fd, 3);
	snprintf(text, sizeof text, "%d", (int)getpid());
	setenv("LISTEN_PID", text, 1);
	setenv("LISTEN_FDS", "1", 1);
	setenv("LISTEN_FDNAMES", "worker", 1);
	setenv("NOTIFY_SOCKET", s->notify_path, 1);
	unsetenv("WATCHDOG_PID");
	snprintf(text, sizeof text, "%llu", 1000ull * s->d->settings.jobs.watchdog_ms);
	setenv("WATCHDOG_USEC", text, 1);
	execv("/proc/self/exe", (char *const *)(uintptr_t)argv);
	_exit(70);
}

static void start_worker(void *user)
{
	struct supervisor *s = user;
	pid_t parent = getpid();
	fflush(NULL);
	s->started_ms = clock_monotonic_ms();
	s->pid = fork();
	if (s->pid == 0)
		become_worker(s, parent);
	if (s->pid < 0) {
		s->pid = 0;
		log_error("the worker cannot be started: %s", strerror(errno));
		loop_timer_set(s->restart, s->d->settings.jobs.restart_max_ms);
		return;
	}
	loop_timer_set(s->silence, s->d->settings.jobs.watchdog_ms);
}

static void see_silence(void *user)
{
	struct supervisor *s = user;
	if (!s->pid)
		return;
	log_error("the worker (process %d) is silent and is replaced", (int)s->pid);
	kill(s->pid, SIGKILL);
}

/* A worker that lived for a while begins with the shortest pause again. */
static void restart_later(struct supervisor *s, int status)
{
	const struct job_limits *limits = &s->d->settings.jobs;
	char how[64];
	if (clock_monotonic_ms() - s->started_ms > limits->restart_max_ms || !s->backoff_ms)
		s->backoff_ms = limits->restart_ms;
	if (WIFSIGNALED(status))
		snprintf(how, sizeof how, "by SIG%s", sigabbrev_np(WTERMSIG(status)));
	else
		snprintf(how, sizeof how, "with status %d", WEXITSTATUS(status));
	log_error("the worker ended %s and is started again in %u ms", how, s->backoff_ms);
	loop_timer_set(s->restart, s->backoff_ms);
	s->backoff_ms = s->backoff_ms > limits->restart_max_ms / 2 ? limits->restart_max_ms
								   : s->backoff_ms * 2;
}

void supervisor_reap(struct supervisor *s)
{
	int status;
	if (!s->pid || waitpid(s->pid, &status, WNOHANG) != s->pid)
		return;
	s->pid = 0;
	loop_timer_clear(s->silence);
	if (!s->d->is_stopping) {
		restart_later(s, status);
		return;
	}
	/* No other worker follows: jobs that this one had not accepted end here. */
	close(s->listen_fd);
	s->listen_fd = -1;
}

static void see_notification(void *user, unsigned events)
{
	struct supervisor *s = user;
	char text[1024];
	(void)events;
	ssize_t got = recv(s->notify_fd, text, sizeof text - 1, MSG_DONTWAIT);
	if (got <= 0)
		return;
	text[got] = 0;
	loop_timer_set(s->silence, s->d->settings.jobs.watchdog_ms);
	if (strstr(text, "READY=1")) {
		log_calm(&s->unreachable, "the worker answers again");
		ask_plugins(s);
	}
}

static int open_sockets(struct supervisor *s, struct berth_error *err)
{
	const struct daemon_paths *p = &s->d->paths;
	int want = snprintf(s->notify_path, sizeof s->notify_path, "%s/notify.sock", p->state_dir);
	if (want < 0 || want >= (int)sizeof s->notify_path)
		return berth_fail(err, BERTH_E_INVALID, "the path of notify.sock is too long");
	int code = socket_open(s->notify_path, SOCK_DGRAM, &s->notify_fd, err);
	if (!code)
		code = socket_open(p->worker_socket, SOCK_SEQPACKET, &s->listen_fd, err);
	if (!code)
		code = loop_watch(s->d->loop, s->notify_fd, LOOP_READ, see_notification, s,
				  &s->notify_watch, err);
	return code;
}

static int make_timers(struct supervisor *s, struct berth_error *err)
{
	int code = loop_timer_new(s->d->loop, ask_plugins, s, &s->ask, err);
	if (!code)
		code = loop_timer_new(s->d->loop, start_worker, s, &s->restart, err);
	if (!code)
		code = loop_timer_new(s->d->loop, see_silence, s, &s->silence, err);
	return code;
}

int supervisor_new(struct daemon_state *d, void (*listed)(void *user), void *user,
		   struct supervisor **ret, struct berth_error *err)
{
	struct supervisor *s = calloc(1, sizeof *s);
	if (!s)
		return berth_fail_memory(err);
	*s = (struct supervisor){
		.d = d, .listed = listed, .listed_user = user, .listen_fd = -1, .notify_fd = -1};
	int code = make_timers(s, err);
	if (!code && d->is_private)
		code = open_sockets(s, err);
	if (code) {
		supervisor_free(s, 0);
		return code;
	}
	if (d->is_private)
		start_worker(s);
	else
		ask_later(s, 0);
	*ret = s;
	return 0;
}

/* A job, since as a service the worker is another user's process. A list that is being
 * told is of before. */
void supervisor_reload(struct supervisor *s)
{
	drop_client(s);
	s->d->plugins_awaited = true;
	start_job(s, "reload", &reload_events);
}

static void end_worker(struct supervisor *s, uint32_t grace_ms)
{
	uint64_t until_ms = clock_monotonic_ms() + grace_ms;
	if (!s->pid)
		return;
	kill(s->pid, SIGTERM);
	while (waitpid(s->pid, NULL, WNOHANG) == 0) {
		if (clock_monotonic_ms() >= until_ms)
			kill(s->pid, SIGKILL);
		usleep(STOP_LOOK_MS * 1000);
	}
	s->pid = 0;
}

void supervisor_free(struct supervisor *s, uint32_t grace_ms)
{
	if (!s)
		return;
	drop_client(s);
	end_worker(s, grace_ms);
	loop_unwatch(s->notify_watch);
	loop_timer_free(s->ask);
	loop_timer_free(s->restart);
	loop_timer_free(s->silence);
	if (s->notify_fd >= 0)
		close(s->notify_fd);
	if (s->listen_fd >= 0)
		close(s->listen_fd);
	if (s->d->is_private) {
		unlink(s->notify_path);
		unlink(s->d->paths.worker_socket);
	}
	json_decref(s->found);
	free(s);
}
