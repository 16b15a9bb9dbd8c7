/* SPDX-License-Identifier: Apache-2.0 */
/* The spool's files: see spool.h. A file's name has the blob's digest and its whole
 * size: what all of them may come to is known from the names, before they grow.
 */
#include "core/transfer/spool.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>

#include "core/base/log.h"
#include "core/base/text.h"

#define PREFIX "spool-"

struct spool {
	int fd;
	int64_t size;
	bool is_broken;
	char path[PATH_MAX];
};

/* "spool-ALGORITHM-HEX-SIZE": its size; false where it is another file. */
static bool parse_name(const char *name, uint64_t *ret)
{
	const char *dash = strrchr(name, '-');
	return !strncmp(name, PREFIX, strlen(PREFIX)) && dash &&
	       text_parse_u64(dash + 1, 0, INT64_MAX, ret);
}

struct survey {
	uint64_t bytes;
	char oldest[NAME_MAX + 1]; /* of those that nobody has; "": none */
	uint64_t oldest_bytes;
	time_t oldest_at;
};

static bool is_in_use(int folder, const char *name)
{
	AUTO_FD int fd = openat(folder, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	return fd < 0 || flock(fd, LOCK_EX | LOCK_NB);
}

static void look_around(DIR *d, const char *mine, struct survey *s)
{
	struct stat st;
	uint64_t bytes;
	*s = (struct survey){.bytes = 0};
	rewinddir(d);
	for (struct dirent *e; (e = readdir(d));) {
		if (!parse_name(e->d_name, &bytes) || !strcmp(e->d_name, mine))
			continue;
		s->bytes += bytes;
		if (fstatat(dirfd(d), e->d_name, &st, AT_SYMLINK_NOFOLLOW) ||
		    (*s->oldest && st.st_mtime >= s->oldest_at) || is_in_use(dirfd(d), e->d_name))
			continue;
		snprintf(s->oldest, sizeof s->oldest, "%s", e->d_name);
		s->oldest_at = st.st_mtime;
		s->oldest_bytes = bytes;
	}
}

static bool make_room(const char *folder, const char *mine, uint64_t bytes, uint64_t max_bytes)
{
	struct survey s;
	DIR *d = opendir(folder);
	if (!d)
		return false;
	look_around(d, mine, &s);
	while (bytes <= max_bytes && s.bytes > max_bytes - bytes && *s.oldest &&
	       !unlinkat(dirfd(d), s.oldest, 0))
		look_around(d, mine, &s);
	closedir(d);
	return bytes <= max_bytes && s.bytes <= max_bytes - bytes;
}

static bool open_file(struct spool *s, int64_t byte_count)
{
	struct stat st;
	s->fd = open(s->path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (s->fd < 0 || flock(s->fd, LOCK_EX | LOCK_NB) || fstat(s->fd, &st))
		return false;
	s->size = st.st_size;
	if (s->size > byte_count)
		spool_empty(s);
	return !s->is_broken;
}

struct spool *spool_open(const char *folder, const struct digest *digest, int64_t byte_count,
			 uint64_t max_bytes)
{
	char text[DIGEST_TEXT_ROOM], name[NAME_MAX + 1];
	if (byte_count < SPOOL_LEAST_BYTES || (uint64_t)byte_count > max_bytes)
		return NULL;
	digest_format(digest, text);
	*strchr(text, ':') = '-';
	snprintf(name, sizeof name, PREFIX "%s-%lld", text, (long long)byte_count);
	struct spool *s = calloc(1, sizeof *s);
	if (!s)
		return NULL;
	snprintf(s->path, sizeof s->path, "%s/%s", folder, name);
	if (make_room(folder, name, (uint64_t)byte_count, max_bytes) && open_file(s, byte_count))
		return s;
	if (s->fd > 0)
		close(s->fd);
	free(s);
	return NULL;
}

int64_t spool_size(const struct spool *s)
{
	return s && !s->is_broken ? s->size : 0;
}

void spool_empty(struct spool *s)
{
	s->size = 0;
	if (ftruncate(s->fd, 0))
		s->is_broken = true;
}

void spool_add(struct spool *s, int64_t offset, const char *bytes, size_t byte_count)
{
	if (!s || s->is_broken || offset > s->size || offset + (int64_t)byte_count <= s->size)
		return;
	if (pwrite(s->fd, bytes, byte_count, offset) == (ssize_t)byte_count) {
		s->size = offset + (int64_t)byte_count;
		return;
	}
	log_debug("cannot write %s: %s", s->path, strerror(errno));
	spool_empty(s);
	s->is_broken = true;
}

ssize_t spool_read(const struct spool *s, int64_t offset, char *to, size_t room)
{
	int64_t left = s->size - offset;
	return pread(s->fd, to, left < (int64_t)room ? (size_t)left : room, offset);
}

void spool_close(struct spool *s, bool keeps)
{
	if (!s)
		return;
	if ((!keeps || s->is_broken) && unlink(s->path))
		log_debug("cannot remove %s: %s", s->path, strerror(errno));
	close(s->fd);
	free(s);
}
