/* SPDX-License-Identifier: Apache-2.0 */
/* filter=: whatever parses must compile to SQL with as many question marks as
 * bound values, and no quote.
 */
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
	return 0;
}
