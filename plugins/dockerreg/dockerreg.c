/* SPDX-License-Identifier: Apache-2.0 */
/* dockerreg: integrates plain registries (distribution 2.x and 3.x, and what
 * else speaks the distribution specification). It has no spaces of its own,
 * no counts and no users: what can be known is asked for, what can't is not
 * guessed at. Runs in a job's process.
 */

#include "dockerreg.h"

#include <stdlib.h>

#include "core/net/url.h"
#include "core/oci/reference.h"

static const struct berth_option options[] = {
	REMOTE_OPTIONS,
	PREFIXES_OPTION,
	{NULL, 0, 0, NULL, NULL},
};

static void close_dockerreg(void *self)
{
	struct dockerreg *d = self;
	remote_close(&d->remote);
	prefixes_done(&d->prefixes);
	free(d->base_url);
	free(d);
}

static void scope_dockerreg(struct dockerreg **d)
{
	if (*d)
		close_dockerreg(*d);
}

static int open_dockerreg(const struct berth_host *host, const void *config, void **ret_self,
			  struct berth_error *err)
{
	AUTO(dockerreg) struct dockerreg *d = calloc(1, sizeof *d);
	if (!d)
		return berth_fail_memory(err);
	int r = remote_open(&d->remote, host, config, err);
	if (!r)
		r = url_normalize(remote_option(&d->remote, "address"), &d->base_url, err);
	if (r)
		return r;
	if (prefixes_read(&d->prefixes, &d->remote, err))
		return err->code;
	d->username = remote_option(&d->remote, "username");
	d->password = remote_option(&d->remote, "password");
	*ret_self = STEAL(d);
	return 0;
}

static int slot_oci_endpoint(void *self, const struct berth_call *call, const char *repository,
			     struct berth_oci_endpoint *ret, struct berth_error *err)
{
	struct dockerreg *d = self;
	remote_begin(&d->remote, call);
	int r = reference_check_repository(repository, err);
	if (r)
		return r;
	ret->base_url = d->base_url;
	ret->repository = repository;
	ret->username = d->username;
	ret->password = d->password;
	return 0;
}

static const struct berth_integration_ops integration = {
	.size = sizeof integration,
	.probe = slot_probe,
	.overview = slot_overview,
	.spaces = prefixes_spaces,
	.repositories = slot_repositories,
	.tags = slot_tags,
	.artifact = slot_artifact,
	.tag_delete = slot_tag_delete,
	.artifact_delete = slot_artifact_delete,
	.repository_delete = slot_repository_delete,
	.oci_endpoint = slot_oci_endpoint,
};

BERTH_EXPORT const struct berth_plugin berth_plugin_v1 = {
	BERTH_PLUGIN_HEAD,
	.name = "dockerreg",
	.version = BERTH_VERSION,
	.summary = "Docker Registry: distribution 2.x and 3.x, and other plain OCI registries.",
	BERTH_PLUGIN_OPTIONS(options),
	.open = open_dockerreg,
	.close = close_dockerreg,
	.integration = &integration,
};
