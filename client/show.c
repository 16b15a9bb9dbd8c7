/* SPDX-License-Identifier: Apache-2.0 */
/* Tables by libsmartcols, details, CSV, templates, JSON and YAML. Whatever is
 * printed here went through term_escape or json_text.
 */
#include "client/show.h"

#include <libsmartcols.h>
#include <string.h>
#include <strings.h>

#include "client/fit.h"
#include "core/base/text.h"

enum { COLUMN_MAX = 40 };

struct columns {
	struct column list[COLUMN_MAX + 1];
	char titles[COLUMN_MAX][64], paths[COLUMN_MAX][128];
	size_t count;
	bool is_cut; /* more were asked for */
};

/* Equal but for case and the kind of word break? */
static bool same_title(const char *title, const char *typed)
{
	for (; *title && *typed; title++, typed++) {
		bool is_break = strchr(" _-", *title) && strchr(" _-", *typed);
		if (!is_break && strncasecmp(title, typed, 1) != 0)
			return false;
	}
	return !*title && !*typed;
}

/* A column by title, or else by path. */
static void add_column(struct columns *to, const struct column *known, const char *typed)
{
	if (to->count == COLUMN_MAX) {
		to->is_cut = true;
		return;
	}
	struct column *at = &to->list[to->count];
	for (const struct column *k = known; k && k->title; k++)
		if (same_title(k->title, typed) || !strcmp(k->path, typed)) {
			*at = *k;
			to->count++;
			return;
		}
	snprintf(to->paths[to->count], sizeof(to->paths[0]), "%s", typed);
	snprintf(to->titles[to->count], sizeof(to->titles[0]), "%.60s", typed);
	for (char *s = to->titles[to->count]; *s; s++)
		*s = *s >= 'a' && *s <= 'z' ? (char)(*s - 32) : *s;
	*at = (struct column){to->titles[to->count], to->paths[to->count], COL_TEXT, false};
	to->count++;
}

static void choose_columns(const struct cli *c, const struct column *known, bool is_detail,
			   struct columns *to)
{
	const char *asked = cli_flag(c, "columns", NULL);
	*to = (struct columns){.count = 0};
	if (asked) {
		AUTO_FREE char *copy = strdup(asked);
		char *rest = NULL;
		for (char *w = copy ? strtok_r(copy, ", ", &rest) : NULL; w;
		     w = strtok_r(NULL, ", ", &rest))
			add_column(to, known, w);
		return;
	}
	for (const struct column *k = known; k && k->title && to->count < COLUMN_MAX; k++)
		if (is_detail || !k->is_wide || c->format == FORMAT_WIDE) {
			to->list[to->count] = *k;
			if (is_detail && k->kind == COL_ID)
				to->list[to->count].kind = COL_TEXT;
			to->count++;
		}
}

/* Digests and times whole? In a pipe, with --no-trunc, and in CSV. */
static bool is_exact(const struct cli *c)
{
	return !c->out.is_tty || cli_has(c, "no-trunc");
}

/* The plain kind that such a column is drawn as. */
static enum column_kind drawn_as(const json_t *item, enum column_kind kind)
{
	switch (kind) {
	case COL_BYTES_SET:
		return COL_BYTES;
	case COL_COUNT_SET:
		return COL_COUNT;
	case COL_TARGETS:
		return COL_TEXT;
	case COL_AMOUNT:
		return strcmp(js_str(value_at(item, "progress"), "unit", ""), "bytes") != 0
			       ? COL_COUNT
			       : COL_BYTES;
	default:
		return kind;
	}
}

/* Sizes read well everywhere; digests and times are cut for a person only. What
 * 0 leaves unset is left empty for a person, too. */
static char *shown(struct cli *c, const json_t *item, const struct column *col)
{
	enum column_kind kind = drawn_as(item, col->kind);
	bool exact = is_exact(c) && kind != COL_BYTES && kind != COL_SECONDS;
	const json_t *several = value_at(item, "targets");
	bool are_several = col->kind == COL_TARGETS && json_array_size(several);
	const json_t *value = are_several ? several : value_at(item, col->path);
	bool is_unset = json_is_integer(value) && !json_integer_value(value);
	if (is_unset && (col->kind == COL_BYTES_SET || col->kind == COL_COUNT_SET))
		return strdup("");
	AUTO_FREE char *text = cell_text(value, kind, exact);
	return text ? term_escape(&c->out, text, false) : NULL;
}

