/* SPDX-License-Identifier: Apache-2.0 */
/* Printing what the API answered: tables, details, JSON, YAML, CSV, templates.
 * Columns come from the command table, or from --columns.
 */
#ifndef CLIENT_SHOW_H
#define CLIENT_SHOW_H

#include "client/cli.h"

/* Prints a list's body ({"items":[...]}) or a resource's in the format asked
 * for. columns NULL: the command's. Exit code. */
int show_list(struct cli *c, const json_t *body, const struct column *columns);
int show_resource(struct cli *c, const json_t *body, const struct column *columns);
/* JSON, YAML and --jq; -1: the format is another. */
int show_machine(struct cli *c, const json_t *body);
/* The same for what is no list: NDJSON, too, is all of it on one line. */
int show_document(struct cli *c, const json_t *body);

/* The value at a dotted path, borrowed; NULL where there is none. */
const json_t *value_at(const json_t *item, const char *path);
/* A cell's text for a person (is_exact false) or a program; free(). */
char *cell_text(const json_t *value, enum column_kind kind, bool is_exact) MUST_USE;
/* "1.5 GiB", "12 KiB", "7 B"; to has 24 bytes. */
void format_bytes(int64_t bytes, char *to);
/* "45 s", "3 min 20 s", "2 h 5 min"; to has 32 bytes. */
void format_span(int64_t seconds, char *to);
/* The paint of a state word: green for good, red for bad, yellow for between. */
enum paint paint_of_state(const char *word);

/* JSON text, indented, in which no string has a character that could harm a
 * terminal: they are written as \uXXXX, which means the same. free(). */
char *json_text(const json_t *value, size_t flags) MUST_USE;
/* The same value as YAML 1.2 block text; free(). */
char *yaml_text(const json_t *value) MUST_USE;
/* Fills "{name} {status.phase}\n" with the item's values; free(). */
char *template_text(const char *template, const json_t *item) MUST_USE;

/* jq.c: runs the filter, prints each result. Exit code. */
int jq_print(struct cli *c, const json_t *body, const char *filter);

#endif
