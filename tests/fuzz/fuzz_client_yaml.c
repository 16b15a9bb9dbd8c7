/* SPDX-License-Identifier: Apache-2.0 */
/* Files for apply; what was read must survive being written and read again. */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "client/show.h"
#include "core/base/yaml_in.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct berth_error err = ERROR_INIT;
	json_t *first = NULL, *again = NULL;
	char *text = malloc(size + 1);

	if (!text)
		return 0;
	memcpy(text, data, size);
	text[size] = 0;
	if (!documents_parse(text, &first, &err) && json_array_size(first) == 1) {
		json_t *value = json_array_get(first, 0);
		char *written = yaml_text(value);
		/* Depth 64 may become 65 events deep only in the input's own form. */
		if (written && strlen(written) < YAML_BYTES_MAX) {
			int code = documents_parse(written, &again, &err);
			assert(code == BERTH_E_LIMIT ||
			       (code == 0 && json_equal(json_array_get(again, 0), value)));
		}
		free(written);
	}
	json_decref(first);
	json_decref(again);
	free(text);
	return 0;
}
