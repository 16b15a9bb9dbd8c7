/* SPDX-License-Identifier: Apache-2.0 */
/* Fetching: see fetch.h. A HEAD does not count as a pull anywhere, so it is
 * used wherever a digest will do; servers that leave the digest header out of
 * it are asked by GET and the body is hashed.
 */
#include "core/oci/fetch.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/text.h"
#include "core/oci/reference.h"

struct batch;
struct slot {
	struct batch *batch;
	struct fetch_item *item;
	struct registry_request *request;
	bool by_get;
};

struct batch {
	struct registry *registry;
	const char *repository;
	struct fetch_item *items;
	size_t count, next, running;
	struct slot slots[FETCH_WINDOW];
	struct berth_error err;
};

static int ask(struct slot *s, struct berth_error *err);

static int ended(void *user)
{
	const struct batch *b = user;
	return b->err.code || (!b->running && b->next == b->count);
}

/* Gives every free slot its next item. */
static void fill(struct batch *b)
{
	for (size_t i = 0; i < FETCH_WINDOW && b->next < b->count && !b->err.code; i++) {
		struct slot *s = b->slots + i;
		if (s->request)
			continue;
		s->batch = b;
		s->item = b->items + b->next++;
		s->by_get = !s->item->head_only;
		if (ask(s, &b->err) == 0)
			b->running++;
	}
}

static void take_type(struct slot *s)
{
	const char *type = registry_header(s->request, "content-type");
	snprintf(s->item->media_type, sizeof s->item->media_type, "%.*s",
		 type ? (int)strcspn(type, ";") : 0, type ? type : "");
}

/* The digest of the body, held against the reference and the header. */
static int take_body(struct slot *s, struct berth_error *err)
{
	struct fetch_item *item = s->item;
	const struct buf *body = registry_body(s->request);
	const char *said = registry_header(s->request, "docker-content-digest");
	struct digest asked, found;
	struct berth_error ignored = ERROR_INIT;

	bool by_digest = digest_parse(item->reference, &asked, &ignored) == 0;
	int r = digest_of(by_digest ? asked.algorithm : DIGEST_SHA256, buf_text(body),
			  body->byte_count, &found, err);
	if (r)
		return r;
	if (by_digest && !digest_equal(&asked, &found))
		return berth_fail(
			err, BERTH_E_DIGEST,
			"the registry's manifest %.80s of %.100s has other bytes than its "
			"digest says",
			item->reference, s->batch->repository);
	digest_format(&found, item->digest);
	item->header_differs = said && *said && strcmp(said, item->digest) != 0;
	item->is_found = true;
	if (item->head_only)
		return 0;
	buf_init(&item->body, MANIFEST_MAX_BYTES);
	return buf_add(&item->body, buf_text(body), body->byte_count, err);
}

/* True: answered by the HEAD alone. */
static bool take_head(struct slot *s)
{
	const char *said = registry_header(s->request, "docker-content-digest");
	if (!said || !reference_is_digest(said))
		return false;
	snprintf(s->item->digest, sizeof s->item->digest, "%s", said);
	s->item->is_found = true;
	return true;
}

static void on_done(void *user, struct registry_request *q, const struct berth_error *err)
{
	struct slot *s = user;
	struct batch *b = s->batch;
	bool again = false;

	b->running--;
	if (err->code == BERTH_E_UNSUPPORTED && !s->by_get) {
		again = true;
	} else if (err->code) {
		if (!b->err.code)
			b->err = *err;
	} else if (registry_status(q) != 404) {
		take_type(s);
		if (s->by_get)
			(void)take_body(s, &b->err);
		else
			again = !take_head(s);
	}
	s->request = NULL;
	registry_request_free(q);
	if (again && !b->err.code) {
		s->by_get = true;
		if (ask(s, &b->err) == 0)
			b->running++;
	}
	fill(b);
}

static int ask(struct slot *s, struct berth_error *err)
{
	static const unsigned short absent[] = {404, 0};
	const struct batch *b = s->batch;
	AUTO_FREE char *path =
		text_printf("/v2/%s/manifests/%s", b->repository, s->item->reference);
	struct registry_call call = {
		.method = s->by_get ? "GET" : "HEAD",
		.path = path,
		.repository = b->repository,
		.rights = REGISTRY_PULL,
		.accept = MEDIA_ACCEPT,
		.accept_status = absent,
		.follow = true,
		.body_max_bytes = MANIFEST_MAX_BYTES,
		.done = on_done,
		.user = s,
	};
	if (!path)
		return berth_fail_memory(err);
	return registry_start(b->registry, &call, &s->request, err);
}

int fetch_manifests(struct registry *r, const char *repository, struct fetch_item *items,
		    size_t count, struct berth_error *err)
{
	struct batch b = {.registry = r,
			  .repository = repository,
			  .items = items,
			  .count = count,
			  .err = ERROR_INIT};
	fill(&b);
	int rc = b.err.code || !count ? b.err.code : net_loop_run(registry_loop(r), ended, &b, err);
	for (size_t i = 0; i < FETCH_WINDOW; i++)
		registry_request_free(b.slots[i].request);
	if (b.err.code)
		*err = b.err;
	return b.err.code ? b.err.code : rc;
}

void fetch_items_done(struct fetch_item *items, size_t count)
{
	for (size_t i = 0; i < count; i++)
		buf_done(&items[i].body);
}

int fetch_blob(struct registry *r, const char *repository, const char *digest, size_t max_bytes,
	       struct buf *ret, struct berth_error *err)
{
	AUTO_FREE char *path = text_printf("/v2/%s/blobs/%s", repository, digest);
	AUTO(registry_request) struct registry_request *q = NULL;
	struct registry_call call = {
		.method = "GET",
		.path = path,
		.repository = repository,
		.rights = REGISTRY_PULL,
		.follow = true,
		.body_max_bytes = max_bytes,
	};
	struct digest asked, found;
	int rc = digest_parse(digest, &asked, err);
	if (!rc && !path)
		rc = berth_fail_memory(err);
	if (!rc)
		rc = registry_wait(r, &call, &q, err);
	if (rc)
		return rc;
	const struct buf *body = registry_body(q);
	rc = digest_of(asked.algorithm, buf_text(body), body->byte_count, &found, err);
	if (!rc && !digest_equal(&asked, &found))
		rc = berth_fail(
			err, BERTH_E_DIGEST,
			"the registry's blob %.80s of %.100s has other bytes than its digest "
			"says",
			digest, repository);
	return rc ? rc : buf_add(ret, buf_text(body), body->byte_count, err);
}
