/* SPDX-License-Identifier: Apache-2.0 */
/* Statements and transactions on SQLite. Each SQL text is prepared once and
 * kept by its address. A write that finds the disk full or broken ends all
 * writes until store_probe succeeds; reads go on. berthd's one thread.
 */
#include "core/store/sqlite.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "core/base/js.h"
#include "core/base/log.h"

static const char full[] = "the disk of the store is full: free some room, it goes on by itself";
static const char broken[] = "the store can't be written at present";
static const char damaged[] = "the store is damaged: stop berthd and restore a backup (berthd(8))";
static const char locked[] = "another program holds a lock on the store";

static const struct {
	int sqlite; /* primary or extended result code */
	int code;
	bool ends_writes;
	const char *message; /* NULL: what was tried */
} results[] = {
	{SQLITE_IOERR_NOMEM, BERTH_E_NO_MEMORY, false, NULL},
	{SQLITE_BUSY, BERTH_E_UNAVAILABLE, false, locked},
	{SQLITE_LOCKED, BERTH_E_UNAVAILABLE, false, locked},
	{SQLITE_PROTOCOL, BERTH_E_UNAVAILABLE, false, locked},
	{SQLITE_FULL, BERTH_E_QUOTA, true, full},
	{SQLITE_IOERR, BERTH_E_READ_ONLY, true, broken},
	{SQLITE_READONLY, BERTH_E_READ_ONLY, true, broken},
	{SQLITE_CANTOPEN, BERTH_E_READ_ONLY, true, broken},
	{SQLITE_CORRUPT, BERTH_E_PROTOCOL, true, damaged},
	{SQLITE_NOTADB, BERTH_E_PROTOCOL, true, damaged},
	{SQLITE_CONSTRAINT, BERTH_E_CONFLICT, false, NULL},
	{SQLITE_NOMEM, BERTH_E_NO_MEMORY, false, NULL},
	{SQLITE_TOOBIG, BERTH_E_LIMIT, false, NULL},
	{SQLITE_INTERRUPT, BERTH_E_CANCELLED, false, NULL},
};
static const size_t unknown_result = ARRAY_COUNT(results);

void store_lose_writes(struct store *s, int code, const char *why)
{
	if (s->health == BERTH_E_PROTOCOL)
		return; /* damage does not pass */
	if (!s->health && !s->is_probing)
		log_error("store takes no writes: %s", why);
	s->health = code;
	snprintf(s->health_text, sizeof(s->health_text), "%s", why);
}

/* The row of a result code; ENOSPC can hide behind any I/O error. */
static size_t classify(struct store *s, int result)
{
	int system = sqlite3_system_errno(s->db);

	if ((result & 0xff) == SQLITE_IOERR && (system == ENOSPC || system == EDQUOT))
		result = SQLITE_FULL;
	for (size_t i = 0; i < ARRAY_COUNT(results); i++)
		if (results[i].sqlite == result || results[i].sqlite == (result & 0xff))
			return i;
	return unknown_result;
}

static int refuse_while(struct store *s, const char *what, struct berth_error *err)
{
	const char *message = "the store takes no writes now";

	for (size_t i = 0; i < ARRAY_COUNT(results); i++)
		if (results[i].code == s->health && results[i].message)
			message = results[i].message;
	berth_fail(err, s->health, "%s", message);
	err->retry_ms = s->health == BERTH_E_PROTOCOL ? 0 : 5000;
	return berth_cause(err, "%s: %s", what, s->health_text);
}

int sqlite_fail(struct store *s, int result, const char *what, struct berth_error *err)
{
	size_t row = classify(s, result);
	const char *message = row == unknown_result ? NULL : results[row].message;
	int code = row == unknown_result ? BERTH_E_INTERNAL : results[row].code;

	if (row != unknown_result && results[row].ends_writes)
		store_lose_writes(s, code, sqlite3_errmsg(s->db));
	if (message)
		berth_fail(err, code, "%s", message);
	else
		berth_fail(err, code, "store: %s failed", what);
	err->from = BERTH_FROM_SQL;
	err->upstream = result;
	if (code == BERTH_E_UNAVAILABLE) {
		err->retry_ms = 1000;
		s->is_locked_out = true;
		sqlite3_busy_timeout(s->db, STORE_BUSY_AGAIN_MS);
	}
	return berth_cause(err, "%s: %s", what,
			   s->db ? sqlite3_errmsg(s->db) : sqlite3_errstr(result));
}

