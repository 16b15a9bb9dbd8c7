/* SPDX-License-Identifier: Apache-2.0 */
/* Texts of help that are not in the command table: topics, exit codes and the
 * environment; shared by `berthctl help` and the manual pages.
 */
#ifndef CLIENT_HELP_H
#define CLIENT_HELP_H

#include "client/cli.h"

struct topic {
	const char *name, *summary, *text; /* paragraphs separated by empty lines */
};
extern const struct topic topics[]; /* ends with a NULL name */

struct exit_text {
	int code;
	const char *what;
};
extern const struct exit_text exit_texts[]; /* ends with a NULL what */

struct variable {
	const char *name, *what;
};
extern const struct variable variables[]; /* ends with a NULL name */

/* Writes text as paragraphs filled to width columns, indented. */
void help_paragraphs(struct cli *c, const char *text, unsigned indent);
/* man.c: the manual page berthctl(1), or berthctl-NOUN(1), in mdoc. */
int man_print(struct cli *c, const char *noun);

#endif
