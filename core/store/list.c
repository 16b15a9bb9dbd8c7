/* SPDX-License-Identifier: Apache-2.0 */
/* Lists, counts and single rows, made from a table's description: the SQL text
 * is put together here, its values are all bound.
 */
#include "core/store/list.h"

#include <string.h>

#include "core/base/buf.h"

#define LIST_MAX_BYTES ((size_t)64 * 1024) /* of one text */
#define LIST_VALUES 256

static int add_conditions(struct buf *text, const struct store_page *page, struct berth_error *err)
{
	const char *first = page->within ? page->within : page->where;
	const char *second = page->within ? page->where : NULL;

	if (!first)
		return 0;
	if (!second)
		return buf_printf(text, err, " WHERE (%s)", first);
	return buf_printf(text, err, " WHERE (%s) AND (%s)", first, second);
}

static int run_page(struct store *s, const struct store_sql *sql, const struct store_page *page,
		    struct store_rows **ret, struct berth_error *err)
{
	struct store_value values[LIST_VALUES];
	size_t count = page->within_count + page->value_count;

	if (count > LIST_VALUES)
		return berth_fail(err, BERTH_E_LIMIT, "store: more than %d values in %s",
				  LIST_VALUES, sql->name);
	if (page->within_count)
		memcpy(values, page->within_values, page->within_count * sizeof(*values));
	if (page->value_count)
		memcpy(values + page->within_count, page->values,
		       page->value_count * sizeof(*values));
	return store_query_once(s, sql, values, count, ret, err);
}

static int read_row(struct store_rows *rows, const struct store_table *table, void *row,
		    struct berth_error *err)
{
	memset(row, 0, table->row_bytes);
	for (size_t i = 0; i < table->column_count; i++) {
		const struct store_column *c = &table->columns[i];
		void *to = (char *)row + c->offset;

		if (c->type == STORE_TEXT) {
			*(char **)to = strdup(rows_text(rows, (int)i));
			if (!*(char **)to)
				return berth_fail_memory(err);
		} else {
			*(int64_t *)to = rows_int(rows, (int)i);
		}
	}
	return 0;
}

void store_row_done(const struct store_table *table, void *row)
{
	for (size_t i = 0; i < table->column_count; i++)
		if (table->columns[i].type == STORE_TEXT)
			free(*(char **)((char *)row + table->columns[i].offset));
	memset(row, 0, table->row_bytes);
}

static int open_list(struct store *s, const struct store_table *table,
		     const struct store_page *page, struct store_rows **ret,
		     struct berth_error *err)
{
	AUTO_BUF struct buf text = {.max = LIST_MAX_BYTES};
	struct store_sql sql = {table->name, NULL};
	int rc = buf_add_text(&text, table->select, err);

	if (!rc)
		rc = add_conditions(&text, page, err);
	if (!rc && page->tail)
		rc = buf_printf(&text, err, " %s", page->tail);
	else if (!rc)
		rc = buf_printf(&text, err, " ORDER BY %s", table->key);
	sql.text = buf_text(&text);
	return rc ? rc : run_page(s, &sql, page, ret, err);
}

int store_list(struct store *s, const struct store_table *table, const struct store_page *page,
	       store_each *each, void *user, struct berth_error *err)
{
	AUTO(rows) struct store_rows *rows = NULL;
	AUTO_FREE void *row = calloc(1, table->row_bytes);
	int rc = row ? open_list(s, table, page, &rows, err) : berth_fail_memory(err);

	while (!rc) {
		bool has_row = false;

		rc = rows_next(rows, &has_row, err);
		if (rc || !has_row)
			break;
		rc = read_row(rows, table, row, err);
		if (!rc)
			rc = each(user, row, err);
		store_row_done(table, row);
	}
	return rc;
}

int store_count(struct store *s, const struct store_table *table, const struct store_page *page,
		int64_t *ret_count, struct berth_error *err)
{
	AUTO_BUF struct buf text = {.max = LIST_MAX_BYTES};
	AUTO(rows) struct store_rows *rows = NULL;
	struct store_sql sql = {table->name, NULL};
	bool has_row = false;
	int rc = buf_printf(&text, err, "SELECT COUNT(*)%s", strstr(table->select, " FROM "));

	if (!rc)
		rc = add_conditions(&text, page, err);
	sql.text = buf_text(&text);
	if (!rc)
		rc = run_page(s, &sql, page, &rows, err);
	if (!rc)
		rc = rows_next(rows, &has_row, err);
	if (!rc)
		*ret_count = has_row ? rows_int(rows, 0) : 0;
	return rc;
}

int store_get(struct store *s, const struct store_table *table, const struct store_page *page,
	      const char *name, void *ret_row, struct berth_error *err)
{
	AUTO(rows) struct store_rows *rows = NULL;
	bool has_row = false;
	int rc;

	memset(ret_row, 0, table->row_bytes);
	rc = open_list(s, table, page, &rows, err);
	if (!rc)
		rc = rows_next(rows, &has_row, err);
	if (!rc && !has_row)
		rc = berth_fail(err, BERTH_E_NOT_FOUND, "no %s '%s'", table->name, name);
	if (!rc)
		rc = read_row(rows, table, ret_row, err);
	if (rc)
		store_row_done(table, ret_row);
	return rc;
}
