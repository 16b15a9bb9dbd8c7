/* SPDX-License-Identifier: Apache-2.0 */
/* References, repositories and tags: what is taken reads back the same. */
#include <stdlib.h>
#include <string.h>

#include "core/base/text.h"
#include "core/oci/reference.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO_FREE char *text = strndup((const char *)data, size);
	struct berth_error err = ERROR_INIT;
	struct reference r;

	if (!text || reference_parse(text, &r, &err))
		return 0;
	if (!reference_is_repository(r.repository) || (r.tag[0] && !reference_is_tag(r.tag)) ||
	    (r.digest[0] && !reference_is_digest(r.digest)))
		abort();
	AUTO_FREE char *again =
		text_printf("%s/%s%s%s%s%s", r.integration, r.repository, r.tag[0] ? ":" : "",
			    r.tag, r.digest[0] ? "@" : "", r.digest);
	if (!again || strcmp(again, text) != 0)
		abort();
	return 0;
}
