/* SPDX-License-Identifier: Apache-2.0 */
/* Rows as C structs, and pages of them. A row module describes its columns
 * once; reading, listing with keyset cursors, sort and a compiled filter,
 * counting and freeing follow from that description.
 */
#ifndef CORE_STORE_LIST_H
#define CORE_STORE_LIST_H

#include <jansson.h>

#include "core/store/store.h"

/* One column of a row: where it goes in the struct. TEXT: char *, owned by the
 * row, never NULL. INT, TIME and BOOL: int64_t. name is the API's field name
 * and serves filter= and sort=; NULL: neither. */
struct store_column {
	const char *name;   /* "created_at" */
	const char *column; /* "created_ms", "s.name": an SQL expression, never NULL */
	enum store_type type;
	size_t offset;
};
#define STORE_COLUMN(row, name, sql, kind, member)                                                 \
	{                                                                                          \
		name, sql, STORE_##kind, offsetof(struct row, member)                              \
	}

/* A collection. select is "SELECT ... FROM ..." with the columns in order. */
struct store_table {
	const char *name;
	const char *select;
	const struct store_column *columns;
	size_t column_count;
	size_t row_bytes;         /* sizeof of the struct */
	const char *key;          /* the unique column, SQL name: it ends every order */
	const char *default_sort; /* field names: "name", "-created_at" */
};

/* What is wanted of a collection. Zeroed members: the first page by default_sort. */
struct store_page {
	/* A condition of the route: "space_id = ?" with its values. */
	const char *within;
	const struct store_value *within_values;
	size_t within_count;
	/* A second one: what filter= compiled to, with its values. */
	const char *where;
	const struct store_value *values;
	size_t value_count;
	const char *sort;   /* "-created_at,name" */
	const char *cursor; /* what an earlier page gave as next */
	uint32_t limit;     /* 1 to 1000; 0: 100 */
	bool want_total;
	/* In place of sort, cursor and limit, from inside: "ORDER BY number". */
	const char *tail;
};
#define PAGE_OF(condition, v, n)                                                                   \
	(&(struct store_page){.within = (condition), .within_values = (v), .within_count = (n)})

struct store_listing {
	char *next;    /* NULL: this was the last page; free() */
	int64_t total; /* -1: not asked for */
};

/* Calls each(user, row) for the page's rows; row is the table's struct,
 * borrowed. A nonzero answer of each stops and is returned. ret may be NULL.
 * BERTH_E_INVALID: a sort field that does not exist (the message lists them), a
 * cursor that was forged or belongs to another filter or sort. */
typedef int store_each(void *user, const void *row, struct berth_error *err);
MUST_USE int store_list(struct store *s, const struct store_table *table,
			const struct store_page *page, store_each *each, void *user,
			struct store_listing *ret, struct berth_error *err);
/* How many rows fit within and where. */
MUST_USE int store_count(struct store *s, const struct store_table *table,
			 const struct store_page *page, int64_t *ret_count,
			 struct berth_error *err);
/* The column that a field name of the API means; NULL: none. */
const struct store_column *store_field(const struct store_table *table, const char *name);
/* BERTH_E_INVALID: what ("sort", "filter") names a field that the table has not; those that
 * it has are the cause. */
int store_no_field(const struct store_table *table, const char *what, const char *name,
		   struct berth_error *err);

/* Cursors of a list that is no query: ends is what its page ended with, what is
 * all that was asked; *ret as store_list gives it, free(). Opening gives ends
 * back; BERTH_E_INVALID: forged, or made for something else. */
MUST_USE int store_cursor_seal(struct store *s, const char *what, const json_t *ends, char **ret,
			       struct berth_error *err);
MUST_USE int store_cursor_open(struct store *s, const char *what, const char *cursor, json_t **ret,
			       struct berth_error *err);

/* Reads the one row within; ret_row is zeroed first. BERTH_E_NOT_FOUND with the
 * message "no TABLE NAME". Afterwards store_row_done. */
MUST_USE int store_get(struct store *s, const struct store_table *table,
		       const struct store_page *page, const char *name, void *ret_row,
		       struct berth_error *err);
/* Frees the texts of a row and zeroes it; accepts a zeroed one. */
void store_row_done(const struct store_table *table, void *row);

#endif
