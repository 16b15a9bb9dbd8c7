/* SPDX-License-Identifier: Apache-2.0 */
/* Calls one slot of a plugin as a job would, with a host that is made of the
 * environment, and prints each item as a JSON line: see usage below. Options are
 * checked by the core's own code. The last line is {"error":{...}} after a failure;
 * the exit status is 1 then, and 2 where it was called wrongly.
 */
#include <berth/plugin.h>
#include <curl/curl.h>
#include <dlfcn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/clock.h"
#include "core/base/js.h"
#include "core/base/text.h"
#include "core/worker/instance.h"
#include "core/worker/program.h"

#define OPTION_PREFIX "BERTH_OPT_"
#define GRACE_MS 1000

extern char **environ;

struct driver {
	const struct berth_plugin *plugin; /* as it was loaded */
	struct plugin imported;
	struct instance instance;
};

struct printing {
	struct berth_sink sink; /* first */
	long left;
};

static const char *const kinds[] = {
	"",     "fact",      "space", "repository", "tag", "artifact", "referrer", "login",
	"step", "condition", "run",   "task",       "log", "finding",  "rule",     "object",
};

static void print_line(json_t *take)
{
	AUTO_FREE char *line = js_text(take);
	puts(line ? line : "{}");
	json_decref(take);
}

static int put(struct berth_sink *sink, const struct berth_item *item)
{
	struct printing *p = (struct printing *)(void *)sink;
	json_t *o = json_object();
	js_put_str(o, "kind", item->kind < ARRAY_COUNT(kinds) ? kinds[item->kind] : "unknown");
	js_put_str(o, "id", item->id);
	js_put_str(o, "name", item->name);
	js_put_str(o, "digest", item->digest);
	if (item->bytes)
		json_object_set_new(o, "bytes", json_integer((json_int_t)item->bytes));
	if (item->updated_ms)
		json_object_set_new(o, "updated_ms", json_integer(item->updated_ms));
	if (item->more_json)
		json_object_set_new(o, "more", json_loads(item->more_json, 0, NULL));
	print_line(o);
	return p->left > 0 && --p->left == 0;
}

/* --- the host --- */

static void log_stderr(const struct berth_call *call, int level, const char *fmt, ...)
{
	va_list args;
	(void)call;
	fprintf(stderr, "<%d> ", level);
	va_start(args, fmt);
	vfprintf(stderr, fmt, args);
	va_end(args);
	fputc('\n', stderr);
}

static int cancelled(const struct berth_call *call)
{
	return call->deadline_ms && clock_monotonic_ms() >= call->deadline_ms;
}

static void progress(const struct berth_call *call, uint64_t done, uint64_t total)
{
	(void)call;
	(void)done;
	(void)total;
}

static char *read_file(const char *path)
{
	AUTO_FILE FILE *f = fopen(path, "r");
	char *text = calloc(1, (1 << 20) + 1);
	if (!f || !text) {
		perror(path);
		exit(2);
	}
	if (!fread(text, 1, 1 << 20, f))
		text[0] = 0;
	return text;
}

/* Limits are the libraries' own where the environment has none. */
static const char *option(const void *config, const char *key)
{
	const struct driver *d = config;
	AUTO_FREE char *name = text_printf(OPTION_PREFIX "%s", key);
	if (!strncmp(key, "net_", 4))
		return name ? getenv(name) : NULL;
	return instance_option(&d->instance, key);
}

static const char *kept(const void *config)
{
	(void)config;
	return NULL;
}

static int keep(const struct berth_call *call, const char *json)
{
	(void)call;
	fprintf(stderr, "keep %s\n", json ? json : "nothing");
	return 0;
}

static int allow_address(const void *config, const void *sockaddr, uint32_t byte_count)
{
	(void)config;
	(void)sockaddr;
	(void)byte_count;
	return getenv("BERTH_DENY") ? BERTH_E_ADDRESS : 0;
}

static int see_deadline(void *call)
{
	return cancelled(call) ? BERTH_E_TIMEOUT : 0;
}

static void forget_program(void *call, pid_t group)
{
	(void)call;
	(void)group;
}

