/* SPDX-License-Identifier: Apache-2.0 */
/* Its summary is not UTF-8. */
#include "bad.h"

PLUGIN = {
	BERTH_PLUGIN_HEAD, .name = "bad-utf8", .version = "1.0", .summary = "\xff\xfe", GOOD_CALLS,
};
