/* SPDX-License-Identifier: Apache-2.0 */
/* GET /v1/images: the search over all that the caller may use. The selector finds
 * and ranks; what a page shows of its hits is read from the store, which also has
 * the last word on whether they are there. With sort= or filter= the store is
 * asked for all of it. Only healthy integrations are browsed: of others nothing
 * could be pulled.
 */
#include <stdio.h>
#include <string.h>

#include "api_handlers.h"
#include "core/api/integration.h"
#include "core/api/selector.h"
#include "core/api/sight.h"
#include "core/store/spaces.h"

/* One tag with all its names. */
struct hit {
	char *reference, *integration, *space, *repository, *tag, *digest, *space_id;
	int64_t pushed_ms, seen_ms;
};
#define REFERENCE_SQL "i.name || '/' || r.name || ':' || t.name"
static const struct store_column hit_columns[] = {
	STORE_COLUMN(hit, "reference", REFERENCE_SQL, TEXT, reference),
	STORE_COLUMN(hit, "integration", "i.name", TEXT, integration),
	STORE_COLUMN(hit, "space", "s.name", TEXT, space),
	STORE_COLUMN(hit, "repository", "r.name", TEXT, repository),
	STORE_COLUMN(hit, "tag", "t.name", TEXT, tag),
	STORE_COLUMN(hit, "digest", "t.digest", TEXT, digest),
	STORE_COLUMN(hit, NULL, "s.id", TEXT, space_id),
	STORE_COLUMN(hit, "pushed_at", "t.pushed_ms", TIME, pushed_ms),
	STORE_COLUMN(hit, "seen_at", "t.seen_ms", TIME, seen_ms),
};
#define HIT_SQL                                                                                    \
	"SELECT " REFERENCE_SQL ", i.name, s.name, r.name, t.name, t.digest, s.id, t.pushed_ms, "  \
	"t.seen_ms FROM tags t JOIN repositories r ON r.id = t.repository_id "                     \
	"JOIN spaces s ON s.id = r.space_id JOIN integrations i ON i.id = s.integration_id"
static const struct store_table hits_table = {
	.name = "image",
	.select = HIT_SQL,
	.columns = hit_columns,
	.column_count = ARRAY_COUNT(hit_columns),
	.row_bytes = sizeof(struct hit),
	.key = REFERENCE_SQL,
	.default_sort = "reference",
};

static int show_hit(struct request *q, const void *row, json_t **ret, struct berth_error *err)
{
	const struct hit *it = row;

	(void)q;
	*ret = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s}", "reference", it->reference,
			 "integration", it->integration, "space", it->space, "space_id",
			 it->space_id, "repository", it->repository, "tag", it->tag);
	if (!*ret)
		return berth_fail_memory(err);
	js_put_str(*ret, "digest", it->digest);
	js_put_time(*ret, "pushed_at", it->pushed_ms);
	js_put_time(*ret, "seen_at", it->seen_ms);
	return 0;
}

/* A space that the caller may see, with its integration's state. */
struct visible {
	char *id, *name, *integration, *phase, *status;
};
static const struct store_column visible_columns[] = {
	STORE_COLUMN(visible, "id", "s.id", TEXT, id),
	STORE_COLUMN(visible, "name", "s.name", TEXT, name),
	STORE_COLUMN(visible, "integration", "i.name", TEXT, integration),
	STORE_COLUMN(visible, "phase", "i.phase", TEXT, phase),
	STORE_COLUMN(visible, "status", "i.status", TEXT, status),
};
static const struct store_table visible_table = {
	.name = "space",
	.select = "SELECT s.id, s.name, i.name, i.phase, i.status FROM spaces s "
		  "JOIN integrations i ON i.id = s.integration_id",
	.columns = visible_columns,
	.column_count = ARRAY_COUNT(visible_columns),
	.row_bytes = sizeof(struct visible),
	.key = "s.id",
	.default_sort = "id",
};

/* What one search looks at. */
struct looking {
	struct select_space *spaces; /* in the order of ids; texts are owned */
	size_t count, room;
	json_t *indexes; /* {integration: its index's state} */
};

static void looking_done(struct looking *l)
{
	for (size_t i = 0; i < l->count; i++) {
		free((char *)(uintptr_t)l->spaces[i].id);
		free((char *)(uintptr_t)l->spaces[i].name);
	}
	free(l->spaces);
	json_decref(l->indexes);
}
#define AUTO_LOOKING CLEANUP(looking_done)

