/* SPDX-License-Identifier: Apache-2.0 */
/* The shared secrets of `berthd --hooks`: a folder with a file for each integration,
 * named as it is. Only their hashes stay in memory.
 */
#ifndef CORE_HOOKS_SECRETS_H
#define CORE_HOOKS_SECRETS_H

#include <stdbool.h>

#include "core/base/digest.h"

#define HOOK_SECRETS_MAX 1000

struct hook_secret {
	char integration[64];
	struct digest hash;
};
struct hook_secrets {
	struct hook_secret *items;
	size_t count;
};
/* Reads all of a folder. BERTH_E_INVALID: a file that others may read or write, a
 * secret of less than 16 or more than 1 024 bytes, a name that no integration has;
 * BERTH_E_NOT_FOUND: no folder, or nothing in it. ret is written on success only. */
MUST_USE int hook_secrets_load(const char *folder, struct hook_secrets *ret,
			       struct berth_error *err);
void hook_secrets_done(struct hook_secrets *s);
/* Is that the Authorization header ("Bearer SECRET", or the secret alone; NULL: none)
 * of that integration? As long for any answer. */
bool hook_secrets_match(const struct hook_secrets *s, const char *integration,
			const char *authorization);

#endif
