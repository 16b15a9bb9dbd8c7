/* SPDX-License-Identifier: Apache-2.0 */
/* URLs by libcurl's own parser, so that what is checked is what is connected
 * to: origins, joining of relative references, and the parts that may be shown
 * in an error. Pure functions but for memory.
 */
#ifndef CORE_NET_URL_H
#define CORE_NET_URL_H

#include <stdbool.h>

#include "core/base/fail.h"

#define URL_HOST_ROOM 256
#define URL_MAX_BYTES 8192

/* Scheme, host and port: what a credential belongs to (RFC 6454). */
struct url_origin {
	bool is_https;
	unsigned short port;      /* the scheme's own where none was written */
	char host[URL_HOST_ROOM]; /* lower case, without a trailing dot; IPv6 in brackets */
};

/* Parses an absolute http or https URL. BERTH_E_INVALID with what is wrong. */
MUST_USE int url_parse_origin(const char *url, struct url_origin *ret, struct berth_error *err);
bool url_same_origin(const struct url_origin *a, const struct url_origin *b);
/* "https://host:port" without the scheme's own port. */
void url_format_origin(const struct url_origin *o, char *to, size_t room);

/* A configured address in one form: scheme and host lower case, no user, no
 * query, no fragment, no trailing slash. free() *ret. BERTH_E_INVALID. */
MUST_USE int url_normalize(const char *url, char **ret, struct berth_error *err);
/* reference, which may be relative, as seen from base (RFC 3986 5.3), without
 * user information and fragment; free() *ret. */
MUST_USE int url_join(const char *base, const char *reference, char **ret, struct berth_error *err);
/* Path and query alone, for a request at another origin; free() *ret. */
MUST_USE int url_path_query(const char *url, char **ret, struct berth_error *err);
/* url with "name=value" (already encoded) at the end of its query; free(). NULL
 * without memory. */
char *url_add_query(const char *url, const char *name, const char *value) MUST_USE;

/* Is the host an IPv4 or IPv6 literal, or a name of this machine itself? */
bool url_host_is_ip(const char *host);
bool url_host_is_local(const char *host);

#endif
