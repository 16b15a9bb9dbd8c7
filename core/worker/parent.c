/* SPDX-License-Identifier: Apache-2.0 */
/* The worker's parent: see parent.h. It keeps a duplicate of each job's
 * connection: a hang-up or a cancel shows there without reading a byte, and
 * when a child died it is what the last frame goes out on. It reads nothing a
 * child or berthd sends, so nothing that they send can harm it.
 */
#include "core/worker/parent.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "core/base/clock.h"
#include "core/base/js.h"
#include "core/base/log.h"
#include "core/worker/frame.h"

/* How often deadlines are looked at while there are children. */
#define TICK_MS 100

struct offspring {
	struct offspring *next;
	struct parent *parent;
	pid_t pid;
	int fd;
	struct loop_watch *watch;
	struct board *board;
	uint64_t born_ms;
	uint64_t asked_ms; /* cancelled or hung up on; 0: no */
	uint64_t term_ms;  /* SIGTERM was sent; 0: no */
	bool is_killed;
	int why; /* BERTH_E_* for which it was stopped; 0: it was not */
};

static void refuse(int fd, const struct berth_error *err)
{
	AUTO_JSON json_t *frame =
		json_pack("{s:s, s:b, s:o}", "t", "result", "ok", 0, "error", js_of_error(err));
	struct berth_error lost = ERROR_INIT;
	if (frame && frame_send_now(fd, frame, &lost))
		log_debug("a result was not taken: %s", lost.message);
}

static void see_peer(void *user, unsigned events)
{
	struct offspring *o = user;
	(void)events;
	o->asked_ms = clock_monotonic_ms();
	loop_unwatch(o->watch);
	o->watch = NULL;
}

static void signal_child(struct offspring *o, int signo, int why)
{
	if (!o->why)
		o->why = why;
	if (!o->term_ms)
		o->term_ms = clock_monotonic_ms();
	o->is_killed = signo == SIGKILL;
	kill(o->pid, signo);
}

/* Deadline, cancel and silence, each with its grace. */
static void judge(struct offspring *o, uint64_t now_ms)
{
	const struct job_limits *limits = &o->parent->settings.jobs;
	uint64_t deadline_ms = atomic_load(&o->board->deadline_ms);
	if (o->is_killed)
		return;
	if (o->term_ms) {
		if (now_ms >= o->term_ms + limits->grace_ms)
			signal_child(o, SIGKILL, 0);
	} else if (o->asked_ms && now_ms >= o->asked_ms + limits->grace_ms) {
		signal_child(o, SIGTERM, BERTH_E_CANCELLED);
	} else if (deadline_ms && now_ms >= deadline_ms + limits->grace_ms) {
		signal_child(o, SIGTERM, BERTH_E_TIMEOUT);
	} else if (!deadline_ms && now_ms >= o->born_ms + 2ull * limits->hello_ms) {
		signal_child(o, SIGKILL, BERTH_E_TIMEOUT);
	} else if (o->parent->is_stopping && now_ms >= o->parent->stop_at_ms) {
		signal_child(o, SIGTERM, BERTH_E_UNAVAILABLE);
	}
}

/* In the child: nothing of the parent's or a sibling's stays open. */
static void leave_family(struct parent *p)
{
	for (struct offspring *o = p->children; o; o = o->next) {
		close(o->fd);
		munmap(o->board, sizeof *o->board);
	}
	close(p->listen_fd);
	if (p->waiting_fd >= 0)
		close(p->waiting_fd);
	loop_forget(p->loop);
	/* A terminal's interrupt goes to every process below it; berthd sees to jobs. */
	signal(SIGINT, SIG_IGN);
	loop_unblock_signals();
}

static _Noreturn void be_child(struct parent *p, int fd, struct board *board)
{
	const struct child_setup setup = {
		.fd = fd,
		.parent = p->pid,
		.board = board,
		.settings = &p->settings,
		.plugins = &p->plugins,
		.types = p->types,
		.cache_dir = p->cache_dir,
	};
	leave_family(p);
	child_main(&setup);
}

