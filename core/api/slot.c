/* SPDX-License-Identifier: Apache-2.0 */
/* Operations that are one call of one slot of a plugin. */
#include "core/api/slot.h"

#include <stdio.h>
#include <string.h>

static const char *table_of(const struct slot_work *w)
{
	return w->table ? w->table : "integration";
}

/* Is the integration enabled and well, and has its plugin the slot? false:
 * answered 404, 409, or 422 "unsupported" with a sentence. */
static bool slot_usable(struct request *q, struct answer *a, const struct integration *row,
			const struct slot_work *w)
{
	const json_t *plugin = catalog_find(request_daemon(q), row->kind);

	if (!integration_usable(a, row, true))
		return false;
	if (catalog_has(plugin, table_of(w), w->slot))
		return true;
	api_refuse(a, 422, "unsupported", "berthctl plugin list",
		   "integration %s is a %s, whose plugin does not support %s", row->name, row->kind,
		   w->slot);
	return false;
}

/* false: answered. */
static bool find(struct request *q, struct answer *a, const char *integration_id,
		 const struct slot_work *w, struct integration *ret)
{
	struct berth_error err = ERROR_INIT;

	if (!w->path || !w->lock)
		(void)berth_fail_memory(&err);
	else if (!integration_get_by_id(request_daemon(q)->store, integration_id, ret, &err))
		return slot_usable(q, a, ret, w);
	api_fail(a, &err, err.code == BERTH_E_NOT_FOUND ? "berthctl integration list" : NULL);
	return false;
}

void slot_plan(struct request *q, struct answer *a, const char *integration_id,
	       const struct slot_work *w, json_t *take_plan)
{
	struct integration row AUTO_INTEGRATION = {.id = NULL};
	json_t *plan AUTO_JSON = take_plan;

	if (find(q, a, integration_id, w, &row))
		answer_json(a, 200, STEAL(plan));
}

bool slot_submit(struct request *q, struct answer *a, const char *integration_id,
		 const struct slot_work *w)
{
	struct op_submitted done = {.id = ""};

	return slot_submit_id(q, a, integration_id, w, &done);
}

bool slot_submit_id(struct request *q, struct answer *a, const char *integration_id,
		    const struct slot_work *w, struct op_submitted *ret)
{
	struct integration row AUTO_INTEGRATION = {.id = NULL};

	if (!find(q, a, integration_id, w, &row))
		return false;
	json_t *arguments AUTO_JSON =
		json_pack("{s:s, s:s, s:O*, s:O*}", "id", row.id, "name", row.name, "args",
			  (json_t *)(uintptr_t)w->args, "about", (json_t *)(uintptr_t)w->about);
	json_t *resources AUTO_JSON = json_pack("[s]", w->path);
	json_t *locks AUTO_JSON = *w->lock ? json_pack("[s]", w->lock) : json_array();
	struct op_request request = {.kind = w->kind,
				     .arguments = arguments,
				     .resources = resources,
				     .locks = locks,
				     .integration = row.name,
				     .joins = w->joins};
	return api_submit_id(q, a, &request, ret);
}

int slot_call(struct operation *op, json_t **ret, struct berth_error *err)
{
	const json_t *given = json_object_get(op->arguments, "args");
	json_t *args AUTO_JSON = given ? json_deep_copy(given) : json_object();

	job_release_json(op);
	if (!args)
		return berth_fail_memory(err);
	return job_call_one(op, op->type->kind, api_daemon()->settings.jobs.read_ms, args, ret,
			    err);
}

static json_t *plain_item(const json_t *item)
{
	static const char *const named[] = {"id", "name", "digest", "bytes", "updated_ms"};
	const json_t *more = json_object_get(item, "more");
	json_t *plain = json_is_object(more) ? json_deep_copy(more) : json_object();

	for (size_t i = 0; i < ARRAY_COUNT(named); i++) {
		json_t *value = json_object_get(item, named[i]);
		if (value)
			json_object_set(plain, named[i], value);
	}
	return plain;
}

static int add_fact(json_t *all, const json_t *item)
{
	json_t *facts = json_object_get(all, "facts");
	json_t *more = json_object_get(item, "more");
	json_t *value = json_object_get(more, "value");

	if (!facts) {
		facts = json_object();
		if (json_object_set_new(all, "facts", facts))
			return -1;
	}
	return json_object_set(facts, js_str(item, "name", ""), value ? value : more);
}

static int add_item(json_t *all, const json_t *item)
{
	char key[32];
	json_t *list;

	snprintf(key, sizeof(key), "%.30ss", js_str(item, "kind", ""));
	list = json_object_get(all, key);
	if (!list) {
		list = json_array();
		if (json_object_set_new(all, key, list))
			return -1;
	}
	return json_array_append_new(list, plain_item(item));
}

int slot_items(struct operation *op, const json_t *items, struct berth_error *err)
{
	const json_t *item;
	size_t i;

	if (!op->own)
		op->own = json_object();
	if (!op->own)
		return berth_fail_memory(err);
	json_array_foreach (items, i, item) {
		bool is_fact = !strcmp(js_str(item, "kind", ""), "fact");
		if (is_fact ? add_fact(op->own, item) : add_item(op->own, item))
			return berth_fail_memory(err);
	}
	return 0;
}

int slot_ended(struct operation *op, const json_t *value, const struct berth_error *why,
	       json_t **ret_result, struct berth_error *err)
{
	(void)value;
	if (why->code)
		return 0;
	*ret_result = op->own ? json_deep_copy(op->own) : json_object();
	return *ret_result ? 0 : berth_fail_memory(err);
}
