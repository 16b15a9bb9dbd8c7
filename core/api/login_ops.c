/* SPDX-License-Identifier: Apache-2.0 */
/* Operation types of temporary logins: making one, and removing many by one
 * look at the server. See login.h for the life of a row.
 */
#include <stdio.h>
#include <string.h>

#include "core/api/login.h"
#include "core/api/pull.h"
#include "core/base/clock.h"
#include "core/secrets/secrets.h"

/* --- making --- */

/* op->own is the LOGIN item. It has the secret, which goes nowhere but into a
 * sealed row. */
int login_items(struct operation *op, const json_t *items, struct berth_error *err)
{
	const json_t *item;
	size_t i;

	json_array_foreach (items, i, item) {
		if (strcmp(js_str(item, "kind", ""), "login") != 0)
			continue;
		login_release(op);
		op->own = json_deep_copy(item);
		if (!op->own)
			return berth_fail_memory(err);
	}
	return 0;
}

void login_release(struct operation *op)
{
	json_t *secret = json_object_get(json_object_get(op->own, "more"), "secret");

	if (json_is_string(secret))
		explicit_bzero((char *)(uintptr_t)json_string_value(secret),
			       json_string_length(secret));
	job_release_json(op);
}

/* Is it sure that the server made none? Any other failure may have come after
 * it did. */
static bool is_refusal(const struct berth_error *why)
{
	static const int refusals[] = {BERTH_E_INVALID,   BERTH_E_NOT_FOUND,   BERTH_E_AUTH,
				       BERTH_E_DENIED,    BERTH_E_UNSUPPORTED, BERTH_E_TLS,
				       BERTH_E_THROTTLED, BERTH_E_READ_ONLY,   BERTH_E_ADDRESS};

	for (size_t i = 0; i < ARRAY_COUNT(refusals); i++)
		if (why->code == refusals[i])
			return true;
	return false;
}

/* The clock looks for it at the server by its name. */
static int give_up(struct daemon_state *d, struct login *row, struct berth_error *err)
{
	struct login next = *row;

	next.state = (char *)"revoking";
	next.due_ms = clock_unix_ms();
	return login_change(d->store, &next, err);
}

static int keep_secret(struct daemon_state *d, const struct login *row, const char *secret,
		       struct berth_error *err)
{
	char field[64];

	login_secret_field(row->id, field);
	return secret_store(d->store, d->sealer, row->integration_id, field, secret, err);
}

static int settle(struct operation *op, struct login *row, json_t **ret_result,
		  struct berth_error *err)
{
	struct daemon_state *d = api_daemon();
	const json_t *item = op->own;
	const char *secret = js_str(json_object_get(item, "more"), "secret", NULL);
	struct login next = *row;
	char path[96];

	if (!secret || !js_str(item, "id", NULL) || !js_str(item, "name", NULL)) {
		if (give_up(d, row, err))
			return err->code;
		(void)berth_fail(err, BERTH_E_PROTOCOL,
				 "the plugin made a login without id, name or secret");
		return 0;
	}
	next.remote_id = (char *)js_str(item, "id", "");
	next.username = (char *)js_str(item, "name", "");
	next.state = (char *)"active";
	next.has_secret = 1;
	snprintf(path, sizeof(path), "/v1/logins/%s", row->id);
	*ret_result = json_pack("{s:s, s:s}", "login", path, "username", next.username);
	js_put_time(*ret_result, "expires_at", row->expires_ms);
	if (keep_secret(d, row, secret, err) || login_change(d->store, &next, err))
		return err->code;
	return api_tell(d, path, "created", op->id, err);
}

int login_made(struct operation *op, const json_t *value, const struct berth_error *why,
	       json_t **ret_result, struct berth_error *err)
{
	struct daemon_state *d = api_daemon();
	struct login row AUTO_LOGIN = {.id = NULL};
	const char *id = js_str(json_object_get(op->arguments, "about"), "login", "");
	int code = login_get(d->store, id, &row, err);

	(void)value;
	if (code == BERTH_E_NOT_FOUND) /* with its integration */
		*err = (struct berth_error)ERROR_INIT;
	if (code)
		return err->code;
	if (!why->code)
		return settle(op, &row, ret_result, err);
	if (*row.workspace_id)
		pull_login_failed(row.workspace_id, row.integration_id, why);
	return is_refusal(why) ? login_remove(d->store, id, err) : give_up(d, &row, err);
}

/* --- removing --- */

int login_removal(const char *kind, const struct integration *of, json_t *take_names,
		  struct op_request *request, json_t **ret_parts, struct berth_error *err)
{
	bool is_clock = !strcmp(kind, "login-clean");
	char path[96], clean[128], turn[128];
	const char *name;
	json_t *id, *names = json_array();
	json_t *logins AUTO_JSON = take_names;

