/* SPDX-License-Identifier: Apache-2.0 */
/* kube.so: a Kubernetes cluster, by its API server. Options, open and close,
 * and the tables.
 */

#include "kube.h"

#include <stdlib.h>
#include <string.h>

static const struct berth_option options[] = {
	{"address", BERTH_OPT_URL, BERTH_OPT_REQUIRED, NULL,
	 "Where the API server is: https, host, port and path prefix."},
	{"token", BERTH_OPT_STRING, BERTH_OPT_SECRET, NULL,
	 "Token of a service account or user, sent as Bearer."},
	{"tls_verify", BERTH_OPT_BOOL, 0, "true", "Check the server's certificate."},
	{"tls_ca", BERTH_OPT_STRING, 0, NULL,
	 "Certificates (PEM) of the only authorities to trust for this server."},
	{"tls_client_cert", BERTH_OPT_STRING, 0, NULL,
	 "Client certificate (PEM), in place of a token."},
	{"tls_client_key", BERTH_OPT_STRING, BERTH_OPT_SECRET, NULL,
	 "Key of the client certificate (PEM)."},
	{"proxy", BERTH_OPT_URL, 0, NULL,
	 "HTTP proxy on the way to the server; the environment's is never used."},
	{.key = NULL},
};

static void close_kube(void *self)
{
	struct kube *k = self;
	free(k->fresh_continue);
	free(k->base);
	remote_close(&k->remote);
	free(k);
}

static char *base_of(const char *address)
{
	size_t n = strlen(address);
	while (n && address[n - 1] == '/')
		n--;
	return strndup(address, n);
}

/* With a certificate that it knows, the API server never looks at a token
 * (seen at 1.34): a wrong or expired one would go unnoticed. */
static int check_credentials(const struct berth_host *host, const void *config,
			     struct berth_error *err)
{
	const struct remote r = {.host = host, .config = config};
	if (remote_option(&r, "token") && remote_option(&r, "tls_client_cert"))
		return berth_fail(err, BERTH_E_INVALID,
				  "token and tls_client_cert are both given: the API server would "
				  "take the certificate and not look at the token; give one");
	return 0;
}

static int open_kube(const struct berth_host *host, const void *config, void **ret_self,
		     struct berth_error *err)
{
	int r = check_credentials(host, config, err);
	struct kube *k = calloc(1, sizeof *k);
	if (!r)
		r = k ? remote_open(&k->remote, host, config, err) : berth_fail_memory(err);
	if (r) {
		free(k);
		return r;
	}
	k->token = remote_option(&k->remote, "token");
	k->has_certificate = remote_option(&k->remote, "tls_client_cert");
	const char *address = remote_option(&k->remote, "address");
	k->base = address ? base_of(address) : NULL;
	if (!k->base) {
		close_kube(k);
		return berth_fail_memory(err);
	}
	*ret_self = k;
	return 0;
}

static const struct berth_integration_ops integration = {
	.size = sizeof integration,
	.probe = kube_probe,
	.overview = kube_overview,
	.spaces = kube_spaces,
};

const struct berth_plugin berth_plugin_v1 = {
	BERTH_PLUGIN_HEAD,
	.name = "kube",
	.version = BERTH_VERSION,
	.summary = "A Kubernetes cluster: namespaces, nodes and pull secrets.",
	BERTH_PLUGIN_OPTIONS(options),
	.open = open_kube,
	.close = close_kube,
	.lifecycle = &kube_lifecycle_ops,
	.integration = &integration,
};
