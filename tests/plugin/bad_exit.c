/* SPDX-License-Identifier: Apache-2.0 */
/* Its constructor ends the process. */
#include "bad.h"

#include <signal.h>
#include <unistd.h>

static void __attribute__((constructor)) misbehave(void)
{
	_exit(5);
}

PLUGIN = {
	BERTH_PLUGIN_HEAD,
	.name = "bad-exit",
	GOOD_NAMES,
	GOOD_CALLS,
};