/* A lock was got again: be as patient as before. */
static void regain_patience(struct store *s)
{
	if (!s->is_locked_out)
		return;
	s->is_locked_out = false;
	sqlite3_busy_timeout(s->db, (int)s->busy_timeout_ms);
}

int sqlite_exec(struct store *s, const char *sql, struct berth_error *err)
{
	int result = sqlite3_exec(s->db, sql, NULL, NULL, NULL);

	return result == SQLITE_OK ? 0 : sqlite_fail(s, result, sql, err);
}

int store_health(const struct store *s, const char **ret_why)
{
	if (ret_why)
		*ret_why = s->health_text;
	return s->health;
}

uint64_t store_statements(const struct store *s)
{
	return s->statements;
}

int store_schema(const struct store *s)
{
	return s->schema;
}

bool store_needs_check(const struct store *s)
{
	return s->was_unclean;
}

/* Writes are refused while the store is unhealthy, and once SQLite has undone a
 * transaction by itself: what follows would be committed piece by piece. */
static int check_writable(struct store *s, const char *name, struct berth_error *err)
{
	if (s->health)
		return refuse_while(s, name, err);
	if (s->depth && s->is_spoiled)
		return berth_fail_memory(err);
	if (s->depth && sqlite3_get_autocommit(s->db))
		return berth_fail(err, BERTH_E_CONFLICT,
				  "store: %s refused, its transaction was undone", name);
	return 0;
}

static struct store_kept *find_kept(struct store *s, const char *text)
{
	size_t at = ((uintptr_t)text >> 3) % STORE_STATEMENTS;

	for (size_t i = 0; i < STORE_STATEMENTS; i++, at = (at + 1) % STORE_STATEMENTS) {
		struct store_kept *k = &s->kept[at];

		if (!k->text || k->text == text)
			return k;
	}
	return NULL;
}

static int prepare(struct store *s, const struct store_sql *sql, struct store_rows *rows,
		   struct berth_error *err)
{
	int result = sqlite3_prepare_v3(s->db, sql->text, -1,
					rows->is_kept ? SQLITE_PREPARE_PERSISTENT : 0,
					&rows->statement, NULL);

	rows->store = s;
	rows->name = sql->name;
	return result == SQLITE_OK ? 0 : sqlite_fail(s, result, sql->name, err);
}

static int take_once(struct store *s, const struct store_sql *sql, struct store_rows **ret,
		     struct berth_error *err)
{
	struct store_rows *rows = calloc(1, sizeof(*rows));
	int rc;

	if (!rows)
		return berth_fail_memory(err);
	rc = prepare(s, sql, rows, err);
	if (rc)
		free(rows);
	else
		*ret = rows;
	return rc;
}

/* A statement ready to be bound: the kept one, or one of its own where that is
 * in use further up. */
static int take(struct store *s, const struct store_sql *sql, struct store_rows **ret,
		struct berth_error *err)
{
	struct store_kept *k = find_kept(s, sql->text);

	if (!k || k->is_busy)
		return take_once(s, sql, ret, err);
	if (!k->text) {
		int rc;

		k->rows.is_kept = true;
		rc = prepare(s, sql, &k->rows, err);
		if (rc)
			return rc;
		k->text = sql->text;
	}
	k->is_busy = true;
	*ret = &k->rows;
	return 0;
}

void rows_close(struct store_rows *r)
{
	if (!r)
		return;
	if (!r->is_kept) {
		sqlite3_finalize(r->statement);
		free(r);
		return;
	}
	sqlite3_reset(r->statement);
	sqlite3_clear_bindings(r->statement);
	((struct store_kept *)((char *)r - offsetof(struct store_kept, rows)))->is_busy = false;
}

void sqlite_forget(struct store *s)
{
	for (size_t i = 0; i < STORE_STATEMENTS; i++) {
		sqlite3_finalize(s->kept[i].rows.statement);
		memset(&s->kept[i], 0, sizeof(s->kept[i]));
	}
}

