/* SPDX-License-Identifier: Apache-2.0 */
/* It loads and says where repositories are, but does not ask for the options that
 * copies are made by.
 */
#include "bad.h"

static const struct berth_option options[] = {
	{"address", BERTH_OPT_URL, BERTH_OPT_REQUIRED, NULL, "Where the server is."},
	{"tls_verify", BERTH_OPT_BOOL, 0, "true", "Check the server's certificate."},
	{NULL, 0, 0, NULL, NULL},
};

static int oci_endpoint(void *self, const struct berth_call *call, const char *repository,
			struct berth_oci_endpoint *ret, struct berth_error *err)
{
	(void)self;
	(void)call;
	(void)err;
	ret->base_url = "http://127.0.0.1:1";
	ret->repository = repository;
	return 0;
}

static const struct berth_integration_ops integration = {
	.size = sizeof integration,
	.oci_endpoint = oci_endpoint,
};

PLUGIN = {
	BERTH_PLUGIN_HEAD, .name = "half-endpoint",       GOOD_NAMES,
	GOOD_CALLS,        BERTH_PLUGIN_OPTIONS(options), .integration = &integration,
};
