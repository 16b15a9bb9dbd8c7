/* SPDX-License-Identifier: Apache-2.0 */
/* The artifact document that plugins make of what somebody pushed: a manifest, a line
 * feed, and its config; an index is its own child and referrer. Whatever they hold, the
 * document is JSON that fits in a frame. */
#include <stdlib.h>
#include <string.h>

#include "core/base/js.h"
#include "plugins/common/document.h"

static const struct js_limits limits = {65536, 20000, 64};

static void make(const struct manifest *m, const json_t *config, size_t byte_count)
{
	AUTO_JSON json_t *doc = document_new(m, byte_count);

	if (config)
		document_add_config(doc, m, config);
	for (size_t i = 0; i < m->child_count; i++) {
		document_add_platform(doc, &m->children[i], i % 2 ? m : NULL);
		document_add_referrer(doc, &m->children[i], i % 2 ? "sha256-0.sig" : "");
	}
	document_fit(doc);
	if (json_dumpb(doc, NULL, 0, JSON_COMPACT) > DOCUMENT_MAX_BYTES ||
	    !json_is_string(json_object_get(doc, "kind")))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct berth_error err = ERROR_INIT;
	AUTO(manifest) struct manifest *m = NULL;
	AUTO_JSON json_t *config = NULL;
	const uint8_t *end = size ? memchr(data, '\n', size) : NULL;
	size_t first = end ? (size_t)(end - data) : size;

	if (manifest_parse((const char *)data, first, NULL, &m, &err))
		return 0;
	if (end && js_parse((const char *)end + 1, size - first - 1, &limits, &config, &err))
		config = NULL;
	make(m, config, first);
	return 0;
}
