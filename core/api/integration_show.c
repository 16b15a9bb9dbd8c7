/* SPDX-License-Identifier: Apache-2.0 */
/* An integration as the API shows it, as a job is told of it, and as it was
 * last observed.
 */
#include "core/api/integration.h"

#include <stdio.h>
#include <string.h>

#include "core/api/sight.h"
#include "core/base/log.h"
#include "core/base/text.h"

int secret_state(struct daemon_state *d, const char *owner, const char *field, json_t **ret,
		 struct berth_error *err)
{
	struct secret_info info = {.set = false};

	if (secret_info(d->store, owner, field, &info, err))
		return err->code;
	*ret = json_pack("{s:b}", "set", info.set ? 1 : 0);
	if (!*ret)
		return berth_fail_memory(err);
	if (info.set) {
		js_put_time(*ret, "updated_at", info.updated_ms);
		js_put_str(*ret, "fingerprint", info.fingerprint);
	}
	return 0;
}

/* Secret options show as their state, beside the plain ones. */
static int show_option_secrets(struct daemon_state *d, const struct integration *row,
			       json_t *options, struct berth_error *err)
{
	const json_t *table = json_object_get(catalog_find(d, row->kind), "options"), *one;
	char field[80];
	size_t i;

	json_array_foreach (table, i, one) {
		const char *key = js_str(one, "key", "");
		json_t *state = NULL;
		if (!js_bool(one, "secret", false) || !strcmp(key, "password") ||
		    !strcmp(key, "tls_client_key"))
			continue;
		snprintf(field, sizeof(field), "option_%s", key);
		if (secret_state(d, row->id, field, &state, err))
			return err->code;
		json_object_set_new(options, key, state);
	}
	return 0;
}

static int show_secrets(struct daemon_state *d, const struct integration *row, json_t *shown,
			struct berth_error *err)
{
	json_t *password = NULL, *key = NULL;

	if (secret_state(d, row->id, "password", &password, err))
		return err->code;
	json_object_set_new(shown, "password", password);
	if (secret_state(d, row->id, "tls_client_key", &key, err))
		return err->code;
	bool is_open = !js_bool(password, "set", false) && !*js_str(shown, "username", "") &&
		       !js_bool(key, "set", false);
	json_object_set_new(shown, "public", json_boolean(is_open));
	json_object_set_new(json_object_get(shown, "tls"), "client_key", key);
	return show_option_secrets(d, row, json_object_get(shown, "options"), err);
}

int integration_show(struct request *q, const void *row, json_t **ret, struct berth_error *err)
{
	const struct integration *it = row;
	struct daemon_state *d = request_daemon(q);
	json_t *shown AUTO_JSON = NULL;
	json_t *status AUTO_JSON = NULL;

	if (api_parse(it->desired, &shown, err) || api_parse(it->status, &status, err))
		return berth_wrap(err, "integration %s", it->name);
	json_object_set_new(shown, "id", json_string(it->id));
	json_object_set_new(shown, "name", json_string(it->name));
	json_object_set_new(shown, "kind", json_string(it->kind));
	json_object_set_new(shown, "scope", json_string(it->scope));
	js_put_time(shown, "created_at", it->created_ms);
	js_put_time(shown, "updated_at", it->updated_ms);
	if (!js_str(status, "phase", NULL))
		json_object_set_new(status, "phase", json_string("unknown"));
	if (!js_bool(shown, "enabled", true))
		json_object_set_new(status, "phase", json_string("disabled"));
	json_object_del(status, "server"); /* shown by the overview */
	json_object_set(shown, "status", status);
	if (show_secrets(d, it, shown, err))
		return err->code;
	*ret = STEAL(shown);
	return 0;
}

static int put_option(json_t *options, const char *key, const char *text, struct berth_error *err)
{
	if (!text || !*text)
		return 0;
	if (!text_is_utf8(text, strlen(text)))
		return berth_fail(err, BERTH_E_INVALID, "option %s is not UTF-8", key);
	return json_object_set_new(options, key, json_string(text)) ? berth_fail_memory(err) : 0;
}

