/* SPDX-License-Identifier: Apache-2.0 */
/* Notifications of registries, and the secrets that they carry. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/base/js.h"
#include "core/base/text.h"
#include "core/hooks/notice.h"
#include "core/hooks/secrets.h"

/* The changes as canonical text; free(). */
static char *understood(const char *body)
{
	AUTO_JSON json_t *changes = NULL;
	struct berth_error err = ERROR_INIT;

	assert_int_equal(notice_parse(body, strlen(body), &changes, &err), 0);
	return js_canonical(changes);
}

static void check(const char *body, const char *expected)
{
	AUTO_FREE char *got = understood(body);

	assert_string_equal(got, expected);
}

#define ONE "[{\"repository\":\"team/app\",\"tag\":\"1\"}]"
#define DATA(tag)                                                                                  \
	"{\"resources\":[{\"tag\":\"" tag "\",\"digest\":\"sha256:1\"}],"                          \
	"\"repository\":{\"name\":\"app\",\"repo_full_name\":\"team/app\"}}"
#define EVENT(action, repository, tag)                                                             \
	"{\"action\":\"" action "\",\"target\":{\"repository\":\"" repository "\",\"tag\":\"" tag  \
	"\"}}"

static void a_push_is_understood_in_each_form(void **state)
{
	(void)state;
	check("{\"events\":[" EVENT("push", "team/app", "1") "]}", ONE);
	check("{\"type\":\"PUSH_ARTIFACT\",\"event_data\":" DATA("1") "}", ONE);
	check("{\"specversion\":\"1.0\",\"type\":\"harbor.artifact.pushed\",\"data\":" DATA(
		      "1") "}",
	      ONE);
}

static void what_is_no_push_of_a_tag_is_nothing(void **state)
{
	(void)state;
	check("{\"events\":[]}", "[]");
	check("{\"events\":[" EVENT("pull", "team/app", "1") "," EVENT(
		      "delete", "team/app", "1") "," EVENT("push", "team/app", "") "]}",
	      "[]");
	check("{\"events\":[7,null,{\"action\":\"push\"}]}", "[]");
	check("{\"type\":\"PULL_ARTIFACT\",\"event_data\":" DATA("1") "}", "[]");
	check("{\"specversion\":\"1.0\",\"type\":\"harbor.artifact.pulled\",\"data\":" DATA(
		      "1") "}",
	      "[]");
	check("{\"type\":\"PUSH_ARTIFACT\",\"event_data\":{\"resources\":[{}]}}", "[]");
}

static void names_that_no_registry_has_are_left_out_and_others_come_once(void **state)
{
	(void)state;
	check("{\"events\":[" EVENT("push", "../etc", "1") "," EVENT(
		      "push", "UPPER", "1") "," EVENT("push", "a b",
						      "1") "," EVENT("push", "team/app", "-x") "]}",
	      "[]");
	check("{\"events\":[" EVENT("push", "team/app", "1") "," EVENT("push", "team/app",
								       "1") "]}",
	      ONE);
}

static void very_many_are_one_that_names_nothing(void **state)
{
	AUTO_JSON json_t *events = json_array();

	(void)state;
	for (int i = 0; i < 3 * NOTICE_CHANGES_MAX; i++)
		json_array_append_new(events, json_pack("{s:s, s:{s:s, s:o}}", "action", "push",
							"target", "repository", "team/app", "tag",
							json_sprintf("v%d", i)));
	AUTO_JSON json_t *doc = json_pack("{s:O}", "events", events);
	AUTO_FREE char *body = js_text(doc);
	check(body, "[{}]");
}

static void nonsense_is_refused(void **state)
{
	static const char *const bodies[] = {"",
					     "{",
					     "[]",
					     "null",
					     "{}",
					     "{\"events\":7}",
					     "{\"type\":\"x\"}",
					     "{\"data\":{}}",
					     "\"events\"",
					     "{\"events\":[],\"events\":[]}"};
	AUTO_JSON json_t *changes = NULL;

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(bodies); i++) {
		struct berth_error err = ERROR_INIT;
		assert_int_equal(notice_parse(bodies[i], strlen(bodies[i]), &changes, &err),
				 BERTH_E_INVALID);
		assert_null(changes);
	}
}

