/* SPDX-License-Identifier: Apache-2.0 */
/* Version ranges and versions: the first line is a range, the others are tags
 * and ranges. The order of tags must be one: turned around, the answer turns
 * around. Two ranges that hold one tag must be said to meet.
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
	const char *before = "", *other = "";

	if (!range)
		return 0;
	bool is_range = semver_is_range(range);
	while ((tag = strsep(&rest, "\n"))) {
		int there = semver_compare(before, tag), back = semver_compare(tag, before);
		if ((there > 0) != (back < 0) || (there == 0) != (strcmp(before, tag) == 0))
			abort();
		if (semver_in_range(tag, range) && (!is_range || !semver_is_version(tag)))
			abort();
		if (semver_in_range(tag, range) && semver_in_range(tag, other) &&
		    (!semver_ranges_meet(range, other) || !semver_ranges_meet(other, range)))
			abort();
		if (semver_is_range(tag))
			other = tag;
		before = tag;
	}
	return 0;
}
