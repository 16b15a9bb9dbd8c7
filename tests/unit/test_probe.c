/* SPDX-License-Identifier: Apache-2.0 */
/* What the outcome of a probe means, and how a status keeps it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/api/probe.h"

#define AT_MS(s) ((int64_t)(s)*1000)

static const char *text(const json_t *status, const char *key)
{
	return js_str(status, key, "");
}

static void since_stays_while_nothing_changes(void **state)
{
	AUTO_JSON json_t *status = json_object();
	const struct berth_error well = ERROR_INIT;

	(void)state;
	assert_string_equal("healthy", probe_note(status, "unknown", &well, "Other", AT_MS(10)));
	assert_string_equal("1970-01-01T00:00:10.000Z", text(status, "since"));
	assert_string_equal("healthy", probe_note(status, "healthy", &well, "Other", AT_MS(20)));
	assert_string_equal("1970-01-01T00:00:10.000Z", text(status, "since"));
	assert_string_equal("1970-01-01T00:00:20.000Z", text(status, "checked_at"));
}

static void a_new_reason_counts_from_now_on(void **state)
{
	AUTO_JSON json_t *status = json_object();
	struct berth_error down = ERROR_INIT, other = ERROR_INIT;

	(void)state;
	(void)berth_fail(&down, BERTH_E_UNAVAILABLE, "refused");
	(void)berth_fail(&other, BERTH_E_PROTOCOL, "a web page");
	assert_string_equal("unhealthy",
			    probe_note(status, "healthy", &down, "NotARegistry", AT_MS(10)));
	assert_string_equal("Unreachable", text(status, "reason"));
	assert_string_equal("refused", text(status, "message"));
	probe_note(status, "unhealthy", &other, "NotARegistry", AT_MS(20));
	assert_string_equal("NotARegistry", text(status, "reason"));
	assert_string_equal("1970-01-01T00:00:20.000Z", text(status, "since"));
}

static void only_the_servers_own_words_count(void **state)
{
	static const struct {
		int code;
		uint32_t from;
		bool says;
	} cases[] = {
		{0, BERTH_FROM_NONE, true},
		{BERTH_E_UNAVAILABLE, BERTH_FROM_CURL, true},
		{BERTH_E_UNAVAILABLE, BERTH_FROM_HTTP, true},
		{BERTH_E_UNAVAILABLE, BERTH_FROM_NONE, false}, /* no worker */
		{BERTH_E_PROTOCOL, BERTH_FROM_SIGNAL, false},  /* a crash */
		{BERTH_E_AUTH, BERTH_FROM_HTTP, true},
		{BERTH_E_CANCELLED, BERTH_FROM_NONE, false},
		{BERTH_E_INTERNAL, BERTH_FROM_NONE, false},
		{BERTH_E_NO_MEMORY, BERTH_FROM_NONE, false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		struct berth_error why = ERROR_INIT;
		why.code = cases[i].code;
		why.from = cases[i].from;
		assert_int_equal(cases[i].says, probe_says_something(&why));
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(since_stays_while_nothing_changes),
		cmocka_unit_test(a_new_reason_counts_from_now_on),
		cmocka_unit_test(only_the_servers_own_words_count),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
