/* SPDX-License-Identifier: Apache-2.0 */
/* Which events a caller may see: with a platform role all of them; else the
 * caller's own operations, and the lifecycle of spaces and workspaces that the
 * caller sees when the event is read, without the operation that did it. Runs in
 * berthd.
 */
#ifndef CORE_API_EVENT_SIGHT_H
#define CORE_API_EVENT_SIGHT_H

#include "core/api/sight.h"
#include "core/store/records.h"

/* Outlives the request: it is asked for each event of a stream. */
struct event_sight {
	bool is_all;
	bool is_fixed; /* by the caller's built-in role: nothing of below can change it */
	struct store *store;
	uid_t uid;
	char names[2][USER_NAME_ROOM]; /* what the caller's operations are kept by */
	unsigned accounts, roles;      /* changes when this was found */
	struct sight spaces;
};
/* False: answered. */
bool event_sight_of(struct request *q, struct answer *a, struct event_sight *ret);
void event_sight_done(struct event_sight *s);
/* Did roles or the system's accounts change since? Then who reads is to ask anew. */
bool event_sight_is_old(const struct event_sight *s);
/* data: the row's document, made fit for this caller. */
MUST_USE int event_sight_sees(const struct event_sight *s, const struct event_row *row,
			      json_t *data, bool *ret, struct berth_error *err);

#endif
