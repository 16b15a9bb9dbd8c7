/* SPDX-License-Identifier: Apache-2.0 */
/* Programs that a plugin asks for (host->run): see program.h. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/worker/program.h"

#define OUTPUT_MAX_DEFAULT (1024 * 1024)
#define LOOK_MS 100

struct running {
	const struct program_watch *watch;
	const struct berth_program *program;
	pid_t pid;
	int out_fd, err_fd, pid_fd;
	uint64_t output_bytes, output_max;
	char tail[512]; /* the last that came on stderr, for the error */
	size_t tail_count;
	int failed; /* BERTH_E_*: why it is being stopped */
	uint64_t kill_at_ms;
	bool is_killed;
};

static int check_program(const char *path, struct berth_error *err)
{
	struct stat st;
	if (path[0] != '/')
		return berth_fail(err, BERTH_E_INVALID, "the program '%.100s' has no absolute path",
				  path);
	AUTO_FD int fd = open(path, O_PATH | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st))
		return berth_fail_errno(err, errno, "the program %.150s cannot be found", path);
	if (!S_ISREG(st.st_mode) || (st.st_uid != 0 && st.st_uid != geteuid()) ||
	    (st.st_mode & (S_IWGRP | S_IWOTH)))
		return berth_fail(err, BERTH_E_DENIED,
				  "the program %.150s could be changed by others", path);
	return 0;
}

static int make_pipes(int out[2], int error[2], struct berth_error *err)
{
	if (pipe2(out, O_CLOEXEC))
		return berth_fail_errno(err, errno, "cannot make a pipe");
	if (pipe2(error, O_CLOEXEC)) {
		close(out[0]);
		close(out[1]);
		return berth_fail_errno(err, errno, "cannot make a pipe");
	}
	return 0;
}

/* Standard input, output and error of the program. An error number, or 0. */
static int set_files(posix_spawn_file_actions_t *files, int in_fd, int out_fd, int err_fd)
{
	int errnum = in_fd >= 0
			     ? posix_spawn_file_actions_adddup2(files, in_fd, 0)
			     : posix_spawn_file_actions_addopen(files, 0, "/dev/null", O_RDONLY, 0);
	if (!errnum)
		errnum = posix_spawn_file_actions_adddup2(files, out_fd, 1);
	return errnum ? errnum : posix_spawn_file_actions_adddup2(files, err_fd, 2);
}

static int spawn(const struct berth_program *p, int out_fd, int err_fd, pid_t *ret_pid)
{
	static char *const nothing[] = {NULL};
	posix_spawn_file_actions_t files;
	posix_spawnattr_t how;
	sigset_t none, all;
	sigemptyset(&none);
	sigfillset(&all);
	posix_spawn_file_actions_init(&files);
	posix_spawnattr_init(&how);
	posix_spawnattr_setpgroup(&how, 0);
	posix_spawnattr_setsigmask(&how, &none);
	posix_spawnattr_setsigdefault(&how, &all);
	posix_spawnattr_setflags(&how, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK |
					       POSIX_SPAWN_SETSIGDEF);
	int errnum = set_files(&files, p->stdin_fd, out_fd, err_fd);
	if (!errnum)
		errnum = posix_spawn(ret_pid, p->path, &files, &how,
				     (char *const *)(uintptr_t)p->argv,
				     p->env ? (char *const *)(uintptr_t)p->env : nothing);
	posix_spawnattr_destroy(&how);
	posix_spawn_file_actions_destroy(&files);
	return errnum;
}

