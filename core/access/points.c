/* SPDX-License-Identifier: Apache-2.0 */
/* The table of permission points, and sets of them: see points.h. */
#include "core/access/points.h"

#include <stdio.h>
#include <string.h>

#include "core/base/text.h"

#define OF_PLATFORM(least) .role = ROLE_##least
#define OF_BOTH(least, least_member) .role = ROLE_##least, .member = MEMBER_##least_member

const struct point_row points[POINT_COUNT] = {
	[POINT_NONE] = {.name = "none", .allows = "what everybody may do"},
	[POINT_AUDIT_READ] =
		{"audit.read",
		 "read the audit log: in a workspace its own rows, else all, and verify it",
		 OF_BOTH(ADMIN, ADMIN)},
	[POINT_BINDINGS_CHANGE] = {"bindings.change", "bind workspaces to spaces and unbind them",
				   OF_PLATFORM(ADMIN), .needs = {POINT_BINDINGS_READ}},
	[POINT_BINDINGS_READ] = {"bindings.read", "see which workspaces a space is bound to",
				 OF_PLATFORM(VIEWER),
				 .needs = {POINT_SPACES_READ, POINT_WORKSPACES_READ}},
	[POINT_CHANGES_REPORT] = {"changes.report",
				  "tell of changes at registries, as their notifications do",
				  OF_PLATFORM(OPERATOR)},
	[POINT_CLUSTERS_CREATE] = {"clusters.create", "register Kubernetes clusters",
				   OF_PLATFORM(ADMIN),
				   .needs = {POINT_CLUSTERS_READ, POINT_OPERATIONS_READ}},
	[POINT_CLUSTERS_DELETE] = {"clusters.delete", "remove clusters", OF_PLATFORM(ADMIN),
				   .needs = {POINT_CLUSTERS_READ}},
	[POINT_CLUSTERS_EDIT] = {"clusters.edit", "change clusters and their credentials",
				 OF_PLATFORM(ADMIN),
				 .needs = {POINT_CLUSTERS_READ, POINT_OPERATIONS_READ}},
	[POINT_CLUSTERS_PROBE] = {"clusters.probe", "probe a cluster now", OF_PLATFORM(OPERATOR),
				  .needs = {POINT_CLUSTERS_READ, POINT_OPERATIONS_READ}},
	[POINT_CLUSTERS_READ] = {"clusters.read", "see clusters and their nodes",
				 OF_PLATFORM(VIEWER)},
	[POINT_COPIES_READ] = {"copies.read",
			       "see copies and what became of each image: in a workspace of one's "
			       "own copies, else of all",
			       OF_BOTH(VIEWER, ADMIN)},
	[POINT_COPIES_RUN] = {"copies.run",
			      "copy images now: in a workspace from spaces that it may use to its "
			      "integrations, else between any integrations",
			      OF_BOTH(OPERATOR, ADMIN),
			      .needs = {POINT_COPIES_READ, POINT_IMAGES_READ}},
	[POINT_DAEMON_RELOAD] = {"daemon.reload", "make the daemon read its configuration again",
				 OF_PLATFORM(ADMIN)},
	[POINT_EVENTS_READ] =
		{"events.read",
		 "follow what happens: in a workspace to what one sees there, else all",
		 OF_BOTH(VIEWER, PLAIN),
		 .needs = {POINT_SPACES_READ, POINT_OPERATIONS_READ, POINT_WORKSPACES_READ}},
	[POINT_IMAGES_DELETE] = {"images.delete", "delete tags, artifacts and repositories",
				 OF_BOTH(OPERATOR, ADMIN),
				 .needs = {POINT_IMAGES_READ, POINT_OPERATIONS_READ}},
	[POINT_IMAGES_DESCRIBE] = {"images.describe", "write the description of a repository",
				   OF_BOTH(OPERATOR, ADMIN),
				   .needs = {POINT_IMAGES_READ, POINT_OPERATIONS_READ}},
	[POINT_IMAGES_READ] = {"images.read", "search images and look at them",
			       OF_BOTH(VIEWER, PLAIN),
			       .needs = {POINT_SPACES_READ, POINT_OPERATIONS_READ}},
	[POINT_INTEGRATIONS_CREATE] = {"integrations.create", "integrate registry servers",
				       OF_BOTH(ADMIN, ADMIN),
				       .needs = {POINT_INTEGRATIONS_READ, POINT_OPERATIONS_READ}},
	[POINT_INTEGRATIONS_DELETE] = {"integrations.delete", "remove integrations",
				       OF_BOTH(ADMIN, ADMIN), .needs = {POINT_INTEGRATIONS_READ}},
	[POINT_INTEGRATIONS_EDIT] = {"integrations.edit",
				     "change integrations and their credentials",
				     OF_BOTH(ADMIN, ADMIN),
				     .needs = {POINT_INTEGRATIONS_READ, POINT_OPERATIONS_READ}},
	[POINT_INTEGRATIONS_MAINTAIN] = {"integrations.maintain",
					 "collect garbage at a registry and make it read-only",
					 OF_PLATFORM(ADMIN),
					 .needs = {POINT_INTEGRATIONS_READ, POINT_OPERATIONS_READ}},
	[POINT_INTEGRATIONS_PROBE] = {"integrations.probe",
				      "probe an integration, read its index and figures now",
				      OF_BOTH(OPERATOR, ADMIN),
				      .needs = {POINT_INTEGRATIONS_READ, POINT_OPERATIONS_READ}},
	[POINT_INTEGRATIONS_READ] = {"integrations.read", "see integrations and their health",
				     OF_BOTH(VIEWER, PLAIN)},
	[POINT_LOGINS_ANY] = {"logins.any", "take the secrets of logins that others asked for",
			      OF_PLATFORM(ADMIN), .needs = {POINT_LOGINS_CREATE}},
	[POINT_LOGINS_CREATE] = {"logins.create", "make temporary logins and take their secrets",
				 OF_BOTH(OPERATOR, ADMIN),
				 .needs = {POINT_LOGINS_READ, POINT_SPACES_READ,
					   POINT_OPERATIONS_READ}},
	[POINT_LOGINS_READ] = {"logins.read", "see temporary logins", OF_BOTH(VIEWER, ADMIN)},
	[POINT_LOGINS_REVOKE] = {"logins.revoke", "revoke temporary logins",
				 OF_BOTH(OPERATOR, ADMIN),
				 .needs = {POINT_LOGINS_READ, POINT_OPERATIONS_READ}},
	[POINT_METRICS_READ] = {"metrics.read", "read the daemon's figures", OF_PLATFORM(VIEWER)},
	[POINT_OPERATIONS_ANY] = {"operations.any", "cancel what others began", OF_PLATFORM(ADMIN),
				  .needs = {POINT_OPERATIONS_CANCEL}},
	[POINT_OPERATIONS_CANCEL] = {"operations.cancel", "cancel one's own operations",
				     OF_BOTH(OPERATOR, ADMIN), .needs = {POINT_OPERATIONS_READ}},
	[POINT_OPERATIONS_READ] = {"operations.read",
				   "see operations: in a workspace one's own, else all",
				   OF_BOTH(VIEWER, PLAIN)},
	[POINT_PLUGINS_READ] = {"plugins.read", "see the plugins that are loaded",
				OF_PLATFORM(VIEWER)},
	[POINT_RETENTION_EDIT] = {"retention.edit", "change what a space keeps",
				  OF_PLATFORM(OPERATOR),
				  .needs = {POINT_RETENTION_READ, POINT_OPERATIONS_READ}},
	[POINT_RETENTION_READ] = {"retention.read", "see what a space keeps and what was removed",
				  OF_PLATFORM(VIEWER), .needs = {POINT_SPACES_READ}},
	[POINT_RETENTION_RUN] = {"retention.run", "remove now what a space does not keep",
				 OF_PLATFORM(OPERATOR),
				 .needs = {POINT_RETENTION_READ, POINT_OPERATIONS_READ}},
	[POINT_ROLES_EDIT] = {"roles.edit", "make custom roles and give them to users",
			      OF_PLATFORM(ADMIN), .is_reserved = true, .needs = {POINT_ROLES_READ}},
	[POINT_ROLES_READ] = {"roles.read", "see roles and permission points",
			      OF_BOTH(VIEWER, PLAIN)},
	[POINT_SCANS_CONFIGURE] = {"scans.configure", "change how a registry scans",
				   OF_PLATFORM(ADMIN),
				   .needs = {POINT_SCANS_READ, POINT_OPERATIONS_READ}},
	[POINT_SCANS_READ] = {"scans.read", "see scans and their findings", OF_PLATFORM(VIEWER)},
	[POINT_SCANS_RUN] = {"scans.run", "start and stop scans, and fetch their reports",
			     OF_PLATFORM(OPERATOR),
			     .needs = {POINT_SCANS_READ, POINT_OPERATIONS_READ}},
	[POINT_SPACES_CREATE] = {"spaces.create", "make spaces", OF_BOTH(ADMIN, ADMIN),
				 .needs = {POINT_SPACES_READ, POINT_OPERATIONS_READ}},
	[POINT_SPACES_DELETE] = {"spaces.delete", "delete spaces", OF_BOTH(ADMIN, ADMIN),
				 .needs = {POINT_SPACES_READ, POINT_OPERATIONS_READ}},
	[POINT_SPACES_EDIT] = {"spaces.edit", "change who may see a space and how large it may be",
			       OF_BOTH(ADMIN, ADMIN),
			       .needs = {POINT_SPACES_READ, POINT_OPERATIONS_READ}},
	[POINT_SPACES_READ] = {"spaces.read", "see spaces", OF_BOTH(VIEWER, PLAIN)},
	[POINT_SYNCS_CREATE] = {"syncs.create", "make copy rules", OF_PLATFORM(OPERATOR),
				.needs = {POINT_SYNCS_READ}},
	[POINT_SYNCS_DELETE] = {"syncs.delete", "delete copy rules", OF_PLATFORM(OPERATOR),
				.needs = {POINT_SYNCS_READ}},
	[POINT_SYNCS_EDIT] = {"syncs.edit", "change copy rules", OF_PLATFORM(OPERATOR),
			      .needs = {POINT_SYNCS_READ}},
	[POINT_SYNCS_READ] = {"syncs.read", "see copy rules, their plans and runs",
			      OF_PLATFORM(VIEWER)},
	[POINT_SYNCS_RUN] = {"syncs.run", "plan, run and verify copy rules", OF_PLATFORM(OPERATOR),
			     .needs = {POINT_SYNCS_READ, POINT_OPERATIONS_READ}},
	[POINT_WORKSPACES_CREATE] = {"workspaces.create", "make workspaces", OF_PLATFORM(ADMIN),
				     .needs = {POINT_WORKSPACES_READ}},
	[POINT_WORKSPACES_DELETE] = {"workspaces.delete", "delete workspaces", OF_PLATFORM(ADMIN),
				     .needs = {POINT_WORKSPACES_READ}},
	[POINT_WORKSPACES_EDIT] = {"workspaces.edit",
				   "change a workspace, and who has which role in it",
				   OF_BOTH(ADMIN, ADMIN),
				   .needs = {POINT_WORKSPACES_READ, POINT_ROLES_READ}},
	[POINT_WORKSPACES_READ] = {"workspaces.read", "see workspaces and their members",
				   OF_BOTH(VIEWER, PLAIN)},
};

