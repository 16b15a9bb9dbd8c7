/* SPDX-License-Identifier: Apache-2.0 */
/* Digests and hashing: see digest.h. OpenSSL's EVP can't give its state away, so
 * that a copy cut short could go on; the functions below it can. They are as
 * fast, and deprecated by name only.
 */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "core/base/digest.h"

#include <openssl/crypto.h>
#include <openssl/sha.h>
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
	union {
		SHA256_CTX sha256;
		SHA512_CTX sha512;
	} state;
	int algorithm;
};
_Static_assert(sizeof(((struct hasher *)0)->state) <= HASHER_STATE_ROOM, "room of a state");

int hasher_new(int algorithm, struct hasher **ret, struct berth_error *err)
{
	AUTO(hasher) struct hasher *h = calloc(1, sizeof *h);
	if (!h)
		return berth_fail_memory(err);
	h->algorithm = algorithm;
	int ok = algorithm == DIGEST_SHA512 ? SHA512_Init(&h->state.sha512)
					    : SHA256_Init(&h->state.sha256);
	if (ok != 1)
		return berth_fail(err, BERTH_E_INTERNAL, "cannot start a hash");
	*ret = STEAL(h);
	return 0;
}

void hasher_add(struct hasher *h, const void *bytes, size_t byte_count)
{
	if (h->algorithm == DIGEST_SHA512)
		SHA512_Update(&h->state.sha512, bytes, byte_count);
	else
		SHA256_Update(&h->state.sha256, bytes, byte_count);
}

void hasher_end(struct hasher *h, struct digest *ret)
{
	bool is_long = h->algorithm == DIGEST_SHA512;
	if (is_long)
		SHA512_Final(ret->bytes, &h->state.sha512);
	else
		SHA256_Final(ret->bytes, &h->state.sha256);
	ret->algorithm = (unsigned char)h->algorithm;
	ret->byte_count = algorithms[is_long ? DIGEST_SHA512 : DIGEST_SHA256].byte_count;
}

void hasher_free(struct hasher *h)
{
	free(h);
}

void hasher_save(const struct hasher *h, unsigned char state[HASHER_STATE_ROOM])
{
	memset(state, 0, HASHER_STATE_ROOM);
	memcpy(state, &h->state, sizeof h->state);
}

int hasher_load(int algorithm, const unsigned char state[HASHER_STATE_ROOM], struct hasher **ret,
		struct berth_error *err)
{
	AUTO(hasher) struct hasher *h = NULL;
	int r = hasher_new(algorithm, &h, err);
	if (r)
		return r;
	/* The analyzer does not see that hasher_new without an error has set it. */
	memcpy(&h->state, state, // NOLINT(clang-analyzer-core.NonNullParamChecker)
	       sizeof h->state);
	bool is_sound = algorithm == DIGEST_SHA512
				? h->state.sha512.num < SHA512_CBLOCK &&
					  h->state.sha512.md_len == SHA512_DIGEST_LENGTH
				: h->state.sha256.num < SHA256_CBLOCK &&
					  h->state.sha256.md_len == SHA256_DIGEST_LENGTH;
	if (!is_sound)
		return berth_fail(err, BERTH_E_INVALID, "that is no state of a hash");
	*ret = STEAL(h);
	return 0;
}

const char *hasher_build(void)
{
	return OpenSSL_version(OPENSSL_FULL_VERSION_STRING);
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
