/* SPDX-License-Identifier: Apache-2.0 */
/* Idempotency keys. A row's key is a hash over uid, method, path and the
 * client's key, so that no caller meets another's.
 */
#include "core/ops/idempotency.h"

#include <string.h>

#include "core/base/clock.h"
#include "core/base/digest.h"

#define KEEP_MS ((int64_t)24 * 60 * 60 * 1000)
#define KEY_MAX_BYTES 255

static bool is_key(const char *key)
{
	size_t count = strlen(key);

	for (size_t i = 0; i < count; i++)
		if (key[i] < 0x20 || key[i] > 0x7e)
			return false;
	return count > 0 && count <= KEY_MAX_BYTES;
}

static int hash_key(const struct idempotency_request *q, char *to, struct berth_error *err)
{
	AUTO(hasher) struct hasher *h = NULL;
	struct digest d;
	int rc;

	if (!is_key(q->key))
		return berth_fail(err, BERTH_E_INVALID,
				  "Idempotency-Key: 1 to %d printable ASCII characters",
				  KEY_MAX_BYTES);
	rc = hasher_new(DIGEST_SHA256, &h, err);
	if (rc)
		return rc;
	hasher_add(h, &q->uid, sizeof(q->uid));
	hasher_add(h, q->method, strlen(q->method) + 1);
	hasher_add(h, q->path, strlen(q->path) + 1);
	hasher_add(h, q->key, strlen(q->key) + 1);
	hasher_end(h, &d);
	digest_format(&d, to);
	return 0;
}

static int hash_body(const struct idempotency_request *q, char *to, struct berth_error *err)
{
	struct digest d;
	int rc = digest_of(DIGEST_SHA256, q->body_count ? q->body : "", q->body_count, &d, err);

	if (!rc)
		digest_format(&d, to);
	return rc;
}

static enum idempotency_case judge(const struct idempotency_row *row, const char *body_hash)
{
	if (strcmp(row->body_hash, body_hash) != 0)
		return IDEMPOTENCY_OTHER;
	return strcmp(row->state, "finished") ? IDEMPOTENCY_RUNNING : IDEMPOTENCY_REPLAY;
}

static int put(struct store *s, const char *key, const char *body_hash, int status,
	       const char *headers, const char *body, struct berth_error *err)
{
	struct idempotency_row row = {
		.key = (char *)(uintptr_t)key,
		.body_hash = (char *)(uintptr_t)body_hash,
		.state = (char *)(uintptr_t)(status ? "finished" : "running"),
		.status = status,
		.headers = (char *)(uintptr_t)headers,
		.body = (char *)(uintptr_t)body,
		.created_ms = clock_unix_ms(),
	};

	return idempotency_row_put(s, &row, err);
}

int idempotency_begin(struct store *s, const struct idempotency_request *request,
		      enum idempotency_case *ret_case, struct idempotency_row *ret,
		      struct berth_error *err)
{
	struct berth_error why = ERROR_INIT;
	char key[DIGEST_TEXT_ROOM], body_hash[DIGEST_TEXT_ROOM];
	int rc = hash_key(request, key, err);

	memset(ret, 0, sizeof(*ret));
	if (!rc)
		rc = hash_body(request, body_hash, err);
	if (rc)
		return rc;
	rc = idempotency_row_get(s, key, ret, &why);
	if (!rc && ret->created_ms >= clock_unix_ms() - KEEP_MS) {
		*ret_case = judge(ret, body_hash);
		return 0;
	}
	if (rc && rc != BERTH_E_NOT_FOUND) {
		*err = why;
		return rc;
	}
	*ret_case = IDEMPOTENCY_NEW;
	rc = rc ? 0 : idempotency_row_remove(s, key, err); /* one that is out of date */
	return rc ? rc : put(s, key, body_hash, 0, "", "", err);
}

int idempotency_finish(struct store *s, const struct idempotency_request *request, int status,
		       const char *headers, const char *body, struct berth_error *err)
{
	char key[DIGEST_TEXT_ROOM], body_hash[DIGEST_TEXT_ROOM];
	int rc = hash_key(request, key, err);

	if (!rc)
		rc = hash_body(request, body_hash, err);
	return rc ? rc : put(s, key, body_hash, status, headers, body, err);
}

int idempotency_prune(struct store *s, struct berth_error *err)
{
	return idempotency_row_prune(s, clock_unix_ms() - KEEP_MS, err);
}
