/* SPDX-License-Identifier: Apache-2.0 */
/* An opened instance of a plugin, inside a job: the only place that calls
 * plugins. Each call gets the job's deadline and cancel, is named on the board
 * for the case that it crashes, and what comes back is checked at this border.
 * A slot that is not there is BERTH_E_UNSUPPORTED with a sentence.
 */
#ifndef CORE_WORKER_BACKEND_H
#define CORE_WORKER_BACKEND_H

#include <berth/plugin.h>
#include <stdbool.h>

#include "core/worker/job.h"

struct backend;
/* Opens the instance of that name of the call. Errors: BERTH_E_INVALID for a
 * wrong or missing option, and what the plugin's open says. */
MUST_USE int backend_open(struct job *j, const char *instance, struct backend **ret,
			  struct berth_error *err);
void backend_close(struct backend *b);
SCOPE_TYPE(backend, struct backend, backend_close)

/* Where checked items go; borrowed for the call. more is the parsed more_json
 * or NULL. An error stops the plugin and is the call's error. */
struct backend_sink {
	int (*put)(void *user, const struct berth_item *item, json_t *more,
		   struct berth_error *err);
	void *user;
};
/* Sends each item to berthd as it is. user: the job. */
int backend_item_to_job(void *user, const struct berth_item *item, json_t *more,
			struct berth_error *err);
/* "tag" of BERTH_ITEM_TAG; NULL: unknown. */
const char *item_kind_name(uint32_t kind);
/* Checks an item as a plugin gave it: kind, UTF-8, sizes, digest, more_json.
 * *ret is a copy of our size, *ret_more the parsed object or NULL (json_decref). */
MUST_USE int item_check(const struct berth_item *given, struct berth_item *ret, json_t **ret_more,
			struct berth_error *err);

bool backend_can(const struct backend *b, const char *table, const char *slot);

/* From now on calls have the flag of a dry run, or only where the job has it. */
void backend_set_dry(struct backend *b, bool is_dry);

/* The slots that jobs use; see ops.h for what each means. */
MUST_USE int backend_probe(struct backend *b, const char *scope_json, const struct backend_sink *to,
			   struct berth_error *err);
MUST_USE int backend_overview(struct backend *b, const struct backend_sink *to,
			      struct berth_error *err);
MUST_USE int backend_spaces(struct backend *b, const struct backend_sink *to,
			    struct berth_error *err);
MUST_USE int backend_space_create(struct backend *b, const char *space, const char *space_json,
				  const struct backend_sink *to, struct berth_error *err);
MUST_USE int backend_space_update(struct backend *b, const char *space, const char *space_json,
				  const struct backend_sink *to, struct berth_error *err);
MUST_USE int backend_space_delete(struct backend *b, const char *space, struct berth_error *err);
MUST_USE int backend_repositories(struct backend *b, const char *space,
				  const struct backend_sink *to, struct berth_error *err);
MUST_USE int backend_tags(struct backend *b, const char *repository, const struct backend_sink *to,
			  struct berth_error *err);
MUST_USE int backend_resolve(struct backend *b, const char *space, const struct backend_sink *to,
			     struct berth_error *err);
MUST_USE int backend_artifact(struct backend *b, const char *repository, const char *reference,
			      const struct backend_sink *to, struct berth_error *err);
MUST_USE int backend_tag_delete(struct backend *b, const char *repository, const char *tag,
				struct berth_error *err);
MUST_USE int backend_artifact_delete(struct backend *b, const char *repository, const char *digest,
				     struct berth_error *err);
MUST_USE int backend_repository_delete(struct backend *b, const char *repository,
				       const struct backend_sink *to, struct berth_error *err);
MUST_USE int backend_describe(struct backend *b, const char *repository, const char *text,
			      struct berth_error *err);
MUST_USE int backend_login_create(struct backend *b, const char *request_json,
				  const struct backend_sink *to, struct berth_error *err);
