/* SPDX-License-Identifier: Apache-2.0 */
/* JSON from outside: see js.h. Nodes and depth are counted over the raw bytes
 * before the parser runs: each value starts after one of `[ { , :`, so their
 * count outside strings bounds the nodes.
 */
#include "core/base/js.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/clock.h"

const struct js_limits js_limits_api = {1u << 20, 100000, 64};
const struct js_limits js_limits_registry = {4u << 20, 200000, 64};
const struct js_limits js_limits_frame = {64u << 10, 20000, 64};

struct measure {
	size_t nodes, depth, deepest;
	int in_string, escaped;
};

static void measure_byte(struct measure *m, char c)
{
	if (m->in_string) {
		m->in_string = m->escaped || c != '"';
		m->escaped = !m->escaped && c == '\\';
		return;
	}
	switch (c) {
	case '"':
		m->in_string = 1;
		break;
	case '[':
	case '{':
		m->depth++;
		m->nodes++;
		m->deepest = m->depth > m->deepest ? m->depth : m->deepest;
		break;
	case ']':
	case '}':
		m->depth -= m->depth > 0;
		break;
	case ',':
	case ':':
		m->nodes++;
		break;
	default:
		break;
	}
}

/* "at line 1, column 65" of byte i. */
static void say_where(const char *bytes, size_t i, char *to, size_t room)
{
	size_t line = 1, start = 0;
	for (size_t k = 0; k < i; k++)
		if (bytes[k] == '\n') {
			line++;
			start = k + 1;
		}
	snprintf(to, room, "at line %zu, column %zu", line, i - start + 1);
}

static int check_limits(const char *bytes, size_t byte_count, const struct js_limits *limits,
			struct berth_error *err)
{
	struct measure m = {.nodes = 1};
	char where[64];
	if (byte_count > limits->bytes)
		return berth_fail(err, BERTH_E_LIMIT, "JSON of more than %zu bytes", limits->bytes);
	for (size_t i = 0; i < byte_count; i++) {
		measure_byte(&m, bytes[i]);
		if (m.nodes <= limits->nodes && m.deepest <= limits->depth)
			continue;
		say_where(bytes, i, where, sizeof where);
		return m.nodes > limits->nodes
			       ? berth_fail(err, BERTH_E_LIMIT, "JSON with more than %zu values %s",
					    limits->nodes, where)
			       : berth_fail(err, BERTH_E_LIMIT,
					    "JSON nested deeper than %zu levels %s", limits->depth,
					    where);
	}
	return 0;
}

static void *(*take_memory)(size_t) = malloc;
static _Thread_local unsigned lost;

/* jansson does not look whether the text of a token could grow: a byte is missing then,
 * and where that is the last quote it reads on behind the end. So a parse has this to
 * grow into; what it makes is dropped, since something was lost. */
static _Thread_local struct {
	char *bytes;
	size_t room, used;
} spare;

/* Texts of tokens grow from 16 bytes by doubling. All else had better fail: it is
 * looked at, and ends the parse. */
static void *take_spare(size_t byte_count)
{
	bool is_doubled = byte_count >= 32 && !(byte_count & (byte_count - 1));

	if (!spare.bytes || !is_doubled || byte_count > spare.room - spare.used)
		return NULL;
	spare.used += byte_count;
	return spare.bytes + spare.used - byte_count;
}

static void *count_loss(size_t byte_count)
{
	void *memory = take_memory(byte_count);

	if (memory)
		return memory;
	lost++;
	return take_spare(byte_count);
}

static void give_back(void *memory)
{
	uintptr_t at = (uintptr_t)memory, from = (uintptr_t)spare.bytes;

	if (!from || at < from || at >= from + spare.room)
		free(memory);
}

void js_count_losses(void *(*get)(size_t))
{
	take_memory = get ? get : malloc;
	json_set_alloc_funcs(count_loss, give_back);
}

/* NULL without a loss: it is no JSON. */
static json_t *load(const char *bytes, size_t byte_count, json_error_t *ret_at)
{
	unsigned before = lost;

	spare.room = 4 * byte_count + 256; /* 32, 64, ... up to twice the longest */
	spare.used = 0;
	spare.bytes = malloc(spare.room);
	if (!spare.bytes) {
		lost++;
		return NULL;
	}
	json_t *value =
		json_loadb(bytes, byte_count, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, ret_at);
	value = js_whole(value, before);
	free(spare.bytes);
	spare.bytes = NULL;
	return value;
}

