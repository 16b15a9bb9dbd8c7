/* SPDX-License-Identifier: Apache-2.0 */
/* Repositories, their tags, digests in bulk, descriptions, and where the bytes
 * are. Never a query with `tags` and never /search: both scan the tag table of
 * the whole instance (seconds at a million tags, seen at 2.15.2).
 */
#include "harbor.h"

#include <string.h>

#include "core/base/buf.h"
#include "core/base/js.h"
#include "core/base/text.h"

#define DESCRIPTION_MAX_BYTES ((size_t)48 * 1024) /* as JSON */

struct listing {
	struct harbor *h;
	struct berth_sink *sink;
	const char *repository; /* of the artifacts that are listed, or NULL */
	bool by_tag;            /* one item a tag, with the repository as id */
};

/* From 2.14 on Harbor escapes HTML in descriptions at each write: what is read
 * is un-escaped once, so that an edit does not escape it twice. */
static char *unescape(const char *text)
{
	static const struct {
		const char *entity, *plain;
	} known[] = {{"&lt;", "<"}, {"&gt;", ">"}, {"&amp;", "&"}, {"&#34;", "\""}, {"&#39;", "'"}};
	char *to = malloc(strlen(text) + 1), *w = to;
	while (to && *text) {
		size_t i = 0;
		while (i < ARRAY_COUNT(known) &&
		       strncmp(text, known[i].entity, strlen(known[i].entity)) != 0)
			i++;
		*w++ = i < ARRAY_COUNT(known) ? *known[i].plain : *text;
		text += i < ARRAY_COUNT(known) ? strlen(known[i].entity) : 1;
	}
	if (to)
		*w = 0;
	return to;
}

/* An item has at most 60 KiB, and Harbor takes descriptions of megabytes: one
 * that is too long is shown without its end, not the end of the whole list. */
static void put_description(json_t *more, const char *text, bool is_escaped)
{
	AUTO_FREE char *plain = is_escaped ? unescape(text) : strdup(text);
	js_put_str(more, "description", plain);
	for (;;) {
		AUTO_FREE char *whole = js_text(more);
		if (!plain || !whole || strlen(whole) <= DESCRIPTION_MAX_BYTES)
			return;
		size_t n = strlen(plain) < DESCRIPTION_MAX_BYTES ? strlen(plain)
								 : DESCRIPTION_MAX_BYTES;
		plain[n / 2] = 0;
		text_trim_utf8(plain);
		js_put_str(more, "description", plain);
		json_object_set_new(more, "description_cut", json_true());
	}
}

static int each_repository(void *user, json_t *repository, struct berth_error *err)
{
	struct listing *l = user;
	AUTO_JSON json_t *more = json_object();
	put_description(more, js_str(repository, "description", ""),
			harbor_is_at_least(l->h, 2, 14));
	json_object_set_new(more, "artifacts",
			    json_integer(js_int(repository, "artifact_count", 0)));
	json_object_set_new(more, "pulls", json_integer(js_int(repository, "pull_count", 0)));
	return remote_give(l->sink,
			   &(struct give){.kind = BERTH_ITEM_REPOSITORY,
					  .name = js_str(repository, "name", ""),
					  .updated_ms = harbor_time(repository, "update_time"),
					  .more = more},
			   err);
}

/* The repositories of all projects: a page of 100 would make a fifth of an
 * index's requests. page_size=0 gives all rows, on every list and version tried,
 * so projects are asked for together as long as an answer stays small. */
#define GROUP_REPOSITORIES 500
#define GROUP_PROJECTS 200

struct group {
	struct listing *listing;
	struct buf ids; /* "3%205", a set for q */
	int64_t repositories;
	int projects;
};

static int list_group(struct group *g, struct berth_error *err)
{
	AUTO_REPLY struct reply reply = {0};
	AUTO_FREE char *path =
		text_printf("/api/v2.0/repositories?q=project_id%%3D%%7B%s%%7D", buf_text(&g->ids));
	AUTO_FREE char *whole = text_printf("%s&page_size=0", path ? path : "");
	size_t i;
	json_t *repository;
	if (!path || !whole)
		return berth_fail_memory(err);
	bool is_small = g->repositories <= GROUP_REPOSITORIES;
	int r = is_small ? harbor_ask(g->listing->h, &(struct ask){.path = whole}, &reply, err) : 0;
	if (!r && (!is_small || (int64_t)json_array_size(reply.json) != reply.total))
		return harbor_pages(g->listing->h, path, each_repository, g->listing, err);
	json_array_foreach (reply.json, i, repository) {
		if (r)
			break;
		r = each_repository(g->listing, repository, err);
	}
	return r;
}

