/* SPDX-License-Identifier: Apache-2.0 */
/* The schema checker: walks value and table together. Depth is bounded by the
 * value's (js.h: 64); text lengths are checked before patterns are tried.
 */
#include "core/http/schema.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core/base/clock.h"
#include "core/base/digest.h"
#include "core/base/text.h"

#define SAFE_INTEGER ((int64_t)1 << 53)
#define POINTER_ROOM 512

struct walk {
	json_t *errors;
	bool is_patch, ok;
	char pointer[POINTER_ROOM];
};

static void check(struct walk *w, const struct schema *s, const json_t *value);

static void fault(struct walk *w, const char *code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
static void fault(struct walk *w, const char *code, const char *fmt, ...)
{
	char detail[320];
	va_list args;

	w->ok = false;
	if (json_array_size(w->errors) >= SCHEMA_ERRORS_MAX)
		return;
	va_start(args, fmt);
	vsnprintf(detail, sizeof detail, fmt, args);
	va_end(args);
	text_blank_controls(detail);
	text_trim_utf8(detail);
	json_array_append_new(w->errors, json_pack("{s:s,s:s,s:s}", "pointer", w->pointer, "code",
						   code, "detail", detail));
}

/* Adds one step to the pointer (RFC 6901 escapes); returns the old length. A
 * step that has no room is shown as an ellipsis. */
static size_t push(struct walk *w, const char *step)
{
	size_t old = strlen(w->pointer), n = old;
	if (old + 2 * strlen(step) + 2 > POINTER_ROOM) {
		if (old + 5 < POINTER_ROOM)
			memcpy(w->pointer + old, "/...", 5);
		return old;
	}
	w->pointer[n++] = '/';
	for (; *step; step++) {
		if (*step == '~' || *step == '/') {
			w->pointer[n++] = '~';
			w->pointer[n++] = *step == '~' ? '0' : '1';
			continue;
		}
		w->pointer[n++] = *step;
	}
	w->pointer[n] = 0;
	return old;
}

static void pop(struct walk *w, size_t old)
{
	w->pointer[old] = 0;
}

static unsigned type_of(const json_t *value)
{
	switch (json_typeof(value)) {
	case JSON_NULL:
		return SCHEMA_NULL;
	case JSON_TRUE:
	case JSON_FALSE:
		return SCHEMA_BOOLEAN;
	case JSON_INTEGER:
		return SCHEMA_INTEGER;
	case JSON_STRING:
		return SCHEMA_STRING;
	case JSON_ARRAY:
		return SCHEMA_ARRAY;
	case JSON_OBJECT:
		return SCHEMA_OBJECT;
	case JSON_REAL:
		break;
	}
	return 0;
}

static const char *type_words(unsigned types)
{
	static const struct {
		unsigned bit;
		const char *word;
	} words[] = {
		{SCHEMA_STRING, "a string"},       {SCHEMA_INTEGER, "a whole number"},
		{SCHEMA_OBJECT, "an object"},      {SCHEMA_ARRAY, "an array"},
		{SCHEMA_BOOLEAN, "true or false"}, {SCHEMA_NULL, "null"},
	};
	for (size_t i = 0; i < ARRAY_COUNT(words); i++)
		if (types & words[i].bit)
			return words[i].word;
	return "nothing";
}

static bool pattern_fits(struct schema_pattern *p, const char *text)
{
	if (!p->is_compiled) {
		if (regcomp(&p->compiled, p->text, REG_EXTENDED | REG_NOSUB))
			return false;
		p->is_compiled = true;
	}
	return !regexec(&p->compiled, text, 0, NULL, 0);
}

static bool format_fits(enum schema_format format, const char *text)
{
	struct berth_error err = ERROR_INIT;
	struct digest digest;
	int64_t time_ms;
	switch (format) {
	case SCHEMA_FORMAT_NAME:
		return text_is_name(text);
	case SCHEMA_FORMAT_INTEGRATION:
		return text_is_integration(text);
	case SCHEMA_FORMAT_UUID:
		return uuid_is(text);
	case SCHEMA_FORMAT_DATE_TIME:
		return clock_parse(text, &time_ms);
	case SCHEMA_FORMAT_DIGEST:
		return !digest_parse(text, &digest, &err);
	case SCHEMA_FORMAT_NONE:
		break;
	}
	return true;
}

static const char *format_words(enum schema_format format)
{
	switch (format) {
	case SCHEMA_FORMAT_NAME:
		return "a name: 1 to 63 of a-z, 0-9, dot, dash and underscore, "
		       "a letter or digit first and last";
	case SCHEMA_FORMAT_INTEGRATION:
		return "an integration's name: 1 to 63 of a-z, 0-9, dot, dash and underscore, "
		       "a letter or digit first and last; WORKSPACE~NAME of a workspace's own";
	case SCHEMA_FORMAT_UUID:
		return "a UUID";
	case SCHEMA_FORMAT_DATE_TIME:
		return "a time like 2026-01-31T12:00:00Z";
	case SCHEMA_FORMAT_DIGEST:
		return "a digest like sha256: and 64 hex digits";
	case SCHEMA_FORMAT_NONE:
		break;
	}
	return "a string";
}

static size_t characters(const char *text)
{
	size_t n = 0;
	for (; *text; text++)
		n += ((unsigned char)*text & 0xC0) != 0x80;
	return n;
}

static void check_count(struct walk *w, const struct schema *s, size_t count, const char *what)
{
	if (count < s->count_min)
		fault(w, "too-short", "has %zu %s, at least %zu are needed", count, what,
		      s->count_min);
	if (s->count_max && count > s->count_max)
		fault(w, "too-long", "has %zu %s, at most %zu are allowed", count, what,
		      s->count_max);
}

static void join_words(const char *const *words, char *to, size_t room)
{
	size_t n = 0;
	for (to[0] = 0; *words && n < room; words++)
		n += (size_t)snprintf(to + n, room - n, "%s%s", n ? ", " : "", *words);
}

static void check_text(struct walk *w, const struct schema *s, const json_t *value)
{
	const char *text = json_string_value(value);
	size_t before = json_array_size(w->errors);
	char list[200];

	if (strlen(text) != json_string_length(value)) {
		fault(w, "bad-character", "has a NUL character");
		return;
	}
	check_count(w, s, characters(text), "characters");
	if (json_array_size(w->errors) != before)
		return;
	for (size_t i = 0; s->words && s->words[i]; i++)
		if (!strcmp(s->words[i], text))
			return;
	if (s->words) {
		join_words(s->words, list, sizeof list);
		fault(w, "not-allowed", "must be one of %s", list);
	} else if (!format_fits(s->format, text)) {
		fault(w, "bad-format", "must be %s", format_words(s->format));
	} else if (s->pattern && !pattern_fits(s->pattern, text)) {
		fault(w, "bad-format", "must match %s", s->pattern->text);
	}
}

static void check_integer(struct walk *w, const struct schema *s, const json_t *value)
{
	int64_t n = json_integer_value(value);
	int64_t min = s->min < -SAFE_INTEGER + 1 ? -SAFE_INTEGER + 1 : s->min;
	int64_t max = s->max > SAFE_INTEGER - 1 ? SAFE_INTEGER - 1 : s->max;
	if (n < min)
		fault(w, "too-small", "must be at least %" PRId64, min);
	if (n > max)
		fault(w, "too-large", "must be at most %" PRId64, max);
}

/* Compares by canonical text; quadratic, so only of up to 256 items. */
static bool has_twins(const json_t *array)
{
	for (size_t i = 0; i < json_array_size(array) && i < 256; i++)
		for (size_t k = 0; k < i; k++)
			if (json_equal(json_array_get(array, i), json_array_get(array, k)))
				return true;
	return false;
}

static void check_array(struct walk *w, const struct schema *s, const json_t *value)
{
	size_t before = json_array_size(w->errors);
	check_count(w, s, json_array_size(value), "items");
	if (s->items_unique && has_twins(value))
		fault(w, "repeated", "has an item twice");
	for (size_t i = 0; s->items && i < json_array_size(value); i++) {
		char step[24];
		if (json_array_size(w->errors) >= before + SCHEMA_ERRORS_MAX)
			break;
		snprintf(step, sizeof step, "%zu", i);
		size_t old = push(w, step);
		check(w, s->items, json_array_get(value, i));
		pop(w, old);
	}
}

static const struct schema_property *find_property(const struct schema *s, const char *name)
{
	for (size_t i = 0; i < s->property_count; i++)
		if (!strcmp(s->properties[i].name, name))
			return &s->properties[i];
	return NULL;
}

static void fault_unknown(struct walk *w, const struct schema *s, const char *name)
{
	const char *names[65];
	size_t n = 0;
	for (; n < s->property_count && n < 64; n++)
		names[n] = s->properties[n].name;
	names[n] = NULL;
	const char *near = text_closest(name, names);
	if (near)
		fault(w, "unknown-field", "no such field; did you mean %s?", near);
	else
		fault(w, "unknown-field", "no such field");
}

static void check_member(struct walk *w, const struct schema *s, const char *name,
			 const json_t *value)
{
	const struct schema_property *p = find_property(s, name);
	size_t old = push(w, name);
	if (p && p->read_only)
		fault(w, "read-only-field", "is set by the server and can't be sent");
	else if (p && !(w->is_patch && json_is_null(value)))
		check(w, p->schema, value);
	else if (!p && s->rest && !(w->is_patch && json_is_null(value)))
		check(w, s->rest, value);
	else if (!p && !s->open)
		fault_unknown(w, s, name);
	pop(w, old);
}

static void check_object(struct walk *w, const struct schema *s, const json_t *value)
{
	const char *name;
	json_t *member;

	check_count(w, s, json_object_size(value), "members");
	json_object_foreach ((json_t *)(uintptr_t)value, name, member)
		check_member(w, s, name, member);
	for (size_t i = 0; !w->is_patch && i < s->property_count; i++) {
		const struct schema_property *p = &s->properties[i];
		if (!p->required || json_object_get(value, p->name))
			continue;
		size_t old = push(w, p->name);
		fault(w, "missing", "is required");
		pop(w, old);
	}
}

static void check_case(struct walk *w, const struct schema *s, const json_t *value)
{
	const char *word = json_string_value(json_object_get(value, s->discriminator));
	const char *words[33];
	char list[200];
	size_t n = 0;

	for (; n < s->case_count && n < 32; n++) {
		words[n] = s->cases[n].word;
		if (word && !strcmp(word, words[n])) {
			check(w, s->cases[n].schema, value);
			return;
		}
	}
	words[n] = NULL;
	join_words(words, list, sizeof list);
	size_t old = push(w, s->discriminator);
	fault(w, word ? "not-allowed" : "missing", "must be one of %s", list);
	pop(w, old);
}

static void check(struct walk *w, const struct schema *s, const json_t *value)
{
	unsigned type = type_of(value);
	if (!(s->types & type)) {
		fault(w, "wrong-type", "must be %s", type_words(s->types));
		return;
	}
	if (type == SCHEMA_STRING)
		check_text(w, s, value);
	else if (type == SCHEMA_INTEGER)
		check_integer(w, s, value);
	else if (type == SCHEMA_ARRAY)
		check_array(w, s, value);
	else if (type == SCHEMA_OBJECT && s->discriminator)
		check_case(w, s, value);
	else if (type == SCHEMA_OBJECT)
		check_object(w, s, value);
}

bool schema_check(const struct schema *schema, const json_t *value, bool is_patch, json_t *errors)
{
	struct walk w = {.errors = errors, .is_patch = is_patch, .ok = true};
	check(&w, schema, value);
	return w.ok;
}

static json_t *array_of_text(const struct schema *schema, const char *text)
{
	json_t *array = json_array();
	for (;;) {
		size_t n = strcspn(text, ",");
		AUTO_JSON json_t *part = json_stringn(text, n);
		json_t *item = part && schema->items ? schema_value_of_text(schema->items,
									    json_string_value(part))
						     : json_incref(part);
		if (!item || json_array_append_new(array, item)) {
			json_decref(array);
			return NULL;
		}
		if (!text[n])
			return array;
		text += n + 1;
	}
}

json_t *schema_value_of_text(const struct schema *schema, const char *text)
{
	int64_t n;
	if (schema->types & SCHEMA_INTEGER && text_parse_i64(text, INT64_MIN, INT64_MAX, &n))
		return json_integer(n);
	if (schema->types & SCHEMA_BOOLEAN && (!strcmp(text, "true") || !strcmp(text, "false")))
		return json_boolean(text[0] == 't');
	if (schema->types & SCHEMA_ARRAY)
		return array_of_text(schema, text);
	return schema->types & SCHEMA_STRING ? json_string(text) : NULL;
}

void schema_describe(const struct schema *s, char *to, size_t room)
{
	char list[200];
	if (s->words) {
		join_words(s->words, list, sizeof list);
		snprintf(to, room, "one of %s", list);
	} else if (s->types & SCHEMA_INTEGER && s->min > INT64_MIN && s->max < INT64_MAX) {
		snprintf(to, room, "a whole number from %" PRId64 " to %" PRId64, s->min, s->max);
	} else if (s->format) {
		snprintf(to, room, "%s", format_words(s->format));
	} else if (s->types & SCHEMA_STRING && s->count_max) {
		snprintf(to, room, "a text of %zu to %zu characters", s->count_min, s->count_max);
	} else {
		snprintf(to, room, "%s", type_words(s->types));
	}
}
