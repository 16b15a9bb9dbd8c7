/* SPDX-License-Identifier: Apache-2.0 */
/* Its struct ends before open. */
#include "bad.h"

PLUGIN = {
	.magic = BERTH_ABI_MAGIC,
	.size = offsetof(struct berth_plugin, open),
	.abi_major = BERTH_ABI_MAJOR,
	.name = "bad-size",
	GOOD_NAMES,
	GOOD_CALLS,
};
