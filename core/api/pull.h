/* SPDX-License-Identifier: Apache-2.0 */
/* Pull secrets inside the API (K2). Each namespace of a workspace holds one secret,
 * registry-secret, with a login for every registry that the workspace may pull
 * private images from. berthd keeps it right by going through all workspaces
 * again and again (pull_clock.c), soon after anything has changed:
 *
 *	what may it pull? -> plan (pull_plan.c, pure) -> logins made, one an
 *	integration -> the content that each namespace wants -> one job a cluster
 *	(pull_ops.c) -> logins that nothing needs any more revoked
 *
 * Nothing of it is kept in memory: rows say what is wanted and what was applied
 * (schema/011_pull_secrets.sql), logins are rows before a server is asked for them
 * (login.h), and a pass after a kill goes on from both. Runs in berthd.
 */
#ifndef CORE_API_PULL_H
#define CORE_API_PULL_H

#include "core/api/cluster.h"
#include "core/api/login.h"
#include "core/store/namespaces.h"
#include "core/store/workspaces.h"

#define PULL_SECRET_NAME "registry-secret"
enum { PULL_BATCH_MAX = 50, PULL_CONFIGS_MAX_BYTES = 40 * 1024 };

/* pull_plan.c. wants: what the workspace may pull, an object an integration:
 *	{"id", "name", "host", "spaces": [names, sorted], and where no login can
 *	 be made now "obstacle": {"reason", "message"}}
 * logins: those that it has, each {"id", "integration_id", "state", "username",
 * "spaces", "created_ms", "expires_ms"}. The plan, json_decref:
 *	{"integrations": [{"integration", "integration_id", "host", "state":
 *	  "included", "pending" or "left-out", "reason", "message", "login", "username"}],
 *	 "make": [{"integration", "integration_id", "spaces"}],
 *	 "surplus": [{"login", "is_excess"}], "is_settled"}
 * is_excess: it may pull what the workspace may not. is_settled: nothing that is to
 * be made is missing from the content. NULL without memory. */
json_t *pull_plan(const json_t *wants, const json_t *logins, int64_t now_ms) MUST_USE;
/* What names the content: the same digest means the same secret. "" where there is
 * nothing to pull; to has DIGEST_TEXT_ROOM bytes. */
MUST_USE int pull_digest(const json_t *plan, bool patches_account, char *to,
			 struct berth_error *err);

/* pull_look.c: the plan of a workspace as the store has it. name NULL, or without
 * is_used (no namespaces): it wants nothing. */
MUST_USE int pull_look(struct daemon_state *d, const char *workspace_id, const char *name,
		       bool is_used, json_t **ret_plan, struct berth_error *err);
/* The text of .dockerconfigjson, with passwords: wiped and freed by secret_free. */
MUST_USE int pull_content(struct daemon_state *d, const json_t *plan, char **ret,
			  struct berth_error *err);
/* A login that could not be made is tried again later; meanwhile the plan says why. */
void pull_login_failed(const char *workspace_id, const char *integration_id,
		       const struct berth_error *why);

/* Something has changed that pull secrets may follow from. */
void pull_wake(void);
/* There is something to do at that time. */
void pull_wake_by(int64_t at_ms);
MUST_USE int pull_clock_start(struct daemon_state *d, struct berth_error *err);

/* pull_secrets.c: the namespaces of a workspace as its body has them, [{"cluster",
 * "namespace"}], sorted. What is wrong goes into f. NULL: out of memory. */
json_t *pull_namespaces_normal(const json_t *namespaces, struct findings *f) MUST_USE;
/* Makes them those of the workspace; findings where one is another's or a cluster is
 * not there (the caller then rolls back). */
MUST_USE int pull_namespaces_store(struct daemon_state *d, const struct workspace *of,
				   const json_t *namespaces, struct findings *f,
				   struct berth_error *err);
MUST_USE int pull_namespaces_load(struct store *s, const char *workspace_id, json_t **ret,
				  struct berth_error *err);
/* {"right": n, "other": n}: how its secrets are. */
MUST_USE int pull_counts(struct store *s, const char *workspace_id, json_t **ret,
			 struct berth_error *err);
/* True: none is left that would keep a workspace ("n.workspace_id = ?") or cluster
 * ("n.cluster_id = ?") from going; else answered 409 with the list. */
bool pull_namespaces_none(struct request *q, struct answer *a, const char *within,
			  const char *value, const char *what);

#endif
