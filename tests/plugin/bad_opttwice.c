/* SPDX-License-Identifier: Apache-2.0 */
/* An option is there twice. */
#include "bad.h"

static const struct berth_option options[] = {
	{"colour", BERTH_OPT_STRING, 0, NULL, "The colour."},
	{"colour", BERTH_OPT_STRING, 0, NULL, "The colour again."},
	{NULL, 0, 0, NULL, NULL},
};

PLUGIN = {
	BERTH_PLUGIN_HEAD, .name = "bad-opttwice",        GOOD_NAMES,
	GOOD_CALLS,        BERTH_PLUGIN_OPTIONS(options),
};
