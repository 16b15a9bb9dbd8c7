/* SPDX-License-Identifier: Apache-2.0 */
/* Text on its way to the terminal: nothing hostile may come out of the escape,
 * a template, or JSON. And command lines: words at NULs.
 */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "client/cli.h"
#include "client/show.h"

static void check_harmless(const char *s)
{
	while (*s) {
		unsigned c = 0;
		size_t bytes = term_decode(s, &c);
		assert(bytes && (!term_is_hostile(c) || c == '\n'));
		s += bytes;
	}
}

static void check_text(const char *s)
{
	struct term t = {.is_utf8 = true};
	char *safe = term_escape(&t, s, false);
	json_t *object = json_pack("{s:s}", "a", s);
	char *shown = object ? json_text(object, JSON_INDENT(2)) : NULL;
	char *filled = template_text(s, object ? object : json_null());

	if (safe)
		check_harmless(safe);
	if (shown)
		check_harmless(shown);
	json_decref(object);
	free(filled);
	free(shown);
	free(safe);
}

static void check_words(char *s, size_t size)
{
	char *argv[34] = {s};
	int argc = 1;
	FILE *null = fopen("/dev/null", "r+");
	struct cli c = {.in = null, .fd = -1};

	if (!null)
		return;
	term_open(&c.out, null, "never");
	term_open(&c.err, null, "never");
	for (char *at = s; at < s + size && argc < 33; at += strlen(at) + 1)
		argv[argc++] = at;
	cli_parse(&c, argc, argv);
	cli_fault_print(&c);
	fclose(null);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);

	if (!text)
		return 0;
	memcpy(text, data, size);
	text[size] = 0;
	check_text(text);
	check_words(text, size);
	free(text);
	return 0;
}