static int run_program(const struct berth_call *call, const struct berth_program *program,
		       int *ret_status, struct berth_error *err)
{
	const struct program_watch watch = {.cancelled = see_deadline,
					    .runs = forget_program,
					    .grace_ms = GRACE_MS,
					    .user = (void *)(uintptr_t)call};
	return program_run(program, &watch, ret_status, err);
}

static const struct berth_host host = {
	.size = sizeof host,
	.abi_minor = BERTH_ABI_MINOR,
	.log = log_stderr,
	.cancelled = cancelled,
	.progress = progress,
	.option = option,
	.kept = kept,
	.keep = keep,
	.allow_address = allow_address,
	.run = run_program,
};

/* --- the slots by name --- */

struct slot_call {
	const struct berth_lifecycle_ops *life;
	const struct berth_integration_ops *ops;
	const struct berth_sync_ops *sync;
	const struct berth_scan_ops *scan;
	void *self;
	const struct berth_call *call;
	char **args;
	struct berth_sink *sink;
	struct berth_error *err;
};

static int do_lifecycle_validate(struct slot_call *c)
{
	return c->life->validate(c->self, c->call, c->args[0], c->sink, c->err);
}

static int do_lifecycle_plan(struct slot_call *c)
{
	return c->life->plan(c->self, c->call, c->args[0], c->sink, c->err);
}

static int do_lifecycle_apply(struct slot_call *c)
{
	return c->life->apply(c->self, c->call, c->args[0], c->sink, c->err);
}

static int do_lifecycle_remove(struct slot_call *c)
{
	return c->life->remove(c->self, c->call, c->args[0], "{}", c->sink, c->err);
}

static int do_lifecycle_status(struct slot_call *c)
{
	return c->life->status(c->self, c->call, c->args[0], c->sink, c->err);
}

static int do_probe(struct slot_call *c)
{
	return c->ops->probe(c->self, c->call, c->args[0] ? c->args[0] : "{}", c->sink, c->err);
}

static int do_overview(struct slot_call *c)
{
	return c->ops->overview(c->self, c->call, c->sink, c->err);
}

static int do_spaces(struct slot_call *c)
{
	return c->ops->spaces(c->self, c->call, c->sink, c->err);
}

static int do_repositories(struct slot_call *c)
{
	return c->ops->repositories(c->self, c->call, c->args[0], c->sink, c->err);
}

static int do_tags(struct slot_call *c)
{
	return c->ops->tags(c->self, c->call, c->args[0], c->sink, c->err);
}

static int do_artifact(struct slot_call *c)
{
	return c->ops->artifact(c->self, c->call, c->args[0], c->args[1], c->sink, c->err);
}

static int do_tag_delete(struct slot_call *c)
{
	return c->ops->tag_delete(c->self, c->call, c->args[0], c->args[1], c->err);
}

static int do_artifact_delete(struct slot_call *c)
{
	return c->ops->artifact_delete(c->self, c->call, c->args[0], c->args[1], c->err);
}

static int do_repository_delete(struct slot_call *c)
{
	return c->ops->repository_delete(c->self, c->call, c->args[0], c->sink, c->err);
}

static int do_space_create(struct slot_call *c)
{
	return c->ops->space_create(c->self, c->call, c->args[0], c->args[1], c->sink, c->err);
}

static int do_space_update(struct slot_call *c)
{
	return c->ops->space_update(c->self, c->call, c->args[0], c->args[1], c->sink, c->err);
}

static int do_space_delete(struct slot_call *c)
{
	return c->ops->space_delete(c->self, c->call, c->args[0], c->err);
}

static int do_resolve(struct slot_call *c)
{
	return c->ops->resolve(c->self, c->call, c->args[0], c->sink, c->err);
}

static int do_describe(struct slot_call *c)
{
	return c->ops->describe(c->self, c->call, c->args[0], c->args[1], c->err);
}

static int do_login_create(struct slot_call *c)
{
	return c->ops->login_create(c->self, c->call, c->args[0], c->sink, c->err);
}

