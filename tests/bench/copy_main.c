/* SPDX-License-Identifier: Apache-2.0 */
/* copybench: the copy engine without the daemon, for tests and benchmarks.
 *
 *   copybench [OPTION...] SOURCE_URL TARGET_URL RULE [TARGET_URL...]
 *
 * With several targets the source is read once for all of them; repositories of the
 * second one are called 2/NAME in outcomes, and "totals" and "target" are arrays.
 *
 * RULE is a copy rule as JSON (core/transfer/rule.h). A URL may hold
 * user:password@. Each outcome is a line of JSON on stdout, the totals are the
 * last one: {"totals", "source", "target", "cpu_ms", "wall_ms", "peak_kib",
 * "error"}. Exit status: 0 all well, 1 the run failed, 3 an image
 * failed.
 *
 *   --plan            plan only        --resume           as after a crash
 *   --in-flight=N     requests at once --ca=FILE          a private authority
 *   --answer-ms=N --commit-ms=N --low-speed-s=N --connect-ms=N --tries=N
 *   --backoff-ms=N    time-outs        --retry-after-ms=N the most that is waited
 *   --cancel-ms=N     cancel after N ms (SIGTERM does, too)
 *   --cleanup-ms=N    for what a cancel leaves to be done
 *   --patch          the target wants PATCH
 *   --progress        progress as lines of JSON too
 *   --cache-bytes=N   of manifests kept; those beyond are read again
 *   --spool-mib=N     of big blobs kept in that folder until they have arrived
 *   --patience-ms=N   how long several targets wait for one of them
 *   --journal=FOLDER  keeps open uploads there, for --resume after a kill
 */
#include <getopt.h>
#include <malloc.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "core/base/clock.h"
#include "core/base/js.h"
#include "core/base/log.h"
#include "core/base/text.h"
#include "core/oci/lists.h"
#include "core/transfer/engine.h"
#include <berth/ops.h>

struct bench {
	struct net_limits limits;
	struct transfer_settings set;
	bool plan_only, shows_progress;
	uint64_t cancel_at_ms;
	char *ca;
	const struct rule *rule;
	struct transfer *transfer; /* that repositories are added to */
	size_t number;             /* of its target */
	uint32_t patience_ms;
	struct berth_error err;
};

/* A run of copybench: its ends, and a transfer a target. */
struct ends {
	struct registry *source, *targets[TRANSFER_FAN_MAX];
	struct transfer *transfers[TRANSFER_FAN_MAX];
	char *runs[TRANSFER_FAN_MAX];
	struct fan *fan;
	size_t count;
};

static void ends_done(struct ends *e)
{
	for (size_t i = 0; i < e->count; i++)
		transfer_free(e->transfers[i]);
	fan_free(e->fan);
	for (size_t i = 0; i < e->count; i++) {
		if (e->targets[i] != e->source)
			registry_close(e->targets[i]);
		free(e->runs[i]);
	}
	registry_close(e->source);
}

static void print_json(const json_t *value)
{
	AUTO_FREE char *text = js_text(value);
	if (text)
		puts(text);
	fflush(stdout);
}

static void print_item(void *user, const json_t *item)
{
	(void)user;
	print_json(item);
}

static void print_progress(void *user, uint64_t done, uint64_t total, const char *stage,
			   const json_t *more)
{
	const struct bench *b = user;
	if (!b->shows_progress)
		return;
	AUTO_JSON json_t *o =
		json_pack("{s:s, s:I, s:I, s:s, s:O}", "kind", "progress", "done", (json_int_t)done,
			  "total", (json_int_t)total, "stage", stage, "more", more);
	print_json(o);
}

static volatile sig_atomic_t is_asked_to_stop;

static void ask_to_stop(int number)
{
	(void)number;
	is_asked_to_stop = 1;
}

