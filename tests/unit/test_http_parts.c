/* SPDX-License-Identifier: Apache-2.0 */
/* The parts of core/http that need no socket: filter, Accept, ETags, merge
 * patch, schemas, paths, problems; and the roles of core/access.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/base/js.h"
#include "core/http/filter.h"
#include "core/http/internal.h"
#include "core/http/patch.h"

struct row {
	char *name;
	int64_t count, made_ms, on;
};
static const struct store_column columns[] = {
	{"name", "name", STORE_TEXT, offsetof(struct row, name)},
	{"count", "n", STORE_INT, offsetof(struct row, count)},
	{"created_at", "made_ms", STORE_TIME, offsetof(struct row, made_ms)},
	{"enabled", "is_on", STORE_BOOL, offsetof(struct row, on)},
};
static const struct store_table table = {
	.name = "things", .columns = columns, .column_count = ARRAY_COUNT(columns), .key = "name"};

/* The SQL of a filter, or "!" and the message. */
static const char *sql_of(const char *text, struct filter_values *values)
{
	static char out[20000];
	struct berth_error err = ERROR_INIT;
	AUTO(filter) struct filter *f = NULL;
	AUTO_BUF struct buf sql;

	buf_init(&sql, 16384);
	if (filter_parse(text, &f, &err) || filter_compile(f, &table, &sql, values, &err))
		snprintf(out, sizeof out, "!%s", err.message);
	else
		snprintf(out, sizeof out, "%s", buf_text(&sql));
	return out;
}

static void filters_become_bound_sql(void **state)
{
	static const char *const cases[][2] = {
		{"name eq 'a'", "name = ?"},
		{"name ne \"it\"\"s\"", "name <> ?"},
		{"count ge -5", "n >= ?"},
		{"enabled eq true", "is_on = ?"},
		{"created_at lt '2026-01-31T12:00:00Z'", "made_ms < ?"},
		{"name like 'a*_?'", "name LIKE ? ESCAPE '\\'"},
		{"name in ('a', 'b','c')", "name IN (?, ?, ?)"},
		{"not name eq 'a' and count gt 1 or count lt 3",
		 "((NOT (name = ?) AND n > ?) OR n < ?)"},
		{"name eq 'a' and (count gt 1 or count lt 3)", "(name = ? AND (n > ? OR n < ?))"},
	};
	struct filter_values values;
	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++)
		assert_string_equal(sql_of(cases[i][0], &values), cases[i][1]);
}

static void filter_values_are_never_in_the_sql(void **state)
{
	struct berth_error err = ERROR_INIT;
	struct filter_values values;
	AUTO(filter) struct filter *f = NULL;
	AUTO_BUF struct buf sql;
	(void)state;
	buf_init(&sql, 1024);
	assert_int_equal(filter_parse("name eq 'x'' or 1=1 --' and name like '50%_\\*?'", &f, &err),
			 0);
	assert_int_equal(filter_compile(f, &table, &sql, &values, &err), 0);
	assert_string_equal(buf_text(&sql), "(name = ? AND name LIKE ? ESCAPE '\\')");
	assert_int_equal(values.count, 2);
	assert_string_equal(values.items[0].bytes, "x' or 1=1 --");
	assert_string_equal(values.items[1].bytes, "50\\%\\_\\\\%_");
}

