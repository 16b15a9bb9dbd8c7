/* SPDX-License-Identifier: Apache-2.0 */
/* A well-behaved plugin whose options make it misbehave in one way at a time:
 * "act" names what its calls do. For the tests of the worker and of the border.
 */
#include <berth/plugin.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* Also built under the name of a real plugin, to stand in for it. */
#ifndef FIXTURE_NAME
#define FIXTURE_NAME "fixture"
#endif

struct fixture {
	const struct berth_host *host;
	const void *config;
	const char *act;
};

static const struct berth_option options[] = {
	{"address", BERTH_OPT_URL, BERTH_OPT_REQUIRED, NULL, "Where the server is."},
	{"username", BERTH_OPT_STRING, 0, NULL, "Who we are."},
	{"password", BERTH_OPT_STRING, BERTH_OPT_SECRET, NULL, "Our password."},
	{"act", BERTH_OPT_STRING, 0, "well", "What the calls do."},
	{"program", BERTH_OPT_STRING, 0, NULL, "A program to run."},
	{"argument", BERTH_OPT_STRING, 0, NULL, "Its argument."},
	{"count", BERTH_OPT_INT, 0, "3", "How many items."},
	{"quick", BERTH_OPT_BOOL, 0, "true", "Whether it is quick."},
	{"pause_ms", BERTH_OPT_DURATION_MS, 0, "10", "How long it pauses."},
	{NULL, 0, 0, NULL, NULL},
};

static int fail(struct berth_error *err, int code, const char *message)
{
	err->code = code;
	snprintf(err->message, sizeof err->message, "%s", message);
	return code;
}

static int is_act(const struct fixture *f, const char *act)
{
	return !strcmp(f->act, act);
}

static int fixture_open(const struct berth_host *host, const void *config, void **ret_self,
			struct berth_error *err)
{
	struct fixture *f = calloc(1, sizeof *f);
	if (!f)
		return fail(err, BERTH_E_NO_MEMORY, "out of memory");
	f->host = host;
	f->config = config;
	f->act = host->option(config, "act");
	if (is_act(f, "open-fails")) {
		free(f);
		return fail(err, BERTH_E_INVALID, "the fixture does not open");
	}
	if (is_act(f, "open-crashes"))
		abort();
	*ret_self = f;
	return 0;
}

static void fixture_close(void *self)
{
	free(self);
}

/* The C library sees it and aborts; free is called through a pointer, so that the
 * compiler lets it pass. */
static void free_twice(void)
{
	void (*volatile give_back)(void *) = free;
	char *bytes = malloc(24);
	give_back(bytes);
	give_back(bytes);
}

static void sleep_ms(long ms)
{
	struct timespec t = {ms / 1000, ms % 1000 * 1000000};
	nanosleep(&t, NULL);
}

/* Heeds neither deadline nor SIGTERM. */
static void hang(int is_deaf)
{
	if (is_deaf)
		signal(SIGTERM, SIG_IGN);
	for (;;)
		sleep_ms(1000);
}

static int put(struct berth_sink *sink, uint32_t kind, const char *name, const char *more)
{
	const struct berth_item item = {
		.size = sizeof item, .kind = kind, .name = name, .more_json = more};
	return sink->put(sink, &item);
}

static int allocate(struct berth_error *err)
{
	const size_t byte_count = (size_t)1 << 30;
	char *bytes = malloc(byte_count);
	if (!bytes)
		return fail(err, BERTH_E_NO_MEMORY, "1 GiB cannot be had");
	for (size_t i = 0; i < byte_count; i += 4096)
		bytes[i] = 1;
	free(bytes);
	return 0;
}

/* Descriptors of processes are not to be had from now on, as in some containers. */
static int forbid_watching(void)
{
	struct sock_filter steps[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_pidfd_open, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	const struct sock_fprog filter = {sizeof steps / sizeof *steps, steps};
	return !prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) &&
	       !prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter);
}

