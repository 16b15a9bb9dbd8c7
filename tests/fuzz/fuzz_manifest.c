/* SPDX-License-Identifier: Apache-2.0 */
/* Manifests: the first byte chooses the Content-Type that they come as. */
#include <stdlib.h>
#include <string.h>

#include "core/oci/manifest.h"

static void check(const struct manifest *m)
{
	struct berth_error err = ERROR_INIT;
	struct digest d;
	for (size_t i = 0; i < m->layer_count; i++)
		if (m->layers[i].size < 0 || digest_parse(m->layers[i].digest, &d, &err))
			abort();
	for (size_t i = 0; i < m->child_count; i++)
		if (m->children[i].size < 0 || digest_parse(m->children[i].digest, &d, &err))
			abort();
	if ((m->kind == MANIFEST_INDEX) != media_is_index(m->media_type) || manifest_bytes(m) < 0 ||
	    !manifest_thing(m))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const types[] = {NULL,
					    MEDIA_OCI_MANIFEST,
					    MEDIA_OCI_INDEX,
					    MEDIA_DOCKER_MANIFEST,
					    MEDIA_DOCKER_LIST,
					    MEDIA_OCI_ARTIFACT,
					    MEDIA_DOCKER_V1 "+json",
					    "text/html"};
	struct berth_error err = ERROR_INIT;
	AUTO(manifest) struct manifest *m = NULL;

	if (!size)
		return 0;
	if (manifest_parse((const char *)data + 1, size - 1, types[data[0] % ARRAY_COUNT(types)],
			   &m, &err) == 0)
		check(m);
	return 0;
}
