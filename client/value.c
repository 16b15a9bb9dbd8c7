/* SPDX-License-Identifier: Apache-2.0 */
/* Values as text: sizes, times, digests, JSON, templates. */
#include <string.h>

#include "client/short_id.h"
#include "client/show.h"
#include "core/base/clock.h"
#include "core/base/text.h"

const json_t *value_at(const json_t *item, const char *path)
{
	char name[64];
	while (item && path) {
		const char *dot = strchr(path, '.');
		size_t bytes = dot ? (size_t)(dot - path) : strlen(path);
		const json_t *whole = json_object_get(item, path);
		if (whole) /* a member with a dot in its own name */
			return whole;
		if (bytes >= sizeof(name))
			return NULL;
		snprintf(name, sizeof(name), "%.*s", (int)bytes, path);
		item = json_object_get(item, name);
		path = dot ? dot + 1 : NULL;
	}
	return item;
}

void format_bytes(int64_t bytes, char *to)
{
	static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
	double value = (double)bytes;
	size_t unit = 0;
	while (value >= 1024 && unit + 1 < ARRAY_COUNT(units)) {
		value /= 1024;
		unit++;
	}
	snprintf(to, 24, unit && value < 99.95 ? "%.1f %s" : "%.0f %s", value, units[unit]);
}

void format_span(int64_t s, char *to)
{
	if (s < 60)
		snprintf(to, 32, "%lld s", (long long)s);
	else if (s < 3600)
		snprintf(to, 32, "%lld min %lld s", (long long)s / 60, (long long)s % 60);
	else if (s < 2 * 86400)
		snprintf(to, 32, "%lld h %lld min", (long long)s / 3600, (long long)s / 60 % 60);
	else
		snprintf(to, 32, "%lld days", (long long)s / 86400);
}

/* "3 min ago", "2 days ago", "in 5 min"; to has 32 bytes. */
static void format_age(int64_t unix_ms, char *to)
{
	static const struct {
		int64_t s;
		const char *name;
	} units[] = {{2 * 365 * 86400ll, "years"},
		     {2 * 86400, "days"},
		     {2 * 3600, "h"},
		     {120, "min"},
		     {0, "s"}};
	static const int64_t sizes[] = {365 * 86400ll, 86400, 3600, 60, 1};
	int64_t s = (clock_unix_ms() - unix_ms) / 1000;
	int64_t distance = s < 0 ? -s : s;
	size_t i = 0;
	while (distance < units[i].s)
		i++;
	snprintf(to, 32, s < 0 ? "in %lld %s" : "%lld %s ago", (long long)(distance / sizes[i]),
		 units[i].name);
}

enum paint paint_of_state(const char *word)
{
	static const struct {
		const char *word;
		enum paint paint;
	} table[] = {
		{"healthy", PAINT_GREEN},     {"succeeded", PAINT_GREEN},
		{"ok", PAINT_GREEN},          {"loaded", PAINT_GREEN},
		{"copied", PAINT_GREEN},      {"present", PAINT_GREEN},
		{"unhealthy", PAINT_RED},     {"failed", PAINT_RED},
		{"bad", PAINT_RED},           {"refused", PAINT_RED},
		{"unreachable", PAINT_RED},   {"running", PAINT_YELLOW},
		{"pending", PAINT_YELLOW},    {"cancelled", PAINT_YELLOW},
		{"cancelling", PAINT_YELLOW}, {"interrupted", PAINT_RED},
		{"unknown", PAINT_YELLOW},    {"degraded", PAINT_YELLOW},
	};
	for (size_t i = 0; i < ARRAY_COUNT(table); i++)
		if (!strcmp(table[i].word, word))
			return table[i].paint;
	return PAINT_NONE;
}

static char *list_text(const json_t *list)
{
	struct berth_error err = ERROR_INIT;
	struct buf b AUTO_BUF = {.max = 1 << 20};
	size_t i;
	const json_t *one;
	json_array_foreach (list, i, one) {
		AUTO_FREE char *text = cell_text(one, COL_TEXT, true);
		if (!text || buf_printf(&b, &err, "%s%s", i ? "," : "", text))
			return NULL;
	}
	return strdup(buf_text(&b));
}

static char *digest_text(const char *digest, bool is_exact)
{
	const char *colon = strchr(digest, ':');
	if (is_exact || !colon)
		return strdup(digest);
	return text_printf("%.*s", (int)(colon - digest) + 1 + 12, digest);
}

/* A member as alice or "group adm", with its role in parentheses where it has one; a number
 * that has no name any more as "user 1001", one that is another's by now with both names. */
static char *member_text(const json_t *member, const char *kind, const char *id)
{
	const char *name = js_str(member, kind, NULL), *role = js_str(member, "role", NULL);
	const char *was = js_str(member, "was", NULL);
	if (was)
		return text_printf("%s %lld: was %s, is %s", kind,
				   (long long)json_integer_value(json_object_get(member, id)), was,
				   js_str(member, "is", "nobody"));
	const char *mark = *kind == 'g' ? "group " : "";
	AUTO_FREE char *who =
		name ? text_printf("%s%s", mark, name)
		     : text_printf("%s%lld", *kind == 'g' ? mark : "user ",
				   (long long)json_integer_value(json_object_get(member, id)));
	return !who || !role ? STEAL(who) : text_printf("%s (%s)", who, role);
}

