/* SPDX-License-Identifier: Apache-2.0 */
/* It has no summary. */
#include "bad.h"

PLUGIN = {
	BERTH_PLUGIN_HEAD,
	.name = "bad-nosummary",
	.version = "1.0",
	GOOD_CALLS,
};