static int do_login_list(struct slot_call *c)
{
	return c->ops->login_list(c->self, c->call, c->args[0], c->sink, c->err);
}

static int do_login_revoke(struct slot_call *c)
{
	return c->ops->login_revoke(c->self, c->call, c->args[0], c->err);
}

static int do_retention_get(struct slot_call *c)
{
	return c->ops->retention_get(c->self, c->call, c->args[0], c->sink, c->err);
}

static int do_retention_set(struct slot_call *c)
{
	return c->ops->retention_set(c->self, c->call, c->args[0], c->args[1], c->err);
}

static int do_retention_run(struct slot_call *c)
{
	return c->ops->retention_run(c->self, c->call, c->args[0], c->sink, c->err);
}

static int do_retention_runs(struct slot_call *c)
{
	return c->ops->retention_runs(c->self, c->call, c->args[0], c->args[1], c->sink, c->err);
}

static int do_maintain(struct slot_call *c)
{
	return c->ops->maintain(c->self, c->call, c->args[0], c->args[1], c->sink, c->err);
}

static int do_oci_endpoint(struct slot_call *c)
{
	struct berth_oci_endpoint e = {.size = sizeof e};
	int r = c->ops->oci_endpoint(c->self, c->call, c->args[0], &e, c->err);
	if (r)
		return r;
	json_t *o = json_object();
	js_put_str(o, "base_url", e.base_url);
	js_put_str(o, "repository", e.repository);
	js_put_str(o, "username", e.username);
	json_object_set_new(o, "has_password", json_boolean(e.password != NULL));
	json_object_set_new(o, "flags", json_integer(e.flags));
	print_line(o);
	return 0;
}

static int do_sync_plan(struct slot_call *c)
{
	return c->sync->plan(c->self, c->call, c->args[0], c->args[1], c->sink, c->err);
}

static int do_sync_prepare(struct slot_call *c)
{
	return c->sync->prepare(c->self, c->call, c->args[0], c->args[1], c->sink, c->err);
}

static int do_sync_run(struct slot_call *c)
{
	return c->sync->run(c->self, c->call, c->args[0], c->sink, c->err);
}

static int do_sync_status(struct slot_call *c)
{
	return c->sync->status(c->self, c->call, c->args[0], c->sink, c->err);
}

static int do_sync_cancel(struct slot_call *c)
{
	return c->sync->cancel(c->self, c->call, c->args[0], c->err);
}

static int do_sync_log(struct slot_call *c)
{
	return c->sync->log(c->self, c->call, c->args[0], c->args[1], c->sink, c->err);
}

static int do_sync_remove(struct slot_call *c)
{
	return c->sync->remove(c->self, c->call, c->args[0], c->err);
}

static int do_scan_scanners(struct slot_call *c)
{
	return c->scan->scanners(c->self, c->call, c->sink, c->err);
}

static int do_scan_start(struct slot_call *c)
{
	return c->scan->start(c->self, c->call, c->args[0], c->sink, c->err);
}

static int do_scan_status(struct slot_call *c)
{
	return c->scan->status(c->self, c->call, c->args[0], c->sink, c->err);
}

static int do_scan_stop(struct slot_call *c)
{
	return c->scan->stop(c->self, c->call, c->args[0], c->err);
}

static int do_scan_report(struct slot_call *c)
{
	return c->scan->report(c->self, c->call, c->args[0], c->sink, c->err);
}

static int do_scan_log(struct slot_call *c)
{
	return c->scan->log(c->self, c->call, c->args[0], c->sink, c->err);
}

static int do_scan_configure(struct slot_call *c)
{
	return c->scan->configure(c->self, c->call, c->args[0], c->err);
}

static const struct {
	const char *name;
	int arguments;
	size_t table; /* in struct berth_plugin */
	size_t offset;
	int (*run)(struct slot_call *c);
} slots[] = {
#define ROW(table, type, prefix, name, arguments)                                                  \
	{                                                                                          \
		prefix #name, arguments, offsetof(struct berth_plugin, table),                     \
			offsetof(struct type, name),
#define SLOT(name, arguments)                                                                      \
	ROW(integration, berth_integration_ops, "", name, arguments) do_##name                     \
	}
#define LIFE(name, arguments)                                                                      \
	ROW(lifecycle, berth_lifecycle_ops, "lifecycle.", name, arguments) do_lifecycle_##name     \
	}