/* As the compiled SQL would choose, for each object. */
static void filters_choose_objects_as_they_choose_rows(void **state)
{
	static const struct {
		const char *filter;
		bool fits;
	} cases[] = {
		{"name eq 'a/b_c%'", true},
		{"name ne 'a/b_c%'", false},
		{"name like 'a*'", true},
		{"name like '*b_c%'", true},
		{"name like '*b?c?'", true},
		{"name like 'a_b*'", false},
		{"name like '*c'", false},
		{"name like '**%'", true},
		{"name gt 'a'", true},
		{"name in ('x', 'a/b_c%')", true},
		{"name in ('x', 'y')", false},
		{"count ge 7 and count le 7", true},
		{"count lt 7 or count gt 7", false},
		{"not count eq 7", false},
		{"enabled eq true", true},
		{"enabled ne true", false},
		{"created_at lt '2026-01-31T12:00:00Z'", true},
		{"created_at ge '2026-01-31T12:00:00Z'", false},
	};
	AUTO_JSON json_t *item = json_pack("{ss, si, sb, ss}", "name", "a/b_c%", "count", 7,
					   "enabled", 1, "created_at", "2026-01-30T00:00:00Z");
	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		struct berth_error err = ERROR_INIT;
		struct filter_values values;
		AUTO(filter) struct filter *f = NULL;
		AUTO_BUF struct buf sql;

		buf_init(&sql, 1024);
		assert_int_equal(filter_parse(cases[i].filter, &f, &err), 0);
		assert_int_equal(filter_compile(f, &table, &sql, &values, &err), 0);
		if (filter_fits(f, &table, item) != cases[i].fits)
			fail_msg("%s", cases[i].filter);
	}
}

static void a_character_of_several_bytes_is_one_for_a_question_mark(void **state)
{
	struct berth_error err = ERROR_INIT;
	struct filter_values values;
	AUTO(filter) struct filter *f = NULL;
	AUTO_JSON json_t *item = json_pack("{ss}", "name",
					   "a\xc3\xa9\xe2\x82\xac"
					   "b");
	AUTO_BUF struct buf sql;

	(void)state;
	buf_init(&sql, 1024);
	assert_int_equal(filter_parse("name like 'a??b' and not name like 'a?b'", &f, &err), 0);
	assert_int_equal(filter_compile(f, &table, &sql, &values, &err), 0);
	assert_true(filter_fits(f, &table, item));
}

static void filter_faults_are_named(void **state)
{
	static const char *const cases[][2] = {
		{"", "expected a field, not or ( at its end"},
		{"name", "expected one of eq, ne, gt, ge, lt, le, like, in at its end"},
		{"name = 'a'", "at byte 6, near ="},
		{"name eq", "expected a value"},
		{"name eq a", "at byte 9, near a"},
		{"name eq 'a", "the quote at byte 9 has no end"},
		{"name eq 'a' or", "expected a field"},
		{"(name eq 'a'", "expected ) at its end"},
		{"name eq 'a')", "expected and, or, or the end at byte 12"},
		{"name in ()", "expected a value"},
		{"name in ('a'", "expected , or )"},
		{"colour eq 'a'", "filter: no field 'colour'"},
		{"count eq 'a'", "count eq wants a whole number"},
		{"count eq 99999999999999999999", "a whole number within 2^53"},
		{"name eq 5", "name eq wants a quoted text"},
		{"enabled eq 1", "enabled eq wants true or false"},
		{"created_at eq 'yesterday'", "wants a quoted time"},
		{"count like '1*'", "wants a text field"},
		{"((((((((name eq 'a'))))))))", "nested deeper than 8 levels"},
		{"not not not not not not not not name eq 'a'", "nested deeper than 8 levels"},
	};
	struct filter_values values;
	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		const char *got = sql_of(cases[i][0], &values);
		if (got[0] != '!' || !strstr(got, cases[i][1]))
			print_message("%s: %s\n", cases[i][0], got);
		assert_int_equal(got[0], '!');
		assert_non_null(strstr(got, cases[i][1]));
	}
}

static void filters_are_bounded(void **state)
{
	struct filter_values values;
	char text[1200] = "name eq 'a'";
	(void)state;
	for (int i = 0; i < 31; i++)
		strncat(text, " or name eq 'a'", sizeof text - strlen(text) - 1);
	assert_int_equal(sql_of(text, &values)[0], '(');
	assert_int_equal(values.count, 32);
	strncat(text, " or name eq 'a'", sizeof text - strlen(text) - 1);
	assert_non_null(strstr(sql_of(text, &values), "more than 32 terms"));
	memset(text, ' ', 1100);
	assert_non_null(strstr(sql_of(text, &values), "longer than 1024 bytes"));
}

