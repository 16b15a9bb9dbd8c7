/* SPDX-License-Identifier: Apache-2.0 */
/* URLs from outside: what joins to our own origin really is at it, and none
 * keeps a user or a fragment.
 */
#include <stdlib.h>
#include <string.h>

#include "core/net/url.h"
#include "core/oci/realm.h"

static void check_joined(const char *url)
{
	struct berth_error err = ERROR_INIT;
	struct url_origin o;
	AUTO_FREE char *again = NULL, *path = NULL;
	char shown[URL_HOST_ROOM + 16];

	if (url_parse_origin(url, &o, &err))
		abort();
	url_format_origin(&o, shown, sizeof shown);
	if (strchr(shown, '@') || strchr(url, '#'))
		abort();
	if (url_join(url, url, &again, &err) || strcmp(again, url) != 0)
		abort();
	if (url_path_query(url, &path, &err) == 0 && path[0] != '/')
		abort();
	realm_in_list(&o, "a.example, b.example:5000");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO_FREE char *text = strndup((const char *)data, size), *joined = NULL, *plain = NULL;
	struct berth_error err = ERROR_INIT;

	if (!text)
		return 0;
	if (url_join("https://r.example:5000/v2/a/blobs/uploads/?x=1", text, &joined, &err) == 0)
		check_joined(joined);
	if (url_normalize(text, &plain, &err) == 0 && strpbrk(plain, "?# "))
		abort();
	return 0;
}
