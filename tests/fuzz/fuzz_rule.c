/* SPDX-License-Identifier: Apache-2.0 */
/* Copy rules, and the names and tags that they choose: the first line is the
 * rule, the others are repositories and tags.
 */
#include <stdlib.h>
#include <string.h>

#include "core/base/js.h"
#include "core/transfer/rule.h"

static void try_name(const struct rule *r, const char *name)
{
	struct berth_error err = ERROR_INIT;
	AUTO_FREE char *mapped = NULL;
	(void)rule_has_tag(r, name);
	if (!rule_has_repository(r, name) || rule_map(r, name, &mapped, &err))
		return;
	if (!*mapped || strlen(mapped) > 255)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO_FREE char *text = strndup((const char *)data, size);
	AUTO(rule) struct rule *r = NULL;
	AUTO_JSON json_t *doc = NULL;
	struct berth_error err = ERROR_INIT;
	char *rest = text, *line = text ? strsep(&rest, "\n") : NULL;

	if (!line || js_parse(line, strlen(line), &js_limits_api, &doc, &err))
		return 0;
	if (rule_parse(doc, &r, &err)) {
		if (!err.code || !err.message[0])
			abort();
		return 0;
	}
	while ((line = strsep(&rest, "\n")))
		if (*line)
			try_name(r, line);
	return 0;
}