#define SYNC(name, arguments)                                                                      \
	ROW(sync, berth_sync_ops, "sync.", name, arguments) do_sync_##name                         \
	}
#define SCAN(name, arguments)                                                                      \
	ROW(scan, berth_scan_ops, "scan.", name, arguments) do_scan_##name                         \
	}
	LIFE(validate, 1),
	LIFE(plan, 1),
	LIFE(apply, 1),
	LIFE(remove, 1),
	LIFE(status, 1),
	SLOT(probe, 0),
	SLOT(overview, 0),
	SLOT(spaces, 0),
	SLOT(repositories, 0),
	SLOT(tags, 1),
	SLOT(artifact, 2),
	SLOT(tag_delete, 2),
	SLOT(artifact_delete, 2),
	SLOT(repository_delete, 1),
	SLOT(oci_endpoint, 1),
	SLOT(space_create, 2),
	SLOT(space_update, 2),
	SLOT(space_delete, 1),
	SLOT(resolve, 1),
	SLOT(describe, 2),
	SLOT(login_create, 1),
	SLOT(login_list, 1),
	SLOT(login_revoke, 1),
	SLOT(retention_get, 1),
	SLOT(retention_set, 2),
	SLOT(retention_run, 1),
	SLOT(retention_runs, 1),
	SLOT(maintain, 2),
	SYNC(plan, 2),
	SYNC(prepare, 2),
	SYNC(run, 1),
	SYNC(status, 1),
	SYNC(cancel, 1),
	SYNC(log, 2),
	SYNC(remove, 1),
	SCAN(scanners, 0),
	SCAN(start, 1),
	SCAN(status, 1),
	SCAN(stop, 1),
	SCAN(report, 1),
	SCAN(log, 1),
	SCAN(configure, 1),
#undef SCAN
#undef SYNC
#undef SLOT
#undef LIFE
#undef ROW
};

static void print_options(const struct berth_plugin *p)
{
	for (const struct berth_option *o = p->options; o && o->key; o++) {
		json_t *line = json_object();
		js_put_str(line, "key", o->key);
		js_put_str(line, "default", o->deflt);
		json_object_set_new(line, "flags", json_integer(o->flags));
		print_line(line);
	}
}

static int run_slot(struct driver *d, void *self, char **argv, struct berth_error *err)
{
	const char *deadline = getenv("BERTH_DEADLINE_MS"), *stop = getenv("BERTH_STOP_AFTER");
	struct berth_call call = {.size = sizeof call, .id = "drive"};
	struct printing p = {.sink = {.size = sizeof p.sink, .put = put},
			     .left = stop ? strtol(stop, NULL, 10) : 0};
	struct slot_call c = {d->plugin->lifecycle,
			      d->plugin->integration,
			      d->plugin->sync,
			      d->plugin->scan,
			      self,
			      &call,
			      argv + 1,
			      &p.sink,
			      err};
	int count = 0;
	while (argv[count + 1])
		count++;
	if (deadline)
		call.deadline_ms = clock_monotonic_ms() + (uint64_t)strtol(deadline, NULL, 10);
	if (getenv("BERTH_DRY_RUN"))
		call.flags |= BERTH_CALL_DRY_RUN;
	for (size_t i = 0; i < ARRAY_COUNT(slots); i++) {
		const char *table;
		void *there = NULL;
		if (strcmp(slots[i].name, argv[0]) != 0)
			continue;
		memcpy(&table, (const char *)d->plugin + slots[i].table, sizeof table);
		if (table)
			memcpy(&there, table + slots[i].offset, sizeof there);
		if (count < slots[i].arguments)
			return berth_fail(err, BERTH_E_INVALID, "%s wants %d arguments", argv[0],
					  slots[i].arguments);
		return there ? slots[i].run(&c)
			     : berth_fail(err, BERTH_E_UNSUPPORTED, "no slot %s", argv[0]);
	}
	return berth_fail(err, BERTH_E_INVALID, "no slot is called %s", argv[0]);
}

