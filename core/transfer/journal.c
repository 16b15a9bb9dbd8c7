/* SPDX-License-Identifier: Apache-2.0 */
/* The journal's file: see journal.h. */
#include "core/transfer/journal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>

#include "core/base/log.h"
#include "core/base/text.h"

#define PAGE_BYTES 4096
#define SYNC_MS 2000
#define LOCK_TRIES 40 /* of 50 ms: the process before us may still be ending */
#define FORGET_S (7 * 24 * 3600)
#define CHECK_BYTES 16

/* A half of a slot, and the head of the file, as written. */
struct half {
	unsigned char check[CHECK_BYTES]; /* SHA-256, its beginning, over what follows */
	uint64_t sequence;                /* the higher one of two is true */
	uint32_t byte_count;              /* of all that was written */
	uint32_t is_used;
	struct journal_entry entry;
};
_Static_assert(sizeof(struct half) <= PAGE_BYTES, "a half is one page");

struct head {
	unsigned char check[CHECK_BYTES];
	uint32_t half_bytes, slots;
	unsigned char identity[32];
	char build[80];
};

struct slot {
	uint64_t sequence;
	struct journal_entry *old; /* of an earlier process */
	bool is_used;
};

struct journal {
	int fd;
	bool is_dirty, is_broken;
	uint64_t synced_ms;
	const char *dropped;
	char *path;
	struct slot slots[JOURNAL_SLOTS];
};

static void checksum(const void *object, size_t byte_count, unsigned char *to)
{
	struct digest d = {0};
	struct berth_error err = ERROR_INIT;
	if (!digest_of(DIGEST_SHA256, (const char *)object + CHECK_BYTES, byte_count - CHECK_BYTES,
		       &d, &err))
		memcpy(to, d.bytes, CHECK_BYTES);
}

static off_t place_of(int slot, uint64_t sequence)
{
	return (off_t)PAGE_BYTES * (1 + 2 * slot + (int)(sequence & 1));
}

/* A journal that can't be written is no reason to stop a copy. */
static void give_up(struct journal *j, const char *what)
{
	if (!j->is_broken)
		log_warning("%s %s: %s; a copy that is cut short begins its blobs again", what,
			    j->path, strerror(errno));
	j->is_broken = true;
}

static void write_half(struct journal *j, int slot, struct half *h)
{
	h->sequence = ++j->slots[slot].sequence;
	checksum(h, h->byte_count, h->check);
	if (!j->is_broken &&
	    pwrite(j->fd, h, h->byte_count, place_of(slot, h->sequence)) != (ssize_t)h->byte_count)
		give_up(j, "cannot write");
	j->is_dirty = true;
}

static int free_slot(const struct journal *j)
{
	for (int i = 0; i < JOURNAL_SLOTS; i++)
		if (!j->slots[i].is_used && !j->slots[i].old)
			return i;
	return -1;
}

void journal_put(struct journal *j, int *slot, const struct journal_entry *entry)
{
	struct half h = {.is_used = 1};
	if (!j || j->is_broken || (*slot < 0 && (*slot = free_slot(j)) < 0))
		return;
	size_t marks = entry->mark_count * sizeof entry->marks[0];
	memcpy(&h.entry, entry, offsetof(struct journal_entry, marks) + marks);
	h.byte_count = (uint32_t)(offsetof(struct half, entry) +
				  offsetof(struct journal_entry, marks) + marks);
	j->slots[*slot].is_used = true;
	write_half(j, *slot, &h);
}

void journal_clear(struct journal *j, int *slot)
{
	struct half h = {.byte_count = offsetof(struct half, entry)};
	if (!j || *slot < 0)
		return;
	j->slots[*slot].is_used = false;
	write_half(j, *slot, &h);
	*slot = -1;
}

void journal_tick(struct journal *j, uint64_t now_ms)
{
	if (!j || !j->is_dirty || j->is_broken || now_ms - j->synced_ms < SYNC_MS)
		return;
	j->is_dirty = false;
	j->synced_ms = now_ms;
	if (fdatasync(j->fd))
		give_up(j, "cannot sync");
}

/* --- what an earlier process left --- */

static bool is_text(const char *s, size_t room)
{
	return memchr(s, 0, room) != NULL;
}

static bool is_sound(const struct half *h, size_t got)
{
	unsigned char check[CHECK_BYTES] = {0};
	const struct journal_entry *e = &h->entry;
	if (got < offsetof(struct half, entry) || h->byte_count < offsetof(struct half, entry) ||
	    h->byte_count > sizeof *h || h->byte_count > got)
		return false;
	checksum(h, h->byte_count, check);
	if (memcmp(check, h->check, CHECK_BYTES) != 0)
		return false;
	if (!h->is_used)
		return true;
	if (e->mark_count > JOURNAL_MARKS || e->byte_count < 0)
		return false;
	size_t need = offsetof(struct half, entry) + offsetof(struct journal_entry, marks) +
		      e->mark_count * sizeof e->marks[0];
	return h->byte_count == need && is_text(e->repository, sizeof e->repository) &&
	       is_text(e->session, sizeof e->session);
}

