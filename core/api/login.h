/* SPDX-License-Identifier: Apache-2.0 */
/* Temporary logins inside the API (M9). Life of a row:
 *
 *	making -> active -> revoking -> (gone)
 *	      \______________/
 *
 * It is stored before the server is asked, under a name that only it has, and
 * goes when a look at the server says that the name is not there any more. What
 * became of a lost request is therefore never guessed: a row whose operation
 * ended without an answer is "revoking", and is looked for by its name.
 */
#ifndef CORE_API_LOGIN_H
#define CORE_API_LOGIN_H

#include "core/api/slot.h"
#include "core/api/space.h"
#include "core/store/logins.h"

#define LOGIN_PREFIX "berth-"
/* A request that was lost may still be under way: an absent name counts only
 * so long after it was sent, and is looked for again until then, at first
 * after LOGIN_LOOK_MS. */
#define LOGIN_LOST_MS ((int64_t)15 * 60 * 1000)
#define LOGIN_LOOK_MS ((int64_t)10 * 1000)
#define LOGIN_RETRY_MS ((int64_t)5 * 60 * 1000)   /* after a failed clean-up */
#define LOGIN_SECRET_MS ((int64_t)15 * 60 * 1000) /* a secret that nobody takes */
enum { LOGIN_BATCH_MAX = 500, LOGIN_OPEN_MAX = 2000 };

/* The secret's field among those of its integration; to has 64 bytes. */
void login_secret_field(const char *id, char *to);
/* Drops the secret of a row, sealed or not there. */
MUST_USE int login_forget_secret(struct daemon_state *d, const struct login *row,
				 struct berth_error *err);
/* The operation that removes these rows' logins at the server: kind
 * "login-revoke" of a user or "login-clean" of the clock. parts owns what the
 * request points to. */
MUST_USE int login_removal(const char *kind, const struct integration *of, json_t *take_names,
			   struct op_request *request, json_t **ret_parts, struct berth_error *err);
/* login_clock.c: what is due, every few seconds. */
MUST_USE int login_clock_start(struct daemon_state *d, struct berth_error *err);

#endif
