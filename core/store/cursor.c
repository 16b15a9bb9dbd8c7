/* SPDX-License-Identifier: Apache-2.0 */
/* Orders and cursors. A cursor is hex of a 16-byte keyed hash and a JSON array
 * with the last row's value for each column of the order.
 */
#include "core/store/cursor.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <string.h>

#include "core/base/js.h"
#include "core/base/text.h"

#define CURSOR_MAX_BYTES ((size_t)8192)
#define TAG_BYTES 16

void order_done(struct order *o)
{
	json_decref(o->parsed);
}

const struct store_column *store_field(const struct store_table *table, const char *name)
{
	for (size_t i = 0; i < table->column_count; i++)
		if (table->columns[i].name && !strcmp(table->columns[i].name, name))
			return &table->columns[i];
	return NULL;
}

int store_no_field(const struct store_table *table, const char *what, const char *name,
		   struct berth_error *err)
{
	AUTO_BUF struct buf known = {.max = sizeof(err->cause)};

	for (size_t i = 0; i < table->column_count; i++)
		if (table->columns[i].name &&
		    buf_printf(&known, err, "%s%s", known.byte_count ? ", " : "",
			       table->columns[i].name))
			break;
	berth_fail(err, BERTH_E_INVALID, "%s: no field '%.64s'", what, name);
	return berth_cause(err, "there are %s", buf_text(&known));
}

static int add_field(const struct store_table *table, const char *word, struct order *o,
		     struct berth_error *err)
{
	bool descending = *word == '-';
	const struct store_column *c = store_field(table, word + descending);

	if (!c)
		return store_no_field(table, "sort", word + descending, err);
	if (o->column_count == ORDER_MAX - 1)
		return berth_fail(err, BERTH_E_LIMIT, "sort: more than %d fields", ORDER_MAX - 1);
	for (size_t i = 0; i < o->column_count; i++)
		if (o->columns[i] == c)
			return berth_fail(err, BERTH_E_INVALID, "sort: '%s' twice", c->name);
	o->columns[o->column_count] = c;
	o->descending[o->column_count++] = descending;
	return 0;
}

/* The unique column ends the order, in the direction of the one before. */
static void add_key(const struct store_table *table, struct order *o)
{
	const struct store_column *key = NULL;

	for (size_t i = 0; i < table->column_count; i++)
		if (!strcmp(table->columns[i].column, table->key))
			key = &table->columns[i];
	for (size_t i = 0; i < o->column_count; i++)
		if (o->columns[i] == key)
			return;
	o->columns[o->column_count] = key;
	o->descending[o->column_count] = o->column_count && o->descending[o->column_count - 1];
	o->column_count++;
}

int order_parse(const struct store_table *table, const char *sort, struct order *ret,
		struct berth_error *err)
{
	AUTO_FREE char *words = strdup(sort ? sort : table->default_sort);
	int rc = 0;

	if (!words)
		return berth_fail_memory(err);
	char *rest = sort || *words ? words : NULL; /* a table may be in its key's order */
	while (rest && !rc) {
		char *word = rest;

		rest = strchr(word, ',');
		if (rest)
			*rest++ = '\0';
		rc = add_field(table, word, ret, err);
	}
	if (!rc)
		add_key(table, ret);
	return rc;
}

int order_write(const struct order *o, struct buf *to, struct berth_error *err)
{
	int rc = 0;

	for (size_t i = 0; i < o->column_count && !rc; i++)
		rc = buf_printf(to, err, "%s%s%s", i ? ", " : " ORDER BY ", o->columns[i]->column,
				o->descending[i] ? " DESC" : "");
	return rc;
}

static int add_values(struct buf *to, const struct store_value *values, size_t count,
		      struct berth_error *err)
{
	int rc = 0;

	for (size_t i = 0; i < count && !rc; i++)
		rc = values[i].type == STORE_TEXT
			     ? buf_printf(to, err, "'%s'\n", (const char *)values[i].bytes)
			     : buf_printf(to, err, "%lld\n", (long long)values[i].number);
	return rc;
}

