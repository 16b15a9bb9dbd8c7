/* SPDX-License-Identifier: Apache-2.0 */
/* berthd: the daemon and, with --worker, the process that does its jobs. */
#include <stdio.h>

int main(void)
{
	puts("berthd " BERTH_VERSION);
	return 0;
}
