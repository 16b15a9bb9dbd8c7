/* SPDX-License-Identifier: Apache-2.0 */
/* Its size field claims more than there is. */
#include "bad.h"

PLUGIN = {
	.magic = BERTH_ABI_MAGIC,
	.size = sizeof(struct berth_plugin) + 512,
	.abi_major = BERTH_ABI_MAJOR,
	.name = "bad-claim",
	GOOD_NAMES,
	GOOD_CALLS,
};
