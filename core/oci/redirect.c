/* SPDX-License-Identifier: Apache-2.0 */
/* Redirects of content and lists, followed by own code: libcurl drops Authorization when
 * the host changes and keeps every other header that we set. Blobs are elsewhere with many
 * registries, manifests and lists of tags too at registry.k8s.io.
 */
#include <stdlib.h>

#include "core/oci/registry_private.h"

#define REDIRECTS_MAX 5

int redirect_follow(struct registry_request *q, struct berth_error *err)
{
	const struct registry *r = q->registry;
	const char *location = registry_header(q, "location");
	AUTO_FREE char *url = NULL;
	struct url_origin from, to;

	if (!location)
		return berth_fail(err, BERTH_E_PROTOCOL, "a redirect without a Location");
	if (++q->redirects > REDIRECTS_MAX)
		return berth_fail(err, BERTH_E_PROTOCOL, "more than %d redirects", REDIRECTS_MAX);
	int rc = url_join(q->url, location, &url, err);
	if (!rc)
		rc = url_parse_origin(url, &to, err);
	if (!rc)
		rc = url_parse_origin(q->url, &from, err);
	if (rc) {
		err->code = rc == BERTH_E_NO_MEMORY ? rc : BERTH_E_PROTOCOL;
		return berth_wrap(err, "a redirect to something that is no use");
	}
	if (from.is_https && !to.is_https)
		return berth_fail(err, BERTH_E_DENIED, "a redirect from https to http://%s",
				  to.host);
	q->is_foreign = !url_same_origin(&to, &r->origin);
	q->public_only = q->public_only || net_exchange_was_public(q->exchange);
	free(q->url);
	q->url = STEAL(url);
	return 0;
}
