/* SPDX-License-Identifier: Apache-2.0 */
/* From parsed configuration to struct settings: defaults, types, ranges,
 * unknown keys. Runs in berthd, at start and at reload. libconfig 1.5 is given
 * text only: its @include of a folder ends the process.
 */
#include "core/conf/settings.h"

#include <libconfig.h>
#include <stdio.h>
#include <string.h>

#include "core/base/log.h"
#include "core/base/text.h"
#include "core/net/policy.h"

/* What is being read, for error messages. */
struct source {
	const char *name;
	struct settings *to;
	struct berth_error *err;
};

static const struct {
	const char *word;
	int32_t level;
} levels[] = {
	{"error", LOG_LEVEL_ERROR},
	{"warning", LOG_LEVEL_WARNING},
	{"info", LOG_LEVEL_INFO},
	{"debug", LOG_LEVEL_DEBUG},
};

static void *place(struct settings *s, const struct config_option *o)
{
	return (char *)s + o->offset;
}

static void list_done(struct text_list *list)
{
	for (size_t i = 0; i < list->item_count; i++)
		free(list->items[i]);
	free(list->items);
	*list = (struct text_list){0};
}

void settings_done(struct settings *s)
{
	for (const struct config_option *o = settings_options; o->section; o++)
		if (o->type == OPTION_CIDRS)
			list_done(place(s, o));
}

static bool find_level(const char *word, int32_t *ret_level)
{
	for (size_t i = 0; i < ARRAY_COUNT(levels); i++)
		if (!strcmp(levels[i].word, word)) {
			*ret_level = levels[i].level;
			return true;
		}
	return false;
}

/* Takes a default from the table; that it fits is a matter of the table, and
 * a unit test walks it. */
static void put_default(struct settings *s, const struct config_option *o)
{
	char text[64];
	uint64_t number = 0;
	size_t byte_count = strlen(o->deflt);
	if (o->deflt[0] == '"') {
		snprintf(text, sizeof text, "%.*s", (int)byte_count - 2, o->deflt + 1);
		if (o->type == OPTION_LEVEL)
			find_level(text, place(s, o));
		else
			snprintf(place(s, o), SETTINGS_GROUP_ROOM, "%s", text);
		return;
	}
	text_parse_u64(o->deflt, 0, UINT64_MAX, &number);
	if (o->type == OPTION_BOOL)
		*(bool *)place(s, o) = !strcmp(o->deflt, "true");
	else if (o->type == OPTION_U32)
		*(uint32_t *)place(s, o) = (uint32_t)number;
	else if (o->type == OPTION_U64)
		*(uint64_t *)place(s, o) = number;
}

int settings_init(struct settings *s, struct berth_error *err)
{
	(void)err;
	*s = (struct settings){0};
	for (const struct config_option *o = settings_options; o->section; o++)
		put_default(s, o);
	return 0;
}

static int expected(struct source *src, const config_setting_t *at, const struct config_option *o,
		    const char *what)
{
	return berth_fail(src->err, BERTH_E_INVALID, "%s:%u: expected %s for %s.%s", src->name,
			  config_setting_source_line(at), what, o->section, o->key);
}

static int take_number(struct source *src, const config_setting_t *at,
		       const struct config_option *o)
{
	char what[128];
	int type = config_setting_type(at);
	long long value = type == CONFIG_TYPE_INT64 ? config_setting_get_int64(at)
						    : config_setting_get_int(at);
	bool is_number = type == CONFIG_TYPE_INT || type == CONFIG_TYPE_INT64;
	/* A default of 0 below the least is "off". */
	bool may_be_off = o->min && !strcmp(o->deflt, "0");
	bool fits = value >= 0 && (uint64_t)value >= o->min && (uint64_t)value <= o->max;
	if (!is_number || !(fits || (may_be_off && !value))) {
		snprintf(what, sizeof what, "%sa whole number from %llu to %llu%s%s",
			 may_be_off ? "0 or " : "", (unsigned long long)o->min,
			 (unsigned long long)o->max, o->unit ? " " : "", o->unit ? o->unit : "");
		return expected(src, at, o, what);
	}
	if (o->type == OPTION_U64)
		*(uint64_t *)place(src->to, o) = (uint64_t)value;
	else
		*(uint32_t *)place(src->to, o) = (uint32_t)value;
	return 0;
}

