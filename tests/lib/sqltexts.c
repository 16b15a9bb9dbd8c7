/* SPDX-License-Identifier: Apache-2.0 */
/* Prints the store's schema and every named SQL text as PostgreSQL reads them,
 * each text as PREPARE: a server that takes the script agrees with all of it.
 */
#include <stdio.h>

#include "core/base/buf.h"
#include "core/store/dialect.h"
#include "core/store/migrate.h"
#include "core/store/texts.h"

static int print(const char *before, const char *sql)
{
	AUTO_BUF struct buf text = {.max = (size_t)1024 * 1024};
	struct berth_error err = ERROR_INIT;

	if (dialect_write(DIALECT_POSTGRES, sql, &text, &err)) {
		fprintf(stderr, "%s\n", err.message);
		return 1;
	}
	printf("%s%s;\n", before, buf_text(&text));
	return 0;
}

static int print_text(const struct store_sql *sql)
{
	char before[128];

	snprintf(before, sizeof(before), "PREPARE \"%s\" AS ", sql->name);
	return print(before, sql->text);
}

static int print_list(const struct store_table *table)
{
	char sql[4096], before[128];

	snprintf(before, sizeof(before), "PREPARE \"list %s\" AS ", table->name);
	snprintf(sql, sizeof(sql),
		 "%s WHERE (%s >= ? AND ((%s > ?) OR (%s = ? AND 1 = 0))) "
		 "ORDER BY %s DESC LIMIT 101",
		 table->select, table->key, table->key, table->key, table->key);
	return print(before, sql);
}

int main(void)
{
	int rc = 0;

	puts("BEGIN;\nCREATE TABLE schema_versions (number BIGINT NOT NULL PRIMARY KEY, "
	     "name TEXT NOT NULL, applied_ms BIGINT NOT NULL);");
	for (const struct store_migration *m = store_migrations; m->number; m++)
		rc |= print("", m->text);
	puts("COMMIT;");
	for (size_t i = 0; store_all_texts[i]; i++)
		for (size_t k = 0; k < store_all_texts[i]->text_count; k++)
			rc |= print_text(&store_all_texts[i]->texts[k]);
	for (size_t i = 0; store_all_tables[i]; i++)
		rc |= print_list(store_all_tables[i]);
	return rc;
}
