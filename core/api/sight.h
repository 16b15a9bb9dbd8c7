/* SPDX-License-Identifier: Apache-2.0 */
/* What a caller may see: a platform role sees everything; without one, the
 * caller's workspaces, the spaces bound to them, public spaces of platform
 * integrations, and operations of its own. Everything else answers as if it
 * were not there: the same condition is part of each query, so that neither
 * counts nor cursors nor ETags know of it. Runs in berthd.
 */
#ifndef CORE_API_SIGHT_H
#define CORE_API_SIGHT_H

#include "core/api/api.h"
#include "core/base/buf.h"
#include "core/store/workspaces.h"

struct sight {
	bool is_all;           /* a platform role: no condition */
	struct buf principals; /* " u1000 g50 ": what MEMBER_IS_SQL takes */
	char *workspace_id;    /* of ?workspace=, or NULL; owned */
	char where[1024];      /* on spaces s and integrations i */
	struct store_value values[3];
	size_t value_count;
};
void sight_done(struct sight *s);
#define AUTO_SIGHT CLEANUP(sight_done)

/* Fills *ret for the request's caller, narrowed to ?workspace= where the route
 * has it and it is given: exactly what that workspace may use. False: answered
 * (404 where there is no such workspace for this caller). */
bool sight_of(struct request *q, struct answer *a, struct sight *ret);
/* May the caller see that space? BERTH_E_NOT_FOUND as the store says it of one
 * that is not there. */
MUST_USE int sight_space(struct request *q, const char *space_id, struct berth_error *err);
/* {"indexes": [...]}: each integration that the caller's spaces are of, as a list
 * out of the index names them (indexes.c); at most 256. */
MUST_USE int indexes_in_sight(struct daemon_state *d, const struct sight *sight, json_t **ret,
			      struct berth_error *err);
/* Takes out of such a list, for who has no platform role, what a failed look said:
 * it may name what is another workspace's. That it failed, and when, stays. */
void sight_blur(const struct caller *caller, json_t *indexes);
/* The caller's role in a workspace: MEMBER_ADMIN for a platform admin. */
MUST_USE int sight_member(struct request *q, const char *workspace_id, enum member *ret,
			  struct berth_error *err);
/* The caller's principals, for MEMBER_IS_SQL. */
MUST_USE int sight_principals(const struct caller *caller, struct buf *to, struct berth_error *err);
/* Is the operation of that user for this caller's eyes? */
bool sight_operation(const struct caller *caller, uid_t uid);

#endif
