/* SPDX-License-Identifier: Apache-2.0 */
/* Its constructor hangs. */
#include "bad.h"

#include <signal.h>
#include <unistd.h>

static void __attribute__((constructor)) misbehave(void)
{
	for (;;)
		pause();
}

PLUGIN = {
	BERTH_PLUGIN_HEAD,
	.name = "bad-hang",
	GOOD_NAMES,
	GOOD_CALLS,
};
