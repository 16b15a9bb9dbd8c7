/* SPDX-License-Identifier: Apache-2.0 */
/* Operation types of an integration: a proof before it is saved or changed, and
 * probes of its health. What a proof finds and what follows from it are one
 * transaction with the operation's end.
 */
#include <stdio.h>
#include <string.h>

#include "core/api/integration.h"
#include "core/api/job.h"
#include "core/api/probe.h"
#include "core/api/space.h"
#include "core/api/workspace.h"
#include "core/base/clock.h"
#include "core/base/text.h"
#include "core/net/url.h"

static void path_of(const char *name, char *to, size_t room)
{
	snprintf(to, room, "/v1/integrations/%s", name);
}

/* The scope as plugins know it: whose rights the user must have. */
static const char *scope_word(const char *name)
{
	return text_workspace_bytes(name) ? "workspace" : PLATFORM_SCOPE;
}

int integration_proof_call(struct operation *op, json_t **ret, struct berth_error *err)
{
	struct daemon_state *d = api_daemon();
	const json_t *arguments = op->arguments;
	const char *name = js_str(arguments, "name", "");
	struct instance_request from = {
		.id = js_str(arguments, "id", ""),
		.kind = js_str(arguments, "kind", ""),
		.scope = js_str(arguments, "scope", PLATFORM_SCOPE),
		.desired = json_object_get(arguments, "desired"),
		.pending_owner = js_str(arguments, "owner", ""),
		.pending_fields = json_object_get(arguments, "fields"),
	};
	json_t *instance = NULL;

	if (instance_build(d, &from, &instance, err))
		return err->code;
	json_t *instances AUTO_JSON = json_pack("{s:o}", name, instance);
	json_t *args AUTO_JSON =
		json_pack("{s:s, s:s}", "instance", name, "scope", scope_word(name));
	struct job_call call = {.kind = "probe",
				.deadline_ms = d->settings.jobs.probe_ms,
				.instances = instances,
				.arguments = args};
	return job_call(op, &call, ret, err);
}

void integration_proof_release(struct operation *op)
{
	vault_forget(js_str(op->arguments, "owner", ""));
	job_release_json(op);
}

/* The address of the registry's own console, as its last probe that said anything had
 * it. It ends as a link: nothing else than http and https is taken. */
static void put_console(json_t *status, const json_t *facts)
{
	const char *console = js_str(facts, "console", "");
	struct berth_error ignored = ERROR_INIT;
	struct url_origin origin;

	if (!facts)
		return;
	if (!*console || url_parse_origin(console, &origin, &ignored))
		json_object_del(status, "console");
	else
		js_put_str(status, "console", console);
}

/* Writes an observed status: phase, reason and message with the time since
 * when; an event when the phase changes. facts: of a probe, or NULL. */
static int integration_observe(struct daemon_state *d, const struct integration *row,
			       const json_t *facts, const struct berth_error *why,
			       struct berth_error *err)
{
	int64_t now_ms = clock_unix_ms();
	json_t *status AUTO_JSON = NULL;
	char path[96];

	if (api_parse(row->status, &status, err))
		return err->code;
	const char *phase = probe_note(status, row->phase, why, "NotARegistry", now_ms);
	js_put_str(status, "version", js_str(facts, "version", NULL));
	if (json_is_array(json_object_get(facts, "features")))
		json_object_set(status, "features", json_object_get(facts, "features"));
	if (!why->code)
		put_console(status, facts);
	char *text AUTO_FREE = js_canonical(status);
	if (!text)
		return berth_fail_memory(err);
	if (integration_set_status(d->store, row->id, text, phase, now_ms, err))
		return err->code;
	path_of(row->name, path, sizeof(path));
	return strcmp(row->phase, phase) ? probe_tell(d, path, row->phase, status, err) : 0;
}

void integration_work(const struct integration *row, const char *kind, struct op_request *request,
		      json_t **ret_parts)
{
	char path[96], lock[128];

	path_of(row->name, path, sizeof(path));
	snprintf(lock, sizeof(lock), "%s/%s", kind, row->name);
	json_t *parts = json_pack("{s:{s:s, s:s}, s:[s], s:[s]}", "arguments", "id", row->id,
				  "name", row->name, "resources", path, "locks", lock);
	*request = (struct op_request){
		.kind = kind,
		.arguments = json_object_get(parts, "arguments"),
		.resources = json_object_get(parts, "resources"),
		.locks = json_object_get(parts, "locks"),
		.integration = row->name,
		.joins = true,
	};
	*ret_parts = parts;
}

/* After a proof the index is read, for the same user. */
static int follow_with_refresh(struct operation *op, const struct integration *row,
			       struct berth_error *err)
{
	struct op_request request;
	struct op_submitted done;
	json_t *parts AUTO_JSON = NULL;

	integration_work(row, "refresh", &request, &parts);
	request.user_name = op->user_name;
	request.request_id = op->request_id;
	request.uid = op->uid;
	return ops_submit(op->ops, &request, &done, err);
}

/* The session that the proof opened is the first refresh's: a password is checked
 * once. What was kept before is of what was before. */
static int settle_kept(struct daemon_state *d, const char *id, const struct operation *op,
		       struct berth_error *err)
{
	char *text AUTO_SECRET = json_is_object(op->kept) ? js_canonical(op->kept) : strdup("");

	return text ? kept_store(d->store, d->sealer, id, text, err) : berth_fail_memory(err);
}

