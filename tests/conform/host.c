/* SPDX-License-Identifier: Apache-2.0 */
/* The kit's host and one call with it, in a child: a crash, a hang or an odd
 * deed of the plugin is then an outcome and not the end of the kit.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <curl/curl.h>

#include "core/base/clock.h"
#include "core/base/fail.h"
#include "core/base/text.h"
#include "core/worker/backend.h"
#include "tests/conform/conform.h"

#define PATIENCE_MS 60000 /* generous: what must be told in time is the code */
#define DEADLINE_MS 20000

const char *const *given_options;
const char *const callable_slots[] = {"probe", "overview", "spaces", "repositories",
				      "tags",  "artifact", NULL};

/* The state of the one call that runs in this process. */
static struct {
	const struct host_setup *setup;
	struct outcome *outcome;
	uint64_t deadline_ms, cancel_at_ms;
} now;

static const char *given(const char *key)
{
	size_t byte_count = strlen(key);
	for (const char *const *g = given_options; *g; g++)
		if (!strncmp(*g, key, byte_count) && (*g)[byte_count] == '=')
			return *g + byte_count + 1;
	return NULL;
}

/* Time-outs and caps short enough for a test, under the names that the core uses. */
static const char *limit(const char *key)
{
	static const char *const limits[][2] = {
		{"net_connect_ms", "5000"},   {"net_answer_ms", "10000"},
		{"net_tries", "1"},           {"net_backoff_ms", "10"},
		{"net_pages_max", "4"},       {"net_low_speed_s", "5"},
		{"net_low_speed_bytes", "1"}, {"net_retry_after_max_ms", "300000"}};
	for (size_t i = 0; i < ARRAY_COUNT(limits); i++)
		if (!strcmp(limits[i][0], key))
			return limits[i][1];
	return NULL;
}

static const char *made_up(const struct berth_option *o)
{
	if (!strcmp(o->key, "address"))
		return now.setup->address;
	if (o->flags & BERTH_OPT_SECRET)
		return !strcmp(o->key, "password") ? CANARY : NULL;
	if (!strcmp(o->key, "username"))
		return "conform";
	if (o->deflt || !(o->flags & BERTH_OPT_REQUIRED))
		return o->deflt;
	switch (o->type) {
	case BERTH_OPT_URL:
		return now.setup->address;
	case BERTH_OPT_INT:
	case BERTH_OPT_DURATION_MS:
		return "1000";
	case BERTH_OPT_BOOL:
		return "true";
	default:
		return "conform";
	}
}

static const char *host_option(const void *config, const char *key)
{
	const struct plugin *p = now.setup->plugin;
	(void)config;
	if (now.setup->leave_out && !strcmp(key, now.setup->leave_out))
		return NULL;
	if (given(key))
		return given(key);
	for (size_t i = 0; i < p->option_count; i++)
		if (!strcmp(p->options[i].key, key))
			return made_up(&p->options[i]);
	return limit(key);
}

static void look_for_secret(const char *text)
{
	if (strstr(text, CANARY))
		now.outcome->leaked_secret = true;
}

