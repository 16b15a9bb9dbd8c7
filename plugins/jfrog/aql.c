/* SPDX-License-Identifier: Apache-2.0 */
/* Tags in bulk by Artifactory's query language: the files of tag folders, of many
 * keys at once, page by page in order of key and path. The folder that holds a
 * manifest is IMAGE/TAG; its layers lie beside it, so their sizes add up there.
 * Operators are those that JFrog documents: $eq, $match, $and, $or ($in is none).
 */
#include "jfrog.h"

#include <string.h>

#include "core/base/clock.h"
#include "core/base/text.h"

#define AQL_PAGE 5000
#define AQL_QUERY_MAX 6000 /* characters; Artifactory answers 400 to a longer one */
#define AQL_KEYS_MAX 5000  /* of these, what the names of the keys may take */
#define DESCRIPTION "berth.description"

struct walk {
	const struct aql_keys *keys;
	aql_each *each;
	void *user;
	const struct key *key; /* of the row that waits: other files of its folder follow */
	char *path, *digest;
	bool is_list;
	uint64_t bytes;
	int64_t updated_ms;
};

static void forget(struct walk *w)
{
	free(w->path);
	free(w->digest);
	w->path = w->digest = NULL;
	w->is_list = false;
	w->bytes = 0;
	w->updated_ms = 0;
}

/* Children of an index lie in folders named by their digest. */
static bool is_child(const char *folder)
{
	return !strncmp(folder, "sha256:", 7) || !strncmp(folder, "sha256__", 8);
}

/* Gives the row that waits. A folder without a manifest is an upload under way. */
static int flush(struct walk *w, struct berth_error *err)
{
	char *slash = w->path && w->digest ? strrchr(w->path, '/') : NULL;
	int r = 0;
	if (slash && !is_child(slash + 1)) {
		*slash = 0;
		struct tag_row row = {.key = w->key,
				      .image = w->path,
				      .tag = slash + 1,
				      .digest = *w->digest ? w->digest : NULL,
				      .bytes = w->is_list ? 0 : w->bytes,
				      .updated_ms = w->updated_ms};
		r = w->each(w->user, &row, err);
	}
	forget(w);
	return r;
}

/* What a remote key has is in its cache, a storage repository of another name. */
static bool is_storage_of(const struct key *k, const char *repo)
{
	size_t n = strlen(k->name);
	return !strncmp(repo, k->name, n) &&
	       !strcmp(repo + n, k->kind == KEY_REMOTE ? "-cache" : "");
}

static const struct key *key_of(const struct walk *w, const char *repo)
{
	if (w->key && is_storage_of(w->key, repo))
		return w->key;
	for (size_t i = 0; i < w->keys->count; i++)
		if (is_storage_of(w->keys->items[i], repo))
			return w->keys->items[i];
	return NULL;
}

/* A folder's first manifest counts: the list, which pulls get, sorts before the
 * plain one. */
static int take_file(struct walk *w, const json_t *row, struct berth_error *err)
{
	const char *name = js_str(row, "name", "");
	int64_t size = js_int(row, "size", 0);
	bool is_list = !strcmp(name, "list.manifest.json");
	w->bytes += size > 0 ? (uint64_t)size : 0;
	if (w->digest || (!is_list && strcmp(name, "manifest.json") != 0))
		return 0;
	const char *sha256 = js_str(row, "sha256", NULL);
	w->digest = sha256 ? text_printf("sha256:%s", sha256) : strdup("");
	w->is_list = is_list;
	if (!clock_parse(js_str(row, "modified", ""), &w->updated_ms))
		w->updated_ms = 0;
	return w->digest ? 0 : berth_fail_memory(err);
}

static int take_row(void *user, const json_t *row, struct berth_error *err)
{
	struct walk *w = user;
	const char *path = js_str(row, "path", "");
	const struct key *key = key_of(w, js_str(row, "repo", ""));
	if (!key)
		return 0;
	if (!w->path || w->key != key || strcmp(w->path, path) != 0) {
		int r = flush(w, err);
		if (r)
			return r;
		w->key = key;
		w->path = strdup(path);
		if (!w->path)
			return berth_fail_memory(err);
	}
	return take_file(w, row, err);
}

/* All of some conditions, in the storage of the keys; NULL without memory. Names in a
 * query are JSON strings: quotes and backslashes are escaped. */
static json_t *criteria(const struct aql_keys *keys, json_t *take_more)
{
	AUTO_JSON json_t *more = take_more;
	AUTO_JSON json_t *repos = json_array();
	for (size_t i = 0; i < keys->count; i++) {
		const struct key *k = keys->items[i];
		AUTO_FREE char *repo =
			text_printf("%s%s", k->name, k->kind == KEY_REMOTE ? "-cache" : "");
		if (json_array_append_new(repos, json_pack("{s:s}", "repo", repo)))
			return NULL;
	}
	if (json_array_append_new(more, json_pack("{s:O}", "$or", repos)))
		return NULL;
	return json_pack("{s:O}", "$and", more);
}

static json_t *of_files(const struct aql_keys *keys, const struct aql_wish *wish)
{
	AUTO_FREE char *pattern = wish->image ? text_printf("%s/*", wish->image) : strdup("*");
	AUTO_JSON json_t *names =
		json_pack("[{s:s}, {s:s}]", "name", "manifest.json", "name", "list.manifest.json");
	/* Layers and configs are sha256__<hex>. */
	if (wish->with_sizes &&
	    json_array_append_new(names, json_pack("{s:{s:s}}", "name", "$match", "sha256__*")))
		return NULL;
	return criteria(keys,
			json_pack("[{s:{s:s}}, {s:O}]", "path", "$match", pattern, "$or", names));
}

