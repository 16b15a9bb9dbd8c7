/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of roles: the built-in ones, which the schema brings, and custom ones;
 * who has one of the platform. Who has one in a workspace is that workspace's
 * member row (workspaces.h).
 */
#ifndef CORE_STORE_ROLES_H
#define CORE_STORE_ROLES_H

#include "core/store/list.h"

struct role_row {
	char *name;
	char *description;
	char *scope;       /* "platform" or "workspace" */
	char *permissions; /* points joined by spaces; of a built-in one core/access knows them */
	int64_t is_built_in;
	int64_t generation;
	int64_t created_ms, updated_ms; /* 0: built in */
};
/* A role of the platform that somebody has. */
struct role_member {
	char *role;
	char *principal; /* "u1000", "g50" */
	char *name;      /* as it was given; "" where only the number was */
};
/* Anybody with a role: in that workspace, or "" for the platform. */
struct role_holder {
	char *role, *workspace, *principal, *name;
};
/* One role that a caller has somewhere; principal serves the condition. */
struct role_grant {
	char *role, *scope, *permissions, *principal;
};
extern const struct store_table roles_table, role_members_table, role_holders_table,
	role_grants_table;
#define AUTO_ROLE CLEANUP(role_done)

MUST_USE int role_get(struct store *s, const char *name, struct role_row *ret,
		      struct berth_error *err);
void role_done(struct role_row *row);
/* BERTH_E_CONFLICT: the name is taken. */
MUST_USE int role_add(struct store *s, const struct role_row *row, struct berth_error *err);
/* Writes description, permissions, generation and updated_ms by name. */
MUST_USE int role_change(struct store *s, const struct role_row *row, struct berth_error *err);
/* Removes it with its members. */
MUST_USE int role_remove(struct store *s, const char *name, struct berth_error *err);
MUST_USE int role_member_add(struct store *s, const struct role_member *row,
			     struct berth_error *err);
MUST_USE int role_members_clear(struct store *s, const char *role, struct berth_error *err);

#endif
