/* SPDX-License-Identifier: Apache-2.0 */
/* The inside of the dockerreg plugin: its instance and the slots, by file:
 * probe.c, browse.c, remove.c.
 */
#ifndef PLUGINS_DOCKERREG_H
#define PLUGINS_DOCKERREG_H

#include "plugins/common/remote.h"
#include "prefix.h"

struct dockerreg {
	struct remote remote;
	struct prefixes prefixes;
	const char *username, *password, *address; /* of the host's config */
	char *base_url;
};

int slot_probe(void *self, const struct berth_call *call, const char *scope_json,
	       struct berth_sink *sink, struct berth_error *err);
int slot_overview(void *self, const struct berth_call *call, struct berth_sink *sink,
		  struct berth_error *err);
int slot_repositories(void *self, const struct berth_call *call, const char *space,
		      struct berth_sink *sink, struct berth_error *err);
int slot_tags(void *self, const struct berth_call *call, const char *repository,
	      struct berth_sink *sink, struct berth_error *err);
int slot_artifact(void *self, const struct berth_call *call, const char *repository,
		  const char *reference, struct berth_sink *sink, struct berth_error *err);
int slot_tag_delete(void *self, const struct berth_call *call, const char *repository,
		    const char *tag, struct berth_error *err);
int slot_artifact_delete(void *self, const struct berth_call *call, const char *repository,
			 const char *digest, struct berth_error *err);
int slot_repository_delete(void *self, const struct berth_call *call, const char *repository,
			   struct berth_sink *sink, struct berth_error *err);

/* All tags of a repository in memory. */
struct names {
	char **items;
	size_t count, room;
};
void names_done(struct names *n);
static inline void scope_names(struct names *n)
{
	names_done(n);
}
#define AUTO_NAMES CLEANUP(scope_names)
MUST_USE int tags_all(struct dockerreg *d, const char *repository, struct names *ret,
		      struct berth_error *err);

#endif
