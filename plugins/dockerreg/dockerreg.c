/* SPDX-License-Identifier: Apache-2.0 */
/* dockerreg: integrates plain registries (distribution 2.x and 3.x, and what
 * else speaks the distribution specification). It has no spaces of its own,
 * no counts and no users: what can be known is asked for, what can't is not
 * guessed at. Runs in a job's process.
 */

#include "dockerreg.h"

#include <stdlib.h>
#include <string.h>

#include "core/net/url.h"
#include "core/oci/reference.h"

static const struct berth_option options[] = {
	REMOTE_OPTIONS,
	/* This row says to the core that the server has no spaces of its own: they are
	 * prefixes that users declare, and what `spaces` gives besides is dropped. A plugin
	 * whose server has spaces leaves it out. */
	{"prefixes", BERTH_OPT_STRING, 0, NULL,
	 "Path prefixes to show as spaces, comma-separated; the rest is the space 'default'."},
	{NULL, 0, 0, NULL, NULL},
};

static int add_prefix(struct dockerreg *d, char *p, struct berth_error *err)
{
	size_t n = strlen(p);
	if (n && p[n - 1] == '/')
		p[n - 1] = 0;
	if (reference_check_repository(p, err))
		return berth_wrap(err, "option prefixes is wrong");
	if (!strcmp(p, DEFAULT_SPACE))
		return berth_fail(err, BERTH_E_INVALID,
				  "option prefixes names '" DEFAULT_SPACE
				  "', which holds what no prefix does");
	if (is_space(d, p))
		return 0;
	if (d->prefix_count == PREFIXES_MAX)
		return berth_fail(err, BERTH_E_LIMIT, "more than %d prefixes", PREFIXES_MAX);
	d->prefixes[d->prefix_count++] = p;
	return 0;
}

/* Cuts a copy of the list in place. */
static int read_prefixes(struct dockerreg *d, struct berth_error *err)
{
	static const char between[] = ", \t\r\n";
	const char *text = remote_option(&d->remote, "prefixes");
	int r = 0;
	if (!text)
		return 0;
	d->prefix_text = strdup(text);
	if (!d->prefix_text)
		return berth_fail_memory(err);
	for (char *p = d->prefix_text; !r && *(p += strspn(p, between));) {
		char *end = p + strcspn(p, between);
		bool last = !*end;
		*end = 0;
		r = add_prefix(d, p, err);
		p = last ? end : end + 1;
	}
	return r;
}

static void close_dockerreg(void *self)
{
	struct dockerreg *d = self;
	remote_close(&d->remote);
	free(d->prefix_text);
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
	if (!r)
		r = read_prefixes(d, err);
	if (r)
		return r;
	d->username = remote_option(&d->remote, "username");
	d->password = remote_option(&d->remote, "password");
	*ret_self = STEAL(d);
	return 0;
}

static bool has_prefix(const char *repository, const char *prefix)
{
	size_t n = strlen(prefix);
	return !strncmp(repository, prefix, n) && (repository[n] == '/' || !repository[n]);
}

const char *space_of(const struct dockerreg *d, const char *repository)
{
	const char *best = NULL;
	for (size_t i = 0; i < d->prefix_count; i++)
		if (has_prefix(repository, d->prefixes[i]) &&
		    (!best || strlen(d->prefixes[i]) > strlen(best)))
			best = d->prefixes[i];
	return best ? best : DEFAULT_SPACE;
}

bool is_space(const struct dockerreg *d, const char *space)
{
	for (size_t i = 0; i < d->prefix_count; i++)
		if (!strcmp(d->prefixes[i], space))
			return true;
	return !strcmp(space, DEFAULT_SPACE);
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
	.spaces = slot_spaces,
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
