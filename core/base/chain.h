/* SPDX-License-Identifier: Apache-2.0 */
/* The chain of the audit trail, for who writes it (berthd) and who reads it from a
 * file (berthctl). Each row's hash is SHA-256 of the hash before it, a newline and
 * the row's canonical JSON. Two seals say where the chain starts (0, or the last row
 * that was pruned) and where it ends; each is signed.
 */
#ifndef CORE_BASE_CHAIN_H
#define CORE_BASE_CHAIN_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/base/sign.h"

#define CHAIN_HASH_ROOM 65
#define CHAIN_START "start"
#define CHAIN_END "end"
/* A row that says: those before it were not signed. */
#define CHAIN_SEALED_ACTION "audit.sealed"

struct chain_seal {
	int64_t number, time_ms;
	char hash[CHAIN_HASH_ROOM];
	char signature[SIGN_TEXT_ROOM]; /* "": there was no key */
};

/* row: without its hash. to has CHAIN_HASH_ROOM bytes. */
MUST_USE int chain_hash(const json_t *row, const char *previous, char *to, struct berth_error *err);
/* What the signature of a seal is of; NULL: no memory; free(). */
char *chain_seal_text(const char *kind, const struct chain_seal *seal) MUST_USE;
/* Does its signature hold? The start of a whole chain (number 0) needs none. */
bool chain_seal_holds(const char *kind, const struct chain_seal *seal, const char *public_key);

/* A walk from the start's seal over each row to the end's. BERTH_E_DIGEST says what
 * does not fit, and number + 1 is then the first row that doesn't. public_key "":
 * signatures are not looked at. */
struct chain_walk {
	const char *public_key;
	int64_t number; /* of the last row that fits */
	char hash[CHAIN_HASH_ROOM];
	int64_t row_count;
	int64_t unsigned_to; /* rows up to it were written without a key; 0: none */
};
MUST_USE int chain_begin(struct chain_walk *w, const char *public_key,
			 const struct chain_seal *start, struct berth_error *err);
MUST_USE int chain_step(struct chain_walk *w, const json_t *row, const char *hash,
			struct berth_error *err);
MUST_USE int chain_end(const struct chain_walk *w, const struct chain_seal *end,
		       struct berth_error *err);

#endif
