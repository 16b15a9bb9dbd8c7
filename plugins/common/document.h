/* SPDX-License-Identifier: Apache-2.0 */
/* The artifact document: one JSON object that says what a manifest is, from
 * its own bytes, its config and what refers to it. Its keys are listed in
 * berth-plugin(7), KEYS OF ITEMS. Pure functions but for memory; never over
 * DOCUMENT_MAX_BYTES.
 */
#ifndef PLUGINS_COMMON_DOCUMENT_H
#define PLUGINS_COMMON_DOCUMENT_H

#include "core/oci/manifest.h"

#define DOCUMENT_MAX_BYTES ((size_t)48 << 10) /* has to fit in one frame */

/* What the manifest alone says: kind, media_type, size, annotations, ... */
MUST_USE json_t *document_new(const struct manifest *m, size_t manifest_byte_count);
/* Adds config, history and the history line of each layer. */
void document_add_config(json_t *doc, const struct manifest *m, const json_t *config);
/* Adds one platform of an index; child may be NULL (not read). */
void document_add_platform(json_t *doc, const struct descriptor *d, const struct manifest *child);
void document_add_referrer(json_t *doc, const struct descriptor *d, const char *tag);
/* Leaves out what is too much: "cut": true says that it was done. */
void document_fit(json_t *doc);

#endif