	json_object_foreach (logins, name, id)
		if (json_array_append_new(names, json_string(name))) {
			json_decref(names);
			return berth_fail_memory(err);
		}
	snprintf(path, sizeof(path), "/v1/integrations/%s", of->name);
	json_object_foreach (logins, name, id)
		if (!is_clock)
			snprintf(path, sizeof(path), "/v1/logins/%s", json_string_value(id));
	snprintf(clean, sizeof(clean), "logins/%s", is_clock ? of->name : path);
	snprintf(turn, sizeof(turn), "~logins/%s", of->name);
	json_t *parts = json_pack("{s:{s:s, s:s, s:{s:s, s:o}, s:{s:O}}, s:[s], s:[s, s]}",
				  "arguments", "id", of->id, "name", of->name, "args", "prefix",
				  LOGIN_PREFIX, "names", names, "about", "logins", logins,
				  "resources", path, "locks", clean, turn);
	if (!parts)
		return berth_fail_memory(err);
	*request = (struct op_request){
		.kind = kind,
		.arguments = json_object_get(parts, "arguments"),
		.resources = json_object_get(parts, "resources"),
		.locks = json_object_get(parts, "locks"),
		.integration = of->name,
		.joins = true,
	};
	*ret_parts = parts;
	return 0;
}

int login_clean_call(struct operation *op, json_t **ret, struct berth_error *err)
{
	json_t *args AUTO_JSON = json_deep_copy(json_object_get(op->arguments, "args"));

	job_release_json(op);
	if (!args)
		return berth_fail_memory(err);
	return job_call_one(op, "login-clean", api_daemon()->settings.jobs.delete_ms, args, ret,
			    err);
}

static int tell_gone(struct operation *op, const struct login *row, struct berth_error *err)
{
	char path[96];

	snprintf(path, sizeof(path), "/v1/logins/%s", row->id);
	return api_tell(api_daemon(), path, "deleted", op->id, err);
}

/* One name was looked for: found and removed, or not there. */
static int gone(struct operation *op, const char *id, bool was_found, struct berth_error *err)
{
	struct daemon_state *d = api_daemon();
	struct login row AUTO_LOGIN = {.id = NULL};
	int64_t now_ms = clock_unix_ms();
	int code = login_get(d->store, id, &row, err);

	if (code == BERTH_E_NOT_FOUND)
		*err = (struct berth_error)ERROR_INIT;
	if (code)
		return err->code;
	int64_t age_ms = now_ms - row.created_ms;
	if (!was_found && !*row.remote_id && age_ms < LOGIN_LOST_MS) {
		row.due_ms = now_ms + (age_ms / 2 > LOGIN_LOOK_MS ? age_ms / 2 : LOGIN_LOOK_MS);
		return login_change(d->store, &row, err);
	}
	if (login_forget_secret(d, &row, err) || login_remove(d->store, id, err))
		return err->code;
	return tell_gone(op, &row, err);
}

/* op->own counts: {"revoked": n, "absent": n}. */
int login_clean_items(struct operation *op, const json_t *items, struct berth_error *err)
{
	const json_t *logins = json_object_get(json_object_get(op->arguments, "about"), "logins");
	const json_t *item;
	size_t i;

	if (!op->own)
		op->own = json_pack("{s:i, s:i}", "revoked", 0, "absent", 0);
	if (!op->own)
		return berth_fail_memory(err);
	json_array_foreach (items, i, item) {
		const char *id = js_str(logins, js_str(item, "name", ""), NULL);
		bool was_found = js_bool(json_object_get(item, "more"), "found", false);
		const char *key = was_found ? "revoked" : "absent";
		if (!id)
			continue;
		if (gone(op, id, was_found, err))
			return err->code;
		json_object_set_new(op->own, key, json_integer(js_int(op->own, key, 0) + 1));
	}
	return 0;
}

/* What a failure left is tried again later. */
static int postpone(struct operation *op, struct berth_error *err)
{
	struct daemon_state *d = api_daemon();
	const char *name;
	json_t *id;

	json_object_foreach (json_object_get(json_object_get(op->arguments, "about"), "logins"),
			     name, id) {
		struct login row AUTO_LOGIN = {.id = NULL};
		int code = login_get(d->store, json_string_value(id), &row, err);
		if (code == BERTH_E_NOT_FOUND) {
			*err = (struct berth_error)ERROR_INIT;
			continue;
		}
		row.due_ms = clock_unix_ms() + LOGIN_RETRY_MS;
		if (code || login_change(d->store, &row, err))
			return err->code;
	}
	return 0;
}

int login_cleaned(struct operation *op, const json_t *value, const struct berth_error *why,
		  json_t **ret_result, struct berth_error *err)
{
	(void)value;
	if (why->code)
		return postpone(op, err);
	*ret_result = op->own ? json_deep_copy(op->own) : json_object();
	return *ret_result ? 0 : berth_fail_memory(err);
}