static int put_list(json_t *options, const char *key, const json_t *list, struct berth_error *err)
{
	struct buf text AUTO_BUF = {.max = 8192};
	const json_t *one;
	size_t i;

	json_array_foreach (list, i, one)
		if (buf_printf(&text, err, "%s%s", i ? "," : "", json_string_value(one)))
			return err->code;
	return put_option(options, key, buf_text(&text), err);
}

static int put_secret(struct daemon_state *d, const struct instance_request *from, json_t *options,
		      const char *key, const char *field, struct berth_error *err)
{
	char *text AUTO_SECRET = NULL;

	if (from->pending_owner && vault_load(d, from->pending_owner, field, &text, err))
		return berth_wrap(err, "cannot read %s", field);
	const json_t *replaced = json_object_get(from->pending_fields, field);
	if (!text && !replaced && vault_load(d, from->id, field, &text, err))
		return berth_wrap(err, "cannot read %s", field);
	if (text)
		log_add_secret(text);
	return put_option(options, key, text, err);
}

static int put_plugin_options(struct daemon_state *d, const struct instance_request *from,
			      json_t *options, struct berth_error *err)
{
	const json_t *table = json_object_get(catalog_find(d, from->kind), "options"), *one;
	const char *key;
	json_t *value;
	char field[80];
	size_t i;

	json_object_foreach (json_object_get(from->desired, "options"), key, value) {
		char *text AUTO_FREE =
			json_is_string(value) ? strdup(json_string_value(value)) : js_text(value);
		if (!text)
			return berth_fail_memory(err);
		if (put_option(options, key, text, err))
			return err->code;
	}
	json_array_foreach (table, i, one) {
		key = js_str(one, "key", "");
		if (!js_bool(one, "secret", false) || !strcmp(key, "password") ||
		    !strcmp(key, "tls_client_key"))
			continue;
		snprintf(field, sizeof(field), "option_%s", key);
		if (put_secret(d, from, options, key, field, err))
			return err->code;
	}
	return 0;
}

static int instance_options(struct daemon_state *d, const struct instance_request *from,
			    json_t *options, struct berth_error *err)
{
	const json_t *desired = from->desired, *tls = json_object_get(desired, "tls");

	if (put_option(options, "address", js_str(desired, "address", ""), err) ||
	    put_option(options, "username", js_str(desired, "username", ""), err) ||
	    put_option(options, "tls_verify", js_bool(tls, "verify", true) ? "true" : "false",
		       err) ||
	    put_option(options, "tls_ca", js_str(tls, "ca", ""), err) ||
	    put_option(options, "tls_client_cert", js_str(tls, "client_cert", ""), err) ||
	    put_list(options, "auth_realms", json_object_get(desired, "auth_realms"), err) ||
	    put_list(options, "upload_hosts", json_object_get(desired, "upload_hosts"), err) ||
	    put_secret(d, from, options, "password", "password", err) ||
	    put_secret(d, from, options, "tls_client_key", "tls_client_key", err))
		return err->code;
	return put_plugin_options(d, from, options, err);
}

/* All of them or NULL: one that were missing would be allowed, or denied. */
static json_t *cidrs(const struct text_list *list)
{
	json_t *array AUTO_JSON = json_array();

	for (size_t i = 0; i < list->item_count; i++)
		if (json_array_append_new(array, json_string(list->items[i])))
			return NULL;
	return STEAL(array);
}

int instance_build(struct daemon_state *d, const struct instance_request *from, json_t **ret,
		   struct berth_error *err)
{
	bool is_platform = !strcmp(from->scope, PLATFORM_SCOPE);
	const struct network_rules *rules =
		is_platform ? &d->settings.platform : &d->settings.workspace;
	json_t *options AUTO_JSON = json_object();
	json_t *kept AUTO_JSON = NULL;
	char *kept_text AUTO_SECRET = NULL;
	struct berth_error ignored = ERROR_INIT;