/* A workspace that went during the proof leaves nothing behind, nor to one that was
 * made of the same name. */
static int check_owner(struct daemon_state *d, const json_t *arguments, struct berth_error *err)
{
	struct workspace owner AUTO_WORKSPACE = {.id = NULL};
	const char *id = js_str(arguments, "workspace_id", "");

	int code = *id ? workspace_get_by_id(d->store, id, &owner, err) : 0;

	if (code != BERTH_E_NOT_FOUND)
		return code;
	return berth_wrap(err, "workspace %s is there no more", js_str(arguments, "scope", ""));
}

static int add_row(struct operation *op, const char *path, struct berth_error *err)
{
	struct daemon_state *d = api_daemon();
	const json_t *arguments = op->arguments;
	const json_t *desired = json_object_get(arguments, "desired");
	char *text AUTO_FREE = js_canonical(desired);
	struct integration row = {
		.id = (char *)js_str(arguments, "id", ""),
		.name = (char *)js_str(arguments, "name", ""),
		.kind = (char *)js_str(arguments, "kind", ""),
		.scope = (char *)js_str(arguments, "scope", PLATFORM_SCOPE),
		.desired = text,
		.status = (char *)"{}",
		.phase = (char *)"unknown",
		.generation = 1,
		.probe_ms = probe_period_ms(desired),
		.created_ms = clock_unix_ms(),
	};

	row.updated_ms = row.created_ms;
	if (!text)
		return berth_fail_memory(err);
	if (check_owner(d, arguments, err) || integration_add(d->store, &row, err) ||
	    vault_settle(d, js_str(arguments, "owner", ""), row.id,
			 json_object_get(arguments, "fields"), err) ||
	    settle_kept(d, row.id, op, err) ||
	    integration_observe(d, &row, op->own, &(struct berth_error){.code = 0}, err) ||
	    space_add_default(d, row.id, row.kind, err) ||
	    api_tell(d, path, "created", op->id, err) || follow_with_refresh(op, &row, err))
		return err->code;
	return integration_schedule(d, &row, err);
}

static int change_row(struct operation *op, const char *path, struct berth_error *err)
{
	struct daemon_state *d = api_daemon();
	const json_t *arguments = op->arguments;
	const json_t *desired = json_object_get(arguments, "desired");
	struct integration row AUTO_INTEGRATION = {.id = NULL};

	if (integration_get_by_id(d->store, js_str(arguments, "id", ""), &row, err))
		return err->code;
	if (row.generation != js_int(arguments, "generation", 0))
		return berth_fail(err, BERTH_E_CONFLICT,
				  "integration %s was changed while this change was proved",
				  row.name);
	char *text = js_canonical(desired);
	if (!text)
		return berth_fail_memory(err);
	free(row.desired);
	row.desired = text;
	row.generation++;
	row.probe_ms = probe_period_ms(desired);
	row.updated_ms = clock_unix_ms();
	if (integration_change(d->store, &row, err) ||
	    vault_settle(d, js_str(arguments, "owner", ""), row.id,
			 json_object_get(arguments, "fields"), err) ||
	    settle_kept(d, row.id, op, err) ||
	    integration_observe(d, &row, op->own, &(struct berth_error){.code = 0}, err) ||
	    rates_of_integration(d, row.id, desired, err) ||
	    api_tell(d, path, "changed", op->id, err) || follow_with_refresh(op, &row, err))
		return err->code;
	return integration_schedule(d, &row, err);
}

static int end_proof(struct operation *op, const struct berth_error *why,
		     int (*store)(struct operation *, const char *path, struct berth_error *),
		     json_t **ret_result, struct berth_error *err)
{
	char path[96];
	struct proof proof = {
		.noun = "integration", .path = path, .facts = op->own, .store = store};

	path_of(js_str(op->arguments, "name", ""), path, sizeof(path));
	return proof_end(op, why, &proof, ret_result, err);
}

int integration_created(struct operation *op, const json_t *value, const struct berth_error *why,
			json_t **ret_result, struct berth_error *err)
{
	(void)value;
	return end_proof(op, why, add_row, ret_result, err);
}

int integration_changed(struct operation *op, const json_t *value, const struct berth_error *why,
			json_t **ret_result, struct berth_error *err)
{
	(void)value;
	return end_proof(op, why, change_row, ret_result, err);
}

int integration_probe_call(struct operation *op, json_t **ret, struct berth_error *err)
{
	json_t *args AUTO_JSON =
		json_pack("{s:s}", "scope", scope_word(js_str(op->arguments, "name", "")));

	return job_call_one(op, "probe", api_daemon()->settings.jobs.probe_ms, args, ret, err);
}

int integration_probed(struct operation *op, const json_t *value, const struct berth_error *why,
		       json_t **ret_result, struct berth_error *err)
{
	struct daemon_state *d = api_daemon();
	struct integration row AUTO_INTEGRATION = {.id = NULL};

	(void)value;
	if (!probe_says_something(why))
		return 0;
	int code = integration_get_by_id(d->store, js_str(op->arguments, "id", ""), &row, err);
	if (code == BERTH_E_NOT_FOUND) {
		*err = (struct berth_error)ERROR_INIT;
		return 0;
	}
	if (code || integration_observe(d, &row, op->own, why, err))
		return err->code;
	if (!why->code)
		*ret_result = json_pack("{s:O?}", "facts", (json_t *)op->own);
	return 0;
}
