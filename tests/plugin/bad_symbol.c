/* SPDX-License-Identifier: Apache-2.0 */
/* It exports another symbol. */
#include "bad.h"

extern const struct berth_plugin berth_plugin_v9;
BERTH_EXPORT const struct berth_plugin berth_plugin_v9 = {
	BERTH_PLUGIN_HEAD,
	.name = "bad-symbol",
	GOOD_NAMES,
	GOOD_CALLS,
};