void points_unite(struct point_set *set, const struct point_set *other)
{
	set->words[0] |= other->words[0];
	set->words[1] |= other->words[1];
}

struct point_set points_of_role(enum role role)
{
	struct point_set set = {{0, 0}};

	for (size_t i = POINT_NONE + 1; i < POINT_COUNT; i++)
		if (points[i].role <= role)
			points_add(&set, (enum point)i);
	return set;
}

struct point_set points_of_member(enum member member)
{
	struct point_set set = {{0, 0}};

	for (size_t i = POINT_NONE + 1; i < POINT_COUNT; i++)
		if (points[i].member != MEMBER_NONE && points[i].member <= member)
			points_add(&set, (enum point)i);
	return set;
}

bool points_fits(enum point point, bool is_of_workspace)
{
	return !points[point].is_reserved &&
	       (!is_of_workspace || points[point].member != MEMBER_NONE);
}

enum point points_find(const char *name)
{
	for (size_t i = POINT_NONE + 1; i < POINT_COUNT; i++)
		if (!strcmp(points[i].name, name))
			return (enum point)i;
	return POINT_NONE;
}

const char *points_near(const char *name)
{
	const char *names[POINT_COUNT];

	for (size_t i = POINT_NONE + 1; i < POINT_COUNT; i++)
		names[i - 1] = points[i].name;
	names[POINT_COUNT - 1] = NULL;
	return text_closest(name, names);
}

