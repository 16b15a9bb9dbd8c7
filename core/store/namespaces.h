/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of workspaces' namespaces and of the pull secret in each (K2). See
 * schema/011_pull_secrets.sql for what the members mean.
 */
#ifndef CORE_STORE_NAMESPACES_H
#define CORE_STORE_NAMESPACES_H

#include "core/store/list.h"

struct workspace_namespace {
	char *cluster_id;
	char *cluster; /* its name; read only */
	char *namespace;
	char *path; /* "CLUSTER/NAMESPACE"; read only */
	char *workspace_id;
	char *owner;
	int64_t is_wanted;
	char *wanted, *applied;
	char *phase, *reason, *message;
	int64_t attempts;
	int64_t due_ms, since_ms, checked_ms;
};
extern const struct store_table namespaces_table;

/* BERTH_E_NOT_FOUND where the pair is no workspace's. */
MUST_USE int namespace_get(struct store *s, const char *cluster_id, const char *namespace,
			   struct workspace_namespace *ret, struct berth_error *err);
void namespace_done(struct workspace_namespace *row);
#define AUTO_NAMESPACE CLEANUP(namespace_done)

/* Adds, or makes the one that was to go wanted again: by the same workspace only.
 * BERTH_E_CONFLICT: it is another's, or its secret is still to be removed. */
MUST_USE int namespace_take(struct store *s, const struct workspace_namespace *row,
			    struct berth_error *err);
/* No longer wanted; its secret goes. */
MUST_USE int namespace_drop(struct store *s, const char *cluster_id, const char *namespace,
			    struct berth_error *err);
/* Writes wanted, applied, phase, reason, message, attempts and the times. */
MUST_USE int namespace_change(struct store *s, const struct workspace_namespace *row,
			      struct berth_error *err);
MUST_USE int namespace_remove(struct store *s, const char *cluster_id, const char *namespace,
			      struct berth_error *err);
/* Those that a cluster's outage kept back are due now. */
MUST_USE int namespaces_retry(struct store *s, const char *cluster_id, int64_t now_ms,
			      struct berth_error *err);

/* The workspaces that have namespaces or logins for them, in the order of their
 * ids behind `after`, at most `limit`: each(user, id). */
MUST_USE int namespaces_workspaces(struct store *s, const char *after, int64_t limit,
				   int (*each)(void *user, const char *id), void *user,
				   struct berth_error *err);
/* The clusters that have namespaces to look at by now. */
MUST_USE int namespaces_due(struct store *s, int64_t now_ms,
			    int (*each)(void *user, const char *cluster_id), void *user,
			    struct berth_error *err);

/* What a workspace may pull that asks for a login: private spaces that are there,
 * bound to it or of its own integrations. each(user, integration_id, space) in
 * the order of both. */
MUST_USE int namespaces_spaces(struct store *s, const char *workspace_id,
			       int (*each)(void *user, const char *integration_id,
					   const char *space),
			       void *user, struct berth_error *err);

#endif
