/* SPDX-License-Identifier: Apache-2.0 */
/* It has no name. */
#include "bad.h"

PLUGIN = {
	BERTH_PLUGIN_HEAD,
	GOOD_NAMES,
	GOOD_CALLS,
};
