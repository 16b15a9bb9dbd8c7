/* SPDX-License-Identifier: Apache-2.0 */
/* Sealing with AES-256-GCM by OpenSSL's EVP, and the key's file. What is sealed
 * is: version byte 1, nonce (12), tag (16), ciphertext. Plain texts and keys
 * are wiped before their memory goes back.
 */
#include "core/secrets/secrets.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "core/base/clock.h"
#include "core/base/crypto.h"
#include "core/base/folder.h"
#include "core/base/sign.h"
#include "core/base/text.h"

#define KEY_BYTES 32
#define NONCE_BYTES 12
#define TAG_BYTES 16
#define HEAD_BYTES (1 + NONCE_BYTES + TAG_BYTES)
#define SEALED_VERSION 1
#define PLAIN_MAX_BYTES ((size_t)1024 * 1024)

struct sealer {
	unsigned char key[KEY_BYTES];
	unsigned char hash_key[KEY_BYTES]; /* for fingerprints, derived from key */
	unsigned char sign_key[KEY_BYTES]; /* a seed of Ed25519, derived from key */
};

void secret_free(char *text)
{
	if (text)
		OPENSSL_cleanse(text, strlen(text));
	free(text);
}

void sealer_close(struct sealer *sealer)
{
	if (!sealer)
		return;
	OPENSSL_cleanse(sealer, sizeof(*sealer));
	free(sealer);
}

/* The file's form: 64 hex digits and a newline; a credential may come as the 32
 * bytes themselves. */
static bool read_key(const char *bytes, size_t byte_count, unsigned char *to)
{
	char hex[2 * KEY_BYTES + 1];
	bool ok;

	if (byte_count == KEY_BYTES) {
		memcpy(to, bytes, KEY_BYTES);
		return true;
	}
	if (byte_count == 2 * KEY_BYTES + 1 && bytes[2 * KEY_BYTES] == '\n')
		byte_count--;
	if (byte_count != 2 * KEY_BYTES)
		return false;
	memcpy(hex, bytes, byte_count);
	hex[byte_count] = '\0';
	ok = text_unhex(hex, to, KEY_BYTES);
	OPENSSL_cleanse(hex, sizeof(hex));
	return ok;
}

/* systemd shows a credential's access list as group rights: its folder is
 * private to the service. */
static bool is_credential(const char *path)
{
	const char *folder = getenv("CREDENTIALS_DIRECTORY");
	size_t count = folder ? strlen(folder) : 0;

	return count && !strncmp(path, folder, count) && path[count] == '/';
}

static int load_key(int fd, const char *path, unsigned char *to, struct berth_error *err)
{
	char bytes[2 * KEY_BYTES + 2];
	struct stat st;
	ssize_t n;
	bool ok;

	if (fstat(fd, &st))
		return berth_fail_errno(err, errno, "cannot read the key %s", path);
	if (!S_ISREG(st.st_mode))
		return berth_fail(err, BERTH_E_INVALID, "the key %s is not a file", path);
	if ((st.st_mode & 077) && !is_credential(path))
		return berth_fail(err, BERTH_E_DENIED,
				  "the key %s is open to others (mode %03o): chmod 0600 it, and "
				  "think about who may have read it",
				  path, (unsigned)(st.st_mode & 0777));
	n = read(fd, bytes, sizeof(bytes));
	if (n < 0)
		return berth_fail_errno(err, errno, "cannot read the key %s", path);
	ok = read_key(bytes, (size_t)n, to);
	OPENSSL_cleanse(bytes, sizeof(bytes));
	return ok ? 0
		  : berth_fail(err, BERTH_E_INVALID,
			       "%s holds no key (32 bytes, or 64 hex "
			       "digits)",
			       path);
}

static int write_all(int fd, const char *bytes, size_t byte_count)
{
	while (byte_count) {
		ssize_t n = write(fd, bytes, byte_count);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno;
		bytes += n;
		byte_count -= (size_t)n;
	}
	return fsync(fd) ? errno : 0;
}

/* Complete under another name, then linked: a crash leaves no half key, and an
 * existing key is never replaced. */
