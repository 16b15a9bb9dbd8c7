/* SPDX-License-Identifier: Apache-2.0 */
/* harbor.so: Harbor 2.4 and newer. Options, open and close, and the tables. */

#include "harbor.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/text.h"

static const struct berth_option options[] = {
	REMOTE_OPTIONS,
	{"robot", BERTH_OPT_BOOL, 0, NULL,
	 "Is the user a robot account? By default: when its name has a '$' or a '+'."},
	{.key = NULL},
};

/* A robot's name holds '$' by the default prefix, and '+' where it belongs to
 * a project; another prefix without either needs the option. */
static bool is_robot(const struct harbor *h)
{
	const char *said = remote_option(&h->remote, "robot");
	if (said)
		return !strcmp(said, "true");
	return h->username && strpbrk(h->username, "$+");
}

static char *base_of(const char *address)
{
	size_t n = strlen(address);
	while (n && address[n - 1] == '/')
		n--;
	return strndup(address, n);
}

static void close_harbor(void *self)
{
	struct harbor *h = self;
	for (size_t i = 0; i < ARRAY_COUNT(h->text); i++)
		free(h->text[i]);
	free(h->session);
	free(h->csrf);
	free(h->base);
	remote_close(&h->remote);
	free(h);
}

static int open_harbor(const struct berth_host *host, const void *config, void **ret_self,
		       struct berth_error *err)
{
	struct harbor *h = calloc(1, sizeof *h);
	if (!h)
		return berth_fail_memory(err);
	int r = remote_open(&h->remote, host, config, err);
	if (r) {
		free(h);
		return r;
	}
	h->username = remote_option(&h->remote, "username");
	h->password = remote_option(&h->remote, "password");
	h->is_robot = is_robot(h);
	h->base = base_of(remote_option(&h->remote, "address"));
	if (!h->base) {
		close_harbor(h);
		return berth_fail_memory(err);
	}
	if (h->username && !h->is_robot)
		harbor_take_kept(h);
	*ret_self = h;
	return 0;
}

static const struct berth_integration_ops integration = {
	.size = sizeof integration,
	.probe = harbor_probe,
	.overview = harbor_overview,
	.spaces = harbor_spaces,
	.space_create = harbor_space_create,
	.space_update = harbor_space_update,
	.space_delete = harbor_space_delete,
	.repositories = harbor_repositories,
	.tags = harbor_tags,
	.resolve = harbor_resolve,
	.artifact = harbor_artifact,
	.tag_delete = harbor_tag_delete,
	.artifact_delete = harbor_artifact_delete,
	.repository_delete = harbor_repository_delete,
	.describe = harbor_describe,
	.login_create = harbor_login_create,
	.login_list = harbor_login_list,
	.login_revoke = harbor_login_revoke,
	.retention_get = harbor_retention_get,
	.retention_set = harbor_retention_set,
	.retention_run = harbor_retention_run,
	.retention_runs = harbor_retention_runs,
	.maintain = harbor_maintain,
	.oci_endpoint = harbor_oci_endpoint,
};

const struct berth_plugin berth_plugin_v1 = {
	BERTH_PLUGIN_HEAD,
	.name = "harbor",
	.version = BERTH_VERSION,
	.summary = "Harbor 2.4 and newer.",
	BERTH_PLUGIN_OPTIONS(options),
	.open = open_harbor,
	.close = close_harbor,
	.integration = &integration,
	.sync = &harbor_sync_ops,
	.scan = &harbor_scan_ops,
};
