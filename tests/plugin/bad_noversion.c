/* SPDX-License-Identifier: Apache-2.0 */
/* It has no version. */
#include "bad.h"

PLUGIN = {
	BERTH_PLUGIN_HEAD,
	.name = "bad-noversion",
	.summary = "Has a defect.",
	GOOD_CALLS,
};
