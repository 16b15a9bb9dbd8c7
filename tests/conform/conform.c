/* SPDX-License-Identifier: Apache-2.0 */
/* conform [-o KEY=VALUE]... [--script FILE] PLUGIN.so: see conform.h. A script
 * has lines "METHOD PATH STATUS CONTENT-TYPE BODY" which the kit's server
 * answers when it behaves, so that calls give items, "OPTION KEY=VALUE"
 * and "HEADER NAME: VALUE".
 */
#include "tests/conform/conform.h"

#include <getopt.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#define GIVEN_MAX 64

static unsigned test_count, failed_count;
static const char *given[GIVEN_MAX + 1];

void tap_ok(bool is_ok, const char *what, const char *detail)
{
	printf("%sok %u - %s\n", is_ok ? "" : "not ", ++test_count, what);
	failed_count += !is_ok;
	if (!is_ok && detail && *detail)
		printf("# %s\n", detail);
	fflush(stdout);
}

void tap_skip(const char *what, const char *why)
{
	printf("ok %u - %s # SKIP %s\n", ++test_count, what, why);
	fflush(stdout);
}

int tap_end(void)
{
	printf("1..%u\n", test_count);
	if (failed_count)
		printf("# %u of %u failed\n", failed_count, test_count);
	return failed_count ? 1 : 0;
}

static int usage(void)
{
	fputs("usage: conform [-o KEY=VALUE]... [--script FILE] PLUGIN.so\n", stderr);
	return 2;
}

/* "DIR/NAME.so" into both. */
static bool split(const char *path, char *dir, char *name)
{
	char whole[PATH_MAX];
	if (!realpath(path, whole))
		return false;
	char *slash = strrchr(whole, '/');
	size_t byte_count = strlen(slash + 1);
	if (byte_count < 4 || strcmp(slash + 1 + byte_count - 3, ".so") != 0)
		return false;
	*slash = 0;
	snprintf(dir, PATH_MAX, "%s", whole);
	snprintf(name, NAME_MAX + 1, "%.*s", (int)byte_count - 3, slash + 1);
	return true;
}

static int run(const char *path, const char *script)
{
	char dir[PATH_MAX], name[NAME_MAX + 1], detail[800];
	struct berth_error err = ERROR_INIT;
	struct plugin *p = NULL;
	struct upstream u;
	if (!split(path, dir, name)) {
		fprintf(stderr, "conform: %s is not a file named NAME.so\n", path);
		return 2;
	}
	if (!upstream_start(&u, script)) {
		fputs("conform: the server cannot be started\n", stderr);
		return 2;
	}
	size_t count = 0;
	while (given[count])
		count++;
	script_options(given + count, GIVEN_MAX - count);
	check_file(path, name);
	int code = plugin_load(dir, name, &p, &err);
	snprintf(detail, sizeof detail, "%s%s%s", err.message, err.cause[0] ? ": " : "", err.cause);
	tap_ok(!code, "the loader takes it: file, head, options and tables are right", detail);
	if (!code) {
		check_life(p, &u);
		check_works(p, &u, script);
		check_faults(p, &u);
	}
	upstream_stop(&u);
	return tap_end();
}

int main(int argc, char **argv)
{
	static const struct option longs[] = {{"script", required_argument, NULL, 's'},
					      {NULL, 0, NULL, 0}};
	size_t given_count = 0;
	const char *script = NULL;
	int c;
	while ((c = getopt_long(argc, argv, "o:s:", longs, NULL)) != -1) {
		if (c == 's')
			script = optarg;
		else if (c == 'o' && strchr(optarg, '=') && given_count < GIVEN_MAX)
			given[given_count++] = optarg;
		else
			return usage();
	}
	if (optind != argc - 1)
		return usage();
	given_options = given;
	signal(SIGPIPE, SIG_IGN);
	return run(argv[optind], script);
}
