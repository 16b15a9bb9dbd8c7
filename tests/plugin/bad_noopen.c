/* SPDX-License-Identifier: Apache-2.0 */
/* It has no open. */
#include "bad.h"

PLUGIN = {
	BERTH_PLUGIN_HEAD,
	.name = "bad-noopen",
	GOOD_NAMES,
	.close = good_close,
};
