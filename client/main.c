/* SPDX-License-Identifier: Apache-2.0 */
/* berthctl: a plain client of the control socket. */
#include <stdio.h>

int main(void)
{
	puts("berthctl " BERTH_VERSION);
	return 0;
}
