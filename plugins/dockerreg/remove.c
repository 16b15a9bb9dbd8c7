/* SPDX-License-Identifier: Apache-2.0 */
/* Deleting. 3.x deletes a tag alone; 2.x knows digests only, and with a digest
 * go all its tags, so there a tag is deleted only where it is the last one of
 * its digest. 405 means that deletion is off at the server.
 */
#include "dockerreg.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/text.h"
#include "core/oci/fetch.h"
#include "core/oci/reference.h"

static int send_delete(struct dockerreg *d, const char *repository, const char *reference,
		       const unsigned short *accept_status, int *ret_status,
		       struct berth_error *err)
{
	AUTO_FREE char *path = text_printf("/v2/%s/manifests/%s", repository, reference);
	AUTO(registry_request) struct registry_request *q = NULL;
	struct registry_call call = {
		.method = "DELETE",
		.path = path,
		.repository = repository,
		.rights = REGISTRY_DELETE,
		.accept_status = accept_status,
		.body_max_bytes = 64u << 10,
	};
	if (!path)
		return berth_fail_memory(err);
	int r = registry_wait(d->remote.registry, &call, &q, err);
	*ret_status = registry_status(q);
	if (r != BERTH_E_UNSUPPORTED)
		return r;
	berth_fail_http(err, 405, "deletion is off at %s", d->base_url);
	return berth_cause(err,
			   "HTTP %d; set storage.delete.enabled to true there, restart it, and "
			   "run its garbage collection afterwards to free the space",
			   *ret_status);
}

static bool is_dry_run(const struct berth_call *call)
{
	return call && (call->flags & BERTH_CALL_DRY_RUN);
}

/* The digest that a tag has now; BERTH_E_NOT_FOUND. */
static int resolve(struct dockerreg *d, const char *repository, const char *tag, char *to,
		   struct berth_error *err)
{
	struct fetch_item item = {.reference = tag, .head_only = true};
	int r = fetch_manifests(d->remote.registry, repository, &item, 1, err);
	if (!r && !item.is_found)
		r = berth_fail(err, BERTH_E_NOT_FOUND, "there is no tag %s in %.150s", tag,
			       repository);
	if (!r)
		memcpy(to, item.digest, sizeof item.digest);
	fetch_items_done(&item, 1);
	return r;
}

/* The digests of all tags of a repository; the caller frees *ret. */
static int resolve_all(struct dockerreg *d, const char *repository, const struct names *tags,
		       struct fetch_item **ret, struct berth_error *err)
{
	struct fetch_item *items = calloc(tags->count ? tags->count : 1, sizeof *items);
	if (!items)
		return berth_fail_memory(err);
	for (size_t i = 0; i < tags->count; i++) {
		items[i].reference = tags->items[i];
		items[i].head_only = true;
	}
	*ret = items;
	return fetch_manifests(d->remote.registry, repository, items, tags->count, err);
}

/* BERTH_E_CONFLICT, with their names, where other tags have the digest too. */
static int check_alone(const struct fetch_item *items, size_t count, const char *tag,
		       const char *digest, struct berth_error *err)
{
	char others[300] = "";
	size_t used = 0, found = 0;
	for (size_t i = 0; i < count; i++) {
		if (strcmp(items[i].digest, digest) != 0 || !strcmp(items[i].reference, tag))
			continue;
		int n = snprintf(others + used, sizeof others - used, "%s%s", found ? ", " : "",
				 items[i].reference);
		found++;
		if (n > 0 && (size_t)n < sizeof others - used)
			used += (size_t)n;
		else
			others[used] = 0;
	}
	if (!found)
		return 0;
	berth_fail(err, BERTH_E_CONFLICT,
		   "the server can't delete tag %s alone: %zu other tag%s of the same digest would "
		   "go too",
		   tag, found, found == 1 ? "" : "s");
	return berth_cause(err,
			   "%s; distribution 2.x deletes digests alone, 3.x tags, too: delete the "
			   "digest, where all of them may go",
			   others);
}

