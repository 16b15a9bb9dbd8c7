/* SPDX-License-Identifier: Apache-2.0 */
/* What a user says of an integration: secrets told apart, defaults filled in,
 * and everything that is wrong found at once, against the option table of its
 * plugin. Pure but for memory.
 */
#include "core/api/integration.h"

#include <stdio.h>
#include <string.h>

#include "core/base/text.h"
#include "core/net/url.h"
#include "core/ops/budget.h"

const json_t *catalog_find(const struct daemon_state *d, const char *name)
{
	size_t i;
	const json_t *plugin;

	json_array_foreach (d->plugins, i, plugin)
		if (!strcmp(js_str(plugin, "name", ""), name))
			return plugin;
	return NULL;
}

bool catalog_has(const json_t *plugin, const char *table, const char *slot)
{
	const json_t *slots = json_object_get(json_object_get(plugin, "tables"), table);
	const json_t *one;
	size_t i;

	json_array_foreach (slots, i, one)
		if (json_is_string(one) && !strcmp(json_string_value(one), slot))
			return true;
	return false;
}

/* Of a plain registry prefixes are declared here, as spaces of the API. */
#define PREFIXES "prefixes"

static const json_t *option_find(const json_t *plugin, const char *key)
{
	const json_t *options = json_object_get(plugin, "options"), *one;
	size_t i;

	json_array_foreach (options, i, one)
		if (!strcmp(js_str(one, "key", ""), key))
			return one;
	return NULL;
}

/* Options by these names get the integration's own fields (berth/plugin.h). */
static bool is_own_option(const char *key)
{
	static const char *const own[] = {
		"address",         "username",       "password",    "tls_verify",   "tls_ca",
		"tls_client_cert", "tls_client_key", "auth_realms", "upload_hosts", PREFIXES};

	for (size_t i = 0; i < ARRAY_COUNT(own); i++)
		if (!strcmp(own[i], key))
			return true;
	return false;
}

bool catalog_has_own_spaces(const json_t *plugin)
{
	return catalog_has(plugin, "integration", "spaces") && !option_find(plugin, PREFIXES);
}

static int take_option_secrets(const json_t *plugin, json_t *options, json_t *secrets,
			       struct berth_error *err)
{
	const json_t *table = json_object_get(plugin, "options"), *one;
	char field[80];
	size_t i;

	json_array_foreach (table, i, one) {
		const char *key = js_str(one, "key", "");
		if (!js_bool(one, "secret", false) || is_own_option(key))
			continue;
		snprintf(field, sizeof(field), "option_%s", key);
		if (vault_take(options, key, secrets, field, err))
			return err->code;
	}
	return 0;
}

int integration_split(const struct daemon_state *d, const char *kind, const json_t *body,
		      json_t **ret_rest, json_t **ret_secrets, struct berth_error *err)
{
	json_t *rest AUTO_JSON = json_deep_copy(body);
	json_t *secrets AUTO_JSON = json_object();

	if (!rest || !secrets)
		return berth_fail_memory(err);
	if (vault_take(rest, "password", secrets, "password", err))
		return err->code;
	json_t *tls = json_object_get(rest, "tls");
	if (json_is_null(tls) && json_object_set_new(secrets, "tls_client_key", json_null()))
		return berth_fail_memory(err);
	if (json_is_object(tls) && vault_take(tls, "client_key", secrets, "tls_client_key", err))
		return err->code;
	if (take_option_secrets(catalog_find(d, kind), json_object_get(rest, "options"), secrets,
				err))
		return err->code;
	*ret_rest = STEAL(rest);
	*ret_secrets = STEAL(secrets);
	return 0;
}

int integration_defaults(const struct daemon_state *d, json_t *desired, struct berth_error *err)
{
	json_t *defaults AUTO_JSON = json_pack(
		"{s:s, s:{s:b}, s:i, s:i, s:b, s:[], s:[], s:{}}", "description", "", "tls",
		"verify", 1, "probe_period_s", (int)d->settings.probe_period_s, "limit_bytes_per_s",
		0, "enabled", 1, "auth_realms", "upload_hosts", "options");
	static const char *const fixed[] = {"name", "kind", "scope"};

	if (!defaults)
		return berth_fail_memory(err);
	for (size_t i = 0; i < ARRAY_COUNT(fixed); i++)
		json_object_del(desired, fixed[i]);
	if (json_object_update_missing(desired, defaults))
		return berth_fail_memory(err);
	json_t *tls = json_object_get(desired, "tls");
	if (!json_object_get(tls, "verify") && json_object_set_new(tls, "verify", json_true()))
		return berth_fail_memory(err);
	return 0;
}

