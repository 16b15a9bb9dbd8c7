/* SPDX-License-Identifier: Apache-2.0 */
/* Manifests in numbers and small blobs one by one: many references of one
 * repository asked for at once, each answer checked against its digest. Waits
 * on the loop; what a plugin shows goes through here.
 */
#ifndef CORE_OCI_FETCH_H
#define CORE_OCI_FETCH_H

#include "core/oci/manifest.h"
#include "core/oci/registry.h"

#define FETCH_WINDOW 16 /* requests in flight */

struct fetch_item {
	const char *reference; /* a tag or digest; borrowed */
	bool head_only;        /* the digest alone is wanted */
	/* Filled in: */
	bool is_found;       /* false: 404 */
	bool header_differs; /* the server's digest header is not the body's digest */
	char digest[DIGEST_TEXT_ROOM];
	char media_type[128];
	struct buf body; /* unless head_only */
};

/* Asks for all of them, at most FETCH_WINDOW at once. The first failure ends
 * it; BERTH_E_DIGEST where an answer has not the digest it was asked by. */
MUST_USE int fetch_manifests(struct registry *r, const char *repository, struct fetch_item *items,
			     size_t count, struct berth_error *err);
void fetch_items_done(struct fetch_item *items, size_t count);

/* A blob of at most max_bytes into memory, its digest checked. */
MUST_USE int fetch_blob(struct registry *r, const char *repository, const char *digest,
			size_t max_bytes, struct buf *ret, struct berth_error *err);

#endif
