/* SPDX-License-Identifier: Apache-2.0 */
/* Digests and hashing: see digest.h. */
#include "core/base/digest.h"

#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/text.h"

static const struct {
	const char *prefix;
	unsigned char byte_count;
} algorithms[] = {
	[DIGEST_NONE] = {"", 0},
	[DIGEST_SHA256] = {"sha256:", 32},
	[DIGEST_SHA512] = {"sha512:", 64},
};

static bool is_lower_hex(const char *s)
{
	return s[strspn(s, "0123456789abcdef")] == 0;
}

int digest_parse(const char *text, struct digest *ret, struct berth_error *err)
{
	for (int a = DIGEST_SHA256; a <= DIGEST_SHA512; a++) {
		size_t n = strlen(algorithms[a].prefix), bytes = algorithms[a].byte_count;
		if (strncmp(text, algorithms[a].prefix, n) != 0)
			continue;
		if (strlen(text + n) != 2 * bytes || !is_lower_hex(text + n))
			break;
		ret->algorithm = (unsigned char)a;
		ret->byte_count = (unsigned char)bytes;
		text_unhex(text + n, ret->bytes, bytes);
		return 0;
	}
	return berth_fail(err, BERTH_E_INVALID,
			  "'%.80s' is not a digest (sha256: and 64, or sha512: and 128 hex digits)",
			  text);
}

void digest_format(const struct digest *d, char *to)
{
	size_t n = strlen(algorithms[d->algorithm].prefix);
	memcpy(to, algorithms[d->algorithm].prefix, n);
	text_hex(d->bytes, d->byte_count, to + n);
}

bool digest_equal(const struct digest *a, const struct digest *b)
{
	return a->algorithm == b->algorithm && !memcmp(a->bytes, b->bytes, a->byte_count);
}

struct hasher {
	EVP_MD_CTX *ctx;
	int algorithm;
};

int hasher_new(int algorithm, struct hasher **ret, struct berth_error *err)
{
	AUTO(hasher) struct hasher *h = calloc(1, sizeof *h);
	if (!h || !(h->ctx = EVP_MD_CTX_new()))
		return berth_fail_memory(err);
	h->algorithm = algorithm;
	const EVP_MD *md = algorithm == DIGEST_SHA512 ? EVP_sha512() : EVP_sha256();
	if (EVP_DigestInit_ex(h->ctx, md, NULL) != 1)
		return berth_fail(err, BERTH_E_INTERNAL, "cannot start a hash");
	*ret = STEAL(h);
	return 0;
}

void hasher_add(struct hasher *h, const void *bytes, size_t byte_count)
{
	EVP_DigestUpdate(h->ctx, bytes, byte_count);
}

void hasher_end(struct hasher *h, struct digest *ret)
{
	unsigned n = 0;
	EVP_DigestFinal_ex(h->ctx, ret->bytes, &n);
	ret->algorithm = (unsigned char)h->algorithm;
	ret->byte_count = (unsigned char)n;
}

void hasher_free(struct hasher *h)
{
	if (h)
		EVP_MD_CTX_free(h->ctx);
	free(h);
}

int digest_of(int algorithm, const void *bytes, size_t byte_count, struct digest *ret,
	      struct berth_error *err)
{
	AUTO(hasher) struct hasher *h = NULL;
	int r = hasher_new(algorithm, &h, err);
	if (r)
		return r;
	hasher_add(h, bytes, byte_count);
	hasher_end(h, ret);
	return 0;
}
