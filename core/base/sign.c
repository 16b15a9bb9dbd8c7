/* SPDX-License-Identifier: Apache-2.0 */
/* Ed25519 by libcrypto: see sign.h. */
#include "core/base/sign.h"

#include <openssl/evp.h>
#include <string.h>

#include "core/base/crypto.h"
#include "core/base/scope.h"
#include "core/base/text.h"

enum { PUBLIC_BYTES = 32, SIGNATURE_BYTES = 64 };

static void scope_key(EVP_PKEY **key)
{
	EVP_PKEY_free(*key);
}

static void scope_hash(EVP_MD_CTX **hash)
{
	EVP_MD_CTX_free(*hash);
}

int sign_public(const unsigned char *seed, char *to, struct berth_error *err)
{
	CLEANUP(scope_key) EVP_PKEY *key = NULL;
	unsigned char bytes[PUBLIC_BYTES];
	size_t count = sizeof(bytes);

	crypto_begin();
	key = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, seed, SIGN_SEED_BYTES);
	if (!key || EVP_PKEY_get_raw_public_key(key, bytes, &count) != 1)
		return crypto_fail(err, BERTH_E_INTERNAL, "cannot make a key to sign with");
	text_hex(bytes, count, to);
	return 0;
}

int sign_text(const unsigned char *seed, const char *text, char *to, struct berth_error *err)
{
	CLEANUP(scope_key) EVP_PKEY *key = NULL;
	CLEANUP(scope_hash) EVP_MD_CTX *hash = NULL;
	unsigned char bytes[SIGNATURE_BYTES];
	size_t count = sizeof(bytes);

	crypto_begin();
	key = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, seed, SIGN_SEED_BYTES);
	hash = EVP_MD_CTX_new();
	if (!key || !hash || EVP_DigestSignInit(hash, NULL, NULL, NULL, key) != 1 ||
	    EVP_DigestSign(hash, bytes, &count, (const unsigned char *)text, strlen(text)) != 1)
		return crypto_fail(err, BERTH_E_INTERNAL, "cannot sign");
	text_hex(bytes, count, to);
	return 0;
}

bool sign_holds(const char *public_hex, const char *text, const char *signature_hex)
{
	unsigned char public_bytes[PUBLIC_BYTES], bytes[SIGNATURE_BYTES];
	CLEANUP(scope_hash) EVP_MD_CTX *hash = NULL;
	CLEANUP(scope_key) EVP_PKEY *key = NULL;

	if (strlen(public_hex) != 2 * sizeof(public_bytes) ||
	    strlen(signature_hex) != 2 * sizeof(bytes) ||
	    !text_unhex(public_hex, public_bytes, sizeof(public_bytes)) ||
	    !text_unhex(signature_hex, bytes, sizeof(bytes)))
		return false;
	key = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, public_bytes,
					  sizeof(public_bytes));
	hash = EVP_MD_CTX_new();
	return key && hash && EVP_DigestVerifyInit(hash, NULL, NULL, NULL, key) == 1 &&
	       EVP_DigestVerify(hash, bytes, sizeof(bytes), (const unsigned char *)text,
				strlen(text)) == 1;
}