static int is_cancelled(void *user)
{
	const struct bench *b = user;
	if (is_asked_to_stop)
		return BERTH_E_CANCELLED;
	return b->cancel_at_ms && clock_monotonic_ms() >= b->cancel_at_ms ? BERTH_E_CANCELLED : 0;
}

static char *read_file(const char *path)
{
	static char bytes[1 << 18];
	AUTO_FILE FILE *f = fopen(path, "r");
	size_t n = f ? fread(bytes, 1, sizeof bytes - 1, f) : 0;
	bytes[n] = 0;
	return strdup(bytes);
}

/* scheme://user:password@rest */
static int open_end(struct bench *b, struct net_loop *loop, const char *url, struct registry **ret)
{
	AUTO_FREE char *text = strdup(url);
	uint64_t rate = (uint64_t)b->rule->limit_bytes_per_s;
	struct registry_settings s = {.base_url = text,
				      .tls_verify = true,
				      .tls_ca = b->ca,
				      .limits = b->limits,
				      .receive_bytes = rate ? transfer_receive_bytes(rate) : 0};
	char *host = strstr(text, "://"), *at = strrchr(text, '@');
	if (host && at) {
		char *user = host + 3, *colon = strchr(user, ':');
		*at = *colon = 0;
		AUTO_FREE char *bare = text_printf("%.*s%s", (int)(user - text), text, at + 1);
		s.base_url = bare;
		s.username = user;
		s.password = colon + 1;
		log_add_secret(s.password); /* as a job does with what its call brings */
		return registry_open(loop, &s, ret, &b->err);
	}
	return registry_open(loop, &s, ret, &b->err);
}

static int add_repository(void *user, const char *name)
{
	struct bench *b = user;
	AUTO_FREE char *target = NULL;
	if (!rule_has_repository(b->rule, name))
		return 0;
	if (rule_map(b->rule, name, &target, &b->err))
		return 1;
	AUTO_FREE char *label = b->number ? text_printf("%zu/%s", b->number + 1, target) : NULL;
	return transfer_add_repository(b->transfer, name, target, NULL, label, &b->err) != 0;
}

static int add_repositories(struct bench *b, struct registry *source)
{
	struct list_call call = {.kind = LIST_CATALOG, .item = add_repository, .user = b};
	struct berth_error err = ERROR_INIT;
	if (b->rule->source.repository)
		return add_repository(b, b->rule->source.repository);
	int r = list_run(source, &call, NULL, &err);
	if (r && !b->err.code)
		b->err = err;
	return r;
}

static json_t *counts_of(const struct registry *r)
{
	const struct registry_counts *c = registry_counts(r);
	return json_pack("{s:I, s:I, s:I, s:I, s:I}", "requests", (json_int_t)c->requests,
			 "retries", (json_int_t)c->retries, "token_requests",
			 (json_int_t)c->token_requests, "bytes_in", (json_int_t)c->bytes_in,
			 "bytes_out", (json_int_t)c->bytes_out);
}

/* One target's transfer, planned. */
static int plan(struct bench *b, struct ends *e, const char *source_url, const char *url)
{
	size_t i = e->count++;
	int r = 0;
	e->targets[i] = e->source;
	if (strcmp(source_url, url) != 0)
		r = open_end(b, b->set.loop, url, &e->targets[i]);
	b->number = i;
	e->runs[i] = i ? text_printf("bench-%zu", i + 1) : strdup("bench");
	b->set.run = e->runs[i];
	b->set.fan = e->fan;
	b->set.source.registry = e->source;
	b->set.target.registry = e->targets[i];
	if (!r)
		r = transfer_new(b->rule, &b->set, &e->transfers[i], &b->err);
	b->transfer = e->transfers[i];
	if (!r)
		r = add_repositories(b, e->source);
	return r ? r : transfer_plan(b->transfer, &b->err);
}

