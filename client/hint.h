/* SPDX-License-Identifier: Apache-2.0 */
/* What to type after a problem whose own hint is for those who speak the API. berthctl
 * only.
 */
#ifndef CLIENT_HINT_H
#define CLIENT_HINT_H

#include "client/cli.h"

/* The list of what there is, where a name was wrong; else the command's help. c->command is
 * set. free(); NULL without memory. */
char *hint_for(const struct cli *c, const json_t *problem) MUST_USE;

#endif
