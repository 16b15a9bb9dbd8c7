/* SPDX-License-Identifier: Apache-2.0 */
/* filter=: whatever parses must compile to SQL with as many question marks as
 * bound values, and no quote; an object fits it or its negation, never both.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/http/filter.h"

struct row {
	char *name;
	int64_t number;
};
static const struct store_column columns[] = {
	{"name", "name", STORE_TEXT, 0},
	{"n", "n", STORE_INT, 8},
	{"at", "at", STORE_TIME, 8},
	{"on", "is_on", STORE_BOOL, 8},
};
static const struct store_table table = {
	.name = "things", .columns = columns, .column_count = 4, .key = "name"};

static size_t count_marks(const char *sql)
{
	size_t n = 0;
	for (; *sql; sql++)
		n += *sql == '?';
	return n;
}

static const char *const objects[] = {
	"{\"name\": \"a%_\\\\\\u00e9\\ud83d\\ude00\", \"n\": 7, \"at\": \"2026-11-22T18:00:00Z\"}",
	"{\"name\": \"aaaaaaaaaaaaaaaaaaaaab\", \"n\": -1, \"on\": true, \"at\": \"x\"}",
	"{}",
};

/* An object fits the filter or its contrary, never both. */
static void check_objects(const struct filter *f, const char *text)
{
	struct berth_error err = ERROR_INIT;
	struct filter_values values;
	AUTO(filter) struct filter *contrary = NULL;
	AUTO_BUF struct buf sql;
	char said[2048];
	int bytes = snprintf(said, sizeof(said), "not (%s)", text);

	buf_init(&sql, 16384);
	bool has_contrary = bytes > 0 && (size_t)bytes < sizeof(said) &&
			    !filter_parse(said, &contrary, &err) &&
			    !filter_compile(contrary, &table, &sql, &values, &err);
	for (size_t i = 0; i < ARRAY_COUNT(objects); i++) {
		AUTO_JSON json_t *item = json_loads(objects[i], 0, NULL);
		if (!item)
			abort();
		bool fits = filter_fits(f, &table, item);
		if (has_contrary && filter_fits(contrary, &table, item) == fits)
			abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct berth_error err = ERROR_INIT;
	struct filter_values values;
	AUTO(filter) struct filter *f = NULL;
	AUTO_BUF struct buf sql;
	AUTO_FREE char *text = strndup((const char *)data, size);

	buf_init(&sql, 16384);
	if (!text || filter_parse(text, &f, &err) || filter_compile(f, &table, &sql, &values, &err))
		return 0;
	if (count_marks(buf_text(&sql)) != values.count)
		abort();
	if (strpbrk(buf_text(&sql), "\"\n;-"))
		abort();
	check_objects(f, text);
	return 0;
}