	if (!options)
		return berth_fail_memory(err);
	if (instance_options(d, from, options, err))
		return err->code;
	/* What a plugin kept may be lost at any time: then it asks again. */
	if (!from->pending_owner &&
	    !kept_load(d->store, d->sealer, from->id, &kept_text, &ignored) && kept_text &&
	    js_parse(kept_text, strlen(kept_text), &js_limits_frame, &kept, &ignored))
		log_debug("integration %s: what its plugin kept is lost: %s", from->id,
			  ignored.message);
	*ret = json_pack("{s:s, s:O, s:O?, s:{s:o, s:o, s:b, s:b}}", "plugin", from->kind,
			 "options", options, "kept", kept, "policy", "allow", cidrs(&rules->allow),
			 "deny", cidrs(&rules->deny), "private", rules->private_ok ? 1 : 0, "quiet",
			 is_platform ? 0 : 1);
	return *ret ? 0 : berth_fail_memory(err);
}

int instance_of_row(struct daemon_state *d, const struct integration *row, json_t **ret,
		    struct berth_error *err)
{
	json_t *desired AUTO_JSON = NULL;

	if (api_parse(row->desired, &desired, err))
		return berth_wrap(err, "integration %s", row->name);
	struct instance_request from = {
		.id = row->id, .kind = row->kind, .scope = row->scope, .desired = desired};
	return instance_build(d, &from, ret, err);
}

bool owned_integration(struct request *q, struct answer *a, const char *name,
		       struct integration *ret)
{
	struct berth_error err = ERROR_INIT;
	int code = sight_integration(q, name, ret, &err);

	if (code == BERTH_E_DENIED)
		api_refuse(a, 403, "forbidden", NULL, "%s", err.message);
	else if (code)
		api_fail(a, &err, "berthctl integration list");
	return !code;
}

bool integration_of_route(struct request *q, struct answer *a, struct integration *ret)
{
	return owned_integration(q, a, request_param(q, "name"), ret);
}

/* Why it can't be used, as a code of core/http/problem.c; NULL: it can. err: why, or with
 * another code than BERTH_E_CONFLICT that it can't be known. */
static const char *find_hindrance(const struct integration *row, bool needs_health,
				  struct berth_error *err)
{
	json_t *desired AUTO_JSON = NULL;
	json_t *status AUTO_JSON = NULL;

	if (api_parse(row->desired, &desired, err) || api_parse(row->status, &status, err)) {
		(void)berth_wrap(err, "integration %s", row->name);
		return NULL;
	}
	if (!js_bool(desired, "enabled", true)) {
		(void)berth_fail(err, BERTH_E_CONFLICT, "integration %s is disabled", row->name);
		return "integration-disabled";
	}
	if (!needs_health || strcmp(row->phase, "unhealthy") != 0)
		return NULL;
	(void)berth_fail(err, BERTH_E_CONFLICT, "integration %s is unhealthy", row->name);
	(void)berth_cause(err, "%s", js_str(status, "message", ""));
	return "integration-unhealthy";
}

int integration_check_usable(const struct integration *row, bool needs_health,
			     struct berth_error *err)
{
	struct berth_error why = ERROR_INIT;

	(void)find_hindrance(row, needs_health, &why);
	if (why.code)
		*err = why;
	return why.code;
}

bool integration_usable(struct answer *a, const struct integration *row, bool needs_health)
{
	struct berth_error err = ERROR_INIT;
	const char *code = find_hindrance(row, needs_health, &err);
	char hint[HINT_ROOM];

	if (!err.code)
		return true;
	if (!code) {
		api_fail(a, &err, NULL);
		return false;
	}
	bool is_off = !strcmp(code, "integration-disabled");
	snprintf(hint, sizeof(hint), "berthctl integration %s %s%s", is_off ? "edit" : "probe",
		 row->name, is_off ? " --enable" : "");
	answer_problem(a, 409, code, &err, hint);
	return false;
}
