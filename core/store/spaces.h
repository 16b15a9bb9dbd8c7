/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of spaces: image namespaces of an integration, found at the server
 * (native) or declared by the user as a path prefix.
 */
#ifndef CORE_STORE_SPACES_H
#define CORE_STORE_SPACES_H

#include "core/store/list.h"

struct space {
	char *id;             /* UUID */
	char *integration_id; /* its id and, read only, its name */
	char *integration;
	char *name;   /* "library", "team/apps", "default" */
	char *origin; /* "native" or "declared" */
	char *mode;   /* "local", "proxy", "virtual" */
	int64_t is_public, can_push;
	int64_t quota_bytes, used_bytes; /* -1: unknown or none */
	int64_t is_present;              /* was it there at the last look? */
	char *drift;                     /* what its server last did to it: api/drift.h; "" */
	int64_t drift_ms;
	int64_t seen_ms;
	int64_t repository_count, artifact_count; /* from the index; -1: unknown */
	int64_t generation;
	int64_t created_ms, updated_ms;
	char *remote_id; /* the server's own, which a new one of that name has not; "" */
};
extern const struct store_table spaces_table;

/* A copy of the row, which space_done empties; BERTH_E_NOT_FOUND names it. */
MUST_USE int space_get(struct store *s, const char *id, struct space *ret, struct berth_error *err);
MUST_USE int space_get_by_name(struct store *s, const char *integration_id, const char *name,
			       struct space *ret, struct berth_error *err);
/* The space that a repository belongs to: the longest declared prefix, or
 * native name that it begins with, else "default"; BERTH_E_NOT_FOUND. */
MUST_USE int space_of_repository(struct store *s, const char *integration_id,
				 const char *repository, struct space *ret,
				 struct berth_error *err);
void space_done(struct space *row);
#define AUTO_SPACE CLEANUP(space_done)

/* Adds, or updates the one of that integration and name (id, origin,
 * created_ms and generation then stay, and a remote_id where none is given). */
MUST_USE int space_put(struct store *s, const struct space *row, struct berth_error *err);
/* Writes is_public, can_push, mode and quota by id and bumps the generation. */
MUST_USE int space_change(struct store *s, const struct space *row, struct berth_error *err);
/* Notes what was found of it at its server (S5), and whether it is there. */
MUST_USE int space_set_drift(struct store *s, const char *id, bool is_present, const char *what,
			     int64_t at_ms, struct berth_error *err);
/* Counts again what the index has for one space. */
MUST_USE int space_recount(struct store *s, const char *id, int64_t now_ms,
			   struct berth_error *err);
/* The name that a space of the same integration and the same id at the server has now; new.
 * NULL: there is none. */
MUST_USE int space_find_renamed(struct store *s, const struct space *gone, char **ret_name,
				struct berth_error *err);
/* Takes its name away, so that no repository belongs to it any more: before it is removed. */
MUST_USE int space_hide(struct store *s, const char *id, struct berth_error *err);
/* Removes it with its part of the index. */
MUST_USE int space_remove(struct store *s, const char *id, struct berth_error *err);

#endif