static int hash_text(struct store *s, const struct buf *all, unsigned char *to,
		     struct berth_error *err)
{
	const char *key = store_cursor_key(s);
	unsigned char hash[EVP_MAX_MD_SIZE];
	unsigned int count = 0;

	if (!HMAC(EVP_sha256(), key, (int)strlen(key), (unsigned char *)all->bytes, all->byte_count,
		  hash, &count))
		return berth_fail(err, BERTH_E_INTERNAL, "cannot hash a cursor");
	memcpy(to, hash, TAG_BYTES);
	return 0;
}

/* The keyed hash of what was asked and of where the page ended. */
static int make_tag(struct store *s, const struct store_table *table, const struct store_page *page,
		    const struct order *o, const char *ends, unsigned char *to,
		    struct berth_error *err)
{
	AUTO_BUF struct buf all = {.max = (size_t)256 * 1024};
	int rc = buf_printf(&all, err, "%s\n%s\n%s\n%s\n", table->name,
			    page->within ? page->within : "", page->where ? page->where : "", ends);

	if (!rc)
		rc = order_write(o, &all, err);
	if (!rc)
		rc = add_values(&all, page->within_values, page->within_count, err);
	if (!rc)
		rc = add_values(&all, page->values, page->value_count, err);
	return rc ? rc : hash_text(s, &all, to, err);
}

static int write_hex(const unsigned char *tag, const char *text, char **ret,
		     struct berth_error *err)
{
	size_t count = strlen(text);

	*ret = malloc(2 * (TAG_BYTES + count) + 1);
	if (!*ret)
		return berth_fail_memory(err);
	text_hex(tag, TAG_BYTES, *ret);
	text_hex((const unsigned char *)text, count, *ret + 2 * (size_t)TAG_BYTES);
	return 0;
}

int cursor_make(struct store *s, const struct store_table *table, const struct store_page *page,
		const struct order *o, const void *row, char **ret, struct berth_error *err)
{
	AUTO_JSON json_t *ends = json_array();
	AUTO_FREE char *text = NULL;
	unsigned char tag[TAG_BYTES];
	size_t count;
	int rc;

	for (size_t i = 0; i < o->column_count; i++) {
		const void *from = (const char *)row + o->columns[i]->offset;

		json_array_append_new(ends, o->columns[i]->type == STORE_TEXT
						    ? json_string(*(char *const *)from)
						    : json_integer(*(const int64_t *)from));
	}
	text = js_text(ends);
	if (!text || json_array_size(ends) != o->column_count)
		return berth_fail_memory(err);
	count = strlen(text);
	if (count > CURSOR_MAX_BYTES)
		return berth_fail(err, BERTH_E_LIMIT, "a row is too long to go on from");
	rc = make_tag(s, table, page, o, text, tag, err);
	if (rc)
		return rc;
	return write_hex(tag, text, ret, err);
}

static int bad_cursor(struct berth_error *err)
{
	return berth_fail(err, BERTH_E_INVALID,
			  "cursor: not one that this list gave with the same filter and sort");
}

/* Takes the values apart; each must be of its column's kind. */
static int parse_ends(const char *text, struct order *o, struct berth_error *err)
{
	struct berth_error ignored = ERROR_INIT;

	if (js_parse(text, strlen(text), &js_limits_api, &o->parsed, &ignored) ||
	    json_array_size(o->parsed) != o->column_count)
		return bad_cursor(err);
	for (size_t i = 0; i < o->column_count; i++) {
		const json_t *end = json_array_get(o->parsed, i);

		if (o->columns[i]->type == STORE_TEXT ? !json_is_string(end)
						      : !json_is_integer(end))
			return bad_cursor(err);
	}
	return 0;
}

static struct store_value end_value(const struct order *o, size_t i)
{
	const json_t *end = json_array_get(o->parsed, i);
	struct store_value text = V_TEXT(json_string_value(end));
	struct store_value number = V_INT(json_integer_value(end));

	return o->columns[i]->type == STORE_TEXT ? text : number;
}

