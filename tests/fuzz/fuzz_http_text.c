/* SPDX-License-Identifier: Apache-2.0 */
/* The small readers of headers and targets: Accept, ETag lists, paths, the
 * text of parameters.
 */
#include <stdlib.h>
#include <string.h>

#include "core/base/text.h"
#include "core/http/internal.h"

static void try_path(const char *text)
{
	struct berth_error err = ERROR_INIT;
	struct route_path p;
	if (route_path_parse(text, strlen(text), &p, &err))
		return;
	for (size_t i = 0; i < p.count; i++)
		if (!text_is_utf8(p.segments[i], strlen(p.segments[i])) ||
		    !strcmp(p.segments[i], "..") || strstr(p.segments[i], "/../"))
			abort();
	route_find(&p);
	route_path_done(&p);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const kinds[] = {"application/json", "text/plain", NULL};
	static const struct schema number = {.types = SCHEMA_INTEGER | SCHEMA_BOOLEAN, .max = 9};
	static const struct schema list = {.types = SCHEMA_ARRAY, .items = &number};
	AUTO_FREE char *text = strndup((const char *)data, size);
	AUTO_JSON json_t *errors = json_array();

	if (!text)
		return 0;
	accept_choose(text, kinds);
	etag_in_list(text, "\"a-1\"", true);
	etag_in_list(text, "\"a-1\"", false);
	try_path(text);
	AUTO_JSON json_t *value = schema_value_of_text(&list, text);
	if (value)
		schema_check(&list, value, false, errors);
	return 0;
}
