/* SPDX-License-Identifier: Apache-2.0 */
/* The store: one interface over a database file, for berthd's only thread.
 * SQL texts live in the row modules, each named in one table; they run on
 * SQLite and on PostgreSQL 15 alike, what differs is in dialect.c. Parameters
 * are written ? and bound in order; values never become SQL text.
 */
#ifndef CORE_STORE_STORE_H
#define CORE_STORE_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/fail.h"

struct store;

/* How to open. Zeroed members mean the default. */
struct store_settings {
	const char *path;         /* the file; its folder must exist; made 0600 */
	uint32_t busy_timeout_ms; /* 5 000: how long a foreign lock is waited for */
};

/* Opens or creates the file and brings its schema up to date, each migration
 * in its own transaction. BERTH_E_UNSUPPORTED: the schema is newer than this
 * program; BERTH_E_PROTOCOL: not a database, or a damaged one (nothing is
 * changed, the message says what to do); BERTH_E_UNAVAILABLE: locked;
 * BERTH_E_QUOTA: disk full. */
MUST_USE int store_open(const struct store_settings *settings, struct store **ret,
			struct berth_error *err);
/* Marks the stop as clean and closes. Accepts NULL. */
void store_close(struct store *s);
SCOPE_TYPE(store, struct store, store_close)

/* Was the last stop unclean? Then a check is due, after READY. */
bool store_needs_check(const struct store *s);
/* PRAGMA quick_check of the whole file, or with its indexes integrity_check, in
 * a thread of its own with a connection of its own: it reads every page (0.4 and
 * 4.5 s for 146 MB) and must not hold up the loop. store_check_end says whether
 * it is through; a finding is BERTH_E_PROTOCOL, and the store takes no more
 * writes. BERTH_E_UNAVAILABLE: it could not look, and is still due. */
MUST_USE int store_check_start(struct store *s, bool with_indexes, struct berth_error *err);
MUST_USE int store_check_end(struct store *s, bool *ret_ended, struct berth_error *err);
/* Zero while the store takes writes, else BERTH_E_QUOTA (disk full) or
 * BERTH_E_READ_ONLY or BERTH_E_PROTOCOL, with the reason in *ret_why where it
 * is not NULL (borrowed). Reads go on meanwhile. */
int store_health(const struct store *s, const char **ret_why);
/* Tries one small write; on success the store takes writes again. The daemon
 * calls it every few seconds while store_health is not zero. */
MUST_USE int store_probe(struct store *s, struct berth_error *err);
/* The schema's number. */
int store_schema(const struct store *s);
/* How many statements it has run since it was opened. */
uint64_t store_statements(const struct store *s);

/* A transaction. It nests (savepoints): only the outermost store_commit waits
 * for the disk, and a failed commit is rolled back. So is one where memory lacked
 * for any JSON since the outermost begin: what was written may lack a part
 * (BERTH_E_NO_MEMORY). store_rollback undoes the innermost level and does nothing
 * outside of one. */
MUST_USE int store_begin(struct store *s, struct berth_error *err);
MUST_USE int store_commit(struct store *s, struct berth_error *err);
void store_rollback(struct store *s);
unsigned store_depth(const struct store *s); /* 0: outside of a transaction */

/* A level that rolls back at the end of its scope unless committed:
 *	TRANSACTION t = {0};
 *	rc = transaction_begin(&t, s, err); ... rc = transaction_commit(&t, err); */
struct transaction {
	struct store *store; /* NULL: none open */
};
MUST_USE int transaction_begin(struct transaction *t, struct store *s, struct berth_error *err);
MUST_USE int transaction_commit(struct transaction *t, struct berth_error *err);
void transaction_end(struct transaction *t);
#define TRANSACTION CLEANUP(transaction_end) struct transaction

/* Called after each commit and each rollback with the depth that is left; a
 * commit that leaves 0 is on disk. The event hub delivers or drops what those
 * levels made. At most 4. */
struct store_hook {
	void (*committed)(void *user, unsigned depth);
	void (*rolled_back)(void *user, unsigned depth);
	void *user;
};
void store_add_hook(struct store *s, const struct store_hook *hook);
void store_remove_hook(struct store *s, const void *user);

