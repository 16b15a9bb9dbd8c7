/* SPDX-License-Identifier: Apache-2.0 */
/* Token answers, and scopes: a set covers itself. */
#include <stdlib.h>
#include <string.h>

#include "core/oci/token.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct token_answer a = {0};
	struct berth_error err = ERROR_INIT;
	AUTO_FREE char *text = strndup((const char *)data, size);

	if (token_parse((const char *)data, size, &a, &err) == 0) {
		if (strpbrk(a.token, "\r\n ") || a.expires_s < 60 || a.expires_s > 86400)
			abort();
		token_answer_done(&a);
	}
	if (text)
		(void)token_covers(text, "repository:a:pull repository:b:pull,push");
	if (text && token_covers("repository:a:pull", text) && strstr(text, "push"))
		abort();
	return 0;
}
