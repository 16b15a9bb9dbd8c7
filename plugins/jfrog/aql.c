/* SPDX-License-Identifier: Apache-2.0 */
/* Tags in bulk by Artifactory's query language: the manifest files of a key,
 * page by page in order of their path. The folder that holds one is IMAGE/TAG.
 */
#include <string.h>

#include "core/base/clock.h"
#include "core/base/text.h"
#include "plugins/jfrog/jfrog.h"

#define AQL_PAGE 1000

struct walk {
	int (*each)(void *user, const struct tag_row *row, struct berth_error *err);
	void *user;
	char *path; /* of the row that waits: a list manifest may follow it */
	char *digest;
	int64_t updated_ms;
};

static void forget(struct walk *w)
{
	free(w->path);
	free(w->digest);
	w->path = w->digest = NULL;
	w->updated_ms = 0;
}

/* Gives the row that waits. Folders named by digest are children of indexes. */
static int flush(struct walk *w, struct berth_error *err)
{
	char *slash = w->path ? strrchr(w->path, '/') : NULL;
	int r = 0;
	if (slash && strncmp(slash + 1, "sha256", 6) != 0) {
		*slash = 0;
		struct tag_row row = {.image = w->path,
				      .tag = slash + 1,
				      .digest = w->digest,
				      .updated_ms = w->updated_ms};
		r = w->each(w->user, &row, err);
	}
	forget(w);
	return r;
}

static int take_row(struct walk *w, const json_t *row, struct berth_error *err)
{
	const char *path = js_str(row, "path", ""), *name = js_str(row, "name", "");
	const char *sha256 = js_str(row, "sha256", NULL);
	bool is_list = !strcmp(name, "list.manifest.json");
	bool is_same = w->path && !strcmp(w->path, path);
	int r = is_same ? 0 : flush(w, err);
	if (r || (is_same && !is_list))
		return r; /* the list of that folder is known already: pulls get the list */
	forget(w);
	w->path = strdup(path);
	w->digest = sha256 ? text_printf("sha256:%s", sha256) : NULL;
	if (!clock_parse(js_str(row, "modified", ""), &w->updated_ms))
		w->updated_ms = 0;
	return w->path ? 0 : berth_fail_memory(err);
}

/* A name in a query is a JSON string: quotes and backslashes are escaped. */
static char *quoted(const char *text)
{
	AUTO_JSON json_t *s = json_string(text);
	return s ? js_text(s) : NULL;
}

static char *query(const char *repo, const char *image, size_t offset)
{
	AUTO_FREE char *key = quoted(repo);
	AUTO_FREE char *pattern = image ? text_printf("%s/*", image) : strdup("*");
	AUTO_FREE char *path = pattern ? quoted(pattern) : NULL;
	if (!key || !path)
		return NULL;
	return text_printf("items.find({\"repo\":%s,\"path\":{\"$match\":%s},"
			   "\"name\":{\"$in\":[\"list.manifest.json\",\"manifest.json\"]}})"
			   ".include(\"repo\",\"path\",\"name\",\"modified\",\"sha256\")"
			   ".sort({\"$asc\":[\"path\",\"name\"]}).offset(%zu).limit(%d)",
			   key, path, offset, AQL_PAGE);
}

/* Where a query is not allowed (400 for the fields, 403, 404) or trimmed, the
 * caller has another way. */
static int refused(struct berth_error *err)
{
	if (err->upstream == 400 || err->upstream == 403 || err->upstream == 404 ||
	    err->upstream == 405)
		return err->code = BERTH_E_UNSUPPORTED;
	return err->code;
}

static int page(struct jfrog *j, struct walk *w, const char *text, size_t *ret_count,
		struct berth_error *err)
{
	AUTO_ANSWER struct answer a = {0};
	size_t i;
	const json_t *row;
	struct question q = {
		.method = "POST", .path = "/api/search/aql", .body = text, .type = "text/plain"};
	int r = jfrog_ask(j, &q, &a, err);
	if (r)
		return refused(err);
	const json_t *rows = json_object_get(a.json, "results");
	if (!json_is_array(rows))
		return berth_fail(err, BERTH_E_PROTOCOL, "POST /api/search/aql: no results");
	json_array_foreach (rows, i, row) {
		r = take_row(w, row, err);
		if (r)
			return r;
	}
	*ret_count = json_array_size(rows);
	return 0;
}

static int pages(struct jfrog *j, struct walk *w, const char *repo, const char *image,
		 struct berth_error *err)
{
	const struct net_limits *limits = net_client_limits(registry_net(j->remote.registry));
	size_t count = AQL_PAGE;
	for (size_t offset = 0; count == AQL_PAGE; offset += count) {
		AUTO_FREE char *text = query(repo, image, offset);
		if (!text)
			return berth_fail_memory(err);
		if (offset > limits->items_max)
			return berth_fail(err, BERTH_E_LIMIT, "'%s' has more than %u tags", repo,
					  limits->items_max);
		int r = page(j, w, text, &count, err);
		if (r)
			return r;
	}
	return flush(w, err);
}

int aql_tags(struct jfrog *j, const struct key *key, const char *image,
	     int (*each)(void *user, const struct tag_row *row, struct berth_error *err),
	     void *user, struct berth_error *err)
{
	struct walk w = {.each = each, .user = user};
	/* What a remote key has is in its cache; a virtual key holds nothing itself. */
	AUTO_FREE char *cache = text_printf("%s-cache", key->name);
	if (!cache)
		return berth_fail_memory(err);
	if (key->kind == KEY_VIRTUAL)
		return berth_fail(err, BERTH_E_UNSUPPORTED, "'%s' is a virtual repository",
				  key->name);
	int r = pages(j, &w, key->kind == KEY_REMOTE ? cache : key->name, image, err);
	forget(&w);
	return r;
}
