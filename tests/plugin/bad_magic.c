/* SPDX-License-Identifier: Apache-2.0 */
/* Its magic is another's. */
#include "bad.h"

PLUGIN = {
	.magic = 0x12345678u,
	.size = sizeof(struct berth_plugin),
	.abi_major = BERTH_ABI_MAJOR,
	.name = "bad-magic",
	GOOD_NAMES,
	GOOD_CALLS,
};
