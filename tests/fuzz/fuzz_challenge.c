/* SPDX-License-Identifier: Apache-2.0 */
/* WWW-Authenticate, several headers one a line; and the realm that it names. */
#include <stdlib.h>
#include <string.h>

#include "core/oci/challenge.h"
#include "core/oci/realm.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO_FREE char *text = strndup((const char *)data, size);
	struct berth_error err = ERROR_INIT;
	struct challenge c = {0};
	struct url_origin registry;
	char *rest = text;

	if (!text || url_parse_origin("https://registry.example.com", &registry, &err))
		return 0;
	for (char *line; (line = strsep(&rest, "\n"));)
		challenge_parse(line, &c);
	if (c.has_bearer && !c.realm[0])
		abort();
	if (c.has_bearer && realm_check(c.realm, &registry, "auth.other.net:8443", &err) == 0) {
		struct url_origin o;
		/* Whatever is let through is https at a host of ours. */
		if (url_parse_origin(c.realm, &o, &err) || !o.is_https)
			abort();
		size_t n = strlen(o.host);
		if (strcmp(o.host, "auth.other.net") != 0 &&
		    (n < 11 || strcmp(o.host + n - 11, "example.com") != 0))
			abort();
	}
	return 0;
}
