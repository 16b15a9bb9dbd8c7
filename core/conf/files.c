/* SPDX-License-Identifier: Apache-2.0 */
/* Reading configuration files: the main one and its drop-ins, checked on the
 * open descriptor (kind, owner, mode, size) before a byte is believed. Runs in
 * berthd, at start and at reload.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

#include "core/conf/settings.h"

#define FILE_MAX_BYTES (1024 * 1024)
#define DROPIN_MAX_COUNT 256

static int check_file(int fd, const char *path, struct berth_error *err)
{
	struct stat st;
	if (fstat(fd, &st))
		return berth_fail_errno(err, errno, "%s:1: cannot look at the file", path);
	if (!S_ISREG(st.st_mode))
		return berth_fail(err, BERTH_E_INVALID, "%s:1: expected a regular file", path);
	if (st.st_uid != 0 && st.st_uid != geteuid())
		return berth_fail(err, BERTH_E_INVALID,
				  "%s:1: expected a file owned by root or by user %u, found %u",
				  path, geteuid(), st.st_uid);
	if (st.st_mode & (S_IWGRP | S_IWOTH))
		return berth_fail(err, BERTH_E_INVALID,
				  "%s:1: expected a file that only its owner may write, found mode "
				  "%04o",
				  path, st.st_mode & 07777);
	if (st.st_size > FILE_MAX_BYTES)
		return berth_fail(err, BERTH_E_INVALID, "%s:1: expected at most 1 MiB, found %lld",
				  path, (long long)st.st_size);
	return 0;
}

static int read_all(int fd, const char *path, char *to, size_t *ret_byte_count,
		    struct berth_error *err)
{
	size_t have = 0;
	for (;;) {
		ssize_t got = read(fd, to + have, FILE_MAX_BYTES + 1 - have);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return berth_fail_errno(err, errno, "%s:1: cannot read", path);
		have += (size_t)got;
		if (have > FILE_MAX_BYTES)
			return berth_fail(err, BERTH_E_INVALID, "%s:1: expected at most 1 MiB",
					  path);
		if (!got)
			break;
	}
	*ret_byte_count = have;
	return 0;
}

static int load_file(const char *path, bool is_main, struct settings *s, struct berth_error *err)
{
	AUTO_FD int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	AUTO_FREE char *bytes = NULL;
	size_t byte_count = 0;
	if (fd < 0) {
		berth_fail_errno(err, errno, "%s:1: cannot open the file", path);
		return err->code;
	}
	int code = check_file(fd, path, err);
	if (code)
		return code;
	bytes = malloc(FILE_MAX_BYTES + 1);
	if (!bytes)
		return berth_fail_memory(err);
	code = read_all(fd, path, bytes, &byte_count, err);
	if (code)
		return code;
	if (is_main && !byte_count)
		return berth_fail(err, BERTH_E_INVALID,
				  "%s:1: expected at least a comment, found an empty file", path);
	return settings_parse(path, bytes, byte_count, s, err);
}

static int is_dropin(const struct dirent *e)
{
	size_t byte_count = strlen(e->d_name);
	return e->d_name[0] != '.' && byte_count > 5 &&
	       !strcmp(e->d_name + byte_count - 5, ".conf");
}

static void free_names(struct dirent **names, int count)
{
	for (int i = 0; i < count; i++)
		free(names[i]);
	free(names);
}

static int by_bytes(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static int load_dropins(const char *path, struct settings *s, struct berth_error *err)
{
	char folder[PATH_MAX], file[PATH_MAX];
	struct dirent **names = NULL;
	int code = 0;
	if (snprintf(folder, sizeof folder, "%s.d", path) >= (int)sizeof folder)
		return berth_fail(err, BERTH_E_INVALID,
				  "the path of the configuration is too long");
	int count = scandir(folder, &names, is_dropin, by_bytes);
	if (count < 0 && errno == ENOENT)
		return 0;
	if (count < 0)
		return berth_fail_errno(err, errno, "%s:1: cannot list the folder", folder);
	if (count > DROPIN_MAX_COUNT)
		code = berth_fail(err, BERTH_E_INVALID, "%s:1: expected at most %d files", folder,
				  DROPIN_MAX_COUNT);
	for (int i = 0; i < count && !code; i++) {
		if (snprintf(file, sizeof file, "%s/%s", folder, names[i]->d_name) >=
		    (int)sizeof file)
			code = berth_fail(err, BERTH_E_INVALID, "%s: the path is too long", folder);
		else
			code = load_file(file, false, s, err);
	}
	free_names(names, count);
	return code;
}

int settings_load(const char *path, struct settings *s, struct berth_error *err)
{
	struct settings fresh;
	int code = settings_init(&fresh, err);
	if (!code && path)
		code = load_file(path, true, &fresh, err);
	if (!code && path)
		code = load_dropins(path, &fresh, err);
	if (!code && path)
		code = settings_check(path, &fresh, err);
	if (code) {
		settings_done(&fresh);
		return code;
	}
	settings_done(s);
	*s = fresh;
	return 0;
}
