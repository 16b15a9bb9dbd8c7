/* SPDX-License-Identifier: Apache-2.0 */
/* Sealing: AES-256-GCM with a fresh random nonce per record and the record's
 * row id as additional data, so that a sealed value can't be moved to another
 * row. The key is 32 random bytes in a file of mode 0600 (or a systemd
 * credential) beside, never inside, the store. berthd only.
 */
#ifndef CORE_SECRETS_SECRETS_H
#define CORE_SECRETS_SECRETS_H

#include <stdbool.h>
#include <stddef.h>

#include "core/base/buf.h"

struct sealer;

/* Reads the key. create: make the file where it is absent (0600, complete on
 * disk before it counts). BERTH_E_NOT_FOUND: absent; BERTH_E_DENIED: its mode
 * lets others read it; BERTH_E_INVALID: not a key. */
MUST_USE int sealer_open(const char *path, bool create, struct sealer **ret,
			 struct berth_error *err);
/* Wipes and frees; accepts NULL. */
void sealer_close(struct sealer *sealer);
SCOPE_TYPE(sealer, struct sealer, sealer_close)

/* A fixed text's keyed hash, 64 hex digits: says which key it is, and not what; to has
 * 65 bytes. BERTH_E_INTERNAL: the hash failed. */
MUST_USE int sealer_proof(const struct sealer *sealer, char *to, struct berth_error *err);

/* sealed: version byte, nonce, tag, ciphertext. sealer NULL: BERTH_E_UNAVAILABLE. */
MUST_USE int secret_seal(const struct sealer *sealer, const char *row_id, const void *bytes,
			 size_t byte_count, struct buf *sealed, struct berth_error *err);
/* *ret is NUL-terminated; secret_free. BERTH_E_DIGEST: it does not open. */
MUST_USE int secret_unseal(const struct sealer *sealer, const char *row_id, const void *sealed,
			   size_t sealed_count, char **ret, struct berth_error *err);
/* First 8 hex of HMAC-SHA-256 under a key derived for this; to has 9 bytes. */
MUST_USE int secret_fingerprint(const struct sealer *sealer, const char *text, char *to,
				struct berth_error *err);
/* Signs with a key derived for this; to has SIGN_TEXT_ROOM bytes, and its public key
 * SIGN_PUBLIC_ROOM (core/base/sign.h). */
MUST_USE int secret_sign(const struct sealer *sealer, const char *text, char *to,
			 struct berth_error *err);
MUST_USE int secret_sign_public(const struct sealer *sealer, char *to, struct berth_error *err);
/* Wipes and frees a text; accepts NULL. */
void secret_free(char *text);
static inline void scope_secret(char **p)
{
	secret_free(*p);
}
#define AUTO_SECRET CLEANUP(scope_secret)

#endif
