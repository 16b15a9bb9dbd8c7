/* SPDX-License-Identifier: Apache-2.0 */
/* Callers and roles: see access.h. The kernel's numbers are read once, at
 * accept; names of groups are looked up at start and reload only, because a
 * look-up may block.
 */
#include "core/access/access.h"

#include <errno.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define GROUPS_MAX 65536 /* NGROUPS_MAX of Linux: more than the kernel keeps */
#define ROLES_MAX 512

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

static int by_number(const void *a, const void *b)
{
	gid_t x = *(const gid_t *)a, y = *(const gid_t *)b;

	return x < y ? -1 : x > y;
}

bool caller_has_group(const struct caller *caller, gid_t gid)
{
	if (caller->group_count && caller->groups[0] == gid)
		return true;
	return caller->group_count > 1 &&
	       bsearch(&gid, caller->groups + 1, caller->group_count - 1, sizeof gid, by_number);
}

void caller_done(struct caller *caller)
{
	free(caller->groups);
	caller->groups = NULL;
	caller->group_count = 0;
}

/* The groups beside the main one. How many there are is what a call without room
 * answers: ERANGE, with the length that it wants. */
static int read_groups(int fd, gid_t main_group, struct caller *ret, struct berth_error *err)
{
	socklen_t byte_count = 0, had;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, NULL, &byte_count) && errno != ERANGE &&
	    errno != ENODATA)
		return berth_fail_errno(err, errno, "SO_PEERGROUPS");
	if (byte_count > GROUPS_MAX * sizeof(gid_t))
		return berth_fail(err, BERTH_E_LIMIT, "the caller has more than %d groups",
				  GROUPS_MAX);
	ret->groups = malloc(byte_count + sizeof(gid_t));
	if (!ret->groups)
		return berth_fail_memory(err);
	ret->groups[0] = main_group;
	had = byte_count;
	if (byte_count && getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, ret->groups + 1, &had))
		return berth_fail_errno(err, errno, "SO_PEERGROUPS");
	ret->group_count = 1 + had / sizeof(gid_t);
	qsort(ret->groups + 1, ret->group_count - 1, sizeof(gid_t), by_number);
	return 0;
}

int access_identify(int fd, const struct access_config *config, struct caller *ret,
		    struct berth_error *err)
{
	struct ucred peer;
	socklen_t peer_bytes = sizeof peer;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &peer_bytes))
		return berth_fail_errno(err, errno, "SO_PEERCRED");
	*ret = (struct caller){.uid = peer.uid, .pid = peer.pid};
	if (read_groups(fd, peer.gid, ret, err)) {
		caller_done(ret);
		return err->code;
	}
	ret->role = access_role(config, ret->uid, ret->groups, ret->group_count);
	ret->is_reporter = has_group(ret->groups, ret->group_count, config->reporter_gid);
	return 0;
}

int grants_add(struct grants *g, const char *name, bool is_of_workspace,
	       const struct point_set *set, struct berth_error *err)
{
	if (g->role_count == ROLES_MAX)
		return berth_fail(err, BERTH_E_LIMIT, "a user has more than %d roles", ROLES_MAX);
	struct grant *grown = realloc(g->roles, (g->role_count + 1) * sizeof *grown);
	if (!grown)
		return berth_fail_memory(err);
	g->roles = grown;
	struct grant *one = &grown[g->role_count++];
	*one = (struct grant){.is_of_workspace = is_of_workspace, .points = *set};
	snprintf(one->name, sizeof one->name, "%s", name);
	points_unite(is_of_workspace ? &g->workspace : &g->platform, set);
	g->is_member = g->is_member || is_of_workspace;
	return 0;
}

void grants_done(struct grants *g)
{
	free(g->roles);
	*g = (struct grants){.roles = NULL};
}

int grants_with(const struct grants *g, enum point point, struct buf *to, struct berth_error *err)
{
	int code = buf_add_text(to, " ", err);

	for (size_t i = 0; !code && i < g->role_count; i++)
		if (g->roles[i].is_of_workspace &&
		    (point == POINT_NONE || points_has(&g->roles[i].points, point)))
			code = buf_printf(to, err, "%s ", g->roles[i].name);
	return code;
}

struct point_set access_points(const struct caller *caller, const struct grants *grants)
{
	struct point_set set = points_of_role(caller->role);

	points_unite(&set, &grants->platform);
	return set;
}

const char *access_role_name(enum role role)
{
	static const char *const names[] = {[ROLE_NONE] = "none",
					    [ROLE_VIEWER] = "viewer",
					    [ROLE_OPERATOR] = "operator",
					    [ROLE_ADMIN] = "admin"};
	return names[role];
}

const char *access_member_name(enum member member)
{
	static const char *const names[] = {[MEMBER_NONE] = "none",
					    [MEMBER_PLAIN] = "workspace-member",
					    [MEMBER_ADMIN] = "workspace-admin"};
	return names[member];
}
