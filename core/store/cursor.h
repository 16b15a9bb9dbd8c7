/* SPDX-License-Identifier: Apache-2.0 */
/* The order of a list, and cursors: where a page ended, as the values of its
 * last row, with a keyed hash over them and over what was asked, so that a
 * cursor can't be forged or carried to another list. Used by list.c alone.
 */
#ifndef CORE_STORE_CURSOR_H
#define CORE_STORE_CURSOR_H

#include "core/base/buf.h"
#include "core/store/list.h"

#define ORDER_MAX 5 /* four fields and the key */

struct order {
	const struct store_column *columns[ORDER_MAX];
	bool descending[ORDER_MAX];
	size_t column_count;
	/* Of the cursor: for each ? of its condition. */
	struct store_value values[ORDER_MAX * (ORDER_MAX + 1) / 2 + 1];
	size_t value_count;
	json_t *parsed; /* what the texts of values belong to */
};
void order_done(struct order *o);

/* sort NULL: the table's default. The key is put last. */
MUST_USE int order_parse(const struct store_table *table, const char *sort, struct order *ret,
			 struct berth_error *err);
/* Appends " ORDER BY ...". */
MUST_USE int order_write(const struct order *o, struct buf *to, struct berth_error *err);

/* The key of this store's cursors, made with it. */
const char *store_cursor_key(const struct store *s);

MUST_USE int cursor_make(struct store *s, const struct store_table *table,
			 const struct store_page *page, const struct order *o, const void *row,
			 char **ret, struct berth_error *err);
/* Checks page->cursor; the condition "after that row" goes to condition, its
 * values to o. */
MUST_USE int cursor_open(struct store *s, const struct store_table *table,
			 const struct store_page *page, struct order *o, struct buf *condition,
			 struct berth_error *err);

#endif
