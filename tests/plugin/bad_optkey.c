/* SPDX-License-Identifier: Apache-2.0 */
/* An option's key is not a legal one. */
#include "bad.h"

static const struct berth_option options[] = {
	{"The Colour", BERTH_OPT_STRING, 0, NULL, "The colour."},
	{NULL, 0, 0, NULL, NULL},
};

PLUGIN = {
	BERTH_PLUGIN_HEAD, .name = "bad-optkey",          GOOD_NAMES,
	GOOD_CALLS,        BERTH_PLUGIN_OPTIONS(options),
};
