/* SPDX-License-Identifier: Apache-2.0 */
/* Lists, counts and single rows, made from a table's description: the SQL text
 * is put together here, its values are all bound.
 */
#include "core/store/list.h"

#include <string.h>

#include "core/store/cursor.h"

#define LIST_MAX_BYTES ((size_t)64 * 1024) /* of one text */
#define LIST_VALUES 256
#define LIST_LIMIT_MAX 1000
#define LIST_LIMIT 100

/* One query in the making, and whom its rows go to. */
struct query {
	struct store *store;
	const struct store_table *table;
	const struct store_page *page;
	store_each *each;
	void *user;
	struct buf text;
	struct store_value values[LIST_VALUES];
	size_t value_count;
	struct order order;
	uint32_t limit; /* 0: tail says it */
};

static int add_values(struct query *q, const struct store_value *values, size_t count,
		      struct berth_error *err)
{
	if (q->value_count + count > LIST_VALUES)
		return berth_fail(err, BERTH_E_LIMIT, "store: a list with more than %d values",
				  LIST_VALUES);
	if (count)
		memcpy(q->values + q->value_count, values, count * sizeof(*values));
	q->value_count += count;
	return 0;
}

/* joined: has a condition been written before? */
static int add_condition(struct query *q, const char *condition, bool *joined,
			 struct berth_error *err)
{
	int rc = condition ? buf_printf(&q->text, err, " %s (%s)", *joined ? "AND" : "WHERE",
					condition)
			   : 0;

	*joined |= condition != NULL;
	return rc;
}

static int add_conditions(struct query *q, bool *joined, struct berth_error *err)
{
	const struct store_page *page = q->page;
	int rc = add_condition(q, page->within, joined, err);

	if (!rc)
		rc = add_values(q, page->within_values, page->within_count, err);
	if (!rc)
		rc = add_condition(q, page->where, joined, err);
	return rc ? rc : add_values(q, page->values, page->value_count, err);
}

/* The order, and where the page before ended. */
static int add_order(struct query *q, bool *joined, struct berth_error *err)
{
	AUTO_BUF struct buf after = {.max = LIST_MAX_BYTES};
	int rc = order_parse(q->table, q->page->sort, &q->order, err);

	if (!rc && q->page->cursor) {
		rc = cursor_open(q->store, q->table, q->page, &q->order, &after, err);
		if (!rc)
			rc = add_condition(q, buf_text(&after), joined, err);
		if (!rc)
			rc = add_values(q, q->order.values, q->order.value_count, err);
	}
	if (!rc)
		rc = order_write(&q->order, &q->text, err);
	if (!rc)
		rc = buf_printf(&q->text, err, " LIMIT %u", q->limit + 1);
	return rc;
}

static int make_query(struct query *q, struct berth_error *err)
{
	const struct store_page *page = q->page;
	bool joined = false;
	int rc;

	if (page->limit > LIST_LIMIT_MAX)
		return berth_fail(err, BERTH_E_INVALID, "limit is at most %d", LIST_LIMIT_MAX);
	q->text.max = LIST_MAX_BYTES;
	rc = buf_add_text(&q->text, q->table->select, err);
	if (!rc)
		rc = add_conditions(q, &joined, err);
	if (rc)
		return rc;
	if (page->tail)
		return buf_printf(&q->text, err, " %s", page->tail);
	q->limit = page->limit ? page->limit : LIST_LIMIT;
	return add_order(q, &joined, err);
}

static void scope_query(struct query *q)
{
	buf_done(&q->text);
	order_done(&q->order);
}
#define QUERY CLEANUP(scope_query) struct query

static int run_query(struct query *q, struct store_rows **ret, struct berth_error *err)
{
	struct store_sql sql = {q->table->name, buf_text(&q->text)};

	return store_query_once(q->store, &sql, q->values, q->value_count, ret, err);
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

/* Hands on one row; the last of the page also makes the cursor, should one more
 * follow. */
static int give_row(struct query *q, const void *row, uint32_t count, char **ret_cursor,
		    struct berth_error *err)
{
	if (q->limit && count == q->limit) {
		int rc = cursor_make(q->store, q->table, q->page, &q->order, row, ret_cursor, err);

		if (rc)
			return rc;
	}
	return q->each(q->user, row, err);
}

/* ret_cursor stays NULL unless a row follows the page. */
static int give_rows(struct query *q, char **ret_cursor, struct berth_error *err)
{
	AUTO(rows) struct store_rows *rows = NULL;
	AUTO_FREE void *row = calloc(1, q->table->row_bytes);
	AUTO_FREE char *cursor = NULL;
	uint32_t count = 0;
	int rc = row ? run_query(q, &rows, err) : berth_fail_memory(err);

	while (!rc) {
		bool has_row = false;

		rc = rows_next(rows, &has_row, err);
		if (rc || !has_row)
			return rc;
		if (q->limit && ++count > q->limit) {
			*ret_cursor = STEAL(cursor);
			return 0;
		}
		rc = read_row(rows, q->table, row, err);
		if (!rc)
			rc = give_row(q, row, count, &cursor, err);
		store_row_done(q->table, row);
	}
	return rc;
}

int store_list(struct store *s, const struct store_table *table, const struct store_page *page,
	       store_each *each, void *user, struct store_listing *ret, struct berth_error *err)
{
	QUERY q = {.store = s, .table = table, .page = page};
	AUTO_FREE char *next = NULL;
	int64_t total = -1;
	int rc;

	q.each = each;
	q.user = user;
	rc = make_query(&q, err);

	if (!rc && page->want_total)
		rc = store_count(s, table, page, &total, err);
	if (!rc)
		rc = give_rows(&q, &next, err);
	if (!rc && ret) {
		ret->next = STEAL(next);
		ret->total = total;
	}
	return rc;
}

int store_count(struct store *s, const struct store_table *table, const struct store_page *page,
		int64_t *ret_count, struct berth_error *err)
{
	QUERY q = {.store = s, .table = table, .page = page};
	AUTO(rows) struct store_rows *rows = NULL;
	bool has_row = false, joined = false;
	int rc;

	q.text.max = LIST_MAX_BYTES;
	rc = buf_printf(&q.text, err, "SELECT COUNT(*)%s", strstr(table->select, " FROM "));
	if (!rc)
		rc = add_conditions(&q, &joined, err);
	if (!rc)
		rc = run_query(&q, &rows, err);
	if (!rc)
		rc = rows_next(rows, &has_row, err);
	if (!rc)
		*ret_count = has_row ? rows_int(rows, 0) : 0;
	return rc;
}

int store_get(struct store *s, const struct store_table *table, const struct store_page *page,
	      const char *name, void *ret_row, struct berth_error *err)
{
	QUERY q = {.store = s, .table = table, .page = page};
	AUTO(rows) struct store_rows *rows = NULL;
	bool has_row = false;
	int rc;

	memset(ret_row, 0, table->row_bytes);
	rc = make_query(&q, err);
	if (!rc)
		rc = run_query(&q, &rows, err);
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