static bool is_number(enum column_kind kind)
{
	return kind == COL_BYTES || kind == COL_COUNT || kind >= COL_COUNT_SET;
}

static struct libscols_table *make_table(struct cli *c, const struct columns *cols)
{
	struct libscols_table *t = scols_new_table();
	if (!t)
		return NULL;
	scols_table_set_stream(t, c->out.file);
	scols_table_enable_noheadings(t, cli_has(c, "no-headers"));
	scols_table_enable_colors(t, c->out.is_colour);
	scols_table_set_column_separator(t, "  ");
	scols_table_set_termforce(t, SCOLS_TERMFORCE_NEVER);
	for (size_t i = 0; i < cols->count; i++) {
		int flags = is_number(cols->list[i].kind) ? SCOLS_FL_RIGHT : 0;
		struct libscols_column *made =
			scols_table_new_column(t, cols->list[i].title, 0, flags);
		if (made && c->out.is_colour)
			scols_cell_set_color(scols_column_get_header(made), "\x1b[1m");
	}
	return t;
}

static int add_row(struct cli *c, struct libscols_table *t, const struct columns *cols,
		   char **texts)
{
	struct libscols_line *line = scols_table_new_line(t, NULL);
	for (size_t i = 0; line && i < cols->count; i++) {
		if (cols->list[i].kind == COL_STATE && c->out.is_colour)
			scols_cell_set_color(scols_line_get_cell(line, i),
					     term_paint(&c->out, paint_of_state(texts[i])));
		if (scols_line_refer_data(line, i, texts[i]) != 0)
			return -1;
		texts[i] = NULL;
	}
	return line ? 0 : -1;
}

/* The texts of all cells, cut to the terminal where there is one. */
static int make_cells(struct cli *c, const json_t *items, const struct columns *cols,
		      struct cells *to)
{
	*to = (struct cells){.rows = json_array_size(items), .count = cols->count};
	to->text = calloc(to->rows * to->count + 1, sizeof(char *));
	if (!to->text)
		return -1;
	for (size_t n = 0; n < to->rows * to->count; n++) {
		to->text[n] =
			shown(c, json_array_get(items, n / to->count), &cols->list[n % to->count]);
		if (!to->text[n])
			return -1;
	}
	bool is_cut = c->out.width && !cli_has(c, "no-trunc");
	return is_cut ? fit_cells(&c->out, to, cols->list) : 0;
}

static void free_cells(struct cells *cells)
{
	for (size_t n = 0; cells->text && n < cells->rows * cells->count; n++)
		free(cells->text[n]);
	free(cells->text);
}

/* Columns for -o wide that no item has anything in only take width. */
static void drop_empty(const json_t *items, struct columns *cols)
{
	size_t kept = 0;
	for (size_t i = 0; i < cols->count; i++) {
		bool is_used = !cols->list[i].is_wide;
		for (size_t row = 0; row < json_array_size(items) && !is_used; row++) {
			const json_t *value =
				value_at(json_array_get(items, row), cols->list[i].path);
			bool is_empty = (json_is_string(value) && !json_string_length(value)) ||
					(json_is_array(value) && !json_array_size(value));
			is_used = value && !json_is_null(value) && !is_empty;
		}
		if (is_used)
			cols->list[kept++] = cols->list[i];
	}
	cols->count = kept;
}

/* "LAST RUN" as "Last run". */
static void detail_title(const char *title, char *to, size_t room)
{
	snprintf(to, room, "%s", title);
	for (char *s = to; *s && s[1]; s++)
		s[1] = s[1] >= 'A' && s[1] <= 'Z' ? (char)(s[1] + 32) : s[1];
}

/* The table without the blanks that libsmartcols fills each line's end with. */
static int put_trimmed(struct cli *c, struct libscols_table *t)
{
	AUTO_FREE char *text = NULL;
	int failed = scols_print_table_to_string(t, &text);
	for (const char *line = text; !failed && *line;) {
		size_t bytes = strcspn(line, "\n"), kept = bytes;
		while (kept && line[kept - 1] == ' ')
			kept--;
		fwrite(line, 1, kept, c->out.file);
		fputc('\n', c->out.file);
		line += bytes + (line[bytes] == '\n');
	}
	return failed;
}

