/* SPDX-License-Identifier: Apache-2.0 */
/* Errors of libcrypto: see crypto.h. */
#include "core/base/crypto.h"

#include <errno.h>
#include <openssl/err.h>
#include <stdbool.h>

void crypto_begin(void)
{
	ERR_clear_error();
	errno = 0;
}

/* Not all of its parts say that they lacked memory; errno does. */
int crypto_fail(struct berth_error *err, int code, const char *message)
{
	bool is_short = errno == ENOMEM;

	for (unsigned long one; (one = ERR_get_error());)
		is_short |= ERR_GET_REASON(one) == ERR_R_MALLOC_FAILURE;
	return is_short ? berth_fail_memory(err) : berth_fail(err, code, "%s", message);
}
