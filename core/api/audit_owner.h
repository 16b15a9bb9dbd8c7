/* SPDX-License-Identifier: Apache-2.0 */
/* Whose an audit row is: the workspace whose admins see it beside the platform's. A
 * row is a workspace's where what was changed is: the workspace itself with its
 * members and namespaces, an integration of its own, the spaces, images and logins
 * there, a copy rule of which both ends are there, and a copy to there of what the
 * workspace may use: the rows name the source, too. A row of bindings names several workspaces and
 * is the platform's alone: each of them gets one of its own. Runs in berthd.
 */
#ifndef CORE_API_AUDIT_OWNER_H
#define CORE_API_AUDIT_OWNER_H

#include "core/daemon/daemon.h"
#include "core/http/hooks.h"
#include "core/ops/audit.h"
#include "core/store/spaces.h"

/* The id of the workspace that a request's row belongs to, by its path and, where it makes
 * something, its body: new, "" where it is the platform's. */
MUST_USE int audit_owner_of_request(struct store *s, const struct http_audit *entry, char **ret,
				    struct berth_error *err);

/* What became of the binding of a space. */
struct binding_note {
	struct audit_entry entry; /* who, which request, the action and its result */
	const struct space *space;
	const char *what; /* the drift, or NULL */
};
/* A row for each of these workspaces, which no other's name is in, in the caller's transaction. */
MUST_USE int audit_note_bindings(const struct binding_note *n, const json_t *workspaces,
				 struct berth_error *err);

/* A change of a copy rule, or a copy, whose ends are of several: each workspace that has an
 * end of it, and does not have the row itself, gets a row which says what was done with what
 * is its own and names no other end. row: the request's own, written already; in the caller's
 * transaction. */
MUST_USE int audit_note_ends(struct daemon_state *d, const struct http_audit *entry,
			     const struct audit_entry *row, struct berth_error *err);

#endif
