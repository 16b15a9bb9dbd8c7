/* SPDX-License-Identifier: Apache-2.0 */
/* Repositories, tags, digests in bulk, one artifact, and where the bytes are.
 * By AQL where it is allowed, else by the catalog and tag list of the key's
 * registry, which know no digests.
 */
#include "jfrog.h"

#include <string.h>

#include "core/base/text.h"
#include "core/oci/lists.h"
#include "plugins/common/artifact.h"

struct listing {
	const struct key *key; /* of the repository that is being counted */
	struct berth_sink *sink;
	char *image;
	const json_t *descriptions; /* by KEY/IMAGE */
	int64_t count, updated_ms;
	struct berth_error err;
};

static int give_repository(struct listing *l, struct berth_error *err)
{
	AUTO_FREE char *image = STEAL(l->image);
	if (!image)
		return 0;
	AUTO_FREE char *name = text_printf("%s/%s", l->key->name, image);
	AUTO_JSON json_t *more = json_pack("{s:I}", "tags", (json_int_t)l->count);
	if (!name)
		return berth_fail_memory(err);
	js_put_str(more, "description", js_str(l->descriptions, name, NULL));
	struct give g = {.kind = BERTH_ITEM_REPOSITORY,
			 .name = name,
			 .updated_ms = l->updated_ms,
			 .more = more};
	l->count = l->updated_ms = 0;
	return remote_give(l->sink, &g, err);
}

static int count_tag(void *user, const struct tag_row *row, struct berth_error *err)
{
	struct listing *l = user;
	if (!l->image || l->key != row->key || strcmp(l->image, row->image) != 0) {
		int r = give_repository(l, err);
		if (r)
			return r;
		l->key = row->key;
		l->image = strdup(row->image);
		if (!l->image)
			return berth_fail_memory(err);
	}
	l->count++;
	l->updated_ms = row->updated_ms > l->updated_ms ? row->updated_ms : l->updated_ms;
	return 0;
}

static int give_tag(void *user, const struct tag_row *row, struct berth_error *err)
{
	struct listing *l = user;
	AUTO_FREE char *id = text_printf("%s/%s", row->key->name, row->image);
	if (!id)
		return berth_fail_memory(err);
	if (l->image && strcmp(l->image, row->image) != 0)
		return 0; /* the pattern IMAGE/ and anything also finds IMAGE/below/TAG */
	return remote_give(l->sink,
			   &(struct give){.kind = BERTH_ITEM_TAG,
					  .id = id,
					  .name = row->tag,
					  .digest = row->digest,
					  .bytes = row->bytes,
					  .updated_ms = row->updated_ms},
			   err);
}

static int on_catalog(void *user, const char *name)
{
	struct listing *l = user;
	struct tag_row row = {.key = l->key, .image = name};
	return count_tag(l, &row, &l->err);
}

static int on_tag(void *user, const char *name)
{
	struct listing *l = user;
	struct tag_row row = {.key = l->key, .image = l->image, .tag = name};
	return give_tag(l, &row, &l->err);
}

/* The catalog or the tags of one image, from the key's own registry. */
static int by_registry(struct jfrog *j, struct listing *l, const char *image,
		       struct berth_error *err)
{
	AUTO(registry) struct registry *registry = NULL;
	AUTO_FREE char *url = jfrog_registry_url(j, l->key->name);
	struct list_call call = {.kind = image ? LIST_TAGS : LIST_CATALOG,
				 .repository = image,
				 .item = image ? on_tag : on_catalog,
				 .user = l};
	if (!url)
		return berth_fail_memory(err);
	int r = remote_registry(&j->remote, url, true, &registry, err);
	if (!r)
		r = list_run(registry, &call, NULL, err);
	if (r && l->err.code) {
		*err = l->err;
		return err->code;
	}
	return r;
}

/* One key after the other, each by the catalog of its registry. */
static int by_catalogs(struct jfrog *j, const struct key *keys, size_t count,
		       struct berth_sink *sink, struct berth_error *err)
{
	int r = 0;
	for (size_t i = 0; !r && i < count; i++) {
		struct listing l = {.key = keys + i, .sink = sink, .err = ERROR_INIT};
		r = by_registry(j, &l, NULL, err);
		if (!r)
			r = give_repository(&l, err);
		free(l.image);
	}
	return r;
}

static int by_queries(struct jfrog *j, const struct aql_keys *some, struct berth_sink *sink,
		      struct berth_error *err)
{
	AUTO_JSON json_t *descriptions = json_object();
	struct listing l = {.sink = sink, .err = ERROR_INIT, .descriptions = descriptions};
	int r = aql_descriptions(j, some, descriptions, err);
	if (!r)
		r = aql_tags(j, some, &(struct aql_wish){.each = count_tag}, &l, err);
	if (!r)
		r = give_repository(&l, err);
	free(l.image);
	return r;
}

/* Keys with a storage by as few queries as can be; the others, which are virtual, and
 * all where queries are refused, by the catalogs of their registries. */
