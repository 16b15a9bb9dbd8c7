/* SPDX-License-Identifier: Apache-2.0 */
/* Items as a plugin gives them: the first byte chooses kind and member, the
 * rest is its text. What passes is UTF-8 and, as more_json, an object.
 */
#include <stdlib.h>
#include <string.h>

#include "core/base/text.h"
#include "core/worker/backend.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct berth_item given = {.size = sizeof given}, item;
	struct berth_error err = ERROR_INIT;
	AUTO_JSON json_t *more = NULL;
	AUTO_FREE char *text = size ? strndup((const char *)data + 1, size - 1) : NULL;

	if (!text)
		return 0;
	given.kind = data[0] & 31;
	switch (data[0] >> 5) {
	case 0:
		given.id = text;
		break;
	case 1:
		given.name = text;
		break;
	case 2:
		given.digest = text;
		break;
	default:
		given.more_json = text;
	}
	if (item_check(&given, &item, &more, &err))
		return 0;
	if (!text_is_utf8(text, strlen(text)) || !item_kind_name(item.kind) ||
	    (given.more_json && !json_is_object(more)))
		abort();
	return 0;
}
