/* SPDX-License-Identifier: Apache-2.0 */
/* Folders on disk: what the store and the keys need beyond their own files. */
#include "core/base/folder.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int folder_sync(const char *path, struct berth_error *err)
{
	char folder[PATH_MAX];
	AUTO_FD int fd = -1;

	if (snprintf(folder, sizeof(folder), "%s", path) >= (int)sizeof(folder))
		return berth_fail(err, BERTH_E_LIMIT, "a path is too long");
	char *slash = strrchr(folder, '/');
	if (slash)
		slash[slash == folder] = '\0';
	fd = open(slash ? folder : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || fsync(fd))
		return berth_fail_errno(err, errno, "cannot sync the folder of %s", path);
	return 0;
}
