/* SPDX-License-Identifier: Apache-2.0 */
/* The store's file: made whole or not at all (under another name, then
 * renamed), locked against a second berthd, looked at before SQLite may touch
 * it, closed cleanly. An empty or cut file is damage, never a fresh start:
 * SQLite alone would take it for a new database.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "core/base/folder.h"
#include "core/base/log.h"
#include "core/store/cursor.h"
#include "core/store/sqlite.h"

#define APPLICATION_ID 0x42727468 /* "Brth" */
#define HEADER_BYTES 100
#define SMALL_BYTES (1024 * 1024) /* checked whole at each open: 2 ms */

static const char restore_hint[] =
	"restore a backup (berthd(8)), or move the file away to start anew";

static int path_with(const char *path, const char *suffix, char to[PATH_MAX],
		     struct berth_error *err)
{
	if (snprintf(to, PATH_MAX, "%s%s", path, suffix) >= PATH_MAX)
		return berth_fail(err, BERTH_E_LIMIT, "the store's path is too long");
	return 0;
}

static int lock_store(struct store *s, struct berth_error *err)
{
	char path[PATH_MAX];
	int rc = path_with(s->path, ".lock", path, err);

	if (rc)
		return rc;
	s->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (s->lock_fd < 0)
		return berth_fail_errno(err, errno, "cannot open the store's lock %s", path);
	if (flock(s->lock_fd, LOCK_EX | LOCK_NB)) {
		if (errno == EWOULDBLOCK)
			return berth_fail(err, BERTH_E_UNAVAILABLE,
					  "the store %s is in use by another berthd", s->path);
		return berth_fail_errno(err, errno, "cannot lock the store %s", s->path);
	}
	return 0;
}

static uint32_t big_endian(const unsigned char *p, int count)
{
	uint32_t n = 0;

	for (int i = 0; i < count; i++)
		n = n << 8 | p[i];
	return n;
}

static int damaged(const struct store *s, struct berth_error *err, const char *how)
{
	return berth_fail(err, BERTH_E_PROTOCOL, "the store %s %s: %s", s->path, how, restore_hint);
}

/* What the header says against what is there. With a write-ahead log beside it
 * the file may rightly be behind, and SQLite itself decides. */
static int look_at(struct store *s, int fd, off_t byte_count, struct berth_error *err)
{
	unsigned char h[HEADER_BYTES];
	uint32_t page_bytes, page_count;

	if (byte_count < HEADER_BYTES)
		return damaged(s, err, byte_count ? "is cut short" : "is empty");
	if (pread(fd, h, sizeof(h), 0) != (ssize_t)sizeof(h))
		return berth_fail_errno(err, errno ? errno : EIO, "cannot read the store %s",
					s->path);
	if (memcmp(h, "SQLite format 3", 16) != 0)
		return damaged(s, err, "is not a database");
	if (big_endian(h + 68, 4) != APPLICATION_ID)
		return damaged(s, err, "is not Berth's");
	page_bytes = big_endian(h + 16, 2);
	if (page_bytes == 1)
		page_bytes = 65536;
	page_count = big_endian(h + 28, 4);
	if (!s->was_unclean && byte_count < (off_t)page_bytes * page_count)
		return damaged(s, err, "is cut short");
	return 0;
}

/* *ret_bytes: the size, or -1 where there is no file yet. Closing a descriptor
 * of the file drops SQLite's locks, so this is done before it is opened. */
static int inspect(struct store *s, off_t *ret_bytes, struct berth_error *err)
{
	char wal[PATH_MAX];
	struct stat st;
	AUTO_FD int fd = -1;
	int rc = path_with(s->path, "-wal", wal, err);

	if (rc)
		return rc;
	s->was_unclean = !stat(wal, &st) && st.st_size > 0;
	*ret_bytes = -1;
	fd = open(s->path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0 && errno == ENOENT)
		return s->was_unclean ? damaged(s, err, "is gone, its log is there") : 0;
	if (fd < 0 || fstat(fd, &st))
		return berth_fail_errno(err, errno, "cannot open the store %s", s->path);
	if (!S_ISREG(st.st_mode))
		return damaged(s, err, "is not a file");
	*ret_bytes = st.st_size;
	return look_at(s, fd, st.st_size, err);
}

int sqlite_configure(struct store *s, bool wal, struct berth_error *err)
{
	static const struct {
		int option, on;
	} options[] = {
		{SQLITE_DBCONFIG_DEFENSIVE, 1},
		{SQLITE_DBCONFIG_DQS_DML, 0},
		{SQLITE_DBCONFIG_DQS_DDL, 0},
		{SQLITE_DBCONFIG_ENABLE_TRIGGER, 0},
	};
	static const char pragmas[] =
		"PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON; PRAGMA trusted_schema=OFF;"
		"PRAGMA cell_size_check=ON; PRAGMA mmap_size=0; PRAGMA secure_delete=ON;"
		"PRAGMA temp_store=MEMORY; PRAGMA cache_size=-1024;"
		"PRAGMA journal_size_limit=67108864; PRAGMA case_sensitive_like=ON";
	int rc;

	sqlite3_extended_result_codes(s->db, 1);
	sqlite3_busy_timeout(s->db, (int)s->busy_timeout_ms);
	for (size_t i = 0; i < ARRAY_COUNT(options); i++)
		sqlite3_db_config(s->db, options[i].option, options[i].on, NULL);
	rc = sqlite_exec(s, wal ? "PRAGMA journal_mode=WAL" : "PRAGMA journal_mode=DELETE", err);
	return rc ? rc : sqlite_exec(s, pragmas, err);
}

