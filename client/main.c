/* SPDX-License-Identifier: Apache-2.0 */
/* berthctl: a plain client of berthd's control socket. Everything is in
 * cli_main, which the unit tests call too.
 */
#include <locale.h>

#include "client/cli.h"

int main(int argc, char **argv)
{
	setlocale(LC_CTYPE, "");
	js_count_losses(NULL);
	return cli_main(argc, argv, stdin, stdout, stderr);
}
