/* SPDX-License-Identifier: Apache-2.0 */
/* What this system's own user and group files call a number, from memory as long as
 * the files are the same. Only the files are read: NSS may ask a directory server, and
 * berthd's one thread must not wait for one. Runs in berthd.
 */
#ifndef CORE_API_ACCOUNTS_H
#define CORE_API_ACCOUNTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/fail.h"

#define ACCOUNT_NAME_ROOM 65 /* a longer name is as good as none */
#define PRINCIPAL_ROOM 160   /* "u", a number, "=" and a name in hex */

/* Looks whether the files have changed: before a series of account_name. */
void accounts_look(void);
/* How often they had: who keeps what was found compares it. */
unsigned accounts_changes(void);
/* The name of that group, or else user; "": the files have none for it. Errors: they
 * can't be read now, to is "" then. */
MUST_USE int account_name(bool is_group, uint32_t number, char to[ACCOUNT_NAME_ROOM],
			  struct berth_error *err);
/* The number of the group, or else user, of that name; *ret -1: the files have none. Errors as
 * above. */
MUST_USE int account_number(bool is_group, const char *name, int64_t *ret, struct berth_error *err);

/* A member as rows have it: "u1000", or with the name that its number had when it was
 * added "u1000=616c696365". */
void principal_format(bool is_group, int64_t number, const char *account, char to[PRINCIPAL_ROOM]);

#endif