static int make_key(const char *path, struct berth_error *err)
{
	unsigned char key[KEY_BYTES];
	char hex[2 * KEY_BYTES + 2], fresh[PATH_MAX];
	AUTO_FD int fd = -1;
	int errnum;

	if (snprintf(fresh, sizeof(fresh), "%s.new", path) >= (int)sizeof(fresh))
		return berth_fail(err, BERTH_E_LIMIT, "the key's path is too long");
	random_fill(key, sizeof(key));
	text_hex(key, sizeof(key), hex);
	OPENSSL_cleanse(key, sizeof(key));
	hex[2 * KEY_BYTES] = '\n';
	unlink(fresh);
	fd = open(fresh, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	errnum = fd < 0 ? errno : write_all(fd, hex, 2 * KEY_BYTES + 1);
	OPENSSL_cleanse(hex, sizeof(hex));
	if (!errnum && link(fresh, path))
		errnum = errno;
	unlink(fresh);
	if (errnum)
		return berth_fail_errno(err, errnum, "cannot make the key %s", path);
	/* What is sealed before the key's name is on disk would be lost with it. */
	return folder_sync(path, err);
}

static int open_key(const char *path, bool create, int *ret_fd, struct berth_error *err)
{
	*ret_fd = open(path, O_RDONLY | O_CLOEXEC);
	if (*ret_fd < 0 && errno == ENOENT && create) {
		int rc = make_key(path, err);

		if (rc)
			return rc;
		*ret_fd = open(path, O_RDONLY | O_CLOEXEC);
	}
	return *ret_fd < 0 ? berth_fail_errno(err, errno, "cannot open the key %s", path) : 0;
}

int sealer_open(const char *path, bool create, struct sealer **ret, struct berth_error *err)
{
	static const char purpose[] = "berth fingerprint 1", signing[] = "berth signature 1";
	AUTO(sealer) struct sealer *sealer = calloc(1, sizeof(*sealer));
	AUTO_FD int fd = -1;
	unsigned int count = 0;
	int rc;

	/* Where memory was short for its own set-up, libcrypto 3.0 crashes at the first
	 * use of what it should have made; that call says whether it has. */
	if (!sealer || !OSSL_LIB_CTX_get0_global_default())
		return berth_fail_memory(err);
	rc = open_key(path, create, &fd, err);
	if (!rc)
		rc = load_key(fd, path, sealer->key, err);
	if (rc)
		return rc;
	crypto_begin();
	if (!HMAC(EVP_sha256(), sealer->key, KEY_BYTES, (const unsigned char *)purpose,
		  sizeof(purpose) - 1, sealer->hash_key, &count) ||
	    !HMAC(EVP_sha256(), sealer->key, KEY_BYTES, (const unsigned char *)signing,
		  sizeof(signing) - 1, sealer->sign_key, &count))
		return crypto_fail(err, BERTH_E_INTERNAL, "cannot derive a key");
	*ret = STEAL(sealer);
	return 0;
}

static void scope_cipher(EVP_CIPHER_CTX **c)
{
	EVP_CIPHER_CTX_free(*c);
}

/* One AES-256-GCM pass; seal: writes tag; else checks it. False: no memory, or
 * it does not open. */
static bool run_cipher(const struct sealer *sealer, const char *row_id, bool seal,
		       unsigned char *head, const unsigned char *from, unsigned char *to,
		       int byte_count)
{
	CLEANUP(scope_cipher) EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
	unsigned char *nonce = head + 1, *tag = head + 1 + NONCE_BYTES;
	int n = 0, last = 0;

	if (!c || EVP_CipherInit_ex(c, EVP_aes_256_gcm(), NULL, sealer->key, nonce, seal) != 1)
		return false;
	if (EVP_CipherUpdate(c, NULL, &n, head, 1) != 1 ||
	    EVP_CipherUpdate(c, NULL, &n, (const unsigned char *)row_id, (int)strlen(row_id)) != 1)
		return false;
	if (byte_count && EVP_CipherUpdate(c, to, &n, from, byte_count) != 1)
		return false;
	if (!seal && EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_GCM_SET_TAG, TAG_BYTES, tag) != 1)
		return false;
	if (EVP_CipherFinal_ex(c, to + byte_count, &last) != 1)
		return false;
	return !seal || EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_GCM_GET_TAG, TAG_BYTES, tag) == 1;
}

