/* SPDX-License-Identifier: Apache-2.0 */
/* What refers to a digest (signatures, SBOMs): by the referrers API of the
 * distribution specification 1.1 where the registry has it, else by the tag
 * sha256-<hex> that stands in for it. Waits on the loop.
 */
#ifndef CORE_OCI_REFERRERS_H
#define CORE_OCI_REFERRERS_H

#include "core/oci/manifest.h"
#include "core/oci/registry.h"

/* Calls each(user, descriptor) for every referrer; nonzero stops with
 * BERTH_E_CANCELLED. *ret_by_api (may be NULL): has it the API? A list that
 * breaks off is BERTH_E_PROTOCOL, "not whole". */
MUST_USE int referrers_list(struct registry *r, const char *repository, const char *digest,
			    int (*each)(void *user, const struct descriptor *d), void *user,
			    bool *ret_by_api, struct berth_error *err);

#endif