/* What BERTH_OPT_... say, as the core gives options to an instance. */
static json_t *read_options(void)
{
	json_t *options = json_object();
	for (char **e = environ; *e; e++) {
		const char *key = *e + strlen(OPTION_PREFIX), *value = strchr(*e, '=');
		if (strncmp(*e, OPTION_PREFIX, strlen(OPTION_PREFIX)) != 0 || !value)
			continue;
		AUTO_FREE char *name = strndup(key, (size_t)(value - key));
		AUTO_FREE char *text = value[1] == '@' ? read_file(value + 2) : NULL;
		if (name && strncmp(name, "net_", 4) != 0)
			js_put_str(options, name, text ? text : value + 1);
	}
	return options;
}

static int take_options(struct driver *d, struct berth_error *err)
{
	static const struct net_limits none;
	AUTO_JSON json_t *document = json_pack("{s:s, s:o, s:{s:b}}", "plugin", d->plugin->name,
					       "options", read_options(), "policy", "private", 1);
	if (!document)
		return berth_fail_memory(err);
	int r = plugin_import(d->plugin, d->plugin->name, &d->imported, err);
	return r ? r : instance_init(&d->instance, "drive", &d->imported, document, &none, err);
}

static int drive(struct driver *d, char **argv)
{
	struct berth_error err = ERROR_INIT;
	void *self = NULL;
	int r = take_options(d, &err);
	if (!r)
		r = d->plugin->open(&host, d, &self, &err);
	if (!r) {
		r = run_slot(d, self, argv, &err);
		d->plugin->close(self);
	}
	if (r) {
		json_t *o = json_object();
		json_object_set_new(o, "error", js_of_error(&err));
		print_line(o);
	}
	instance_done(&d->instance);
	free(d->imported.options);
	return r ? 1 : 0;
}

static void usage(FILE *to)
{
	static const char *const words[] = {"", " ARGUMENT", " ARGUMENT ARGUMENT"};
	fputs("usage: drive PLUGIN.so SLOT [ARGUMENT...]\n"
	      "       drive PLUGIN.so options\n"
	      "In the environment:\n"
	      "  BERTH_OPT_address=URL ...  options of the instance; @FILE: what is in a file\n"
	      "  BERTH_OPT_net_answer_ms=N  and other limits, by the names that plugins ask for\n"
	      "  BERTH_DEADLINE_MS=N        the call's deadline, from its begin\n"
	      "  BERTH_DRY_RUN=1            the call is a dry run\n"
	      "  BERTH_STOP_AFTER=N         the sink says stop at its Nth item\n"
	      "  BERTH_DENY=1               every address is denied\n"
	      "Slots and the arguments that they need:\n",
	      to);
	for (size_t i = 0; i < ARRAY_COUNT(slots); i++)
		fprintf(to, "  %s%s\n", slots[i].name, words[slots[i].arguments]);
}

/* One in the folder at hand is no library of the system. */
static void *load(const char *path)
{
	AUTO_FREE char *here = strchr(path, '/') ? strdup(path) : text_printf("./%s", path);
	return here ? dlopen(here, RTLD_NOW | RTLD_LOCAL) : NULL;
}

int main(int argc, char **argv)
{
	struct driver d = {0};
	if (argc == 2 && !strcmp(argv[1], "--help")) {
		usage(stdout);
		return 0;
	}
	if (argc < 3) {
		usage(stderr);
		return 2;
	}
	curl_global_init(CURL_GLOBAL_ALL);
	void *so = load(argv[1]);
	d.plugin = so ? dlsym(so, "berth_plugin_v1") : NULL;
	if (!d.plugin) {
		const char *why = dlerror();
		fprintf(stderr, "%s\n", why ? why : "no memory");
		return 2;
	}
	if (!strcmp(argv[2], "options")) {
		print_options(d.plugin);
		return 0;
	}
	return drive(&d, argv + 2);
}
