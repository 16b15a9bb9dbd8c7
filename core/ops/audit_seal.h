/* SPDX-License-Identifier: Apache-2.0 */
/* The seals of the audit chain in the store (core/base/chain.h), signed with a key
 * derived from the master key; and what follows from them: where a chain goes on,
 * and that its oldest rows may go. Runs in berthd.
 *
 * What they prove to who knows the public key: rows before the start's seal were
 * there and unbroken when they were pruned; no row of the chain was altered, put in
 * or taken out, at its end neither. What they do not: that the whole store was not
 * put back to an older state, seals included (the journal's lines and exported files
 * tell), and nothing against who has the master key.
 */
#ifndef CORE_OPS_AUDIT_SEAL_H
#define CORE_OPS_AUDIT_SEAL_H

#include "core/base/chain.h"
#include "core/ops/events.h"
#include "core/secrets/secrets.h"

/* The key that seals are signed with from now on; NULL: none. Of the only thread. Where its
 * public half can't be made now, that is tried again before anything is written. */
void seal_set_sealer(const struct sealer *sealer);
/* The public key, or "" without one. */
const char *seal_public_key(void);

/* BERTH_E_NOT_FOUND: somebody removed it. */
MUST_USE int seal_load(struct store *s, const char *kind, struct chain_seal *ret,
		       struct berth_error *err);
/* Signs and stores, in the caller's transaction. */
MUST_USE int seal_store(struct store *s, const char *kind, int64_t number, const char *hash,
			struct berth_error *err);

/* Where the next row goes, after *ret_number with that hash. Where the end is not
 * what its seal says, a number is left out, so that the break stays visible for good;
 * *ret_is_unsigned: rows are there that no key has signed, and now there is one. */
MUST_USE int seal_find_end(struct store *s, int64_t *ret_number, char *hash, bool *ret_is_unsigned,
			   struct berth_error *err);

/* Drops up to max_rows of the oldest rows that are from before then, never the newest,
 * in one transaction with a new seal of the start and a row that says so. Rows that do
 * not fit stay: BERTH_E_DIGEST. Without a key nothing is dropped. */
MUST_USE int audit_prune(struct store *s, struct events *e, int64_t before_ms, int64_t max_rows,
			 int64_t *ret_count, struct berth_error *err);

#endif
