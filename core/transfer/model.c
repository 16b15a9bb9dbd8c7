/* SPDX-License-Identifier: Apache-2.0 */
/* What a run knows, found by digest and made where it is missing: see run.h.
 * Without memory the run ends; callers just return then.
 */
#include <search.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/log.h"
#include "core/transfer/fan.h"
#include "core/transfer/parts.h"

bool vec_add(struct transfer *t, struct vec *l, void *item)
{
	struct berth_error err = ERROR_INIT;
	if (l->count == l->room) {
		size_t room = l->room ? 2 * l->room : 4;
		void **items = reallocarray(l->items, room, sizeof *items);
		if (!items) {
			berth_fail_memory(&err);
			run_abort(t, &err);
			return false;
		}
		l->items = items;
		l->room = room;
	}
	l->items[l->count++] = item;
	return true;
}

void vec_done(struct vec *l)
{
	free(l->items);
	*l = (struct vec){0};
}

void run_abort(struct transfer *t, const struct berth_error *err)
{
	if (t->ended)
		return;
	t->ended = err->code;
	t->end_err = *err;
}

struct fault *run_fault(struct transfer *t, int side, const struct berth_error *err)
{
	struct fault *f = calloc(1, sizeof *f);
	struct berth_error none = ERROR_INIT;
	if (!f) {
		berth_fail_memory(&none);
		run_abort(t, &none);
		return NULL;
	}
	f->side = side;
	f->err = *err;
	log_mask(f->err.message); /* a server may have repeated what it was sent */
	log_mask(f->err.cause);
	f->next = t->faults;
	t->faults = f;
	return f;
}

/* Every keyed object begins with its digest. */
static int by_digest(const void *a, const void *b)
{
	const struct digest *x = a, *y = b;
	if (x->algorithm != y->algorithm)
		return x->algorithm < y->algorithm ? -1 : 1;
	return memcmp(x->bytes, y->bytes, x->byte_count);
}

/* The object with that digest, made (zeroed) where missing. */
static void *find_or_make(struct transfer *t, void **tree, const struct digest *d, size_t room,
			  bool *ret_new)
{
	struct berth_error err = ERROR_INIT;
	void **at = tfind(d, tree, by_digest);
	*ret_new = false;
	if (at)
		return *at;
	struct digest *object = calloc(1, room);
	if (object) {
		*object = *d;
		*ret_new = tsearch(object, tree, by_digest) != NULL;
	}
	if (!*ret_new) {
		free(object);
		berth_fail_memory(&err);
		run_abort(t, &err);
		return NULL;
	}
	return object;
}

struct doc *run_doc(struct transfer *t, struct pair *p, const struct digest *d)
{
	bool is_new;
	struct doc *m = find_or_make(t, &t->docs, d, sizeof *m, &is_new);
	if (m && is_new)
		m->pair = p;
	return m;
}

struct doc *run_find_doc(struct transfer *t, const struct digest *d)
{
	void **at = tfind(d, &t->docs, by_digest);
	return at ? *at : NULL;
}

struct node *run_node(struct transfer *t, struct pair *p, const struct digest *d)
{
	bool is_new;
	struct doc *m = run_doc(t, p, d);
	struct node *n = m ? find_or_make(t, &p->nodes, d, sizeof *n, &is_new) : NULL;
	if (!n || !is_new)
		return n;
	n->doc = m;
	n->pair = p;
	return vec_add(t, &t->nodes_ordered, n) ? n : NULL;
}

const struct node *run_find_node(const struct transfer *t, const char *source,
				 const struct digest *d)
{
	for (size_t i = 0; i < t->pairs.count; i++) {
		const struct pair *p = t->pairs.items[i];
		void **at = strcmp(p->source, source) ? NULL : tfind(d, &p->nodes, by_digest);
		if (at)
			return *at;
	}
	return NULL;
}

static struct blob *run_blob(struct transfer *t, const struct digest *d, int64_t byte_count)
{
	bool is_new;
	struct blob *b = find_or_make(t, &t->blobs, d, sizeof *b, &is_new);
	if (b && is_new)
		b->byte_count = byte_count;
	return b;
}

struct blob *run_find_blob(struct transfer *t, const struct digest *d)
{
	void **at = tfind(d, &t->blobs, by_digest);
	return at ? *at : NULL;
}

