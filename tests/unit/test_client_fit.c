/* SPDX-License-Identifier: Apache-2.0 */
/* Tables cut to a terminal's width: what is cut says so, wide letters count twice. */
#include <locale.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "client/fit.h"
#include "core/base/fail.h"
#include "core/base/scope.h"

static const struct column columns[] = {
	{"NAME", "name", COL_TEXT, false},
	{"DESCRIPTION", "description", COL_LONG, false},
	{"WHY", "why", COL_LONG, false},
	{0},
};

static void expect_cut(bool is_utf8, const char *text, size_t width, const char *want)
{
	struct term term = {.is_utf8 = is_utf8};
	AUTO_FREE char *cut = fit_text(&term, text, width);
	assert_non_null(cut);
	assert_string_equal(want, cut);
	assert_true(term_columns(cut) <= width || !strcmp(text, cut));
}

static void a_cut_text_ends_in_a_mark(void **state)
{
	(void)state;
	expect_cut(true, "registry", 8, "registry");
	expect_cut(true, "registry", 5, "regi\xE2\x80\xA6");
	expect_cut(false, "registry", 5, "re...");
	expect_cut(true, "a b c d", 3, "a\xE2\x80\xA6");
	expect_cut(true, "", 5, "");
}

static void wide_letters_are_never_halved(void **state)
{
	(void)state;
	if (!setlocale(LC_CTYPE, "C.UTF-8"))
		skip();
	/* three letters of two columns each */
	const char *text = "\xE9\x95\x9C\xE5\x83\x8F\xE5\xBA\x93";
	expect_cut(true, text, 6, text);
	expect_cut(true, text, 5, "\xE9\x95\x9C\xE5\x83\x8F\xE2\x80\xA6");
	expect_cut(true, text, 4, "\xE9\x95\x9C\xE2\x80\xA6");
}

static void rows_are_cut_to_the_terminal_and_names_stay(void **state)
{
	(void)state;
	struct term term = {.is_utf8 = true, .width = 60};
	char *text[] = {
		strdup("a-name-that-is-twenty"),
		strdup("a description that has fifty letters, at the least"),
		strdup("short"),
	};
	struct cells cells = {.text = text, .rows = 1, .count = 3};
	assert_int_equal(0, fit_cells(&term, &cells, columns));
	assert_string_equal("a-name-that-is-twenty", text[0]);
	assert_non_null(strstr(text[1], "\xE2\x80\xA6"));
	assert_true(term_columns(text[1]) <= 60 - 21 - 2 - 2 - 5);
	assert_string_equal("short", text[2]);
	for (size_t i = 0; i < ARRAY_COUNT(text); i++)
		free(text[i]);
}

static void a_column_keeps_enough_to_be_read(void **state)
{
	(void)state;
	struct term term = {.is_utf8 = true, .width = 20};
	char *text[] = {strdup("name"), strdup("Not found, says the registry"), strdup("")};
	struct cells cells = {.text = text, .rows = 1, .count = 3};
	assert_int_equal(0, fit_cells(&term, &cells, columns));
	assert_string_equal("Not found, says\xE2\x80\xA6", text[1]);
	for (size_t i = 0; i < ARRAY_COUNT(text); i++)
		free(text[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_cut_text_ends_in_a_mark),
		cmocka_unit_test(wide_letters_are_never_halved),
		cmocka_unit_test(rows_are_cut_to_the_terminal_and_names_stay),
		cmocka_unit_test(a_column_keeps_enough_to_be_read),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