static void accept_chooses_by_quality_and_precision(void **state)
{
	static const char *const kinds[] = {"application/json", "text/plain", NULL};
	static const char *const none[] = {NULL};
	static const struct {
		const char *accept, *chosen;
	} cases[] = {
		{NULL, "application/json"},
		{"", "application/json"},
		{"*/*", "application/json"},
		{"text/plain", "text/plain"},
		{"TEXT/Plain", "text/plain"},
		{"text/*, application/json;q=0.5", "text/plain"},
		{"text/plain;q=0.3, */*;q=0.2", "text/plain"},
		{"text/plain;q=0.300, application/json ; q=0.31", "application/json"},
		{"*/*, application/json;q=0", "text/plain"},
		{"text/plain; version=0.0.4; q=0.9, application/json;q=0.1", "text/plain"},
		{"image/png", NULL},
		{"*/*;q=0", NULL},
		{",;,;q=", NULL},
		{"application", NULL},
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		const char *got = accept_choose(cases[i].accept, kinds);
		if (cases[i].chosen)
			assert_string_equal(got ? got : "none", cases[i].chosen);
		else
			assert_null(got);
	}
	assert_non_null(accept_choose("image/png", none));
}

static void etags_follow_desired_state_and_generation(void **state)
{
	AUTO_JSON json_t *a = json_pack("{s:i,s:i}", "x", 1, "y", 2);
	AUTO_JSON json_t *b = json_pack("{s:i,s:i}", "y", 2, "x", 1);
	char first[ETAG_ROOM], second[ETAG_ROOM];
	(void)state;
	etag_make(a, 4, first);
	etag_make(b, 4, second);
	assert_string_equal(first, second);
	etag_make(a, 5, second);
	assert_string_not_equal(first, second);
	json_object_set_new(a, "x", json_integer(3));
	etag_make(a, 4, second);
	assert_string_not_equal(first, second);
}

static void etag_lists_are_read(void **state)
{
	(void)state;
	assert_true(etag_in_list("\"a\"", "\"a\"", false));
	assert_true(etag_in_list("\"b\" , \"a\"", "\"a\"", false));
	assert_true(etag_in_list("\"x,\", \"a\"", "\"a\"", false));
	assert_false(etag_in_list("W/\"a\"", "\"a\"", false));
	assert_true(etag_in_list("W/\"a\"", "\"a\"", true));
	assert_false(etag_in_list("\"ab\"", "\"a\"", false));
	assert_false(etag_in_list("a, b", "\"a\"", false));
	assert_false(etag_in_list("\"unfinished", "\"a\"", false));
}

