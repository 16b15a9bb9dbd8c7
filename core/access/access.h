/* SPDX-License-Identifier: Apache-2.0 */
/* Who may do what: the caller's numbers as the kernel told them at accept, the
 * platform role that follows, and the decision on one route. Runs in berthd.
 */
#ifndef CORE_ACCESS_ACCESS_H
#define CORE_ACCESS_ACCESS_H

#include "core/http/http.h"

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
/* Reads SO_PEERCRED and SO_PEERGROUPS of an accepted socket and sets the role. */
MUST_USE int access_identify(int fd, const struct access_config *config, struct caller *ret,
			     struct berth_error *err);
enum role access_role(const struct access_config *config, uid_t uid, const gid_t *groups,
		      size_t group_count);
const char *access_role_name(enum role role);

enum access_verdict {
	ACCESS_ALLOW,
	ACCESS_FORBID, /* 403: the caller may know that it is there */
	ACCESS_HIDE    /* 404: the caller may not even list where it would be */
};
const char *access_member_name(enum member member);
/* The role check of a route row, before any handler. member: the highest role
 * that the caller has in any workspace. Where only that allows the route
 * (scope workspace), its handler shows what those workspaces may see and
 * nothing else: core/api/sight.h. */
enum access_verdict access_decide(const struct caller *caller, enum member member,
				  const struct route *route);

#endif
