/* SPDX-License-Identifier: Apache-2.0 */
/* What token servers answer, and which scopes cover which. Pure functions. */
#ifndef CORE_OCI_TOKEN_H
#define CORE_OCI_TOKEN_H

#include <stdbool.h>
#include <stdint.h>

#include "core/base/fail.h"

struct token_answer {
	char *token;
	uint32_t expires_s; /* 60 s to a day, whatever the server said */
};

/* {"token" or "access_token", "expires_in"}; some servers fill only one of the
 * first two and leave the other empty. BERTH_E_PROTOCOL, _LIMIT, _NO_MEMORY. */
MUST_USE int token_parse(const char *bytes, size_t byte_count, struct token_answer *ret,
			 struct berth_error *err);
void token_answer_done(struct token_answer *a);

/* Does a token for the scopes `have` do for `want`? Both are lists of
 * type:name:action,action separated by spaces. */
bool token_covers(const char *have, const char *want);

#endif
