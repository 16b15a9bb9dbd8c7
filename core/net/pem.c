/* SPDX-License-Identifier: Apache-2.0 */
/* PEM checks: see pem.h. */
#include "core/net/pem.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdbool.h>
#include <string.h>

static void scope_bio(BIO **b)
{
	BIO_free(*b);
}
static void scope_x509(X509 **x)
{
	X509_free(*x);
}
static void scope_key(EVP_PKEY **k)
{
	EVP_PKEY_free(*k);
}

/* Instead of a question on the terminal: a key with a passphrase is no use. */
static int no_passphrase(char *to, int room, int writes, void *user)
{
	(void)to;
	(void)room;
	(void)writes;
	(void)user;
	return 0;
}

static X509 *first_certificate(const char *pem)
{
	CLEANUP(scope_bio) BIO *bio = BIO_new_mem_buf(pem, (int)strlen(pem));
	X509 *x = bio ? PEM_read_bio_X509(bio, NULL, no_passphrase, NULL) : NULL;
	ERR_clear_error();
	return x;
}

static EVP_PKEY *first_key(const char *pem)
{
	CLEANUP(scope_bio) BIO *bio = BIO_new_mem_buf(pem, (int)strlen(pem));
	EVP_PKEY *k = bio ? PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL) : NULL;
	ERR_clear_error();
	return k;
}

int pem_check_ca(const char *pem, struct berth_error *err)
{
	CLEANUP(scope_x509) X509 *x = first_certificate(pem);
	if (!x)
		return berth_fail(err, BERTH_E_INVALID, "the CA holds no PEM certificate");
	return 0;
}

int pem_check_pair(const char *cert, const char *key, struct berth_error *err)
{
	CLEANUP(scope_x509) X509 *x = first_certificate(cert);
	CLEANUP(scope_key) EVP_PKEY *k = first_key(key ? key : cert);
	if (!x)
		return berth_fail(err, BERTH_E_INVALID,
				  "the client certificate holds no PEM certificate");
	if (!k)
		return berth_fail(err, BERTH_E_INVALID,
				  "the client key holds no PEM key without a passphrase");
	bool fits = X509_check_private_key(x, k) == 1;
	ERR_clear_error();
	if (!fits)
		return berth_fail(err, BERTH_E_INVALID,
				  "the client key is not the client certificate's");
	return 0;
}