static int open_database(struct store *s, const char *path, bool wal, struct berth_error *err)
{
	int result = sqlite3_open_v2(
		path, &s->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_NOFOLLOW,
		NULL);

	if (result != SQLITE_OK)
		return sqlite_fail(s, result, "open", err);
	return sqlite_configure(s, wal, err);
}

static void close_database(struct store *s)
{
	sqlite_forget(s);
	if (sqlite3_close(s->db) != SQLITE_OK) {
		log_error("store: closed with a statement in use");
		sqlite3_close_v2(s->db);
	}
	s->db = NULL;
}

/* Makes an empty store of the newest schema under another name and renames it:
 * the store's own name never stands for half a store. */
static int create(struct store *s, struct berth_error *err)
{
	char fresh[PATH_MAX], id[64];
	int fd, rc = path_with(s->path, ".new", fresh, err);

	if (rc)
		return rc;
	if (unlink(fresh) && errno != ENOENT)
		return berth_fail_errno(err, errno, "cannot remove %s", fresh);
	fd = open(fresh, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return berth_fail_errno(err, errno, "cannot make the store %s", s->path);
	close(fd);
	snprintf(id, sizeof(id), "PRAGMA application_id=%d", APPLICATION_ID);
	rc = open_database(s, fresh, false, err);
	if (!rc)
		rc = sqlite_exec(s, id, err);
	if (!rc)
		rc = store_migrate(s, err);
	close_database(s);
	if (!rc && rename(fresh, s->path))
		rc = berth_fail_errno(err, errno, "cannot rename %s", fresh);
	return rc ? rc : folder_sync(s->path, err);
}

static int check_small(struct store *s, struct berth_error *err)
{
	static const struct store_sql check = {"quick-check", "PRAGMA quick_check(1)"};
	AUTO(rows) struct store_rows *rows = NULL;
	bool has_row = false;
	int rc = store_query(s, &check, NULL, 0, &rows, err);

	if (!rc)
		rc = rows_next(rows, &has_row, err);
	if (!rc && (!has_row || strcmp(rows_text(rows, 0), "ok") != 0)) {
		rc = damaged(s, err, "is damaged");
		berth_cause(err, "%s", has_row ? rows_text(rows, 0) : "no answer");
	}
	if (!rc)
		s->was_unclean = false;
	return rc;
}

const char *store_cursor_key(const struct store *s)
{
	return s->cursor_key;
}

static int load_cursor_key(struct store *s, struct berth_error *err)
{
	static const char setting[] = "cursor-key";
	AUTO_FREE char *stored = NULL;
	int rc = store_get_setting(s, setting, &stored, err);

	if (rc)
		return rc;
	if (stored) {
		snprintf(s->cursor_key, sizeof(s->cursor_key), "%s", stored);
		return 0;
	}
	uuid_make(s->cursor_key);
	return store_set_setting(s, setting, s->cursor_key, err);
}

static int open_whole(struct store *s, struct berth_error *err)
{
	off_t byte_count;
	int rc = lock_store(s, err);

	if (!rc)
		rc = inspect(s, &byte_count, err);
	if (!rc && byte_count < 0)
		rc = create(s, err);
	if (!rc)
		rc = open_database(s, s->path, true, err);
	if (!rc && byte_count >= 0 && byte_count <= SMALL_BYTES)
		rc = check_small(s, err);
	if (!rc)
		rc = store_migrate(s, err);
	if (!rc)
		rc = load_cursor_key(s, err);
	if (rc == BERTH_E_PROTOCOL && err->from == BERTH_FROM_SQL)
		rc = berth_wrap(err, "the store %s is damaged: %s", s->path, restore_hint);
	return rc;
}

int store_open(const struct store_settings *settings, struct store **ret, struct berth_error *err)
{
	struct store *s = calloc(1, sizeof(*s));
	int rc;

	if (!s)
		return berth_fail_memory(err);
	s->lock_fd = -1;
	s->busy_timeout_ms = settings->busy_timeout_ms ? settings->busy_timeout_ms : 5000;
	s->path = strdup(settings->path);
	rc = s->path ? open_whole(s, err) : berth_fail_memory(err);
	if (rc)
		store_close(s);
	else
		*ret = s;
	return rc;
}

void store_close(struct store *s)
{
	if (!s)
		return;
	store_check_stop(s);
	while (s->depth)
		store_rollback(s);
	if (s->db)
		close_database(s);
	if (s->lock_fd >= 0)
		close(s->lock_fd);
	free(s->path);
	free(s);
}