static void the_kinds_of_content_are_known(void **state)
{
	(void)state;
	assert_true(notice_is_type("application/vnd.docker.distribution.events.v1+json"));
	assert_true(notice_is_type("application/vnd.docker.distribution.events.v2+json"));
	assert_true(notice_is_type("application/json; charset=utf-8"));
	assert_true(notice_is_type("application/cloudevents+json"));
	assert_false(notice_is_type(NULL));
	assert_false(notice_is_type(""));
	assert_false(notice_is_type("application/jsonp"));
	assert_false(notice_is_type("text/plain"));
}

/* --- secrets --- */

static char folder[] = "/tmp/berth-hooks-XXXXXX";

static void put(const char *name, const char *text, mode_t mode)
{
	AUTO_FREE char *path = text_printf("%s/%s", folder, name);
	AUTO_FD int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	assert_int_equal(fchmod(fd, mode), 0);
}

static void drop(const char *name)
{
	AUTO_FREE char *path = text_printf("%s/%s", folder, name);

	assert_int_equal(unlink(path), 0);
}

static void only_the_secret_of_that_integration_fits(void **state)
{
	struct hook_secrets s = {.items = NULL};
	struct berth_error err = ERROR_INIT;

	(void)state;
	put("hub", "0123456789abcdef\n", 0600);
	put("lab", "fedcba9876543210", 0640);
	assert_int_equal(hook_secrets_load(folder, &s, &err), 0);
	assert_true(hook_secrets_match(&s, "hub", "0123456789abcdef"));
	assert_true(hook_secrets_match(&s, "hub", "Bearer 0123456789abcdef"));
	assert_true(hook_secrets_match(&s, "lab", "bearer fedcba9876543210"));
	assert_false(hook_secrets_match(&s, "hub", NULL));
	assert_false(hook_secrets_match(&s, "hub", ""));
	assert_false(hook_secrets_match(&s, "hub", "0123456789abcde"));
	assert_false(hook_secrets_match(&s, "hub", "0123456789abcdef\n"));
	assert_false(hook_secrets_match(&s, "hub", "fedcba9876543210"));
	assert_false(hook_secrets_match(&s, "", ""));
	assert_false(hook_secrets_match(&s, "nobody", "0123456789abcdef"));
	hook_secrets_done(&s);
	drop("hub");
	drop("lab");
}

static void what_cannot_be_a_secret_is_refused_by_name(void **state)
{
	static const struct {
		const char *name, *text;
		mode_t mode;
	} cases[] = {{"short", "0123456789abcde", 0600},
		     {"open", "0123456789abcdef", 0604},
		     {"writable", "0123456789abcdef", 0620},
		     {"Upper", "0123456789abcdef", 0600}};
	struct hook_secrets s = {.items = NULL};

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		struct berth_error err = ERROR_INIT;
		put(cases[i].name, cases[i].text, cases[i].mode);
		assert_int_equal(hook_secrets_load(folder, &s, &err), BERTH_E_INVALID);
		assert_non_null(strstr(err.message, cases[i].name));
		assert_null(s.items);
		drop(cases[i].name);
	}
	struct berth_error err = ERROR_INIT;
	assert_int_equal(hook_secrets_load(folder, &s, &err), BERTH_E_NOT_FOUND);
}

static int make_folder(void **state)
{
	(void)state;
	return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
	(void)state;
	return rmdir(folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_push_is_understood_in_each_form),
		cmocka_unit_test(what_is_no_push_of_a_tag_is_nothing),
		cmocka_unit_test(names_that_no_registry_has_are_left_out_and_others_come_once),
		cmocka_unit_test(very_many_are_one_that_names_nothing),
		cmocka_unit_test(nonsense_is_refused),
		cmocka_unit_test(the_kinds_of_content_are_known),
		cmocka_unit_test(only_the_secret_of_that_integration_fits),
		cmocka_unit_test(what_cannot_be_a_secret_is_refused_by_name),
	};

	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
