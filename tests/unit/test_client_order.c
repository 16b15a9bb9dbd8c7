/* SPDX-License-Identifier: Apache-2.0 */
/* The order of items from several lists. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "client/order.h"
#include "core/base/scope.h"

/* The items' "n" after sorting, as "1 2 3". */
static void assert_order(const char *items, const char *keys, const char *expected)
{
	struct berth_error err = ERROR_INIT;
	AUTO_JSON json_t *list = json_loads(items, 0, NULL);
	char got[64] = "";
	assert_non_null(list);
	assert_int_equal(order_items(list, keys, &err), 0);
	for (size_t i = 0; i < json_array_size(list); i++)
		snprintf(got + strlen(got), sizeof(got) - strlen(got), "%s%d", i ? " " : "",
			 (int)json_integer_value(json_object_get(json_array_get(list, i), "n")));
	assert_string_equal(got, expected);
}

static void numbers_texts_and_what_is_missing(void **state)
{
	(void)state;
	assert_order("[{\"n\":1,\"a\":10},{\"n\":2,\"a\":9},{\"n\":3}]", "a", "3 2 1");
	assert_order("[{\"n\":1,\"a\":10},{\"n\":2,\"a\":9},{\"n\":3,\"a\":null}]", "-a", "1 2 3");
	assert_order("[{\"n\":1,\"a\":\"b\"},{\"n\":2,\"a\":\"B\"},{\"n\":3,\"a\":\"a\"}]", "a",
		     "2 3 1");
	assert_order("[{\"n\":1,\"a\":true},{\"n\":2,\"a\":false}]", "a", "2 1");
	assert_order("[{\"n\":1,\"a\":{\"b\":2}},{\"n\":2,\"a\":{\"b\":1}}]", "a.b", "2 1");
}

static void the_second_key_counts_where_the_first_is_alike(void **state)
{
	(void)state;
	assert_order("[{\"n\":1,\"a\":1,\"b\":1},{\"n\":2,\"a\":1,\"b\":2},{\"n\":3,\"a\":0}]",
		     "a,-b", "3 2 1");
}

static void what_is_alike_keeps_its_order(void **state)
{
	(void)state;
	assert_order("[{\"n\":1},{\"n\":2},{\"n\":3}]", "-a", "1 2 3");
	assert_order("[{\"n\":1},{\"n\":2},{\"n\":3}]", "", "1 2 3");
	assert_order("[]", "a", "");
}

static void a_limit_is_of_all(void **state)
{
	AUTO_JSON json_t *list = json_pack("[i,i,i]", 1, 2, 3);
	(void)state;
	order_cut(list, 0);
	assert_int_equal(json_array_size(list), 3);
	order_cut(list, 2);
	assert_int_equal(json_array_size(list), 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers_texts_and_what_is_missing),
		cmocka_unit_test(the_second_key_counts_where_the_first_is_alike),
		cmocka_unit_test(what_is_alike_keeps_its_order),
		cmocka_unit_test(a_limit_is_of_all),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
