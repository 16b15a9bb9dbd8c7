/* SPDX-License-Identifier: Apache-2.0 */
/* What a caller asked for, as the audit trail may keep it. Secrets are known by the
 * names of their members, rather too many than too few; options of a plugin, which
 * may call a secret anything, are kept by name alone.
 */
#include <string.h>

#include "core/base/text.h"
#include "core/ops/audit.h"

#define SHOWN_BYTES 512
#define MASK "***"

static bool is_secret(const char *name)
{
	static const char *const parts[] = {"password",     "secret",     "token",
					    "kubeconfig",   "credential", "passphrase",
					    "authorization"};
	size_t n = strlen(name);

	for (size_t i = 0; i < ARRAY_COUNT(parts); i++)
		if (strcasestr(name, parts[i]))
			return true;
	return n >= 3 && !strcasecmp(name + n - 3, "key");
}

static json_t *copy(const json_t *value, bool is_masked);

static json_t *copy_object(const json_t *from, bool is_masked)
{
	json_t *to = json_object(), *value;
	const char *name;

	json_object_foreach ((json_t *)(uintptr_t)from, name, value) {
		bool hides = is_masked || is_secret(name) || !strcmp(name, "options");
		if (json_object_set_new(to, name, copy(value, hides))) {
			json_decref(to);
			return NULL;
		}
	}
	return to;
}

static json_t *copy_array(const json_t *from, bool is_masked)
{
	json_t *to = json_array(), *value;
	size_t i;

	json_array_foreach (from, i, value)
		if (json_array_append_new(to, copy(value, is_masked))) {
			json_decref(to);
			return NULL;
		}
	return to;
}

static json_t *copy_text(const char *from)
{
	char text[SHOWN_BYTES + 1];

	if (strlen(from) <= SHOWN_BYTES)
		return json_string(from);
	memcpy(text, from, SHOWN_BYTES);
	text[SHOWN_BYTES] = '\0';
	text_trim_utf8(text);
	return json_sprintf("%s... (%zu bytes)", text, strlen(from));
}

/* Bodies nest at most as deep as the parser lets them. */
static json_t *copy(const json_t *value, bool is_masked)
{
	if (json_is_object(value))
		return copy_object(value, is_masked);
	if (json_is_array(value))
		return copy_array(value, is_masked);
	if (json_is_null(value) || !is_masked)
		return json_is_string(value) ? copy_text(json_string_value(value))
					     : json_copy((json_t *)(uintptr_t)value);
	return json_string(MASK);
}

json_t *audit_masked(const json_t *body)
{
	return copy(body, false);
}
