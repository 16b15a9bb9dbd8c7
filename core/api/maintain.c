/* SPDX-License-Identifier: Apache-2.0 */
/* House-keeping of a registry: its read-only switch, its garbage collection
 * now, on schedule and in the past, and its own figures. Berth keeps none of it
 * but the figures; each look and each change is an operation.
 */
#include <stdio.h>
#include <string.h>

#include "api_handlers.h"
#include "core/api/slot.h"
#include "core/base/clock.h"
#include "core/base/text.h"

/* One action of the slot maintain; take_arguments are its own. A reader joins
 * another, a change waits for none. */
static void submit(struct request *q, struct answer *a, const char *action, bool reads,
		   json_t *take_arguments)
{
	struct integration row AUTO_INTEGRATION = {.id = NULL};
	json_t *args AUTO_JSON = json_pack("{s:s, s:o}", "action", action, "arguments",
					   take_arguments ? take_arguments : json_object());

	if (!integration_of_route(q, a, &row))
		return;
	if (request_dry_run(q))
		json_object_set_new(args, "dry_run", json_true());
	char *path AUTO_FREE = text_printf("/v1/integrations/%s", row.name);
	char *lock AUTO_FREE =
		text_printf("maintain/%s/%s/%s/%s", row.name, action, reads ? "look" : "change",
			    js_str(json_object_get(args, "arguments"), "run", ""));
	struct slot_work work = {.kind = "maintain",
				 .slot = "maintain",
				 .path = path,
				 .lock = lock,
				 .args = args,
				 .joins = reads};
	(void)slot_submit(q, a, row.id, &work);
}

void api_read_only_get(struct request *q, struct answer *a)
{
	if (!api_resumed(q, a))
		submit(q, a, "read-only", true, NULL);
}

void api_read_only_put(struct request *q, struct answer *a)
{
	if (!api_resumed(q, a))
		submit(q, a, "read-only", false, json_deep_copy(request_body(q)));
}

void api_gc_get(struct request *q, struct answer *a)
{
	if (!api_resumed(q, a))
		submit(q, a, "gc-history", true, NULL);
}

void api_gc_run(struct request *q, struct answer *a)
{
	if (!api_resumed(q, a))
		submit(q, a, "gc", false, json_deep_copy(request_body(q)));
}

void api_gc_schedule(struct request *q, struct answer *a)
{
	if (!api_resumed(q, a))
		submit(q, a, "gc", false, json_deep_copy(request_body(q)));
}

static json_t *run_of_route(const struct request *q)
{
	return json_pack("{s:s}", "run", request_param(q, "run"));
}

void api_gc_run_get(struct request *q, struct answer *a)
{
	if (!api_resumed(q, a))
		submit(q, a, "gc-log", true, run_of_route(q));
}

void api_gc_run_stop(struct request *q, struct answer *a)
{
	if (!api_resumed(q, a))
		submit(q, a, "gc-stop", false, run_of_route(q));
}

void api_overview_refresh(struct request *q, struct answer *a)
{
	struct integration row AUTO_INTEGRATION = {.id = NULL};

	if (api_resumed(q, a) || !integration_of_route(q, a, &row))
		return;
	char *path AUTO_FREE = text_printf("/v1/integrations/%s/overview", row.name);
	char *lock AUTO_FREE = text_printf("overview/%s", row.name);
	struct slot_work work = {
		.kind = "overview", .slot = "overview", .path = path, .lock = lock, .joins = true};
	(void)slot_submit(q, a, row.id, &work);
}

/* --- operation types --- */

/* {"schedule", "runs"} of the history, the one run of a start, stop or log, else the facts. */
int maintained(struct operation *op, const json_t *value, const struct berth_error *why,
	       json_t **ret_result, struct berth_error *err)
{
	const json_t *args = json_object_get(op->arguments, "args");
	const char *action = js_str(args, "action", "");
	json_t *facts = json_object_get(op->own, "facts");
	json_t *runs = json_object_get(op->own, "runs");

	(void)value;
	if (why->code)
		return 0;
	if (!strcmp(action, "gc-history"))
		*ret_result = json_pack("{s:s, s:o}", "schedule", js_str(facts, "schedule", ""),
					"runs", runs ? json_incref(runs) : json_array());
	else if (runs)
		*ret_result = json_incref(json_array_get(runs, 0));
	else
		*ret_result = facts ? json_incref(facts) : json_object();
	return *ret_result ? 0 : berth_fail_memory(err);
}

/* The registry's own figures stand beside those of the index, with their own
 * time. */
int overview_read(struct operation *op, const json_t *value, const struct berth_error *why,
		  json_t **ret_result, struct berth_error *err)
{
	static const char *const named[] = {"spaces", "repositories", "artifacts", "bytes"};
	struct daemon_state *d = api_daemon();
	struct integration row AUTO_INTEGRATION = {.id = NULL};
	json_t *status AUTO_JSON = NULL;
	json_t *facts = json_object_get(op->own, "facts");

	(void)value;
	if (why->code)
		return 0;
	if (integration_get_by_id(d->store, js_str(op->arguments, "id", ""), &row, err) ||
	    api_parse(row.status, &status, err))
		return err->code;
	json_t *server AUTO_JSON = json_object();
	for (size_t i = 0; server && i < ARRAY_COUNT(named); i++)
		if (json_is_integer(json_object_get(facts, named[i])))
			json_object_set(server, named[i], json_object_get(facts, named[i]));
	js_put_time(server, "at", clock_unix_ms());
	if (!server || json_object_set(status, "server", server))
		return berth_fail_memory(err);
	char *text AUTO_FREE = js_canonical(status);
	if (!text)
		return berth_fail_memory(err);
	*ret_result = json_incref(server);
	return integration_set_status(d->store, row.id, text, row.phase, row.checked_ms, err);
}
