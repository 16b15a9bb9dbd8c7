/* SPDX-License-Identifier: Apache-2.0 */
/* The schema's history: numbered files, built in, each applied in one
 * transaction with its own row in schema_versions, so that a crash leaves the
 * old schema or the new one. A store from a newer program is left alone.
 */
#include "core/store/migrate.h"

#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/store/dialect.h"
#include "core/store/sqlite.h"

#define MIGRATION_MAX_BYTES ((size_t)256 * 1024)

const struct store_migration store_migrations[] = {
#include "store_schema.h"
	{0, NULL, NULL},
};

enum { SQL_LAST, SQL_ADD };
static const struct store_sql sql[] = {
	[SQL_LAST] = {"schema-last", "SELECT COALESCE(MAX(number), 0) FROM schema_versions"},
	[SQL_ADD] = {"schema-add",
		     "INSERT INTO schema_versions (number, name, applied_ms) VALUES (?, ?, ?)"},
};

static const char table[] = "CREATE TABLE IF NOT EXISTS schema_versions ("
			    "number BIGINT NOT NULL PRIMARY KEY, name TEXT NOT NULL, "
			    "applied_ms BIGINT NOT NULL)";

static int apply(struct store *s, const struct store_migration *m, struct berth_error *err)
{
	AUTO_BUF struct buf text = {.max = MIGRATION_MAX_BYTES};
	TRANSACTION t = {0};
	int rc = dialect_write(DIALECT_SQLITE, m->text, &text, err);

	if (!rc)
		rc = transaction_begin(&t, s, err);
	if (!rc)
		rc = sqlite_exec(s, buf_text(&text), err);
	if (!rc)
		rc = store_run(s, &sql[SQL_ADD],
			       VALUES(V_INT(m->number), V_TEXT(m->name), V_INT(clock_unix_ms())),
			       NULL, err);
	if (!rc)
		rc = transaction_commit(&t, err);
	if (rc)
		return berth_wrap(err, "cannot bring the store to schema %d (%s)", m->number,
				  m->name);
	log_debug("store: schema %d (%s)", m->number, m->name);
	s->schema = m->number;
	return 0;
}

int store_migrate(struct store *s, struct berth_error *err)
{
	int64_t last = 0;
	int newest = 0, rc = sqlite_exec(s, table, err);

	if (!rc)
		rc = store_number(s, &sql[SQL_LAST], NULL, 0, &last, err);
	if (rc)
		return rc;
	s->schema = (int)last;
	for (const struct store_migration *m = store_migrations; m->number; m++)
		newest = m->number;
	if (last > newest)
		return berth_fail(err, BERTH_E_UNSUPPORTED,
				  "the store %s has schema %d, this berthd knows up to %d: "
				  "install the newer berthd, or restore a backup (berthd(8))",
				  s->path, (int)last, newest);
	for (const struct store_migration *m = store_migrations; m->number && !rc; m++)
		if (m->number > last)
			rc = apply(s, m, err);
	return rc;
}
