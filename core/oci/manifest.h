/* SPDX-License-Identifier: Apache-2.0 */
/* A manifest or index, parsed from the bytes that its digest is over and
 * checked before anything is believed: one meaning only (Content-Type,
 * mediaType and shape agree), no duplicate keys, digests and sizes that can
 * be, and counts within caps. Pure functions but for memory.
 */
#ifndef CORE_OCI_MANIFEST_H
#define CORE_OCI_MANIFEST_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/base/digest.h"
#include "core/oci/media.h"

#define MANIFEST_MAX_BYTES ((size_t)4 << 20) /* as distribution and Harbor take */
#define MANIFEST_CHILDREN_MAX 1000
#define MANIFEST_LAYERS_MAX 1000
#define MANIFEST_DEPTH_MAX 4 /* of indexes in indexes: for those who walk */
#define BLOB_MAX_BYTES ((int64_t)1 << 53)

/* A descriptor. Strings live in the manifest. */
struct descriptor {
	const char *media_type, *digest;
	int64_t size;
	const char *artifact_type;                            /* NULL: none */
	const char *os, *architecture, *variant, *os_version; /* NULL: not said */
	bool has_urls;                                        /* where its bytes are, too */
	bool is_foreign;           /* its bytes may be elsewhere and not here */
	bool is_attestation;       /* BuildKit's: platform unknown/unknown, or annotated so */
	const json_t *annotations; /* NULL: none; borrowed */
};

enum manifest_kind { MANIFEST_IMAGE, MANIFEST_INDEX, MANIFEST_ARTIFACT };

struct manifest {
	enum manifest_kind kind;
	const char *media_type;    /* as its Content-Type must be when it is put */
	const char *artifact_type; /* of the manifest itself; NULL: none */
	struct descriptor config;  /* media_type NULL: none (index, artifact) */
	struct descriptor subject; /* digest NULL: none */
	struct descriptor *layers; /* of an artifact: its blobs */
	size_t layer_count;
	struct descriptor *children; /* of an index */
	size_t child_count;
	const json_t *annotations;
	json_t *root;
};

/* content_type: the answer's, or NULL where it is not known. BERTH_E_PROTOCOL
 * says what is wrong; BERTH_E_UNSUPPORTED for schema 1; BERTH_E_LIMIT. The
 * caller frees *ret. */
MUST_USE int manifest_parse(const char *bytes, size_t byte_count, const char *content_type,
			    struct manifest **ret, struct berth_error *err);
void manifest_free(struct manifest *m);
SCOPE_TYPE(manifest, struct manifest, manifest_free)

/* "image", "index", "helm-chart", "signature", ...: see media_thing. */
const char *manifest_thing(const struct manifest *m);
/* Config and layers, equal digests once. */
int64_t manifest_bytes(const struct manifest *m);

#endif
