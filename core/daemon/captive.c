/* SPDX-License-Identifier: Apache-2.0 */
/* See captive.h. */
#include "core/daemon/captive.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>

#include "core/process/loop.h"

static _Noreturn void become(char *const *command, const char *socket_path)
{
	const char *shell[] = {"sh", "-c", command[0], NULL};
	loop_unblock_signals();
	signal(SIGPIPE, SIG_DFL); /* what is ignored stays so over exec */
	setenv("BERTH_SOCKET", socket_path, 1);
	unsetenv("NOTIFY_SOCKET");
	if (command[1])
		execvp(command[0], command);
	else
		execv("/bin/sh", (char *const *)(uintptr_t)shell);
	fprintf(stderr, "berthd: cannot run %s\n", command[0]);
	_exit(127);
}

int captive_start(char *const *command, const char *socket_path, pid_t *ret_pid,
		  struct berth_error *err)
{
	fflush(NULL);
	pid_t pid = fork();
	if (pid < 0)
		return berth_fail_errno(err, errno, "cannot run %.100s", command[0]);
	if (pid == 0)
		become(command, socket_path);
	*ret_pid = pid;
	return 0;
}

bool captive_ended(pid_t pid, int *ret_status)
{
	int status;
	if (pid <= 0 || waitpid(pid, &status, WNOHANG) != pid)
		return false;
	*ret_status = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
	return true;
}
