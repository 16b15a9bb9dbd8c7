/* SPDX-License-Identifier: Apache-2.0 */
/* The image index: repositories and tags as last seen at the registry, and a
 * cache of artifact documents by digest. Observed data: it can be thrown away
 * and read again.
 */
#ifndef CORE_STORE_IMAGES_H
#define CORE_STORE_IMAGES_H

#include "core/store/list.h"

struct repository {
	int64_t id;
	char *space_id;
	char *integration_id;
	char *name; /* the full path at the registry */
	char *more; /* JSON: description, pulls: what the plugin said */
	int64_t tag_count;
	int64_t updated_ms; /* at the registry; 0: unknown */
	int64_t seen_ms;    /* last look */
};
struct tag {
	int64_t repository_id;
	char *name;
	char *digest;  /* "" where the listing did not say */
	int64_t bytes; /* 0: unknown */
	int64_t pushed_ms, seen_ms;
};
extern const struct store_table repositories_table, tags_table;

/* A copy of the row, by its name in the integration, without a space's prefix taken
 * off; repository_done empties it. BERTH_E_NOT_FOUND names it. */
MUST_USE int repository_get(struct store *s, const char *integration_id, const char *name,
			    struct repository *ret, struct berth_error *err);
void repository_done(struct repository *row);
#define AUTO_REPOSITORY CLEANUP(repository_done)
/* Adds or updates by integration and name; ret_id: its number. tag_count of
 * the row is ignored, see repository_recount. */
MUST_USE int repository_put(struct store *s, const struct repository *row, int64_t *ret_id,
			    struct berth_error *err);
MUST_USE int tag_put(struct store *s, const struct tag *row, struct berth_error *err);
MUST_USE int tag_get(struct store *s, int64_t repository_id, const char *name, struct tag *ret,
		     struct berth_error *err);
void tag_done(struct tag *row);
#define AUTO_TAG CLEANUP(tag_done)

/* Drop what a whole look at a repository did not see, and count its tags. */
MUST_USE int repository_sweep_tags(struct store *s, int64_t repository_id, int64_t seen_ms,
				   struct berth_error *err);
/* Drop repositories (with their tags) that a whole look did not see; space_id
 * NULL: of the whole integration. */
MUST_USE int repository_sweep(struct store *s, const char *integration_id, const char *space_id,
			      int64_t seen_ms, struct berth_error *err);
/* Counts one's tags, artifacts and bytes anew: after tag_put. Spaces and integrations are
 * counted from these. */
MUST_USE int repository_recount(struct store *s, int64_t repository_id, struct berth_error *err);
MUST_USE int repository_remove(struct store *s, int64_t repository_id, struct berth_error *err);
MUST_USE int tag_remove(struct store *s, int64_t repository_id, const char *name,
			struct berth_error *err);
/* All tags of one digest go: an artifact was deleted. */
MUST_USE int tag_remove_digest(struct store *s, int64_t repository_id, const char *digest,
			       struct berth_error *err);

/* Artifact documents by repository and digest: JSON, at most 1 MiB. They never
 * change at the registry (a digest names the bytes); referrers do: the time says how old. */
MUST_USE int artifact_put(struct store *s, int64_t repository_id, const char *digest,
			  const char *document, int64_t seen_ms, struct berth_error *err);
/* *ret NULL: not known; free(). */
MUST_USE int artifact_get(struct store *s, int64_t repository_id, const char *digest, char **ret,
			  int64_t *ret_seen_ms, struct berth_error *err);

struct image_totals {
	int64_t space_count, repository_count, tag_count, artifact_count, bytes;
};
/* Totals of one integration, from the index. */
MUST_USE int image_totals(struct store *s, const char *integration_id, struct image_totals *ret,
			  struct berth_error *err);

#endif