int js_parse(const char *bytes, size_t byte_count, const struct js_limits *limits, json_t **ret,
	     struct berth_error *err)
{
	json_error_t at = {.line = 0};
	unsigned losses = js_losses();
	int r = check_limits(bytes, byte_count, limits, err);
	if (r)
		return r;
	json_t *value = load(bytes, byte_count, &at);
	if (!value && js_losses() != losses)
		return berth_fail_memory(err);
	if (!value) {
		berth_fail(err, BERTH_E_INVALID, "not valid JSON at line %d, column %d", at.line,
			   at.column);
		return berth_cause(err, "%s", at.text);
	}
	*ret = value;
	return 0;
}

unsigned js_losses(void)
{
	return lost;
}

void js_lose(void)
{
	lost++;
}

json_t *js_whole(json_t *take_value, unsigned losses_before)
{
	if (lost == losses_before)
		return take_value;
	json_decref(take_value);
	return NULL;
}

struct text_out {
	char *bytes;
	size_t byte_count, room;
	bool is_lost; /* jansson goes on after a key that could not be written */
};

static int add_piece(const char *piece, size_t byte_count, void *user)
{
	struct text_out *out = user;
	size_t need = out->byte_count + byte_count + 1;

	if (out->is_lost)
		return -1;
	if (need > out->room) {
		size_t room = need > 128 ? need * 2 : 256;
		char *bytes = realloc(out->bytes, room);
		out->is_lost = !bytes;
		if (!bytes)
			return -1;
		out->bytes = bytes;
		out->room = room;
	}
	memcpy(out->bytes + out->byte_count, piece, byte_count);
	out->byte_count += byte_count;
	out->bytes[out->byte_count] = 0;
	return 0;
}

static char *dump(const json_t *value, size_t flags)
{
	struct text_out out = {0};

	if (!json_dump_callback(value, add_piece, &out, JSON_COMPACT | JSON_ENCODE_ANY | flags) &&
	    !out.is_lost)
		return out.bytes;
	free(out.bytes);
	return NULL;
}

char *js_canonical(const json_t *value)
{
	return dump(value, JSON_SORT_KEYS);
}

char *js_text(const json_t *value)
{
	return dump(value, 0);
}

const char *js_str(const json_t *object, const char *key, const char *fallback)
{
	const char *s = json_string_value(json_object_get(object, key));
	return s ? s : fallback;
}

int64_t js_int(const json_t *object, const char *key, int64_t fallback)
{
	const json_t *v = json_object_get(object, key);
	return json_is_integer(v) ? (int64_t)json_integer_value(v) : fallback;
}

bool js_bool(const json_t *object, const char *key, bool fallback)
{
	const json_t *v = json_object_get(object, key);
	return json_is_boolean(v) ? json_is_true(v) : fallback;
}

void js_put_str(json_t *object, const char *key, const char *text)
{
	if (text && *text)
		json_object_set_new(object, key, json_string(text));
}

void js_put_time(json_t *object, const char *key, int64_t unix_ms)
{
	char text[CLOCK_TEXT_ROOM];
	if (!unix_ms)
		return;
	clock_format(unix_ms, text);
	json_object_set_new(object, key, json_string(text));
}

json_t *js_of_error(const struct berth_error *err)
{
	json_t *o = json_object();
	js_put_str(o, "code", berth_code_name(err->code));
	js_put_str(o, "message", err->message);
	js_put_str(o, "cause", err->cause);
	json_object_set_new(o, "from", json_integer(err->from));
	json_object_set_new(o, "upstream", json_integer(err->upstream));
	json_object_set_new(o, "retry_ms", json_integer(err->retry_ms));
	return o;
}

static uint32_t clamp_u32(int64_t v)
{
	return v < 0 ? 0 : v > UINT32_MAX ? UINT32_MAX : (uint32_t)v;
}

void js_to_error(const json_t *object, struct berth_error *err)
{
	int code = berth_code_of_name(js_str(object, "code", "internal"));
	berth_fail(err, code ? code : BERTH_E_INTERNAL, "%s", js_str(object, "message", "failed"));
	berth_cause(err, "%s", js_str(object, "cause", ""));
	err->from = clamp_u32(js_int(object, "from", 0));
	err->upstream = (int32_t)clamp_u32(js_int(object, "upstream", 0));
	err->retry_ms = clamp_u32(js_int(object, "retry_ms", 0));
}