/* "(a > ?) OR (a = ? AND b > ?) ...": rows after that one. Each level also has
 * "a >= ?" outside, implied, so that an index on a is used. */
static int write_after(struct order *o, struct buf *to, struct berth_error *err)
{
	int rc = buf_printf(to, err, "%s %s ? AND (", o->columns[0]->column,
			    o->descending[0] ? "<=" : ">=");

	o->values[o->value_count++] = end_value(o, 0);
	for (size_t level = 0; level < o->column_count && !rc; level++) {
		rc = buf_printf(to, err, "%s(", level ? " OR " : "");
		for (size_t i = 0; i < level && !rc; i++) {
			rc = buf_printf(to, err, "%s = ? AND ", o->columns[i]->column);
			o->values[o->value_count++] = end_value(o, i);
		}
		if (!rc)
			rc = buf_printf(to, err, "%s %s ?)", o->columns[level]->column,
					o->descending[level] ? "<" : ">");
		o->values[o->value_count++] = end_value(o, level);
	}
	return rc ? rc : buf_add_text(to, ")", err);
}

/* The bytes of a cursor, ended by a NUL: the tag, then the text. */
static int read_hex(const char *cursor, char **ret, struct berth_error *err)
{
	size_t hex_count = strlen(cursor), count = hex_count / 2;
	AUTO_FREE char *bytes = NULL;

	if (hex_count % 2 || count < TAG_BYTES || count > TAG_BYTES + CURSOR_MAX_BYTES)
		return bad_cursor(err);
	bytes = malloc(count + 1);
	if (!bytes)
		return berth_fail_memory(err);
	if (!text_unhex(cursor, (unsigned char *)bytes, count))
		return bad_cursor(err);
	bytes[count] = '\0';
	*ret = STEAL(bytes);
	return 0;
}

int cursor_open(struct store *s, const struct store_table *table, const struct store_page *page,
		struct order *o, struct buf *condition, struct berth_error *err)
{
	unsigned char expected[TAG_BYTES];
	AUTO_FREE char *bytes = NULL;
	int rc = read_hex(page->cursor, &bytes, err);

	if (!rc)
		rc = make_tag(s, table, page, o, bytes + TAG_BYTES, expected, err);
	if (rc)
		return rc;
	if (CRYPTO_memcmp(bytes, expected, TAG_BYTES) != 0)
		return bad_cursor(err);
	rc = parse_ends(bytes + TAG_BYTES, o, err);
	return rc ? rc : write_after(o, condition, err);
}

/* The keyed hash of a cursor that belongs to no query. */
static int hash_what(struct store *s, const char *what, const char *ends, unsigned char *to,
		     struct berth_error *err)
{
	AUTO_BUF struct buf all = {.max = (size_t)64 * 1024};
	int rc = buf_printf(&all, err, "sealed\n%s\n%s", what, ends);

	return rc ? rc : hash_text(s, &all, to, err);
}

int store_cursor_seal(struct store *s, const char *what, const json_t *ends, char **ret,
		      struct berth_error *err)
{
	AUTO_FREE char *text = js_text(ends);
	unsigned char tag[TAG_BYTES];

	if (!text)
		return berth_fail_memory(err);
	int rc = hash_what(s, what, text, tag, err);
	return rc ? rc : write_hex(tag, text, ret, err);
}

int store_cursor_open(struct store *s, const char *what, const char *cursor, json_t **ret,
		      struct berth_error *err)
{
	unsigned char expected[TAG_BYTES];
	AUTO_FREE char *bytes = NULL;
	int rc = read_hex(cursor, &bytes, err);

	if (!rc)
		rc = hash_what(s, what, bytes + TAG_BYTES, expected, err);
	if (rc)
		return rc;
	if (CRYPTO_memcmp(bytes, expected, TAG_BYTES) != 0)
		return bad_cursor(err);
	const char *text = bytes + TAG_BYTES;
	/* The analyzer does not see that read_hex without an error has set bytes. */
	size_t text_count = strlen(text); // NOLINT(clang-analyzer-core.NonNullParamChecker)
	return js_parse(text, text_count, &js_limits_api, ret, err);
}
