/* SPDX-License-Identifier: Apache-2.0 */
/* It needs a newer core. */
#include "bad.h"

PLUGIN = {
	BERTH_PLUGIN_HEAD, .needs_minor = 99, .name = "bad-minor", GOOD_NAMES, GOOD_CALLS,
};