/* RFC 7396, appendix A. */
static void merge_patch_does_what_the_rfc_shows(void **state)
{
	static const char *const cases[][3] = {
		{"{\"a\":\"b\"}", "{\"a\":\"c\"}", "{\"a\":\"c\"}"},
		{"{\"a\":\"b\"}", "{\"b\":\"c\"}", "{\"a\":\"b\",\"b\":\"c\"}"},
		{"{\"a\":\"b\"}", "{\"a\":null}", "{}"},
		{"{\"a\":\"b\",\"b\":\"c\"}", "{\"a\":null}", "{\"b\":\"c\"}"},
		{"{\"a\":[\"b\"]}", "{\"a\":\"c\"}", "{\"a\":\"c\"}"},
		{"{\"a\":\"c\"}", "{\"a\":[\"b\"]}", "{\"a\":[\"b\"]}"},
		{"{\"a\":{\"b\":\"c\"}}", "{\"a\":{\"b\":\"d\",\"c\":null}}",
		 "{\"a\":{\"b\":\"d\"}}"},
		{"{\"a\":[{\"b\":\"c\"}]}", "{\"a\":[1]}", "{\"a\":[1]}"},
		{"[\"a\",\"b\"]", "[\"c\",\"d\"]", "[\"c\",\"d\"]"},
		{"{\"a\":\"b\"}", "[\"c\"]", "[\"c\"]"},
		{"{\"a\":\"foo\"}", "null", "null"},
		{"{\"a\":\"foo\"}", "\"bar\"", "\"bar\""},
		{"{\"e\":null}", "{\"a\":1}", "{\"a\":1,\"e\":null}"},
		{"[1,2]", "{\"a\":\"b\",\"c\":null}", "{\"a\":\"b\"}"},
		{"{}", "{\"a\":{\"bb\":{\"ccc\":null}}}", "{\"a\":{\"bb\":{}}}"},
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		AUTO_JSON json_t *target = json_loads(cases[i][0], JSON_DECODE_ANY, NULL);
		AUTO_JSON json_t *patch = json_loads(cases[i][1], JSON_DECODE_ANY, NULL);
		AUTO_JSON json_t *want = json_loads(cases[i][2], JSON_DECODE_ANY, NULL);
		AUTO_JSON json_t *got = json_merge_patch(target, patch);
		assert_true(json_equal(got, want));
	}
}

static void schemas_hold_integers_within_two_to_the_53(void **state)
{
	const struct schema s = {.types = SCHEMA_INTEGER, .min = INT64_MIN, .max = INT64_MAX};
	AUTO_JSON json_t *errors = json_array();
	AUTO_JSON json_t *fine = json_integer(((json_int_t)1 << 53) - 1);
	AUTO_JSON json_t *large = json_integer((json_int_t)1 << 53);
	AUTO_JSON json_t *low = json_integer(-((json_int_t)1 << 53));
	(void)state;
	assert_true(schema_check(&s, fine, false, errors));
	assert_false(schema_check(&s, large, false, errors));
	assert_false(schema_check(&s, low, false, errors));
}

static void schema_errors_are_capped_and_pointed_at(void **state)
{
	const struct schema item = {.types = SCHEMA_STRING, .count_max = 3};
	const struct schema s = {.types = SCHEMA_ARRAY, .items = &item, .items_unique = true};
	AUTO_JSON json_t *errors = json_array();
	AUTO_JSON json_t *value = json_array();
	(void)state;
	for (int i = 0; i < 100; i++)
		json_array_append_new(value, json_integer(i));
	assert_false(schema_check(&s, value, false, errors));
	assert_int_equal(json_array_size(errors), SCHEMA_ERRORS_MAX);
	assert_string_equal(
		json_string_value(json_object_get(json_array_get(errors, 3), "pointer")), "/3");
}

static void schema_cases_are_chosen_by_their_word(void **state)
{
	const struct schema word = {.types = SCHEMA_STRING};
	const struct schema_property a_members[] = {{"kind", &word, true, false},
						    {"a", &word, true, false}};
	const struct schema a = {
		.types = SCHEMA_OBJECT, .properties = a_members, .property_count = 2};
	const struct schema_case cases[] = {{"a", &a}};
	const struct schema s = {
		.types = SCHEMA_OBJECT, .discriminator = "kind", .cases = cases, .case_count = 1};
	AUTO_JSON json_t *errors = json_array();
	AUTO_JSON json_t *fine = json_pack("{s:s,s:s}", "kind", "a", "a", "x");
	AUTO_JSON json_t *other = json_pack("{s:s}", "kind", "b");
	AUTO_JSON json_t *none = json_object();
	(void)state;
	assert_true(schema_check(&s, fine, false, errors));
	assert_false(schema_check(&s, other, false, errors));
	assert_false(schema_check(&s, none, false, errors));
	assert_string_equal(json_string_value(json_object_get(json_array_get(errors, 0), "detail")),
			    "must be one of a");
}

