/* SPDX-License-Identifier: Apache-2.0 */
/* Why libcrypto did not do what it was asked: whether memory lacked, or what was
 * given is wrong. Any process, one thread.
 */
#ifndef CORE_BASE_CRYPTO_H
#define CORE_BASE_CRYPTO_H

#include "core/base/fail.h"

/* Before a series of calls: forgets what failed earlier. */
void crypto_begin(void);
/* After one of them failed: BERTH_E_NO_MEMORY where memory lacked since then, else code
 * with that message. */
int crypto_fail(struct berth_error *err, int code, const char *message);

#endif
