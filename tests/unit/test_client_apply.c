/* SPDX-License-Identifier: Apache-2.0 */
/* apply and diff against a scripted control socket. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/client_run.h"

#define HUB                                                                                        \
	"{\"name\":\"hub\",\"kind\":\"dockerreg\",\"address\":\"https://hub.example\","            \
	"\"tls\":{\"verify\":true},\"password\":{\"set\":true},\"status\":{\"phase\":\"healthy\"}}"
#define LIST(items) HTTP_JSON("200 OK", "", "{\"items\":[" items "]}")
#define ONE(item) HTTP_JSON("200 OK", "ETag: \"e7\"\r\n", item)

static char file[64];

static void write_file(const char *text)
{
	snprintf(file, sizeof(file), "/tmp/berth-apply-XXXXXX");
	int fd = mkstemp(file);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

static void what_agrees_is_left_alone(void **state)
{
	(void)state;
	write_file("integrations:\n  - name: hub\n    kind: dockerreg\n"
		   "    tls: {verify: true}\n    address: https://hub.example\n");
	int status = RUN(ANSWERS(LIST(HUB), ONE(HUB)), "apply", "-f", file);
	unlink(file);
	assert_int_equal(status, EXIT_OK);
	assert_int_equal(server.asked_count, 2);
	assert_string_equal(said, "unchanged  integration hub\n");
}

static void only_what_differs_is_sent(void **state)
{
	(void)state;
	write_file("integrations:\n  - name: hub\n    kind: dockerreg\n"
		   "    address: https://new.example\n    description: x\n");
	int status = RUN(ANSWERS(LIST(HUB), ONE(HUB), ONE(HUB)), "apply", "-f", file);
	unlink(file);
	assert_int_equal(status, EXIT_OK);
	assert_non_null(strstr(server.asked[2], "PATCH /v1/integrations/hub "));
	assert_non_null(strstr(server.asked[2], "If-Match: \"e7\"\r\n"));
	assert_non_null(
		strstr(server.asked[2],
		       "\r\n\r\n{\"address\":\"https://new.example\",\"description\":\"x\"}"));
	assert_non_null(strstr(said, "  - address: \"https://hub.example\"\n"
				     "  + address: \"https://new.example\"\n"));
}

static void what_is_missing_is_created_with_its_secret(void **state)
{
	(void)state;
	char secret[] = "/tmp/berth-secret-XXXXXX", text[256];
	int fd = mkstemp(secret);
	assert_int_equal(write(fd, "hunter22\n", 9), 9);
	close(fd);
	snprintf(text, sizeof(text),
		 "integrations:\n- {name: lab, kind: dockerreg, address: 'http://l', "
		 "password_file: %s}\n",
		 strrchr(secret, '/') + 1);
	write_file(text);
	int status =
		RUN(ANSWERS(LIST(HUB), HTTP_JSON("201 Created", "", HUB)), "apply", "-f", file);
	unlink(file);
	unlink(secret);
	assert_int_equal(status, EXIT_OK);
	assert_non_null(strstr(server.asked[1], "POST /v1/integrations "));
	assert_non_null(strstr(server.asked[1], "\"password\":\"hunter22\""));
	assert_null(strstr(said, "hunter22"));
}

static void prune_deletes_what_the_list_does_not_name(void **state)
{
	(void)state;
	write_file("{\"syncs\":[]}");
	const char *const answers[] = {LIST("{\"name\":\"old\"}"), ONE("{\"name\":\"old\"}"),
				       "HTTP/1.1 204 No Content\r\n\r\n", NULL};
	int status = RUN(answers, "apply", "-f", file, "--prune");
	assert_int_equal(status, EXIT_USAGE);
	assert_non_null(strstr(complained, "--yes"));
	assert_int_equal(server.asked_count, 2);
	status = RUN(answers, "apply", "-f", file, "--prune", "--yes");
	unlink(file);
	assert_int_equal(status, EXIT_OK);
	assert_non_null(strstr(server.asked[2], "DELETE /v1/syncs/old "));
}

static void diff_tells_by_its_exit_status(void **state)
{
	(void)state;
	write_file("syncs:\n  - {name: s1, source: hub/a, target: lab}\n");
	assert_int_equal(RUN(ANSWERS(LIST("")), "diff", "-f", file), EXIT_ERROR);
	assert_string_equal(said, "create     sync s1\n");
	assert_int_equal(
		RUN(ANSWERS(LIST("{\"name\":\"s1\"}"),
			    ONE("{\"name\":\"s1\",\"source\":\"hub/a\",\"target\":\"lab\"}")),
		    "diff", "-f", file),
		EXIT_OK);
	assert_int_equal(RUN(ANSWERS(HTTP_JSON("500 X", "", "{\"title\":\"t\",\"status\":500}")),
			     "diff", "-f", file),
			 EXIT_USAGE);
	unlink(file);
	assert_int_equal(RUN(NONE, "diff", "-f", "/nowhere/at/all"), EXIT_USAGE);
}

static void what_cannot_change_is_refused_before_anything_is_sent(void **state)
{
	(void)state;
	write_file("integrations:\n- {name: hub, kind: harbor, address: 'https://hub.example'}\n");
	int status = RUN(ANSWERS(LIST(HUB), ONE(HUB)), "apply", "-f", file);
	unlink(file);
	assert_int_equal(status, EXIT_USAGE);
	assert_non_null(strstr(complained, "'kind' cannot be changed"));
	write_file("integration:\n- {name: hub}\n");
	assert_int_equal(RUN(NONE, "apply", "-f", file), EXIT_USAGE);
	assert_non_null(strstr(complained,
			       "'integration' is none of workspaces, integrations, spaces, syncs"));
	unlink(file);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_agrees_is_left_alone),
		cmocka_unit_test(only_what_differs_is_sent),
		cmocka_unit_test(what_is_missing_is_created_with_its_secret),
		cmocka_unit_test(prune_deletes_what_the_list_does_not_name),
		cmocka_unit_test(diff_tells_by_its_exit_status),
		cmocka_unit_test(what_cannot_change_is_refused_before_anything_is_sent),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