static void host_log(const struct berth_call *call, int level, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
static void host_log(const struct berth_call *call, int level, const char *fmt, ...)
{
	char text[4096];
	va_list args;
	(void)call;
	(void)level;
	va_start(args, fmt);
	vsnprintf(text, sizeof text, fmt, args);
	va_end(args);
	look_for_secret(text);
}

static int host_cancelled(const struct berth_call *call)
{
	uint64_t t = clock_monotonic_ms();
	(void)call;
	return t >= now.deadline_ms || (now.cancel_at_ms && t >= now.cancel_at_ms);
}

static void host_progress(const struct berth_call *call, uint64_t done, uint64_t total)
{
	(void)call;
	(void)done;
	(void)total;
}

static const char *host_kept(const void *config)
{
	(void)config;
	return NULL;
}

static int host_keep(const struct berth_call *call, const char *json)
{
	(void)call;
	if (json)
		look_for_secret(json);
	return 0;
}

static int host_allow(const void *config, const void *address, uint32_t byte_count)
{
	(void)config;
	(void)address;
	(void)byte_count;
	return now.setup->refuse_addresses ? BERTH_E_ADDRESS : 0;
}

static int host_run(const struct berth_call *call, const struct berth_program *program,
		    int *ret_status, struct berth_error *err)
{
	(void)call;
	(void)program;
	(void)ret_status;
	return berth_fail(err, BERTH_E_NOT_FOUND, "the kit runs no programs");
}

const struct berth_host fake_host = {
	.size = sizeof fake_host,
	.abi_minor = BERTH_ABI_MINOR,
	.log = host_log,
	.cancelled = host_cancelled,
	.progress = host_progress,
	.option = host_option,
	.kept = host_kept,
	.keep = host_keep,
	.allow_address = host_allow,
	.run = host_run,
};

static int put(struct berth_sink *sink, const struct berth_item *given_item)
{
	struct outcome *o = now.outcome;
	struct berth_item item;
	struct berth_error err = ERROR_INIT;
	AUTO_JSON json_t *more = NULL;
	(void)sink;
	if (now.setup->stop_after_items && o->item_count >= now.setup->stop_after_items) {
		o->items_after_stop++;
		return 1;
	}
	o->item_count++;
	if (given_item->kind < 32)
		o->kinds |= 1u << given_item->kind;
	if (item_check(given_item, &item, &more, &err)) {
		o->bad_item = true;
		snprintf(o->reason, sizeof o->reason, "%.150s", err.message);
	}
	return now.setup->stop_after_items && o->item_count >= now.setup->stop_after_items;
}

bool has_slot(const struct plugin *p, const char *slot)
{
	const struct berth_integration_ops *t = &p->integration;
	return (!strcmp(slot, "probe") && t->probe) || (!strcmp(slot, "overview") && t->overview) ||
	       (!strcmp(slot, "spaces") && t->spaces) ||
	       (!strcmp(slot, "repositories") && t->repositories) ||
	       (!strcmp(slot, "tags") && t->tags) || (!strcmp(slot, "artifact") && t->artifact);
}

static int call_slot(const struct plugin *p, void *self, const char *slot, struct berth_error *err)
{
	const struct berth_integration_ops *t = &p->integration;
	const struct berth_call call = {
		.size = sizeof call, .id = "conform-1", .deadline_ms = now.deadline_ms};
	struct berth_sink sink = {.size = sizeof sink, .put = put};
	if (!strcmp(slot, "probe"))
		return t->probe(self, &call, "{\"scope\":\"platform\"}", &sink, err);
	if (!strcmp(slot, "overview"))
		return t->overview(self, &call, &sink, err);
	if (!strcmp(slot, "spaces"))
		return t->spaces(self, &call, &sink, err);
	if (!strcmp(slot, "repositories"))
		return t->repositories(self, &call, NULL, &sink, err);
	if (!strcmp(slot, "tags"))
		return t->tags(self, &call, "team/app", &sink, err);
	return t->artifact(self, &call, "team/app", "1", &sink, err);
}

static bool is_right_text(const char *text, size_t room)
{
	size_t byte_count = strnlen(text, room);
	return byte_count < room && text_is_utf8(text, byte_count) && !strpbrk(text, "\r\n");
}

static void judge_error(const struct berth_error *err, struct outcome *o)
{
	o->retry_ms = err->retry_ms;
	memcpy(o->message, err->message, sizeof o->message);
	memcpy(o->cause, err->cause, sizeof o->cause);
	o->message[sizeof o->message - 1] = o->cause[sizeof o->cause - 1] = 0;
	o->bad_text = !err->message[0] || !is_right_text(err->message, sizeof err->message) ||
		      !is_right_text(err->cause, sizeof err->cause);
	look_for_secret(o->message);
	look_for_secret(o->cause);
}

int open_once(const struct host_setup *setup, struct berth_error *err)
{
	static struct outcome unused;
	void *self = NULL;
	now.setup = setup;
	now.outcome = &unused;
	int code = setup->plugin->head.open(&fake_host, &now, &self, err);
	if (!code)
		setup->plugin->head.close(self);
	return code;
}

static void mix(uint64_t *hash, const void *bytes, size_t byte_count)
{
	const unsigned char *at = bytes;
	for (size_t i = 0; i < byte_count; i++)
		*hash = (*hash ^ at[i]) * 1099511628211u;
}

/* One number for what no plugin may change: folder, umask, environment and
 * what signals do; compared around a call. */
static uint64_t process_state(void)
{
	extern char **environ;
	uint64_t hash = 14695981039346656037u;
	char folder[1024] = "";
	if (getcwd(folder, sizeof folder))
		mix(&hash, folder, strlen(folder));
	mode_t mask = umask(0);
	umask(mask);
	mix(&hash, &mask, sizeof mask);
	for (char **e = environ; e && *e; e++)
		mix(&hash, *e, strlen(*e) + 1);
	for (int i = 1; i < 32; i++) {
		struct sigaction a;
		if (!sigaction(i, NULL, &a))
			mix(&hash, &a.sa_handler, sizeof a.sa_handler);
	}
	return hash;
}

static void run_call(const struct plugin *p, const char *slot, struct outcome *o)
{
	struct berth_error err = ERROR_INIT;
	void *self = NULL;
	uint64_t before = process_state();
	o->code = p->head.open(&fake_host, &now, &self, &err);
	if (!o->code && slot)
		o->code = call_slot(p, self, slot, &err);
	if (o->code)
		judge_error(&err, o);
	if (self)
		p->head.close(self);
	o->changed_process = process_state() != before;
	o->ran = true;
}

static _Noreturn void be_child(const struct host_setup *setup, const char *slot, int fd)
{
	static struct outcome o;
	curl_global_init(CURL_GLOBAL_DEFAULT);
	now.setup = setup;
	now.outcome = &o;
	now.deadline_ms =
		clock_monotonic_ms() + (setup->deadline_ms ? setup->deadline_ms : DEADLINE_MS);
	if (setup->cancel_after_ms)
		now.cancel_at_ms = clock_monotonic_ms() + setup->cancel_after_ms;
	run_call(setup->plugin, slot, &o);
	ssize_t sent = write(fd, &o, sizeof o);
	_exit(sent == sizeof o ? 0 : 1);
}

void call_in_child(const struct host_setup *setup, const char *slot, struct outcome *ret)
{
	int fds[2], status = 0;
	*ret = (struct outcome){0};
	if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, fds))
		return;
	fflush(NULL);
	pid_t pid = fork();
	if (pid == 0)
		be_child(setup, slot, fds[1]);
	close(fds[1]);
	struct pollfd p = {.fd = fds[0], .events = POLLIN};
	if (poll(&p, 1, PATIENCE_MS) == 0)
		ret->was_slow = true;
	else if (recv(fds[0], ret, sizeof *ret, 0) != sizeof *ret)
		ret->has_crashed = true;
	close(fds[0]);
	if (pid > 0) {
		if (ret->was_slow)
			kill(pid, SIGKILL);
		while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
			;
	}
	ret->signo = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}