static void every_kind_of_problem_is_whole(void **state)
{
	(void)state;
	for (size_t i = 0; i < problem_kind_count; i++) {
		const struct problem_kind *k = &problem_kinds[i];
		char bytes[1024];
		assert_ptr_equal(problem_kind_find(k->code), k);
		assert_in_range(k->status, 400, 599);
		assert_true(k->title[0] && k->detail[0]);
		assert_non_null(k->hint);
		AUTO_JSON json_t *shown = problem_document(k->code, NULL, "id");
		assert_string_equal(js_str(shown, "hint", ""), k->hint);
		assert_true(problem_bytes(k->code, "id", bytes, sizeof bytes) > 0);
	}
	assert_null(problem_kind_find("nothing-like-it"));
	assert_null(problem_kind_find(""));
	assert_int_equal(problem_kind_find("integration-not-found")->status, 404);
}

static void every_error_code_has_a_kind(void **state)
{
	(void)state;
	for (int code = BERTH_E_ADDRESS; code < 0; code++) {
		const struct problem_kind *k = problem_kind_of_error(code);
		assert_non_null(k);
		if (code != BERTH_E_INTERNAL)
			assert_string_not_equal(k->code, "internal");
	}
}

static void problems_carry_the_error(void **state)
{
	struct berth_error err = ERROR_INIT;
	(void)state;
	berth_fail_http(&err, 503, "cannot list");
	err.retry_ms = 1500;
	AUTO_JSON json_t *p = problem_document("integration-unavailable", &err, "the-id");
	assert_string_equal(json_string_value(json_object_get(p, "type")),
			    "/v1/problems/integration-unavailable");
	assert_string_equal(json_string_value(json_object_get(p, "cause")), "HTTP 503");
	assert_int_equal(json_integer_value(json_object_get(p, "retry_after_s")), 2);
	assert_int_equal(
		json_integer_value(json_object_get(json_object_get(p, "upstream"), "status")), 503);
}

static void what_a_registry_sent_beyond_a_cap_is_the_registrys_fault(void **state)
{
	struct berth_error err = ERROR_INIT;
	(void)state;
	berth_fail(&err, BERTH_E_LIMIT, "too long");
	AUTO_JSON json_t *own = problem_document(NULL, &err, "the-id");
	err.from = BERTH_FROM_CURL;
	AUTO_JSON json_t *sent = problem_document(NULL, &err, "the-id");
	assert_int_equal(json_integer_value(json_object_get(own, "status")), 422);
	assert_int_equal(json_integer_value(json_object_get(sent, "status")), 502);
}

static void roles_follow_the_highest_group(void **state)
{
	const struct access_config c = {
		.admin_gid = 10, .operator_gid = 20, .viewer_gid = 30, .private_admin_uid = 1000};
	const gid_t both[] = {5, 30, 20}, viewer[] = {30}, none[] = {5};
	const struct access_config empty = {ACCESS_NO_ID, ACCESS_NO_ID, ACCESS_NO_ID, ACCESS_NO_ID};
	const gid_t odd[] = {ACCESS_NO_ID};
	(void)state;
	assert_int_equal(access_role(&c, 0, none, 1), ROLE_ADMIN);
	assert_int_equal(access_role(&c, 1000, none, 1), ROLE_ADMIN);
	assert_int_equal(access_role(&c, 1, both, 3), ROLE_OPERATOR);
	assert_int_equal(access_role(&c, 1, viewer, 1), ROLE_VIEWER);
	assert_int_equal(access_role(&c, 1, none, 1), ROLE_NONE);
	assert_int_equal(access_role(&c, 1, none, 0), ROLE_NONE);
	assert_int_equal(access_role(&empty, ACCESS_NO_ID, odd, 1), ROLE_NONE);
}

