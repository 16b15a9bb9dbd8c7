/* SPDX-License-Identifier: Apache-2.0 */
/* A plugin of the tree, and what a server answers it: every small parser of its own
 * (versions, times, sizes, rows of queries, cookies, reports) at once, by the slots
 * that read them. Linked with each plugin's objects as fuzz target plugin_NAME;
 * nothing is sent, an exchange ends with the next answer of the input:
 *
 *	SLOT WHO			two bytes: a row of slots, from '0'; a user, from '0'
 *	200				a status
 *	Content-Type: application/json	headers, then an empty line
 *
 *	{}				the body, up to the line that begins the next
 *	--
 *
 * Whatever it holds, errors are one line of UTF-8.
 */
#include <berth/plugin.h>
#include <curl/curl.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/js.h"
#include "core/base/text.h"
#include "core/net/http_private.h"
#include "core/worker/backend.h"

#define BETWEEN "\n--\n"
#define ITEMS_MAX 5000

static struct {
	const char *at; /* the answers that are left; NULL: none */
	size_t byte_count;
	unsigned who;
} input;

/* --- the wire --- */

struct played {
	struct net_exchange x; /* first */
	struct net_timer *timer;
};

/* Cuts the line up to end off; its byte count is without the line end. */
static const char *next_line(const char **at, const char *end, size_t *ret_byte_count)
{
	const char *line = *at, *stop = memchr(line, '\n', (size_t)(end - line));
	*ret_byte_count = (size_t)((stop ? stop : end) - line);
	*at = stop ? stop + 1 : end;
	return line;
}

static int read_answer(struct net_exchange *x, const char *at, const char *end)
{
	size_t byte_count;
	const char *line = next_line(&at, end, &byte_count);
	for (size_t i = 0; i < byte_count && i < 3 && line[i] >= '0' && line[i] <= '9'; i++)
		x->status = x->status * 10 + (line[i] - '0');
	while (at < end) {
		line = next_line(&at, end, &byte_count);
		if (!byte_count)
			break;
		int r = net_headers_line(x, line, byte_count);
		if (r)
			return r;
	}
	byte_count = (size_t)(end - at);
	if (!x->call.consume || x->status < 200 || x->status > 299)
		return buf_add(&x->body, at, byte_count, &x->failure);
	x->body_moved = byte_count > 0;
	return !byte_count || x->call.consume(x->call.user, at, byte_count) >= 0
		       ? 0
		       : berth_fail(&x->failure, BERTH_E_CANCELLED, "the answer is not wanted");
}

static void play(void *user)
{
	struct played *p = user;
	struct net_exchange *x = &p->x;
	p->timer = NULL;
	if (!input.at) {
		berth_fail(&x->failure, BERTH_E_UNAVAILABLE, "there is no answer left");
	} else {
		const char *end = memmem(input.at, input.byte_count, BETWEEN, sizeof BETWEEN - 1);
		const char *from = input.at, *stop = end ? end : from + input.byte_count;
		input.byte_count -= (size_t)(stop - from) + (end ? sizeof BETWEEN - 1 : 0);
		input.at = end ? end + sizeof BETWEEN - 1 : NULL;
		if (!read_answer(x, from, stop) && !x->status)
			berth_fail(&x->failure, BERTH_E_PROTOCOL, "no HTTP");
	}
	if (x->call.headers_in && !x->failure.code)
		x->call.headers_in(x->call.user);
	struct berth_error err = x->failure;
	x->call.done(x->call.user, &err);
}

int __wrap_net_exchange_start(struct net_client *c, const struct net_call *call,
			      struct net_exchange **ret, struct berth_error *err);
int __wrap_net_exchange_start(struct net_client *c, const struct net_call *call,
			      struct net_exchange **ret, struct berth_error *err)
{
	struct played *p = calloc(1, sizeof *p);
	if (!p)
		return berth_fail_memory(err);
	p->x.client = c;
	p->x.call = *call;
	p->x.failure = (struct berth_error)ERROR_INIT;
	buf_init(&p->x.head, c->settings.limits.header_max_bytes);
	buf_init(&p->x.body, call->body_max_bytes ? call->body_max_bytes : 1 << 20);
	*ret = &p->x;
	return net_timer_start(c->loop, 0, play, p, &p->timer, err);
}

void __wrap_net_exchange_free(struct net_exchange *x);
void __wrap_net_exchange_free(struct net_exchange *x)
{
	struct played *p = (struct played *)(void *)x;
	if (!p)
		return;
	net_timer_cancel(p->timer);
	buf_done(&x->head);
	buf_done(&x->body);
	free(p);
}

void __wrap_net_exchange_resume(struct net_exchange *x);
void __wrap_net_exchange_resume(struct net_exchange *x)
{
	(void)x; /* an answer comes whole */
}

/* --- the host --- */

static void host_log(const struct berth_call *call, int level, const char *fmt, ...)
{
	(void)call;
	(void)level;
	(void)fmt;
}

static int host_cancelled(const struct berth_call *call)
{
	(void)call;
	return 0;
}

static void host_progress(const struct berth_call *call, uint64_t done, uint64_t total)
{
	(void)call;
	(void)done;
	(void)total;
}

