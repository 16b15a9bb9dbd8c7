/* SPDX-License-Identifier: Apache-2.0 */
/* One artifact, read from the registry: the manifest, its config or the
 * manifests of its platforms, and what refers to it by the referrers API, the
 * stand-in tag, or the tags that cosign makes.
 */
#include "plugins/common/artifact.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/js.h"
#include "core/base/text.h"
#include "core/oci/fetch.h"
#include "core/oci/reference.h"
#include "core/oci/referrers.h"
#include "plugins/common/document.h"

#define CONFIG_MAX_BYTES ((size_t)4 << 20)
#define CHILDREN_READ_MAX 64
#define REFERRERS_MAX 500

struct reading {
	struct remote *remote;
	struct registry *registry;
	const char *repository;
	struct berth_sink *sink;
	struct manifest *manifest;
	json_t *doc;
	char digest[DIGEST_TEXT_ROOM];
	json_t *referrers; /* the items to give after the artifact: {digest, size, more} */
};

static int read_manifest(struct reading *g, const char *reference, struct fetch_item *item,
			 struct berth_error *err)
{
	int r = fetch_manifests(g->registry, g->repository, item, 1, err);
	if (!r && !item->is_found)
		r = berth_fail(err, BERTH_E_NOT_FOUND, "there is no %.100s in %.110s", reference,
			       g->repository);
	if (r)
		return r;
	if (item->header_differs && g->remote->host->log)
		g->remote->host->log(
			g->remote->call, BERTH_LOG_WARNING,
			"the registry's digest header for %s of %s is not the digest of "
			"what it sent",
			reference, g->repository);
	memcpy(g->digest, item->digest, sizeof g->digest);
	return manifest_parse(buf_text(&item->body), item->body.byte_count, item->media_type,
			      &g->manifest, err);
}

/* A config that can't be read is told in the document: the rest is still true. */
static int add_config(struct reading *g, struct berth_error *err)
{
	const struct manifest *m = g->manifest;
	AUTO_BUF struct buf blob;
	AUTO_JSON json_t *config = NULL;
	struct berth_error why = ERROR_INIT;

	buf_init(&blob, CONFIG_MAX_BYTES);
	if (!m->config.media_type || media_equal(m->config.media_type, MEDIA_OCI_EMPTY) ||
	    m->config.size > (int64_t)CONFIG_MAX_BYTES)
		return 0;
	int r = fetch_blob(g->registry, g->repository, m->config.digest, CONFIG_MAX_BYTES, &blob,
			   &why);
	if (r == BERTH_E_CANCELLED || r == BERTH_E_TIMEOUT || r == BERTH_E_NO_MEMORY) {
		*err = why;
		return r;
	}
	if (!r)
		r = js_parse(buf_text(&blob), blob.byte_count, &js_limits_registry, &config, &why);
	if (!r && json_is_object(config))
		document_add_config(g->doc, m, config);
	else if (r && media_is_image_config(m->config.media_type))
		json_object_set_new(g->doc, "config_error", json_string(why.message));
	return 0;
}

static bool has_digest(const struct manifest *m, const char *digest)
{
	if (m->config.digest && !strcmp(m->config.digest, digest))
		return true;
	for (size_t i = 0; i < m->layer_count; i++)
		if (!strcmp(m->layers[i].digest, digest))
			return true;
	return false;
}

/* The bytes below several manifests: layers that an earlier one has too are
 * not counted again. */
static int64_t bytes_of_all(struct manifest *const *all, size_t count)
{
	int64_t sum = 0;
	for (size_t i = 0; i < count; i++) {
		int64_t again = 0;
		for (size_t k = 0; all[i] && k < all[i]->layer_count; k++)
			for (size_t j = 0; j < i; j++)
				if (all[j] && has_digest(all[j], all[i]->layers[k].digest)) {
					again += all[i]->layers[k].size;
					break;
				}
		int64_t own = all[i] ? manifest_bytes(all[i]) - again : 0;
		sum += own > 0 ? own : 0;
	}
	return sum;
}

/* Reads the children that were fetched; what can't be read stays NULL, and its
 * platform is shown without a size. */
static void parse_children(const struct fetch_item *items, size_t count, struct manifest **to)
{
	struct berth_error ignored = ERROR_INIT;
	for (size_t i = 0; i < count; i++)
		if (items[i].is_found &&
		    manifest_parse(buf_text(&items[i].body), items[i].body.byte_count,
				   items[i].media_type, to + i, &ignored))
			to[i] = NULL;
}

static int add_children(struct reading *g, struct berth_error *err)
{
	const struct manifest *m = g->manifest;
	size_t count = m->child_count < CHILDREN_READ_MAX ? m->child_count : CHILDREN_READ_MAX;
	struct fetch_item items[CHILDREN_READ_MAX] = {0};
	struct manifest *children[CHILDREN_READ_MAX] = {0};

	for (size_t i = 0; i < count; i++)
		items[i].reference = m->children[i].digest;
	int r = fetch_manifests(g->registry, g->repository, items, count, err);
	if (!r)
		parse_children(items, count, children);
	for (size_t i = 0; !r && i < m->child_count; i++)
		document_add_platform(g->doc, m->children + i, i < count ? children[i] : NULL);
	if (!r)
		json_object_set_new(g->doc, "size", json_integer(bytes_of_all(children, count)));
	for (size_t i = 0; i < count; i++)
		manifest_free(children[i]);
	fetch_items_done(items, count);
	return r;
}