static void read_slot(struct journal *j, int slot)
{
	struct half halves[2], *best = NULL;
	for (uint64_t i = 0; i < 2; i++) {
		struct half *h = &halves[i];
		memset(h, 0, sizeof *h);
		ssize_t got = pread(j->fd, h, sizeof *h, place_of(slot, i));
		if (got > 0 && (h->sequence & 1) == i && is_sound(h, (size_t)got) &&
		    (!best || h->sequence > best->sequence))
			best = h;
	}
	if (!best)
		return;
	j->slots[slot].sequence = best->sequence;
	if (!best->is_used)
		return;
	struct journal_entry *e = malloc(sizeof *e);
	if (e)
		*e = best->entry;
	j->slots[slot].old = e;
}

struct journal_entry *journal_take(struct journal *j, const char *repository,
				   const struct digest *digest, int *ret_slot)
{
	for (int i = 0; j && i < JOURNAL_SLOTS; i++) {
		struct slot *s = &j->slots[i];
		if (!s->old || (digest && (!digest_equal(&s->old->digest, digest) ||
					   strcmp(s->old->repository, repository) != 0)))
			continue;
		s->is_used = true;
		*ret_slot = i;
		return STEAL(s->old);
	}
	return NULL;
}

const char *journal_dropped(const struct journal *j)
{
	return j ? j->dropped : NULL;
}

/* --- opening --- */

static int make_head(const char *identity, struct head *h, struct berth_error *err)
{
	struct digest d;
	int r = digest_of(DIGEST_SHA256, identity, strlen(identity), &d, err);
	memset(h, 0, sizeof *h);
	if (r)
		return r;
	h->half_bytes = sizeof(struct half);
	h->slots = JOURNAL_SLOTS;
	memcpy(h->identity, d.bytes, sizeof h->identity);
	snprintf(h->build, sizeof h->build, "berth-journal-1 %s", hasher_build());
	checksum(h, sizeof *h, h->check);
	return 0;
}

/* Empty, and on the disk as such before its new head: an old slot must never be
 * read under a new identity. */
static int begin_anew(struct journal *j, const struct head *h, struct berth_error *err)
{
	if (ftruncate(j->fd, 0) || fsync(j->fd) ||
	    pwrite(j->fd, h, sizeof *h, 0) != (ssize_t)sizeof *h)
		return berth_fail_errno(err, errno, "cannot begin the journal %.150s", j->path);
	j->is_dirty = true;
	return 0;
}

static int read_all(struct journal *j, const char *identity, struct berth_error *err)
{
	struct head want, is;
	int r = make_head(identity, &want, err);
	if (r)
		return r;
	ssize_t got = pread(j->fd, &is, sizeof is, 0);
	if (got == (ssize_t)sizeof is && !memcmp(&is, &want, sizeof is)) {
		for (int i = 0; i < JOURNAL_SLOTS; i++)
			read_slot(j, i);
		return 0;
	}
	if (got == (ssize_t)sizeof is && !memcmp(is.build, want.build, sizeof is.build))
		j->dropped = "it was of another rule or of other registries";
	else if (got)
		j->dropped = "it was of another version or damaged";
	return begin_anew(j, &want, err);
}

static int lock(const struct journal *j, struct berth_error *err)
{
	static const struct timespec pause = {0, 50000000};
	for (int i = 0; flock(j->fd, LOCK_EX | LOCK_NB); i++) {
		if (errno != EWOULDBLOCK && errno != EINTR)
			return berth_fail_errno(err, errno, "cannot lock %.150s", j->path);
		if (i == LOCK_TRIES)
			return berth_fail(err, BERTH_E_CONFLICT,
					  "another process has the journal %.150s", j->path);
		nanosleep(&pause, NULL);
	}
	return 0;
}

/* Those of runs that were never taken up again. */
static void sweep(const char *folder)
{
	DIR *d = opendir(folder);
	struct stat st;
	char path[PATH_MAX];
	for (struct dirent *e; d && (e = readdir(d));) {
		size_t n = strlen(e->d_name);
		if (strncmp(e->d_name, "copy-", 5) != 0 || n < 8 ||
		    strcmp(e->d_name + n - 8, ".journal") != 0)
			continue;
		snprintf(path, sizeof path, "%s/%s", folder, e->d_name);
		if (!lstat(path, &st) && S_ISREG(st.st_mode) &&
		    time(NULL) - st.st_mtime > FORGET_S && unlink(path))
			log_debug("cannot remove %s: %s", path, strerror(errno));
	}
	if (d)
		closedir(d);
}

int journal_open(const char *folder, const char *run, const char *identity, struct journal **ret,
		 struct berth_error *err)
{
	if (!*run || strchr(run, '/'))
		return berth_fail(err, BERTH_E_INVALID, "'%.80s' is no name of a run", run);
	struct journal *j = calloc(1, sizeof *j);
	if (!j)
		return berth_fail_memory(err);
	sweep(folder);
	j->path = text_printf("%s/copy-%s.journal", folder, run);
	j->fd = j->path ? open(j->path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600) : -1;
	int r = !j->path    ? berth_fail_memory(err)
		: j->fd < 0 ? berth_fail_errno(err, errno, "cannot open %.150s", j->path)
			    : lock(j, err);
	if (!r)
		r = read_all(j, identity, err);
	if (r) {
		journal_close(j, true);
		return r;
	}
	*ret = j;
	return 0;
}

void journal_close(struct journal *j, bool keeps)
{
	if (!j)
		return;
	if (!keeps && unlink(j->path))
		log_debug("cannot remove %s: %s", j->path, strerror(errno));
	for (int i = 0; i < JOURNAL_SLOTS; i++)
		free(j->slots[i].old);
	if (j->fd >= 0)
		close(j->fd);
	free(j->path);
	free(j);
}