static int print_table(struct cli *c, const json_t *items, const struct columns *cols)
{
	if (!json_array_size(items)) {
		if (c->out.is_tty)
			cli_note(c, "nothing there");
		return EXIT_OK;
	}
	struct cells cells;
	struct libscols_table *t = make_table(c, cols);
	int failed = make_cells(c, items, cols, &cells) || !t;
	for (size_t row = 0; row < cells.rows && !failed; row++)
		failed = add_row(c, t, cols, cells.text + row * cells.count);
	if (!failed)
		failed = put_trimmed(c, t);
	scols_unref_table(t);
	free_cells(&cells);
	if (failed)
		cli_usage(c, "cannot make the table: out of memory");
	return failed ? EXIT_ERROR : EXIT_OK;
}

/* RFC 4180. */
static void put_csv(struct cli *c, const char *text, bool is_last)
{
	if (strpbrk(text, ",\"\n\r")) {
		fputc('"', c->out.file);
		for (; *text; text++) {
			if (*text == '"')
				fputc('"', c->out.file);
			fputc(*text, c->out.file);
		}
		fputc('"', c->out.file);
	} else {
		fputs(text, c->out.file);
	}
	fputs(is_last ? "\r\n" : ",", c->out.file);
}

static int print_csv(struct cli *c, const json_t *items, const struct columns *cols)
{
	size_t row;
	const json_t *item;
	for (size_t i = 0; i < cols->count && !cli_has(c, "no-headers"); i++)
		put_csv(c, cols->list[i].title, i + 1 == cols->count);
	json_array_foreach (items, row, item)
		for (size_t i = 0; i < cols->count; i++) {
			const struct column *col = &cols->list[i];
			AUTO_FREE char *text =
				cell_text(value_at(item, col->path), col->kind, true);
			AUTO_FREE char *safe = text ? term_escape(&c->out, text, false) : NULL;
			if (!safe)
				return cli_no_memory(c);
			put_csv(c, safe, i + 1 == cols->count);
		}
	return EXIT_OK;
}

static int print_names(struct cli *c, const json_t *items)
{
	size_t i;
	const json_t *item;
	const char *first = c->command && c->command->name_path ? c->command->name_path : "name";
	const char *other = c->command ? c->command->name_else : NULL;
	json_array_foreach (items, i, item) {
		const char *path = other && !value_at(item, first) ? other : first;
		AUTO_FREE char *text = strchr(path, '{')
					       ? template_text(path, item)
					       : cell_text(value_at(item, path), COL_TEXT, true);
		if (!text)
			return cli_no_memory(c);
		term_put(&c->out, text);
		fputc('\n', c->out.file);
	}
	return EXIT_OK;
}

static int print_template(struct cli *c, const json_t *items)
{
	size_t i, bytes = strlen(c->template);
	const json_t *item;
	bool has_end = bytes >= 2 && !strcmp(c->template + bytes - 2, "\\n");
	json_array_foreach (items, i, item) {
		AUTO_FREE char *text = template_text(c->template, item);
		if (!text)
			return cli_no_memory(c);
		term_put(&c->out, text);
		if (!has_end)
			fputc('\n', c->out.file);
	}
	return EXIT_OK;
}

static int print_ndjson(struct cli *c, const json_t *items)
{
	size_t i;
	const json_t *item;
	json_array_foreach (items, i, item) {
		AUTO_FREE char *text = json_text(item, JSON_COMPACT);
		if (!text)
			return cli_no_memory(c);
		fprintf(c->out.file, "%s\n", text);
	}
	return EXIT_OK;
}

int show_machine(struct cli *c, const json_t *body)
{
	const char *filter = cli_flag(c, "jq", NULL);
	if (filter)
		return jq_print(c, body, filter);
	if (c->format != FORMAT_JSON && c->format != FORMAT_YAML)
		return -1;
	bool is_json = c->format == FORMAT_JSON;
	AUTO_FREE char *text = is_json ? json_text(body, JSON_INDENT(2)) : yaml_text(body);
	if (!text)
		return cli_no_memory(c);
	fputs(text, c->out.file);
	if (is_json)
		fputc('\n', c->out.file);
	return EXIT_OK;
}

