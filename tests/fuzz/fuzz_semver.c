/* SPDX-License-Identifier: Apache-2.0 */
/* Version ranges and versions: the first line is a range, the others are tags.
 * The order of tags must be one: turned around, the answer turns around.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/scope.h"
#include "core/base/semver.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO_FREE char *text = strndup((const char *)data, size);
	char *rest = text, *range = text ? strsep(&rest, "\n") : NULL, *tag;
	const char *before = "";

	if (!range)
		return 0;
	bool is_range = semver_is_range(range);
	while ((tag = strsep(&rest, "\n"))) {
		int there = semver_compare(before, tag), back = semver_compare(tag, before);
		if ((there > 0) != (back < 0) || (there == 0) != (strcmp(before, tag) == 0))
			abort();
		if (semver_in_range(tag, range) && (!is_range || !semver_is_version(tag)))
			abort();
		before = tag;
	}
	return 0;
}