static int bind_one(sqlite3_stmt *statement, int at, const struct store_value *v,
		    void (*life)(void *))
{
	switch (v->type) {
	case STORE_NULL:
		return sqlite3_bind_null(statement, at);
	case STORE_TEXT:
		return sqlite3_bind_text(statement, at, v->bytes ? v->bytes : "", -1, life);
	case STORE_BLOB:
		return sqlite3_bind_blob64(statement, at, v->bytes ? v->bytes : "", v->byte_count,
					   life);
	case STORE_INT:
	case STORE_TIME:
	case STORE_BOOL:
		break;
	}
	return sqlite3_bind_int64(statement, at, v->number);
}

static int bind_all(struct store_rows *rows, const struct store_value *values, size_t value_count,
		    void (*life)(void *), struct berth_error *err)
{
	if ((size_t)sqlite3_bind_parameter_count(rows->statement) != value_count)
		return berth_fail(err, BERTH_E_INTERNAL, "store: %s wants %d values, got %zu",
				  rows->name, sqlite3_bind_parameter_count(rows->statement),
				  value_count);
	rows->store->statements++;
	for (size_t i = 0; i < value_count; i++) {
		int result = bind_one(rows->statement, (int)i + 1, &values[i], life);

		if (result != SQLITE_OK)
			return sqlite_fail(rows->store, result, rows->name, err);
	}
	return 0;
}

int store_run(struct store *s, const struct store_sql *sql, const struct store_value *values,
	      size_t value_count, int64_t *ret_changed, struct berth_error *err)
{
	AUTO(rows) struct store_rows *rows = NULL;
	int result, rc = check_writable(s, sql->name, err);

	if (!rc)
		rc = take(s, sql, &rows, err);
	if (!rc)
		rc = bind_all(rows, values, value_count, SQLITE_STATIC, err);
	if (rc)
		return rc;
	result = sqlite3_step(rows->statement);
	if (result != SQLITE_DONE && result != SQLITE_ROW)
		return sqlite_fail(s, result, sql->name, err);
	regain_patience(s);
	if (ret_changed)
		*ret_changed = sqlite3_changes(s->db);
	return 0;
}

int store_run_one(struct store *s, const struct store_sql *sql, const struct store_value *values,
		  size_t value_count, struct berth_error *err)
{
	int64_t changed = 0;
	int rc = store_run(s, sql, values, value_count, &changed, err);

	if (!rc && !changed)
		rc = berth_fail(err, BERTH_E_NOT_FOUND, "store: %s changed nothing", sql->name);
	return rc;
}

static int begin_query(struct store_rows *take_rows, const struct store_value *values,
		       size_t value_count, struct store_rows **ret, struct berth_error *err)
{
	int rc = bind_all(take_rows, values, value_count, SQLITE_TRANSIENT, err);

	if (rc)
		rows_close(take_rows);
	else
		*ret = take_rows;
	return rc;
}

int store_query(struct store *s, const struct store_sql *sql, const struct store_value *values,
		size_t value_count, struct store_rows **ret, struct berth_error *err)
{
	struct store_rows *rows = NULL;
	int rc = take(s, sql, &rows, err);

	return rc ? rc : begin_query(rows, values, value_count, ret, err);
}

int store_query_once(struct store *s, const struct store_sql *sql, const struct store_value *values,
		     size_t value_count, struct store_rows **ret, struct berth_error *err)
{
	struct store_rows *rows = NULL;
	int rc = take_once(s, sql, &rows, err);

	return rc ? rc : begin_query(rows, values, value_count, ret, err);
}

int rows_next(struct store_rows *r, bool *ret_row, struct berth_error *err)
{
	int result = sqlite3_step(r->statement);

	if (result != SQLITE_ROW && result != SQLITE_DONE)
		return sqlite_fail(r->store, result, r->name, err);
	*ret_row = result == SQLITE_ROW;
	return 0;
}

/* NULL is "", and so is what memory lacked for: that is a loss like one of JSON. */
static const void *or_empty(const struct store_rows *r, const void *bytes)
{
	if (!bytes && sqlite3_errcode(r->store->db) == SQLITE_NOMEM)
		js_lose();
	return bytes ? bytes : "";
}

