/* SPDX-License-Identifier: Apache-2.0 */
/* berthctl where memory ends: nothing is asked for in part, and what lacks something is
 * no success.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "core/base/js.h"
#include "tests/unit/client_run.h"

static unsigned left; /* allocations of JSON until the one that fails; 0: none does */

static void *fail_one(size_t bytes)
{
	if (left && !--left)
		return NULL;
	return malloc(bytes);
}

static const char *body_of(const char *request)
{
	const char *end = strstr(request, "\r\n\r\n");
	return end ? end + 4 : "";
}

static void a_change_is_sent_whole_or_not_at_all(void **state)
{
	static const char rule[] = HTTP_JSON("200 OK", "ETag: \"1\"\r\n", "{\"name\":\"nightly\"}");
	static const char whole[] = "{\"tags\":[\"a\",\"b\"],\"exclude\":[\"c\"],\"newest\":7}";
	unsigned sent = 0, refused = 0;

	(void)state;
	js_count_losses(fail_one);
	for (unsigned n = 1; n < 200 && !sent; n++) {
		left = n;
		int status = RUN(ANSWERS(rule, rule), "sync", "edit", "nightly", "-t", "a", "-t",
				 "b", "-x", "c", "--newest", "7");
		bool is_asked = server.asked_count == 2;
		if (is_asked)
			assert_string_equal(whole, body_of(server.asked[1]));
		sent += is_asked && left;
		refused += status != EXIT_OK;
		assert_true(status == EXIT_OK || *complained);
		assert_true(status != EXIT_OK || is_asked);
		left = 0;
	}
	js_count_losses(NULL);
	assert_int_equal(1, sent);
	assert_true(refused > 10);
}

static void a_list_that_lacks_something_is_an_error(void **state)
{
	static const char list[] =
		HTTP_JSON("200 OK", "",
			  "{\"items\":[{\"name\":\"hub\",\"status\":{\"phase\":\"healthy\"}}]}");
	static const char *const formats[] = {"table", "json", "ndjson", "yaml", "csv", "name"};
	unsigned refused = 0;

	(void)state;
	js_count_losses(fail_one);
	for (size_t f = 0; f < ARRAY_COUNT(formats); f++)
		for (unsigned n = 1; n < 60; n++) {
			left = n;
			int status = RUN(ANSWERS(list), "integration", "list", "-o", formats[f]);
			bool has_failed = !left;
			left = 0;
			assert_int_equal(has_failed, status != EXIT_OK);
			refused += has_failed;
			if (!has_failed)
				assert_non_null(strstr(said, "hub"));
		}
	js_count_losses(NULL);
	assert_true(refused > 30);
}

static void an_error_that_says_nothing_is_of_memory(void **state)
{
	struct berth_error err = ERROR_INIT;
	struct cli c = {.fd = -1};
	FILE *file = tmpfile();

	(void)state;
	assert_non_null(file);
	term_open(&c.err, file, "never");
	assert_int_equal(EXIT_ERROR, cli_report(&c, &err));
	read_back(file, complained);
	assert_non_null(strstr(complained, "memory"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_change_is_sent_whole_or_not_at_all),
		cmocka_unit_test(a_list_that_lacks_something_is_an_error),
		cmocka_unit_test(an_error_that_says_nothing_is_of_memory),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