static int delete_last_tag(struct dockerreg *d, const char *repository, const char *tag,
			   const char *digest, struct berth_error *err)
{
	AUTO_NAMES struct names tags = {0};
	AUTO_FREE struct fetch_item *items = NULL;
	int status, r = tags_all(d, repository, &tags, err);
	if (!r)
		r = resolve_all(d, repository, &tags, &items, err);
	if (!r)
		r = check_alone(items, tags.count, tag, digest, err);
	if (r || is_dry_run(d->remote.call))
		return r;
	return send_delete(d, repository, digest, NULL, &status, err);
}

int slot_tag_delete(void *self, const struct berth_call *call, const char *repository,
		    const char *tag, struct berth_error *err)
{
	/* 2.x: 400 DIGEST_INVALID; others 404 or 400 UNSUPPORTED. */
	static const unsigned short digests_only[] = {400, 404, 0};
	struct dockerreg *d = self;
	char digest[DIGEST_TEXT_ROOM];
	int status = 0;

	remote_begin(&d->remote, call);
	int r = reference_check_repository(repository, err);
	if (!r)
		r = reference_check_tag(tag, err);
	if (!r)
		r = resolve(d, repository, tag, digest, err);
	if (r || is_dry_run(call))
		return r;
	r = send_delete(d, repository, tag, digests_only, &status, err);
	if (!r && status >= 400)
		r = delete_last_tag(d, repository, tag, digest, err);
	return r ? berth_wrap(err, "cannot delete the tag %.80s:%.60s", repository, tag) : 0;
}

int slot_artifact_delete(void *self, const struct berth_call *call, const char *repository,
			 const char *digest, struct berth_error *err)
{
	struct dockerreg *d = self;
	struct digest parsed;
	int status;

	remote_begin(&d->remote, call);
	int r = reference_check_repository(repository, err);
	if (!r)
		r = digest_parse(digest, &parsed, err);
	if (!r && is_dry_run(call)) {
		char found[DIGEST_TEXT_ROOM];
		return resolve(d, repository, digest, found, err);
	}
	if (!r)
		r = send_delete(d, repository, digest, NULL, &status, err);
	return r ? berth_wrap(err, "cannot delete %.30s... of %.120s", digest, repository) : 0;
}

static bool is_first(const struct fetch_item *items, size_t at)
{
	for (size_t i = 0; i < at; i++)
		if (!strcmp(items[i].digest, items[at].digest))
			return false;
	return items[at].is_found;
}

static int give_step(struct berth_sink *sink, const char *repository, const struct fetch_item *item,
		     struct berth_error *err)
{
	AUTO_JSON json_t *more = json_object();
	json_object_set_new(more, "action", json_string("delete"));
	json_object_set_new(more, "object", json_string(item->reference));
	struct give g = {
		.kind = BERTH_ITEM_STEP, .name = repository, .digest = item->digest, .more = more};
	return remote_give(sink, &g, err);
}

static int delete_digests(struct dockerreg *d, const char *repository,
			  const struct fetch_item *items, size_t count, struct berth_sink *sink,
			  struct berth_error *err)
{
	static const unsigned short gone[] = {404, 0};
	int status, r = 0;
	for (size_t i = 0; !r && i < count; i++) {
		if (!is_first(items, i))
			continue;
		if (!is_dry_run(d->remote.call))
			r = send_delete(d, repository, items[i].digest, gone, &status, err);
		if (!r)
			r = give_step(sink, repository, items + i, err);
	}
	return r;
}

int slot_repository_delete(void *self, const struct berth_call *call, const char *repository,
			   struct berth_sink *sink, struct berth_error *err)
{
	struct dockerreg *d = self;
	AUTO_NAMES struct names tags = {0};
	AUTO_FREE struct fetch_item *items = NULL;

	remote_begin(&d->remote, call);
	int r = reference_check_repository(repository, err);
	if (!r)
		r = tags_all(d, repository, &tags, err);
	if (!r)
		r = resolve_all(d, repository, &tags, &items, err);
	if (!r)
		r = delete_digests(d, repository, items, tags.count, sink, err);
	return r ? berth_wrap(err, "cannot delete the repository %.150s", repository) : 0;
}
