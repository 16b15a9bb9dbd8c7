/* SPDX-License-Identifier: Apache-2.0 */
/* Ids typed by their beginning, against a scripted control socket. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "client/short_id.h"
#include "client/show.h"
#include "tests/unit/client_run.h"

#define ONE "0b0ae5ee-6a1b-4c39-9f4c-0f6a3f0f4c11"
#define OTHER "0b0ae5ff-6a1b-4c39-9f4c-0f6a3f0f4c11"
#define THIRD "0b0ae500-6a1b-4c39-9f4c-0f6a3f0f4c11"
#define ID(id) "{\"id\":\"" id "\"}"
#define LIST(items) HTTP_JSON("200 OK", "", "{\"items\":[" items "],\"next\":null}")
#define SHOWN HTTP_JSON("200 OK", "", "{\"id\":\"" ONE "\",\"kind\":\"refresh\"}")

static void beginnings_are_told_from_names_and_whole_ids(void **state)
{
	static const char *const no[] = {"", "0b0", ONE, "0b0g", "hub/app", "0B0A", "robot$x"};
	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(no); i++)
		assert_false(short_id_is(no[i]));
	assert_true(short_id_is("0b0a"));
	assert_true(short_id_is("0b0ae5ee-6a1b"));
}

static void a_beginning_is_made_whole(void **state)
{
	(void)state;
	assert_int_equal(RUN(ANSWERS(LIST(ID(ONE)), SHOWN), "operation", "show", "0b0ae5ee"), 0);
	assert_non_null(strstr(server.asked[0], "GET /v1/operations?limit=3&filter=id%20like%20"
						"%220b0ae5ee%2A%22 HTTP"));
	assert_non_null(strstr(server.asked[1], "GET /v1/operations/" ONE " HTTP"));
	assert_non_null(strstr(said, ONE));
}

static void a_whole_id_is_not_looked_for(void **state)
{
	(void)state;
	assert_int_equal(RUN(ANSWERS(SHOWN), "operation", "show", ONE), 0);
	assert_int_equal(server.asked_count, 1);
}

static void a_beginning_of_several_names_them(void **state)
{
	(void)state;
	assert_int_equal(RUN(ANSWERS(LIST(ID(ONE) "," ID(OTHER) "," ID(THIRD))), "operation",
			     "cancel", "0b0ae5", "--yes"),
			 EXIT_USAGE);
	assert_non_null(strstr(complained, "'0b0ae5': " ONE ", " OTHER ", ..."));
	assert_int_equal(server.asked_count, 1);
}

static void a_beginning_of_none_is_not_found(void **state)
{
	(void)state;
	assert_int_equal(RUN(ANSWERS(LIST("")), "operation", "show", "0b0ae5", "-o", "json"),
			 EXIT_NOT_FOUND);
	assert_non_null(strstr(complained, "\"there is no operation whose id begins with "
					   "'0b0ae5'\""));
}

/* A list of another shape, or of ids that are no texts. */
static void a_strange_answer_is_no_id(void **state)
{
	(void)state;
	assert_int_equal(RUN(ANSWERS(LIST("{\"id\":7}")), "operation", "show", "0b0ae5"),
			 EXIT_ERROR);
	assert_int_equal(RUN(ANSWERS(HTTP_JSON("200 OK", "", "[]")), "operation", "show", "0b0ae5"),
			 EXIT_NOT_FOUND);
}

static void a_rules_run_is_looked_for_below_the_rule(void **state)
{
	(void)state;
	RUN(ANSWERS(LIST(ID(ONE)), HTTP_JSON("200 OK", "", "{\"id\":\"" ONE "\"}")), "sync",
	    "report", "night/ly", "0b0a");
	assert_non_null(strstr(server.asked[0], "GET /v1/syncs/night%2Fly/runs?limit=3&"));
	assert_non_null(strstr(server.asked[1], "GET /v1/syncs/night%2Fly/runs/" ONE " HTTP"));
}

static void a_table_at_a_terminal_has_the_beginning(void **state)
{
	AUTO_JSON json_t *id = json_string(ONE), *other = json_string("gc-42-of-the-third-day");
	(void)state;
	AUTO_FREE char *cut = cell_text(id, COL_ID, false), *whole = cell_text(id, COL_ID, true);
	AUTO_FREE char *foreign = cell_text(other, COL_ID, false);
	assert_string_equal(cut, "0b0ae5ee");
	assert_string_equal(whole, ONE);
	assert_string_equal(foreign, "gc-42-of-the-third-day");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(beginnings_are_told_from_names_and_whole_ids),
		cmocka_unit_test(a_beginning_is_made_whole),
		cmocka_unit_test(a_whole_id_is_not_looked_for),
		cmocka_unit_test(a_beginning_of_several_names_them),
		cmocka_unit_test(a_beginning_of_none_is_not_found),
		cmocka_unit_test(a_strange_answer_is_no_id),
		cmocka_unit_test(a_rules_run_is_looked_for_below_the_rule),
		cmocka_unit_test(a_table_at_a_terminal_has_the_beginning),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
