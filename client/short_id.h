/* SPDX-License-Identifier: Apache-2.0 */
/* Ids as a person types them: a table at a terminal shows the first 8 digits of an
 * id (COL_ID), and commands take any beginning of 4 or more that one id alone has.
 * Scripts see whole ids and send them: then nothing is asked.
 */
#ifndef CLIENT_SHORT_ID_H
#define CLIENT_SHORT_ID_H

#include "client/cli.h"

enum { SHORT_ID_SHOWN = 8, SHORT_ID_LEAST = 4 };

/* Is it the beginning of an id, and not a whole one? */
bool short_id_is(const char *text);
/* The operand's, made whole from the list at the route ("/v1/scans", "/v1/syncs/{0}/runs"),
 * which takes filter; what it is of ("scan") is for the error. An operand that is no beginning
 * of an id stays as it is. -1, or the exit code of what was said: none or several begin so. */
int short_id_operand(struct cli *c, size_t index, const char *route, const char *what);
/* All operands and flags of the command whose kind is that of an id (NAMES_OPERATION,
 * NAMES_PLAN, NAMES_RUN): -1, or the exit code of what was said. */
int short_ids_given(struct cli *c);

#endif