static int take_text(struct source *src, const config_setting_t *at, const struct config_option *o)
{
	const char *text = config_setting_get_string(at);
	char what[64];
	if (!text || strlen(text) < o->min || strlen(text) > o->max ||
	    !text_is_utf8(text, strlen(text))) {
		snprintf(what, sizeof what, "a text of %llu to %llu bytes",
			 (unsigned long long)o->min, (unsigned long long)o->max);
		return expected(src, at, o, what);
	}
	snprintf(place(src->to, o), (size_t)o->max + 1, "%s", text);
	return 0;
}

static int take_level(struct source *src, const config_setting_t *at, const struct config_option *o)
{
	const char *text = config_setting_get_string(at);
	if (!text || !find_level(text, place(src->to, o)))
		return expected(src, at, o, "\"error\", \"warning\", \"info\" or \"debug\"");
	return 0;
}

static int take_bool(struct source *src, const config_setting_t *at, const struct config_option *o)
{
	if (config_setting_type(at) != CONFIG_TYPE_BOOL)
		return expected(src, at, o, "true or false");
	*(bool *)place(src->to, o) = config_setting_get_bool(at);
	return 0;
}

/* An array or list of networks; it replaces what an earlier file said. */
static int take_cidrs(struct source *src, const config_setting_t *at, const struct config_option *o)
{
	struct text_list list = {0};
	int type = config_setting_type(at);
	int count = config_setting_length(at);
	if ((type != CONFIG_TYPE_ARRAY && type != CONFIG_TYPE_LIST) || (uint64_t)count > o->max)
		return expected(src, at, o, "at most 256 networks, [ \"10.0.0.0/8\" ]");
	list.items = calloc((size_t)count + 1, sizeof *list.items);
	if (!list.items)
		return berth_fail_memory(src->err);
	for (int i = 0; i < count; i++) {
		const char *text = config_setting_get_string_elem(at, i);
		struct cidr net;
		struct berth_error why = ERROR_INIT;
		if (!text || cidr_parse(text, &net, &why)) {
			list_done(&list);
			expected(src, at, o, "networks such as \"10.0.0.0/8\"");
			return text ? berth_cause(src->err, "%s", why.message) : BERTH_E_INVALID;
		}
		list.items[list.item_count] = strdup(text);
		if (!list.items[list.item_count++]) {
			list.item_count--;
			list_done(&list);
			return berth_fail_memory(src->err);
		}
	}
	list_done(place(src->to, o));
	*(struct text_list *)place(src->to, o) = list;
	return 0;
}

static int take_value(struct source *src, const config_setting_t *at, const struct config_option *o)
{
	switch (o->type) {
	case OPTION_U32:
	case OPTION_U64:
		return take_number(src, at, o);
	case OPTION_BOOL:
		return take_bool(src, at, o);
	case OPTION_TEXT:
		return take_text(src, at, o);
	case OPTION_LEVEL:
		return take_level(src, at, o);
	case OPTION_CIDRS:
		return take_cidrs(src, at, o);
	}
	return berth_fail(src->err, BERTH_E_INTERNAL, "%s.%s has no type", o->section, o->key);
}

/* "did you mean": among sections for a group, among keys of all sections, written whole, for
 * anything else. */
static int fail_unknown(struct source *src, const config_setting_t *at, const char *full)
{
	bool is_group = config_setting_is_group(at);
	static char names[256][64];
	static const char *candidates[257];
	size_t count = 0;
	for (const struct config_option *o = settings_options; o->section && count < 256;
	     o++, count++) {
		snprintf(names[count], sizeof names[count], "%s%s%s", o->section,
			 is_group ? "" : ".", is_group ? "" : o->key);
		candidates[count] = names[count];
	}
	candidates[count] = NULL;
	const char *near = text_closest(full, candidates);
	return berth_fail(src->err, BERTH_E_INVALID,
			  "%s:%u: expected a known %s, found %.100s%s%s%s", src->name,
			  config_setting_source_line(at), is_group ? "section" : "key", full,
			  near ? " (did you mean " : "", near ? near : "", near ? "?)" : "");
}