static int end_group(struct group *g, struct berth_error *err)
{
	int r = g->projects ? list_group(g, err) : 0;
	buf_reset(&g->ids);
	g->repositories = g->projects = 0;
	return r;
}

static int add_to_group(void *user, json_t *project, struct berth_error *err)
{
	struct group *g = user;
	int64_t count = js_int(project, "repo_count", 0);
	if (count < 1)
		return 0;
	if (g->repositories + count > GROUP_REPOSITORIES || g->projects == GROUP_PROJECTS) {
		int r = end_group(g, err);
		if (r)
			return r;
	}
	g->repositories += count;
	return buf_printf(&g->ids, err, "%s%lld", g->projects++ ? "%20" : "",
			  (long long)js_int(project, "project_id", 0));
}

static int list_by_projects(struct listing *l, struct berth_error *err)
{
	struct group g = {.listing = l};
	buf_init(&g.ids, GROUP_PROJECTS * 24);
	int r = harbor_pages(l->h, "/api/v2.0/projects?sort=name", add_to_group, &g, err);
	if (!r)
		r = end_group(&g, err);
	buf_done(&g.ids);
	return r;
}

int harbor_repositories(void *self, const struct berth_call *call, const char *space,
			struct berth_sink *sink, struct berth_error *err)
{
	struct harbor *h = self;
	struct listing l = {.h = h, .sink = sink};
	AUTO_FREE char *path = NULL;
	remote_begin(&h->remote, call);
	int r = harbor_version(h, err);
	if (r)
		return r;
	if (space) {
		AUTO_FREE char *escaped = text_url_encode(space);
		path = text_printf("/api/v2.0/projects/%s/repositories?sort=name",
				   escaped ? escaped : "");
	}
	if (!space && harbor_is_at_least(h, 2, 12))
		return list_by_projects(&l, err);
	return harbor_pages(h, space ? path : "/api/v2.0/repositories?sort=name", each_repository,
			    &l, err);
}

static int give_tags(struct listing *l, const char *repository, const json_t *artifact,
		     struct berth_error *err)
{
	size_t i;
	const json_t *tag, *tags = json_object_get(artifact, "tags");
	int64_t bytes = js_int(artifact, "size", 0);
	json_array_foreach (tags, i, tag) {
		struct give g = {.kind = BERTH_ITEM_TAG,
				 .id = repository,
				 .name = js_str(tag, "name", ""),
				 .digest = js_str(artifact, "digest", NULL),
				 .bytes = bytes > 0 ? (uint64_t)bytes : 0,
				 .updated_ms = harbor_time(tag, "push_time")};
		int r = remote_give(l->sink, &g, err);
		if (r)
			return r;
	}
	return 0;
}

static int each_artifact(void *user, json_t *artifact, struct berth_error *err)
{
	struct listing *l = user;
	const char *name = l->repository ? l->repository : js_str(artifact, "repository_name", "");
	return give_tags(l, name, artifact, err);
}

/* Only what the list needs: each further "with" multiplies Harbor's SQL. */
#define LEAN "with_tag=true&with_label=false&with_scan_overview=false&sort=-push_time"

static int repository_tags(struct harbor *h, const char *repository, struct berth_sink *sink,
			   struct berth_error *err)
{
	struct listing l = {.h = h, .sink = sink, .repository = repository};
	AUTO_FREE char *base = NULL;
	int r = harbor_path(repository, &base, err);
	if (r)
		return r;
	AUTO_FREE char *path = text_printf("%s/artifacts?" LEAN, base);
	return path ? harbor_pages(h, path, each_artifact, &l, err) : berth_fail_memory(err);
}

int harbor_tags(void *self, const struct berth_call *call, const char *repository,
		struct berth_sink *sink, struct berth_error *err)
{
	struct harbor *h = self;
	remote_begin(&h->remote, call);
	return repository_tags(h, repository, sink, err);
}

struct names {
	struct harbor *h;
	struct berth_sink *sink;
	json_t *list;
};

static int each_name(void *user, json_t *repository, struct berth_error *err)
{
	struct names *n = user;
	(void)err;
	json_array_append_new(n->list, json_string(js_str(repository, "name", "")));
	return 0;
}

/* Before 2.12 there is no list of a project's artifacts: one list of its
 * repositories, then one a repository. */
