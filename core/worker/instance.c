/* SPDX-License-Identifier: Apache-2.0 */
/* Options of an instance: see instance.h. A value that does not fit its type,
 * an option that the plugin does not know and one that is missing are refused
 * here, so that no plugin has to.
 */
#include "core/worker/instance.h"

#include <string.h>

#include "core/base/js.h"
#include "core/base/log.h"
#include "core/base/text.h"

/* Fields of the integration itself: given to whoever declares them, and no
 * mistake of the user's where a plugin does not. */
static const char *const own_fields[] = {
	"address",         "username",       "password",    "tls_verify",   "tls_ca",
	"tls_client_cert", "tls_client_key", "auth_realms", "upload_hosts", NULL};

static bool is_own_field(const char *key)
{
	for (const char *const *f = own_fields; *f; f++)
		if (!strcmp(*f, key))
			return true;
	return false;
}

static int find_option(const struct plugin *p, const char *key)
{
	for (size_t i = 0; i < p->option_count; i++)
		if (!strcmp(p->options[i].key, key))
			return (int)i;
	return -1;
}

static int fail_unknown(const struct instance *i, const char *key, struct berth_error *err)
{
	const char *keys[257] = {0};
	for (size_t n = 0; n < i->plugin->option_count && n < 256; n++)
		keys[n] = i->plugin->options[n].key;
	const char *near = text_closest(key, keys);
	return berth_fail(err, BERTH_E_INVALID, "plugin %s has no option '%.64s'%s%s%s",
			  i->plugin->head.name, key, near ? " (did you mean " : "",
			  near ? near : "", near ? "?)" : "");
}

/* A value that is wrong is not repeated where the option is secret. */
static int take_value(struct instance *i, const char *key, const json_t *value,
		      struct berth_error *err)
{
	int at = find_option(i->plugin, key);
	const char *text = json_string_value(value);
	if (at < 0)
		return is_own_field(key) ? 0 : fail_unknown(i, key, err);
	const struct berth_option *o = &i->plugin->options[at];
	bool is_secret = o->flags & BERTH_OPT_SECRET;
	if (is_secret && text)
		log_add_secret(text);
	if (!text || !option_value_fits(o->type, text))
		return berth_fail(err, BERTH_E_INVALID, "option '%s'%s%.80s%s is no %s", o->key,
				  is_secret ? "" : " '", is_secret || !text ? "" : text,
				  is_secret ? "" : "'", option_type_name(o->type));
	i->values[at] = text;
	return 0;
}

static int take_options(struct instance *i, const json_t *options, struct berth_error *err)
{
	const char *key;
	json_t *value;
	json_object_foreach ((json_t *)(uintptr_t)options, key, value) {
		int code = take_value(i, key, value, err);
		if (code)
			return code;
	}
	for (size_t n = 0; n < i->plugin->option_count; n++) {
		const struct berth_option *o = &i->plugin->options[n];
		if (!i->values[n])
			i->values[n] = o->deflt;
		if (!i->values[n] && (o->flags & BERTH_OPT_REQUIRED))
			return berth_fail(err, BERTH_E_INVALID, "option '%s' is missing", o->key);
	}
	return 0;
}

static int take_networks(struct policy *p, bool is_deny, const json_t *list,
			 struct berth_error *err)
{
	for (size_t n = 0; n < json_array_size(list); n++) {
		const char *text = json_string_value(json_array_get(list, n));
		int code = policy_add(p, is_deny, text ? text : "", err);
		if (code)
			return code;
	}
	return 0;
}

static int take_policy(struct instance *i, const json_t *policy, struct berth_error *err)
{
	i->policy.private_ok = js_bool(policy, "private", false);
	i->policy.is_quiet = js_bool(policy, "quiet", false);
	int code = take_networks(&i->policy, false, json_object_get(policy, "allow"), err);
	return code ? code : take_networks(&i->policy, true, json_object_get(policy, "deny"), err);
}

static void take_limits(struct instance *i, const struct net_limits *n)
{
	const struct {
		const char *key;
		uint32_t value;
	} rows[INSTANCE_LIMIT_COUNT] = {
		{"net_connect_ms", n->connect_ms},
		{"net_answer_ms", n->answer_ms},
		{"net_low_speed_s", n->low_speed_s},
		{"net_low_speed_bytes", n->low_speed_bytes},
		{"net_retry_after_max_ms", n->retry_after_max_ms},
		{"net_tries", n->tries},
		{"net_backoff_ms", n->backoff_ms},
		{"net_header_max_bytes", n->header_max_bytes},
		{"net_pages_max", n->pages_max},
		{"net_items_max", n->items_max},
		{"net_commit_ms", n->commit_ms},
	};
	for (size_t r = 0; r < INSTANCE_LIMIT_COUNT; r++) {
		i->limits[r].key = rows[r].key;
		snprintf(i->limits[r].value, sizeof i->limits[r].value, "%u", rows[r].value);
	}
}

int instance_init(struct instance *i, const char *name, const struct plugin *plugin,
		  json_t *document, const struct net_limits *limits, struct berth_error *err)
{
	const json_t *kept = json_object_get(document, "kept");
	*i = (struct instance){.plugin = plugin, .document = json_incref(document)};
	snprintf(i->name, sizeof i->name, "%s", name);
	i->values = calloc(plugin->option_count + 1, sizeof *i->values);
	if (json_is_object(kept))
		i->kept = js_text(kept);
	int code = i->values ? take_options(i, json_object_get(document, "options"), err)
			     : berth_fail_memory(err);
	if (!code)
		code = take_policy(i, json_object_get(document, "policy"), err);
	take_limits(i, limits);
	if (code) {
		instance_done(i);
		return berth_wrap(err, "'%s' is not configured right", name);
	}
	return 0;
}

void instance_done(struct instance *i)
{
	free(i->values);
	free(i->kept);
	policy_done(&i->policy);
	json_decref(i->document);
	*i = (struct instance){0};
}

const char *instance_option(const struct instance *i, const char *key)
{
	int at = find_option(i->plugin, key);
	if (at >= 0)
		return i->values[at];
	for (size_t n = 0; n < INSTANCE_LIMIT_COUNT; n++)
		if (!strcmp(i->limits[n].key, key))
			return i->limits[n].value;
	return NULL;
}
