/* SPDX-License-Identifier: Apache-2.0 */
/* The one place that knows how SQLite and PostgreSQL differ. Runs in berthd,
 * and in the tool that shows the SQL to a real PostgreSQL in the tests.
 */
#include "core/store/dialect.h"

#include <stdbool.h>
#include <string.h>

#define BLOB_WORD "BERTH_BLOB"
#define BLOB_LENGTH (sizeof(BLOB_WORD) - 1)

static const char *const blob_types[] = {
	[DIALECT_SQLITE] = "BLOB",
	[DIALECT_POSTGRES] = "BYTEA",
};

int dialect_write(enum dialect dialect, const char *sql, struct buf *to, struct berth_error *err)
{
	unsigned parameter = 0;
	bool in_string = false;
	int rc = 0;

	while (*sql && !rc) {
		if (*sql == '\'')
			in_string = !in_string;
		if (!in_string && !strncmp(sql, BLOB_WORD, BLOB_LENGTH)) {
			rc = buf_add_text(to, blob_types[dialect], err);
			sql += BLOB_LENGTH;
		} else if (!in_string && *sql == '?' && dialect == DIALECT_POSTGRES) {
			rc = buf_printf(to, err, "$%u", ++parameter);
			sql++;
		} else {
			rc = buf_add(to, sql++, 1, err);
		}
	}
	return rc;
}
