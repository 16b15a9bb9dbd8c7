/* SPDX-License-Identifier: Apache-2.0 */
/* Retry-After: always within its bounds. */
#include <stdlib.h>
#include <string.h>

#include "core/oci/registry_private.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO_FREE char *text = strndup((const char *)data, size);
	if (!text)
		return 0;
	int64_t ms = retry_parse(text, 1767323045000, 300000);
	if (ms > 300000 || ms < -1 || (ms == -1 && *text))
		abort();
	return 0;
}
