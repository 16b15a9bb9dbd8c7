/* SPDX-License-Identifier: Apache-2.0 */
/* Repositories and tags. The catalog is the only list of repositories
 * that there is: it walks the server's storage, and it goes on naming
 * repositories whose last tag was deleted.
 */
#include "dockerreg.h"

#include <stdlib.h>
#include <string.h>

#include "core/oci/lists.h"
#include "core/oci/reference.h"
#include "plugins/common/artifact.h"

struct giving {
	struct dockerreg *d;
	const char *space; /* NULL: all */
	uint32_t kind;
	struct berth_sink *sink;
	struct berth_error err;
};

static int give_name(void *user, const char *name)
{
	struct giving *g = user;
	if (g->space && !prefixes_hold(&g->d->prefixes, g->space, name))
		return 0;
	struct give item = {.kind = g->kind, .name = name};
	return remote_give(g->sink, &item, &g->err);
}

static void tell_left_out(struct dockerreg *d, uint64_t count, const char *what)
{
	if (count && d->remote.host->log)
		d->remote.host->log(d->remote.call, BERTH_LOG_WARNING,
				    "%llu names that are no %s were left out",
				    (unsigned long long)count, what);
}

int slot_repositories(void *self, const struct berth_call *call, const char *space,
		      struct berth_sink *sink, struct berth_error *err)
{
	struct dockerreg *d = self;
	struct giving g = {.d = d,
			   .space = space,
			   .kind = BERTH_ITEM_REPOSITORY,
			   .sink = sink,
			   .err = ERROR_INIT};
	struct list_call list = {.kind = LIST_CATALOG, .item = give_name, .user = &g};
	uint64_t left_out = 0;

	remote_begin(&d->remote, call);
	if (space && !prefixes_have(&d->prefixes, space))
		return berth_fail(err, BERTH_E_NOT_FOUND, "there is no space '%.100s' here", space);
	int r = list_run(d->remote.registry, &list, &left_out, err);
	tell_left_out(d, left_out, "repositories");
	if (r == BERTH_E_NOT_FOUND || r == BERTH_E_UNSUPPORTED) {
		err->code = BERTH_E_UNSUPPORTED;
		return berth_wrap(err, "%s gives no list of its repositories", d->base_url);
	}
	if (r == BERTH_E_CANCELLED && g.err.code)
		*err = g.err;
	return r ? berth_wrap(err, "cannot list the repositories of %s", d->base_url) : 0;
}

int slot_tags(void *self, const struct berth_call *call, const char *repository,
	      struct berth_sink *sink, struct berth_error *err)
{
	struct dockerreg *d = self;
	struct giving g = {.d = d, .kind = BERTH_ITEM_TAG, .sink = sink, .err = ERROR_INIT};
	struct list_call list = {
		.kind = LIST_TAGS, .repository = repository, .item = give_name, .user = &g};
	uint64_t left_out = 0;

	remote_begin(&d->remote, call);
	int r = reference_check_repository(repository, err);
	if (r)
		return r;
	r = list_run(d->remote.registry, &list, &left_out, err);
	tell_left_out(d, left_out, "tags");
	if (r == BERTH_E_CANCELLED && g.err.code)
		*err = g.err;
	return r ? berth_wrap(err, "cannot list the tags of %.150s", repository) : 0;
}

static int names_add(struct names *n, const char *name, struct berth_error *err)
{
	if (n->count == n->room) {
		size_t room = n->room ? 2 * n->room : 64;
		char **items = realloc(n->items, room * sizeof *items);
		if (!items)
			return berth_fail_memory(err);
		n->items = items;
		n->room = room;
	}
	n->items[n->count] = strdup(name);
	if (!n->items[n->count])
		return berth_fail_memory(err);
	n->count++;
	return 0;
}

void names_done(struct names *n)
{
	for (size_t i = 0; i < n->count; i++)
		free(n->items[i]);
	free(n->items);
	*n = (struct names){0};
}

struct collecting {
	struct names *to;
	struct berth_error err;
};

static int collect(void *user, const char *name)
{
	struct collecting *c = user;
	return names_add(c->to, name, &c->err);
}

int tags_all(struct dockerreg *d, const char *repository, struct names *ret,
	     struct berth_error *err)
{
	struct collecting c = {.to = ret, .err = ERROR_INIT};
	struct list_call list = {
		.kind = LIST_TAGS, .repository = repository, .item = collect, .user = &c};
	int r = list_run(d->remote.registry, &list, NULL, err);
	if (c.err.code)
		*err = c.err;
	return r;
}

int slot_artifact(void *self, const struct berth_call *call, const char *repository,
		  const char *reference, struct berth_sink *sink, struct berth_error *err)
{
	struct dockerreg *d = self;
	remote_begin(&d->remote, call);
	return artifact_give(&d->remote, d->remote.registry, repository, reference, sink, err);
}
