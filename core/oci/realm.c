/* SPDX-License-Identifier: Apache-2.0 */
/* The realm rule: see realm.h. */
#include "core/oci/realm.h"

#include <libpsl.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "core/base/text.h"

static bool entry_matches(const struct url_origin *o, const char *entry, size_t n)
{
	char with_port[URL_HOST_ROOM + 8];
	if (n > 8 && !strncasecmp(entry, "https://", 8)) {
		if (!o->is_https)
			return false;
		entry += 8;
		n -= 8;
	} else if (n > 7 && !strncasecmp(entry, "http://", 7)) {
		if (o->is_https)
			return false;
		entry += 7;
		n -= 7;
	}
	while (n && entry[n - 1] == '/')
		n--;
	snprintf(with_port, sizeof with_port, "%s:%u", o->host, o->port);
	return (strlen(o->host) == n && !strncasecmp(o->host, entry, n)) ||
	       (strlen(with_port) == n && !strncasecmp(with_port, entry, n));
}

bool realm_in_list(const struct url_origin *o, const char *list)
{
	while (list && *(list += strspn(list, ", \t"))) {
		size_t n = strcspn(list, ", \t");
		if (entry_matches(o, list, n))
			return true;
		list += n;
	}
	return false;
}

static bool is_ip_or_local(const char *host)
{
	return url_host_is_ip(host) || url_host_is_local(host);
}

static bool same_registrable_domain(const char *a, const char *b)
{
	const psl_ctx_t *psl = psl_builtin();
	if (!psl || is_ip_or_local(a) || is_ip_or_local(b))
		return false;
	const char *x = psl_registrable_domain(psl, a), *y = psl_registrable_domain(psl, b);
	return x && y && !strcmp(x, y);
}

static int refuse(const struct url_origin *o, const char *why, struct berth_error *err)
{
	char shown[URL_HOST_ROOM + 16];
	url_format_origin(o, shown, sizeof shown);
	return berth_fail(err, BERTH_E_DENIED,
			  "the registry names %s as its token server (realm): %s", shown, why);
}

int realm_check(const char *realm, const struct url_origin *registry, const char *list,
		struct berth_error *err)
{
	struct url_origin o;
	int r = url_parse_origin(realm, &o, err);
	if (r) {
		err->code = BERTH_E_PROTOCOL;
		return berth_wrap(err, "the registry names a token server (realm) that is no URL");
	}
	bool same_host = !strcmp(o.host, registry->host);
	if (!o.is_https && registry->is_https)
		return refuse(&o, "plain http, while the registry is https", err);
	if (!o.is_https && !same_host)
		return refuse(&o, "plain http at another host", err);
	if (same_host)
		return 0;
	if (is_ip_or_local(o.host) && !is_ip_or_local(registry->host))
		return refuse(&o, "an address inside, while the registry has a name", err);
	if (same_registrable_domain(o.host, registry->host) || realm_in_list(&o, list))
		return 0;
	return refuse(&o, "a foreign host (allow it by auth_realms if it is right)", err);
}
