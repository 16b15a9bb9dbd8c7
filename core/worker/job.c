/* SPDX-License-Identifier: Apache-2.0 */
/* The job's end of the connection, inside the worker's child: the call comes
 * in, items, progress and one result go out. One job a process, so the state
 * is one struct on child_serve's stack.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <time.h>

#include "core/base/clock.h"
#include "core/base/js.h"
#include "core/base/log.h"
#include "core/base/text.h"
#include "core/worker/child.h"
#include "core/worker/frame.h"

/* A lease of bytes at one end: asked for early, so that it is there in time. */
#define LEASE_LEAST_BYTES 16384     /* what is moved at once: with less nothing goes on */
#define LEASE_WANT_BYTES (1u << 20) /* as much as there is: berthd says how much that is */
struct lease {
	bool is_limited, is_asked;
	uint64_t left, last;
	unsigned users; /* jobs at its integration; 0: not known */
};

struct job {
	int fd;
	const struct child_setup *setup;
	json_t *call;
	uint64_t deadline_ms;
	int stopped; /* BERTH_E_CANCELLED once asked to stop or hung up on */
	bool is_lost;
	uint64_t progress_due_ms;
	json_t *progress; /* the last one, held back by the rate */
	struct lease leases[JOB_CHAINS];
	unsigned losses; /* js_losses() when it began */
	json_t *claims;  /* answers to claims that nobody has taken yet, or NULL */
};

static const char *const chain_names[JOB_CHAINS] = {"read",   "take",   "write",  "write2",
						    "write3", "write4", "write5", "write6",
						    "write7", "write8"};

const char *job_kind(const struct job *j)
{
	return js_str(j->call, "kind", "");
}

const char *job_id(const struct job *j)
{
	return js_str(j->call, "job", "");
}

const json_t *job_args(const struct job *j)
{
	return json_object_get(j->call, "args");
}

const json_t *job_instance(const struct job *j, const char *name)
{
	return json_object_get(json_object_get(j->call, "instances"), name);
}

uint64_t job_deadline_ms(const struct job *j)
{
	return j->deadline_ms;
}

const struct plugin_set *job_plugins(const struct job *j)
{
	return j->setup->plugins;
}

const struct settings *job_settings(const struct job *j)
{
	return j->setup->settings;
}

int job_reload_worker(const struct job *j, struct berth_error *err)
{
	pid_t parent = j->setup->parent;
	if (!parent || getppid() != parent || kill(parent, SIGHUP))
		return berth_fail(err, BERTH_E_UNAVAILABLE, "the worker is gone");
	return 0;
}

const char *job_cache_dir(const struct job *j)
{
	return j->setup->cache_dir;
}

bool job_is_hung_up(const struct job *j)
{
	return j->is_lost;
}

struct board *job_board(struct job *j)
{
	return j->setup->board;
}

void job_net_limits(const struct job *j, struct net_limits *ret)
{
	const json_t *limits = json_object_get(j->call, "limits");
	struct net_limits *n = ret;
	*n = j->setup->settings->net;
	const struct {
		const char *key;
		uint32_t *to;
	} members[] = {
		{"connect_ms", &n->connect_ms},
		{"answer_ms", &n->answer_ms},
		{"low_speed_s", &n->low_speed_s},
		{"low_speed_bytes", &n->low_speed_bytes},
		{"retry_after_max_ms", &n->retry_after_max_ms},
		{"tries", &n->tries},
		{"backoff_ms", &n->backoff_ms},
		{"header_max_bytes", &n->header_max_bytes},
		{"pages_max", &n->pages_max},
		{"items_max", &n->items_max},
		{"commit_ms", &n->commit_ms},
	};
	for (size_t i = 0; i < ARRAY_COUNT(members); i++) {
		int64_t v = js_int(limits, members[i].key, -1);
		if (v >= 0 && v <= UINT32_MAX)
			*members[i].to = (uint32_t)v;
	}
}

