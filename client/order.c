/* SPDX-License-Identifier: Apache-2.0 */
/* See order.h. */
#include "client/order.h"

#include <stdlib.h>
#include <string.h>

#include "client/show.h"

enum { KEY_MAX = 8 }; /* the API takes no more */

struct keys {
	size_t count;
	char names[KEY_MAX][64];
	bool is_down[KEY_MAX];
};
struct place {
	const struct keys *keys;
	json_t *item;
	size_t was;
};

static void parse_keys(const char *text, struct keys *to)
{
	while (*text && to->count < KEY_MAX) {
		size_t n = strcspn(text, ",");
		bool is_down = *text == '-';
		snprintf(to->names[to->count], sizeof(to->names[0]), "%.*s", (int)n - is_down,
			 text + is_down);
		to->is_down[to->count++] = is_down;
		text += n + (text[n] == ',');
	}
}

static int compare_values(const json_t *a, const json_t *b)
{
	bool has_a = a && !json_is_null(a), has_b = b && !json_is_null(b);
	if (!has_a || !has_b)
		return has_a - has_b;
	if (json_is_string(a) && json_is_string(b))
		return strcmp(json_string_value(a), json_string_value(b));
	if (json_is_boolean(a) && json_is_boolean(b))
		return json_is_true(a) - json_is_true(b);
	double x = json_number_value(a), y = json_number_value(b);
	return (x > y) - (x < y);
}

static int compare_places(const void *left, const void *right)
{
	const struct place *a = left, *b = right;
	const struct keys *keys = a->keys;
	for (size_t i = 0; i < keys->count; i++) {
		int order = compare_values(value_at(a->item, keys->names[i]),
					   value_at(b->item, keys->names[i]));
		if (order)
			return keys->is_down[i] ? -order : order;
	}
	return a->was < b->was ? -1 : a->was > b->was;
}

int order_items(json_t *items, const char *text, struct berth_error *err)
{
	struct keys keys = {.count = 0};
	size_t count = json_array_size(items);
	struct place *places = calloc(count + 1, sizeof(*places));
	int failed = 0;
	if (!places)
		return berth_fail_memory(err);
	parse_keys(text, &keys);
	for (size_t i = 0; i < count; i++)
		places[i] = (struct place){&keys, json_incref(json_array_get(items, i)), i};
	qsort(places, count, sizeof(*places), compare_places);
	for (size_t i = 0; i < count; i++)
		failed |= json_array_set_new(items, i, places[i].item);
	free(places);
	return failed ? berth_fail_memory(err) : 0;
}

void order_cut(json_t *items, uint64_t limit)
{
	while (limit && json_array_size(items) > limit)
		json_array_remove(items, json_array_size(items) - 1);
}
