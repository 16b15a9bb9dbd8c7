/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of workspaces: the tenant itself, its members, and the bindings that let
 * it use spaces. Names are unique; members are known by their numbers.
 */
#ifndef CORE_STORE_WORKSPACES_H
#define CORE_STORE_WORKSPACES_H

#include "core/store/list.h"

struct workspace {
	char *id; /* UUID */
	char *name;
	char *description;
	int64_t generation;
	int64_t created_ms, updated_ms;
	int64_t patches_account; /* pull secrets are entered in default service accounts */
};
struct workspace_member {
	char *workspace_id;
	char *principal; /* "u1000", "g50" */
	char *name;      /* as it was given; "" where only the number was */
	char *role;      /* its name: core/store/roles.h */
};
/* One binding with the names that it joins. */
struct space_binding {
	char *space_id, *workspace_id;
	char *workspace, *integration, *space;
	int64_t created_ms;
	char *retired_for; /* the drift that took it out of use (api/drift.h); "": it counts */
	int64_t retired_ms;
};
extern const struct store_table workspaces_table, workspace_members_table, space_bindings_table;

MUST_USE int workspace_get(struct store *s, const char *name, struct workspace *ret,
			   struct berth_error *err);
MUST_USE int workspace_get_by_id(struct store *s, const char *id, struct workspace *ret,
				 struct berth_error *err);
void workspace_done(struct workspace *row);
#define AUTO_WORKSPACE CLEANUP(workspace_done)

/* BERTH_E_CONFLICT: the name is taken. */
MUST_USE int workspace_add(struct store *s, const struct workspace *row, struct berth_error *err);
/* Writes description, generation, updated_ms and patches_account by id. */
MUST_USE int workspace_change(struct store *s, const struct workspace *row,
			      struct berth_error *err);
/* Removes it with its members and bindings. */
MUST_USE int workspace_remove(struct store *s, const char *id, struct berth_error *err);

/* Members, one by one; clear removes all of one workspace. */
MUST_USE int workspace_member_add(struct store *s, const struct workspace_member *row,
				  struct berth_error *err);
MUST_USE int workspace_members_clear(struct store *s, const char *workspace_id,
				     struct berth_error *err);

/* Binding what is bound, or unbinding what is not, changes nothing and is no
 * error; *ret_changed says which it was. What was retired is bound again. */
MUST_USE int space_bind(struct store *s, const char *space_id, const char *workspace_id,
			int64_t now_ms, bool *ret_changed, struct berth_error *err);
MUST_USE int space_unbind(struct store *s, const char *space_id, const char *workspace_id,
			  bool *ret_changed, struct berth_error *err);

/* Every binding of the space that is retired for `from` ("": those that count)
 * is retired for `to` from then on ("": it counts again). */
MUST_USE int space_retire(struct store *s, const char *space_id, const char *from, const char *to,
			  int64_t at_ms, struct berth_error *err);

/* The scope of integrations that belong to no workspace: no workspace is named so. */
#define PLATFORM_SCOPE "platform"

/* What a caller is to the workspaces, as SQL. One text value is bound: the
 * caller's principals, each between two spaces (" u1000 g50 "). The aliases are
 * those of the tables' own selects: w of workspaces_table, s and i of
 * spaces_table, m of members. The two databases find a text within another by functions
 * of different names, and '_' in a LIKE is any character: what is found becomes '!',
 * which no principal and no role has. */
#define AMONG_SQL(column) "REPLACE(?, ' ' || " column " || ' ', '!') LIKE '%!%'"
#define MEMBER_IS_SQL AMONG_SQL("m.principal")
/* A text value: names of roles, each between two spaces. */
#define MEMBER_ROLE_SQL AMONG_SQL("m.role")
/* Two text values: the principals, and the roles that count. */
#define MEMBER_MAY_SQL MEMBER_IS_SQL " AND " MEMBER_ROLE_SQL
#define WORKSPACE_OWN_SQL                                                                          \
	"EXISTS (SELECT 1 FROM workspace_members m WHERE m.workspace_id = w.id "                   \
	"AND " MEMBER_IS_SQL ")"
#define SPACE_PUBLIC_SQL "(s.is_public = 1 AND i.scope = '" PLATFORM_SCOPE "')"
#define SPACE_OWN_SQL                                                                              \
	"s.id IN (SELECT b.space_id FROM space_bindings b JOIN workspace_members m "               \
	"ON m.workspace_id = b.workspace_id WHERE b.retired_ms = 0 AND " MEMBER_MAY_SQL ")"
/* One text value: the workspace's id. */
#define SPACE_BOUND_SQL                                                                            \
	"s.id IN (SELECT b.space_id FROM space_bindings b WHERE b.retired_ms = 0 "                 \
	"AND b.workspace_id = ?)"
/* Integrations of a workspace's own: two values as of MEMBER_MAY_SQL, or the
 * workspace's id. */
#define INTEGRATION_OWN_SQL                                                                        \
	"i.scope IN (SELECT w.name FROM workspaces w JOIN workspace_members m "                    \
	"ON m.workspace_id = w.id WHERE w.name <> '" PLATFORM_SCOPE "' AND " MEMBER_MAY_SQL ")"
#define INTEGRATION_OF_SQL                                                                         \
	"i.scope IN (SELECT w.name FROM workspaces w WHERE w.name <> '" PLATFORM_SCOPE             \
	"' AND w.id = ?)"
/* Of space_bindings_table's own select: those that count. */
#define BINDING_COUNTS_SQL "b.retired_ms = 0"

enum workspace_role { WORKSPACE_NONE, WORKSPACE_MEMBER, WORKSPACE_MAY };
/* What those principals are to that workspace: MAY where one of those roles is
 * among theirs (" workspace-admin keeper "), else MEMBER where they have any. */
MUST_USE int workspace_role(struct store *s, const char *workspace_id, const char *principals,
			    const char *roles, enum workspace_role *ret, struct berth_error *err);

/* Which groups are members of some workspace or have a role of the platform. */
struct known_group {
	char *principal;
};
extern const struct store_table known_groups_table;

#endif