static void set_limited(struct job *j, const json_t *budget)
{
	for (size_t i = 0; i < ARRAY_COUNT(j->leases); i++) {
		const json_t *value = json_object_get(budget, chain_names[i]);
		if (value)
			j->leases[i].is_limited = json_is_true(value);
		int64_t users = js_int(json_object_get(budget, "users"), chain_names[i], 0);
		if (users > 0 && users <= UINT16_MAX)
			j->leases[i].users = (unsigned)users;
	}
}

static void take_lease(struct job *j, const json_t *frame)
{
	const char *name = js_str(frame, "chain", "");
	int64_t bytes = js_int(frame, "bytes", 0);
	for (size_t i = 0; i < ARRAY_COUNT(j->leases); i++) {
		struct lease *l = &j->leases[i];
		if (strcmp(chain_names[i], name) != 0 || bytes <= 0)
			continue;
		l->is_asked = false;
		l->last = (uint64_t)bytes;
		l->left += (uint64_t)bytes;
	}
}

static void keep_claim(struct job *j, json_t *frame)
{
	if (!j->claims)
		j->claims = json_array();
	if (!j->claims || json_array_append(j->claims, frame))
		j->stopped = BERTH_E_NO_MEMORY;
}

/* Reads one frame that berthd sent meanwhile: a cancel, an answer, or the end. */
static bool look(struct job *j)
{
	AUTO_JSON json_t *frame = NULL;
	struct berth_error err = ERROR_INIT;
	bool is_gone = frame_receive(j->fd, &frame, &err) != 0;
	const char *type = js_str(frame, "t", "");
	j->is_lost = j->is_lost || is_gone;
	if (is_gone || !strcmp(type, "cancel"))
		j->stopped = BERTH_E_CANCELLED;
	if (!strcmp(type, "budget")) {
		set_limited(j, frame);
		take_lease(j, frame);
	}
	if (!strcmp(type, "claim"))
		keep_claim(j, frame);
	return frame != NULL;
}

int job_fd(const struct job *j)
{
	return j->fd;
}

int job_cancelled(struct job *j)
{
	while (!j->stopped && look(j))
		continue;
	if (!j->stopped && j->deadline_ms && clock_monotonic_ms() >= j->deadline_ms)
		j->stopped = BERTH_E_TIMEOUT;
	return j->stopped;
}

void job_pause(struct job *j, uint64_t ms)
{
	uint64_t until_ms = clock_monotonic_ms() + ms;
	while (!job_cancelled(j) && clock_monotonic_ms() < until_ms) {
		const struct timespec piece = {.tv_nsec = 50 * 1000000L};
		nanosleep(&piece, NULL);
	}
}

static int send_frame(struct job *j, const json_t *frame, struct berth_error *err)
{
	int code = frame ? frame_send(j->fd, frame, err) : berth_fail_memory(err);
	if (code == BERTH_E_UNAVAILABLE) {
		j->is_lost = true;
		j->stopped = BERTH_E_CANCELLED;
		return berth_fail(err, BERTH_E_CANCELLED, "nobody waits for this job any more");
	}
	return code;
}

int job_item(struct job *j, const json_t *item, struct berth_error *err)
{
	AUTO_JSON json_t *frame = json_pack("{s:s}", "t", "item");
	if (j->is_lost)
		return berth_fail(err, BERTH_E_CANCELLED, "nobody waits for this job any more");
	if (!frame || json_object_update(frame, (json_t *)(uintptr_t)item) ||
	    js_losses() != j->losses)
		return berth_fail_memory(err); /* or it may lack a part */
	return send_frame(j, frame, err);
}

/* A job goes on without telling how far it is: what can't be sent is dropped,
 * and a lost connection shows in job_cancelled. */
static void send_quietly(struct job *j, const json_t *frame)
{
	struct berth_error err = ERROR_INIT;
	if (!j->is_lost && send_frame(j, frame, &err) && !j->is_lost)
		log_debug("job %s: %s", job_id(j), err.message);
}

static void flush_progress(struct job *j)
{
	if (j->progress)
		send_quietly(j, j->progress);
	json_decref(j->progress);
	j->progress = NULL;
}

