/* SPDX-License-Identifier: Apache-2.0 */
/* What every plugin that talks to a registry does the same: from the options
 * of its instance to a registry client whose address rule, cancel and
 * deadline are the host's. Compiled into each plugin, never exported.
 */
#ifndef PLUGINS_COMMON_REMOTE_H
#define PLUGINS_COMMON_REMOTE_H

#include <berth/plugin.h>

#include "core/oci/registry.h"

struct remote {
	const struct berth_host *host;
	const void *config;
	const struct berth_call *call; /* the one that runs now */
	const char *password;          /* of the registries, in the option's place; NULL: none */
	struct net_loop *loop;
	struct registry *registry;
};

/* Handles only, no network. BERTH_E_INVALID names the option that is wrong. */
MUST_USE int remote_open(struct remote *r, const struct berth_host *host, const void *config,
			 struct berth_error *err);
void remote_close(struct remote *r);
/* A second registry client of the same instance at another base URL (a server
 * with a registry a repository key); basic: send Basic at once. The caller
 * closes it. */
MUST_USE int remote_registry(struct remote *r, const char *base_url, bool basic_first,
			     struct registry **ret, struct berth_error *err);
/* To be called first in every slot. */
void remote_begin(struct remote *r, const struct berth_call *call);
/* Must the call end now? 0, or BERTH_E_CANCELLED or BERTH_E_TIMEOUT. */
int remote_stopped(const struct remote *r);
/* An option's text, NULL where it is not set or empty. */
const char *remote_option(const struct remote *r, const char *key);

/* Gives one item to the sink: name, digest may be NULL; more (borrowed) too.
 * BERTH_E_CANCELLED where the sink has enough. */
struct give {
	uint32_t kind;
	const char *id, *name, *digest;
	uint64_t bytes;
	int64_t updated_ms;
	const json_t *more;
};
MUST_USE int remote_give(struct berth_sink *sink, const struct give *g, struct berth_error *err);
/* A FACT: {"value": take_value}. */
MUST_USE int remote_give_fact(struct berth_sink *sink, const char *name, json_t *take_value,
			      struct berth_error *err);

/* The options that remote_open reads, for a plugin's table. It reads "token"
 * too, and the registry's client sends it as Bearer to /v2/ of the address in
 * place of what a token server gives. A plugin whose registry takes the tokens
 * of its API adds that row itself, with BERTH_OPT_SECRET (plugins/jfrog); where it
 * takes none, call the option something else. */
#define REMOTE_OPTIONS                                                                             \
	{"address", BERTH_OPT_URL, BERTH_OPT_REQUIRED, NULL,                                       \
	 "Where the server is: http or https, host, port and path prefix."},                       \
		{"username", BERTH_OPT_STRING, 0, NULL, "User name; none: anonymous."},            \
		{"password", BERTH_OPT_STRING, BERTH_OPT_SECRET, NULL, "Password of the user."},   \
		{"tls_verify", BERTH_OPT_BOOL, 0, "true", "Check the server's certificate."},      \
		{"tls_ca", BERTH_OPT_STRING, 0, NULL,                                              \
		 "Certificates (PEM) of the only authorities to trust for this server."},          \
		{"tls_client_cert", BERTH_OPT_STRING, 0, NULL, "Client certificate (PEM)."},       \
		{"tls_client_key", BERTH_OPT_STRING, BERTH_OPT_SECRET, NULL,                       \
		 "Key of the client certificate (PEM)."},                                          \
		{"auth_realms", BERTH_OPT_STRING, 0, NULL,                                         \
		 "Foreign hosts that may be this server's token server, comma-separated."},        \
		{"upload_hosts", BERTH_OPT_STRING, 0, NULL,                                        \
		 "Foreign hosts that uploads may be sent to, comma-separated."},                   \
	{                                                                                          \
		"proxy", BERTH_OPT_URL, 0, NULL,                                                   \
			"HTTP proxy on the way to the server; the environment's is never used."    \
	}

#endif
