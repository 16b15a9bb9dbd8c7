/* SPDX-License-Identifier: Apache-2.0 */
/* Link headers: the next page is a path of our own registry or nothing. */
#include <stdlib.h>
#include <string.h>

#include "core/oci/link.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO_FREE char *text = strndup((const char *)data, size), *path = NULL;
	struct berth_error err = ERROR_INIT;

	if (!text)
		return 0;
	if (link_next_path(text, "https://r.example/art/v2/_catalog?n=5", "https://r.example/art",
			   &path, &err) == 0 &&
	    path && (path[0] != '/' || strpbrk(path, " \r\n\t")))
		abort();
	return 0;
}
