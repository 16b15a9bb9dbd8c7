/* SPDX-License-Identifier: Apache-2.0 */
/* Secrets, files and questions: the ways in which a person hands something to
 * berthctl other than by its arguments. A secret never comes from argv.
 */
#ifndef CLIENT_SECRET_H
#define CLIENT_SECRET_H

#include "client/cli.h"

enum { SECRET_BYTES_MAX = 64 * 1024, FILE_BYTES_MAX = 4 * 1024 * 1024 };

/* from: a path, "-" (stdin to its end) or "credential:NAME" (a file of
 * $CREDENTIALS_DIRECTORY). One line end is cut off. free() after wiping. */
MUST_USE int secret_read(struct cli *c, const char *from, char **ret, struct berth_error *err);
/* Asks at the terminal without echo. BERTH_E_INVALID where there is none. */
MUST_USE int secret_ask(struct cli *c, const char *prompt, char **ret, struct berth_error *err);
/* The whole text of a file, or of stdin for "-"; no NUL in it. */
MUST_USE int file_text(struct cli *c, const char *path, char **ret, struct berth_error *err);

/* Is a person at both ends, so that a question makes sense? */
bool can_ask(const struct cli *c);
/* Asks; true for y or yes. what names what goes, in one line. */
bool ask_yes(struct cli *c, const char *what);
/* true: go on (--yes, or the answer was yes, or it is a dry run, which is told what
 * would go); else, also where what is NULL for want of memory, *ret_exit is set and the
 * reason was said. */
bool confirm(struct cli *c, const char *what, int *ret_exit);

#endif
