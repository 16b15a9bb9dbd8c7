/* SPDX-License-Identifier: Apache-2.0 */
/* Names of numbers: see accounts.h. */
#include "core/api/accounts.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "core/base/scope.h"
#include "core/base/text.h"

#define LINE_MAX_BYTES 65536
#define KEPT 256 /* names of each file, by the number's last bits */

struct kept {
	uint32_t number;
	bool is_known;
	char name[ACCOUNT_NAME_ROOM]; /* "": the file has none */
};

struct file {
	const char *path;
	struct stat seen;
	struct kept kept[KEPT];
};
static struct file files[] = {{.path = "/etc/passwd"}, {.path = "/etc/group"}};
static unsigned changes;

static bool is_same(const struct stat *a, const struct stat *b)
{
	return a->st_ino == b->st_ino && a->st_dev == b->st_dev && a->st_size == b->st_size &&
	       a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

void accounts_look(void)
{
	for (size_t i = 0; i < ARRAY_COUNT(files); i++) {
		struct stat now = {.st_size = 0};

		(void)stat(files[i].path, &now); /* a file that is gone has no names */
		if (!is_same(&now, &files[i].seen)) {
			memset(files[i].kept, 0, sizeof(files[i].kept));
			changes++;
		}
		files[i].seen = now;
	}
}

unsigned accounts_changes(void)
{
	accounts_look();
	return changes;
}

/* A file that is being read. */
struct reading {
	bool is_group;
	FILE *file; /* NULL: there is none */
	char *line;
};

static void reading_done(struct reading *r)
{
	if (r->file)
		fclose(r->file);
	free(r->line);
}

static int open_file(bool is_group, struct reading *ret, struct berth_error *err)
{
	const char *path = files[is_group].path;

	*ret = (struct reading){.is_group = is_group, .line = malloc(LINE_MAX_BYTES)};
	if (!ret->line)
		return berth_fail_memory(err);
	ret->file = fopen(path, "re");
	return ret->file || errno == ENOENT ? 0
					    : berth_fail_errno(err, errno, "cannot read %s", path);
}

/* The next line as the C library has it; NULL: no more. */
static const char *next_name(const struct reading *r, uint32_t *ret_number)
{
	struct passwd user, *found_user = NULL;
	struct group group, *found_group = NULL;

	if (!r->file)
		return NULL;
	if (r->is_group) {
		if (fgetgrent_r(r->file, &group, r->line, LINE_MAX_BYTES, &found_group) ||
		    !found_group)
			return NULL;
		*ret_number = group.gr_gid;
		return group.gr_name;
	}
	if (fgetpwent_r(r->file, &user, r->line, LINE_MAX_BYTES, &found_user) || !found_user)
		return NULL;
	*ret_number = user.pw_uid;
	return user.pw_name;
}

static int read_name(bool is_group, struct kept *k, struct berth_error *err)
{
	struct reading r CLEANUP(reading_done) = {.line = NULL};
	const char *name;
	uint32_t number = 0;

	*k->name = '\0';
	k->is_known = !open_file(is_group, &r, err);
	if (!k->is_known)
		return err->code;
	while ((name = next_name(&r, &number)))
		if (number == k->number)
			break;
	if (name && strlen(name) < sizeof(k->name))
		memcpy(k->name, name, strlen(name) + 1);
	return 0;
}

int account_number(bool is_group, const char *name, int64_t *ret, struct berth_error *err)
{
	struct reading r CLEANUP(reading_done) = {.line = NULL};
	const char *found;
	uint32_t number = 0;

	*ret = -1;
	if (open_file(is_group, &r, err))
		return err->code;
	while (*ret < 0 && (found = next_name(&r, &number)))
		if (!strcmp(found, name))
			*ret = number;
	return 0;
}

int account_name(bool is_group, uint32_t number, char to[ACCOUNT_NAME_ROOM],
		 struct berth_error *err)
{
	struct kept *k = &files[is_group].kept[number % KEPT];
	int code = 0;

	if (!k->is_known || k->number != number) {
		k->number = number;
		code = read_name(is_group, k, err);
	}
	memcpy(to, k->name, sizeof(k->name));
	return code;
}

void principal_format(bool is_group, int64_t number, const char *account, char to[PRINCIPAL_ROOM])
{
	size_t n = (size_t)snprintf(to, PRINCIPAL_ROOM, "%c%lld", is_group ? 'g' : 'u',
				    (long long)number);

	if (*account && strlen(account) < ACCOUNT_NAME_ROOM) {
		to[n++] = '=';
		text_hex((const unsigned char *)account, strlen(account), to + n);
	}
}
