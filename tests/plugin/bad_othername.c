/* SPDX-License-Identifier: Apache-2.0 */
/* Its name is not that of its file. */
#include "bad.h"

PLUGIN = {
	BERTH_PLUGIN_HEAD,
	.name = "somebody-else",
	GOOD_NAMES,
	GOOD_CALLS,
};
