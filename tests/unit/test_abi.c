/* SPDX-License-Identifier: Apache-2.0 */
/* The plugin ABI: no released field moves, and plugins that are older or newer
 * than this program are imported without reading beyond what they declare.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "core/base/scope.h"
#include "core/worker/plugins.h"

#if UINTPTR_MAX == UINT64_MAX
#define AT(type, field, offset)                                                                    \
	_Static_assert(offsetof(struct type, field) == (offset), #type "." #field " has moved")
#define SIZE(type, bytes) _Static_assert(sizeof(struct type) >= (bytes), #type " has shrunk")
#include "tests/unit/abi_1_0.h"
#endif

static int open_nothing(const struct berth_host *host, const void *config, void **ret_self,
			struct berth_error *err)
{
	(void)host;
	(void)config;
	(void)ret_self;
	(void)err;
	return 0;
}

static void close_nothing(void *self)
{
	(void)self;
}

static int probe_nothing(void *self, const struct berth_call *call, const char *scope_json,
			 struct berth_sink *sink, struct berth_error *err)
{
	(void)self;
	(void)call;
	(void)scope_json;
	(void)sink;
	(void)err;
	return 0;
}

static const struct berth_integration_ops probe_only = {
	.size = offsetof(struct berth_integration_ops, overview), .probe = probe_nothing};

static struct berth_plugin good(void)
{
	return (struct berth_plugin){
		BERTH_PLUGIN_HEAD, .name = "x",          .version = "1",
		.summary = "s",    .open = open_nothing, .close = close_nothing,
	};
}

/* Bytes beyond what a struct declares are poison: a pointer that is read from
 * there shows as not NULL. */
static void *poisoned(const void *from, size_t byte_count, size_t room)
{
	unsigned char *bytes = malloc(room);
	assert_non_null(bytes);
	memset(bytes, 0xaa, room);
	memcpy(bytes, from, byte_count);
	return bytes;
}

static void older_plugin_lacks_what_it_does_not_declare(void **state)
{
	struct plugin to = {0};
	struct berth_error err = ERROR_INIT;
	struct berth_plugin p = good();
	(void)state;
	p.size = offsetof(struct berth_plugin, sync);
	p.integration = &probe_only;
	AUTO_FREE struct berth_plugin *old = poisoned(&p, p.size, sizeof p);
	assert_int_equal(plugin_import(old, "x", &to, &err), 0);
	assert_null(to.head.sync);
	assert_null(to.head.scan);
	assert_non_null(to.integration.probe);
	assert_null(to.integration.overview);
	assert_null(to.integration.oci_endpoint);
	assert_null(to.scan.start);
}

static void newer_plugin_is_cut_to_what_we_know(void **state)
{
	struct plugin to = {0};
	struct berth_error err = ERROR_INIT;
	struct berth_plugin p = good();
	(void)state;
	p.abi_minor = BERTH_ABI_MINOR + 1;
	p.size = sizeof p + 64;
	AUTO_FREE struct berth_plugin *new = poisoned(&p, sizeof p, p.size);
	assert_int_equal(plugin_import(new, "x", &to, &err), 0);
	assert_string_equal(to.head.name, "x");
	assert_null(to.head.scan);
}

static void table_of_a_newer_plugin_is_cut_too(void **state)
{
	struct plugin to = {0};
	struct berth_error err = ERROR_INIT;
	struct berth_plugin p = good();
	struct berth_integration_ops ops = {.size = sizeof ops + 32, .probe = probe_nothing};
	(void)state;
	AUTO_FREE struct berth_integration_ops *new = poisoned(&ops, sizeof ops, ops.size);
	p.integration = new;
	assert_int_equal(plugin_import(&p, "x", &to, &err), 0);
	assert_non_null(to.integration.probe);
	assert_null(to.integration.overview);
}

static void option_rows_are_walked_by_their_own_stride(void **state)
{
	struct wide {
		struct berth_option option;
		uint64_t more[3];
	} rows[3] = {
		{{"one", BERTH_OPT_INT, 0, "1", "One."}, {~0ull, ~0ull, ~0ull}},
		{{"two", BERTH_OPT_BOOL, BERTH_OPT_REQUIRED, NULL, "Two."}, {~0ull, ~0ull, ~0ull}},
		{{NULL, 0, 0, NULL, NULL}, {~0ull, ~0ull, ~0ull}},
	};
	struct plugin to = {0};
	struct berth_error err = ERROR_INIT;
	struct berth_plugin p = good();
	(void)state;
	p.options = &rows[0].option;
	p.option_stride = sizeof rows[0];
	assert_int_equal(plugin_import(&p, "x", &to, &err), 0);
	assert_int_equal(to.option_count, 2);
	assert_string_equal(to.options[1].key, "two");
	assert_int_equal(to.options[1].flags, BERTH_OPT_REQUIRED);
	free(to.options);
}

static void option_values_are_judged_by_type(void **state)
{
	static const struct {
		uint32_t type;
		const char *right, *wrong;
	} cases[] = {
		{BERTH_OPT_STRING, "any \xc3\xa9", "\xff"},
		{BERTH_OPT_URL, "https://a.example:1/x", "a.example"},
		{BERTH_OPT_URL, "http://[::1]:5000", "http:// x"},
		{BERTH_OPT_INT, "-9223372036854775807", "9223372036854775808"},
		{BERTH_OPT_INT, "0", "0x1"},
		{BERTH_OPT_BOOL, "true", "TRUE"},
		{BERTH_OPT_BOOL, "false", "0"},
		{BERTH_OPT_DURATION_MS, "1500", "-1"},
		{BERTH_OPT_DURATION_MS, "0", "1s"},
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		assert_true(option_value_fits(cases[i].type, cases[i].right));
		assert_false(option_value_fits(cases[i].type, cases[i].wrong));
	}
	assert_false(option_value_fits(99, "x"));
}

/* Tables are pointers after two numbers: the slots' table names them all. */
static void every_slot_of_every_table_is_named(void **state)
{
	const size_t head = 2 * sizeof(uint32_t), pointer = sizeof(void (*)(void));
	const size_t expected =
		(sizeof(struct berth_lifecycle_ops) - head + sizeof(struct berth_integration_ops) -
		 head + sizeof(struct berth_sync_ops) - head + sizeof(struct berth_scan_ops) -
		 head) /
		pointer;
	size_t count = 0;
	(void)state;
	while (plugin_slots[count].table)
		count++;
	assert_int_equal(count, expected);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(older_plugin_lacks_what_it_does_not_declare),
		cmocka_unit_test(newer_plugin_is_cut_to_what_we_know),
		cmocka_unit_test(table_of_a_newer_plugin_is_cut_too),
		cmocka_unit_test(option_rows_are_walked_by_their_own_stride),
		cmocka_unit_test(option_values_are_judged_by_type),
		cmocka_unit_test(every_slot_of_every_table_is_named),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