/* Who asks: a user, a robot, a token, nobody. */
static const char *host_option(const void *config, const char *key)
{
	static const struct {
		const char *key, *values[4];
	} given[] = {
		{"username", {"admin", "robot$ci", NULL, NULL}},
		{"password", {"secret", "secret", NULL, NULL}},
		{"token", {NULL, NULL, "secret", NULL}},
	};
	static const struct {
		const char *key, *value;
	} same[] = {
		{"address", "http://registry.example"},
		{"net_tries", "1"},
		{"net_pages_max", "4"},
		{"net_items_max", "2000"},
	};
	(void)config;
	for (size_t i = 0; i < ARRAY_COUNT(given); i++)
		if (!strcmp(given[i].key, key))
			return given[i].values[input.who];
	for (size_t i = 0; i < ARRAY_COUNT(same); i++)
		if (!strcmp(same[i].key, key))
			return same[i].value;
	for (const struct berth_option *o = berth_plugin_v1.options; o->key; o++)
		if (!strcmp(o->key, key))
			return o->deflt;
	return NULL;
}

static const char *host_kept(const void *config)
{
	(void)config;
	return NULL;
}

static int host_keep(const struct berth_call *call, const char *json)
{
	(void)call;
	(void)json;
	return 0;
}

static int host_allow(const void *config, const void *address, uint32_t byte_count)
{
	(void)config;
	(void)address;
	(void)byte_count;
	return BERTH_E_ADDRESS;
}

static const struct berth_host host = {
	.size = sizeof host,
	.log = host_log,
	.cancelled = host_cancelled,
	.progress = host_progress,
	.option = host_option,
	.kept = host_kept,
	.keep = host_keep,
	.allow_address = host_allow,
};

/* --- the slots --- */

struct taking {
	struct berth_sink sink; /* first */
	unsigned count;
};

/* As the worker takes them: what is not well-formed ends the call. */
static int put(struct berth_sink *sink, const struct berth_item *given)
{
	struct taking *t = (struct taking *)(void *)sink;
	struct berth_item item;
	struct berth_error err = ERROR_INIT;
	json_t *more = NULL;
	int r = item_check(given, &item, &more, &err);
	json_decref(more);
	return r || ++t->count > ITEMS_MAX;
}

typedef int none_sink(void *, const struct berth_call *, struct berth_sink *, struct berth_error *);
typedef int text_sink(void *, const struct berth_call *, const char *, struct berth_sink *,
		      struct berth_error *);
typedef int texts_sink(void *, const struct berth_call *, const char *, const char *,
		       struct berth_sink *, struct berth_error *);
typedef int text_only(void *, const struct berth_call *, const char *, struct berth_error *);
typedef int texts_only(void *, const struct berth_call *, const char *, const char *,
		       struct berth_error *);

enum form { NONE_SINK, TEXT_SINK, TEXTS_SINK, TEXT_ONLY, TEXTS_ONLY };

