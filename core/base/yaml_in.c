/* SPDX-License-Identifier: Apache-2.0 */
/* libyaml's events into JSON values. Its document interface is not used: this
 * one has caps on bytes, depth and events, and no aliases to expand.
 */
#include "core/base/yaml_in.h"

#include <stdbool.h>
#include <string.h>
#include <yaml.h>

#include "core/base/js.h"
#include "core/base/text.h"

struct frame {
	json_t *container; /* borrowed from its parent, or the root */
	char *key;         /* of the mapping's next value; NULL: a key comes */
};
struct loader {
	yaml_parser_t parser;
	json_t *documents;
	struct frame stack[YAML_DEPTH_MAX];
	size_t depth;
};

static int refuse(const yaml_event_t *e, struct berth_error *err, const char *why)
{
	return berth_fail(err, BERTH_E_INVALID, "line %zu, column %zu: %s", e->start_mark.line + 1,
			  e->start_mark.column + 1, why);
}

/* Puts a value where the next one belongs. Takes it. */
static int place(struct loader *l, const yaml_event_t *e, json_t *take_value,
		 struct berth_error *err)
{
	AUTO_JSON json_t *value = take_value;
	struct frame *top = l->depth ? &l->stack[l->depth - 1] : NULL;
	if (!value)
		return berth_fail_memory(err);
	if (!top)
		return json_array_append(l->documents, value) ? berth_fail_memory(err) : 0;
	if (json_is_array(top->container))
		return json_array_append(top->container, value) ? berth_fail_memory(err) : 0;
	if (!top->key)
		return refuse(e, err, "a key must be plain text");
	int failed = json_object_set(top->container, top->key, value);
	free(top->key);
	top->key = NULL;
	return failed ? berth_fail_memory(err) : 0;
}

/* Would some YAML reader take this plain word for something else than text? */
static bool is_ambiguous(const char *s)
{
	static const char *const words[] = {"yes", "no", "on", "off", "y", "n", ".nan", ".inf"};
	for (size_t i = 0; i < ARRAY_COUNT(words); i++)
		if (!strcasecmp(words[i], s))
			return true;
	size_t sign = *s == '-' || *s == '+' ? 1 : 0;
	size_t digits = strspn(s + sign, "0123456789._");
	bool is_number = digits && !s[sign + digits] && strpbrk(s, "0123456789");
	return is_number || (s[sign] == '0' && s[sign + 1] && strchr("xob", s[sign + 1])) ||
	       !strcmp(s, "<<");
}

/* YAML 1.2's core schema, whole numbers only. */
static int plain(const yaml_event_t *e, const char *s, json_t **ret, struct berth_error *err)
{
	int64_t number;
	bool is_octal = (*s == '0' && s[1]) || (*s == '-' && s[1] == '0');
	if (!*s || !strcmp(s, "null") || !strcmp(s, "~"))
		*ret = json_null();
	else if (!strcmp(s, "true") || !strcmp(s, "false"))
		*ret = json_boolean(*s == 't');
	else if (!is_octal && text_parse_i64(s, -(1ll << 53), 1ll << 53, &number))
		*ret = json_integer(number);
	else if (!strcmp(s, "0"))
		*ret = json_integer(0);
	else if (is_ambiguous(s))
		return refuse(e, err, "put this value in quotes: YAML readers disagree about it");
	else
		*ret = json_string(s);
	return 0;
}

static int scalar(struct loader *l, const yaml_event_t *e, struct berth_error *err)
{
	const char *s = (const char *)e->data.scalar.value;
	bool is_plain = e->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
	struct frame *top = l->depth ? &l->stack[l->depth - 1] : NULL;
	json_t *value = NULL;
	if (e->data.scalar.tag || e->data.scalar.anchor)
		return refuse(e, err, "tags and anchors are not taken here");
	if (strlen(s) != e->data.scalar.length)
		return refuse(e, err, "text must not have a NUL");
	if (top && json_is_object(top->container) && !top->key) {
		if (is_plain && is_ambiguous(s))
			return refuse(e, err, "put this key in quotes");
		if (json_object_get(top->container, s))
			return refuse(e, err, "this key is there twice");
		top->key = strdup(s);
		return top->key ? 0 : berth_fail_memory(err);
	}
	int code = is_plain ? plain(e, s, &value, err) : 0;
	if (!is_plain)
		value = json_string(s);
	return code ? code : place(l, e, value, err);
}

