/* SPDX-License-Identifier: Apache-2.0 */
/* Callers and roles: see access.h. The kernel's numbers are read once, at
 * accept; names of groups are looked up at start and reload only, because a
 * look-up may block.
 */
#include "core/access/access.h"

#include <errno.h>
#include <grp.h>
#include <string.h>
#include <sys/socket.h>

#include "core/http/route.h"

#define GROUPS_MAX 65536 /* NGROUPS_MAX of Linux */

static gid_t find_group(const char *name)
{
	struct group entry, *found = NULL;
	char room[65536];
	if (!name[0] || getgrnam_r(name, &entry, room, sizeof room, &found) || !found)
		return ACCESS_NO_ID;
	return entry.gr_gid;
}

void access_config_load(struct access_config *ret, const char *admin_group,
			const char *operator_group, const char *viewer_group,
			const char *reporter_group)
{
	ret->admin_gid = find_group(admin_group);
	ret->operator_gid = find_group(operator_group);
	ret->viewer_gid = find_group(viewer_group);
	ret->reporter_gid = find_group(reporter_group);
	ret->private_admin_uid = ACCESS_NO_ID;
}

static bool has_group(const gid_t *groups, size_t group_count, gid_t gid)
{
	if (gid == ACCESS_NO_ID)
		return false;
	for (size_t i = 0; i < group_count; i++)
		if (groups[i] == gid)
			return true;
	return false;
}

enum role access_role(const struct access_config *config, uid_t uid, const gid_t *groups,
		      size_t group_count)
{
	if (!uid || (uid == config->private_admin_uid && uid != ACCESS_NO_ID) ||
	    has_group(groups, group_count, config->admin_gid))
		return ROLE_ADMIN;
	if (has_group(groups, group_count, config->operator_gid))
		return ROLE_OPERATOR;
	if (has_group(groups, group_count, config->viewer_gid))
		return ROLE_VIEWER;
	return ROLE_NONE;
}

/* The main group and the others, the role of all, the first of them kept. */
static void set_groups(struct caller *c, const struct access_config *config, const gid_t *groups,
		       size_t count)
{
	size_t room = ARRAY_COUNT(c->groups);
	c->group_count = count < room ? count : room;
	memcpy(c->groups, groups, c->group_count * sizeof *groups);
	c->role = access_role(config, c->uid, groups, count);
	c->is_reporter = has_group(groups, count, config->reporter_gid);
}

int access_identify(int fd, const struct access_config *config, struct caller *ret,
		    struct berth_error *err)
{
	struct ucred peer;
	socklen_t peer_bytes = sizeof peer, groups_bytes = 63 * sizeof(gid_t);
	gid_t few[64];
	AUTO_FREE gid_t *many = NULL;
	gid_t *groups = few;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &peer_bytes))
		return berth_fail_errno(err, errno, "SO_PEERCRED");
	*ret = (struct caller){.uid = peer.uid, .pid = peer.pid};
	int r = getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, few + 1, &groups_bytes);
	if (r && errno == ERANGE) {
		groups_bytes = GROUPS_MAX * sizeof(gid_t);
		groups = many = malloc((GROUPS_MAX + 1) * sizeof(gid_t));
		if (!many)
			return berth_fail_memory(err);
		r = getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, many + 1, &groups_bytes);
	}
	if (r && errno != ENODATA)
		return berth_fail_errno(err, errno, "SO_PEERGROUPS");
	groups[0] = peer.gid;
	set_groups(ret, config, groups, r ? 1 : groups_bytes / sizeof(gid_t) + 1);
	return 0;
}

const char *access_role_name(enum role role)
{
	static const char *const names[] = {[ROLE_NONE] = "none",
					    [ROLE_VIEWER] = "viewer",
					    [ROLE_OPERATOR] = "operator",
					    [ROLE_ADMIN] = "admin"};
	return names[role];
}

/* The least role that may list what the route's path stands in: that of the
 * longest GET route which is a prefix of it; none is needed where there is no such. */
static enum role parent_role(const struct route *route)
{
	for (size_t length = strlen(route->path); length > 1;) {
		while (--length > 1 && route->path[length] != '/')
			continue;
		for (size_t i = 0; i < route_count; i++)
			if (routes[i].method == METHOD_GET && strlen(routes[i].path) == length &&
			    !strncmp(routes[i].path, route->path, length))
				return routes[i].role;
	}
	return ROLE_NONE;
}

const char *access_member_name(enum member member)
{
	static const char *const names[] = {[MEMBER_NONE] = "none",
					    [MEMBER_PLAIN] = "workspace-member",
					    [MEMBER_ADMIN] = "workspace-admin"};
	return names[member];
}

enum access_verdict access_decide(const struct caller *caller, enum member member,
				  const struct route *route)
{
	if (caller->role >= route->role || (caller->is_reporter && route->takes_reporters))
		return ACCESS_ALLOW;
	if (route->scope == SCOPE_WORKSPACE && member >= route->member)
		return ACCESS_ALLOW;
	/* For a tenant the platform's own things are not there. */
	if (caller->role == ROLE_NONE && member != MEMBER_NONE)
		return route->scope == SCOPE_WORKSPACE ? ACCESS_FORBID : ACCESS_HIDE;
	/* Without any role the answer says which group is missing, on every route
	 * alike: it tells nothing about what there is. */
	if (caller->role == ROLE_NONE || caller->role >= parent_role(route))
		return ACCESS_FORBID;
	return ACCESS_HIDE;
}