void job_progress(struct job *j, uint64_t done, uint64_t total, const char *unit, const char *stage,
		  const json_t *more)
{
	uint64_t now = clock_monotonic_ms();
	json_decref(j->progress);
	j->progress = json_pack("{s:s, s:I, s:I}", "t", "progress", "done", (json_int_t)done,
				"total", (json_int_t)total);
	if (!j->progress)
		return;
	js_put_str(j->progress, "unit", unit);
	js_put_str(j->progress, "stage", stage);
	if (more)
		json_object_set(j->progress, "more", (json_t *)(uintptr_t)more);
	if (now < j->progress_due_ms)
		return;
	j->progress_due_ms = now + 1000 / j->setup->settings->jobs.progress_per_s;
	flush_progress(j);
}

void job_log(struct job *j, int level, const char *fmt, ...)
{
	char text[2048];
	va_list args;
	va_start(args, fmt);
	vsnprintf(text, sizeof text, fmt, args);
	va_end(args);
	text_blank_controls(text);
	text_trim_utf8(text);
	log_mask(text);
	AUTO_JSON json_t *frame =
		json_pack("{s:s, s:i, s:s}", "t", "log", "level", level, "text", text);
	if (frame)
		send_quietly(j, frame);
}

static void send_budget(struct job *j, enum job_chain chain, const char *key, uint64_t bytes)
{
	AUTO_JSON json_t *frame = json_pack("{s:s, s:s, s:I}", "t", "budget", "chain",
					    chain_names[chain], key, (json_int_t)bytes);
	if (frame)
		send_quietly(j, frame);
}

uint64_t job_leased(struct job *j, enum job_chain chain)
{
	struct lease *l = &j->leases[chain];
	if (!l->is_limited)
		return UINT64_MAX;
	if (!l->is_asked && (l->left < LEASE_LEAST_BYTES || l->left <= l->last / 2)) {
		l->is_asked = true;
		send_budget(j, chain, "want", LEASE_WANT_BYTES);
	}
	return l->left;
}

void job_spend(struct job *j, enum job_chain chain, uint64_t byte_count)
{
	struct lease *l = &j->leases[chain];
	l->left -= byte_count < l->left ? byte_count : l->left;
}

unsigned job_users(const struct job *j, enum job_chain chain)
{
	return j->leases[chain].users ? j->leases[chain].users : 1;
}

void job_give_back(struct job *j)
{
	for (size_t i = 0; i < ARRAY_COUNT(j->leases); i++) {
		if (j->leases[i].left)
			send_budget(j, (enum job_chain)i, "back", j->leases[i].left);
		j->leases[i].left = 0;
	}
}

void job_claim(struct job *j, unsigned target, const char *digest)
{
	AUTO_JSON json_t *frame =
		json_pack("{s:s, s:i, s:s}", "t", "claim", "target", (int)target, "digest", digest);
	if (frame)
		send_quietly(j, frame);
}

json_t *job_take_claim(struct job *j)
{
	json_t *first = json_incref(json_array_get(j->claims, 0));
	if (first)
		json_array_remove(j->claims, 0);
	return first;
}

void job_release(struct job *j, unsigned target, const char *digest, const char *repository)
{
	AUTO_JSON json_t *frame = json_pack("{s:s, s:i, s:s}", "t", "release", "target",
					    (int)target, "digest", digest);
	if (!frame)
		return;
	js_put_str(frame, "repository", repository);
	send_quietly(j, frame);
}

int job_keep(struct job *j, const char *instance, const json_t *state, struct berth_error *err)
{
	AUTO_JSON json_t *frame =
		json_pack("{s:s, s:s, s:O?}", "t", "keep", "instance", instance, "state", state);
	return send_frame(j, frame, err);
}