/* What berthd sent and the child did not read: closed over it, the connection
 * would be reset, and the last frame with it. Thrown away unseen. */
static void drain(int fd)
{
	while (recv(fd, NULL, 0, MSG_DONTWAIT | MSG_TRUNC) > 0)
		;
}

static void forget_child(struct offspring *o)
{
	loop_unwatch(o->watch);
	if (o->board)
		munmap(o->board, sizeof *o->board);
	free(o);
}

static void free_child(struct offspring *o)
{
	int fd = o->fd;
	forget_child(o);
	drain(fd);
	close(fd);
}

static int fork_child(struct parent *p, struct offspring *o, struct berth_error *err)
{
	void *page = mmap(NULL, sizeof *o->board, PROT_READ | PROT_WRITE,
			  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (page == MAP_FAILED)
		return berth_fail_errno(err, errno, "cannot begin a job");
	o->board = page;
	int code = loop_watch(p->loop, o->fd, LOOP_DONE, see_peer, o, &o->watch, err);
	if (code)
		return code;
	fflush(NULL);
	o->pid = fork();
	if (o->pid == 0)
		be_child(p, o->fd, o->board);
	return o->pid > 0 ? 0 : berth_fail_errno(err, errno, "cannot begin a job");
}

/* No process, memory or descriptor for it: its connection waits, the call unread in
 * it, and so do the others in the socket's backlog. The tick tries again. */
static void put_off(struct parent *p, int fd, const struct berth_error *why)
{
	if (!p->is_short)
		log_warning("%s: %s; it waits", why->message, why->cause);
	p->is_short = true;
	p->waiting_fd = fd;
	loop_watch_change(p->listen_watch, 0);
	loop_timer_set(p->tick, TICK_MS);
}

static void begin_job(struct parent *p, int fd)
{
	struct berth_error err = ERROR_INIT;
	struct offspring *o = calloc(1, sizeof *o);
	if (!o) {
		berth_fail_memory(&err);
		refuse(fd, &err);
		close(fd);
		return;
	}
	*o = (struct offspring){.parent = p, .fd = fd, .born_ms = clock_monotonic_ms()};
	if (fork_child(p, o, &err)) {
		forget_child(o);
		put_off(p, fd, &err);
		return;
	}
	p->is_short = false;
	o->next = p->children;
	p->children = o;
	if (p->child_count++ == 0)
		loop_timer_set(p->tick, TICK_MS);
}

static void accept_jobs(void *user, unsigned events)
{
	struct parent *p = user;
	(void)events;
	if (p->waiting_fd >= 0 || p->child_count >= p->settings.jobs.children_max) {
		/* The rest wait in the socket's backlog until a child has ended. */
		loop_watch_change(p->listen_watch, 0);
		return;
	}
	int fd = accept4(p->listen_fd, NULL, NULL, SOCK_CLOEXEC);
	if (fd >= 0) {
		begin_job(p, fd);
	} else if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS) {
		/* Tried again when a child has ended, or else at the next tick. */
		log_warning("cannot accept a job: %s", strerror(errno));
		loop_watch_change(p->listen_watch, 0);
		loop_timer_set(p->tick, TICK_MS);
	}
}

/* A job that was put off, unless it was cancelled or given up meanwhile. */
static void begin_again(struct parent *p, int fd)
{
	struct pollfd peer = {.fd = fd, .events = POLLRDHUP};
	struct berth_error err = ERROR_INIT;
	if (poll(&peer, 1, 0) <= 0 || !(peer.revents & (POLLRDHUP | POLLHUP))) {
		begin_job(p, fd);
		return;
	}
	berth_fail(&err, BERTH_E_CANCELLED, "the job was cancelled before it began");
	refuse(fd, &err);
	drain(fd);
	close(fd);
}

