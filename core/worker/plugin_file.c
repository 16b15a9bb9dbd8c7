/* SPDX-License-Identifier: Apache-2.0 */
/* Is this file one that may be loaded? Everything is asked of open
 * descriptors, so that nothing can be swapped between the check and the load.
 * Runs in the worker.
 */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

#include "core/worker/loader.h"

#define NAME_MAX_BYTES 32

bool plugin_name_is_legal(const char *name)
{
	size_t byte_count = strlen(name);
	return byte_count && byte_count <= NAME_MAX_BYTES &&
	       strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-") == byte_count;
}

static int check_owner(const struct stat *st, const char *what, struct berth_error *err)
{
	if (st->st_uid != 0 && st->st_uid != geteuid())
		return berth_fail(err, BERTH_E_DENIED,
				  "%s is owned by user %u, expected root or user %u", what,
				  st->st_uid, geteuid());
	if (st->st_mode & (S_IWGRP | S_IWOTH))
		return berth_fail(err, BERTH_E_DENIED,
				  "%s may be written by others than its owner (mode %04o)", what,
				  st->st_mode & 07777);
	return 0;
}

static int open_folder(const char *dir, int *ret_fd, struct berth_error *err)
{
	struct stat st;
	AUTO_FD int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st))
		return berth_fail_errno(err, errno, "the plugin folder cannot be opened");
	int code = check_owner(&st, "the plugin folder", err);
	if (code)
		return code;
	*ret_fd = steal_fd(&fd);
	return 0;
}

/* The head of our own program says what machine a plugin must be for. */
static int check_elf(int fd, struct berth_error *err)
{
	unsigned char theirs[20] = {0}, ours[20] = {0};
	AUTO_FD int self = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	if (self < 0 || pread(self, ours, sizeof ours, 0) != sizeof ours)
		return berth_fail_errno(err, errno, "the own program cannot be read");
	ssize_t got = pread(fd, theirs, sizeof theirs, 0);
	if (got != sizeof theirs || memcmp(theirs, ELFMAG, SELFMAG) != 0)
		return berth_fail(err, BERTH_E_INVALID, "the file is not an ELF shared object");
	/* class and byte order; then e_machine */
	if (memcmp(theirs + EI_CLASS, ours + EI_CLASS, 2) != 0 ||
	    memcmp(theirs + 18, ours + 18, 2) != 0)
		return berth_fail(err, BERTH_E_INVALID, "the file is built for another machine");
	return 0;
}

static int open_file(int folder, const char *name, int *ret_fd, struct berth_error *err)
{
	char file[NAME_MAX_BYTES + 4];
	struct stat st;
	snprintf(file, sizeof file, "%s.so", name);
	AUTO_FD int fd = openat(folder, file, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0 && errno == ELOOP)
		return berth_fail(err, BERTH_E_DENIED, "the file is a symbolic link");
	if (fd < 0 || fstat(fd, &st))
		return berth_fail_errno(err, errno, "the file cannot be opened");
	if (!S_ISREG(st.st_mode))
		return berth_fail(err, BERTH_E_DENIED, "the file is not a regular file");
	int code = check_owner(&st, "the file", err);
	if (!code)
		code = check_elf(fd, err);
	if (code)
		return code;
	*ret_fd = steal_fd(&fd);
	return 0;
}

int plugin_file_open(const char *dir, const char *name, int *ret_fd, struct berth_error *err)
{
	AUTO_FD int folder = -1;
	if (!plugin_name_is_legal(name))
		return berth_fail(err, BERTH_E_INVALID,
				  "the name may have a-z, 0-9 and - only, at most %d of them",
				  NAME_MAX_BYTES);
	int code = open_folder(dir, &folder, err);
	return code ? code : open_file(folder, name, ret_fd, err);
}
