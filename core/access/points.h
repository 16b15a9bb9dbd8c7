/* SPDX-License-Identifier: Apache-2.0 */
/* Permission points: what may be allowed, one by one. Each route of
 * docs/openapi.json names its point; the built-in roles and the custom ones are
 * sets of points. One table (points.c) says what each allows, which others it
 * depends on, and which built-in roles have it. Pure; runs in berthd.
 */
#ifndef CORE_ACCESS_POINTS_H
#define CORE_ACCESS_POINTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Built-in roles of the platform, and of a workspace; each has all that those
 * below it have. */
enum role { ROLE_NONE, ROLE_VIEWER, ROLE_OPERATOR, ROLE_ADMIN };
enum member { MEMBER_NONE, MEMBER_PLAIN, MEMBER_ADMIN };

/* In the order of their names. */
enum point {
	POINT_NONE, /* of a route that everybody may call */
	POINT_AUDIT_READ,
	POINT_BINDINGS_CHANGE,
	POINT_BINDINGS_READ,
	POINT_CHANGES_REPORT,
	POINT_CLUSTERS_CREATE,
	POINT_CLUSTERS_DELETE,
	POINT_CLUSTERS_EDIT,
	POINT_CLUSTERS_PROBE,
	POINT_CLUSTERS_READ,
	POINT_COPIES_READ,
	POINT_COPIES_RUN,
	POINT_DAEMON_RELOAD,
	POINT_EVENTS_READ,
	POINT_IMAGES_DELETE,
	POINT_IMAGES_DESCRIBE,
	POINT_IMAGES_READ,
	POINT_INTEGRATIONS_CREATE,
	POINT_INTEGRATIONS_DELETE,
	POINT_INTEGRATIONS_EDIT,
	POINT_INTEGRATIONS_MAINTAIN,
	POINT_INTEGRATIONS_PROBE,
	POINT_INTEGRATIONS_READ,
	POINT_LOGINS_ANY,
	POINT_LOGINS_CREATE,
	POINT_LOGINS_READ,
	POINT_LOGINS_REVOKE,
	POINT_METRICS_READ,
	POINT_OPERATIONS_ANY,
	POINT_OPERATIONS_CANCEL,
	POINT_OPERATIONS_READ,
	POINT_PLUGINS_READ,
	POINT_RETENTION_EDIT,
	POINT_RETENTION_READ,
	POINT_RETENTION_RUN,
	POINT_ROLES_EDIT,
	POINT_ROLES_READ,
	POINT_SCANS_CONFIGURE,
	POINT_SCANS_READ,
	POINT_SCANS_RUN,
	POINT_SPACES_CREATE,
	POINT_SPACES_DELETE,
	POINT_SPACES_EDIT,
	POINT_SPACES_READ,
	POINT_SYNCS_CREATE,
	POINT_SYNCS_DELETE,
	POINT_SYNCS_EDIT,
	POINT_SYNCS_READ,
	POINT_SYNCS_RUN,
	POINT_WORKSPACES_CREATE,
	POINT_WORKSPACES_DELETE,
	POINT_WORKSPACES_EDIT,
	POINT_WORKSPACES_READ,
	POINT_COUNT
};

#define POINT_NEEDS_MAX 3
struct point_row {
	const char *name;   /* "images.delete" */
	const char *allows; /* "delete tags, artifacts and repositories" */
	enum role role;     /* the least built-in role of the platform that has it */
	enum member member; /* the least of a workspace; MEMBER_NONE: it is the platform's alone */
	bool is_reserved;   /* admin alone: no custom role has it */
	enum point needs[POINT_NEEDS_MAX]; /* without these it is of no use; ends with POINT_NONE */
};
/* [POINT_COUNT]; the first is nothing. */
extern const struct point_row points[];

struct point_set {
	uint64_t words[2];
};
_Static_assert(POINT_COUNT <= 128, "a point_set has room for 128 points");

static inline bool points_has(const struct point_set *set, enum point point)
{
	return (set->words[point / 64] >> (point % 64)) & 1;
}
static inline void points_add(struct point_set *set, enum point point)
{
	set->words[point / 64] |= (uint64_t)1 << (point % 64);
}
static inline bool points_any(const struct point_set *set)
{
	return (set->words[0] | set->words[1]) != 0;
}
void points_unite(struct point_set *set, const struct point_set *other);

/* What a built-in role is. */
struct point_set points_of_role(enum role role);
struct point_set points_of_member(enum member member);
/* May a role of that scope have the point? */
bool points_fits(enum point point, bool is_of_workspace);

/* POINT_NONE: there is no such point. */
enum point points_find(const char *name);
/* The name nearest to it, or NULL. */
const char *points_near(const char *name);
/* Adds what the points of the set depend on, and what that depends on. */
void points_close(struct point_set *set);
/* The set's names, in their order, joined by single spaces; and back: names that
 * mean nothing (of another version) are left out. */
#define POINT_TEXT_ROOM 4096
void points_format(const struct point_set *set, char *to, size_t room);
struct point_set points_parse(const char *text);

/* A point of such a table that depends on itself, however far round, or NULL. */
const char *points_cycle(const struct point_row *rows, size_t row_count);

#endif
