/* SPDX-License-Identifier: Apache-2.0 */
/* Each image's outcome in a run, of a rule or of a single copy: the first ones
 * with the run itself, all of them page by page. They are kept as long as their
 * run. Runs in berthd.
 */
#include "api_handlers.h"
#include "core/api/sync.h"

#define OUTCOMES_SHOWN "1000"

static int show(struct request *q, const void *row, json_t **ret, struct berth_error *err)
{
	const struct sync_outcome *it = row;
	json_t *cause = NULL;

	(void)q;
	*ret = json_pack("{s:s, s:s, s:s, s:I, s:I}", "source", it->source, "target", it->target,
			 "state", it->state, "bytes", (json_int_t)it->bytes, "attempts",
			 (json_int_t)it->attempts);
	if (!*ret)
		return berth_fail_memory(err);
	js_put_str(*ret, "digest", it->digest);
	if (*it->cause && api_parse(it->cause, &cause, err)) {
		json_decref(STEAL(*ret));
		return err->code;
	}
	if (cause)
		json_object_set_new(*ret, "error", cause);
	return 0;
}

static int add_outcome(void *user, const void *row, struct berth_error *err)
{
	json_t *one = NULL;

	if (show(NULL, row, &one, err))
		return err->code;
	return json_array_append_new(user, one) ? berth_fail_memory(err) : 0;
}

int copy_outcomes(struct daemon_state *d, const char *run_id, json_t **ret, struct berth_error *err)
{
	const struct store_value values[] = {V_TEXT(run_id)};
	struct store_page page = {.within = "run_id = ?",
				  .within_values = values,
				  .within_count = 1,
				  .tail = "ORDER BY number LIMIT " OUTCOMES_SHOWN};

	*ret = json_array();
	if (!*ret)
		return berth_fail_memory(err);
	if (!store_list(d->store, &sync_outcomes_table, &page, add_outcome, *ret, NULL, err))
		return 0;
	json_decref(STEAL(*ret));
	return err->code;
}

struct blamed {
	char source[512];
	struct operation *op;
	struct berth_error why;
};

static int take_blamed(void *user, const void *row, struct berth_error *err)
{
	const struct sync_outcome *it = row;
	struct blamed *to = user;
	json_t *cause AUTO_JSON = NULL;

	snprintf(to->source, sizeof(to->source), "%s", it->source);
	if (*it->cause && api_parse(it->cause, &cause, err))
		return err->code;
	js_to_error(cause, &to->why);
	op_blame(to->op, js_str(cause, "integration", ""));
	return 0;
}

int copy_blame(struct operation *op, int64_t failed, int64_t images, struct berth_error *err)
{
	const struct store_value values[] = {V_TEXT(op->id)};
	struct store_page page = {.within = "run_id = ? AND state = 'failed'",
				  .within_values = values,
				  .within_count = 1,
				  .tail = "ORDER BY number LIMIT 1"};
	struct blamed first = {.op = op, .why = ERROR_INIT};

	if (store_list(api_daemon()->store, &sync_outcomes_table, &page, take_blamed, &first, NULL,
		       err))
		return err->code;
	if (!first.why.code)
		return berth_fail(err, BERTH_E_INTERNAL, "%lld of %lld images failed",
				  (long long)failed, (long long)images);
	*err = first.why;
	return berth_wrap(err, "%lld of %lld images failed, first %s", (long long)failed,
			  (long long)images, first.source);
}

/* --- page by page --- */

static void list_of_run(struct request *q, struct answer *a, const struct sync_rule *of)
{
	struct sync_run run AUTO_SYNC_RUN = {.id = NULL};
	struct berth_error err = ERROR_INIT;

	if (sync_run_of(request_daemon(q), of, request_param(q, "id"), &run, &err)) {
		api_fail(a, &err, "berthctl sync list");
		return;
	}
	const struct store_value values[] = {V_TEXT(run.id)};
	struct api_collection of_one = {.table = &sync_outcomes_table,
					.noun = "outcome",
					.within = "run_id = ?",
					.within_values = values,
					.within_count = 1,
					.show = show};
	api_list(&of_one, q, a);
}

void api_copies_outcomes(struct request *q, struct answer *a)
{
	if (copy_is_seen(q, a))
		list_of_run(q, a, NULL);
}

void api_sync_runs_outcomes(struct request *q, struct answer *a)
{
	struct sync_rule rule AUTO_SYNC_RULE = {.id = NULL};

	if (sync_of_route(q, a, &rule))
		list_of_run(q, a, &rule);
}
