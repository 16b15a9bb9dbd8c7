/* SPDX-License-Identifier: Apache-2.0 */
/* URLs that a registry hands out: the Location of an upload and the next page
 * of a list. Both are untrusted: the rules here decide whom we talk to.
 */
#ifndef CORE_OCI_LINK_H
#define CORE_OCI_LINK_H

#include <stdbool.h>
#include <stdint.h>

#include "core/net/url.h"

/* Finds the target of rel=next in a Link header (RFC 8288), unquoted and
 * uninterpreted; free() *ret, NULL where there is none. Targets may hold
 * commas, semicolons and spaces. BERTH_E_PROTOCOL, BERTH_E_NO_MEMORY. */
MUST_USE int link_find_next(const char *header, char **ret, struct berth_error *err);
/* The same as path and query below the base's own path: whatever scheme and
 * host the target has, nobody but the registry itself is asked. */
MUST_USE int link_next_path(const char *header, const char *page_url, const char *base_url,
			    char **ret, struct berth_error *err);
/* The pages of one list so far, in constant memory (Brent's way to find a cycle).
 * Zeroed memory is the beginning. */
struct trail {
	uint64_t mark; /* hash of one page's path */
	unsigned page_count, next_mark;
};
/* Notes a page that is about to be asked for. True: the pages go round in a circle,
 * found after at most three times its length. */
bool trail_repeats(struct trail *t, const char *path);
/* BERTH_E_PROTOCOL with the hint that the registry is told a wrong address. */
int link_refuse_upload(const struct url_origin *o, struct berth_error *err);

#endif
