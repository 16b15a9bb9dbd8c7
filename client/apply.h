/* SPDX-License-Identifier: Apache-2.0 */
/* What `apply` and `diff` would do: each item of a file beside what berthd has.
 * Making the plan only reads; cmd_apply.c shows it and carries it out.
 */
#ifndef CLIENT_APPLY_H
#define CLIENT_APPLY_H

#include "client/cli.h"

enum step_action { STEP_CREATE, STEP_UPDATE, STEP_UNCHANGED, STEP_PRUNE };
struct step {
	enum step_action action;
	const struct kind *kind;
	char *name;      /* for people: "hub", "hub/team" */
	char *path;      /* of what is there; NULL: nothing is */
	char etag[128];  /* of what is there */
	json_t *body;    /* to send: the item, or a merge patch */
	json_t *changes; /* [{"member","before","after"}] of an update */
};
struct plan {
	struct step *steps;
	size_t step_count;
};
enum { STEP_MAX = 2000 };

/* A list of the file: workspaces, integrations, spaces, syncs. In the order of creation. */
struct kind {
	const char *list;       /* "integrations" */
	const char *noun;       /* "integration" */
	const char *collection; /* "/v1/integrations" */
	bool has_integration;   /* an item is known by integration and name */
};
extern const struct kind apply_kinds[]; /* ends with a NULL list */

/* The file's items ("-": stdin) beside what is there. --prune adds what the
 * file's lists do not name. Errors say file and member. */
MUST_USE int plan_make(struct cli *c, const char *file, struct plan *ret, struct berth_error *err);
void plan_done(struct plan *p);
const char *step_action_name(enum step_action action);

#endif
