/* SPDX-License-Identifier: Apache-2.0 */
/* Its option rows are too short to be any. */
#include "bad.h"

static const struct berth_option options[] = {
	{"colour", BERTH_OPT_STRING, 0, NULL, "The colour."},
	{NULL, 0, 0, NULL, NULL},
};

PLUGIN = {
	.magic = BERTH_ABI_MAGIC,
	.size = sizeof(struct berth_plugin),
	.abi_major = BERTH_ABI_MAJOR,
	.option_stride = 8,
	.name = "bad-optstride",
	GOOD_NAMES,
	GOOD_CALLS,
	.options = options,
};