/* Where a query is not allowed (400 for the fields, 403, 404) the caller has
 * another way. */
static int refused(struct berth_error *err)
{
	if (err->upstream == 400 || err->upstream == 403 || err->upstream == 404 ||
	    err->upstream == 405)
		return err->code = BERTH_E_UNSUPPORTED;
	return err->code;
}

struct query {
	json_t *find;        /* owned */
	const char *include; /* quoted fields */
	int (*row)(void *user, const json_t *row, struct berth_error *err);
	void *user;
};

static int page(struct jfrog *j, const struct query *q, size_t offset, size_t *ret_count,
		struct berth_error *err)
{
	AUTO_ANSWER struct answer a = {0};
	AUTO_FREE char *find = q->find ? js_text(q->find) : NULL;
	AUTO_FREE char *text = find ? text_printf("items.find(%s).include(%s)"
						  ".sort({\"$asc\":[\"repo\",\"path\",\"name\"]})"
						  ".offset(%zu).limit(%d)",
						  find, q->include, offset, AQL_PAGE)
				    : NULL;
	size_t i;
	const json_t *row;
	if (!text)
		return berth_fail_memory(err);
	if (strlen(text) > AQL_QUERY_MAX)
		return berth_fail(err, BERTH_E_UNSUPPORTED, "a query too long for Artifactory");
	int r = jfrog_ask(j,
			  &(struct question){.method = "POST",
					     .path = "/api/search/aql",
					     .body = text,
					     .type = "text/plain",
					     .is_read = true},
			  &a, err);
	if (r)
		return offset ? r : refused(err);
	const json_t *rows = json_object_get(a.json, "results");
	if (!json_is_array(rows))
		return berth_fail(err, BERTH_E_PROTOCOL, "POST /api/search/aql: no results");
	*ret_count = json_array_size(rows);
	/* SaaS cuts results and says so here: what is left out must not look deleted. */
	const char *notice = js_str(json_object_get(a.json, "range"), "notification", NULL);
	if (notice && *ret_count < AQL_PAGE)
		return berth_fail(err, BERTH_E_LIMIT, "Artifactory cut the list short: %.200s",
				  notice);
	json_array_foreach (rows, i, row) {
		r = q->row(q->user, row, err);
		if (r)
			return r;
	}
	return 0;
}

static int pages(struct jfrog *j, const struct query *q, struct berth_error *err)
{
	struct ask_list come = {.path = "/api/search/aql", .page_size = AQL_PAGE};
	size_t count = AQL_PAGE;
	while (count == AQL_PAGE) {
		come.pages++;
		int r = ask_list_check(&j->remote, &come, err);
		if (!r)
			r = page(j, q, come.items, &count, err);
		if (r)
			return r;
		come.items += count;
	}
	return 0;
}

size_t aql_fill(struct aql_keys *keys, const struct key *all, size_t count)
{
	size_t bytes = 0, used = 0;
	keys->count = 0;
	for (; used < count && keys->count < AQL_KEYS_AT_ONCE; used++) {
		size_t more = strlen(all[used].name) + sizeof "{\"repo\":\"-cache\"},";
		if (keys->count && bytes + more > AQL_KEYS_MAX)
			break;
		if (all[used].kind != KEY_VIRTUAL) {
			keys->items[keys->count++] = all + used;
			bytes += more;
		}
	}
	return used;
}

int aql_tags(struct jfrog *j, const struct aql_keys *keys, const struct aql_wish *wish, void *user,
	     struct berth_error *err)
{
	struct walk w = {.keys = keys, .each = wish->each, .user = user};
	AUTO_JSON json_t *find = of_files(keys, wish);
	struct query q = {
		.find = find,
		.include = "\"repo\",\"path\",\"name\",\"modified\",\"sha256\",\"size\"",
		.row = take_row,
		.user = &w,
	};
	if (!keys->count)
		return berth_fail(err, BERTH_E_UNSUPPORTED, "a virtual repository has no storage");
	int r = pages(j, &q, err);
	if (!r)
		r = flush(&w, err);
	else
		berth_wrap(err, "cannot list images by Artifactory's query language");
	forget(&w);
	return r;
}

static int take_description(void *user, const json_t *row, struct berth_error *err)
{
	struct walk *w = user;
	const char *parent = js_str(row, "path", "");
	const struct key *key = key_of(w, js_str(row, "repo", ""));
	size_t i;
	const json_t *property;
	bool is_top = !strcmp(parent, ".");
	if (!key)
		return 0;
	AUTO_FREE char *image = text_printf("%s/%s%s%s", key->name, is_top ? "" : parent,
					    is_top ? "" : "/", js_str(row, "name", ""));
	if (!image)
		return berth_fail_memory(err);
	json_array_foreach (json_object_get(row, "properties"), i, property)
		if (!strcmp(js_str(property, "key", ""), DESCRIPTION))
			js_put_str(w->user, image, js_str(property, "value", ""));
	return 0;
}

int aql_descriptions(struct jfrog *j, const struct aql_keys *keys, json_t *to,
		     struct berth_error *err)
{
	struct walk w = {.keys = keys, .user = to};
	AUTO_JSON json_t *find = criteria(keys, json_pack("[{s:s}, {s:{s:s}}]", "type", "folder",
							  "@" DESCRIPTION, "$match", "*"));
	struct query q = {
		.find = find,
		.include = "\"repo\",\"path\",\"name\",\"property\"",
		.row = take_description,
		.user = &w,
	};
	int r = pages(j, &q, err);
	return r == BERTH_E_UNSUPPORTED ? 0 : r;
}
