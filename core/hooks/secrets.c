/* SPDX-License-Identifier: Apache-2.0 */
/* Shared secrets: see secrets.h. Hashes are compared, so neither where two texts
 * differ nor how long they are can be measured; an integration that is not known
 * takes as long as one that is.
 */
#include "core/hooks/secrets.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "core/base/text.h"

#define SECRET_MIN 16
#define SECRET_MAX 1024

static int read_secret(int fd, const char *name, char *to, size_t room, struct berth_error *err)
{
	struct stat st;

	if (fstat(fd, &st) || !S_ISREG(st.st_mode) || (st.st_mode & (S_IRWXO | S_IWGRP)))
		return berth_fail(err, BERTH_E_INVALID,
				  "the secret %.64s must be a regular file that others can neither "
				  "read nor write",
				  name);
	ssize_t got = read(fd, to, room - 1);
	if (got < 0)
		return berth_fail_errno(err, errno, "cannot read the secret %.64s", name);
	to[got] = 0;
	to[strcspn(to, "\r\n")] = 0;
	if (strlen(to) < SECRET_MIN || strlen(to) > SECRET_MAX)
		return berth_fail(err, BERTH_E_INVALID,
				  "the secret %.64s must be one line of %d to %d bytes", name,
				  SECRET_MIN, SECRET_MAX);
	return 0;
}

static int add(struct hook_secrets *s, int folder_fd, const char *name, struct berth_error *err)
{
	char text[SECRET_MAX + 8];
	struct hook_secret *one = &s->items[s->count];

	if (s->count == HOOK_SECRETS_MAX)
		return berth_fail(err, BERTH_E_LIMIT, "there are more than %d secrets",
				  HOOK_SECRETS_MAX);
	if (!text_is_integration(name))
		return berth_fail(err, BERTH_E_INVALID,
				  "the secret %.64s is not named as an integration", name);
	AUTO_FD int fd = openat(folder_fd, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return berth_fail_errno(err, errno, "cannot open the secret %.64s", name);
	int code = read_secret(fd, name, text, sizeof(text), err);
	if (!code)
		code = digest_of(DIGEST_SHA256, text, strlen(text), &one->hash, err);
	OPENSSL_cleanse(text, sizeof(text));
	if (code)
		return code;
	snprintf(one->integration, sizeof(one->integration), "%s", name);
	s->count++;
	return 0;
}

static int add_all(struct hook_secrets *s, DIR *d, struct berth_error *err)
{
	for (struct dirent *e; (e = readdir(d));)
		if (e->d_name[0] != '.' && add(s, dirfd(d), e->d_name, err))
			return err->code;
	return s->count ? 0
			: berth_fail(err, BERTH_E_NOT_FOUND,
				     "there is no secret in the folder of secrets");
}

int hook_secrets_load(const char *folder, struct hook_secrets *ret, struct berth_error *err)
{
	struct hook_secrets s = {.items = calloc(HOOK_SECRETS_MAX, sizeof(*s.items))};
	DIR *d = opendir(folder);

	if (!d) {
		(void)berth_fail_errno(err, errno, "cannot open the folder of secrets %.200s",
				       folder);
		hook_secrets_done(&s);
		return err->code;
	}
	int code = s.items ? add_all(&s, d, err) : berth_fail_memory(err);
	closedir(d);
	if (code)
		hook_secrets_done(&s);
	else
		*ret = s;
	return code;
}

void hook_secrets_done(struct hook_secrets *s)
{
	free(s->items);
	*s = (struct hook_secrets){.items = NULL};
}

bool hook_secrets_match(const struct hook_secrets *s, const char *integration,
			const char *authorization)
{
	static const char bearer[] = "Bearer ";
	static const struct hook_secret nobody = {.integration = ""};
	const struct hook_secret *found = &nobody;
	struct berth_error ignored = ERROR_INIT;
	struct digest given;

	if (!authorization)
		return false;
	if (!strncasecmp(authorization, bearer, strlen(bearer)))
		authorization += strlen(bearer);
	for (size_t i = 0; i < s->count; i++)
		if (!strcmp(s->items[i].integration, integration))
			found = &s->items[i];
	if (digest_of(DIGEST_SHA256, authorization, strlen(authorization), &given, &ignored))
		return false;
	return !CRYPTO_memcmp(given.bytes, found->hash.bytes, given.byte_count) && found != &nobody;
}
