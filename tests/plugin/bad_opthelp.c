/* SPDX-License-Identifier: Apache-2.0 */
/* An option has no help. */
#include "bad.h"

static const struct berth_option options[] = {
	{"colour", BERTH_OPT_STRING, 0, NULL, NULL},
	{NULL, 0, 0, NULL, NULL},
};

PLUGIN = {
	BERTH_PLUGIN_HEAD, .name = "bad-opthelp",         GOOD_NAMES,
	GOOD_CALLS,        BERTH_PLUGIN_OPTIONS(options),
};
