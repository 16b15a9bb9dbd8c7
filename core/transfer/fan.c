/* SPDX-License-Identifier: Apache-2.0 */
/* The runs of a fan, and what the later ones need not ask the source for because an
 * earlier one did: lists of tags and their digests, which makes all targets get the same
 * images even where a tag moves meanwhile, manifests, and what refers to them. See fan.h.
 */
#include "core/transfer/fan.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/js.h"

#define PATIENCE_MS 10000
#define LISTED_MAX 50000 /* tags whose lists are kept: some 4 MiB; more are asked for again */

int fan_new(struct net_loop *loop, uint64_t patience_ms, struct fan **ret, struct berth_error *err)
{
	struct fan *f = calloc(1, sizeof *f);
	if (!f)
		return berth_fail_memory(err);
	f->tags = json_object();
	f->lists = json_object();
	if (!f->tags || !f->lists) {
		fan_free(f);
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
	json_decref(f->lists);
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

/* Without memory the list is asked for once more. */
void fan_note_list(const struct transfer *t, const struct pair *p)
{
	struct fan *f = t->fan;
	if (!f || p->odd || f->listed_count + p->source_tags.count > LISTED_MAX)
		return;
	AUTO_JSON json_t *list = json_array();
	for (size_t i = 0; i < p->source_tags.count; i++)
		if (json_array_append_new(list, json_string(p->source_tags.items[i])))
			return;
	if (!json_object_set(f->lists, p->source, list))
		f->listed_count += p->source_tags.count;
}

bool fan_knows_list(struct transfer *t, struct pair *p)
{
	const json_t *list = t->fan ? json_object_get(t->fan->lists, p->source) : NULL;
	size_t i;
	json_t *tag;
	json_array_foreach (list, i, tag) {
		char *copy = strdup(json_string_value(tag));
		if (vec_add(t, &p->source_tags, copy))
			continue;
		free(copy);
		break; /* the run has ended */
	}
	return list != NULL;
}

enum side_api fan_source_api(const struct transfer *t)
{
	for (size_t i = 0; t->fan && i < t->fan->run_count && t->fan->runs[i] != t; i++) {
		enum side_api api = t->fan->runs[i]->sides[SIDE_SOURCE].referrers;
		if (api == API_NO || api == API_YES)
			return api;
	}
	return API_UNKNOWN;
}

json_t *fan_find_referrers(const struct transfer *t, const struct node *n)
{
	for (size_t i = 0; t->fan && i < t->fan->run_count && t->fan->runs[i] != t; i++) {
		const struct node *other =
			run_find_node(t->fan->runs[i], n->pair->source, &n->digest);
		if (other && other->is_searched)
			return json_copy(other->found);
	}
	return NULL;
}