static int no_key(struct berth_error *err)
{
	return berth_fail(err, BERTH_E_UNAVAILABLE,
			  "no key is loaded: what needs a stored secret is off");
}

int secret_seal(const struct sealer *sealer, const char *row_id, const void *bytes,
		size_t byte_count, struct buf *sealed, struct berth_error *err)
{
	AUTO_FREE unsigned char *to = malloc(HEAD_BYTES + byte_count + 1);

	if (!sealer)
		return no_key(err);
	if (!to)
		return berth_fail_memory(err);
	if (byte_count > PLAIN_MAX_BYTES)
		return berth_fail(err, BERTH_E_LIMIT, "a secret is over 1 MiB");
	to[0] = SEALED_VERSION;
	random_fill(to + 1, NONCE_BYTES);
	crypto_begin();
	if (!run_cipher(sealer, row_id, true, to, bytes, to + HEAD_BYTES, (int)byte_count))
		return crypto_fail(err, BERTH_E_INTERNAL, "cannot seal a secret");
	return buf_add(sealed, to, HEAD_BYTES + byte_count, err);
}

int secret_unseal(const struct sealer *sealer, const char *row_id, const void *sealed,
		  size_t sealed_count, char **ret, struct berth_error *err)
{
	unsigned char head[HEAD_BYTES];
	size_t byte_count = sealed_count - HEAD_BYTES;
	char *text;

	if (!sealer)
		return no_key(err);
	if (sealed_count < HEAD_BYTES || byte_count > PLAIN_MAX_BYTES ||
	    ((const unsigned char *)sealed)[0] != SEALED_VERSION)
		return berth_fail(err, BERTH_E_DIGEST, "a sealed secret is damaged: set it anew");
	text = malloc(byte_count + 1);
	if (!text)
		return berth_fail_memory(err);
	memcpy(head, sealed, sizeof(head));
	crypto_begin();
	if (!run_cipher(sealer, row_id, false, head, (const unsigned char *)sealed + HEAD_BYTES,
			(unsigned char *)text, (int)byte_count)) {
		(void)crypto_fail(err, BERTH_E_DIGEST,
				  "a sealed secret does not open (damaged, or of another row): "
				  "set it anew");
		OPENSSL_cleanse(text, byte_count);
		free(text);
		return err->code;
	}
	text[byte_count] = '\0';
	*ret = text;
	return 0;
}

int secret_fingerprint(const struct sealer *sealer, const char *text, char *to,
		       struct berth_error *err)
{
	unsigned char hash[EVP_MAX_MD_SIZE] = {0};
	unsigned int count = 0;

	crypto_begin();
	if (!HMAC(EVP_sha256(), sealer->hash_key, KEY_BYTES, (const unsigned char *)text,
		  strlen(text), hash, &count))
		return crypto_fail(err, BERTH_E_INTERNAL, "cannot make a secret's fingerprint");
	text_hex(hash, 4, to);
	return 0;
}

int secret_sign(const struct sealer *sealer, const char *text, char *to, struct berth_error *err)
{
	return sign_text(sealer->sign_key, text, to, err);
}

int secret_sign_public(const struct sealer *sealer, char *to, struct berth_error *err)
{
	return sign_public(sealer->sign_key, to, err);
}

int sealer_proof(const struct sealer *sealer, char *to, struct berth_error *err)
{
	static const char text[] = "berth key proof 1";
	unsigned char hash[EVP_MAX_MD_SIZE] = {0};
	unsigned int count = 0;

	crypto_begin();
	if (!HMAC(EVP_sha256(), sealer->hash_key, KEY_BYTES, (const unsigned char *)text,
		  sizeof(text) - 1, hash, &count))
		return crypto_fail(err, BERTH_E_INTERNAL, "cannot tell the key by its hash");
	text_hex(hash, 32, to);
	return 0;
}
