/* SPDX-License-Identifier: Apache-2.0 */
/* Reaches the daemon: connect() on the socket, or an ssh child whose standard
 * streams are one end of a socket pair. A refused connect is explained by what
 * the socket's owner and the caller's groups say, never by a bare errno.
 */
#include "client/dial.h"

#include <errno.h>
#include <grp.h>
#include <poll.h>
#include <pwd.h>
#include <spawn.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>

#include "core/base/text.h"

extern char **environ;

enum { CONNECT_WAIT_MS = 10000 };

static int of_context(struct cli *c, const char *name, struct berth_error *err)
{
	struct contexts all = {0};
	int code = contexts_load(&all, err);
	if (code)
		return code;
	if (!name)
		name = all.current;
	size_t at = name ? contexts_find(&all, name) : all.count;
	if (name && at == all.count)
		code = berth_fail(err, BERTH_E_NOT_FOUND,
				  "there is no context '%s'; see berthctl context list", name);
	if (!code && at < all.count)
		c->target = strdup(all.targets[at]);
	contexts_done(&all);
	return code;
}

/* Sets c->target. */
static int dial_target(struct cli *c, struct berth_error *err)
{
	const char *given = cli_flag(c, "socket", NULL);
	const char *context = cli_flag(c, "context", NULL);
	if (c->target)
		return 0;
	if (!given && !context)
		given = getenv("BERTH_SOCKET");
	if (given && *given) {
		c->target = strdup(given);
	} else {
		if (!context)
			context = getenv("BERTH_CONTEXT");
		int code = of_context(c, context && *context ? context : NULL, err);
		if (code)
			return code;
	}
	if (!c->target)
		c->target = strdup(DIAL_DEFAULT_SOCKET);
	return c->target ? 0 : berth_fail_memory(err);
}

bool dial_is_far(struct cli *c)
{
	struct berth_error ignored = ERROR_INIT; /* connecting tells it */
	return dial_target(c, &ignored) == 0 && !strncmp(c->target, "ssh://", 6);
}

/* Who keeps a private daemon's socket to themselves: the owner of a socket that no group may
 * open, or of the first folder before it that lets nobody else through. NULL: neither. */
static const struct passwd *keeper_of(const char *path)
{
	struct stat s;
	AUTO_FREE char *place = strdup(path);
	if (!place)
		return NULL;
	if (stat(place, &s) == 0)
		return s.st_mode & (S_IWGRP | S_IWOTH) ? NULL : getpwuid(s.st_uid);
	for (char *end = strrchr(place, '/'); end && end != place; end = strrchr(place, '/')) {
		*end = 0;
		if (stat(place, &s) == 0)
			return s.st_mode & (S_IXGRP | S_IXOTH) ? NULL : getpwuid(s.st_uid);
	}
	return NULL;
}

/* Why a connect was refused by permission. The look-ups share their memory: one at a time. */
static int explain_denied(const char *path, struct berth_error *err)
{
	struct stat s;
	const struct passwd *keeper = keeper_of(path);
	berth_fail(err, BERTH_E_DENIED, "you may not open %s", path);
	if (keeper) {
		berth_cause(err,
			    "a private daemon is for the user who started it, here %s; see "
			    "berthctl help topic access",
			    keeper->pw_name);
		return err->code;
	}
	const struct group *owner = stat(path, &s) == 0 ? getgrgid(s.st_gid) : NULL;
	const struct passwd *me = getpwuid(getuid());
	const char *group = owner ? owner->gr_name : "berth-users";
	berth_cause(err, "user %s is not in group %s: sudo usermod -aG %s %s, then log in anew",
		    me ? me->pw_name : "(unknown)", group, group, me ? me->pw_name : "YOU");
	return err->code;
}

static int explain(const char *path, int errnum, struct berth_error *err)
{
	if (errnum == EACCES || errnum == EPERM)
		return explain_denied(path, err);
	berth_fail(err, BERTH_E_UNAVAILABLE, "cannot reach berthd at %s", path);
	if (errnum == ENOENT)
		berth_cause(err, "there is no such socket: berthd is not running, or its socket is "
				 "elsewhere (--socket, BERTH_SOCKET)");
	else if (errnum == ECONNREFUSED)
		berth_cause(err, "nothing listens on it: berthd has ended");
	else if (errnum == EAGAIN)
		berth_cause(err, "berthd has too many connections waiting");
	else if (errnum == ENOTSOCK)
		berth_cause(err, "that is not a socket");
	else
		berth_cause(err, "%s", strerror(errnum));
	return err->code;
}

