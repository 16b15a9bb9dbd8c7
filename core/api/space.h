/* SPDX-License-Identifier: Apache-2.0 */
/* Spaces and what they hold inside the API: references as users write them,
 * and the rows that they mean. Runs in berthd.
 */
#ifndef CORE_API_SPACE_H
#define CORE_API_SPACE_H

#include "core/api/api.h"
#include "core/oci/reference.h"
#include "core/store/images.h"
#include "core/store/integrations.h"
#include "core/store/spaces.h"

#define SPACE_DEFAULT "default"

/* The space of what no declared prefix holds, for plugins whose servers have
 * no spaces of their own; nothing where it is there or not needed. */
MUST_USE int space_add_default(struct daemon_state *d, const char *integration_id, const char *kind,
			       struct berth_error *err);
/* Counts each space of an integration anew, and the integration. */
MUST_USE int space_recount_all(struct daemon_state *d, const char *integration_id,
			       struct berth_error *err);
/* Finds by the route's id; false: answered 404. */
bool space_of_route(struct request *q, struct answer *a, struct space *ret);
/* The same for routes that are for a space's owner: whom the platform doesn't allow the
 * route needs its point in the workspace that the space's integration belongs to; false:
 * answered 404, or 403 where the space may be seen. */
bool owned_space_of_route(struct request *q, struct answer *a, struct space *ret);
/* The same for a space that the body names. */
bool owned_space(struct request *q, struct answer *a, const char *id, struct space *ret);

/* What a user may change of a space: what its ETag is made of. */
json_t *space_desired(const struct space *row) MUST_USE;

/* space_ops.c: spaces of the server itself; q is answered, with an operation
 * or a plan. */
void space_create_there(struct request *q, struct answer *a, const struct integration *of);
void space_delete_there(struct request *q, struct answer *a, const struct space *row);
/* A prefix is public by Berth's word, and no server is asked: q is answered with the space. */
void space_change_prefix(struct request *q, struct answer *a, struct space *row);
/* Fills what a SPACE item of a job says; texts are borrowed from it. */
void space_of_item(struct space *to, const json_t *item, int64_t now_ms);

/* REPOSITORY[:TAG][@DIGEST] as a path parameter has it; the integration of
 * *ret is the space's. */
MUST_USE int space_reference(const struct space *space, const char *text, struct reference *ret,
			     struct berth_error *err);
/* Answers what it says is wrong. */
void space_reference_refused(struct answer *a, const struct berth_error *why);
/* The row of a repository in the index, made where it is new. */
MUST_USE int space_repository(struct daemon_state *d, const char *integration_id, const char *name,
			      int64_t *ret_id, struct berth_error *err);

#endif
