/* SPDX-License-Identifier: Apache-2.0 */
/* It wants a function that nobody has. */
#include "bad.h"

int nobody_has_this(void);

static int open_undefined(const struct berth_host *host, const void *config, void **ret_self,
			  struct berth_error *err)
{
	return nobody_has_this() + good_open(host, config, ret_self, err);
}

PLUGIN = {
	BERTH_PLUGIN_HEAD,      .name = "bad-undefined", GOOD_NAMES,
	.open = open_undefined, .close = good_close,
};