static int list_keys(struct jfrog *j, const struct key *keys, size_t count, struct berth_sink *sink,
		     struct berth_error *err)
{
	struct aql_keys some;
	int r = 0;
	for (size_t used; !r && count; keys += used, count -= used) {
		used = aql_fill(&some, keys, count);
		r = some.count ? by_queries(j, &some, sink, err) : 0;
		if (r == BERTH_E_UNSUPPORTED) {
			r = by_catalogs(j, keys, used, sink, err);
			continue;
		}
		for (size_t i = 0; !r && i < used; i++)
			if (keys[i].kind == KEY_VIRTUAL)
				r = by_catalogs(j, keys + i, 1, sink, err);
	}
	return r;
}

int jfrog_repositories(void *self, const struct berth_call *call, const char *space,
		       struct berth_sink *sink, struct berth_error *err)
{
	struct jfrog *j = self;
	const struct key *key;
	remote_begin(&j->remote, call);
	int r = space ? jfrog_key(j, space, &key, err) : jfrog_keys(j, err);
	if (r)
		return r;
	return space ? list_keys(j, key, 1, sink, err)
		     : list_keys(j, j->keys, j->key_count, sink, err);
}

int jfrog_tags(void *self, const struct berth_call *call, const char *repository,
	       struct berth_sink *sink, struct berth_error *err)
{
	struct jfrog *j = self;
	AUTO_FREE char *name = NULL, *image = NULL;
	struct listing l = {.sink = sink, .err = ERROR_INIT};
	struct aql_keys of_key;
	remote_begin(&j->remote, call);
	int r = jfrog_split(repository, &name, &image, err);
	if (!r)
		r = jfrog_key(j, name, &l.key, err);
	if (r)
		return r;
	l.image = image;
	aql_fill(&of_key, l.key, 1);
	const struct aql_wish wish = {.each = give_tag, .image = image, .with_sizes = true};
	r = aql_tags(j, &of_key, &wish, &l, err);
	return r == BERTH_E_UNSUPPORTED ? by_registry(j, &l, image, err) : r;
}

int jfrog_resolve(void *self, const struct berth_call *call, const char *space,
		  struct berth_sink *sink, struct berth_error *err)
{
	struct jfrog *j = self;
	struct listing l = {.sink = sink, .err = ERROR_INIT};
	struct aql_keys of_key;
	remote_begin(&j->remote, call);
	int r = jfrog_key(j, space, &l.key, err);
	if (r)
		return r;
	aql_fill(&of_key, l.key, 1);
	return aql_tags(j, &of_key, &(struct aql_wish){.each = give_tag, .with_sizes = true}, &l,
			err);
}

int jfrog_artifact(void *self, const struct berth_call *call, const char *repository,
		   const char *reference, struct berth_sink *sink, struct berth_error *err)
{
	struct jfrog *j = self;
	AUTO(registry) struct registry *registry = NULL;
	AUTO_FREE char *name = NULL, *image = NULL;
	remote_begin(&j->remote, call);
	int r = jfrog_split(repository, &name, &image, err);
	if (r)
		return r;
	AUTO_FREE char *url = jfrog_registry_url(j, name);
	if (!url)
		return berth_fail_memory(err);
	r = remote_registry(&j->remote, url, true, &registry, err);
	return r ? r : artifact_give(&j->remote, registry, image, reference, sink, err);
}

/* A push goes to a local key, or to a virtual one that has such a one behind it;
 * where that is not for us to see, the server's own answer decides. */
static int may_push(struct jfrog *j, const struct key *key, bool *ret, struct berth_error *err)
{
	const json_t *configs = NULL;
	*ret = key->kind != KEY_REMOTE;
	if (key->kind != KEY_VIRTUAL)
		return 0;
	int r = jfrog_configs(j, &configs, err);
	const json_t *config = json_object_get(configs, key->name);
	if (!r && config)
		*ret = *js_str(config, "deploys_to", "") != 0;
	return r;
}

int jfrog_oci_endpoint(void *self, const struct berth_call *call, const char *repository,
		       struct berth_oci_endpoint *ret, struct berth_error *err)
{
	struct jfrog *j = self;
	const struct key *key;
	AUTO_FREE char *name = NULL, *image = NULL;
	remote_begin(&j->remote, call);
	bool takes_push = true;
	int r = jfrog_split(repository, &name, &image, err);
	if (!r)
		r = jfrog_key(j, name, &key, err);
	if (!r)
		r = may_push(j, key, &takes_push, err);
	if (r)
		return r;
	free(j->text[0]);
	free(j->text[1]);
	j->text[0] = jfrog_registry_url(j, name);
	j->text[1] = STEAL(image);
	if (!j->text[0])
		return berth_fail_memory(err);
	ret->base_url = j->text[0];
	ret->repository = j->text[1];
	ret->username = j->username;
	ret->password = j->username && j->token ? j->token : j->password;
	ret->bearer = j->username ? NULL : j->token;
	ret->flags = BERTH_OCI_PATCH_ONLY | BERTH_OCI_BASIC_FIRST;
	if (!takes_push)
		ret->flags |= BERTH_OCI_NO_PUSH;
	return 0;
}
