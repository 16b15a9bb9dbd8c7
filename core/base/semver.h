/* SPDX-License-Identifier: Apache-2.0 */
/* Versions in tags, and ranges of them, as semver.org and npm have them. Pure
 * functions, no memory, work bounded by the texts' lengths.
 *
 * A version is [v]MAJOR[.MINOR[.PATCH]][-PRERELEASE][+BUILD]; what is left out is
 * zero, and a build may begin with _, since tags can't have +. A range is
 * comparators that must all hold, separated by spaces or commas; || separates
 * alternatives. A comparator is = > >= < <= ^ ~ or nothing, and a version whose
 * last parts may be x, * or left out: "^1.2", ">=1.4 <2 || 3.x". A prerelease is
 * in a range only where a comparator names a prerelease of the same version.
 */
#ifndef CORE_BASE_SEMVER_H
#define CORE_BASE_SEMVER_H

#include <stdbool.h>

#define SEMVER_RANGE_MAX 255

bool semver_is_version(const char *s);
bool semver_is_range(const char *s);
/* Is the text a version within the range? A wrong range has none. */
bool semver_in_range(const char *version, const char *range);
/* Could a version be in both ranges? Only what is certain is false: two ranges with no version
 * between their bounds. True of what is no range. */
bool semver_ranges_meet(const char *a, const char *b);
/* Orders any two texts: versions by precedence, above all that is none; the
 * others, and versions of one precedence, with runs of digits as numbers. */
int semver_compare(const char *a, const char *b);

#endif
