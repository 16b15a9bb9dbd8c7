/* SPDX-License-Identifier: Apache-2.0 */
/* Roles inside the API: what a row comes to, and which a member may have. */
#ifndef CORE_API_ROLE_H
#define CORE_API_ROLE_H

#include "core/api/api.h"
#include "core/store/roles.h"

/* The points of a role: of a built-in one the table's, else those of its row and
 * what they depend on by today's table. */
struct point_set role_points(const char *name, const char *permissions);
/* How often this process changed a role or who has it. */
unsigned role_changes(void);
/* Adds to f, below /members, each member of a normal list whose role is none that
 * a workspace gives. */
MUST_USE int roles_check_members(struct store *s, const json_t *members, struct findings *f,
				 struct berth_error *err);

#endif
