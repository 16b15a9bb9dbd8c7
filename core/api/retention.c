/* SPDX-License-Identifier: Apache-2.0 */
/* Retention of a space (R1, R2): the rules that its registry keeps and runs
 * itself. Berth stores none of it: what is shown is what the registry says at
 * this moment, a policy that was made elsewhere included.
 */
#include <stdio.h>
#include <string.h>

#include "api_handlers.h"
#include "core/api/slot.h"
#include "core/api/space.h"
#include "core/base/text.h"

/* What differs between the five routes. */
struct retention_call {
	const char *kind, *slot;
	bool reads;   /* a second reader joins the first; a change holds the space */
	json_t *args; /* owned by the caller */
};

static void submit(struct request *q, struct answer *a, const struct space *space,
		   const struct retention_call *c)
{
	char *path AUTO_FREE = text_printf("/v1/spaces/%s/retention", space->id);
	const char *run = js_str(c->args, "run", "");
	char *lock AUTO_FREE = text_printf("%s/%s/%s/%s", c->reads ? c->kind : "retention",
					   space->integration, space->name, run);
	struct slot_work work = {.kind = c->kind,
				 .slot = c->slot,
				 .path = path,
				 .lock = lock,
				 .args = c->args,
				 .joins = c->reads};

	(void)slot_submit(q, a, space->integration_id, &work);
}

void api_retention_get(struct request *q, struct answer *a)
{
	struct space space AUTO_SPACE = {.id = NULL};

	if (api_resumed(q, a) || !space_of_route(q, a, &space))
		return;
	json_t *args AUTO_JSON = json_pack("{s:s}", "space", space.name);
	submit(q, a, &space,
	       &(struct retention_call){"retention-show", "retention_get", true, args});
}

void api_retention_put(struct request *q, struct answer *a)
{
	struct space space AUTO_SPACE = {.id = NULL};

	if (api_resumed(q, a) || !space_of_route(q, a, &space))
		return;
	json_t *args AUTO_JSON =
		json_pack("{s:s, s:O}", "space", space.name, "policy", request_body(q));
	if (request_dry_run(q)) /* the plugin checks the rules and writes none */
		json_object_set_new(args, "dry_run", json_true());
	submit(q, a, &space,
	       &(struct retention_call){"retention-set", "retention_set", false, args});
}

void api_retention_runs_create(struct request *q, struct answer *a)
{
	struct space space AUTO_SPACE = {.id = NULL};

	if (api_resumed(q, a) || !space_of_route(q, a, &space))
		return;
	const char *typed = request_query(q, "confirm");
	if (typed && strcmp(typed, space.name) != 0) {
		api_refuse(a, 422, "confirmation-missing", NULL,
			   "the space is %s: that is what confirms that all of its tags may go",
			   space.name);
		return;
	}
	json_t *args AUTO_JSON = json_pack("{s:s, s:b}", "space", space.name, "all", typed ? 1 : 0);
	if (request_dry_run(q))
		json_object_set_new(args, "dry_run", json_true());
	submit(q, a, &space,
	       &(struct retention_call){"retention-run", "retention_run", false, args});
}

void api_retention_runs_list(struct request *q, struct answer *a)
{
	struct space space AUTO_SPACE = {.id = NULL};

	if (api_resumed(q, a) || !space_of_route(q, a, &space))
		return;
	json_t *args AUTO_JSON = json_pack("{s:s}", "space", space.name);
	submit(q, a, &space,
	       &(struct retention_call){"retention-runs", "retention_runs", true, args});
}

void api_retention_runs_get(struct request *q, struct answer *a)
{
	struct space space AUTO_SPACE = {.id = NULL};

	if (api_resumed(q, a) || !space_of_route(q, a, &space))
		return;
	json_t *args AUTO_JSON =
		json_pack("{s:s, s:s}", "space", space.name, "run", request_param(q, "run"));
	submit(q, a, &space,
	       &(struct retention_call){"retention-runs", "retention_runs", true, args});
}

/* --- operation types --- */

/* {"schedule", "rules"}: what retention_set takes. */
int retention_shown(struct operation *op, const json_t *value, const struct berth_error *why,
		    json_t **ret_result, struct berth_error *err)
{
	json_t *rules = json_object_get(op->own, "rules"), *rule;
	const char *schedule = js_str(json_object_get(op->own, "facts"), "schedule", "");
	size_t i;

	(void)value;
	if (why->code)
		return 0;
	json_array_foreach (rules, i, rule)
		json_object_del(rule, "id");
	*ret_result = json_pack("{s:s, s:o}", "schedule", schedule, "rules",
				rules ? json_incref(rules) : json_array());
	return *ret_result ? 0 : berth_fail_memory(err);
}

int retention_written(struct operation *op, const json_t *value, const struct berth_error *why,
		      json_t **ret_result, struct berth_error *err)
{
	const json_t *args = json_object_get(op->arguments, "args");
	const char *path = json_string_value(json_array_get(op->resources, 0));
	bool is_dry_run = js_bool(args, "dry_run", false);

	(void)value;
	if (why->code)
		return 0;
	*ret_result = json_pack("{s:b}", "dry_run", is_dry_run ? 1 : 0);
	if (!*ret_result)
		return berth_fail_memory(err);
	return is_dry_run ? 0 : api_tell(api_daemon(), path ? path : "", "changed", op->id, err);
}

/* Rules that keep nothing of some repository: nothing was begun. */
static void refuse_all(const struct operation *op, const json_t *all, struct berth_error *err)
{
	const char *space = js_str(json_object_get(op->arguments, "args"), "space", "");
	int64_t tags = js_int(all, "tags", 0), repositories = js_int(all, "repositories", 0);

	(void)berth_fail(err, BERTH_E_CONFLICT,
			 "this removes all %lld tag%s of %lld repositor%s: confirm it with the "
			 "name of the space, %s",
			 (long long)tags, tags == 1 ? "" : "s", (long long)repositories,
			 repositories == 1 ? "y" : "ies", space);
}

/* The RUN that was started. */
int retention_started(struct operation *op, const json_t *value, const struct berth_error *why,
		      json_t **ret_result, struct berth_error *err)
{
	json_t *run = json_array_get(json_object_get(op->own, "runs"), 0);

	if (why->code)
		return 0;
	if (json_object_get(value, "removes_all")) {
		*ret_result = json_deep_copy(value);
		refuse_all(op, json_object_get(value, "removes_all"), err);
		return 0; /* with err set: the operation fails, and says what it found */
	}
	if (!run)
		return berth_fail(err, BERTH_E_PROTOCOL, "the plugin did not say which run began");
	*ret_result = json_incref(run);
	return 0;
}
