/* SPDX-License-Identifier: Apache-2.0 */
/* Workspaces inside the API: their members as people write them, and as rows. */
#ifndef CORE_API_WORKSPACE_H
#define CORE_API_WORKSPACE_H

#include "core/api/accounts.h"
#include "core/api/sight.h"

/* The members of a body, each {"user" and/or "uid", or "group" and/or "gid",
 * "account", "role"}, in their one form: number, name ("" where none was given), account
 * (where this system's files have the number), role, sorted by principal; *ret is new. What
 * is wrong goes into f, below /members. Names are looked up in the local files only, because
 * this thread must not wait for a directory server: others come with their number. An error
 * is of memory or of reading these files. */
MUST_USE int members_normal(const json_t *members, struct findings *f, json_t **ret,
			    struct berth_error *err);
/* Those whose number this system has given to another account since they were added,
 * each {"uid" or "gid", "was", "is"}: they are not let in. *ret is new, NULL: there are none. */
MUST_USE int members_of_others(const json_t *members, json_t **ret, struct berth_error *err);
/* Writes a normal list in place of what the workspace had. */
MUST_USE int members_store(struct store *s, const char *workspace_id, const json_t *members,
			   struct berth_error *err);
/* The same list from the store. */
MUST_USE int members_load(struct store *s, const char *workspace_id, json_t **ret,
			  struct berth_error *err);
/* "u1000" or "u1000=HEX" of a normal member, and a member of a row; role NULL: none is
 * shown. */
void member_principal(const json_t *member, char to[PRINCIPAL_ROOM]);
MUST_USE int member_object(const char *principal, const char *name, const char *role, json_t **ret,
			   struct berth_error *err);
/* The route's workspace, where the caller may know of it and, unless least is
 * MEMBER_NONE, has the route's point in it: false, answered 404 or 403. */
bool workspace_of_route(struct request *q, struct answer *a, enum member least,
			struct workspace *ret);
/* Names of the workspaces that a space is bound to, as far as the caller may
 * know: a platform role all, others their own. */
MUST_USE int workspaces_of_space(struct request *q, const char *space_id, json_t **ret,
				 struct berth_error *err);
/* Refuses what would take bindings along, with the list of them: within is a
 * condition on bindings b, spaces s and integrations i, with one value; what
 * names the thing. True: there are none; else answered 409. */
bool bindings_none(struct request *q, struct answer *a, const char *within, const char *value,
		   const char *what);

#endif
