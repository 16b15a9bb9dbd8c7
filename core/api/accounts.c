/* SPDX-License-Identifier: Apache-2.0 */
/* Names of numbers: see accounts.h. */
#include "core/api/accounts.h"

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

/* The name of the first line with that number, as the C library has it; NULL: none. */
static const char *next_name(bool is_group, FILE *file, char *line, uint32_t *ret_number)
{
	struct passwd user, *found_user = NULL;
	struct group group, *found_group = NULL;

	if (is_group) {
		if (fgetgrent_r(file, &group, line, LINE_MAX_BYTES, &found_group) || !found_group)
			return NULL;
		*ret_number = group.gr_gid;
		return group.gr_name;
	}
	if (fgetpwent_r(file, &user, line, LINE_MAX_BYTES, &found_user) || !found_user)
		return NULL;
	*ret_number = user.pw_uid;
	return user.pw_name;
}

static void read_name(bool is_group, struct kept *k)
{
	char *line AUTO_FREE = malloc(LINE_MAX_BYTES);
	FILE *file AUTO_FILE = fopen(files[is_group].path, "re");
	const char *name = NULL;
	uint32_t number = 0;

	while (file && line && (name = next_name(is_group, file, line, &number)))
		if (number == k->number)
			break;
	if (name && strlen(name) < sizeof(k->name))
		memcpy(k->name, name, strlen(name) + 1);
	else
		*k->name = '\0';
	k->is_known = line != NULL;
}

bool account_name(bool is_group, uint32_t number, char to[ACCOUNT_NAME_ROOM])
{
	struct kept *k = &files[is_group].kept[number % KEPT];

	if (!k->is_known || k->number != number) {
		k->number = number;
		read_name(is_group, k);
	}
	memcpy(to, k->name, sizeof(k->name));
	return *to != '\0';
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