/* What a TLS library does whose server is gone. */
static int write_to_nobody(struct berth_error *err)
{
	int ends[2];
	if (pipe(ends))
		return fail(err, BERTH_E_INTERNAL, "no pipe can be had");
	close(ends[0]);
	ssize_t sent = write(ends[1], "x", 1);
	close(ends[1]);
	return sent < 0 ? fail(err, BERTH_E_UNAVAILABLE, "nobody reads this") : 0;
}

/* Misdeeds that have nothing to do with items. */
static int misbehave(struct fixture *f, const struct berth_call *call, struct berth_error *err)
{
	if (is_act(f, "crash"))
		raise(SIGSEGV);
	if (is_act(f, "exit"))
		_exit(3);
	if (is_act(f, "free-twice"))
		free_twice();
	if (is_act(f, "write-to-nobody"))
		return write_to_nobody(err);
	if (is_act(f, "hang") || is_act(f, "hang-deaf"))
		f->host->progress(call, 0, 1);
	if (is_act(f, "hang") || is_act(f, "hang-deaf"))
		hang(is_act(f, "hang-deaf"));
	if (is_act(f, "allocate"))
		return allocate(err);
	if (is_act(f, "wait")) {
		f->host->progress(call, 0, 1);
		while (!f->host->cancelled(call))
			sleep_ms(5);
		return fail(err, BERTH_E_CANCELLED, "the caller gave up");
	}
	if (is_act(f, "silent-failure"))
		return BERTH_E_PROTOCOL;
	if (is_act(f, "odd-code"))
		return fail(err, -77, "an odd code");
	if (is_act(f, "leaky-error")) {
		snprintf(err->message, sizeof err->message, "password %s was\nrefused",
			 f->host->option(f->config, "password"));
		return BERTH_E_AUTH;
	}
	return 0;
}

/* Items that a sink has to refuse. Each is told to the sink; whether it said
 * stop is not asked, which is a misdeed too. */
static void put_wrong(struct fixture *f, struct berth_sink *sink)
{
	struct berth_item item = {.size = sizeof item, .kind = BERTH_ITEM_FACT, .name = "x"};
	if (is_act(f, "item-utf8"))
		item.name = "\xc3\x28";
	else if (is_act(f, "item-kind"))
		item.kind = 99;
	else if (is_act(f, "item-size"))
		item.size = 3;
	else if (is_act(f, "item-json"))
		item.more_json = "{\"a\":1,\"a\":2}";
	else if (is_act(f, "item-array"))
		item.more_json = "[]";
	else if (is_act(f, "item-digest"))
		item.digest = "sha256:ABC";
	else if (is_act(f, "item-control"))
		item.name = "a\033[31m";
	else if (is_act(f, "item-number"))
		item.bytes = UINT64_MAX;
	else
		return;
	sink->put(sink, &item);
}

static int run_program(struct fixture *f, const struct berth_call *call, struct berth_sink *sink,
		       struct berth_error *err);

static void put_console(struct fixture *f, struct berth_sink *sink)
{
	if (is_act(f, "console"))
		put(sink, BERTH_ITEM_FACT, "console",
		    "{\"value\":\"https://console.example/ui/\"}");
	if (is_act(f, "console-script"))
		put(sink, BERTH_ITEM_FACT, "console", "{\"value\":\"javascript:alert(1)\"}");
}

static int probe(void *self, const struct berth_call *call, const char *scope_json,
		 struct berth_sink *sink, struct berth_error *err)
{
	struct fixture *f = self;
	int code = misbehave(f, call, err);
	if (code)
		return code;
	if (is_act(f, "run-unwatched") && !forbid_watching())
		return fail(err, BERTH_E_UNSUPPORTED, "no filter of system calls can be set");
	if (is_act(f, "run") || is_act(f, "run-unwatched"))
		return run_program(f, call, sink, err);
	put_wrong(f, sink);
	f->host->log(call, BERTH_LOG_INFO, "probing as %s with %s",
		     f->host->option(f->config, "username"),
		     f->host->option(f->config, "password"));
	put(sink, BERTH_ITEM_FACT, "scope", scope_json);
	put(sink, BERTH_ITEM_FACT, "product", "{\"value\":\"fixture\"}");
	put_console(f, sink);
	return 0;
}