static void add_referrer(struct reading *g, const struct descriptor *d, const char *tag)
{
	json_t *more = json_object(), *one = json_object();
	document_add_referrer(g->doc, d, tag);
	js_put_str(more, "artifact_type", d->artifact_type);
	js_put_str(more, "media_type", d->media_type);
	js_put_str(more, "kind", media_thing(d->artifact_type, NULL, NULL));
	js_put_str(more, "subject", g->digest);
	js_put_str(more, "tag", tag);
	json_object_set_new(one, "digest", json_string(d->digest));
	json_object_set_new(one, "size", json_integer(d->size));
	json_object_set_new(one, "more", more);
	json_array_append_new(g->referrers, one);
}

static int on_referrer(void *user, const struct descriptor *d)
{
	struct reading *g = user;
	if (json_array_size(g->referrers) < REFERRERS_MAX)
		add_referrer(g, d, NULL);
	return 0;
}

/* cosign 2 keeps what it makes under tags: sha256-<hex>.sig, .att, .sbom. */
static int add_cosign(struct reading *g, struct berth_error *err)
{
	static const struct {
		const char *suffix, *type;
	} made[] = {
		{".sig", "application/vnd.dev.cosign.artifact.sig.v1+json"},
		{".att", "application/vnd.dsse.envelope.v1+json"},
		{".sbom", "application/vnd.dev.cosign.artifact.sbom.v1+json"},
	};
	struct fetch_item items[ARRAY_COUNT(made)] = {0};
	char tags[ARRAY_COUNT(made)][TAG_MAX_BYTES + 8];

	for (size_t i = 0; i < ARRAY_COUNT(made); i++) {
		reference_fallback_tag(g->digest, tags[i]);
		size_t n = strlen(tags[i]);
		snprintf(tags[i] + n, sizeof tags[i] - n, "%s", made[i].suffix);
		items[i] = (struct fetch_item){.reference = tags[i], .head_only = true};
	}
	int r = fetch_manifests(g->registry, g->repository, items, ARRAY_COUNT(made), err);
	for (size_t i = 0; !r && i < ARRAY_COUNT(made); i++) {
		struct descriptor d = {.digest = items[i].digest,
				       .media_type = items[i].media_type,
				       .artifact_type = made[i].type};
		if (items[i].is_found)
			add_referrer(g, &d, tags[i]);
	}
	fetch_items_done(items, ARRAY_COUNT(made));
	return r;
}

static int add_referrers(struct reading *g, struct berth_error *err)
{
	int r = referrers_list(g->registry, g->repository, g->digest, on_referrer, g, NULL, err);
	/* A list that can't be read is told; the artifact itself is known. */
	if (r == BERTH_E_PROTOCOL || r == BERTH_E_LIMIT || r == BERTH_E_DENIED) {
		json_object_set_new(g->doc, "referrers_error", json_string(err->message));
		r = 0;
	}
	return r ? r : add_cosign(g, err);
}

static void add_summary(json_t *doc)
{
	size_t i, signatures = 0, sboms = 0;
	json_t *v;
	json_array_foreach (json_object_get(doc, "referrers"), i, v) {
		signatures += !strcmp(js_str(v, "kind", ""), "signature");
		sboms += !strcmp(js_str(v, "kind", ""), "sbom");
	}
	json_object_set_new(doc, "signatures", json_integer((json_int_t)signatures));
	json_object_set_new(doc, "sboms", json_integer((json_int_t)sboms));
}

static int read_rest(struct reading *g, struct berth_error *err)
{
	int r = g->manifest->kind == MANIFEST_INDEX ? add_children(g, err) : add_config(g, err);
	if (!r)
		r = add_referrers(g, err);
	if (r)
		return r;
	add_summary(g->doc);
	document_fit(g->doc);
	return 0;
}

static int give_referrers(struct reading *g, struct berth_error *err)
{
	size_t i;
	json_t *v;
	int r = 0;
	json_array_foreach (g->referrers, i, v) {
		struct give item = {.kind = BERTH_ITEM_REFERRER,
				    .digest = js_str(v, "digest", NULL),
				    .bytes = (uint64_t)js_int(v, "size", 0),
				    .more = json_object_get(v, "more")};
		r = r ? r : remote_give(g->sink, &item, err);
	}
	return r;
}

static int give_artifact(struct reading *g, const char *reference, struct fetch_item *item,
			 struct berth_error *err)
{
	int r = read_manifest(g, reference, item, err);
	if (r)
		return r;
	g->doc = document_new(g->manifest, item->body.byte_count);
	g->referrers = json_array();
	if (!g->doc || !g->referrers)
		return berth_fail_memory(err);
	r = read_rest(g, err);
	if (r)
		return r;
	struct give artifact = {.kind = BERTH_ITEM_ARTIFACT,
				.name = reference,
				.digest = g->digest,
				.bytes = (uint64_t)js_int(g->doc, "size", 0),
				.more = g->doc};
	r = remote_give(g->sink, &artifact, err);
	return r ? r : give_referrers(g, err);
}

int artifact_give(struct remote *remote, struct registry *registry, const char *repository,
		  const char *reference, struct berth_sink *sink, struct berth_error *err)
{
	struct reading g = {
		.remote = remote, .registry = registry, .repository = repository, .sink = sink};
	struct fetch_item item = {.reference = reference};

	int r = reference_check_repository(repository, err);
	if (!r && !reference_is_digest(reference))
		r = reference_check_tag(reference, err);
	if (!r) {
		r = give_artifact(&g, reference, &item, err);
		/* What was asked is right: a registry that refuses it (400) is at fault. */
		if (r == BERTH_E_INVALID)
			r = err->code = BERTH_E_PROTOCOL;
	}
	fetch_items_done(&item, 1);
	manifest_free(g.manifest);
	json_decref(g.doc);
	json_decref(g.referrers);
	return r ? berth_wrap(err, "cannot show %.80s of %.120s", reference, repository) : 0;
}
