/* SPDX-License-Identifier: Apache-2.0 */
/* Waits for an operation over the API, through restarts of berthd. The first
 * Ctrl-C detaches; a second one within two seconds cancels, after a question or
 * with --cancel-on-interrupt. SIGTERM and a terminal that goes away only detach.
 */
#include "client/follow.h"

#include <poll.h>
#include <string.h>

#include "client/api.h"
#include "client/cmd.h"
#include "client/report_copy.h"
#include "client/secret.h"
#include "client/show.h"
#include "core/base/clock.h"
#include "core/base/text.h"

enum { LOOK_MS = 200, REST_MS = 500, REST_COUNT = 120, SECOND_MS = 2000, LONG_POLL_S = 30 };

static const int signals[] = {SIGINT, SIGTERM, SIGHUP};
enum { SIGNAL_COUNT = ARRAY_COUNT(signals) };

static volatile sig_atomic_t interrupted; /* the signal's number; set by the handler alone */

static void on_interrupt(int number)
{
	interrupted = number;
}

struct watch {
	struct cli *c;
	const char *id;
	struct progress progress;
	uint64_t deadline_ms; /* 0: none */
	sigset_t before, wait_mask;
	struct sigaction old[SIGNAL_COUNT];
};

/* They are let in only while waiting, so that none is lost between two looks. */
static void interrupt_begin(struct watch *w)
{
	struct sigaction action = {.sa_handler = on_interrupt};
	sigset_t block;
	interrupted = 0;
	sigemptyset(&action.sa_mask);
	sigemptyset(&block);
	for (size_t i = 0; i < SIGNAL_COUNT; i++) {
		sigaction(signals[i], NULL, &w->old[i]);
		if (w->old[i].sa_handler != SIG_IGN) /* nohup(1) means it */
			sigaction(signals[i], &action, NULL);
		sigaddset(&block, signals[i]);
	}
	sigprocmask(SIG_BLOCK, &block, &w->before);
	w->wait_mask = w->before;
	for (size_t i = 0; i < SIGNAL_COUNT; i++)
		sigdelset(&w->wait_mask, signals[i]);
	w->c->http.interrupted = &interrupted;
	w->c->http.wait_mask = &w->wait_mask;
}

static void interrupt_end(struct watch *w)
{
	w->c->http.interrupted = NULL;
	w->c->http.wait_mask = NULL;
	for (size_t i = 0; i < SIGNAL_COUNT; i++)
		sigaction(signals[i], &w->old[i], NULL);
	sigprocmask(SIG_SETMASK, &w->before, NULL);
}

/* Sleeps, unless interrupted. */
static void rest(const struct watch *w, long ms)
{
	struct timespec t = {ms / 1000, ms % 1000 * 1000000};
	if (!interrupted)
		ppoll(NULL, 0, &t, &w->wait_mask);
}

bool operation_has_ended(const json_t *operation)
{
	static const char *const going[] = {"pending", "running", "cancelling"};
	const char *state = js_str(operation, "state", "");
	for (size_t i = 0; i < ARRAY_COUNT(going); i++)
		if (!strcmp(going[i], state))
			return false;
	return true;
}

/* One look at the operation; the first ones are long, so that short work ends
 * without a flicker. */
static int look(struct watch *w, unsigned round, json_t **ret, struct berth_error *err)
{
	bool is_long = round == 0 || w->progress.mode == PROGRESS_NONE;
	unsigned wait_s = round == 0 ? 1 : LONG_POLL_S;
	uint64_t now = clock_monotonic_ms();
	uint64_t left_ms = w->deadline_ms > now ? w->deadline_ms - now : 0;
	if (w->deadline_ms && left_ms < wait_s * 1000ull)
		wait_s = (unsigned)(left_ms / 1000) + 1;
	AUTO_FREE char *path =
		is_long ? text_printf("/v1/operations/%s/wait?timeout_s=%u", w->id, wait_s)
			: text_printf("/v1/operations/%s", w->id);
	return path ? api_get(w->c, path, ret, err) : berth_fail_memory(err);
}

/* Looks until it has ended. A restart of berthd is waited for. */
static int look_on(struct watch *w, json_t **operation, struct berth_error *err)
{
	unsigned rests = 0;
	for (unsigned round = 0; !operation_has_ended(*operation); round++) {
		json_t *fresh = NULL;
		if (interrupted)
			return berth_fail(err, BERTH_E_CANCELLED, "interrupted");
		if (w->deadline_ms && clock_monotonic_ms() >= w->deadline_ms)
			return berth_fail(err, BERTH_E_TIMEOUT, "the time to wait ran out");
		int code = look(w, round, &fresh, err);
		if (code == BERTH_E_UNAVAILABLE && !w->c->problem && rests++ < REST_COUNT) {
			rest(w, REST_MS);
			continue;
		}
		if (code)
			return code;
		rests = 0;
		json_decref(*operation);
		*operation = fresh;
		progress_show(&w->progress, w->c, fresh);
		if (w->progress.mode != PROGRESS_NONE && !operation_has_ended(fresh) && round)
			rest(w, LOOK_MS);
	}
	return 0;
}

static int cancel(struct cli *c, const char *id)
{
	struct berth_error err = ERROR_INIT;
	AUTO_FREE char *path = text_printf("/v1/operations/%s", id);
	AUTO_JSON json_t *body = NULL;
	struct api_call call = {.method = "DELETE", .path = path};
	if (!path || api_send(c, &call, &body, &err))
		return cli_report(c, &err);
	cli_note(c, "berthd was asked to cancel operation %s", id);
	return EXIT_INTERRUPTED;
}

