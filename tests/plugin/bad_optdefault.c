/* SPDX-License-Identifier: Apache-2.0 */
/* An option's default is not of its type. */
#include "bad.h"

static const struct berth_option options[] = {
	{"colour", BERTH_OPT_INT, 0, "red", "The colour."},
	{NULL, 0, 0, NULL, NULL},
};

PLUGIN = {
	BERTH_PLUGIN_HEAD, .name = "bad-optdefault",      GOOD_NAMES,
	GOOD_CALLS,        BERTH_PLUGIN_OPTIONS(options),
};
