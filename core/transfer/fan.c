/* SPDX-License-Identifier: Apache-2.0 */
/* The runs of a fan, and what the later ones need not ask the source for because an
 * earlier one did: the digests of tags, which makes all targets get the same images even
 * where a tag moves meanwhile, and manifests. See fan.h.
 */
#include "core/transfer/fan.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/js.h"

#define PATIENCE_MS 10000

int fan_new(struct net_loop *loop, uint64_t patience_ms, struct fan **ret, struct berth_error *err)
{
	struct fan *f = calloc(1, sizeof *f);
	if (f)
		f->tags = json_object();
	if (!f || !f->tags) {
		free(f);
		return berth_fail_memory(err);
	}
	f->loop = loop;
	f->patience_ms = patience_ms ? patience_ms : PATIENCE_MS;
	*ret = f;
	return 0;
}

void fan_free(struct fan *f)
{
	if (!f)
		return;
	hub_drop(f);
	json_decref(f->tags);
	free(f);
}

void fan_join(struct fan *f, struct transfer *t)
{
	if (f->run_count == TRANSFER_FAN_MAX)
		return; /* one more reads for itself */
	if (!f->run_count)
		memcpy(f->limit, t->own_limit, sizeof f->limit);
	t->limit = f->limit;
	t->fan = f;
	f->runs[f->run_count++] = t;
}

void fan_leave(struct transfer *t)
{
	struct fan *f = t->fan;
	size_t kept = 0;
	for (size_t i = 0; f && i < f->run_count; i++)
		if (f->runs[i] != t)
			f->runs[kept++] = f->runs[i];
	if (f)
		f->run_count = kept;
	t->fan = NULL;
}

static size_t place_of(const struct transfer *t)
{
	size_t i = 0;
	while (i < t->fan->run_count && t->fan->runs[i] != t)
		i++;
	return i;
}

/* Without memory a tag is asked for once more. */
static void note_tags(struct fan *f, const struct transfer *t)
{
	for (size_t n = 0; n < t->images.count; n++) {
		const struct image *i = t->images.items[n];
		char digest[DIGEST_TEXT_ROOM];
		if (!i->source_tag || i->merges || !i->source_digest.algorithm)
			continue;
		json_t *tags = json_object_get(f->tags, i->pair->source);
		if (!tags) {
			tags = json_object();
			json_object_set_new(f->tags, i->pair->source, tags);
		}
		digest_format(&i->source_digest, digest);
		if (tags && !json_object_get(tags, i->source_tag))
			json_object_set_new(tags, i->source_tag, json_string(digest));
	}
}

bool fan_knows_tag(const struct image *i, const struct transfer *t, struct digest *ret)
{
	struct fan *f = t->fan;
	struct berth_error ignored = ERROR_INIT;
	if (!f || !i->source_tag || i->merges)
		return false;
	for (size_t before = place_of(t); f->noted_count < before; f->noted_count++)
		note_tags(f, f->runs[f->noted_count]);
	const char *digest = js_str(json_object_get(f->tags, i->pair->source), i->source_tag, NULL);
	return digest && !digest_parse(digest, ret, &ignored);
}

struct doc *fan_find_doc(const struct transfer *t, const struct digest *d)
{
	for (size_t i = 0; t->fan && i < t->fan->run_count && t->fan->runs[i] != t; i++) {
		struct doc *m = run_find_doc(t->fan->runs[i], d);
		if (m && m->state == DOC_READ && m->bytes)
			return m;
	}
	return NULL;
}
