/* SPDX-License-Identifier: Apache-2.0 */
/* Copy rules that a registry's own replication does: at which end, what the job is told,
 * what the registry then keeps for the rule, and that it goes with the rule. Runs in
 * berthd; the job is core/jobs/kinds_native.c.
 */
#ifndef CORE_API_NATIVE_H
#define CORE_API_NATIVE_H

#include "core/api/sync.h"

/* Adds to f where neither end's plugin offers what "engine": "native" asks for. Ends and
 * plugins are known to be there. */
MUST_USE int native_check(struct daemon_state *d, const json_t *desired, struct findings *f,
			  struct berth_error *err);
/* Begins to ask the registry, for the caller, whether its replication can do a rule with
 * "engine": "native" as it is written, by an operation that fails where it can't. *ret_id
 * (UUID_ROOM): that operation; "" where nothing is asked: another engine, or an end that is
 * disabled. Within the caller's transaction. */
MUST_USE int native_ask(struct request *q, const struct sync_rule *of, const json_t *desired,
			char *ret_id, struct berth_error *err);
/* Sets status.native where a registry keeps something for the rule. */
MUST_USE int native_show(struct daemon_state *d, const char *rule_id, json_t *status,
			 struct berth_error *err);

/* The members of a copying operation's arguments that the functions below need; nothing
 * where Berth's own engine is meant. false: no memory. */
MUST_USE bool native_put_arguments(json_t *arguments, const struct sync_rule *of,
				   const char *engine);
/* Adds to the job's args what it needs to ask a registry. *ret_is_native: false where
 * Berth's engine is the only one that can. */
MUST_USE int native_call(struct operation *op, json_t *args, bool *ret_is_native,
			 struct berth_error *err);
/* An item "native" of the job: what was made, and which run is under way. */
MUST_USE int native_item(struct operation *op, const json_t *item, struct berth_error *err);
/* The operation has ended: a run that was cancelled is stopped at the registry too, and
 * the target's index is read after one that was not. */
MUST_USE int native_ended(struct operation *op, const json_t *value, const struct berth_error *why,
			  struct berth_error *err);

/* Begins to remove what registries keep for rules that are gone, disabled, or done
 * otherwise now; in that integration, or with NULL in all. What fails is begun again
 * after the integration's next refresh. Within the caller's transaction. */
MUST_USE int native_clean(struct daemon_state *d, const char *integration_id,
			  struct berth_error *err);
/* on_result of that operation. */
int native_removed(struct operation *op, const json_t *value, const struct berth_error *why,
		   json_t **ret_result, struct berth_error *err);

#endif
