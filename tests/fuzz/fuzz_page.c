/* SPDX-License-Identifier: Apache-2.0 */
/* Pages of tags and of the catalog; an error envelope has the same parser. */
#include <stdlib.h>

#include "core/oci/lists.h"
#include "core/oci/reference.h"

static void try_page(enum list_kind kind, const uint8_t *data, size_t size)
{
	struct berth_error err = ERROR_INIT;
	AUTO_JSON json_t *items = NULL;
	size_t i;
	json_t *v;
	if (list_parse_page(kind, (const char *)data, size, &items, &err))
		return;
	json_array_foreach (items, i, v) {
		if (!json_is_string(v))
			abort();
		(void)reference_is_tag(json_string_value(v));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	try_page(LIST_TAGS, data, size);
	try_page(LIST_CATALOG, data, size);
	return 0;
}