MUST_USE int backend_login_list(struct backend *b, const char *prefix,
				const struct backend_sink *to, struct berth_error *err);
MUST_USE int backend_login_revoke(struct backend *b, const char *id, struct berth_error *err);
MUST_USE int backend_retention_get(struct backend *b, const char *space,
				   const struct backend_sink *to, struct berth_error *err);
MUST_USE int backend_retention_set(struct backend *b, const char *space, const char *rules_json,
				   struct berth_error *err);
MUST_USE int backend_retention_run(struct backend *b, const char *space,
				   const struct backend_sink *to, struct berth_error *err);
MUST_USE int backend_retention_runs(struct backend *b, const char *space, const char *run_id,
				    const struct backend_sink *to, struct berth_error *err);
MUST_USE int backend_maintain(struct backend *b, const char *action, const char *arguments_json,
			      const struct backend_sink *to, struct berth_error *err);
/* The lifecycle table; specs as its plugin takes them. */
MUST_USE int backend_lifecycle_apply(struct backend *b, const char *spec_json,
				     const struct backend_sink *to, struct berth_error *err);
MUST_USE int backend_lifecycle_remove(struct backend *b, const char *spec_json,
				      const struct backend_sink *to, struct berth_error *err);
MUST_USE int backend_lifecycle_status(struct backend *b, const char *spec_json,
				      const struct backend_sink *to, struct berth_error *err);
/* Strings live until the backend's next call. */
MUST_USE int backend_oci_endpoint(struct backend *b, const char *repository,
				  struct berth_oci_endpoint *ret, struct berth_error *err);

/* The scan table; targets and settings as in ops.h. */
MUST_USE int backend_scan_scanners(struct backend *b, const struct backend_sink *to,
				   struct berth_error *err);
MUST_USE int backend_scan_start(struct backend *b, const char *target_json,
				const struct backend_sink *to, struct berth_error *err);
MUST_USE int backend_scan_status(struct backend *b, const char *target_json,
				 const struct backend_sink *to, struct berth_error *err);
MUST_USE int backend_scan_stop(struct backend *b, const char *target_json, struct berth_error *err);
MUST_USE int backend_scan_report(struct backend *b, const char *target_json,
				 const struct backend_sink *to, struct berth_error *err);
MUST_USE int backend_scan_log(struct backend *b, const char *target_json,
			      const struct backend_sink *to, struct berth_error *err);
MUST_USE int backend_scan_configure(struct backend *b, const char *settings_json,
				    struct berth_error *err);

/* The sync table: a copy rule and its other end as ops.h says, borrowed. */
struct backend_sync_ends {
	const char *rule_json, *peer_json;
};
/* Has its plugin the whole table? */
bool backend_can_replicate(const struct backend *b);
MUST_USE int backend_sync_plan(struct backend *b, const struct backend_sync_ends *of,
			       const struct backend_sink *to, struct berth_error *err);
MUST_USE int backend_sync_prepare(struct backend *b, const struct backend_sync_ends *of,
				  const struct backend_sink *to, struct berth_error *err);
MUST_USE int backend_sync_run(struct backend *b, const char *id, const struct backend_sink *to,
			      struct berth_error *err);
MUST_USE int backend_sync_status(struct backend *b, const char *run_id,
				 const struct backend_sink *to, struct berth_error *err);
MUST_USE int backend_sync_cancel(struct backend *b, const char *run_id, struct berth_error *err);
MUST_USE int backend_sync_log(struct backend *b, const char *run_id, const char *task_id,
			      const struct backend_sink *to, struct berth_error *err);
MUST_USE int backend_sync_remove(struct backend *b, const char *id, struct berth_error *err);

/* May this instance connect to a resolved address? (registry_settings has the
 * same form: user is the backend.) */
int backend_allow_address(void *user, const void *sockaddr, uint32_t byte_count);
/* An option's value as the plugin sees it, or NULL: "tls_ca" for the engine
 * that talks to the same server. */
const char *backend_option(const struct backend *b, const char *key);

#endif
