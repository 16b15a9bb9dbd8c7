/* SPDX-License-Identifier: Apache-2.0 */
/* Who may do what: the caller's numbers as the kernel told them at accept, the
 * platform role that follows, and what the store grants beyond it. Runs in berthd.
 */
#ifndef CORE_ACCESS_ACCESS_H
#define CORE_ACCESS_ACCESS_H

#include <sys/types.h>

#include "core/access/points.h"
#include "core/base/buf.h"

/* Who is asking: the kernel's word at accept, and the role that follows. Custom
 * roles and workspaces' grants are kept by the store: they are asked for anew in
 * each request that the role does not allow (struct grants). */
struct caller {
	uid_t uid;
	gid_t *groups; /* the main one, then the others in order; owned */
	size_t group_count;
	pid_t pid; /* for the log; never trusted */
	enum role role;
	bool is_reporter; /* may tell of changes at registries, whatever the role */
};

#define ACCESS_NO_ID ((uint32_t)-1)
/* Group ids, looked up once at start and at reload (a look-up may block). */
struct access_config {
	/* ACCESS_NO_ID: no such group */
	gid_t admin_gid, operator_gid, viewer_gid, reporter_gid;
	uid_t private_admin_uid; /* a private daemon's starting user, else ACCESS_NO_ID */
};
/* Looks the groups up by name; one that doesn't exist gives no role. */
void access_config_load(struct access_config *ret, const char *admin_group,
			const char *operator_group, const char *viewer_group,
			const char *reporter_group);
/* Reads SO_PEERCRED and SO_PEERGROUPS of an accepted socket and sets the role.
 * Groups up to the kernel's own limit (65 536); afterwards caller_done. */
MUST_USE int access_identify(int fd, const struct access_config *config, struct caller *ret,
			     struct berth_error *err);
enum role access_role(const struct access_config *config, uid_t uid, const gid_t *groups,
		      size_t group_count);
void caller_done(struct caller *caller);
bool caller_has_group(const struct caller *caller, gid_t gid);
const char *access_role_name(enum role role);

/* What the store grants a caller beyond the role: its custom roles, and what it
 * is to workspaces. */
struct grant {
	char name[64]; /* of the role */
	bool is_of_workspace;
	struct point_set points;
};
struct grants {
	bool is_loaded;
	struct grant *roles; /* each once; owned */
	size_t role_count;
	struct point_set platform, workspace; /* what they come to */
	bool is_member;                       /* of some workspace */
};
MUST_USE int grants_add(struct grants *g, const char *name, bool is_of_workspace,
			const struct point_set *set, struct berth_error *err);
void grants_done(struct grants *g);
/* " keeper workspace-admin ": the roles in workspaces that have the point
 * (POINT_NONE: all), each between two spaces, as MEMBER_MAY_SQL takes them. */
MUST_USE int grants_with(const struct grants *g, enum point point, struct buf *to,
			 struct berth_error *err);
/* What the platform allows by role and grants together. */
struct point_set access_points(const struct caller *caller, const struct grants *grants);

const char *access_member_name(enum member member);

#endif