static void tick(void *user)
{
	struct parent *p = user;
	uint64_t now_ms = clock_monotonic_ms();
	int fd = p->waiting_fd;
	for (struct offspring *o = p->children; o; o = o->next)
		judge(o, now_ms);
	if (p->children)
		loop_timer_set(p->tick, TICK_MS);
	p->waiting_fd = -1;
	if (fd >= 0)
		begin_again(p, fd);
	if (p->waiting_fd < 0 && p->listen_watch && (fd >= 0 || !p->children))
		loop_watch_change(p->listen_watch, LOOP_READ);
}

/* The death of a job's process, as the error that its last frame carries. */
static void tell_death(const struct offspring *o, int status, struct berth_error *err)
{
	char call[sizeof o->board->call + 1];
	snprintf(call, sizeof call, "%.*s", (int)sizeof o->board->call, o->board->call);
	const char *in = call[0] ? call : "no plugin's call";
	if (o->why) {
		berth_fail(err, o->why, "the job was stopped: it %s",
			   o->why == BERTH_E_TIMEOUT     ? "slept through its deadline"
			   : o->why == BERTH_E_CANCELLED ? "did not heed its cancel"
							 : "was still running when the worker "
							   "had to end");
		berth_cause(err, "it was in %s", in);
		err->from = o->why == BERTH_E_UNAVAILABLE ? BERTH_FROM_SIGNAL : err->from;
		err->upstream = o->why == BERTH_E_UNAVAILABLE ? SIGTERM : 0;
	} else if (WIFSIGNALED(status)) {
		berth_fail(err, BERTH_E_INTERNAL, "worker crashed: SIG%s in %s%s",
			   sigabbrev_np(WTERMSIG(status)), in,
			   WTERMSIG(status) == SIGKILL ? ", perhaps for want of memory" : "");
		err->from = BERTH_FROM_SIGNAL;
		err->upstream = WTERMSIG(status);
	} else {
		berth_fail(err, BERTH_E_INTERNAL, "worker crashed: exit status %d in %s",
			   WEXITSTATUS(status), in);
	}
}

static void end_child(struct parent *p, struct offspring *o, int status)
{
	struct berth_error err = ERROR_INIT;
	pid_t program = atomic_load(&o->board->program);
	if (program > 1)
		kill(-program, SIGKILL);
	if (!atomic_load(&o->board->result_sent)) {
		tell_death(o, status, &err);
		log_error("job %.*s: %s%s%s", (int)sizeof o->board->job - 1, o->board->job,
			  err.message, err.cause[0] ? ": " : "", err.cause);
		refuse(o->fd, &err);
	}
	free_child(o);
	p->child_count--;
	if (!p->is_stopping)
		loop_watch_change(p->listen_watch, LOOP_READ);
	else if (!p->child_count)
		loop_stop(p->loop, 0);
}

void parent_reap(struct parent *p)
{
	int status;
	for (;;) {
		pid_t pid = waitpid(-1, &status, WNOHANG);
		if (pid <= 0)
			return;
		for (struct offspring **at = &p->children; *at; at = &(*at)->next) {
			struct offspring *o = *at;
			if (o->pid != pid)
				continue;
			*at = o->next;
			end_child(p, o, status);
			break;
		}
	}
}

int parent_start(struct parent *p, struct berth_error *err)
{
	p->pid = getpid();
	/* A client that is gone again by the time of accept must not hold us. */
	if (fcntl(p->listen_fd, F_SETFL, O_NONBLOCK))
		return berth_fail_errno(err, errno, "cannot use worker.sock");
	int code = loop_timer_new(p->loop, tick, p, &p->tick, err);
	if (code)
		return code;
	return loop_watch(p->loop, p->listen_fd, LOOP_READ, accept_jobs, p, &p->listen_watch, err);
}

void parent_stop(struct parent *p)
{
	if (p->is_stopping)
		return;
	p->is_stopping = true;
	p->stop_at_ms = clock_monotonic_ms() + p->settings.stop_grace_ms;
	loop_unwatch(p->listen_watch);
	p->listen_watch = NULL;
	if (p->waiting_fd >= 0) {
		drain(p->waiting_fd);
		close(p->waiting_fd);
		p->waiting_fd = -1;
	}
	if (!p->child_count)
		loop_stop(p->loop, 0);
}