int show_document(struct cli *c, const json_t *body)
{
	int status = show_machine(c, body);
	if (status >= 0 || c->format != FORMAT_NDJSON)
		return status;
	AUTO_FREE char *text = json_text(body, JSON_COMPACT);
	if (!text)
		return cli_no_memory(c);
	fprintf(c->out.file, "%s\n", text);
	return EXIT_OK;
}

/* Is a column that was asked for by its path in none of the items? Then it was
 * mistyped: says so, with the titles that there are. */
static bool is_mistyped(struct cli *c, const json_t *items, const struct columns *cols,
			const struct column *known)
{
	char titles[512] = "";
	size_t n = 0, rows = json_array_size(items);
	if (!cols->count && cli_has(c, "columns")) {
		cli_usage(c, "--columns names no column");
		return true;
	}
	if (cols->is_cut) {
		cli_usage(c, "--columns takes at most %d columns", COLUMN_MAX);
		return true;
	}
	for (size_t i = 0; i < cols->count && rows; i++) {
		const struct column *col = &cols->list[i];
		bool is_found = false;
		for (const struct column *k = known; k && k->title && !is_found; k++)
			is_found = !strcmp(k->path, col->path);
		for (size_t row = 0; row < rows && !is_found; row++)
			is_found = value_at(json_array_get(items, row), col->path) != NULL;
		if (is_found)
			continue;
		for (const struct column *k = known; k && k->title && n < sizeof(titles); k++)
			n += (size_t)snprintf(titles + n, sizeof(titles) - n, "%s%s", n ? ", " : "",
					      k->title);
		cli_usage(c, "there is no column '%s'", col->path);
		cli_hint(c, "columns are %s, or paths as in -o json", titles);
		return true;
	}
	return false;
}

/* The formats that go item by item; -1: a table is wanted. */
static int show_items(struct cli *c, const json_t *items, const struct columns *cols)
{
	switch (c->format) {
	case FORMAT_NDJSON:
		return print_ndjson(c, items);
	case FORMAT_NAME:
		return print_names(c, items);
	case FORMAT_TEMPLATE:
		return print_template(c, items);
	case FORMAT_CSV:
		return print_csv(c, items, cols);
	default:
		return -1;
	}
}

int show_list(struct cli *c, const json_t *body, const struct column *columns)
{
	struct columns cols;
	const json_t *items = json_object_get(body, "items");
	int status = show_machine(c, body);
	if (status >= 0)
		return status;
	columns = columns ? columns : c->command->columns;
	choose_columns(c, columns, false, &cols);
	if (is_mistyped(c, items, &cols, columns))
		return EXIT_USAGE;
	status = show_items(c, items, &cols);
	if (status >= 0)
		return status;
	if (!cli_has(c, "columns"))
		drop_empty(items, &cols);
	return print_table(c, items, &cols);
}

static void print_detail(struct cli *c, const json_t *body, const struct columns *cols)
{
	size_t widest = 0;
	for (size_t i = 0; i < cols->count; i++) {
		size_t width = strlen(cols->list[i].title);
		widest = width > widest ? width : widest;
	}
	for (size_t i = 0; i < cols->count; i++) {
		const struct column *col = &cols->list[i];
		AUTO_FREE char *text = shown(c, body, col);
		char title[64];
		if (!text || !*text)
			continue;
		detail_title(col->title, title, sizeof(title));
		enum paint paint = col->kind == COL_STATE ? paint_of_state(text) : PAINT_NONE;
		fprintf(c->out.file, "%s%s:%s%*s %s%s%s\n", term_paint(&c->out, PAINT_BOLD), title,
			term_paint(&c->out, PAINT_NONE), (int)(widest - strlen(col->title)), "",
			paint ? term_paint(&c->out, paint) : "", text,
			paint ? term_paint(&c->out, PAINT_NONE) : "");
	}
}

int show_resource(struct cli *c, const json_t *body, const struct column *columns)
{
	struct columns cols;
	int status = show_machine(c, body);
	if (status >= 0)
		return status;
	columns = columns ? columns : c->command->columns;
	choose_columns(c, columns, true, &cols);
	AUTO_JSON json_t *items = json_pack("[O]", body);
	if (!items)
		return cli_no_memory(c);
	if (is_mistyped(c, items, &cols, columns))
		return EXIT_USAGE;
	status = show_items(c, items, &cols);
	if (status < 0)
		print_detail(c, body, &cols);
	return status < 0 ? EXIT_OK : status;
}