static void check_address(json_t *desired, struct findings *f)
{
	struct berth_error err = ERROR_INIT;
	char *address AUTO_FREE = NULL;

	if (url_normalize(js_str(desired, "address", ""), &address, &err))
		findings_add_error(f, "/address", "address-invalid", &err);
	else
		json_object_set_new(desired, "address", json_string(address));
}

static bool looks_like_pem(const char *text)
{
	return strstr(text, "-----BEGIN ") != NULL;
}

static void check_tls(const json_t *tls, const struct integration_secrets *secrets,
		      struct findings *f)
{
	static const char *const texts[] = {"ca", "client_cert"};
	char pointer[32];

	for (size_t i = 0; i < ARRAY_COUNT(texts); i++) {
		const char *text = js_str(tls, texts[i], NULL);
		snprintf(pointer, sizeof(pointer), "/tls/%s", texts[i]);
		if (text && !looks_like_pem(text))
			findings_add(f, pointer, "not-pem",
				     "expected a certificate as PEM text, which begins with "
				     "-----BEGIN CERTIFICATE-----");
	}
	bool has_cert = js_str(tls, "client_cert", NULL) != NULL;
	if (has_cert && !secrets->has_client_key)
		findings_add(f, "/tls/client_key", "missing", "a client certificate needs its key");
	if (!has_cert && secrets->has_client_key)
		findings_add(f, "/tls/client_cert", "missing",
			     "a client key needs its certificate");
}

/* What a value of that type must look like, or NULL where it does; err: it can't be
 * known. */
static const char *option_wants(const char *type, const json_t *value, struct berth_error *err)
{
	char *address AUTO_FREE = NULL;
	uint64_t number;
	const char *text = json_string_value(value);

	if (!strcmp(type, "int") || !strcmp(type, "duration_ms")) {
		bool is_number =
			text ? text_parse_u64(text, 0, INT64_MAX, &number) : json_is_integer(value);
		return is_number ? NULL : "a whole number";
	}
	if (!strcmp(type, "bool")) {
		bool is_bool = text ? !strcmp(text, "true") || !strcmp(text, "false")
				    : json_is_boolean(value);
		return is_bool ? NULL : "true or false";
	}
	if (!strcmp(type, "url"))
		return text && !url_normalize(text, &address, err) ? NULL : "an http or https URL";
	return text ? NULL : "a text";
}

/* "did you mean" over the options that a user may give. */
static void report_unknown_option(const json_t *plugin, const char *key, const char *pointer,
				  struct findings *f)
{
	const json_t *table = json_object_get(plugin, "options"), *one;
	const char *names[65];
	size_t i, count = 0;

	json_array_foreach (table, i, one)
		if (count < 64 && !is_own_option(js_str(one, "key", "")))
			names[count++] = js_str(one, "key", "");
	names[count] = NULL;
	const char *near = text_closest(key, names);
	const char *name = js_str(plugin, "name", "");
	if (near)
		findings_add(f, pointer, "unknown-option",
			     "plugin %s has no option %.64s: did you mean %s?", name, key, near);
	else
		findings_add(f, pointer, "unknown-option",
			     "plugin %s has no option %.64s: berthctl plugin show %s lists them",
			     name, key, name);
}

static void check_options(const json_t *plugin, const json_t *options, struct findings *f)
{
	const json_t *table = json_object_get(plugin, "options"), *one;
	const char *key;
	json_t *value;
	char pointer[160];
	size_t i;

	json_object_foreach ((json_t *)options, key, value) {
		const json_t *option = is_own_option(key) ? NULL : option_find(plugin, key);
		snprintf(pointer, sizeof(pointer), "/options/%.128s", key);
		if (!option) {
			report_unknown_option(plugin, key, pointer, f);
			continue;
		}
		struct berth_error why = ERROR_INIT;
		const char *wants = option_wants(js_str(option, "type", ""), value, &why);
		if (why.code == BERTH_E_NO_MEMORY)
			findings_fail(f, &why);
		else if (wants)
			findings_add(f, pointer, "wrong-type", "expected %s", wants);
	}
	json_array_foreach (table, i, one) {
		key = js_str(one, "key", "");
		if (!js_bool(one, "required", false) || js_bool(one, "secret", false) ||
		    is_own_option(key) || json_object_get(options, key))
			continue;
		snprintf(pointer, sizeof(pointer), "/options/%.128s", key);
		findings_add(f, pointer, "missing", "plugin %s needs this option",
			     js_str(plugin, "name", ""));
	}
}

static bool integrates(const json_t *plugin)
{
	return catalog_has(plugin, "integration", "probe") &&
	       catalog_has(plugin, "integration", "repositories");
}