/* How old an integration's index is, and why it is no younger. */
static int add_index(struct looking *l, const struct visible *it, struct berth_error *err)
{
	json_t *status AUTO_JSON = NULL;

	if (json_object_get(l->indexes, it->integration))
		return 0;
	if (api_parse(it->status, &status, err))
		return err->code;
	json_t *one = NULL;
	if (index_state(it->integration, it->phase, status, &one, err))
		return err->code;
	return json_object_set_new(l->indexes, it->integration, one) ? berth_fail_memory(err) : 0;
}

static int add_space(void *user, const void *row, struct berth_error *err)
{
	const struct visible *it = row;
	struct looking *l = user;

	if (add_index(l, it, err))
		return err->code;
	if (strcmp(it->phase, "healthy") != 0)
		return 0;
	if (l->count == l->room) {
		size_t room = l->room ? l->room * 2 : 64;
		struct select_space *grown = realloc(l->spaces, room * sizeof(*grown));
		if (!grown)
			return berth_fail_memory(err);
		l->spaces = grown;
		l->room = room;
	}
	struct select_space *one = &l->spaces[l->count++];
	*one = (struct select_space){strdup(it->id), strdup(it->name)};
	return one->id && one->name ? 0 : berth_fail_memory(err);
}

static int look(struct request *q, const struct sight *sight, struct looking *l,
		struct berth_error *err)
{
	struct store_page page = {.within = sight->where,
				  .within_values = sight->values,
				  .within_count = sight->value_count,
				  .tail = "ORDER BY s.id"};

	l->indexes = json_object();
	if (!l->indexes)
		return berth_fail_memory(err);
	return store_list(request_daemon(q)->store, &visible_table, &page, add_space, l, NULL, err);
}

static int compare_spaces(const void *a, const void *b)
{
	return strcmp(((const struct select_space *)a)->id, ((const struct select_space *)b)->id);
}

/* The object of a hit; left out where the store has it no longer, or in a space
 * that was not looked at. */
static int add_item(struct request *q, const struct looking *l, const struct select_hit *hit,
		    json_t *items, struct berth_error *err)
{
	static const struct store_sql one = {"search-hit",
					     HIT_SQL " WHERE t.repository_id = ? AND t.name = ?"};
	AUTO(rows) struct store_rows *rows = NULL;
	char tag[512];
	bool has_row = false;
	json_t *item = NULL;

	snprintf(tag, sizeof(tag), "%.*s", (int)hit->tag_byte_count, hit->tag);
	if (store_query(request_daemon(q)->store, &one,
			VALUES(V_INT(hit->repository_id), V_TEXT(tag)), &rows, err) ||
	    rows_next(rows, &has_row, err))
		return err->code;
	if (!has_row)
		return 0;
	const struct select_space key = {.id = rows_text(rows, 6)};
	if (!l->count || !bsearch(&key, l->spaces, l->count, sizeof(*l->spaces), compare_spaces))
		return 0;
	const struct hit row = {
		.reference = (char *)(uintptr_t)rows_text(rows, 0),
		.integration = (char *)(uintptr_t)rows_text(rows, 1),
		.space = (char *)(uintptr_t)rows_text(rows, 2),
		.repository = (char *)(uintptr_t)rows_text(rows, 3),
		.tag = (char *)(uintptr_t)rows_text(rows, 4),
		.digest = (char *)(uintptr_t)rows_text(rows, 5),
		.space_id = (char *)(uintptr_t)rows_text(rows, 6),
		.pushed_ms = rows_int(rows, 7),
		.seen_ms = rows_int(rows, 8),
	};
	if (show_hit(q, &row, &item, err))
		return err->code;
	return json_array_append_new(items, item) ? berth_fail_memory(err) : 0;
}

/* What a cursor belongs to: the words and whose eyes look. */
static char *asked_of(struct request *q, const struct sight *sight)
{
	const char *text = request_query(q, "q");
	char *asked = NULL;

	if (asprintf(&asked, "image\n%s\n%s\n%s\n%s", text ? text : "", sight->where,
		     sight->workspace_id ? sight->workspace_id : "",
		     buf_text(&sight->principals)) < 0)
		return NULL;
	return asked;
}

static int next_of(struct request *q, const char *asked, const struct select_result *r, char **ret,
		   struct berth_error *err)
{
	const struct select_hit *last = r->hit_count ? &r->hits[r->hit_count - 1] : NULL;

	if (!r->has_more || !last)
		return 0;
	json_t *ends AUTO_JSON =
		json_pack("[i, I, s, s%]", (int)last->class, (json_int_t)last->pushed_s, last->path,
			  last->tag, last->tag_byte_count);
	return ends ? store_cursor_seal(request_daemon(q)->store, asked, ends, ret, err)
		    : berth_fail_memory(err);
}

