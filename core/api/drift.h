/* SPDX-License-Identifier: Apache-2.0 */
/* Drift (S5): what a server did to a space by itself, as a look at it finds. Each
 * finding is kept with the space and its time, told as an event and written to the
 * audit trail. It takes bindings out of use or brings them back:
 *
 *	removed, renamed   not there by that name: they are retired until it returns
 *	replaced           another space by that name (the server's own id differs): they
 *	                   stay retired until the space is bound again
 *	made-public        nobody needs them: retired until it is private again
 *	made-private, returned   what was retired for the above counts again
 *
 * Runs in berthd, in the transactions of a refresh.
 */
#ifndef CORE_API_DRIFT_H
#define CORE_API_DRIFT_H

#include "core/ops/ops.h"
#include "core/store/spaces.h"

/* Puts `now`, which the operation has just seen, into the store, and compares it
 * with what was known of it. */
MUST_USE int drift_put(struct operation *op, struct space *now, struct berth_error *err);
/* Native spaces of the integration that a whole look, begun at seen_ms, has not seen. */
MUST_USE int drift_gone(struct operation *op, const char *integration_id, int64_t seen_ms,
			struct berth_error *err);
/* A change that Berth itself made at the server: no drift, but what was retired
 * because the space was public counts again when it is private. */
MUST_USE int drift_changed_here(struct operation *op, const struct space *now,
				struct berth_error *err);
/* {"what", "at", "message"} of a space; NULL: nothing was ever found. */
json_t *drift_show(const struct space *it) MUST_USE;

#endif
