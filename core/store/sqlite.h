/* SPDX-License-Identifier: Apache-2.0 */
/* The store's inside, shared by the files that make it up and by no one else:
 * sqlite.c (statements and transactions), open.c (the file), check.c (the
 * background check), migrate.c (the schema).
 */
#ifndef CORE_STORE_SQLITE_H
#define CORE_STORE_SQLITE_H

#include <sqlite3.h>

#include "core/base/clock.h"
#include "core/store/store.h"

#define STORE_STATEMENTS 256 /* prepared texts kept; a power of two */
#define STORE_HOOKS 4
#define STORE_BUSY_AGAIN_MS 50 /* patience once the database was found locked */

struct store_rows {
	struct store *store;
	sqlite3_stmt *statement;
	const char *name;
	bool is_kept; /* belongs to the cache: reset it, don't finalize */
	struct store_rows *next_free;
};

struct store_kept {
	const char *text; /* its address is the key */
	struct store_rows rows;
	bool is_busy;
};

struct check;
struct store {
	sqlite3 *db;
	char *path;
	int lock_fd; /* flock: one berthd a store */
	uint32_t busy_timeout_ms;
	bool was_unclean, is_locked_out, is_probing;
	uint64_t statements; /* that were run */
	unsigned depth;
	bool is_spoiled; /* a level could not be rolled back: nor may those around it be kept */
	unsigned losses; /* js_losses() at the outermost begin */
	int schema;
	int health; /* 0 or why there are no writes: BERTH_E_* */
	char health_text[256];
	char cursor_key[UUID_ROOM];
	struct store_kept kept[STORE_STATEMENTS];
	struct store_hook hooks[STORE_HOOKS];
	size_t hook_count;
	struct store_watch watch;
	struct check *check;
};

/* Fills err from what SQLite said; sets the health of the store where that
 * ends its writes. Returns the code. */
int sqlite_fail(struct store *s, int code, const char *what, struct berth_error *err);
/* A text without parameters or rows: pragmas, BEGIN, migrations. */
MUST_USE int sqlite_exec(struct store *s, const char *sql, struct berth_error *err);
/* Finalizes every kept statement. */
void sqlite_forget(struct store *s);
/* The settings of one connection. */
MUST_USE int sqlite_configure(struct store *s, bool wal, struct berth_error *err);
void store_lose_writes(struct store *s, int code, const char *why);

/* Brings the schema up to date: migrate.c. */
MUST_USE int store_migrate(struct store *s, struct berth_error *err);
/* Waits for a running check to stop: check.c. */
void store_check_stop(struct store *s);

#endif