static int resolve_by_repository(struct harbor *h, const char *escaped, struct berth_sink *sink,
				 struct berth_error *err)
{
	AUTO_JSON json_t *list = json_array();
	struct names n = {.h = h, .sink = sink, .list = list};
	AUTO_FREE char *path = text_printf("/api/v2.0/projects/%s/repositories?sort=name", escaped);
	size_t i;
	json_t *name;
	if (!path)
		return berth_fail_memory(err);
	int r = harbor_pages(h, path, each_name, &n, err);
	json_array_foreach (list, i, name) {
		if (r)
			break;
		r = repository_tags(h, json_string_value(name), sink, err);
	}
	return r;
}

int harbor_resolve(void *self, const struct berth_call *call, const char *space,
		   struct berth_sink *sink, struct berth_error *err)
{
	struct harbor *h = self;
	struct listing l = {.h = h, .sink = sink, .by_tag = true};
	AUTO_FREE char *escaped = text_url_encode(space);
	remote_begin(&h->remote, call);
	if (!escaped)
		return berth_fail_memory(err);
	int r = harbor_version(h, err);
	if (r)
		return r;
	if (!harbor_is_at_least(h, 2, 12))
		return resolve_by_repository(h, escaped, sink, err);
	AUTO_FREE char *path = text_printf("/api/v2.0/projects/%s/artifacts?" LEAN, escaped);
	return path ? harbor_pages(h, path, each_artifact, &l, err) : berth_fail_memory(err);
}

int harbor_describe(void *self, const struct berth_call *call, const char *repository,
		    const char *text, struct berth_error *err)
{
	struct harbor *h = self;
	AUTO_FREE char *path = NULL;
	AUTO_JSON json_t *body = json_pack("{s:s}", "description", text);
	remote_begin(&h->remote, call);
	if (!body)
		return berth_fail(err, BERTH_E_INVALID, "the description is not UTF-8");
	if (strlen(text) > 60000)
		return berth_fail(err, BERTH_E_LIMIT, "the description has more than 60 000 bytes");
	int r = harbor_path(repository, &path, err);
	if (r || (call->flags & BERTH_CALL_DRY_RUN))
		return r;
	return harbor_do(h, "PUT", path, body, err);
}

int harbor_repository_delete(void *self, const struct berth_call *call, const char *repository,
			     struct berth_sink *sink, struct berth_error *err)
{
	struct harbor *h = self;
	AUTO_FREE char *path = NULL;
	remote_begin(&h->remote, call);
	int r = harbor_path(repository, &path, err);
	if (r)
		return r;
	if (call->flags & BERTH_CALL_DRY_RUN)
		return repository_tags(h, repository, sink, err);
	r = harbor_do(h, "DELETE", path, NULL, err);
	if (r == BERTH_E_CONFLICT)
		return berth_wrap(
			err,
			"repository '%s' can't be deleted: a tag rule keeps an artifact, or "
			"another refers to one",
			repository);
	return r;
}

static int endpoint_texts(struct harbor *h, const char *repository, struct berth_error *err)
{
	for (size_t i = 0; i < ARRAY_COUNT(h->text); i++)
		free(STEAL(h->text[i]));
	h->text[0] = strdup(h->base);
	h->text[1] = strdup(repository);
	return h->text[0] && h->text[1] ? 0 : berth_fail_memory(err);
}

/* A proxy cache takes no push: known from the project. */
static int check_push(struct harbor *h, const char *repository, struct berth_oci_endpoint *ret,
		      struct berth_error *err)
{
	AUTO_JSON json_t *project = NULL;
	AUTO_FREE char *name = strndup(repository, strcspn(repository, "/"));
	if (!name)
		return berth_fail_memory(err);
	int r = harbor_project(h, name, &project, err);
	if (r == BERTH_E_NOT_FOUND)
		return r; /* the registry would say 'unauthorized' of a project that is not there */
	if (r == BERTH_E_DENIED || r == BERTH_E_AUTH)
		return 0; /* the registry itself will say it better, at the first request */
	if (!r && js_int(project, "registry_id", 0) > 0)
		ret->flags |= BERTH_OCI_NO_PUSH;
	return r;
}

int harbor_oci_endpoint(void *self, const struct berth_call *call, const char *repository,
			struct berth_oci_endpoint *ret, struct berth_error *err)
{
	struct harbor *h = self;
	remote_begin(&h->remote, call);
	int r = endpoint_texts(h, repository, err);
	if (!r)
		r = check_push(h, repository, ret, err);
	if (r)
		return r;
	ret->base_url = h->text[0];
	ret->repository = h->text[1];
	ret->username = h->username;
	ret->password = h->password;
	return 0;
}