const char *rows_text(struct store_rows *r, int column)
{
	return or_empty(r, sqlite3_column_text(r->statement, column));
}

int64_t rows_int(struct store_rows *r, int column)
{
	return sqlite3_column_int64(r->statement, column);
}

const void *rows_blob(struct store_rows *r, int column, size_t *ret_byte_count)
{
	const void *bytes = sqlite3_column_blob(r->statement, column);

	*ret_byte_count = (size_t)sqlite3_column_bytes(r->statement, column);
	return or_empty(r, bytes);
}

unsigned store_depth(const struct store *s)
{
	return s->depth;
}

int store_begin(struct store *s, struct berth_error *err)
{
	char level[32];
	int rc = check_writable(s, "begin", err);

	if (rc)
		return rc;
	if (!s->depth && !sqlite3_get_autocommit(s->db)) /* the last rollback failed */
		rc = sqlite_exec(s, "ROLLBACK", err);
	if (rc)
		return rc;
	s->is_spoiled = s->depth && s->is_spoiled;
	snprintf(level, sizeof(level), "SAVEPOINT level_%u", s->depth);
	rc = sqlite_exec(s, s->depth ? level : "BEGIN IMMEDIATE", err);
	if (rc)
		return rc;
	regain_patience(s);
	if (!s->depth++)
		s->losses = js_losses();
	return 0;
}

void store_rollback(struct store *s)
{
	if (!s->depth)
		return;
	s->depth--;
	if (!sqlite3_get_autocommit(s->db)) {
		struct berth_error err = ERROR_INIT;
		char levels[80];

		snprintf(levels, sizeof(levels), "ROLLBACK TO level_%u; RELEASE level_%u", s->depth,
			 s->depth);
		s->is_spoiled |= sqlite_exec(s, s->depth ? levels : "ROLLBACK", &err) != 0;
		if (err.code)
			log_error("cannot roll back: %s", err.cause);
	}
	for (size_t i = 0; i < s->hook_count; i++)
		s->hooks[i].rolled_back(s->hooks[i].user, s->depth);
}

int store_commit(struct store *s, struct berth_error *err)
{
	char level[32];
	int rc;

	if (!s->depth)
		return berth_fail(err, BERTH_E_INTERNAL, "store: commit without begin");
	snprintf(level, sizeof(level), "RELEASE level_%u", s->depth - 1);
	rc = check_writable(s, "commit", err);
	if (!rc && js_losses() != s->losses)
		rc = berth_fail_memory(err);
	if (!rc)
		rc = sqlite_exec(s, s->depth > 1 ? level : "COMMIT", err);
	if (rc) {
		store_rollback(s);
		return rc;
	}
	s->depth--;
	for (size_t i = 0; i < s->hook_count; i++)
		s->hooks[i].committed(s->hooks[i].user, s->depth);
	return 0;
}

int transaction_begin(struct transaction *t, struct store *s, struct berth_error *err)
{
	int rc = store_begin(s, err);

	if (!rc)
		t->store = s;
	return rc;
}

int transaction_commit(struct transaction *t, struct berth_error *err)
{
	struct store *s = t->store;

	t->store = NULL;
	return store_commit(s, err);
}

void transaction_end(struct transaction *t)
{
	if (t->store)
		store_rollback(t->store);
	t->store = NULL;
}

void store_add_hook(struct store *s, const struct store_hook *hook)
{
	if (s->hook_count == STORE_HOOKS) {
		log_error("no room for a store hook");
		return;
	}
	s->hooks[s->hook_count++] = *hook;
}

void store_remove_hook(struct store *s, const void *user)
{
	size_t kept = 0;

	for (size_t i = 0; i < s->hook_count; i++)
		if (s->hooks[i].user != user)
			s->hooks[kept++] = s->hooks[i];
	s->hook_count = kept;
}

void store_set_watch(struct store *s, const struct store_watch *watch)
{
	s->watch = *watch;
}

void store_tell_repository(const struct store *s, int64_t id)
{
	if (s->watch.repository)
		s->watch.repository(s->watch.user, id);
}

void store_tell_integration(const struct store *s, const char *id)
{
	if (s->watch.integration)
		s->watch.integration(s->watch.user, id);
}
