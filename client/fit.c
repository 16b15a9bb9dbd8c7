/* SPDX-License-Identifier: Apache-2.0 */
/* Long texts of a table cut to the terminal's width. libsmartcols can cut, too,
 * but leaves no mark, so that half a path reads as a whole one.
 */
#include "client/fit.h"

#include <string.h>

#include "core/base/scope.h"
#include "core/base/text.h"

enum { GAP = 2, LEAST = 16, COLUMN_MAX = 40 };

char *fit_text(const struct term *term, const char *text, size_t columns)
{
	const char *mark = term->is_utf8 ? "\xE2\x80\xA6" : "...";
	size_t room = term_columns(mark), kept = 0, used = 0;
	if (term_columns(text) <= columns || columns <= room)
		return strdup(text);
	while (text[kept]) {
		char one[8] = "";
		unsigned code = 0;
		size_t bytes = term_decode(text + kept, &code);
		bytes = bytes ? bytes : 1;
		memcpy(one, text + kept, bytes);
		used += term_columns(one);
		if (used + room > columns)
			break;
		kept += bytes;
	}
	while (kept && text[kept - 1] == ' ')
		kept--;
	return text_printf("%.*s%s", (int)kept, text, mark);
}

/* The long column that has most to give; count: none has anything. */
static size_t widest_of(const size_t *widths, const size_t *least, const struct column *columns,
			size_t count)
{
	size_t found = count;
	for (size_t i = 0; i < count; i++)
		if (columns[i].kind == COL_LONG && widths[i] > least[i] &&
		    (found == count || widths[i] > widths[found]))
			found = i;
	return found;
}

int fit_cells(const struct term *term, struct cells *cells, const struct column *columns)
{
	size_t widths[COLUMN_MAX] = {0}, least[COLUMN_MAX], total = 0;
	size_t count = cells->count < COLUMN_MAX ? cells->count : COLUMN_MAX;
	for (size_t i = 0; i < count; i++) {
		size_t title = term_columns(columns[i].title);
		least[i] = title > LEAST ? title : LEAST;
		widths[i] = title;
		for (size_t row = 0; row < cells->rows; row++) {
			size_t width = term_columns(cells->text[row * cells->count + i]);
			widths[i] = width > widths[i] ? width : widths[i];
		}
		total += widths[i] + (i ? GAP : 0);
	}
	for (; total > term->width; total--) {
		size_t i = widest_of(widths, least, columns, count);
		if (i == count)
			break;
		widths[i]--;
	}
	for (size_t n = 0; n < cells->rows * cells->count; n++) {
		size_t i = n % cells->count;
		if (i >= count || columns[i].kind != COL_LONG)
			continue;
		char *cut = fit_text(term, cells->text[n], widths[i]);
		if (!cut)
			return -1;
		free(cells->text[n]);
		cells->text[n] = cut;
	}
	return 0;
}
