/* SPDX-License-Identifier: Apache-2.0 */
/* Secrets of an integration, and those of a change that is still being proved:
 * the latter are sealed under an owner id of their own, so that a kill -9
 * between acceptance and proof loses nothing. A dry run writes nothing; its
 * secrets stay in this process's memory until its operation ends.
 */
#include "core/api/integration.h"

#include <string.h>

/* {owner: {field: text}} of running dry runs. One thread, no lock. */
static json_t *in_memory;

static int keep_in_memory(const char *owner, const json_t *secrets, struct berth_error *err)
{
	if (!in_memory)
		in_memory = json_object();
	if (!in_memory || json_object_set_new(in_memory, owner, json_deep_copy(secrets)))
		return berth_fail_memory(err);
	return 0;
}

int vault_take(json_t *from, const char *key, json_t *secrets, const char *field,
	       struct berth_error *err)
{
	json_t *value = json_object_get(from, key);

	if (!value)
		return 0;
	if (json_is_string(value) && !*json_string_value(value))
		value = json_null();
	if (json_object_set(secrets, field, value))
		return berth_fail_memory(err);
	json_object_del(from, key);
	return 0;
}

int vault_put(struct daemon_state *d, const char *owner, const json_t *secrets, bool is_dry_run,
	      struct berth_error *err)
{
	const char *field;
	json_t *value;

	if (is_dry_run)
		return keep_in_memory(owner, secrets, err);
	json_object_foreach ((json_t *)secrets, field, value) {
		if (!json_is_string(value))
			continue;
		if (secret_store(d->store, d->sealer, owner, field, json_string_value(value), err))
			return berth_wrap(err, "cannot keep %s", field);
	}
	return 0;
}

int vault_load(struct daemon_state *d, const char *owner, const char *field, char **ret,
	       struct berth_error *err)
{
	const char *kept = js_str(json_object_get(in_memory, owner), field, NULL);

	if (!kept)
		return secret_load(d->store, d->sealer, owner, field, ret, err);
	*ret = strdup(kept);
	return *ret ? 0 : berth_fail_memory(err);
}

json_t *vault_names(const json_t *secrets)
{
	json_t *names AUTO_JSON = json_object(), *value;
	const char *field;

	json_object_foreach ((json_t *)(uintptr_t)secrets, field, value)
		if (json_object_set_new(names, field,
					json_is_null(value) ? json_null() : json_true()))
			return NULL;
	return STEAL(names);
}

int vault_settle(struct daemon_state *d, const char *owner, const char *integration_id,
		 const json_t *fields, struct berth_error *err)
{
	const char *field;
	json_t *value;

	json_object_foreach ((json_t *)fields, field, value) {
		char *text AUTO_SECRET = NULL;
		int code;
		if (json_is_null(value))
			code = secret_remove(d->store, integration_id, field, err);
		else if (!(code = vault_load(d, owner, field, &text, err)))
			code = text ? secret_store(d->store, d->sealer, integration_id, field, text,
						   err)
				    : berth_fail(err, BERTH_E_INTERNAL, "it is not there any more");
		if (code)
			return berth_wrap(err, "cannot keep %s", field);
	}
	return strcmp(owner, integration_id) ? vault_drop(d, owner, fields, err) : 0;
}

int vault_drop(struct daemon_state *d, const char *owner, const json_t *fields,
	       struct berth_error *err)
{
	const char *field;
	json_t *value;

	json_object_foreach ((json_t *)fields, field, value)
		if (secret_remove(d->store, owner, field, err))
			return err->code;
	vault_forget(owner);
	return 0;
}

int vault_will_have(struct daemon_state *d, const char *owner, const json_t *secrets,
		    const char *field, bool *ret, struct berth_error *err)
{
	const json_t *given = json_object_get(secrets, field);
	struct secret_info info = {.set = false};

	if (!given && owner && secret_info(d->store, owner, field, &info, err))
		return err->code;
	*ret = given ? json_is_string(given) : info.set;
	return 0;
}

void vault_submit(struct request *q, struct answer *a, const struct op_request *request,
		  const char *owner, const json_t *secrets)
{
	struct daemon_state *d = request_daemon(q);
	struct berth_error err = ERROR_INIT;

	if (store_begin(d->store, &err)) {
		api_fail(a, &err, NULL);
		return;
	}
	struct store *undo AUTO_UNDO = d->store;
	if (vault_put(d, owner, secrets, request_dry_run(q), &err)) {
		api_fail(a, &err, "berthctl api GET /v1/readyz");
		return;
	}
	if (!api_submit(q, a, request)) {
		vault_forget(owner);
		return;
	}
	if (store_commit(STEAL(undo), &err)) {
		vault_forget(owner);
		api_fail(a, &err, NULL);
	}
}

int vault_sweep(struct daemon_state *d, struct berth_error *err)
{
	return secret_sweep(d->store, err);
}

void vault_forget(const char *owner)
{
	json_t *secrets = json_object_get(in_memory, owner), *value;
	const char *field;

	json_object_foreach (secrets, field, value)
		explicit_bzero((char *)json_string_value(value), json_string_length(value));
	json_object_del(in_memory, owner);
}
