/* SPDX-License-Identifier: Apache-2.0 */
/* Events: what happened, in one sequence with ids that only grow. The last N
 * are stored, so that a reader comes back where it was; live readers are told
 * after the commit, never of what was rolled back.
 */
#ifndef CORE_OPS_EVENTS_H
#define CORE_OPS_EVENTS_H

#include <jansson.h>
#include <stdint.h>

#include "core/store/records.h"

enum {
	EVENT_OPERATION = 1,
	EVENT_LIFECYCLE = 2,
	EVENT_AUDIT = 4,
	EVENT_HEALTH = 8,
	EVENT_ALL = 15
};
/* "operation" ... and back; 0: unknown word. */
const char *event_type_name(unsigned type);
unsigned event_type_of_name(const char *name);

struct events;
/* ring_count: how many are kept stored. */
MUST_USE int events_new(struct store *s, uint32_t ring_count, struct events **ret,
			struct berth_error *err);
void events_free(struct events *e);

/* Stores one, in the caller's transaction or its own. document: an object. */
MUST_USE int events_add(struct events *e, unsigned type, const char *resource,
			const json_t *document, struct berth_error *err);
/* The newest id; 0: none yet. */
int64_t events_last(const struct events *e);

/* Live delivery: told of each committed event of those types. The row is
 * borrowed. A reader first lists what is stored (events_table, id > ?) up to
 * events_last, then subscribes, in the same turn of the loop. */
struct events_reader;
typedef void events_told(void *user, const struct event_row *row);
MUST_USE int events_subscribe(struct events *e, unsigned types, events_told *told, void *user,
			      struct events_reader **ret, struct berth_error *err);
void events_unsubscribe(struct events_reader *r); /* accepts NULL; also from told */

/* Drops what is beyond the ring; the sweep calls it. */
MUST_USE int events_prune(struct events *e, struct berth_error *err);

#endif
