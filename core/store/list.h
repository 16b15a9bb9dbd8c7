/* SPDX-License-Identifier: Apache-2.0 */
/* Rows as C structs, and pages of them. A row module describes its columns
 * once; reading, listing, counting and freeing follow from that description.
 * Conditions, order and cursors of a request come from core/http/list.h.
 */
#ifndef CORE_STORE_LIST_H
#define CORE_STORE_LIST_H

#include "core/store/store.h"

/* One column of a row: where it goes in the struct. TEXT: char *, owned by the
 * row, never NULL. INT, TIME and BOOL: int64_t. */
struct store_column {
	const char *column; /* "created_ms", "s.name": for conditions and order */
	enum store_type type;
	size_t offset;
};

/* A collection. select is "SELECT ... FROM ..." with the columns in order. */
struct store_table {
	const char *name;
	const char *select;
	const struct store_column *columns;
	size_t column_count;
	size_t row_bytes; /* sizeof of the struct */
	const char *key;  /* the unique column, SQL name: the order by default */
};
#define STORE_COLUMN(row, sql, kind, member)                                                       \
	{                                                                                          \
		sql, STORE_##kind, offsetof(struct row, member)                                    \
	}

/* What is wanted of a collection. Zeroed members: all of it, by its key. */
struct store_page {
	/* A condition of the route: "space_id = ?" with its values. */
	const char *within;
	const struct store_value *within_values;
	size_t within_count;
	/* A second one: what filter= and cursor= compiled to, with its values. */
	const char *where;
	const struct store_value *values;
	size_t value_count;
	const char *tail; /* "ORDER BY name LIMIT 101" */
};
#define PAGE_OF(condition, v, n)                                                                   \
	(&(struct store_page){.within = (condition), .within_values = (v), .within_count = (n)})

/* Calls each(user, row) for the page's rows; row is the table's struct,
 * borrowed. A nonzero answer of each stops and is returned. */
typedef int store_each(void *user, const void *row, struct berth_error *err);
MUST_USE int store_list(struct store *s, const struct store_table *table,
			const struct store_page *page, store_each *each, void *user,
			struct berth_error *err);
/* How many rows fit within and where; the tail is ignored. */
MUST_USE int store_count(struct store *s, const struct store_table *table,
			 const struct store_page *page, int64_t *ret_count,
			 struct berth_error *err);

/* Reads the one row within; ret_row is zeroed first. BERTH_E_NOT_FOUND with the
 * message "no TABLE NAME". Afterwards store_row_done. */
MUST_USE int store_get(struct store *s, const struct store_table *table,
		       const struct store_page *page, const char *name, void *ret_row,
		       struct berth_error *err);
/* Frees the texts of a row and zeroes it; accepts a zeroed one. */
void store_row_done(const struct store_table *table, void *row);

#endif