static void summarize(const struct ends *e, json_t *summary)
{
	json_t *totals = json_array(), *targets = json_array();
	for (size_t i = 0; i < e->count && e->transfers[i]; i++) {
		json_array_append_new(totals, transfer_totals(e->transfers[i]));
		json_array_append_new(targets, counts_of(e->targets[i]));
	}
	json_object_set_new(summary, "source", counts_of(e->source));
	if (e->count > 1) {
		json_object_set_new(summary, "totals", totals);
		json_object_set_new(summary, "target", targets);
		return;
	}
	json_object_set(summary, "totals", json_array_get(totals, 0));
	json_object_set(summary, "target", json_array_get(targets, 0));
	json_decref(totals);
	json_decref(targets);
}

static int run(struct bench *b, char **urls, size_t count, json_t *summary)
{
	struct ends e CLEANUP(ends_done) = {.count = 0};
	int r = open_end(b, b->set.loop, urls[0], &e.source);
	if (!r && count > 1)
		r = fan_new(b->set.loop, b->patience_ms, &e.fan, &b->err);
	if (r)
		return r;
	for (size_t i = 0; !r && i < count; i++)
		r = plan(b, &e, urls[0], urls[i ? i + 2 : 1]);
	for (size_t i = 0; !r && b->plan_only && i < count; i++)
		transfer_report_plan(e.transfers[i]);
	if (!r && !b->plan_only)
		r = transfer_run_all(e.transfers, count, &b->err);
	if (e.transfers[0])
		summarize(&e, summary);
	return r;
}

/* A figure of /proc/self/status in KiB: ru_maxrss would be the parent's. */
static int64_t status_kib(const char *name)
{
	char line[128];
	AUTO_FILE FILE *f = fopen("/proc/self/status", "r");
	while (f && fgets(line, sizeof line, f))
		if (!strncmp(line, name, strlen(name)))
			return strtoll(line + strlen(name), NULL, 10);
	return 0;
}

