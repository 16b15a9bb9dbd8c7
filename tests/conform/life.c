/* SPDX-License-Identifier: Apache-2.0 */
/* Opening and closing: what is missing is named, nothing is left behind, and
 * nobody is talked to.
 */
#include <dirent.h>
#include <malloc.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <curl/curl.h>

#include "core/base/fail.h"
#include "tests/conform/conform.h"

#define WARM_UP 20
#define ROUNDS 100
#define SLACK_BYTES 1024 /* less than a leak of 16 bytes a round */

static int count_entries(const char *path)
{
	int count = 0;
	DIR *dir = opendir(path);
	while (dir && readdir(dir))
		count++;
	if (dir)
		closedir(dir);
	return count;
}

static size_t bytes_in_use(void)
{
	struct mallinfo2 m = mallinfo2();
	return m.uordblks + m.hblkhd;
}

/* Prints the finding into the pipe of its parent; silence is good. */
static void look_for_leaks(const struct host_setup *setup, FILE *to)
{
	struct berth_error err = ERROR_INIT;
	int code = 0;
	curl_global_init(CURL_GLOBAL_DEFAULT);
	for (int i = 0; i < WARM_UP; i++)
		code = open_once(setup, &err);
	if (code)
		fprintf(to, "open failed: %.200s", err.message);
	int fds = count_entries("/proc/self/fd"), threads = count_entries("/proc/self/task");
	size_t bytes = bytes_in_use();
	for (int i = 0; i < ROUNDS; i++)
		code = open_once(setup, &err);
	if (code)
		fprintf(to, "open failed later: %.200s; ", err.message);
	size_t grown = bytes_in_use();
	if (grown > bytes + SLACK_BYTES)
		fprintf(to, "%zu bytes are left after %d rounds; ", grown - bytes, ROUNDS);
	if (count_entries("/proc/self/fd") != fds)
		fprintf(to, "%d descriptors before, %d after; ", fds,
			count_entries("/proc/self/fd"));
	if (count_entries("/proc/self/task") != threads)
		fprintf(to, "%d threads before, %d after", threads,
			count_entries("/proc/self/task"));
	fflush(to);
}

static void check_leaks(const struct host_setup *setup)
{
	char found[400] = "";
	int fds[2], status = 0;
	if (pipe(fds))
		return tap_ok(false, "a pipe can be made", NULL);
	fflush(NULL);
	pid_t pid = fork();
	if (pid == 0) {
		FILE *to = fdopen(fds[1], "w");
		if (to)
			look_for_leaks(setup, to);
		_exit(to ? 0 : 1);
	}
	close(fds[1]);
	ssize_t got = read(fds[0], found, sizeof found - 1);
	found[got > 0 ? got : 0] = 0;
	close(fds[0]);
	waitpid(pid, &status, 0);
	if (status)
		snprintf(found, sizeof found, "the process ended with wait status %d", status);
	tap_ok(!found[0], "100 times open and close leave no memory, descriptor or thread", found);
}

static void describe(const struct outcome *o, char *to, size_t room)
{
	if (o->has_crashed)
		snprintf(to, room, "the process died%s%s", o->signo ? " by SIG" : "",
			 o->signo ? sigabbrev_np(o->signo) : "");
	else
		snprintf(to, room, "it returned %d (%s): %.200s", o->code, berth_code_name(o->code),
			 o->message);
}

static void check_missing(const struct plugin *p, const struct host_setup *base)
{
	char claim[160], detail[400];
	for (size_t i = 0; i < p->option_count; i++) {
		const struct berth_option *option = &p->options[i];
		struct host_setup setup = *base;
		struct outcome o;
		if (!(option->flags & BERTH_OPT_REQUIRED))
			continue;
		setup.leave_out = option->key;
		call_in_child(&setup, NULL, &o);
		describe(&o, detail, sizeof detail);
		snprintf(claim, sizeof claim, "without %s, open says invalid and names it",
			 option->key);
		tap_ok(o.ran && o.code == BERTH_E_INVALID &&
			       (strstr(o.message, option->key) || strstr(o.cause, option->key)),
		       claim, detail);
	}
}

static bool asks_for(const struct plugin *p, const char *key)
{
	for (size_t i = 0; i < p->option_count; i++)
		if (!strcmp(p->options[i].key, key))
			return true;
	return false;
}

/* The core moves image bytes by itself, with these options of the instance. */
static void check_transfer_options(const struct plugin *p)
{
	static const char *const needed[] = {"tls_verify",     "tls_ca",      "tls_client_cert",
					     "tls_client_key", "auth_realms", "upload_hosts",
					     "proxy"};
	char lacks[200] = "";
	size_t at = 0;
	if (!p->integration.oci_endpoint)
		return;
	for (size_t i = 0; i < ARRAY_COUNT(needed); i++)
		if (!asks_for(p, needed[i]))
			at += (size_t)snprintf(lacks + at, sizeof lacks - at, " %s", needed[i]);
	tap_ok(!at, "with oci_endpoint, it declares the options that copies are made by",
	       lacks + 1);
}

void check_life(const struct plugin *p, struct upstream *u)
{
	char address[64], detail[400];
	const struct host_setup setup = {.plugin = p, .address = address};
	struct outcome o;
	snprintf(address, sizeof address, "http://127.0.0.1:%d", u->port);
	upstream_set(u, UPSTREAM_WELL, 0);
	call_in_child(&setup, NULL, &o);
	describe(&o, detail, sizeof detail);
	tap_ok(o.ran && !o.code, "it opens with the options that it asks for", detail);
	tap_ok(!upstream_connections(u), "open talks to nobody", "a connection was made");
	tap_ok(o.ran && !o.changed_process,
	       "folder, umask, environment and signals of the process are left alone", NULL);
	check_missing(p, &setup);
	check_transfer_options(p);
	check_leaks(&setup);
}