static int open_container(struct loader *l, const yaml_event_t *e, json_t *take_value,
			  struct berth_error *err)
{
	bool is_list = e->type == YAML_SEQUENCE_START_EVENT;
	const void *tag = is_list ? e->data.sequence_start.tag : e->data.mapping_start.tag;
	const void *anchor = is_list ? e->data.sequence_start.anchor : e->data.mapping_start.anchor;
	json_t *borrowed = take_value;
	int code = place(l, e, take_value, err);
	if (code)
		return code;
	if (tag || anchor)
		return refuse(e, err, "tags and anchors are not taken here");
	if (l->depth == YAML_DEPTH_MAX)
		return berth_fail(err, BERTH_E_LIMIT, "line %zu: deeper than %d",
				  e->start_mark.line + 1, YAML_DEPTH_MAX);
	l->stack[l->depth++] = (struct frame){.container = borrowed};
	return 0;
}

static int take_event(struct loader *l, const yaml_event_t *e, struct berth_error *err)
{
	switch (e->type) {
	case YAML_SCALAR_EVENT:
		return scalar(l, e, err);
	case YAML_SEQUENCE_START_EVENT:
		return open_container(l, e, json_array(), err);
	case YAML_MAPPING_START_EVENT:
		return open_container(l, e, json_object(), err);
	case YAML_SEQUENCE_END_EVENT:
	case YAML_MAPPING_END_EVENT:
		free(l->stack[--l->depth].key);
		return 0;
	case YAML_ALIAS_EVENT:
		return refuse(e, err, "aliases are not taken here");
	default:
		return 0;
	}
}

static int run(struct loader *l, struct berth_error *err)
{
	for (unsigned events = 0;; events++) {
		yaml_event_t e;
		if (events == YAML_EVENTS_MAX)
			return berth_fail(err, BERTH_E_LIMIT, "more than %d parts",
					  YAML_EVENTS_MAX);
		if (!yaml_parser_parse(&l->parser, &e))
			return berth_fail(err, BERTH_E_INVALID, "line %zu, column %zu: %s",
					  l->parser.problem_mark.line + 1,
					  l->parser.problem_mark.column + 1,
					  l->parser.problem ? l->parser.problem : "not YAML");
		bool is_end = e.type == YAML_STREAM_END_EVENT;
		int code = take_event(l, &e, err);
		yaml_event_delete(&e);
		if (code || is_end)
			return code;
	}
}

int documents_parse(const char *text, json_t **ret_array, struct berth_error *err)
{
	struct loader l = {.documents = json_array()};
	size_t bytes = strlen(text);
	const char *start = text + strspn(text, " \t\r\n");
	int code;
	if (!l.documents)
		return berth_fail_memory(err);
	if (bytes > YAML_BYTES_MAX) {
		code = berth_fail(err, BERTH_E_LIMIT, "more than %d bytes", YAML_BYTES_MAX);
	} else if (*start == '{' || *start == '[') {
		json_t *one = NULL;
		code = js_parse(text, bytes, &js_limits_api, &one, err);
		if (!code)
			json_array_append_new(l.documents, one);
	} else if (!yaml_parser_initialize(&l.parser)) {
		code = berth_fail_memory(err);
	} else {
		yaml_parser_set_encoding(&l.parser, YAML_UTF8_ENCODING);
		yaml_parser_set_input_string(&l.parser, (const unsigned char *)text, bytes);
		code = run(&l, err);
		yaml_parser_delete(&l.parser);
	}
	while (l.depth)
		free(l.stack[--l.depth].key);
	if (code)
		json_decref(l.documents);
	else
		*ret_array = l.documents;
	return code;
}