static int connect_unix(const char *path, uint32_t wait_ms, int *ret_fd, struct berth_error *err)
{
	struct timeval patience = {wait_ms / 1000, wait_ms % 1000 * 1000};
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	if (strlen(path) >= sizeof(to.sun_path))
		return berth_fail(err, BERTH_E_INVALID, "the socket path '%s' is over %zu bytes",
				  path, sizeof(to.sun_path) - 1);
	snprintf(to.sun_path, sizeof(to.sun_path), "%s", path);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return berth_fail_errno(err, errno, "cannot make a socket");
	/* A full queue of connections would hold connect() for ever. */
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	if (connect(fd, (struct sockaddr *)&to, sizeof(to)) != 0) {
		int errnum = errno;
		close(fd);
		return explain(path, errnum, err);
	}
	*ret_fd = fd;
	return 0;
}

/* ssh://[USER@]HOST[:PORT][/PATH] in its parts; line is cut up. */
struct ssh_target {
	char *host, *port, *path;
};
static bool ssh_parse(char *line, struct ssh_target *to)
{
	*to = (struct ssh_target){.host = line + strlen("ssh://")};
	char *path = strchr(to->host, '/');
	if (path && path[1]) {
		to->path = strdup(path);
		if (!to->path)
			return false;
	}
	if (path)
		*path = 0;
	char *port = strrchr(to->host, ':');
	uint64_t number;
	if (port && !strchr(port, ']')) {
		*port = 0;
		to->port = port + 1;
		if (!text_parse_u64(to->port, 1, 65535, &number))
			return false;
	}
	return *to->host && *to->host != '-';
}

static int spawn_on(char **words, int fd, pid_t *ret_pid)
{
	posix_spawn_file_actions_t actions;
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, fd, 0);
	posix_spawn_file_actions_adddup2(&actions, fd, 1);
	int failed = posix_spawnp(ret_pid, words[0], &actions, NULL, words, environ);
	posix_spawn_file_actions_destroy(&actions);
	return failed;
}

static int connect_ssh(struct cli *c, struct berth_error *err)
{
	struct ssh_target target;
	AUTO_FREE char *line = strdup(c->target);
	if (!line)
		return berth_fail_memory(err);
	bool is_good = ssh_parse(line, &target);
	AUTO_FREE char *path = target.path; /* held for the command's words */
	AUTO_FREE char *host_copy = strdup(target.host);
	if (!is_good || !host_copy)
		return berth_fail(err, BERTH_E_INVALID,
				  "'%s' is not ssh://[USER@]HOST[:PORT][/PATH]", c->target);
	char *program = getenv("BERTH_SSH");
	char *words[12] = {program && *program ? program : (char *)"ssh", (char *)"-T"};
	size_t n = 2;
	if (target.port) {
		words[n++] = (char *)"-p";
		words[n++] = target.port;
	}
	words[n++] = (char *)"--";
	words[n++] = host_copy;
	words[n++] = (char *)"berthctl";
	words[n++] = (char *)"__bridge";
	if (path) {
		words[n++] = (char *)"--socket";
		words[n++] = path;
	}
	int ends[2];
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
		return berth_fail_errno(err, errno, "cannot make a socket pair");
	int failed = spawn_on(words, ends[1], &c->bridge_pid);
	close(ends[1]);
	c->fd = ends[0];
	if (failed)
		return berth_fail(err, BERTH_E_UNAVAILABLE, "cannot run %s: %s", words[0],
				  strerror(failed));
	return 0;
}

int dial_connect(struct cli *c, struct berth_error *err)
{
	int code = dial_target(c, err);
	if (code)
		return code;
	if (!strncmp(c->target, "ssh://", 6))
		return connect_ssh(c, err);
	const char *path = c->target;
	if (!strncmp(path, "unix://", 7))
		path += 7;
	return connect_unix(path, c->budget_ms ? c->budget_ms : CONNECT_WAIT_MS, &c->fd, err);
}

/* Copies what is there from one end to the other; false at its end. */
static bool copy_some(int from, int to)
{
	char bytes[65536];
	ssize_t got = read(from, bytes, sizeof(bytes));
	if (got < 0 && errno == EINTR)
		return true;
	for (ssize_t done = 0; got > 0 && done < got;) {
		ssize_t put = write(to, bytes + done, (size_t)(got - done));
		if (put < 0 && errno != EINTR)
			return false;
		done += put > 0 ? put : 0;
	}
	return got > 0;
}

int dial_bridge(struct cli *c)
{
	struct berth_error err = ERROR_INIT;
	int code = dial_connect(c, &err);
	if (code)
		return cli_report(c, &err);
	struct pollfd ends[2] = {{.fd = fileno(c->in), .events = POLLIN},
				 {.fd = c->fd, .events = POLLIN}};
	while (ends[1].fd >= 0) {
		if (poll(ends, 2, -1) < 0 && errno != EINTR)
			return EXIT_ERROR;
		if (ends[0].revents && !copy_some(ends[0].fd, c->fd)) {
			shutdown(c->fd, SHUT_WR);
			ends[0].fd = -1;
		}
		if (ends[1].revents && !copy_some(ends[1].fd, fileno(c->out.file)))
			ends[1].fd = -1;
	}
	return EXIT_OK;
}
