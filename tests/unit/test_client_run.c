/* SPDX-License-Identifier: Apache-2.0 */
/* berthctl against a scripted control socket: what it asks, what it prints,
 * and with which status it ends.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "client/show.h"
#include "tests/unit/client_run.h"

#define HUB                                                                                        \
	"{\"name\":\"hub\",\"kind\":\"dockerreg\",\"address\":\"https://hub.example\","            \
	"\"status\":{\"phase\":\"healthy\",\"checked_at\":\"2026-11-22T18:00:00Z\"}}"

static void a_list_is_a_table_with_whole_times_in_a_pipe(void **state)
{
	(void)state;
	int status = RUN(ANSWERS(HTTP_JSON("200 OK", "", "{\"items\":[" HUB "],\"next\":null}")),
			 "integration", "list");
	assert_int_equal(status, EXIT_OK);
	assert_non_null(strstr(server.asked[0], "GET /v1/integrations HTTP/1.1\r\n"));
	assert_non_null(strstr(said, "NAME"));
	assert_non_null(strstr(said, "hub   dockerreg  https://hub.example  healthy"));
	assert_non_null(strstr(said, "2026-11-22T18:00:00Z"));
	assert_null(strchr(said, '\x1b'));
}

static void a_list_follows_its_pages(void **state)
{
	(void)state;
	int status = RUN(
		ANSWERS(HTTP_JSON("200 OK", "",
				  "{\"items\":[{\"name\":\"a\"}],"
				  "\"next\":\"/v1/integrations?cursor=x\"}"),
			HTTP_JSON("200 OK", "", "{\"items\":[{\"name\":\"b\"}],\"next\":null}")),
		"integration", "ls", "-o", "name");
	assert_int_equal(status, EXIT_OK);
	assert_non_null(strstr(server.asked[1], "GET /v1/integrations?cursor=x "));
	assert_string_equal(said, "a\nb\n");
}

static void list_flags_become_query_parameters(void **state)
{
	(void)state;
	RUN(ANSWERS(HTTP_JSON("200 OK", "", "{\"items\":[]}")), "integration", "list", "--filter",
	    "name like \"a*\"", "--sort=-created_at");
	assert_non_null(
		strstr(server.asked[0], "?filter=name%20like%20%22a%2A%22&sort=-created_at HTTP"));
}

static void json_is_the_body_and_hostile_text_is_escaped_in_it(void **state)
{
	(void)state;
	int status = RUN(ANSWERS(HTTP_JSON("200 OK", "",
					   "{\"name\":\"hub\",\"x\":\"a\\u001b[31m\xC2\x9B\"}")),
			 "integration", "show", "hub", "-o", "json");
	assert_int_equal(status, EXIT_OK);
	assert_string_equal(said, "{\n  \"name\": \"hub\",\n  \"x\": \"a\\u001B[31m\\u009b\"\n}\n");
}

static void hostile_text_does_not_reach_the_terminal(void **state)
{
	(void)state;
	RUN(ANSWERS(HTTP_JSON("200 OK", "",
			      "{\"name\":\"\\u001b]0;x\\u0007\\u202e\\u200b\",\"kind\":\"k\"}")),
	    "integration", "show", "hub");
	assert_non_null(strstr(said, "\\u001B]0;x\\u0007\\u202E\\u200B"));
	assert_null(strchr(said, '\x1b'));
}

static void a_problem_is_error_cause_hint_request(void **state)
{
	(void)state;
	int status =
		RUN(ANSWERS(HTTP_JSON("502 Bad Gateway", "X-Request-Id: r-1\r\n",
				      "{\"title\":\"cannot list spaces of integration 'hub'\","
				      "\"status\":502,\"code\":\"upstream\",\"instance\":\"r-1\","
				      "\"cause\":\"GET /v2/_catalog: HTTP 500\","
				      "\"hint\":\"berthctl integration probe hub\","
				      "\"upstream\":{\"host\":\"hub.example\",\"status\":500}}")),
		    "integration", "list");
	assert_int_equal(status, EXIT_UPSTREAM);
	assert_string_equal(complained, "error: cannot list spaces of integration 'hub'\n"
					"cause: GET /v2/_catalog: HTTP 500\n"
					"cause: hub.example answered 500\n"
					"hint: berthctl integration probe hub\n"
					"request: r-1\n");
	assert_string_equal(said, "");
}

static void the_manual_of_the_api_is_for_its_callers(void **state)
{
	static const char refused[] = HTTP_JSON(
		"404 Not Found", "",
		"{\"code\":\"sync-not-found\",\"status\":404,\"hint\":\"man berth-api\"}");
	static const char better[] = HTTP_JSON(
		"404 Not Found", "",
		"{\"code\":\"not-found\",\"status\":404,\"hint\":\"berthctl sync list\"}");
	static const char target[] = HTTP_JSON(
		"422 B", "",
		"{\"code\":\"sync-ring\",\"status\":422,\"detail\":\"/target: is read\"}");

	(void)state;
	RUN(ANSWERS(refused, refused), "sync", "show", "nightly");
	assert_non_null(strstr(complained, "hint: berthctl sync show --help\n"));
	RUN(ANSWERS(refused, refused), "api", "GET", "/v1/syncs/nightly");
	assert_non_null(strstr(complained, "hint: man berth-api\n"));
	RUN(ANSWERS(better, better), "sync", "show", "nightly");
	assert_non_null(strstr(complained, "hint: berthctl sync list\n"));
	RUN(ANSWERS(target, refused), "sync", "create", "n", "--from", "a", "--to", "b");
	assert_non_null(strstr(complained, "error: --to: is read\n"));
}

static void with_json_the_problem_document_is_on_stderr(void **state)
{
	(void)state;
	int status = RUN(ANSWERS(HTTP_JSON("403 Forbidden", "",
					   "{\"title\":\"not allowed\",\"status\":403}")),
			 "integration", "list", "-o", "json");
	assert_int_equal(status, EXIT_NOT_ALLOWED);
	assert_string_equal(complained, "{\n  \"title\": \"not allowed\",\n  \"status\": 403\n}\n");
}

static void statuses_become_the_documented_exit_codes(void **state)
{
	static const struct {
		const char *answer;
		int exit;
	} cases[] = {
		{HTTP_JSON("400 B", "", "{\"title\":\"t\",\"status\":400}"), EXIT_USAGE},
		{HTTP_JSON("401 B", "", "{\"title\":\"t\",\"status\":401}"), EXIT_NOT_ALLOWED},
		{HTTP_JSON("409 B", "", "{\"title\":\"t\",\"status\":409}"), EXIT_CONFLICT},
		{HTTP_JSON("412 B", "", "{\"title\":\"t\",\"status\":412}"), EXIT_CONFLICT},
		{HTTP_JSON("422 B", "", "{\"title\":\"t\",\"status\":422}"), EXIT_USAGE},
		{HTTP_JSON("428 B", "", "{\"title\":\"t\",\"status\":428}"), EXIT_CONFLICT},
		{HTTP_JSON("431 B", "", "{\"title\":\"t\",\"status\":431}"), EXIT_USAGE},
		{HTTP_JSON("500 B", "", "{\"title\":\"t\",\"status\":500}"), EXIT_ERROR},
		{HTTP_JSON("502 B", "", "{\"title\":\"t\",\"status\":502}"), EXIT_UPSTREAM},
		{HTTP_JSON("413 B", "", "{\"title\":\"t\",\"status\":413}"), EXIT_USAGE},
		{HTTP_JSON("503 B", "", "{\"title\":\"t\",\"status\":503}"), EXIT_UPSTREAM},
		{HTTP_JSON("503 B", "", "{\"code\":\"read-only\",\"status\":503}"), EXIT_ERROR},
		{HTTP_JSON("503 B", "",
			   "{\"code\":\"read-only\",\"status\":503,\"upstream\":{\"status\":403}}"),
		 EXIT_UPSTREAM},
		{HTTP_JSON("503 B", "", "{\"code\":\"draining\",\"status\":503}"), EXIT_NO_DAEMON},
		{HTTP_JSON("503 B", "", "{\"code\":\"no-memory\",\"status\":503}"), EXIT_ERROR},
		{HTTP_JSON("504 B", "", "{\"title\":\"t\",\"status\":504}"), EXIT_TIMEOUT},
		{HTTP_JSON("507 B", "", "{\"code\":\"disk-full\",\"status\":507}"), EXIT_ERROR},
		{HTTP_JSON("507 B", "",
			   "{\"code\":\"disk-full\",\"status\":507,\"upstream\":{\"status\":412}}"),
		 EXIT_UPSTREAM},
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++)
		assert_int_equal(RUN(ANSWERS(cases[i].answer), "api", "GET", "/v1"), cases[i].exit);
}

static void a_name_that_is_not_there_gets_a_suggestion(void **state)
{
	(void)state;
	int status = RUN(ANSWERS(HTTP_JSON("404 Not Found", "",
					   "{\"title\":\"no integration 'hbu'\",\"status\":404}"),
				 HTTP_JSON("200 OK", "", "{\"items\":[" HUB "]}")),
			 "integration", "show", "hbu");
	assert_int_equal(status, EXIT_NOT_FOUND);
	assert_non_null(strstr(complained, "hint: did you mean hub?\n"));
}

static void html_in_place_of_json_is_said_as_such(void **state)
{
	(void)state;
	int status = RUN(ANSWERS(HTTP_JSON("200 OK", "", "<html>")), "integration", "list");
	assert_int_equal(status, EXIT_ERROR);
	assert_non_null(strstr(complained, "cannot read berthd's answer"));
}

static void what_is_not_http_is_refused(void **state)
{
	(void)state;
	int status = RUN(ANSWERS("SSH-2.0-OpenSSH_9.2\r\n\r\n"), "integration", "list");
	assert_int_equal(status, EXIT_ERROR);
	assert_non_null(strstr(complained, "does not speak HTTP/1.1"));
}

static void a_chunked_answer_is_joined(void **state)
{
	(void)state;
	int status = RUN(ANSWERS("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
				 "Transfer-Encoding: chunked\r\n\r\n"
				 "5\r\n{\"ite\r\n0b;x=y\r\nms\":[]    }\r\n0\r\nT: x\r\n\r\n"),
			 "api", "GET", "/v1/x");
	assert_int_equal(status, EXIT_OK);
	assert_string_equal(said, "{\n  \"items\": []\n}\n");
}

static void a_bad_chunk_and_a_cut_body_are_errors(void **state)
{
	(void)state;
	assert_int_equal(RUN(ANSWERS("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"),
			     "api", "GET", "/v1"),
			 EXIT_ERROR);
	assert_int_equal(RUN(ANSWERS("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{}"), "api",
			     "GET", "/v1"),
			 EXIT_NO_DAEMON);
	assert_non_null(strstr(complained, "in the middle of its answer"));
	assert_int_equal(RUN(ANSWERS("HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n{}"), "api",
			     "GET", "/v1"),
			 EXIT_ERROR);
}

static void a_post_carries_a_key_and_an_edit_the_etag(void **state)
{
	(void)state;
	int status = RUN(
		ANSWERS(HTTP_JSON("200 OK", "ETag: \"e1\"\r\n", HUB), HTTP_JSON("200 OK", "", HUB)),
		"integration", "edit", "hub", "--probe-period", "5m", "--insecure", "--option",
		"prefixes=a,b", "--option", "n=3", "--option", "on=true");
	assert_int_equal(status, EXIT_OK);
	assert_non_null(strstr(server.asked[1], "PATCH /v1/integrations/hub HTTP/1.1\r\n"));
	assert_non_null(strstr(server.asked[1], "If-Match: \"e1\"\r\n"));
	assert_non_null(strstr(server.asked[1], "application/merge-patch+json"));
	assert_non_null(strstr(server.asked[1],
			       "{\"probe_period_s\":300,\"tls\":{\"verify\":false},\"options\":"
			       "{\"prefixes\":\"a,b\",\"n\":3,\"on\":true}}"));
	RUN(ANSWERS(HTTP_JSON("200 OK", "", "{}")), "api", "POST", "/v1/x", "-d", "{}");
	assert_non_null(strstr(server.asked[0], "Idempotency-Key: "));
}

static void a_delete_without_a_terminal_needs_yes(void **state)
{
	(void)state;
	int status = RUN(ANSWERS(HTTP_JSON("200 OK", "ETag: \"e1\"\r\n", HUB)), "integration", "rm",
			 "hub");
	assert_int_equal(status, EXIT_USAGE);
	assert_non_null(strstr(
		complained, "This deletes integration hub at https://hub.example with its index"));
	assert_non_null(strstr(complained, "hint: say --yes"));
	status = RUN(ANSWERS(HTTP_JSON("200 OK", "ETag: \"e1\"\r\n", HUB),
			     "HTTP/1.1 204 No Content\r\n\r\n"),
		     "integration", "rm", "hub", "--yes");
	assert_int_equal(status, EXIT_OK);
	assert_non_null(strstr(server.asked[1], "DELETE /v1/integrations/hub "));
	assert_non_null(strstr(server.asked[1], "If-Match: \"e1\"\r\n"));
}

static void dry_run_is_sent_and_not_asked_about(void **state)
{
	(void)state;
	int status =
		RUN(ANSWERS(HTTP_JSON("200 OK", "ETag: \"e1\"\r\n", HUB),
			    HTTP_JSON("200 OK", "", "{\"dry_run\":true,\"delete\":[\"/v1/x\"]}")),
		    "integration", "rm", "hub", "--dry-run");
	assert_int_equal(status, EXIT_OK);
	assert_non_null(strstr(server.asked[1], "DELETE /v1/integrations/hub?dry_run=true "));
	assert_string_equal(said, "would delete /v1/x\n");
}

static void secrets_never_come_from_the_command_line(void **state)
{
	(void)state;
	int status = RUN(NONE, "integration", "add", "x", "--password", "hunter22");
	assert_int_equal(status, EXIT_USAGE);
	assert_non_null(strstr(complained, "every user of this machine can read a command line"));
	assert_null(strstr(complained, "hunter22"));
}

static void a_secret_is_read_from_a_file_without_its_line_end(void **state)
{
	(void)state;
	char path[] = "/tmp/berth-secret-XXXXXX";
	int fd = mkstemp(path);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, "hunter22\n", 9), 9);
	close(fd);
	int status = RUN(ANSWERS(HTTP_JSON("201 Created", "", HUB)), "integration", "add", "hub",
			 "--address", "https://hub.example", "-u", "me", "--password-file", path);
	unlink(path);
	assert_int_equal(status, EXIT_OK);
	assert_non_null(strstr(server.asked[0], "\"password\":\"hunter22\""));
}

#define OPERATION(state, more)                                                                     \
	"{\"id\":\"11111111-2222-4333-8444-555555555555\",\"kind\":\"probe\",\"state\":\"" state   \
	"\",\"attempts\":1" more "}"

static void an_operation_is_followed_to_its_end(void **state)
{
	(void)state;
	int status = RUN(ANSWERS(HTTP_JSON("202 Accepted", "", OPERATION("pending", "")),
				 HTTP_JSON("200 OK", "", OPERATION("running", "")),
				 HTTP_JSON("200 OK", "", OPERATION("succeeded", ",\"result\":{}")),
				 HTTP_JSON("200 OK", "", HUB)),
			 "integration", "probe", "hub");
	assert_int_equal(status, EXIT_OK);
	assert_non_null(strstr(server.asked[0], "POST /v1/integrations/hub/probe "));
	assert_non_null(strstr(server.asked[1],
			       "GET /v1/operations/11111111-2222-4333-8444-555555555555/wait?"));
	assert_non_null(strstr(said, "State:    healthy\n"));
}

static void a_failed_operation_gives_its_problem_and_exit(void **state)
{
	(void)state;
	int status = RUN(ANSWERS(HTTP_JSON("202 Accepted", "", OPERATION("pending", "")),
				 HTTP_JSON("200 OK", "",
					   OPERATION("failed", ",\"error\":{\"title\":\"no\","
							       "\"status\":502}"))),
			 "integration", "probe", "hub");
	assert_int_equal(status, EXIT_UPSTREAM);
	assert_non_null(strstr(complained, "error: no\n"));
}

static void images_that_failed_are_a_registrys_and_not_the_command_lines(void **state)
{
	static const struct {
		const char *answer;
		int exit;
	} cases[] = {
#define FAILED(counts, status)                                                                     \
	HTTP_JSON("200 OK", "",                                                                    \
		  OPERATION("failed", ",\"result\":{" counts "},\"error\":{\"title\":\"no\","      \
				      "\"status\":" status "}"))
		{FAILED("\"failed\":1", "400"), EXIT_UPSTREAM},
		{FAILED("\"failed\":1", "429"), EXIT_UPSTREAM},
		{FAILED("\"failed\":1", "504"), EXIT_UPSTREAM},
		{FAILED("\"failed\":1", "404"), EXIT_NOT_FOUND},
		{FAILED("\"failed\":1,\"copied\":1", "400"), EXIT_PARTLY},
		{FAILED("", "400"), EXIT_USAGE},
#undef FAILED
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++)
		assert_int_equal(
			RUN(ANSWERS(HTTP_JSON("202 Accepted", "", OPERATION("pending", "")),
				    cases[i].answer, HTTP_JSON("200 OK", "", HUB)),
			    "integration", "probe", "hub"),
			cases[i].exit);
}

static void no_wait_prints_the_operation_and_returns(void **state)
{
	(void)state;
	int status = RUN(ANSWERS(HTTP_JSON("202 Accepted", "", OPERATION("pending", ""))),
			 "integration", "probe", "hub", "--no-wait");
	assert_int_equal(status, EXIT_OK);
	assert_non_null(strstr(said, "11111111-2222-4333-8444-555555555555"));
	assert_int_equal(server.asked_count, 1);
}

static void plain_progress_is_a_line_each_tenth(void **state)
{
	(void)state;
#define AT(done)                                                                                   \
	HTTP_JSON("200 OK", "",                                                                    \
		  OPERATION("running", ",\"progress\":{\"done\":" done                             \
				       ",\"total\":1000,\"unit\":\"bytes\",\"bytes_per_s\":100}"))
	RUN(ANSWERS(HTTP_JSON("202 Accepted", "", OPERATION("pending", "")), AT("100"), AT("110"),
		    AT("520"), HTTP_JSON("200 OK", "", OPERATION("succeeded", ""))),
	    "integration", "probe", "hub", "--progress=plain");
	assert_string_equal(complained, "probe:  10 %  100 B of 1000 B  100 B/s  9 s left\n"
					"probe:  52 %  520 B of 1000 B  100 B/s  4 s left\n");
}

static void events_are_streamed_line_by_line(void **state)
{
	(void)state;
	int status = RUN(ANSWERS("HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\n"
				 "Transfer-Encoding: chunked\r\n\r\n"
				 "9\r\n{\"id\":1}\n\r\n4\r\n{\"id\r\n5\r\n\":2}\n\r\n0\r\n\r\n"),
			 "event", "watch", "--types", "audit", "-o", "ndjson");
	assert_int_equal(status, EXIT_OK);
	assert_non_null(strstr(server.asked[0], "GET /v1/events?types=audit "));
	assert_string_equal(said, "{\"id\":1}\n{\"id\":2}\n");
}

static void unknown_words_get_a_suggestion(void **state)
{
	(void)state;
	assert_int_equal(RUN(NONE, "integraton", "list"), EXIT_USAGE);
	assert_non_null(strstr(complained, "did you mean `berthctl integration`?"));
	assert_int_equal(RUN(NONE, "integration", "lst"), EXIT_USAGE);
	assert_non_null(strstr(complained, "did you mean `berthctl integration list`?"));
	assert_int_equal(RUN(NONE, "integration", "list", "--ouput", "json"), EXIT_USAGE);
	assert_non_null(strstr(complained, "did you mean --output?"));
	assert_int_equal(RUN(NONE, "integration", "show"), EXIT_USAGE);
	assert_non_null(strstr(complained, "NAME is missing"));
	assert_int_equal(RUN(NONE, "integration", "list", "-o", "xml"), EXIT_USAGE);
}

static void without_a_daemon_the_exit_is_six(void **state)
{
	(void)state;
	FILE *null = fopen("/dev/null", "r+e"), *err = tmpfile();
	char *argv[] = {(char *)(uintptr_t) "berthctl", (char *)(uintptr_t) "integration",
			(char *)(uintptr_t) "list", (char *)(uintptr_t) "--socket=/nowhere/sock",
			NULL};
	assert_non_null(null);
	assert_non_null(err);
	assert_int_equal(cli_main(4, argv, null, null, err), EXIT_NO_DAEMON);
	fclose(null);
	read_back(err, complained);
	assert_non_null(strstr(complained, "error: cannot reach berthd at /nowhere/sock\n"));
}

static void every_command_has_two_examples_and_a_handler(void **state)
{
	(void)state;
	for (const struct noun *const *n = nouns; *n; n++)
		for (const struct command *c = (*n)->commands; c->noun; c++) {
			assert_string_equal(c->noun, (*n)->name);
			assert_non_null(c->run);
			assert_non_null(c->summary);
			assert_true((c->traits & CMD_HIDDEN) || c->examples[1].line);
			for (size_t i = 0; i < EXAMPLE_MAX && c->examples[i].line; i++)
				assert_non_null(strstr(c->examples[i].line, "berthctl"));
		}
}

static void completion_knows_nouns_flags_and_names(void **state)
{
	(void)state;
	RUN(NONE, "__complete", "integ");
	assert_non_null(strstr(said, "integration\t"));
	RUN(NONE, "__complete", "integration", "list", "--out");
	assert_non_null(strstr(said, "--output\t"));
	RUN(NONE, "__complete", "integration", "list", "--output=js");
	assert_string_equal(said, "--output=json\n");
	RUN(ANSWERS(HTTP_JSON("200 OK", "", "{\"items\":[" HUB "]}")), "__complete", "integration",
	    "show", "h");
	assert_string_equal(said, "hub\n");
	RUN(NONE, "__complete", "integration", "add", "x", "--ca", "");
	assert_string_equal(said, ":file\n");
}

static void machine_formats_are_what_they_say(void **state)
{
	(void)state;
#define TWO HTTP_JSON("200 OK", "", "{\"items\":[" HUB ",{\"name\":\"a,\\\"b\"}]}")
	RUN(ANSWERS(TWO), "integration", "list", "-o", "csv", "--columns", "name,status.phase");
	assert_string_equal(said, "NAME,STATE\r\nhub,healthy\r\n\"a,\"\"b\",\r\n");
	RUN(ANSWERS(TWO), "integration", "list", "-o", "template={name}={status.phase}");
	assert_string_equal(said, "hub=healthy\na,\"b=\n");
	assert_int_equal(RUN(ANSWERS(TWO), "integration", "list", "--columns", ""), EXIT_USAGE);
	assert_non_null(strstr(complained, "--columns names no column"));
	assert_int_equal(RUN(NONE, "integration", "list", "-o", "template={name"), EXIT_USAGE);
	assert_non_null(strstr(complained, "a { of the template has no }"));
	assert_int_equal(RUN(NONE, "integration", "list", "-o", "template="), EXIT_USAGE);
	RUN(ANSWERS(HTTP_JSON("200 OK", "", "{\"a\":[1,{\"b\":\"yes\",\"c\":[]}],\"d\":\"x y\"}")),
	    "integration", "show", "x", "-o", "yaml");
	assert_string_equal(said, "a:\n  - 1\n  - b: \"yes\"\n    c: []\nd: \"x y\"\n");
}

static void a_document_is_one_line_of_ndjson(void **state)
{
	static const char server_says[] =
		HTTP_JSON("200 OK", "", "{\"version\":\"1.2.3\",\"api\":\"v1\"}");
	(void)state;
	assert_int_equal(RUN(ANSWERS(server_says), "version", "-o", "ndjson"), EXIT_OK);
	assert_ptr_equal(strchr(said, '\n'), said + strlen(said) - 1);
	assert_non_null(strstr(said, "\"version\":\"1.2.3\""));
	assert_int_equal(RUN(ANSWERS(server_says), "version", "-o", "template={server.api}"),
			 EXIT_OK);
	assert_int_equal(RUN(ANSWERS(server_says), "version", "--jq", ".["), EXIT_USAGE);
}

static void a_wrong_line_says_what_to_type(void **state)
{
	(void)state;
	assert_int_equal(RUN(NONE, "integration", "list", "--zzzzzzzz"), EXIT_USAGE);
	assert_non_null(strstr(complained, "hint: berthctl integration list --help"));
	assert_int_equal(RUN(NONE, "integration", "list", "-Z"), EXIT_USAGE);
	assert_non_null(strstr(complained, "hint: berthctl integration list --help"));
	assert_int_equal(RUN(NONE, "help", "space", "frobnicate"), EXIT_USAGE);
	assert_non_null(strstr(complained, "hint: berthctl space --help"));
	assert_int_equal(RUN(NONE, "help", "integratoin"), EXIT_USAGE);
	assert_non_null(strstr(complained, "`berthctl help integration`"));
	assert_int_equal(RUN(NONE, "event", "watch", "--no-follow", "--since", "noon"), EXIT_USAGE);
	assert_non_null(strstr(complained, "'noon'"));
}

static void sizes_and_spans_read_well(void **state)
{
	char text[32];
	(void)state;
	format_bytes(1536, text);
	assert_string_equal(text, "1.5 KiB");
	format_bytes(7, text);
	assert_string_equal(text, "7 B");
	format_span(200, text);
	assert_string_equal(text, "3 min 20 s");
	uint64_t value;
	assert_true(parse_bytes("10MiB", &value) && value == 10 << 20);
	assert_true(parse_seconds("15m", &value) && value == 900);
	assert_false(parse_bytes("10 parsecs", &value));
	assert_false(parse_seconds("99999999999999999999", &value));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_list_is_a_table_with_whole_times_in_a_pipe),
		cmocka_unit_test(a_list_follows_its_pages),
		cmocka_unit_test(list_flags_become_query_parameters),
		cmocka_unit_test(json_is_the_body_and_hostile_text_is_escaped_in_it),
		cmocka_unit_test(hostile_text_does_not_reach_the_terminal),
		cmocka_unit_test(a_problem_is_error_cause_hint_request),
		cmocka_unit_test(the_manual_of_the_api_is_for_its_callers),
		cmocka_unit_test(with_json_the_problem_document_is_on_stderr),
		cmocka_unit_test(statuses_become_the_documented_exit_codes),
		cmocka_unit_test(a_name_that_is_not_there_gets_a_suggestion),
		cmocka_unit_test(html_in_place_of_json_is_said_as_such),
		cmocka_unit_test(what_is_not_http_is_refused),
		cmocka_unit_test(a_chunked_answer_is_joined),
		cmocka_unit_test(a_bad_chunk_and_a_cut_body_are_errors),
		cmocka_unit_test(a_post_carries_a_key_and_an_edit_the_etag),
		cmocka_unit_test(a_delete_without_a_terminal_needs_yes),
		cmocka_unit_test(dry_run_is_sent_and_not_asked_about),
		cmocka_unit_test(secrets_never_come_from_the_command_line),
		cmocka_unit_test(a_secret_is_read_from_a_file_without_its_line_end),
		cmocka_unit_test(an_operation_is_followed_to_its_end),
		cmocka_unit_test(a_failed_operation_gives_its_problem_and_exit),
		cmocka_unit_test(images_that_failed_are_a_registrys_and_not_the_command_lines),
		cmocka_unit_test(no_wait_prints_the_operation_and_returns),
		cmocka_unit_test(plain_progress_is_a_line_each_tenth),
		cmocka_unit_test(events_are_streamed_line_by_line),
		cmocka_unit_test(unknown_words_get_a_suggestion),
		cmocka_unit_test(without_a_daemon_the_exit_is_six),
		cmocka_unit_test(every_command_has_two_examples_and_a_handler),
		cmocka_unit_test(completion_knows_nouns_flags_and_names),
		cmocka_unit_test(machine_formats_are_what_they_say),
		cmocka_unit_test(a_document_is_one_line_of_ndjson),
		cmocka_unit_test(a_wrong_line_says_what_to_type),
		cmocka_unit_test(sizes_and_spans_read_well),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