static void report_unknown_kind(const struct daemon_state *d, const char *kind, struct findings *f)
{
	char kinds[400] = "";
	const json_t *one;
	size_t i, at = 0;

	json_array_foreach (d->plugins, i, one) {
		if (!js_bool(one, "ok", false) || !integrates(one) || at >= sizeof(kinds))
			continue;
		at += (size_t)snprintf(kinds + at, sizeof(kinds) - at, "%s%s", at ? ", " : "",
				       js_str(one, "name", ""));
	}
	findings_add(f, "/kind", "no-plugin", "there is no plugin %s; there %s %s", kind,
		     strchr(kinds, ',') ? "are" : "is", *kinds ? kinds : "none");
}

/* A field of the integration that the plugin does not ask for would change nothing, and
 * its user would think that it does. */
static void check_fields(const json_t *plugin, const json_t *desired,
			 const struct integration_secrets *secrets, struct findings *f)
{
	const json_t *tls = json_object_get(desired, "tls");
	const struct {
		const char *option, *pointer;
		bool is_set;
	} fields[] = {
		{"username", "/username", *js_str(desired, "username", "") != 0},
		{"password", "/password", secrets->has_password},
		{"tls_verify", "/tls/verify", !js_bool(tls, "verify", true)},
		{"tls_ca", "/tls/ca", *js_str(tls, "ca", "") != 0},
		{"tls_client_cert", "/tls/client_cert", *js_str(tls, "client_cert", "") != 0},
		{"tls_client_key", "/tls/client_key", secrets->has_client_key},
		{"auth_realms", "/auth_realms",
		 json_array_size(json_object_get(desired, "auth_realms")) > 0},
		{"upload_hosts", "/upload_hosts",
		 json_array_size(json_object_get(desired, "upload_hosts")) > 0},
	};

	for (size_t i = 0; i < ARRAY_COUNT(fields); i++)
		if (fields[i].is_set && !option_find(plugin, fields[i].option))
			findings_add(f, fields[i].pointer, "unsupported",
				     "plugin %s does not take %s", js_str(plugin, "name", ""),
				     fields[i].option);
}

/* A plugin that is bad says so in the sentence that its loading gave. */
static const json_t *check_plugin(const struct daemon_state *d, const char *kind,
				  struct findings *f)
{
	const json_t *plugin = catalog_find(d, kind);

	if (!plugin)
		report_unknown_kind(d, kind, f);
	else if (!js_bool(plugin, "ok", false))
		findings_add(f, "/kind", "bad-plugin",
			     "plugin %s was not loaded: %s; see berthctl plugin show %s", kind,
			     js_str(plugin, "error", ""), kind);
	else if (!integrates(plugin))
		findings_add(f, "/kind", "wrong-plugin",
			     "plugin %s integrates no registry: it has no slot %s", kind,
			     catalog_has(plugin, "integration", "probe") ? "repositories"
									 : "probe");
	else
		return plugin;
	return NULL;
}

static void check_limit(const json_t *desired, struct findings *f)
{
	int64_t limit = js_int(desired, "limit_bytes_per_s", 0);

	if (limit && limit < BUDGET_PIECE)
		findings_add(f, "/limit_bytes_per_s", "limit-invalid",
			     "expected 0 (no limit), or at least %u", BUDGET_PIECE);
}

void integration_check(const struct daemon_state *d, const char *kind, json_t *desired,
		       const struct integration_secrets *secrets, struct findings *f)
{
	const json_t *plugin = check_plugin(d, kind, f);

	check_address(desired, f);
	check_tls(json_object_get(desired, "tls"), secrets, f);
	check_limit(desired, f);
	if (secrets->has_password && !*js_str(desired, "username", ""))
		findings_add(f, "/username", "missing", "a password needs a user name");
	if (plugin) {
		check_fields(plugin, desired, secrets, f);
		check_options(plugin, json_object_get(desired, "options"), f);
	}
}

bool integration_needs_proof(const json_t *before, const json_t *after, const json_t *secrets)
{
	static const char *const proved[] = {"address",     "username",     "tls",
					     "auth_realms", "upload_hosts", "options"};

	if (!js_bool(after, "enabled", true))
		return false;
	if (json_object_size(secrets) || !js_bool(before, "enabled", true))
		return true;
	for (size_t i = 0; i < ARRAY_COUNT(proved); i++) {
		json_t *old = json_object_get(before, proved[i]);
		json_t *new = json_object_get(after, proved[i]);
		if ((old || new) && !json_equal(old, new))
			return true;
	}
	return false;
}
