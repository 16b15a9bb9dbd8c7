/* SPDX-License-Identifier: Apache-2.0 */
/* Its name is not a legal one. */
#include "bad.h"

PLUGIN = {
	BERTH_PLUGIN_HEAD,
	.name = "Bad/Name",
	GOOD_NAMES,
	GOOD_CALLS,
};
