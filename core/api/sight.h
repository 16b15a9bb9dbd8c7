/* SPDX-License-Identifier: Apache-2.0 */
/* What a caller may see: whom the platform allows the route's point sees
 * everything; else it is what the workspaces may use in which the caller has that
 * point (spaces bound to them, integrations of their own), public spaces of platform
 * integrations, and operations of its own. Everything else answers as if it
 * were not there: the same condition is part of each query, so that neither
 * counts nor cursors nor ETags know of it. Runs in berthd.
 */
#ifndef CORE_API_SIGHT_H
#define CORE_API_SIGHT_H

#include "core/api/api.h"
#include "core/base/buf.h"
#include "core/store/integrations.h"
#include "core/store/logins.h"
#include "core/store/workspaces.h"

struct sight {
	bool is_all;                  /* the platform allows it: no condition */
	struct buf principals;        /* " u1000 g50 ": what MEMBER_MAY_SQL takes */
	struct buf roles;             /* those with the route's point, alike */
	char *workspace_id;           /* of ?workspace=, or NULL; owned */
	char self[2][USER_NAME_ROOM]; /* what operations of the caller's own are kept by */
	char where[1024];             /* on spaces s and integrations i */
	struct store_value values[8];
	size_t value_count;
};
void sight_done(struct sight *s);
#define AUTO_SIGHT CLEANUP(sight_done)

/* Fills *ret for the request's caller, narrowed to ?workspace= where the route
 * has it and it is given: exactly what that workspace may use. False: answered
 * (404 where there is no such workspace for this caller). */
bool sight_of(struct request *q, struct answer *a, struct sight *ret);
/* The same of integrations i themselves, and of what is joined with them: those of workspaces in
 * which the caller has the route's point. False: answered. */
bool sight_integrations(struct request *q, struct answer *a, struct sight *ret);
/* The integration of that name, where the caller has the route's point on it.
 * BERTH_E_NOT_FOUND: it is not there for this caller; BERTH_E_DENIED: it is, and the
 * point is missing. */
MUST_USE int sight_integration(struct request *q, const char *name, struct integration *ret,
			       struct berth_error *err);
/* The workspace of that name, and what the caller is to it as sight_member says. Of one that is
 * not there (BERTH_E_NOT_FOUND) the same is asked, so that the time taken tells no more than
 * the answer. */
MUST_USE int sight_named(struct request *q, const char *name, struct workspace *ret,
			 enum workspace_role *ret_role, struct berth_error *err);
/* The workspace of that name, in which the caller must have the route's point; false:
 * answered 404 or 403. */
bool sight_workspace(struct request *q, struct answer *a, const char *name, struct workspace *ret);
/* May the caller see that space? BERTH_E_NOT_FOUND as the store says it of one
 * that is not there. */
MUST_USE int sight_space(struct request *q, const char *space_id, struct berth_error *err);
/* May the caller use the route on that space as its owner does? BERTH_E_NOT_FOUND as above;
 * BERTH_E_DENIED: it is seen, but the route's point is not the caller's in the workspace
 * that owns its integration, or it is the platform's. */
MUST_USE int sight_owned_space(struct request *q, const char *space_id, struct berth_error *err);
/* May the caller use the route on the space that holds that repository: to read of it, or, as
 * its owner, to write there? BERTH_E_NOT_FOUND: there is none that the caller may see, whether
 * it is there or not; BERTH_E_DENIED: it is seen, and the route's point is missing as above. */
MUST_USE int sight_repository(struct request *q, const char *integration, const char *repository,
			      bool is_owner, struct berth_error *err);
/* The login of that id, where the caller may see logins. BERTH_E_NOT_FOUND: it is not there
 * for this caller; BERTH_E_DENIED: it is, and the route's point is missing. */
MUST_USE int sight_login(struct request *q, const char *id, struct login *ret,
			 struct berth_error *err);
/* {"indexes": [...]}: each integration that the caller's spaces are of, as a list
 * out of the index names them (indexes.c); at most 256. */
MUST_USE int indexes_in_sight(struct daemon_state *d, const struct sight *sight, json_t **ret,
			      struct berth_error *err);
/* Takes out of such a list, for whom the platform does not allow it, what a failed look said:
 * it may name what is another workspace's. That it failed, and when, stays. */
void sight_blur(const struct request *q, json_t *indexes);
/* What the caller is to a workspace: WORKSPACE_MAY where its role there, or the
 * platform, allows the route's point. */
MUST_USE int sight_member(struct request *q, const char *workspace_id, enum workspace_role *ret,
			  struct berth_error *err);
#define SIGHT_PRINCIPALS_MAX (1u << 20)
/* The caller's principals, for MEMBER_IS_SQL: of a caller of very many groups
 * those that have a role anywhere. */
MUST_USE int sight_principals(const struct caller *caller, struct buf *to, struct berth_error *err);
/* Operations: the caller's own, and what is done with integrations of workspaces that it
 * sees, whoever began that. False: answered. */
bool sight_operations(struct request *q, struct answer *a, struct sight *ret);
/* Audit rows: those of workspaces in which the caller has the route's point; without is_all
 * they are of audit_own_table. False: answered. */
bool sight_audit(struct request *q, struct answer *a, struct sight *ret);
/* Is that operation, begun by who had that number and name, for this caller's eyes? */
MUST_USE int sight_operation(struct request *q, const char *id, int64_t uid, const char *user_name,
			     bool *ret, struct berth_error *err);

#endif
