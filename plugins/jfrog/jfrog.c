/* SPDX-License-Identifier: Apache-2.0 */
/* jfrog.so: Docker repositories of JFrog Artifactory 7. Options, open and
 * close, and the table.
 */

#include "jfrog.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/text.h"

static const struct berth_option options[] = {
	REMOTE_OPTIONS,
	{"token", BERTH_OPT_STRING, BERTH_OPT_SECRET, NULL,
	 "Access or reference token, in place of a password."},
	{"api_key", BERTH_OPT_STRING, BERTH_OPT_SECRET, NULL,
	 "API key, where the server still allows them."},
	{"docker_hosts", BERTH_OPT_STRING, 0, NULL,
	 "Keys with a host or port of their own: KEY=https://host, comma-separated."},
	{.key = NULL},
};

/* What a user types may end in /artifactory, /ui/... or nothing: the context
 * path is found, and added where it lacks. */
static char *art_of(const char *address)
{
	const char *ui = strstr(address, "/ui");
	size_t n = ui && (ui[3] == 0 || ui[3] == '/') ? (size_t)(ui - address) : strlen(address);
	while (n && address[n - 1] == '/')
		n--;
	static const char context[] = "/artifactory";
	size_t c = sizeof context - 1;
	bool has = n >= c && !strncmp(address + n - c, context, c);
	return text_printf("%.*s%s", (int)n, address, has ? "" : context);
}

static void close_jfrog(void *self)
{
	struct jfrog *j = self;
	for (size_t i = 0; i < j->key_count; i++) {
		free(j->keys[i].name);
		free(j->keys[i].description);
	}
	free(j->keys);
	json_decref(j->configs);
	free(j->text[0]);
	free(j->text[1]);
	free(j->art);
	remote_close(&j->remote);
	free(j);
}

static int open_jfrog(const struct berth_host *host, const void *config, void **ret_self,
		      struct berth_error *err)
{
	struct jfrog *j = calloc(1, sizeof *j);
	if (!j)
		return berth_fail_memory(err);
	int r = remote_open(&j->remote, host, config, err);
	if (r) {
		free(j);
		return r;
	}
	j->username = remote_option(&j->remote, "username");
	j->password = remote_option(&j->remote, "password");
	j->token = remote_option(&j->remote, "token");
	j->api_key = remote_option(&j->remote, "api_key");
	/* Docker knows no header for it: there an API key stands for the password. */
	if (j->api_key && !j->password)
		j->password = j->remote.password = j->api_key;
	j->art = art_of(remote_option(&j->remote, "address"));
	if (!j->art) {
		close_jfrog(j);
		return berth_fail_memory(err);
	}
	*ret_self = j;
	return 0;
}

static const struct berth_integration_ops integration = {
	.size = sizeof integration,
	.probe = jfrog_probe,
	.overview = jfrog_overview,
	.spaces = jfrog_spaces,
	.repositories = jfrog_repositories,
	.tags = jfrog_tags,
	.resolve = jfrog_resolve,
	.artifact = jfrog_artifact,
	.tag_delete = jfrog_tag_delete,
	.artifact_delete = jfrog_artifact_delete,
	.repository_delete = jfrog_repository_delete,
	.describe = jfrog_describe,
	.oci_endpoint = jfrog_oci_endpoint,
};

const struct berth_plugin berth_plugin_v1 = {
	BERTH_PLUGIN_HEAD,
	.name = "jfrog",
	.version = BERTH_VERSION,
	.summary = "Docker repositories of JFrog Artifactory 7.",
	BERTH_PLUGIN_OPTIONS(options),
	.open = open_jfrog,
	.close = close_jfrog,
	.integration = &integration,
};
