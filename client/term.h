/* SPDX-License-Identifier: Apache-2.0 */
/* What a terminal can take: width, colour, UTF-8; and the one place where text
 * from elsewhere is made harmless before it is shown. berthctl only.
 */
#ifndef CLIENT_TERM_H
#define CLIENT_TERM_H

#include <signal.h>
#include <stdbool.h>
#include <stdio.h>

#include "core/base/fail.h"

struct term {
	FILE *file;
	bool is_tty;    /* a terminal that can move the cursor (not TERM=dumb) */
	bool is_colour; /* may be painted */
	bool is_utf8;   /* the locale takes more than ASCII */
	unsigned width; /* columns; 0: no limit (a pipe) */
};

enum paint { PAINT_NONE, PAINT_BOLD, PAINT_DIM, PAINT_RED, PAINT_GREEN, PAINT_YELLOW };

/* Looks at file, the locale, NO_COLOR, CLICOLOR_FORCE, TERM and COLUMNS. colour
 * is "auto", "always" or "never". */
void term_open(struct term *t, FILE *file, const char *colour);
/* A copy of s with every control, escape, bidirectional and zero-width
 * character, and every malformed byte, written as \uXXXX; without UTF-8 all
 * that is not ASCII too. keep_newlines leaves line ends and tabs as they are.
 * free(); NULL without memory. */
char *term_escape(const struct term *t, const char *s, bool keep_newlines) MUST_USE;
/* text, or "" where there was no memory for it: then the run ends as an error. */
const char *term_whole(const char *text);
/* Must this character never reach a terminal as it is? */
bool term_is_hostile(unsigned code_point);
/* One UTF-8 character at s: its bytes, 0 where malformed; sets *ret. */
size_t term_decode(const char *s, unsigned *ret);
/* Columns that s takes. */
size_t term_columns(const char *s);
/* The sequence that begins a paint, or "" where there is no colour. PAINT_NONE
 * ends what was begun. */
const char *term_paint(const struct term *t, enum paint paint);
/* Writes s, escaped but for line ends and tabs; needs no memory. */
void term_put(const struct term *t, const char *s);

/* Its width as it is now: a terminal may have been resized since it was opened. */
void term_measure(struct term *t);

/* Starts the pager for the terminal's output, where there is a terminal and a
 * pager (BERTH_PAGER, PAGER, less -FRSX); what is written to t goes through it
 * until term_pager_stop. No pager is no error. Meanwhile Ctrl-C is the pager's, so that
 * the terminal is not left to it alone, and one that is left early ends nothing. */
enum { PAGER_SIGNAL_COUNT = 3 };
struct pager {
	int pid;
	FILE *file, *saved;
	struct sigaction before[PAGER_SIGNAL_COUNT];
};
void term_pager_start(struct pager *p, struct term *t);
void term_pager_stop(struct pager *p, struct term *t);

#endif
