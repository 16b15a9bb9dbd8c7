/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of what registries keep for copy rules that their own replication does. They
 * outlive their rule until the registry was told to remove it.
 */
#ifndef CORE_STORE_NATIVES_H
#define CORE_STORE_NATIVES_H

#include "core/store/list.h"

struct sync_native {
	char *integration_id; /* whose registry keeps it */
	char *object_id;      /* its id there */
	char *rule_id, *rule; /* the rule, and its name */
	char *operation_id;   /* of the last run, or "" */
	char *run_id;         /* that run's id there, or "": none is under way */
	int64_t updated_ms;
};
extern const struct store_table sync_natives_table;

/* Adds or, by integration and object, replaces. */
MUST_USE int sync_native_put(struct store *s, const struct sync_native *row,
			     struct berth_error *err);
MUST_USE int sync_native_remove(struct store *s, const char *integration_id, const char *object_id,
				struct berth_error *err);
/* How many things that registry keeps, those that are still to be removed among them. */
MUST_USE int sync_native_count(struct store *s, const char *integration_id, int64_t *ret,
			       struct berth_error *err);
/* What that registry keeps for the rule; BERTH_E_NOT_FOUND: nothing. The row is freed by
 * sync_native_done. */
MUST_USE int sync_native_get(struct store *s, const char *integration_id, const char *rule_id,
			     struct sync_native *ret, struct berth_error *err);
void sync_native_done(struct sync_native *row);
#define AUTO_SYNC_NATIVE CLEANUP(sync_native_done)

#endif