/* Where the page before ended; ends holds its texts. */
static int place_of(struct request *q, const char *asked, json_t **ends, struct select_place *ret,
		    struct berth_error *err)
{
	int class = 0;
	json_int_t pushed_s = 0;

	if (store_cursor_open(request_daemon(q)->store, asked, request_query(q, "cursor"), ends,
			      err))
		return err->code;
	if (json_unpack(*ends, "[i, I, s, s]", &class, &pushed_s, &ret->path, &ret->tag))
		return berth_fail(err, BERTH_E_INVALID, "cursor: not one of this list");
	ret->class = (enum select_class) class;
	ret->pushed_s = (uint32_t)pushed_s;
	return 0;
}

static json_t *indexes_of(const struct looking *l)
{
	json_t *list = json_array(), *one;
	const char *name;

	json_object_foreach (l->indexes, name, one)
		json_array_append(list, one);
	return list;
}

static int answer_hits(struct request *q, struct answer *a, const struct looking *l,
		       const char *asked, struct berth_error *err)
{
	const char *text = request_query(q, "q");
	struct select_place place = {.path = NULL};
	struct select_query query = {
		.text = text ? text : "",
		.spaces = l->spaces,
		.space_count = l->count,
		.limit = (uint32_t)request_query_int(q, "limit", 100),
	};
	CLEANUP(select_result_done) struct select_result r = {.hits = NULL};
	json_t *ends AUTO_JSON = NULL, *items AUTO_JSON = json_array();
	char *next AUTO_FREE = NULL;
	bool is_whole = false;

	if (!items)
		return berth_fail_memory(err);
	if (request_query(q, "cursor")) {
		if (place_of(q, asked, &ends, &place, err))
			return err->code;
		query.after = &place;
	}
	if (selector_search(selector_now(&is_whole), &query, &r, err))
		return err->code;
	for (size_t i = 0; i < r.hit_count; i++)
		if (add_item(q, l, &r.hits[i], items, err))
			return err->code;
	if (next_of(q, asked, &r, &next, err))
		return err->code;
	answer_list(a, q, STEAL(items), next, (int64_t)r.total, NULL);
	json_t *indexes = indexes_of(l);
	sight_blur(q, indexes);
	answer_member(a, "indexes", indexes);
	answer_member(a, "complete", json_boolean(is_whole));
	return 0;
}

/* With an order or a condition of the caller's own. */
static void ask_store(struct request *q, struct answer *a, const struct sight *sight)
{
	static const char *const q_columns[] = {REFERENCE_SQL, "s.name", NULL};
	char within[sizeof(sight->where) + 64];
	struct berth_error err = ERROR_INIT;
	json_t *more AUTO_JSON = NULL;

	if (indexes_in_sight(request_daemon(q), sight, &more, &err)) {
		api_fail(a, &err, NULL);
		return;
	}
	sight_blur(q, json_object_get(more, "indexes"));
	snprintf(within, sizeof(within), "(%s) AND i.phase = 'healthy'", sight->where);
	struct api_collection all = {.table = &hits_table,
				     .noun = "image",
				     .within = within,
				     .within_values = sight->values,
				     .within_count = sight->value_count,
				     .q_columns = q_columns,
				     .q_is_literal = true,
				     .more = more,
				     .show = show_hit};
	api_list(&all, q, a);
}

static void refuse_search(struct answer *a, const struct berth_error *err)
{
	bool is_cursor = !strncmp(err->message, "cursor", 6);

	answer_problem(a, 0, "parameter-invalid", err, NULL);
	answer_fault(a, is_cursor ? "?cursor" : "?q", "bad-value", "%s", err->message);
}

void api_images_search(struct request *q, struct answer *a)
{
	struct sight sight AUTO_SIGHT = {.is_all = false};
	struct looking l AUTO_LOOKING = {.count = 0};
	struct berth_error err = ERROR_INIT;

	if (!sight_of(q, a, &sight))
		return;
	if (request_query(q, "sort") || request_query(q, "filter")) {
		ask_store(q, a, &sight);
		return;
	}
	char *asked AUTO_FREE = asked_of(q, &sight);
	if (!asked)
		(void)berth_fail_memory(&err);
	if (!asked || look(q, &sight, &l, &err) || answer_hits(q, a, &l, asked, &err)) {
		if (err.code == BERTH_E_INVALID)
			refuse_search(a, &err);
		else
			api_fail(a, &err, NULL);
	}
}
