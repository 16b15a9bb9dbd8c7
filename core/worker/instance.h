/* SPDX-License-Identifier: Apache-2.0 */
/* An instance as its plugin sees it: option values, checked and with defaults,
 * what was kept, and the address policy. Made from the call's INSTANCE; the
 * opaque config of the ABI.
 */
#ifndef CORE_WORKER_INSTANCE_H
#define CORE_WORKER_INSTANCE_H

#include <jansson.h>

#include "core/net/limits.h"
#include "core/net/policy.h"
#include "core/worker/loader.h"

#define INSTANCE_LIMIT_COUNT 11

struct instance {
	char name[64];
	const struct plugin *plugin;
	const char **values; /* beside plugin->options; into document */
	char *kept;          /* JSON text or NULL */
	struct policy policy;
	struct {
		const char *key; /* "net_connect_ms" */
		char value[16];
	} limits[INSTANCE_LIMIT_COUNT];
	json_t *document; /* what values point into */
};

/* document: {"plugin","options","kept","policy"}; a reference is kept. Errors:
 * BERTH_E_INVALID names the option and what is wrong with it. */
MUST_USE int instance_init(struct instance *i, const char *name, const struct plugin *plugin,
			   json_t *document, const struct net_limits *limits,
			   struct berth_error *err);
void instance_done(struct instance *i);
/* The configured value, else the default, else NULL; also "net_..." limits. */
const char *instance_option(const struct instance *i, const char *key);

#endif
