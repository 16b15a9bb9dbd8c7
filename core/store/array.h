/* SPDX-License-Identifier: Apache-2.0 */
/* Pages of a list that lives in memory, an array of JSON objects, in the words
 * that pages of a table have: sort, cursor, limit. For what is small and not
 * stored, such as the catalog of plugins.
 */
#ifndef CORE_STORE_ARRAY_H
#define CORE_STORE_ARRAY_H

#include "core/store/list.h"

/* The member of item that the column's name means, as a value that borrows its text: a text,
 * or a number (times in ms, booleans 0 and 1). One that is not there is "" or 0. */
struct store_value array_value(const json_t *item, const struct store_column *column);

/* The page of items that page's sort, cursor and limit ask for. Of table, the name, the names
 * and types of its columns, the key and the default sort count; its key must be unique among
 * items. asked: all else that the page depends on, such as its filter; a cursor is good with
 * the same one only. *ret_items is a new array whose items are shared with items. The store's
 * key seals the cursor, nothing else of it is used. Errors as store_list's. */
MUST_USE int store_list_array(struct store *s, const struct store_table *table,
			      const struct store_page *page, const char *asked, const json_t *items,
			      json_t **ret_items, struct store_listing *ret,
			      struct berth_error *err);

#endif