struct place *run_place(struct transfer *t, struct pair *p, const struct digest *d,
			int64_t byte_count)
{
	bool is_new;
	struct blob *b = run_blob(t, d, byte_count);
	struct place *place = b ? find_or_make(t, &p->places, d, sizeof *place, &is_new) : NULL;
	if (!place || !is_new)
		return place;
	place->blob = b;
	place->pair = p;
	if (b->last_place)
		b->last_place->next_of_blob = place;
	else
		b->places = place;
	b->last_place = place;
	return vec_add(t, &t->places_ordered, place) ? place : NULL;
}

struct image *run_image(struct transfer *t, struct pair *p, const char *source_tag,
			const char *target_tag)
{
	struct berth_error err = ERROR_INIT;
	struct image *i = calloc(1, sizeof *i);
	if (i) {
		i->pair = p;
		i->source_tag = source_tag ? strdup(source_tag) : NULL;
		i->target_tag = target_tag ? strdup(target_tag) : NULL;
		if ((i->source_tag || !source_tag) && (i->target_tag || !target_tag))
			return vec_add(t, &t->images, i) ? i : NULL;
		free(i->source_tag);
		free(i->target_tag);
		free(i);
	}
	berth_fail_memory(&err);
	run_abort(t, &err);
	return NULL;
}

struct shared {
	size_t users;
	char bytes[];
};

static struct shared *shared_of(char *bytes)
{
	return (struct shared *)(void *)(bytes - offsetof(struct shared, bytes));
}

char *bytes_new(size_t byte_count)
{
	struct shared *s = malloc(sizeof *s + byte_count);
	if (!s)
		return NULL;
	s->users = 1;
	return s->bytes;
}

char *bytes_share(char *bytes)
{
	shared_of(bytes)->users++;
	return bytes;
}

void bytes_drop(char *bytes)
{
	if (bytes && !--shared_of(bytes)->users)
		free(shared_of(bytes));
}

static void free_texts(struct vec *l)
{
	for (size_t i = 0; i < l->count; i++)
		free(l->items[i]);
	vec_done(l);
}

static void free_doc(void *object)
{
	struct doc *m = object;
	free(m->media_type);
	bytes_drop(m->bytes);
	for (size_t i = 0; i < m->need_count; i++)
		free(m->needs[i].media_type);
	free(m->needs);
	vec_done(&m->waiters);
	free(m);
}

static void free_node(void *object)
{
	struct node *n = object;
	vec_done(&n->parents);
	vec_done(&n->images);
	back_free(n->back);
	vec_done(&n->gated);
	json_decref(n->found);
	free(n);
}

static void free_place(void *object)
{
	struct place *p = object;
	vec_done(&p->waiters);
	free(p->session);
	free(p);
}

static void free_blob(void *object)
{
	struct blob *b = object;
	free(b->foreign_home);
	free(b);
}

static void free_pair(struct pair *p)
{
	tdestroy(p->nodes, free_node);
	tdestroy(p->places, free_place);
	free_texts(&p->companion_tags);
	free_texts(&p->target_tags);
	json_decref(p->known[SIDE_SOURCE]);
	json_decref(p->known[SIDE_TARGET]);
	free_texts(&p->source_tags);
	free(p->source);
	free(p->target);
	free(p->label_source);
	free(p->label_target);
	free(p);
}

static void free_image(struct image *i)
{
	free(i->source_tag);
	free(i->target_tag);
	free(i->body);
	free(i->body_type);
	free(i);
}

void run_free_model(struct transfer *t)
{
	for (size_t i = 0; i < t->images.count; i++)
		free_image(t->images.items[i]);
	for (size_t i = 0; i < t->pairs.count; i++)
		free_pair(t->pairs.items[i]);
	tdestroy(t->docs, free_doc);
	tdestroy(t->blobs, free_blob);
	vec_done(&t->images);
	vec_done(&t->pairs);
	vec_done(&t->places_ordered);
	vec_done(&t->nodes_ordered);
	vec_done(&t->probing);
	vec_done(&t->ready);
	vec_done(&t->granted);
	while (t->faults) {
		struct fault *f = t->faults;
		t->faults = f->next;
		free(f);
	}
}
