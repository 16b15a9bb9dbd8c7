/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of temporary logins (M9). A row is stored before its server is asked,
 * and goes once the server has it no more: so each login that was ever made is
 * found again by its name.
 */
#ifndef CORE_STORE_LOGINS_H
#define CORE_STORE_LOGINS_H

#include "core/store/list.h"

struct login {
	char *id; /* UUID */
	char *integration_id;
	char *integration; /* read only */
	char *space;       /* its name; "" of a workspace's */
	char *name;        /* ours, at the server: "berth-..." */
	char *remote_id;   /* the server's id; "": not known (yet) */
	char *username;    /* what docker login takes; "": not known yet */
	char *rights;      /* "pull" or "pull,push" */
	char *description;
	char *state;        /* "making", "active", "revoking" */
	char *operation_id; /* that makes it */
	int64_t has_secret; /* is it sealed here, not yet taken? */
	int64_t uid;
	char *user_name;
	int64_t due_ms; /* when the clock should look at it next */
	int64_t created_ms, expires_ms;
	char *workspace_id; /* whose pull secrets it is for; "": none */
	char *workspace;    /* its name, while it is there; read only */
	char *spaces;       /* a JSON array: of a workspace's what it may pull from, else all
			       of its spaces where they are several, "" where it is one */
};
extern const struct store_table logins_table;

MUST_USE int login_get(struct store *s, const char *id, struct login *ret, struct berth_error *err);
void login_done(struct login *row);
#define AUTO_LOGIN CLEANUP(login_done)
MUST_USE int login_add(struct store *s, const struct login *row, struct berth_error *err);
/* Writes remote_id, username, state, operation_id, has_secret, due_ms and
 * expires_ms of the row with that id. */
MUST_USE int login_change(struct store *s, const struct login *row, struct berth_error *err);
MUST_USE int login_remove(struct store *s, const char *id, struct berth_error *err);
/* Active ones that have expired are to be revoked from now on. */
MUST_USE int login_expire(struct store *s, int64_t now_ms, struct berth_error *err);
/* How many an integration has; NULL: all of them. */
MUST_USE int login_count(struct store *s, const char *integration_id, int64_t *ret,
			 struct berth_error *err);
/* The integrations that have logins to revoke by now: each(user, id), where a
 * nonzero answer stops, for want of memory. */
MUST_USE int login_due(struct store *s, int64_t now_ms, int (*each)(void *user, const char *id),
		       void *user, struct berth_error *err);

#endif
