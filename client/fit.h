/* SPDX-License-Identifier: Apache-2.0 */
/* Long texts of a table cut to the terminal's width, with a mark where
 * something is missing. berthctl only.
 */
#ifndef CLIENT_FIT_H
#define CLIENT_FIT_H

#include "client/command.h"
#include "client/term.h"

/* The cells of a table, row after row, each of them malloc'd text that was made
 * harmless. */
struct cells {
	char **text;
	size_t rows, count; /* count: columns */
};

/* Cuts columns of the kind COL_LONG, the widest first, until the rows take no
 * more than term->width columns, but none of them below what its title or 16
 * columns take. A cut text ends in an ellipsis: "..." where the locale has no
 * UTF-8. 0, or -1 without memory. */
int fit_cells(const struct term *term, struct cells *cells, const struct column *columns) MUST_USE;
/* The first columns of text, the mark included; text itself is not taken. Texts
 * that fit are copied. free(); NULL without memory. */
char *fit_text(const struct term *term, const char *text, size_t columns) MUST_USE;

#endif
