/* SPDX-License-Identifier: Apache-2.0 */
/* Notifications of registries: what is understood is names of repositories and tags,
 * each once, and not too many. */
#include <stdlib.h>

#include "core/base/js.h"
#include "core/hooks/notice.h"
#include "core/oci/reference.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO_JSON json_t *changes = NULL;
	struct berth_error err = ERROR_INIT, ignored = ERROR_INIT;
	const json_t *one;
	size_t i;

	if (notice_parse((const char *)data, size, &changes, &err))
		return 0;
	if (json_array_size(changes) > NOTICE_CHANGES_MAX)
		abort();
	json_array_foreach (changes, i, one)
		if (json_object_size(one) &&
		    (reference_check_repository(js_str(one, "repository", ""), &ignored) ||
		     !reference_is_tag(js_str(one, "tag", ""))))
			abort();
	return 0;
}