#define ROW(table, slot, form, a, b)                                                               \
	{                                                                                          \
		offsetof(struct berth_plugin, table), offsetof(struct berth_##table##_ops, slot),  \
			form, a, b                                                                 \
	}
#define DIGEST "sha256:28be3dc6027b5a9ee4e210828560ea44c715d27a19f4203faf249983c007efe9"
#define TARGET "{\"repository\":\"team/app\",\"digest\":\"" DIGEST "\"}"
#define SECRET                                                                                     \
	"{\"kind\":\"pull-secret\",\"namespace\":\"team\",\"name\":\"berth\",\"owner\":\"team\","  \
	"\"dockerconfigjson\":\"{\\\"auths\\\":{}}\",\"service_account\":true}"
#define RULES                                                                                      \
	"{\"schedule\":\"0 0 3 * * *\",\"rules\":[{\"template\":\"latestPushedK\",\"number\":3}]}"
#define COPY_RULE                                                                                  \
	"{\"name\":\"nightly\",\"source\":{\"space\":\"team\"},\"target\":{\"space\":\"team\"}}"
#define PEER "{\"kind\":\"harbor\",\"address\":\"https://other.example\"}"

/* New rows come last: the corpus counts from the first. */
static const struct row {
	size_t table, slot;
	enum form form;
	const char *a, *b;
} rows[] = {
	ROW(integration, probe, TEXT_SINK, "{\"scope\":\"platform\"}", NULL),
	ROW(integration, overview, NONE_SINK, NULL, NULL),
	ROW(integration, spaces, NONE_SINK, NULL, NULL),
	ROW(integration, repositories, TEXT_SINK, NULL, NULL),
	ROW(integration, tags, TEXT_SINK, "team/app", NULL),
	ROW(integration, resolve, TEXT_SINK, "team", NULL),
	ROW(integration, artifact, TEXTS_SINK, "team/app", "1"),
	ROW(integration, tag_delete, TEXTS_ONLY, "team/app", "1"),
	ROW(integration, artifact_delete, TEXTS_ONLY, "team/app", DIGEST),
	ROW(integration, repository_delete, TEXT_SINK, "team/app", NULL),
	ROW(integration, describe, TEXTS_ONLY, "team/app", "words"),
	ROW(integration, space_create, TEXTS_SINK, "team", "{\"public\":true}"),
	ROW(integration, space_update, TEXTS_SINK, "team", "{\"quota_bytes\":1048576}"),
	ROW(integration, space_delete, TEXT_ONLY, "team", NULL),
	ROW(integration, login_create, TEXT_SINK,
	    "{\"name\":\"berth-1\",\"spaces\":[\"team\"],\"rights\":[\"pull\"],\"ttl_s\":3600}",
	    NULL),
	ROW(integration, login_list, TEXT_SINK, "berth-", NULL),
	ROW(integration, login_revoke, TEXT_ONLY, "7", NULL),
	ROW(integration, retention_get, TEXT_SINK, "team", NULL),
	ROW(integration, retention_set, TEXTS_ONLY, "team", RULES),
	ROW(integration, retention_run, TEXT_SINK, "team", NULL),
	ROW(integration, retention_runs, TEXTS_SINK, "team", NULL),
	ROW(integration, retention_runs, TEXTS_SINK, "team", "7"),
	ROW(integration, maintain, TEXTS_SINK, "read-only", "{}"),
	ROW(integration, maintain, TEXTS_SINK, "gc-history", "{}"),
	ROW(integration, maintain, TEXTS_SINK, "gc-stop", "{\"run\":\"1\"}"),
	ROW(integration, maintain, TEXTS_SINK, "gc-log", "{\"run\":\"1\"}"),
	ROW(scan, scanners, NONE_SINK, NULL, NULL),
	ROW(scan, start, TEXT_SINK, TARGET, NULL),
	ROW(scan, status, TEXT_SINK, TARGET, NULL),
	ROW(scan, status, TEXT_SINK, "{\"space\":\"team\"}", NULL),
	ROW(scan, report, TEXT_SINK, TARGET, NULL),
	ROW(scan, log, TEXT_SINK, TARGET, NULL),
	ROW(sync, plan, TEXTS_SINK, COPY_RULE, PEER),
	ROW(sync, prepare, TEXTS_SINK, COPY_RULE, PEER),
	ROW(sync, status, TEXT_SINK, "7", NULL),
	ROW(sync, log, TEXTS_SINK, "7", "8"),
	ROW(lifecycle, status, TEXT_SINK, "{\"kind\":\"nodes\"}", NULL),
	ROW(lifecycle, status, TEXT_SINK, SECRET, NULL),
	ROW(lifecycle, apply, TEXT_SINK, SECRET, NULL),
	ROW(lifecycle, remove, TEXTS_SINK, SECRET, "{}"),
};

/* The slot of a row in this plugin; false where it has none. */
static bool find_slot(const struct row *row, void (**ret)(void))
{
	const char *table;
	memcpy(&table, (const char *)&berth_plugin_v1 + row->table, sizeof table);
	if (table)
		memcpy(ret, table + row->slot, sizeof *ret);
	return table && *ret;
}

static int call_slot(const struct row *row, void (*slot)(void), void *self, struct berth_error *err)
{
	const struct berth_call call = {.size = sizeof call, .id = "fuzz-1"};
	struct taking taking = {.sink = {.size = sizeof taking.sink, .put = put}};
	switch (row->form) {
	case NONE_SINK:
		return ((none_sink *)slot)(self, &call, &taking.sink, err);
	case TEXT_SINK:
		return ((text_sink *)slot)(self, &call, row->a, &taking.sink, err);
	case TEXTS_SINK:
		return ((texts_sink *)slot)(self, &call, row->a, row->b, &taking.sink, err);
	case TEXT_ONLY:
		return ((text_only *)slot)(self, &call, row->a, err);
	default:
		return ((texts_only *)slot)(self, &call, row->a, row->b, err);
	}
}

static bool is_line(const char *text, size_t room)
{
	size_t byte_count = strnlen(text, room);
	return byte_count < room && text_is_utf8(text, byte_count) && !strpbrk(text, "\r\n");
}

int LLVMFuzzerInitialize(int *count, char ***arguments);
int LLVMFuzzerInitialize(int *count, char ***arguments)
{
	(void)count;
	(void)arguments;
	return curl_global_init(CURL_GLOBAL_DEFAULT) ? 1 : 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct berth_error err = ERROR_INIT;
	void *self = NULL;
	void (*slot)(void) = NULL;

	if (size < 4)
		return 0;
	const struct row *row = rows + (uint8_t)(data[0] - '0') % ARRAY_COUNT(rows);
	if (!find_slot(row, &slot))
		return -1; /* not for the corpus */
	input.who = (uint8_t)(data[1] - '0') % 4;
	input.at = (const char *)data + 3;
	input.byte_count = size - 3;
	int code = berth_plugin_v1.open(&host, &input, &self, &err);
	if (code)
		return 0;
	code = call_slot(row, slot, self, &err);
	if (code &&
	    (code != err.code || !*err.message || !is_line(err.message, sizeof err.message) ||
	     !is_line(err.cause, sizeof err.cause)))
		abort();
	berth_plugin_v1.close(self);
	return 0;
}
