/* SPDX-License-Identifier: Apache-2.0 */
/* Sorting and paging of arrays of JSON objects. A cursor holds the members by
 * which the last item of its page was sorted: the next page begins after them,
 * whatever has come or gone meanwhile.
 */
#include "core/store/array.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/clock.h"
#include "core/base/js.h"
#include "core/base/scope.h"
#include "core/base/text.h"
#include "core/store/cursor.h"

#define LIMIT_DEFAULT 100

struct store_value array_value(const json_t *item, const struct store_column *column)
{
	const json_t *member = json_object_get(item, column->name);
	int64_t unix_ms = 0;

	switch (column->type) {
	case STORE_TEXT:
		return (struct store_value)V_TEXT(json_is_string(member) ? json_string_value(member)
									 : "");
	case STORE_TIME:
		return (struct store_value)V_INT(
			json_is_string(member) && clock_parse(json_string_value(member), &unix_ms)
				? unix_ms
				: 0);
	default:
		return (struct store_value)V_INT(json_is_true(member) ? 1
								      : json_integer_value(member));
	}
}

static int compare(const json_t *a, const json_t *b, const struct order *o)
{
	for (size_t i = 0; i < o->column_count; i++) {
		struct store_value x = array_value(a, o->columns[i]);
		struct store_value y = array_value(b, o->columns[i]);
		int r = x.type == STORE_TEXT ? strcmp(x.bytes, y.bytes)
					     : (x.number > y.number) - (x.number < y.number);

		if (r)
			return o->descending[i] ? -r : r;
	}
	return 0;
}

struct place {
	const json_t *item; /* borrowed */
};

static int compare_places(const void *a, const void *b, void *order)
{
	const struct place *x = a, *y = b;

	return compare(x->item, y->item, order);
}

/* Cursors of this list, as it was asked for. */
static char *what_of(const struct store_table *table, const struct store_page *page,
		     const char *asked)
{
	return text_printf("array\n%s\n%s\n%s", table->name,
			   page->sort ? page->sort : table->default_sort, asked);
}

/* What of an item a cursor needs. NULL: no memory. */
static json_t *ends_of(const json_t *item, const struct order *o)
{
	json_t *ends AUTO_JSON = json_object();

	for (size_t i = 0; ends && i < o->column_count; i++) {
		const char *name = o->columns[i]->name;
		json_t *member = json_object_get(item, name);

		if (member && json_object_set(ends, name, member))
			return NULL;
	}
	return STEAL(ends);
}

/* The first place after the cursor's. */
static int find_begin(struct store *s, const char *what, const char *cursor, const struct order *o,
		      const struct place *places, size_t count, size_t *ret,
		      struct berth_error *err)
{
	json_t *ends AUTO_JSON = NULL;

	*ret = 0;
	if (!cursor)
		return 0;
	if (store_cursor_open(s, what, cursor, &ends, err))
		return err->code;
	while (*ret < count && compare(places[*ret].item, ends, o) <= 0)
		++*ret;
	return 0;
}

int store_list_array(struct store *s, const struct store_table *table,
		     const struct store_page *page, const char *asked, const json_t *items,
		     json_t **ret_items, struct store_listing *ret, struct berth_error *err)
{
	struct order o CLEANUP(order_done) = {.column_count = 0};
	char *what AUTO_FREE = what_of(table, page, asked);
	size_t count = json_array_size(items), i;
	struct place *places AUTO_FREE = calloc(count + 1, sizeof(*places));
	json_t *to AUTO_JSON = json_array(), *item;

	*ret = (struct store_listing){.total = (int64_t)count};
	if (!what || !places || !to)
		return berth_fail_memory(err);
	if (order_parse(table, page->sort, &o, err))
		return err->code;
	json_array_foreach (items, i, item)
		places[i].item = item;
	qsort_r(places, count, sizeof(*places), compare_places, &o);
	if (find_begin(s, what, page->cursor, &o, places, count, &i, err))
		return err->code;
	size_t end = i + (page->limit ? page->limit : LIMIT_DEFAULT);
	for (; i < count && i < end; i++)
		if (json_array_append(to, (json_t *)(uintptr_t)places[i].item))
			return berth_fail_memory(err);
	if (i < count) {
		json_t *ends AUTO_JSON = ends_of(places[i - 1].item, &o);

		if (!ends)
			return berth_fail_memory(err);
		if (store_cursor_seal(s, what, ends, &ret->next, err))
			return err->code;
	}
	*ret_items = STEAL(to);
	return 0;
}