static int overview(void *self, const struct berth_call *call, struct berth_sink *sink,
		    struct berth_error *err)
{
	struct fixture *f = self;
	const char *kept = f->host->kept(f->config);
	(void)err;
	put(sink, BERTH_ITEM_FACT, "kept", kept);
	if (f->host->keep(call, "[]") != BERTH_E_INVALID)
		return fail(err, BERTH_E_INTERNAL, "an array was kept");
	return f->host->keep(call, is_act(f, "forget") ? NULL : "{\"seen\":1}");
}

static int repositories(void *self, const struct berth_call *call, const char *space,
			struct berth_sink *sink, struct berth_error *err)
{
	struct fixture *f = self;
	char name[64];
	struct berth_item item = {.size = sizeof item, .kind = BERTH_ITEM_REPOSITORY, .name = name};
	long count = strtol(f->host->option(f->config, "count"), NULL, 10);
	(void)space;
	for (long i = 0; i < count; i++) {
		snprintf(name, sizeof name, "team/app%ld", i);
		item.updated_ms = 1000 * i;
		f->host->progress(call, (uint64_t)i, (uint64_t)count);
		if (sink->put(sink, &item) && !is_act(f, "flood"))
			return fail(err, BERTH_E_CANCELLED, "the caller gave up");
	}
	return 0;
}

static int tags(void *self, const struct berth_call *call, const char *repository,
		struct berth_sink *sink, struct berth_error *err)
{
	struct fixture *f = self;
	int code = misbehave(f, call, err);
	if (code)
		return code;
	if (!strcmp(repository, "team/app1"))
		return fail(err, BERTH_E_NOT_FOUND, "it went away");
	put(sink, BERTH_ITEM_TAG, "latest", NULL);
	put(sink, BERTH_ITEM_TAG, "1.0", "{\"pulls\":4}");
	return 0;
}

static int print(void *user, const char *bytes, size_t byte_count)
{
	char text[128];
	snprintf(text, sizeof text, "%.*s", (int)byte_count, bytes);
	return put(user, BERTH_ITEM_LOG, text, NULL);
}

static int run_program(struct fixture *f, const struct berth_call *call, struct berth_sink *sink,
		       struct berth_error *err)
{
	const char *path = f->host->option(f->config, "program");
	const char *argv[] = {path, "-c", f->host->option(f->config, "argument"), NULL};
	const char *env[] = {"ONLY=this", NULL};
	const struct berth_program program = {
		.size = sizeof program,
		.output_max_bytes = 4096,
		.path = path,
		.argv = argv,
		.env = env,
		.stdin_fd = -1,
		.output = print,
		.user = sink,
	};
	char more[64];
	int status = -1;
	int code = f->host->run(call, &program, &status, err);
	if (code)
		return code;
	snprintf(more, sizeof more, "{\"value\":%d}", status);
	return put(sink, BERTH_ITEM_FACT, "status", more);
}

static const struct berth_integration_ops integration = {
	.size = sizeof integration,
	.probe = probe,
	.overview = overview,
	.repositories = repositories,
	.tags = tags,
};

BERTH_EXPORT const struct berth_plugin berth_plugin_v1 = {
	BERTH_PLUGIN_HEAD,
	.name = FIXTURE_NAME,
	.version = "1.0",
	.summary = "Behaves as its options say.",
	BERTH_PLUGIN_OPTIONS(options),
	.open = fixture_open,
	.close = fixture_close,
	.integration = &integration,
};