static void callers_are_known_by_the_kernels_numbers(void **state)
{
	const struct access_config c = {.admin_gid = ACCESS_NO_ID,
					.operator_gid = ACCESS_NO_ID,
					.viewer_gid = ACCESS_NO_ID,
					.reporter_gid = ACCESS_NO_ID,
					.private_admin_uid = getuid()};
	struct berth_error err = ERROR_INIT;
	struct caller caller;
	int pair[2];
	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	assert_int_equal(access_identify(pair[0], &c, &caller, &err), 0);
	assert_int_equal(caller.uid, geteuid());
	assert_int_equal(caller.pid, getpid());
	assert_int_equal(caller.groups[0], getegid());
	assert_int_equal(caller.role, ROLE_ADMIN);
	assert_true(caller_has_group(&caller, getegid()));
	caller_done(&caller);
	close(pair[0]);
	close(pair[1]);
}

/* The real table, generated from docs/openapi.json. */
static void route_table_is_sound(void **state)
{
	(void)state;
	for (size_t i = 0; i < route_count; i++) {
		const struct route *r = &routes[i];
		assert_non_null(r->handle);
		assert_non_null(r->produces);
		assert_ptr_equal(route_of_operation(r->operation), r);
		assert_true(!i || strcmp(routes[i - 1].path, r->path) <= 0);
		assert_int_equal(r->idempotent, r->method == METHOD_POST);
		if (r->method != METHOD_GET)
			assert_true(r->role >= ROLE_OPERATOR);
		assert_int_equal(r->scope == SCOPE_WORKSPACE, r->member != MEMBER_NONE);
		if (r->scope == SCOPE_WORKSPACE && r->method != METHOD_GET)
			assert_int_equal(r->member, MEMBER_ADMIN);
		if (r->scope == SCOPE_SERVER)
			assert_int_equal(r->method, METHOD_GET);
		for (size_t k = 0; k < r->param_count; k++)
			assert_non_null(r->params[k].schema);
	}
}

static void paths_find_their_most_literal_row(void **state)
{
	struct berth_error err = ERROR_INIT;
	struct route_path p;
	(void)state;
	assert_int_equal(route_path_parse("/v1/openapi.json", 16, &p, &err), 0);
	assert_string_equal(route_find(&p)->operation, "meta_openapi");
	route_path_done(&p);
	assert_int_equal(route_path_parse("/", 1, &p, &err), 0);
	assert_string_equal(route_find(&p)->operation, "meta_root");
	route_path_done(&p);
	assert_int_equal(route_path_parse("/v1/", 4, &p, &err), 0);
	assert_null(route_find(&p));
	route_path_done(&p);
}

static void document_is_the_tables_source(void **state)
{
	AUTO_JSON json_t *d = json_loadb(openapi_text, openapi_text_bytes, 0, NULL);
	(void)state;
	assert_non_null(d);
	for (size_t i = 0; i < route_count; i++)
		assert_non_null(json_object_get(json_object_get(d, "paths"), routes[i].path));
}

#define T(f) cmocka_unit_test(f)
int main(void)
{
	const struct CMUnitTest tests[] = {
		T(filters_become_bound_sql),
		T(filter_values_are_never_in_the_sql),
		T(filters_choose_objects_as_they_choose_rows),
		T(a_character_of_several_bytes_is_one_for_a_question_mark),
		T(filter_faults_are_named),
		T(filters_are_bounded),
		T(accept_chooses_by_quality_and_precision),
		T(etags_follow_desired_state_and_generation),
		T(etag_lists_are_read),
		T(merge_patch_does_what_the_rfc_shows),
		T(schemas_hold_integers_within_two_to_the_53),
		T(schema_errors_are_capped_and_pointed_at),
		T(schema_cases_are_chosen_by_their_word),
		T(every_kind_of_problem_is_whole),
		T(every_error_code_has_a_kind),
		T(problems_carry_the_error),
		T(what_a_registry_sent_beyond_a_cap_is_the_registrys_fault),
		T(roles_follow_the_highest_group),
		T(callers_are_known_by_the_kernels_numbers),
		T(route_table_is_sound),
		T(paths_find_their_most_literal_row),
		T(document_is_the_tables_source),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