/* What the points of the set need, and what those need, by that table. */
static void close_over(const struct point_row *rows, size_t row_count, struct point_set *set)
{
	struct point_set before;

	do {
		before = *set;
		for (size_t i = POINT_NONE + 1; i < row_count; i++)
			for (size_t k = 0; k < POINT_NEEDS_MAX; k++)
				if (points_has(&before, (enum point)i) && rows[i].needs[k])
					points_add(set, rows[i].needs[k]);
	} while (memcmp(&before, set, sizeof before) != 0);
}

void points_close(struct point_set *set)
{
	close_over(points, POINT_COUNT, set);
}

void points_format(const struct point_set *set, char *to, size_t room)
{
	size_t n = 0;

	*to = '\0';
	for (size_t i = POINT_NONE + 1; i < POINT_COUNT && n < room; i++)
		if (points_has(set, (enum point)i))
			n += (size_t)snprintf(to + n, room - n, "%s%s", n ? " " : "",
					      points[i].name);
}

struct point_set points_parse(const char *text)
{
	struct point_set set = {{0, 0}};
	char name[64];

	for (; *text; text += *text == ' ') {
		size_t n = strcspn(text, " ");
		snprintf(name, sizeof name, "%.*s", (int)(n < sizeof name ? n : 0), text);
		enum point point = points_find(name);
		if (point != POINT_NONE)
			points_add(&set, point);
		text += n;
	}
	return set;
}

const char *points_cycle(const struct point_row *rows, size_t row_count)
{
	for (size_t i = POINT_NONE + 1; i < row_count; i++) {
		struct point_set behind = {{0, 0}};
		for (size_t k = 0; k < POINT_NEEDS_MAX; k++)
			if (rows[i].needs[k] != POINT_NONE)
				points_add(&behind, rows[i].needs[k]);
		close_over(rows, row_count, &behind);
		if (points_has(&behind, (enum point)i))
			return rows[i].name;
	}
	return NULL;
}
