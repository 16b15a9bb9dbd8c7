/* SPDX-License-Identifier: Apache-2.0 */
/* Repositories, tags, digests in bulk, one artifact, and where the bytes are.
 * By AQL where it is allowed, else by the catalog and tag list of the key's
 * registry, which know no digests.
 */
#include <string.h>

#include "core/base/text.h"
#include "core/oci/lists.h"
#include "plugins/common/artifact.h"
#include "plugins/jfrog/jfrog.h"

struct listing {
	const struct key *key;
	struct berth_sink *sink;
	char *image; /* of the repository that is being counted */
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
	if (!l->image || strcmp(l->image, row->image) != 0) {
		int r = give_repository(l, err);
		if (r)
			return r;
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
	AUTO_FREE char *id = text_printf("%s/%s", l->key->name, row->image);
	if (!id)
		return berth_fail_memory(err);
	if (l->image && strcmp(l->image, row->image) != 0)
		return 0; /* the pattern IMAGE/ and anything also finds IMAGE/below/TAG */
	return remote_give(l->sink,
			   &(struct give){.kind = BERTH_ITEM_TAG,
					  .id = id,
					  .name = row->tag,
					  .digest = row->digest,
					  .updated_ms = row->updated_ms},
			   err);
}

static int on_catalog(void *user, const char *name)
{
	struct listing *l = user;
	struct tag_row row = {.image = name};
	return count_tag(l, &row, &l->err);
}

static int on_tag(void *user, const char *name)
{
	struct listing *l = user;
	struct tag_row row = {.image = l->image, .tag = name};
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

static int key_repositories(struct jfrog *j, const struct key *key, struct berth_sink *sink,
			    struct berth_error *err)
{
	struct listing l = {.key = key, .sink = sink, .err = ERROR_INIT};
	int r = aql_tags(j, key, NULL, count_tag, &l, err);
	if (r == BERTH_E_UNSUPPORTED)
		r = by_registry(j, &l, NULL, err);
	if (!r)
		r = give_repository(&l, err);
	free(l.image);
	return r;
}

int jfrog_repositories(void *self, const struct berth_call *call, const char *space,
		       struct berth_sink *sink, struct berth_error *err)
{
	struct jfrog *j = self;
	const struct key *key;
	remote_begin(&j->remote, call);
	if (space) {
		int r = jfrog_key(j, space, &key, err);
		return r ? r : key_repositories(j, key, sink, err);
	}
	int r = jfrog_keys(j, err);
	for (size_t i = 0; !r && i < j->key_count; i++)
		r = key_repositories(j, j->keys + i, sink, err);
	return r;
}

int jfrog_tags(void *self, const struct berth_call *call, const char *repository,
	       struct berth_sink *sink, struct berth_error *err)
{
	struct jfrog *j = self;
	AUTO_FREE char *name = NULL, *image = NULL;
	struct listing l = {.sink = sink, .err = ERROR_INIT};
	remote_begin(&j->remote, call);
	int r = jfrog_split(repository, &name, &image, err);
	if (!r)
		r = jfrog_key(j, name, &l.key, err);
	if (r)
		return r;
	l.image = image;
	r = aql_tags(j, l.key, image, give_tag, &l, err);
	return r == BERTH_E_UNSUPPORTED ? by_registry(j, &l, image, err) : r;
}

int jfrog_resolve(void *self, const struct berth_call *call, const char *space,
		  struct berth_sink *sink, struct berth_error *err)
{
	struct jfrog *j = self;
	struct listing l = {.sink = sink, .err = ERROR_INIT};
	remote_begin(&j->remote, call);
	int r = jfrog_key(j, space, &l.key, err);
	return r ? r : aql_tags(j, l.key, NULL, give_tag, &l, err);
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

int jfrog_oci_endpoint(void *self, const struct berth_call *call, const char *repository,
		       struct berth_oci_endpoint *ret, struct berth_error *err)
{
	struct jfrog *j = self;
	const struct key *key;
	AUTO_FREE char *name = NULL, *image = NULL;
	remote_begin(&j->remote, call);
	int r = jfrog_split(repository, &name, &image, err);
	if (!r)
		r = jfrog_key(j, name, &key, err);
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
	if (key->kind == KEY_REMOTE)
		ret->flags |= BERTH_OCI_NO_PUSH;
	return 0;
}
