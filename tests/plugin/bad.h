/* SPDX-License-Identifier: Apache-2.0 */
/* What the bad plugins have in common: the parts that are right. Each bad_*.c
 * has one defect, and test_loader.py knows the sentence that it must get.
 */
#include <berth/plugin.h>
#include <stddef.h>

static int __attribute__((unused)) good_open(const struct berth_host *host, const void *config,
					     void **ret_self, struct berth_error *err)
{
	(void)host;
	(void)config;
	(void)err;
	*ret_self = NULL;
	return 0;
}

static void __attribute__((unused)) good_close(void *self)
{
	(void)self;
}

#define GOOD_NAMES .version = "1.0", .summary = "Has a defect."
#define GOOD_CALLS .open = good_open, .close = good_close
#define PLUGIN BERTH_EXPORT const struct berth_plugin berth_plugin_v1
