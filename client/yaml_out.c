/* SPDX-License-Identifier: Apache-2.0 */
/* JSON values as YAML block text. A string is written plain only where every
 * YAML reader, 1.1 or 1.2, takes it for that string; else in double quotes,
 * whose escapes are JSON's.
 */
#include <string.h>
#include <strings.h>

#include "client/show.h"
#include "core/base/text.h"

static bool is_plain(const char *s)
{
	static const char *const words[] = {"true", "false", "null", "yes", "no", "on",
					    "off",  "y",     "n",    "nan", "inf"};
	static const char letters[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./@";
	bool has_letter = false;
	for (size_t i = 0; i < ARRAY_COUNT(words); i++)
		if (!strcasecmp(words[i], s))
			return false;
	if (!((*s >= 'a' && *s <= 'z') || (*s >= 'A' && *s <= 'Z') || *s == '/'))
		return false;
	for (const char *at = s; *at; at++) {
		bool is_inner_colon = *at == ':' && at[1] && at[1] != ' ';
		if (!strchr(letters, *at) && !is_inner_colon)
			return false;
		has_letter = has_letter || ((*at | 32) >= 'a' && (*at | 32) <= 'z');
	}
	return has_letter;
}

/* The code unit of \uXXXX at s, or 0 where there is none. */
static unsigned unit_at(const char *s)
{
	unsigned char bytes[2];
	if (s[0] != '\\' || s[1] != 'u' || !text_unhex(s + 2, bytes, 2))
		return 0;
	return (unsigned)bytes[0] << 8 | bytes[1];
}

/* JSON writes a character beyond the first plane as two surrogates; YAML has no
 * surrogates, but \UXXXXXXXX. */
static int put_quoted(struct buf *b, const char *s, struct berth_error *err)
{
	int code = 0;
	while (*s && !code) {
		unsigned high = unit_at(s);
		unsigned low = high >= 0xD800 && high < 0xDC00 ? unit_at(s + 6) : 0;
		size_t n = s[0] == '\\' && s[1] ? 2 : 1;
		if (low >= 0xDC00 && low < 0xE000) {
			unsigned c = 0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00);
			code = buf_printf(b, err, "\\U%08X", c);
			n = 12;
		} else {
			code = buf_add(b, s, n, err);
		}
		s += n;
	}
	return code;
}

static int put_string(struct buf *b, const char *s, struct berth_error *err)
{
	if (is_plain(s))
		return buf_add_text(b, s, err);
	AUTO_JSON json_t *value = json_string(s);
	AUTO_FREE char *quoted = json_text(value, 0);
	return quoted ? put_quoted(b, quoted, err) : berth_fail_memory(err);
}

static int put_indent(struct buf *b, unsigned depth, struct berth_error *err)
{
	int code = 0;
	for (unsigned i = 0; i < depth && !code; i++)
		code = buf_add_text(b, "  ", err);
	return code;
}

static int put(struct buf *b, const json_t *value, unsigned depth, struct berth_error *err);

/* Is it written on the line of its key or dash? */
static bool is_inline(const json_t *value)
{
	return !((json_is_array(value) && json_array_size(value)) ||
		 (json_is_object(value) && json_object_size(value)));
}

/* Readers look for the colon of a simple key within 1 024 characters: a longer
 * key is announced by a question mark and has its colon on the next line. */
static int put_key(struct buf *b, const char *key, unsigned depth, struct berth_error *err)
{
	bool is_long = strlen(key) > 150; /* escaped, a byte is at most six characters */
	int code = is_long ? buf_add_text(b, "? ", err) : 0;
	if (!code)
		code = put_string(b, key, err);
	if (!code && is_long)
		code = buf_add_text(b, "\n", err);
	if (!code && is_long)
		code = put_indent(b, depth, err);
	return code;
}

static int put_object(struct buf *b, const json_t *value, unsigned depth, struct berth_error *err)
{
	const char *key;
	json_t *member;
	bool is_first = true;
	json_object_foreach ((json_t *)(uintptr_t)value, key, member) {
		int code = is_first ? 0 : put_indent(b, depth, err);
		if (!code)
			code = put_key(b, key, depth, err);
		if (!code)
			code = buf_add_text(b, is_inline(member) ? ": " : ":\n", err);
		if (!code && !is_inline(member))
			code = put_indent(b, depth + 1, err);
		if (!code)
			code = put(b, member, depth + 1, err);
		if (code)
			return code;
		is_first = false;
	}
	return 0;
}

static int put_array(struct buf *b, const json_t *value, unsigned depth, struct berth_error *err)
{
	size_t i;
	json_t *item;
	json_array_foreach (value, i, item) {
		int code = i ? put_indent(b, depth, err) : 0;
		if (!code)
			code = buf_add_text(b, "- ", err);
		if (!code)
			code = put(b, item, depth + 1, err);
		if (code)
			return code;
	}
	return 0;
}

/* Ends with a line end; the caller has written the indent of the first line. */
static int put(struct buf *b, const json_t *value, unsigned depth, struct berth_error *err)
{
	int code;
	if (!is_inline(value))
		return json_is_array(value) ? put_array(b, value, depth, err)
					    : put_object(b, value, depth, err);
	if (json_is_string(value)) {
		code = put_string(b, json_string_value(value), err);
	} else {
		AUTO_FREE char *text = json_dumps(value, JSON_ENCODE_ANY);
		code = text ? buf_add_text(b, text, err) : berth_fail_memory(err);
	}
	return code ? code : buf_add_text(b, "\n", err);
}

char *yaml_text(const json_t *value)
{
	struct berth_error err = ERROR_INIT;
	struct buf b = {.max = 1u << 30};
	if (put(&b, value, 0, &err)) {
		buf_done(&b);
		return NULL;
	}
	return b.bytes;
}
