/* SPDX-License-Identifier: Apache-2.0 */
/* Collections: from the query to store_list's page, and from its rows to the
 * answer, with recursion, fields, next and Link.
 */
#include "core/http/list.h"

#include <string.h>

#include "core/base/js.h"
#include "core/base/text.h"
#include "core/http/internal.h"
#include "core/store/array.h"

#define WHERE_BYTES_MAX (16u << 10)
#define LIMIT_DEFAULT 100

static bool compile_filter(struct list *l, const struct request *q, struct answer *a)
{
	const char *text = request_query(q, "filter");
	struct berth_error err = ERROR_INIT;

	if (!text)
		return true;
	if (!filter_parse(text, &l->filter, &err) &&
	    !filter_compile(l->filter, l->table, &l->where, &l->values, &err)) {
		l->page.where = buf_text(&l->where);
		l->page.values = l->values.items;
		l->page.value_count = l->values.count;
		return true;
	}
	if (err.code == BERTH_E_NO_MEMORY) {
		answer_error(a, &err);
		return false;
	}
	answer_problem(a, 0, "filter-invalid", &err, NULL);
	answer_fault(a, "?filter", "bad-filter", "%s", err.message);
	return false;
}

bool list_begin(struct list *l, const struct request *q, struct answer *a,
		const struct store_table *table)
{
	*l = (struct list){.table = table, .items = json_array()};
	buf_init(&l->where, WHERE_BYTES_MAX);
	l->page.limit = (uint32_t)request_query_int(q, "limit", LIMIT_DEFAULT);
	l->page.sort = request_query(q, "sort");
	l->page.cursor = request_query(q, "cursor");
	if (l->items && compile_filter(l, q, a))
		return true;
	if (!l->items)
		answer_problem(a, 0, "no-memory", NULL, NULL);
	list_done(l);
	return false;
}

void list_done(struct list *l)
{
	json_decref(l->items);
	l->items = NULL;
	buf_done(&l->where);
	filter_free(l->filter);
	l->filter = NULL;
}

struct making {
	struct list *list;
	list_make *make;
	void *user;
};

static int add_row(void *user, const void *row, struct berth_error *err)
{
	struct making *m = user;
	json_t *item = NULL;
	int code = m->make(m->user, row, &item, err);
	if (!code && item && json_array_append_new(m->list->items, item))
		return berth_fail_memory(err);
	return code;
}

/* Answers l->items, or why there are none; ends the listing. */
static void answer_page(struct list *l, const struct request *q, struct answer *a,
			const struct store_listing *listing, int code,
			const struct berth_error *err)
{
	if (code == BERTH_E_INVALID) {
		const char *where = strncmp(err->message, "sort", 4) ? "?cursor" : "?sort";
		answer_problem(a, 0, "parameter-invalid", err, NULL);
		answer_fault(a, where, "bad-value", "%s", err->message);
	} else if (code) {
		answer_error(a, err);
	} else {
		answer_list(a, q, STEAL(l->items), listing->next, listing->total, l->more);
	}
	free(listing->next);
}

void list_end(struct list *l, const struct request *q, struct answer *a, struct store *store,
	      list_make *make, void *user)
{
	struct making m = {.list = l, .make = make, .user = user};
	struct store_listing listing = {.total = -1};
	struct berth_error err = ERROR_INIT;

	int code = store_list(store, l->table, &l->page, add_row, &m, &listing, &err);
	answer_page(l, q, a, &listing, code, &err);
}

/* The items that the filter lets through, in place of l->items. */
static int filter_items(struct list *l, const json_t *items, struct berth_error *err)
{
	json_t *item;
	size_t i;

	json_array_foreach (items, i, item)
		if ((!l->filter || filter_fits(l->filter, l->table, item)) &&
		    json_array_append(l->items, item))
			return berth_fail_memory(err);
	return 0;
}