/* Told of what changes in the image index, while it changes: the repository as
 * a whole; or, where many may have gone, the integration (NULL: any). What was
 * told may be rolled back yet. */
struct store_watch {
	void (*repository)(void *user, int64_t id);
	void (*integration)(void *user, const char *id);
	void *user;
};
void store_set_watch(struct store *s, const struct store_watch *watch);
/* For the row modules that change it. */
void store_tell_repository(const struct store *s, int64_t id);
void store_tell_integration(const struct store *s, const char *id);

/* A bound value or a column's type. Times are BIGINT Unix milliseconds. */
enum store_type { STORE_NULL, STORE_TEXT, STORE_INT, STORE_BLOB, STORE_TIME, STORE_BOOL };
struct store_value {
	enum store_type type;
	int64_t number;
	const void *bytes; /* borrowed for the call; TEXT: NUL-terminated */
	size_t byte_count; /* BLOB only */
};
#define V_TEXT(s)                                                                                  \
	{                                                                                          \
		.type = STORE_TEXT, .bytes = (s)                                                   \
	}
#define V_INT(n)                                                                                   \
	{                                                                                          \
		.type = STORE_INT, .number = (int64_t)(n)                                          \
	}
#define V_BLOB(p, n)                                                                               \
	{                                                                                          \
		.type = STORE_BLOB, .bytes = (p), .byte_count = (n)                                \
	}
/* VALUES(V_TEXT(id), V_INT(3)): two arguments, the array and its length. */
#define VALUES(...)                                                                                \
	(const struct store_value[]){__VA_ARGS__},                                                 \
		sizeof((const struct store_value[]){__VA_ARGS__}) / sizeof(struct store_value)

/* One SQL text. The name is for errors and traces; the text must be static:
 * its prepared form is kept by address. */
struct store_sql {
	const char *name, *text;
};

/* Runs a statement that gives no rows. ret_changed (or NULL): rows changed.
 * BERTH_E_CONFLICT: unique or foreign key; BERTH_E_QUOTA: disk full, now in
 * read-only mode; BERTH_E_UNAVAILABLE: locked by a foreign process. */
MUST_USE int store_run(struct store *s, const struct store_sql *sql,
		       const struct store_value *values, size_t value_count, int64_t *ret_changed,
		       struct berth_error *err);
/* The same for a statement that must change something: BERTH_E_NOT_FOUND where
 * it changed no row. */
MUST_USE int store_run_one(struct store *s, const struct store_sql *sql,
			   const struct store_value *values, size_t value_count,
			   struct berth_error *err);

/* A running query. Columns are borrowed until the next rows_next. */
struct store_rows;
MUST_USE int store_query(struct store *s, const struct store_sql *sql,
			 const struct store_value *values, size_t value_count,
			 struct store_rows **ret, struct berth_error *err);
/* The same for a text made for this once (store_list). */
MUST_USE int store_query_once(struct store *s, const struct store_sql *sql,
			      const struct store_value *values, size_t value_count,
			      struct store_rows **ret, struct berth_error *err);
/* *ret_row: is there one? */
MUST_USE int rows_next(struct store_rows *r, bool *ret_row, struct berth_error *err);
const char *rows_text(struct store_rows *r, int column); /* never NULL */
int64_t rows_int(struct store_rows *r, int column);
const void *rows_blob(struct store_rows *r, int column, size_t *ret_byte_count);
void rows_close(struct store_rows *r);
SCOPE_TYPE(rows, struct store_rows, rows_close)

/* The first column of the first row as a number; BERTH_E_NOT_FOUND. */
MUST_USE int store_number(struct store *s, const struct store_sql *sql,
			  const struct store_value *values, size_t value_count, int64_t *ret_number,
			  struct berth_error *err);
/* The next number of a named sequence, from 1, never given twice. Inside a
 * transaction. */
MUST_USE int store_next_id(struct store *s, const char *sequence, int64_t *ret_id,
			   struct berth_error *err);
/* Small named texts that the program keeps: NULL where absent, free(). */
MUST_USE int store_get_setting(struct store *s, const char *name, char **ret,
			       struct berth_error *err);
MUST_USE int store_set_setting(struct store *s, const char *name, const char *value,
			       struct berth_error *err);

#endif
