/* SPDX-License-Identifier: Apache-2.0 */
/* Signatures (Ed25519): made with a seed of 32 bytes, checked with the public key
 * that follows from it, both as lower case hex. Wraps OpenSSL.
 */
#ifndef CORE_BASE_SIGN_H
#define CORE_BASE_SIGN_H

#include <stdbool.h>

#include "core/base/fail.h"

enum { SIGN_SEED_BYTES = 32, SIGN_PUBLIC_ROOM = 65, SIGN_TEXT_ROOM = 129 };

/* The public key of a seed, in SIGN_PUBLIC_ROOM bytes. */
MUST_USE int sign_public(const unsigned char *seed, char *to, struct berth_error *err);
/* The signature of a text, in SIGN_TEXT_ROOM bytes. */
MUST_USE int sign_text(const unsigned char *seed, const char *text, char *to,
		       struct berth_error *err);
/* Is it that key's signature of that text? False, too, for what is no key. */
bool sign_holds(const char *public_hex, const char *text, const char *signature_hex);

#endif
