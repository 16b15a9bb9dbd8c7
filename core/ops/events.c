/* SPDX-License-Identifier: Apache-2.0 */
/* Events: stored in the transaction that made them, told to live readers when
 * that is on disk. What waits for its commit is kept in a queue with the depth
 * of its transaction, so that a rollback drops just what it undoes.
 */
#include "core/ops/events.h"

#include <string.h>

#include "core/base/clock.h"
#include "core/base/js.h"
#include "core/base/log.h"

#define QUEUE_MAX 4096 /* events of one transaction that live readers get */

static const struct {
	unsigned type;
	const char *name;
} types[] = {
	{EVENT_OPERATION, "operation"},
	{EVENT_LIFECYCLE, "lifecycle"},
	{EVENT_AUDIT, "audit"},
	{EVENT_HEALTH, "health"},
};

struct waiting {
	struct event_row row; /* type is static, resource and document are owned */
	unsigned type, depth;
	struct waiting *next;
};

struct events_reader {
	struct events *events;
	unsigned types;
	events_told *told;
	void *user;
	bool is_gone; /* unsubscribed while told */
	struct events_reader *next;
};

struct events {
	struct store *store;
	uint32_t ring_count;
	int64_t last;      /* given out, maybe not yet committed */
	int64_t committed; /* on disk */
	struct waiting *first, **end;
	uint32_t waiting_count;
	struct events_reader *readers;
	bool is_telling;
};

const char *event_type_name(unsigned type)
{
	for (size_t i = 0; i < ARRAY_COUNT(types); i++)
		if (types[i].type == type)
			return types[i].name;
	return "";
}

unsigned event_type_of_name(const char *name)
{
	for (size_t i = 0; i < ARRAY_COUNT(types); i++)
		if (!strcmp(types[i].name, name))
			return types[i].type;
	return 0;
}

static void free_waiting(struct waiting *w)
{
	free(w->row.resource);
	free(w->row.document);
	free(w);
}

static void drop_gone_readers(struct events *e)
{
	struct events_reader **at = &e->readers;

	while (*at) {
		struct events_reader *r = *at;

		if (r->is_gone) {
			*at = r->next;
			free(r);
		} else {
			at = &r->next;
		}
	}
}

static void tell(struct events *e, const struct waiting *w)
{
	for (struct events_reader *r = e->readers; r; r = r->next)
		if (!r->is_gone && (r->types & w->type))
			r->told(r->user, &w->row);
}

/* A reader may add events; those queue up and are told by their own commit. */
static void deliver(struct events *e)
{
	bool is_outer = !e->is_telling; /* told may commit, and so come back here */
	struct waiting *w = e->first;

	e->first = NULL;
	e->end = &e->first;
	e->waiting_count = 0;
	e->committed = e->last;
	e->is_telling = true;
	while (w) {
		struct waiting *next = w->next;

		tell(e, w);
		free_waiting(w);
		w = next;
	}
	if (!is_outer)
		return;
	e->is_telling = false;
	drop_gone_readers(e);
}

static void committed(void *user, unsigned depth)
{
	struct events *e = user;

	if (!depth) {
		deliver(e);
		return;
	}
	for (struct waiting *w = e->first; w; w = w->next)
		if (w->depth > depth)
			w->depth = depth;
}

/* The ids that were given out and undone are given out again: a reader sees no
 * gap, as no one has seen them. */
static void rolled_back(void *user, unsigned depth)
{
	struct events *e = user;
	struct waiting **at = &e->first;

	while (*at && (*at)->depth <= depth)
		at = &(*at)->next;
	while (*at) {
		struct waiting *w = *at;

		*at = w->next;
		free_waiting(w);
		e->waiting_count--;
	}
	e->end = at;
	if (!depth)
		e->last = e->committed;
}

int events_new(struct store *s, uint32_t ring_count, struct events **ret, struct berth_error *err)
{
	struct events *e = calloc(1, sizeof(*e));
	struct store_hook hook = {committed, rolled_back, e};
	int rc;

	if (!e)
		return berth_fail_memory(err);
	e->store = s;
	e->ring_count = ring_count;
	e->end = &e->first;
	rc = event_row_last(s, &e->last, err);
	if (rc) {
		free(e);
		return rc;
	}
	e->committed = e->last;
	store_add_hook(s, &hook);
	*ret = e;
	return 0;
}

void events_free(struct events *e)
{
	if (!e)
		return;
	store_remove_hook(e->store, e);
	rolled_back(e, 0);
	for (struct events_reader *r = e->readers; r; r = r->next)
		r->is_gone = true;
	drop_gone_readers(e);
	free(e);
}

static int enqueue(struct events *e, unsigned type, const struct event_row *row,
		   struct berth_error *err)
{
	struct waiting *w;

	if (!e->readers || e->waiting_count >= QUEUE_MAX)
		return 0;
	w = calloc(1, sizeof(*w));
	if (!w)
		return berth_fail_memory(err);
	w->row = *row;
	w->row.resource = strdup(row->resource);
	w->row.document = strdup(row->document);
	w->type = type;
	w->depth = store_depth(e->store);
	if (!w->row.resource || !w->row.document) {
		free_waiting(w);
		return berth_fail_memory(err);
	}
	*e->end = w;
	e->end = &w->next;
	e->waiting_count++;
	return 0;
}

int events_add(struct events *e, unsigned type, const char *resource, const json_t *document,
	       struct berth_error *err)
{
	AUTO_FREE char *text = js_canonical(document);
	struct event_row row = {
		.id = e->last + 1,
		.type = (char *)(uintptr_t)event_type_name(type),
		.resource = (char *)(uintptr_t)resource,
		.document = text,
		.time_ms = clock_unix_ms(),
	};
	TRANSACTION t = {0};
	int rc;

	if (!text)
		return berth_fail_memory(err);
	rc = transaction_begin(&t, e->store, err);
	if (!rc)
		rc = event_row_add(e->store, &row, err);
	/* Between sweeps the ring grows by an eighth at most. */
	if (!rc && row.id > e->ring_count && !(row.id % (e->ring_count / 8 + 1)))
		rc = event_row_prune(e->store, row.id - e->ring_count, err);
	if (!rc)
		rc = enqueue(e, type, &row, err);
	if (rc)
		return rc;
	e->last = row.id;
	return transaction_commit(&t, err);
}

int64_t events_last(const struct events *e)
{
	return e->committed;
}

int events_subscribe(struct events *e, unsigned wanted, events_told *told, void *user,
		     struct events_reader **ret, struct berth_error *err)
{
	struct events_reader *r = calloc(1, sizeof(*r));

	if (!r)
		return berth_fail_memory(err);
	*r = (struct events_reader){e, wanted, told, user, false, e->readers};
	e->readers = r;
	*ret = r;
	return 0;
}

void events_unsubscribe(struct events_reader *r)
{
	if (!r)
		return;
	r->is_gone = true;
	if (!r->events->is_telling)
		drop_gone_readers(r->events);
}

int events_prune(struct events *e, struct berth_error *err)
{
	int64_t up_to = e->committed - (int64_t)e->ring_count;

	return up_to > 0 ? event_row_prune(e->store, up_to, err) : 0;
}