static const struct config_option *find_option(const char *section, const char *key)
{
	for (const struct config_option *o = settings_options; o->section; o++)
		if (!strcmp(o->section, section) && !strcmp(o->key, key))
			return o;
	return NULL;
}

/* Keys of one section that make sense in one order only. */
static const struct {
	const char *section, *least, *most;
} orders[] = {
	{"jobs", "trial_ms", "watchdog_ms"}, /* while plugins are tried, the worker is silent */
	{"jobs", "restart_ms", "restart_max_ms"},
};

int settings_check(const char *name, struct settings *s, struct berth_error *err)
{
	for (size_t i = 0; i < ARRAY_COUNT(orders); i++) {
		const struct config_option *least = find_option(orders[i].section, orders[i].least);
		const struct config_option *most = find_option(orders[i].section, orders[i].most);
		uint32_t a = *(uint32_t *)place(s, least), b = *(uint32_t *)place(s, most);

		if (a > b)
			return berth_fail(err, BERTH_E_INVALID,
					  "%s:1: expected %s.%s, which is %u, to be at most %s, "
					  "which is %u",
					  name, least->section, least->key, a, most->key, b);
	}
	return 0;
}

/* One group of the file; sections nest one deep (networks.platform). */
static int take_group(struct source *src, config_setting_t *group, const char *section)
{
	for (int i = 0; i < config_setting_length(group); i++) {
		config_setting_t *at = config_setting_get_elem(group, (unsigned)i);
		const char *key = config_setting_name(at);
		const struct config_option *o = find_option(section, key);
		char full[160];
		int code;
		snprintf(full, sizeof full, "%.64s%s%.64s", section, section[0] ? "." : "", key);
		if (o)
			code = take_value(src, at, o);
		else if (config_setting_is_group(at) && settings_section_help(full))
			code = take_group(src, at, full);
		else
			code = fail_unknown(src, at, full);
		if (code)
			return code;
	}
	return 0;
}

static const char *line_end(const char *at, const char *end)
{
	const char *found = memchr(at, '\n', (size_t)(end - at));
	return found ? found : end;
}

static int refuse_includes(const char *name, const char *bytes, size_t byte_count,
			   struct berth_error *err)
{
	const char *end = bytes + byte_count;
	unsigned line = 1;
	for (const char *at = bytes; at < end; at = line_end(at, end) + 1, line++) {
		while (at < end && (*at == ' ' || *at == '\t'))
			at++;
		if (end - at >= 8 && !memcmp(at, "@include", 8))
			return berth_fail(err, BERTH_E_INVALID,
					  "%s:%u: expected no @include; put the file into %s.d",
					  name, line, name);
		if (at >= end)
			break;
	}
	return 0;
}

static int check_text(const char *name, const char *bytes, size_t byte_count,
		      struct berth_error *err)
{
	if (memchr(bytes, 0, byte_count))
		return berth_fail(err, BERTH_E_INVALID, "%s:1: expected text, found a NUL byte",
				  name);
	return refuse_includes(name, bytes, byte_count, err);
}

int settings_parse(const char *name, const char *bytes, size_t byte_count, struct settings *s,
		   struct berth_error *err)
{
	struct source src = {.name = name, .to = s, .err = err};
	config_t config;
	AUTO_FREE char *text = NULL;
	int code = check_text(name, bytes, byte_count, err);
	if (code)
		return code;
	text = strndup(bytes, byte_count);
	if (!text)
		return berth_fail_memory(err);
	config_init(&config);
	if (config_read_string(&config, text))
		code = take_group(&src, config_root_setting(&config), "");
	else
		code = berth_fail(err, BERTH_E_INVALID,
				  "%s:%d: expected section: { key = value; }: %s", name,
				  config_error_line(&config), config_error_text(&config));
	config_destroy(&config);
	return code;
}
