/* SPDX-License-Identifier: Apache-2.0 */
/* Digests as a type: "sha256:<64 hex>" or "sha512:<128 hex>", parsed before
 * use, compared as bytes; and hashing as bytes come, whose state can be kept.
 * Wraps OpenSSL.
 */
#ifndef CORE_BASE_DIGEST_H
#define CORE_BASE_DIGEST_H

#include <stdbool.h>
#include <stddef.h>

#include "core/base/fail.h"

#define DIGEST_TEXT_ROOM 136 /* "sha512:" + 128 hex + NUL */

struct digest {
	unsigned char algorithm; /* DIGEST_* */
	unsigned char byte_count;
	unsigned char bytes[64];
};
enum { DIGEST_NONE, DIGEST_SHA256, DIGEST_SHA512 };

/* BERTH_E_INVALID for anything but the two forms in lower case. */
MUST_USE int digest_parse(const char *text, struct digest *ret, struct berth_error *err);
void digest_format(const struct digest *d, char *to); /* DIGEST_TEXT_ROOM bytes */
bool digest_equal(const struct digest *a, const struct digest *b);
MUST_USE int digest_of(int algorithm, const void *bytes, size_t byte_count, struct digest *ret,
		       struct berth_error *err);

/* Hashing as bytes come. hasher_free accepts NULL. */
struct hasher;
MUST_USE int hasher_new(int algorithm, struct hasher **ret, struct berth_error *err);
void hasher_add(struct hasher *h, const void *bytes, size_t byte_count);
void hasher_end(struct hasher *h, struct digest *ret); /* then only free */
void hasher_free(struct hasher *h);
/* The state after what was added so far, in HASHER_STATE_ROOM bytes: of this
 * build on this machine, for the same build to go on from (hasher_build).
 * hasher_load: BERTH_E_INVALID for what no state looks like. */
#define HASHER_STATE_ROOM 216
void hasher_save(const struct hasher *h, unsigned char state[HASHER_STATE_ROOM]);
MUST_USE int hasher_load(int algorithm, const unsigned char state[HASHER_STATE_ROOM],
			 struct hasher **ret, struct berth_error *err);
const char *hasher_build(void); /* states of another build are of no use */
SCOPE_TYPE(hasher, struct hasher, hasher_free)

#endif