/* Waits for the call, at most hello_ms. */
static int read_call(struct job *j, struct berth_error *err)
{
	struct pollfd p = {.fd = j->fd, .events = POLLIN};
	int ready = poll(&p, 1, (int)j->setup->settings->jobs.hello_ms);
	if (ready <= 0)
		return berth_fail(err, BERTH_E_TIMEOUT, "no call came");
	int code = frame_receive(j->fd, &j->call, err);
	if (code)
		return code;
	int64_t deadline_ms = js_int(j->call, "deadline_ms", 0);
	if (strcmp(js_str(j->call, "t", ""), "call") != 0 || deadline_ms <= 0 ||
	    !json_is_object(job_args(j)))
		return berth_fail(err, BERTH_E_PROTOCOL,
				  "the first frame is no call with args and deadline_ms");
	j->deadline_ms = clock_monotonic_ms() + (uint64_t)deadline_ms;
	set_limited(j, json_object_get(j->call, "budget"));
	snprintf(j->setup->board->job, sizeof j->setup->board->job, "%s", job_id(j));
	atomic_store(&j->setup->board->deadline_ms, j->deadline_ms);
	return 0;
}

static int run_kind(struct job *j, json_t **ret_value, struct berth_error *err)
{
	for (const struct job_type *t = j->setup->types; t->kind; t++)
		if (!strcmp(t->kind, job_kind(j)))
			return t->run(j, ret_value, err);
	return berth_fail(err, BERTH_E_UNSUPPORTED, "the worker knows no job of kind '%.40s'",
			  job_kind(j));
}

static int send_result(struct job *j, json_t *value, struct berth_error *why,
		       struct berth_error *err)
{
	AUTO_JSON json_t *frame = NULL;
	if (!why->code) {
		frame = json_pack("{s:s, s:b, s:O?}", "t", "result", "ok", 1, "value", value);
	} else {
		log_mask(why->message);
		log_mask(why->cause);
		frame = json_pack("{s:s, s:b, s:o}", "t", "result", "ok", 0, "error",
				  js_of_error(why));
	}
	int code = send_frame(j, frame, err);
	if (!code)
		atomic_store(&j->setup->board->result_sent, 1);
	return code;
}

int child_serve(const struct child_setup *setup, struct berth_error *err)
{
	struct job j = {.fd = setup->fd, .setup = setup, .losses = js_losses()};
	struct berth_error why = ERROR_INIT;
	AUTO_JSON json_t *value = NULL;
	AUTO_JSON json_t *hello = json_pack("{s:s, s:i}", "t", "hello", "pid", (int)getpid());
	int code = send_frame(&j, hello, err);
	if (!code)
		code = read_call(&j, err);
	if (!code) {
		why.code = run_kind(&j, &value, &why);
		flush_progress(&j);
		if (!why.code && js_losses() != j.losses)
			berth_fail_memory(&why);
		code = send_result(&j, value, &why, err);
	}
	if (code == BERTH_E_LIMIT) {
		berth_wrap(err, "the result of job kind '%.40s' does not fit", job_kind(&j));
		struct berth_error lost = ERROR_INIT;
		code = send_result(&j, NULL, err, &lost);
	}
	/* Nobody is left to be told of an end. */
	if (j.is_lost)
		atomic_store(&setup->board->result_sent, 1);
	json_decref(j.progress);
	json_decref(j.claims);
	json_decref(j.call);
	return code;
}

/* No core file, no tracer of the same user: the call's secrets are in memory.
 * Address space is capped, but not under the sanitizers: they reserve
 * terabytes. */
static void confine(const struct settings *settings)
{
	struct rlimit none = {0, 0};
	prctl(PR_SET_DUMPABLE, 0);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	setrlimit(RLIMIT_CORE, &none);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
	if (settings->jobs.memory_max_bytes) {
		struct rlimit memory = {settings->jobs.memory_max_bytes,
					settings->jobs.memory_max_bytes};
		setrlimit(RLIMIT_AS, &memory);
	}
#else
	(void)settings;
#endif
}

void child_main(const struct child_setup *setup)
{
	struct berth_error err = ERROR_INIT;
	confine(setup->settings);
	int code = child_serve(setup, &err);
	if (code && code != BERTH_E_CANCELLED)
		log_warning("job %s: %s", setup->board->job, err.message);
	fflush(NULL);
	_exit(code ? 70 : 0);
}
