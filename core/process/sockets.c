/* SPDX-License-Identifier: Apache-2.0 */
/* See sockets.h. */
#include "core/process/sockets.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#define BACKLOG 128

int socket_open(const char *path, int type, int *ret_fd, struct berth_error *err)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	if (strlen(path) >= sizeof address.sun_path)
		return berth_fail(err, BERTH_E_INVALID,
				  "the path %.150s is too long for a socket, which may have %zu "
				  "bytes",
				  path, sizeof address.sun_path - 1);
	memcpy(address.sun_path, path, strlen(path));
	AUTO_FD int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return berth_fail_errno(err, errno, "cannot make a socket");
	if (unlink(path) && errno != ENOENT)
		return berth_fail_errno(err, errno, "cannot replace %.200s", path);
	mode_t before = umask(0177);
	int bound = bind(fd, (struct sockaddr *)&address, sizeof address);
	umask(before);
	if (bound || (type != SOCK_DGRAM && listen(fd, BACKLOG)))
		return berth_fail_errno(err, errno, "cannot listen at %.200s", path);
	*ret_fd = steal_fd(&fd);
	return 0;
}

int folder_lock(const char *dir, int *ret_fd, struct berth_error *err)
{
	char path[PATH_MAX + 8];
	snprintf(path, sizeof path, "%s/lock", dir);
	AUTO_FD int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return berth_fail_errno(err, errno, "cannot open %.200s", path);
	if (flock(fd, LOCK_EX | LOCK_NB)) {
		if (errno == EWOULDBLOCK)
			return berth_fail(err, BERTH_E_CONFLICT,
					  "another berthd is running on the state folder %.150s",
					  dir);
		return berth_fail_errno(err, errno, "cannot lock the state folder %.150s", dir);
	}
	*ret_fd = steal_fd(&fd);
	return 0;
}
