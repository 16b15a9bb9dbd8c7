/* SPDX-License-Identifier: Apache-2.0 */
/* Where a list out of the image index comes from: of each integration behind it
 * its phase, when it was last read whole, and how the last attempt failed. An
 * empty list with a failed look behind it is no empty registry. And what the index
 * of an integration holds. Runs in berthd.
 */
#include <stdio.h>
#include <string.h>

#include "core/api/integration.h"
#include "core/api/sight.h"
#include "core/base/clock.h"
#include "core/store/images.h"

/* What is beyond is not named: a list of spaces has pages, its indexes have none. */
#define INDEXES_MAX 256

int index_state(const char *integration, const char *phase, const json_t *status, json_t **ret,
		struct berth_error *err)
{
	static const char *const members[] = {"at", "failed_at", "error", "cause"};
	const json_t *index = json_object_get(status, "index");

	*ret = json_pack("{s:s, s:s}", "integration", integration, "phase", phase);
	if (!*ret)
		return berth_fail_memory(err);
	for (size_t i = 0; i < ARRAY_COUNT(members); i++)
		js_put_str(*ret, members[i], js_str(index, members[i], NULL));
	return 0;
}

static int add_index(void *user, const void *row, struct berth_error *err)
{
	const struct integration *it = row;
	json_t *to = user;
	json_t *shown AUTO_JSON = NULL;
	json_t *status AUTO_JSON = NULL;
	json_t *desired AUTO_JSON = NULL;

	if (json_array_size(to) >= INDEXES_MAX)
		return 0;
	if (api_parse(it->status, &status, err) || api_parse(it->desired, &desired, err))
		return berth_wrap(err, "integration %s", it->name);
	const char *phase = js_str(status, "phase", "unknown");
	if (!js_bool(desired, "enabled", true))
		phase = "disabled";
	if (index_state(it->name, phase, status, &shown, err))
		return err->code;
	return json_array_append(to, shown) ? berth_fail_memory(err) : 0;
}

static int read_indexes(struct daemon_state *d, const struct store_page *within, json_t **ret,
			struct berth_error *err)
{
	json_t *more AUTO_JSON = json_pack("{s:[]}", "indexes");

	if (!more)
		return berth_fail_memory(err);
	if (api_each(d->store, &integrations_table, within, add_index,
		     json_object_get(more, "indexes"), err))
		return err->code;
	*ret = STEAL(more);
	return 0;
}

int indexes_of_one(struct daemon_state *d, const char *integration_id, json_t **ret,
		   struct berth_error *err)
{
	const struct store_value id = V_TEXT(integration_id);
	const struct store_page within = {
		.within = "id = ?", .within_values = &id, .within_count = 1};

	return read_indexes(d, &within, ret, err);
}

int indexes_in_sight(struct daemon_state *d, const struct sight *sight, json_t **ret,
		     struct berth_error *err)
{
	char within[sizeof(sight->where) + 160];
	struct store_page page = {.within = within,
				  .within_values = sight->values,
				  .within_count = sight->value_count};

	if (sight->is_all && !sight->workspace_id)
		return read_indexes(d, NULL, ret, err);
	snprintf(within, sizeof(within),
		 "id IN (SELECT s.integration_id FROM spaces s JOIN integrations i "
		 "ON i.id = s.integration_id WHERE %s)",
		 sight->where);
	return read_indexes(d, &page, ret, err);
}

static json_t *counts_of(const struct image_totals *totals)
{
	json_t *counts = json_pack("{s:I, s:I, s:I}", "spaces", (json_int_t)totals->space_count,
				   "repositories", (json_int_t)totals->repository_count, "tags",
				   (json_int_t)totals->tag_count);

	/* Listings of plain registries name no digests: then it is not known. */
	if (totals->artifact_count > 0)
		json_object_set_new(counts, "artifacts", json_integer(totals->artifact_count));
	if (totals->bytes > 0)
		json_object_set_new(counts, "bytes", json_integer(totals->bytes));
	js_put_time(counts, "at", clock_unix_ms());
	return counts;
}

int integration_recount(struct daemon_state *d, const char *id, struct berth_error *err)
{
	struct integration row AUTO_INTEGRATION = {.id = NULL};
	struct image_totals totals = {.tag_count = 0};
	json_t *status AUTO_JSON = NULL;

	if (integration_get_by_id(d->store, id, &row, err) || api_parse(row.status, &status, err) ||
	    image_totals(d->store, id, &totals, err))
		return err->code;
	json_t *known = json_object_get(status, "index");
	json_t *index = known ? json_incref(known) : json_object();
	json_object_set_new(index, "repositories", json_integer(totals.repository_count));
	json_object_set_new(index, "tags", json_integer(totals.tag_count));
	json_object_set_new(status, "index", index);
	json_object_set_new(status, "overview", counts_of(&totals));
	char *text AUTO_FREE = js_canonical(status);
	if (!text)
		return berth_fail_memory(err);
	return integration_set_status(d->store, id, text, row.phase, row.checked_ms, err);
}
