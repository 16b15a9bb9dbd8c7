/* SPDX-License-Identifier: Apache-2.0 */
/* It has no close. */
#include "bad.h"

PLUGIN = {
	BERTH_PLUGIN_HEAD,
	.name = "bad-noclose",
	GOOD_NAMES,
	.open = good_open,
};
