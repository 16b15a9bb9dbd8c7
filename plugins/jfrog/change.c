/* SPDX-License-Identifier: Apache-2.0 */
/* Deletes and descriptions. A tag is a folder of the storage; deleting it
 * leaves other tags alone, each of which holds its own links to the layers.
 * Only a local key can be changed.
 */
#include "jfrog.h"

#include <string.h>

#include "core/base/text.h"

static int writable(struct jfrog *j, const char *repository, char **ret_key, char **ret_image,
		    struct berth_error *err)
{
	const struct key *key;
	int r = jfrog_split(repository, ret_key, ret_image, err);
	if (!r)
		r = jfrog_key(j, *ret_key, &key, err);
	if (r || key->kind == KEY_LOCAL)
		return r;
	return berth_fail(err, BERTH_E_READ_ONLY,
			  key->kind == KEY_REMOTE
				  ? "'%s' caches another registry: it can't be changed here"
				  : "'%s' is virtual: change the local repository behind it",
			  *ret_key);
}

/* Each path segment encoded by itself: slashes stay. */
static char *encode_path(const char *path)
{
	char *all = strdup("");
	while (all && *path) {
		size_t n = strcspn(path, "/");
		AUTO_FREE char *part = strndup(path, n);
		AUTO_FREE char *coded = part ? text_url_encode(part) : NULL;
		char *next = coded ? text_printf("%s/%s", all, coded) : NULL;
		free(all);
		all = next;
		path += n + (path[n] == '/');
	}
	return all;
}

static int delete_folder(struct jfrog *j, const char *key, const char *path,
			 struct berth_error *err)
{
	AUTO_ANSWER struct answer a = {0};
	AUTO_FREE char *coded = encode_path(path);
	AUTO_FREE char *url = coded ? text_printf("/%s%s", key, coded) : NULL;
	if (!url)
		return berth_fail_memory(err);
	if (j->remote.call->flags & BERTH_CALL_DRY_RUN)
		return 0;
	return jfrog_ask(j, &(struct question){.method = "DELETE", .path = url, .is_text = true},
			 &a, err);
}

int jfrog_tag_delete(void *self, const struct berth_call *call, const char *repository,
		     const char *tag, struct berth_error *err)
{
	struct jfrog *j = self;
	AUTO_FREE char *key = NULL, *image = NULL;
	remote_begin(&j->remote, call);
	int r = writable(j, repository, &key, &image, err);
	if (r)
		return r;
	AUTO_FREE char *path = text_printf("%s/%s", image, tag);
	r = path ? delete_folder(j, key, path, err) : berth_fail_memory(err);
	return r ? berth_wrap(err, "cannot delete %s:%s", repository, tag) : 0;
}

struct matches {
	const char *image, *digest;
	json_t *tags;
};

static int match(void *user, const struct tag_row *row, struct berth_error *err)
{
	struct matches *m = user;
	if (!row->digest || strcmp(row->image, m->image) != 0 ||
	    strcmp(row->digest, m->digest) != 0)
		return 0;
	return json_array_append_new(m->tags, json_string(row->tag)) ? berth_fail_memory(err) : 0;
}

int jfrog_artifact_delete(void *self, const struct berth_call *call, const char *repository,
			  const char *digest, struct berth_error *err)
{
	struct jfrog *j = self;
	AUTO_FREE char *name = NULL, *image = NULL;
	AUTO_JSON json_t *tags = json_array();
	const struct key *key;
	struct aql_keys of_key;
	size_t i;
	const json_t *tag;
	remote_begin(&j->remote, call);
	int r = writable(j, repository, &name, &image, err);
	if (!r)
		r = jfrog_key(j, name, &key, err);
	if (r)
		return r;
	struct matches m = {.image = image, .digest = digest, .tags = tags};
	aql_fill(&of_key, key, 1);
	r = aql_tags(j, &of_key, &(struct aql_wish){.each = match, .image = image}, &m, err);
	if (!r && !json_array_size(tags))
		return berth_fail(err, BERTH_E_NOT_FOUND, "no tag of %s has %s", repository,
				  digest);
	json_array_foreach (tags, i, tag) {
		if (r)
			break;
		AUTO_FREE char *path = text_printf("%s/%s", image, json_string_value(tag));
		r = path ? delete_folder(j, name, path, err) : berth_fail_memory(err);
	}
	return r ? berth_wrap(err, "cannot delete %s of %s", digest, repository) : 0;
}

int jfrog_repository_delete(void *self, const struct berth_call *call, const char *repository,
			    struct berth_sink *sink, struct berth_error *err)
{
	struct jfrog *j = self;
	AUTO_FREE char *key = NULL, *image = NULL;
	remote_begin(&j->remote, call);
	int r = writable(j, repository, &key, &image, err);
	if (!r && (call->flags & BERTH_CALL_DRY_RUN))
		return jfrog_tags(self, call, repository, sink, err);
	if (!r)
		r = delete_folder(j, key, image, err);
	return r ? berth_wrap(err, "cannot delete %s", repository) : 0;
}

/* A property of the image's folder; merged into those that are there. */
int jfrog_describe(void *self, const struct berth_call *call, const char *repository,
		   const char *text, struct berth_error *err)
{
	struct jfrog *j = self;
	AUTO_FREE char *key = NULL, *image = NULL;
	AUTO_ANSWER struct answer a = {0};
	AUTO_JSON json_t *body = json_pack("{s:{s:s}}", "props", "berth.description", text);
	AUTO_FREE char *sent = body ? js_text(body) : NULL;
	remote_begin(&j->remote, call);
	if (!sent)
		return berth_fail(err, BERTH_E_INVALID, "the description is not UTF-8");
	if (strlen(text) > 2400) /* Artifactory's limit for an indexed property value */
		return berth_fail(err, BERTH_E_LIMIT, "the description has more than 2 400 bytes");
	int r = writable(j, repository, &key, &image, err);
	if (r || (call->flags & BERTH_CALL_DRY_RUN))
		return r;
	AUTO_FREE char *coded = encode_path(image);
	AUTO_FREE char *url =
		coded ? text_printf("/api/metadata/%s%s?recursiveProperties=0", key, coded) : NULL;
	if (!url)
		return berth_fail_memory(err);
	struct question q = {.method = "PATCH", .path = url, .body = sent, .is_text = true};
	r = jfrog_ask(j, &q, &a, err);
	return r ? berth_wrap(err, "cannot describe %s", repository) : 0;
}
