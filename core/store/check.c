/* SPDX-License-Identifier: Apache-2.0 */
/* The background check of the file. A thread, because quick_check reads every
 * page in one uninterruptible call and the loop must go on meanwhile; it has
 * its own connection and shares nothing but the atomic flag: text and code are
 * written before it is set and read after. store_check_stop joins it.
 */
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "core/base/log.h"
#include "core/store/sqlite.h"

struct check {
	pthread_t thread;
	sqlite3 *db;
	bool with_indexes;
	atomic_bool has_ended;
	int result;        /* of SQLite */
	char finding[256]; /* "ok" or the first */
};

static void *run(void *user)
{
	struct check *c = user;
	sqlite3_stmt *statement = NULL;

	c->result = sqlite3_prepare_v2(
		c->db, c->with_indexes ? "PRAGMA integrity_check(1)" : "PRAGMA quick_check(1)", -1,
		&statement, NULL);
	if (c->result == SQLITE_OK)
		c->result = sqlite3_step(statement);
	if (c->result == SQLITE_ROW) {
		const char *text = (const char *)sqlite3_column_text(statement, 0);

		snprintf(c->finding, sizeof(c->finding), "%s", text ? text : "no answer");
	} else {
		snprintf(c->finding, sizeof(c->finding), "%s", sqlite3_errstr(c->result));
	}
	sqlite3_finalize(statement);
	atomic_store(&c->has_ended, true);
	return NULL;
}

/* Signals belong to the loop's thread. */
static int start_thread(struct check *c)
{
	sigset_t all, before;
	int errnum;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	errnum = pthread_create(&c->thread, NULL, run, c);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return errnum;
}

int store_check_start(struct store *s, bool with_indexes, struct berth_error *err)
{
	struct check *c;
	int result, errnum;

	if (s->check)
		return 0;
	c = calloc(1, sizeof(*c));
	if (!c)
		return berth_fail_memory(err);
	c->with_indexes = with_indexes;
	atomic_init(&c->has_ended, false);
	result = sqlite3_open_v2(s->path, &c->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_FULLMUTEX,
				 NULL);
	errnum = result == SQLITE_OK ? start_thread(c) : 0;
	if (result != SQLITE_OK || errnum) {
		sqlite3_close(c->db);
		free(c);
		if (errnum)
			return berth_fail_errno(err, errnum, "cannot start the store's check");
		return berth_fail(err, BERTH_E_UNAVAILABLE, "cannot open the store for its check");
	}
	s->check = c;
	return 0;
}

void store_check_stop(struct store *s)
{
	struct check *c = s->check;

	if (!c)
		return;
	sqlite3_interrupt(c->db);
	pthread_join(c->thread, NULL);
	sqlite3_close(c->db);
	free(c);
	s->check = NULL;
}

/* Is the finding about the file? A lock, memory or descriptors that were not to be had
 * kept the check from looking, and say nothing of it. */
static bool has_looked(const struct check *c)
{
	return c->result == SQLITE_ROW || c->result == SQLITE_CORRUPT || c->result == SQLITE_NOTADB;
}

int store_check_end(struct store *s, bool *ret_ended, struct berth_error *err)
{
	struct check *c = s->check;
	int rc = 0;

	*ret_ended = !c || atomic_load(&c->has_ended);
	if (!c || !*ret_ended)
		return 0;
	if (!has_looked(c)) {
		berth_fail(err, BERTH_E_UNAVAILABLE, "the store %s can't be checked now", s->path);
		rc = berth_cause(err, "%s", c->finding);
		store_check_stop(s);
		return rc;
	}
	if (strcmp(c->finding, "ok") != 0) {
		rc = berth_fail(
			err, BERTH_E_PROTOCOL,
			"the store %s is damaged: stop berthd and restore a backup (berthd(8))",
			s->path);
		berth_cause(err, "%s", c->finding);
		store_lose_writes(s, BERTH_E_PROTOCOL, err->cause);
	}
	s->was_unclean = false; /* it is known now; damage is the health's to say */
	store_check_stop(s);
	return rc;
}
