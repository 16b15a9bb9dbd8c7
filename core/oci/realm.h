/* SPDX-License-Identifier: Apache-2.0 */
/* Which token server a registry may send us to, password in hand. A hostile
 * or broken registry chooses the realm, so the rule decides, not the registry
 * (it is the one that distribution 3.1 chose for its own proxy).
 */
#ifndef CORE_OCI_REALM_H
#define CORE_OCI_REALM_H

#include "core/net/url.h"

/* Zero where realm may be asked for a token of the registry: https (http only
 * where the registry is http and the host is the same), and the same host, the
 * same registrable domain, or a host of the list; never an IP literal or this
 * machine unless the registry is that too. list: "host[:port],..." or NULL.
 * BERTH_E_DENIED shows the realm. */
MUST_USE int realm_check(const char *realm, const struct url_origin *registry, const char *list,
			 struct berth_error *err);
/* Is host:port in a list of host[:port], separated by commas and spaces? An
 * entry without a port means any port; "https://" before it is passed over. */
bool realm_in_list(const struct url_origin *o, const char *list);

#endif