/* After the first signal. */
static int detach(struct watch *w)
{
	struct cli *c = w->c;
	bool is_sure = cli_has(c, "cancel-on-interrupt");
	cli_note(c, "detached: operation %s goes on", w->id);
	cli_hint(c, "berthctl operation attach %s", w->id);
	if (interrupted != SIGINT || (!is_sure && !can_ask(c)))
		return EXIT_INTERRUPTED;
	cli_note(c, "Ctrl-C again cancels it");
	interrupted = 0;
	rest(w, SECOND_MS);
	bool is_second = interrupted == SIGINT;
	interrupt_end(w);
	if (!is_second)
		return EXIT_INTERRUPTED;
	AUTO_FREE char *what = text_printf("This cancels operation %s.", w->id);
	if (is_sure || (what && ask_yes(c, what)))
		return cancel(c, w->id);
	return EXIT_INTERRUPTED;
}

static void members_of_result(struct cli *c, const json_t *operation)
{
	const char *key;
	json_t *value;
	if (json_is_array(value_at(operation, "result.outcomes"))) {
		copy_report(c, operation);
		return;
	}
	json_object_foreach (json_object_get(operation, "result"), key, value) {
		AUTO_FREE char *text = cell_text(value, COL_TEXT, true);
		AUTO_FREE char *safe = text ? term_escape(&c->out, text, false) : NULL;
		term_put(&c->out, key);
		fprintf(c->out.file, ": %s\n", term_whole(safe));
	}
}

/* Waiting is over without the operation's end. */
static int give_up(struct watch *w, const struct berth_error *err)
{
	if (err->code == BERTH_E_CANCELLED)
		return detach(w);
	int status = cli_report(w->c, err);
	bool is_known = !w->c->problem && *w->id;
	if (is_known)
		cli_hint(w->c, "%s: berthctl operation attach %s",
			 err->code == BERTH_E_TIMEOUT ? "it goes on" : "when berthd is back",
			 w->id);
	return status;
}

static bool has_any(const json_t *result, const char *const *names)
{
	for (; *names; names++)
		if (js_int(result, *names, 0) > 0)
			return true;
	return false;
}

/* How the images of a result went: EXIT_OK, EXIT_PARTLY where some are as they
 * should be and others are not, EXIT_UPSTREAM where none is. */
static int images_status(const json_t *operation)
{
	static const char *const good[] = {"copied", "present", "kept", "same", NULL};
	static const char *const bad[] = {"failed", "missing", "different", "incomplete", NULL};
	const json_t *result = json_object_get(operation, "result");
	if (!has_any(result, bad))
		return EXIT_OK;
	return has_any(result, good) ? EXIT_PARTLY : EXIT_UPSTREAM;
}

static int failed(struct cli *c, const json_t *operation)
{
	struct berth_error err = ERROR_INIT;
	json_t *error = json_object_get(operation, "error");
	if (!json_is_object(error)) {
		cli_usage(c, "operation %s ended as %s", js_str(operation, "id", ""),
			  js_str(operation, "state", "?"));
		return EXIT_ERROR;
	}
	json_decref(c->problem);
	c->problem = json_incref(error);
	berth_fail(&err, BERTH_E_INTERNAL, "the operation failed");
	int status = cli_report(c, &err), images = images_status(operation);
	/* An image that failed was asked for rightly, and its time has ended for good. */
	bool is_vague = status == EXIT_USAGE || status == EXIT_ERROR || status == EXIT_TIMEOUT;
	return images == EXIT_PARTLY || (images == EXIT_UPSTREAM && is_vague) ? images : status;
}

int follow_outcome(struct cli *c, const json_t *operation, follow_result *result)
{
	const json_t *brought = json_object_get(operation, "result");
	int status = c->format == FORMAT_TABLE || c->format == FORMAT_WIDE
			     ? -1
			     : show_resource(c, operation, operation_columns);
	if (status < 0 && json_is_object(brought))
		(result ? result : members_of_result)(c, operation);
	fflush(c->out.file);
	if (strcmp(js_str(operation, "state", ""), "succeeded") != 0)
		return failed(c, operation);
	return images_status(operation);
}

/* Looks at *now until it has ended; -1: it has. */
static int follow(struct cli *c, json_t **now)
{
	struct berth_error err = ERROR_INIT;
	AUTO_FREE char *id = strdup(js_str(*now, "id", ""));
	struct watch w = {.c = c, .id = id};
	if (!id)
		return cli_no_memory(c);
	if (cli_has(c, "timeout"))
		w.deadline_ms = clock_monotonic_ms() + cli_count(c, "timeout", 0) * 1000;
	progress_init(&w.progress, c);
	interrupt_begin(&w);
	int code = look_on(&w, now, &err);
	progress_end(&w.progress, c);
	int status = code ? give_up(&w, &err) : -1;
	interrupt_end(&w);
	return status;
}

int follow_quietly(struct cli *c, json_t **operation)
{
	int status = follow(c, operation);
	if (status >= 0)
		return status;
	if (!strcmp(js_str(*operation, "state", ""), "succeeded"))
		return EXIT_OK;
	return failed(c, *operation);
}

int follow_operation(struct cli *c, const json_t *operation, follow_result *result)
{
	if (cli_has(c, "no-wait")) {
		int status = show_resource(c, operation, operation_columns);
		if (c->out.is_tty)
			cli_hint(c, "berthctl operation attach %s", js_str(operation, "id", ""));
		return status;
	}
	AUTO_JSON json_t *now = json_deep_copy(operation);
	int status = now ? follow(c, &now) : cli_no_memory(c);
	return status < 0 ? follow_outcome(c, now, result) : status;
}
