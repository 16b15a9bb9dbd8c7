/* SPDX-License-Identifier: Apache-2.0 */
/* Idempotency keys: the first answer to a POST is kept 24 hours and given
 * again. Call begin, do the work and finish within one transaction, so that a
 * crash leaves both the effect and the answer, or neither.
 */
#ifndef CORE_OPS_IDEMPOTENCY_H
#define CORE_OPS_IDEMPOTENCY_H

#include <stdint.h>
#include <sys/types.h>

#include "core/store/records.h"

struct idempotency_request {
	uid_t uid;
	const char *method, *path; /* path with its query */
	const char *key;           /* the header: 1 to 255 printable ASCII */
	const void *body;
	size_t body_count;
};
enum idempotency_case {
	IDEMPOTENCY_NEW,     /* go on; then finish, or roll back */
	IDEMPOTENCY_REPLAY,  /* ret has the first answer */
	IDEMPOTENCY_RUNNING, /* 409 */
	IDEMPOTENCY_OTHER    /* 422: the key was used with another body */
};
/* BERTH_E_INVALID: not a key. ret: idempotency_row_done. */
MUST_USE int idempotency_begin(struct store *s, const struct idempotency_request *request,
			       enum idempotency_case *ret_case, struct idempotency_row *ret,
			       struct berth_error *err);
/* Keeps the answer. headers: JSON object text of those to repeat. */
MUST_USE int idempotency_finish(struct store *s, const struct idempotency_request *request,
				int status, const char *headers, const char *body,
				struct berth_error *err);
/* Drops those older than 24 h; the sweep calls it. */
MUST_USE int idempotency_prune(struct store *s, struct berth_error *err);

#endif