/* A platform reads as linux/arm64/v8, a member of a workspace or role as alice
 * (workspace-admin), a place as CLUSTER/NAMESPACE; any other object as JSON. */
static char *object_text(const json_t *value)
{
	bool is_member = !json_object_get(value, "name");
	if (is_member && json_object_get(value, "uid"))
		return member_text(value, "user", "uid");
	if (is_member && json_object_get(value, "gid"))
		return member_text(value, "group", "gid");
	if (js_str(value, "cluster", NULL) && js_str(value, "namespace", NULL))
		return text_printf("%s/%s", js_str(value, "cluster", ""),
				   js_str(value, "namespace", ""));
	const char *os = js_str(value, "os", NULL);
	const char *variant = js_str(value, "variant", "");
	if (os && js_str(value, "architecture", NULL))
		return text_printf("%s/%s%s%s", os, js_str(value, "architecture", ""),
				   *variant ? "/" : "", variant);
	return js_text(value);
}

static char *number_text(int64_t number, enum column_kind kind, bool is_exact)
{
	char text[32];
	if (is_exact || (kind != COL_BYTES && kind != COL_SECONDS))
		return text_printf("%lld", (long long)number);
	if (kind == COL_BYTES)
		format_bytes(number, text);
	else
		format_span(number, text);
	return strdup(text);
}

static char *string_text(const char *text, enum column_kind kind, bool is_exact)
{
	int64_t unix_ms;
	if (kind == COL_ID && !is_exact && uuid_is(text))
		return text_printf("%.*s", SHORT_ID_SHOWN, text);
	if (kind == COL_DIGEST)
		return digest_text(text, is_exact);
	if (kind == COL_TIME && !is_exact && clock_parse(text, &unix_ms)) {
		char age[32];
		format_age(unix_ms, age);
		return strdup(age);
	}
	return strdup(text);
}

char *cell_text(const json_t *value, enum column_kind kind, bool is_exact)
{
	if (!value || json_is_null(value))
		return strdup("");
	if (kind == COL_COUNT && (json_is_array(value) || json_is_object(value)))
		return text_printf("%zu", json_is_array(value) ? json_array_size(value)
							       : json_object_size(value));
	if (json_is_string(value))
		return string_text(json_string_value(value), kind, is_exact);
	if (json_is_integer(value))
		return number_text(json_integer_value(value), kind, is_exact);
	if (json_is_real(value))
		return text_printf("%g", json_real_value(value));
	if (json_is_boolean(value) && kind == COL_YES)
		return strdup(json_is_true(value) ? "yes" : "no");
	if (json_is_boolean(value))
		return strdup(json_is_true(value) ? "true" : "false");
	return json_is_array(value) ? list_text(value) : object_text(value);
}

/* Only strings can hold such a character, so writing it as \uXXXX keeps the
 * value. C0 and malformed bytes never get here: jansson refuses or escapes. */
static int put_harmless(struct buf *b, const char *s, struct berth_error *err)
{
	int code = 0;
	while (*s && !code) {
		unsigned c = 0;
		size_t bytes = term_decode(s, &c);
		if (!bytes)
			return berth_fail(err, BERTH_E_INTERNAL, "JSON text is not UTF-8");
		if (c < 0x7F || !term_is_hostile(c))
			code = buf_add(b, s, bytes, err);
		else if (c <= 0xFFFF)
			code = buf_printf(b, err, "\\u%04x", c);
		else
			code = buf_printf(b, err, "\\u%04x\\u%04x", 0xD800 + ((c - 0x10000) >> 10),
					  0xDC00 + ((c - 0x10000) & 0x3FF));
		s += bytes;
	}
	return code;
}

char *json_text(const json_t *value, size_t flags)
{
	struct berth_error err = ERROR_INIT;
	struct buf b = {.max = 1u << 30};
	AUTO_FREE char *text = json_dumps(value, flags | JSON_ENCODE_ANY);
	if (!text || put_harmless(&b, text, &err)) {
		buf_done(&b);
		return NULL;
	}
	return b.bytes;
}

/* One character or escape of a template; returns how much was taken. */
static size_t template_plain(const char *s, struct buf *b, struct berth_error *err, int *code)
{
	bool is_escape = s[0] == '\\' && (s[1] == 'n' || s[1] == 't' || s[1] == '\\');
	bool is_double = (s[0] == '{' || s[0] == '}') && s[1] == s[0];
	char c = s[0];
	if (is_escape)
		c = s[1] == 'n' ? '\n' : s[1] == 't' ? '\t' : '\\';
	*code = buf_add(b, &c, 1, err);
	return is_escape || is_double ? 2 : 1;
}

char *template_text(const char *template, const json_t *item)
{
	struct berth_error err = ERROR_INIT;
	struct buf b AUTO_BUF = {.max = 1 << 20};
	for (const char *s = template; *s;) {
		const char *end = strchr(s, '}');
		int code;
		if (*s != '{' || s[1] == '{' || !end) {
			s += template_plain(s, &b, &err, &code);
		} else {
			AUTO_FREE char *path = text_printf("%.*s", (int)(end - s) - 1, s + 1);
			AUTO_FREE char *text =
				path ? cell_text(value_at(item, path), COL_TEXT, true) : NULL;
			code = text ? buf_add_text(&b, text, &err) : berth_fail_memory(&err);
			s = end + 1;
		}
		if (code)
			return NULL;
	}
	return strdup(buf_text(&b));
}