static int reap(struct running *r)
{
	int status = 0;
	/* What the program left behind in its group goes with it. */
	kill(-r->pid, SIGKILL);
	while (waitpid(r->pid, &status, 0) < 0 && errno == EINTR)
		;
	r->watch->runs(r->watch->user, 0);
	if (r->out_fd >= 0)
		close(r->out_fd);
	if (r->err_fd >= 0)
		close(r->err_fd);
	if (r->pid_fd >= 0)
		close(r->pid_fd);
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

static int start(struct running *r, struct berth_error *err)
{
	int out[2] = {-1, -1}, error[2] = {-1, -1};
	int code = make_pipes(out, error, err);
	if (code)
		return code;
	int errnum = spawn(r->program, out[1], error[1], &r->pid);
	close(out[1]);
	close(error[1]);
	if (errnum) {
		close(out[0]);
		close(error[0]);
		return berth_fail_errno(err, errnum, "cannot start %.150s", r->program->path);
	}
	r->out_fd = out[0];
	r->err_fd = error[0];
	r->pid_fd = (int)syscall(SYS_pidfd_open, r->pid, 0);
	r->watch->runs(r->watch->user, r->pid);
	if (r->pid_fd >= 0)
		return 0;
	/* Its end would never be seen. */
	errnum = errno;
	reap(r);
	return berth_fail_errno(err, errnum, "cannot watch %.150s", r->program->path);
}

/* The whole group: first a word, then force. */
static void stop(struct running *r, int why)
{
	if (r->failed)
		return;
	r->failed = why;
	r->kill_at_ms = clock_monotonic_ms() + r->watch->grace_ms;
	kill(-r->pid, SIGTERM);
}

/* What a pipe has; 0: nothing, and at its end it is closed. */
static size_t take(int *fd, char *to, size_t room)
{
	ssize_t got = read(*fd, to, room);
	if (got > 0)
		return (size_t)got;
	if (got < 0 && errno == EINTR)
		return 0;
	close(*fd);
	*fd = -1;
	return 0;
}

static void take_output(struct running *r)
{
	char bytes[16384];
	size_t got = take(&r->out_fd, bytes, sizeof bytes);
	if (!got)
		return;
	r->output_bytes += got;
	if (r->output_bytes > r->output_max)
		stop(r, BERTH_E_LIMIT);
	else if (!r->failed && r->program->output &&
		 r->program->output(r->program->user, bytes, got))
		stop(r, BERTH_E_CANCELLED);
}

static void take_errors(struct running *r)
{
	char bytes[4096];
	size_t got = take(&r->err_fd, bytes, sizeof bytes);
	size_t room = sizeof r->tail - 1, kept = got < room ? got : room;
	if (!got)
		return;
	if (r->tail_count + kept > room) {
		size_t drop = r->tail_count + kept - room;
		memmove(r->tail, r->tail + drop, r->tail_count - drop);
		r->tail_count -= drop;
	}
	memcpy(r->tail + r->tail_count, bytes + got - kept, kept);
	r->tail_count += kept;
	r->tail[r->tail_count] = 0;
}

/* One look at the pipes and the process; true once the process has ended. */
static bool look(struct running *r)
{
	struct pollfd fds[3] = {{.fd = r->out_fd, .events = POLLIN},
				{.fd = r->err_fd, .events = POLLIN},
				{.fd = r->pid_fd, .events = POLLIN}};
	if (poll(fds, 3, LOOK_MS) < 0)
		return false;
	if (fds[0].revents)
		take_output(r);
	if (fds[1].revents)
		take_errors(r);
	int cancelled = r->watch->cancelled(r->watch->user);
	if (!r->failed && cancelled)
		stop(r, cancelled);
	if (r->failed && !r->is_killed && clock_monotonic_ms() >= r->kill_at_ms) {
		r->is_killed = true;
		kill(-r->pid, SIGKILL);
	}
	return fds[2].revents && !fds[0].revents && !fds[1].revents;
}

int program_run(const struct berth_program *program, const struct program_watch *watch,
		int *ret_status, struct berth_error *err)
{
	struct running r = {.watch = watch, .program = program};
	r.output_max = program->output_max_bytes ? program->output_max_bytes : OUTPUT_MAX_DEFAULT;
	if (!program->path || !program->argv || !program->argv[0])
		return berth_fail(err, BERTH_E_INVALID, "a program needs a path and arguments");
	int code = check_program(program->path, err);
	if (!code)
		code = start(&r, err);
	if (code)
		return code;
	while (!look(&r))
		;
	*ret_status = reap(&r);
	log_mask(r.tail);
	log_debug("program=%s status=%d", program->path, *ret_status);
	if (!r.failed)
		return 0;
	berth_fail(err, r.failed, "%.150s was stopped%s", program->path,
		   r.failed == BERTH_E_LIMIT ? ": it wrote too much" : "");
	return r.tail[0] ? berth_cause(err, "%s", r.tail) : r.failed;
}
