/* SPDX-License-Identifier: Apache-2.0 */
/* An option has a type that nobody knows. */
#include "bad.h"

static const struct berth_option options[] = {
	{"colour", 77, 0, NULL, "The colour."},
	{NULL, 0, 0, NULL, NULL},
};

PLUGIN = {
	BERTH_PLUGIN_HEAD, .name = "bad-opttype",         GOOD_NAMES,
	GOOD_CALLS,        BERTH_PLUGIN_OPTIONS(options),
};
