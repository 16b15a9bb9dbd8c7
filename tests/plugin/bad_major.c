/* SPDX-License-Identifier: Apache-2.0 */
/* It was built for another major version of the ABI. */
#include "bad.h"

PLUGIN = {
	.magic = BERTH_ABI_MAGIC,
	.size = sizeof(struct berth_plugin),
	.abi_major = BERTH_ABI_MAJOR + 1,
	.name = "bad-major",
	GOOD_NAMES,
	GOOD_CALLS,
};
