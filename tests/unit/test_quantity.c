/* SPDX-License-Identifier: Apache-2.0 */
/* Amounts as Kubernetes writes them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/base/quantity.h"
#include "core/base/scope.h"

static void each_form_of_an_amount_is_read(void **state)
{
	static const struct {
		const char *text;
		uint32_t scale;
		int64_t amount;
	} rows[] = {
		{"0", 1, 0},
		{"110", 1, 110},
		{"3920m", 1000, 3920},
		{"4", 1000, 4000},
		{"0.5", 1000, 500},
		{".5", 1000, 500},
		{"5.", 1000, 5000},
		{"7986996Ki", 1, 7986996LL * 1024},
		{"1.5Gi", 1, 3LL << 29},
		{"1e3", 1, 1000},
		{"1E3", 1, 1000},
		{"1e+3", 1, 1000},
		{"12e-1", 1, 2},
		{"1E", 1, 1000000000000000000LL},
		{"7Ei", 1, 7LL << 60},
		{"1k", 1, 1000},
		{"129M", 1, 129000000},
		{"+3", 1, 3},
		{"100n", 1000, 1},
		{"100m", 1, 1},
		{"9223372036854775807", 0, -1},
		{"922337203685477580", 10, 9223372036854775800LL},
		{"000000000000000000000001", 1, 1},
		{"1e-36", 1000, 1},
		{"0e36", 1000, 0},
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
		int64_t amount = -1;
		bool is_read = quantity_parse(rows[i].text, rows[i].scale, &amount);
		if (is_read != (rows[i].amount >= 0) || amount != rows[i].amount)
			fail_msg("'%s' times %u is %lld", rows[i].text, rows[i].scale,
				 (long long)amount);
	}
}

static void what_is_none_or_does_not_fit_is_refused(void **state)
{
	static const char *const texts[] = {"",
					    " 1",
					    "1 ",
					    "-1",
					    "1kB",
					    "1KI",
					    "1e",
					    "1e+-3",
					    "1e40",
					    "e3",
					    "m",
					    ".",
					    "1..2",
					    "1.2.3",
					    "0x10",
					    "NaN",
					    "1Zi",
					    "1,5",
					    "8Ei",
					    "10E",
					    "1e19",
					    "1e-40",
					    "1m1",
					    "++1",
					    "1e36",
					    "inf",
					    "1e3Ki",
					    "1234567890123456789",
					    "0.0000000000000000000000000000000000001"};
	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(texts); i++) {
		int64_t amount = 77;
		if (quantity_parse(texts[i], 1, &amount) || amount != 77)
			fail_msg("'%s' is read as %lld", texts[i], (long long)amount);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_form_of_an_amount_is_read),
		cmocka_unit_test(what_is_none_or_does_not_fit_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