static void add_usage(json_t *summary, uint64_t began_ms)
{
	struct rusage u;
	getrusage(RUSAGE_SELF, &u);
	int64_t cpu_us = (u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1000000LL + u.ru_utime.tv_usec +
			 u.ru_stime.tv_usec;
	json_object_set_new(summary, "cpu_ms", json_integer(cpu_us / 1000));
	json_object_set_new(summary, "wall_ms",
			    json_integer((json_int_t)(clock_monotonic_ms() - began_ms)));
	json_object_set_new(summary, "peak_kib", json_integer(status_kib("VmHWM:")));
}

static const struct option options[] = {
	{"plan", no_argument, NULL, 'p'},
	{"resume", no_argument, NULL, 'r'},
	{"progress", no_argument, NULL, 'P'},
	{"patch", no_argument, NULL, 'a'},
	{"ca", required_argument, NULL, 'c'},
	{"in-flight", required_argument, NULL, 'i'},
	{"answer-ms", required_argument, NULL, 'A'},
	{"commit-ms", required_argument, NULL, 'M'},
	{"low-speed-s", required_argument, NULL, 'l'},
	{"connect-ms", required_argument, NULL, 'C'},
	{"tries", required_argument, NULL, 't'},
	{"backoff-ms", required_argument, NULL, 'b'},
	{"retry-after-ms", required_argument, NULL, 'R'},
	{"cancel-ms", required_argument, NULL, 'x'},
	{"cleanup-ms", required_argument, NULL, 'X'},
	{"patience-ms", required_argument, NULL, 'w'},
	{"cache-bytes", required_argument, NULL, 'm'},
	{"spool-mib", required_argument, NULL, 's'},
	{"journal", required_argument, NULL, 'j'},
	{NULL, 0, NULL, 0},
};

/* Options that are a number of struct bench, or two. */
static const struct number {
	int option;
	size_t at, also; /* also 0: none */
} numbers[] = {
	{'i', offsetof(struct bench, set.in_flight), 0},
	{'A', offsetof(struct bench, limits.answer_ms), 0},
	{'M', offsetof(struct bench, limits.commit_ms), 0},
	{'l', offsetof(struct bench, limits.low_speed_s), 0},
	{'C', offsetof(struct bench, limits.connect_ms), 0},
	{'t', offsetof(struct bench, limits.tries), offsetof(struct bench, set.tries)},
	{'b', offsetof(struct bench, limits.backoff_ms), offsetof(struct bench, set.backoff_ms)},
	{'R', offsetof(struct bench, limits.retry_after_max_ms), 0},
	{'X', offsetof(struct bench, set.cleanup_ms), 0},
	{'w', offsetof(struct bench, patience_ms), 0},
	{'m', offsetof(struct bench, set.cache_bytes), 0},
};

static bool take_number(struct bench *b, int c, uint32_t value)
{
	for (size_t i = 0; i < ARRAY_COUNT(numbers); i++) {
		if (numbers[i].option != c)
			continue;
		*(uint32_t *)((char *)b + numbers[i].at) = value;
		if (numbers[i].also)
			*(uint32_t *)((char *)b + numbers[i].also) = value;
		return true;
	}
	return false;
}

static bool take_option(struct bench *b, int c)
{
	uint64_t n = 0;
	if (optarg && c != 'c' && c != 'j' && !text_parse_u64(optarg, 0, UINT32_MAX, &n))
		return false;
	switch (c) {
	case 'p':
		b->plan_only = true;
		return true;
	case 'r':
		b->set.resume = true;
		return true;
	case 'P':
		b->shows_progress = true;
		return true;
	case 'a':
		b->set.target.flags |= BERTH_OCI_PATCH_ONLY;
		return true;
	case 'c':
		b->ca = read_file(optarg);
		return true;
	case 'j':
		b->set.journal_folder = optarg;
		return true;
	case 's':
		b->set.spool_bytes = n << 20;
		return true;
	case 'x':
		b->cancel_at_ms = clock_monotonic_ms() + n;
		return true;
	default:
		return take_number(b, c, (uint32_t)n);
	}
}

static bool has_failed(const json_t *totals)
{
	bool failed = js_int(totals, "failed", 0) > 0;
	size_t i;
	json_t *one;
	json_array_foreach (totals, i, one)
		failed = failed || js_int(one, "failed", 0) > 0;
	return failed;
}

int main(int argc, char **argv)
{
	struct bench b = {.err = ERROR_INIT};
	uint64_t began_ms = clock_monotonic_ms();
	AUTO(net_loop) struct net_loop *loop = NULL;
	AUTO(rule) struct rule *rule = NULL;
	AUTO_JSON json_t *doc = NULL, *summary = json_object();
	for (int c; (c = getopt_long(argc, argv, "", options, NULL)) != -1;)
		if (!take_option(&b, c))
			return 2;
	if (argc - optind < 3 || argc - optind > 2 + TRANSFER_FAN_MAX) {
		fprintf(stderr,
			"usage: copybench [OPTION...] SOURCE_URL TARGET_URL RULE [TARGET_URL...]\n");
		return 2;
	}
	mallopt(M_ARENA_MAX, 1);
	signal(SIGTERM, ask_to_stop);
	b.set.item = print_item;
	b.set.progress = print_progress;
	b.set.cancelled = is_cancelled;
	b.set.user = &b;
	const char *text = argv[optind + 2];
	b.set.identity = text;
	int r = js_parse(text, strlen(text), &js_limits_api, &doc, &b.err);
	if (!r)
		r = rule_parse(doc, &rule, &b.err);
	b.rule = rule;
	if (!r)
		r = net_loop_new(&loop, &b.err);
	b.set.loop = loop;
	if (!r)
		r = run(&b, argv + optind, (size_t)(argc - optind) - 2, summary);
	if (r)
		json_object_set_new(summary, "error", js_of_error(&b.err));
	add_usage(summary, began_ms);
	print_json(summary);
	free(b.ca);
	return r ? 1 : has_failed(json_object_get(summary, "totals")) ? 3 : 0;
}
