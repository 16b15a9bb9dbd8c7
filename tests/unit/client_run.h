/* SPDX-License-Identifier: Apache-2.0 */
/* Runs one berthctl command line in this process against a scripted control
 * socket: RUN(ANSWERS("HTTP/1.1 200 OK..."), "space", "list"). What it printed is
 * in said and complained, what it asked in server.asked. Include after cmocka.h.
 */
#ifndef TESTS_CLIENT_RUN_H
#define TESTS_CLIENT_RUN_H

#include "client/cli.h"
#include "core/base/scope.h"
#include "tests/unit/client_server.h"

static char said[SAID_BYTES], complained[SAID_BYTES];
static struct server server;

static inline void read_back(FILE *f, char *to)
{
	rewind(f);
	size_t n = fread(to, 1, SAID_BYTES - 1, f);
	to[n] = 0;
	fclose(f);
}

/* Runs the words against the scripted answers; the status. */
static inline int run_with(const char *const *answers, const char *const *words)
{
	char *argv[40] = {(char *)(uintptr_t) "berthctl"};
	int argc = 1;
	FILE *in = fopen("/dev/null", "re"), *out = tmpfile(), *err = tmpfile();
	assert_non_null(in);
	assert_non_null(out);
	assert_non_null(err);
	assert_true(server_start(&server, answers));
	assert_int_equal(setenv("BERTH_SOCKET", server.path, 1), 0);
	for (; words[argc - 1]; argc++)
		argv[argc] = (char *)(uintptr_t)words[argc - 1];
	int status = cli_main(argc, argv, in, out, err);
	server_stop(&server);
	fclose(in);
	read_back(out, said);
	read_back(err, complained);
	return status;
}
#define ANSWERS(...) ((const char *const[]){__VA_ARGS__, NULL})
#define RUN(answers, ...) run_with(answers, (const char *const[]){__VA_ARGS__, NULL})
#define NONE ((const char *const[]){NULL})

#endif
