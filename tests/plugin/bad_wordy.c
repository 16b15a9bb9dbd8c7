/* SPDX-License-Identifier: Apache-2.0 */
/* Its help is longer than a frame of the worker's socket. */
#include "bad.h"

#define TEN(text) text text text text text text text text text text
#define LONG TEN(TEN(TEN(TEN("Colours!"))))

static const struct berth_option options[] = {
	{"colour", BERTH_OPT_STRING, 0, NULL, LONG},
	{NULL, 0, 0, NULL, NULL},
};

PLUGIN = {
	BERTH_PLUGIN_HEAD, .name = "bad-wordy",           GOOD_NAMES,
	GOOD_CALLS,        BERTH_PLUGIN_OPTIONS(options),
};
