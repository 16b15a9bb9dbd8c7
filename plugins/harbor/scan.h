/* SPDX-License-Identifier: Apache-2.0 */
/* The inside of harbor.so's scan table: what a target means at Harbor, and the
 * walk over the artifacts that a space or a repository holds.
 */
#ifndef PLUGINS_HARBOR_SCAN_H
#define PLUGINS_HARBOR_SCAN_H

#include "core/base/js.h"
#include "harbor.h"

#define SCAN_ALL "/api/v2.0/system/scanAll/schedule"

/* {"repository","digest"}: one artifact; {"repository"}: all that it holds;
 * {"space"}: a project; {}: the instance. Texts are of `json`. */
struct scan_target {
	json_t *json;
	const char *space, *repository, *digest; /* NULL: not given */
	char *path;                              /* of the one artifact, or NULL */
};
/* First in every slot of the table. */
MUST_USE int scan_target_begin(struct harbor *h, const struct berth_call *call,
			       const char *target_json, struct scan_target *ret,
			       struct berth_error *err);
void scan_target_done(struct scan_target *t);
#define AUTO_SCAN_TARGET CLEANUP(scan_target_done)

/* One artifact of the walk, with its scan overview; children of an index are
 * in the index. path: of its API object. */
struct scan_artifact {
	struct harbor *h;
	const char *repository, *path;
	json_t *json;
};
typedef int scan_each(void *user, const struct scan_artifact *artifact, struct berth_error *err);
/* Every artifact of a target without a digest; of a project in one list from
 * 2.12 on, and one a repository before. */
MUST_USE int scan_walk(struct harbor *h, const struct scan_target *t, scan_each *each, void *user,
		       struct berth_error *err);

/* Has the project a scanner? *ret_name: its name, free(). BERTH_E_CONFLICT
 * where none is set up: Harbor shows images as unscannable then. */
MUST_USE int scan_project_scanner(struct harbor *h, const struct scan_target *t, char **ret_name,
				  struct berth_error *err);
/* What an artifact's overview says, as a RUN's keys. json_decref. */
json_t *scan_run_of(const json_t *artifact) MUST_USE;
MUST_USE int scan_give_run(struct berth_sink *sink, const char *id, json_t *take_more,
			   struct berth_error *err);

#endif
