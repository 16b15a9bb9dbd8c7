/* SPDX-License-Identifier: Apache-2.0 */
/* An op table has no size. */
#include "bad.h"

static const struct berth_scan_ops scan = {.size = 0};

PLUGIN = {
	BERTH_PLUGIN_HEAD, .name = "bad-table", GOOD_NAMES, GOOD_CALLS, .scan = &scan,
};
