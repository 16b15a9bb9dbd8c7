/* SPDX-License-Identifier: Apache-2.0 */
/* Its constructor crashes. */
#include "bad.h"

#include <signal.h>
#include <unistd.h>

static void __attribute__((constructor)) misbehave(void)
{
	raise(SIGSEGV);
}

PLUGIN = {
	BERTH_PLUGIN_HEAD,
	.name = "bad-crash",
	GOOD_NAMES,
	GOOD_CALLS,
};
