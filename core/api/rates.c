/* SPDX-License-Identifier: Apache-2.0 */
/* The rates that copies share (core/ops/budget.h): which there are, from the
 * configuration and the integrations, and which of them a copy's bytes count in.
 * Runs in berthd.
 */
#include <stdio.h>

#include "core/api/integration.h"
#include "core/ops/budget.h"

#define BUCKET_ROOM 64

int rates_configured(struct daemon_state *d, struct berth_error *err)
{
	uint64_t rate = d->settings.copy_limit_bytes_per_s;

	if (budget_set(ops_budget(d->ops), "all", rate, err))
		return err->code;
	return budget_set(ops_budget(d->ops), "take", rate, err);
}

int rates_of_integration(struct daemon_state *d, const char *id, const json_t *desired,
			 struct berth_error *err)
{
	static const char *const directions[] = {"read", "take", "write"};
	uint64_t rate = (uint64_t)js_int(desired, "limit_bytes_per_s", 0);
	char bucket[BUCKET_ROOM];

	for (size_t i = 0; i < ARRAY_COUNT(directions); i++) {
		snprintf(bucket, sizeof(bucket), "%s:%s", directions[i], id);
		if (budget_set(ops_budget(d->ops), bucket, rate, err))
			return err->code;
	}
	return 0;
}

json_t *rates_of_copy(const char *source_id, char (*target_ids)[UUID_ROOM], size_t count)
{
	json_t *rates AUTO_JSON = json_pack("{s:[s, s+], s:[s, s+]}", "read", "all",
					    "read:", source_id, "take", "take", "take:", source_id);
	char chain[16] = "write";

	for (size_t i = 0; i < count; i++) {
		if (i)
			snprintf(chain, sizeof(chain), "write%zu", i + 1);
		if (*target_ids[i] &&
		    json_object_set_new(rates, chain, json_pack("[s+]", "write:", target_ids[i])))
			return NULL;
	}
	return STEAL(rates);
}