void list_end_array(struct list *l, const struct request *q, struct answer *a, struct store *store,
		    const json_t *items)
{
	const char *filter = request_query(q, "filter");
	struct store_listing listing = {.total = -1};
	struct berth_error err = ERROR_INIT;
	json_t *page AUTO_JSON = NULL;

	int code = filter_items(l, items, &err);
	if (!code)
		code = store_list_array(store, l->table, &l->page, filter ? filter : "", l->items,
					&page, &listing, &err);
	if (!code) {
		json_decref(l->items);
		l->items = STEAL(page);
	}
	answer_page(l, q, a, &listing, code, &err);
}

static const char *value_of_path(const struct request *q, const json_t *item, const char *key)
{
	const char *value = js_str(item, key, NULL);

	if (!value)
		value = request_param(q, key);
	return value ? value : "";
}

/* The path of an item: {name} of the template by the item's member, or the request's own. */
static json_t *item_path(const struct request *q, const char *template, const json_t *item)
{
	struct berth_error err = ERROR_INIT;
	AUTO_BUF struct buf b;
	int r = 0;

	buf_init(&b, 4096);
	while (!r && *template) {
		size_t n = strcspn(template, "{");
		r = buf_add(&b, template, n, &err);
		template += n;
		if (*template) {
			char key[64];
			n = strcspn(template, "}");
			snprintf(key, sizeof key, "%.*s", (int)n - 1, template + 1);
			AUTO_FREE char *value = text_url_encode(value_of_path(q, item, key));
			r = r ? r : buf_add_text(&b, value ? value : "", &err);
			template += n + 1;
		}
	}
	return r ? NULL : json_string(buf_text(&b));
}

static json_t *project(const json_t *item, const char *fields)
{
	json_t *to = json_object();
	while (*fields) {
		char key[72];
		size_t n = strcspn(fields, ",");
		snprintf(key, sizeof key, "%.*s", n < sizeof key ? (int)n : 0, fields);
		json_t *member = json_object_get(item, key);
		if (member)
			json_object_set(to, key, member);
		fields += n + (fields[n] == ',');
	}
	return to;
}

static json_t *view_items(const struct request *q, json_t *take_items)
{
	const char *fields = request_query(q, "fields");
	const char *template = q->route->item_path;
	bool only_paths = request_query_int(q, "recursion", 1) == 0 && template;
	json_t *view, *item;
	size_t i;

	if (!fields && !only_paths)
		return take_items;
	view = json_array();
	json_array_foreach (take_items, i, item)
		json_array_append_new(view, only_paths ? item_path(q, template, item)
						       : project(item, fields));
	json_decref(take_items);
	return view;
}

/* The path of the next page: this one's, with another cursor. */
static int next_path(const struct request *q, const char *cursor, struct buf *to,
		     struct berth_error *err)
{
	AUTO_FREE char *encoded = text_url_encode(cursor);
	int r = encoded ? buf_printf(to, err, "%s?cursor=%s", q->path_text, encoded)
			: berth_fail_memory(err);
	for (size_t i = 0; !r && i < q->query_count; i++) {
		if (!strcmp(q->query[i].name, "cursor"))
			continue;
		AUTO_FREE char *value = text_url_encode(q->query[i].value);
		r = value ? buf_printf(to, err, "&%s=%s", q->query[i].name, value)
			  : berth_fail_memory(err);
	}
	return r;
}

void answer_list(struct answer *a, const struct request *q, json_t *take_items,
		 const char *next_cursor, int64_t total, const json_t *more)
{
	struct berth_error err = ERROR_INIT;
	json_t *items = view_items(q, take_items);
	json_t *page = json_pack("{s:o}", "items", items);
	AUTO_FREE char *link = NULL;
	AUTO_BUF struct buf next;

	buf_init(&next, 32u << 10);
	if (page && next_cursor) {
		if (next_path(q, next_cursor, &next, &err)) {
			json_decref(page);
			answer_error(a, &err);
			return;
		}
		js_put_str(page, "next", buf_text(&next));
		link = text_printf("<%s>; rel=\"next\"", buf_text(&next));
	}
	if (page && total >= 0)
		json_object_set_new(page, "total", json_integer(total));
	if (page && more)
		json_object_update_missing(page, (json_t *)(uintptr_t)more);
	answer_json(a, 200, page);
	if (link)
		answer_header(a, "Link", link);
}
