/* SPDX-License-Identifier: Apache-2.0 */
/* berthd's end of a job: connect, send the call, hand frames to the owner.
 * What the worker says is checked again here: it talks to strangers, and may
 * be theirs. berthd's one thread.
 */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "core/base/js.h"
#include "core/base/log.h"
#include "core/base/text.h"
#include "core/worker/frame.h"
#include "core/worker/job.h"

/* Frames read in one turn, so that one busy job does not starve the others. */
#define TURN_MAX 64
/* Frames that wait for a job to read: it asks for each of them, so they are few. */
#define UNSENT_MAX 65536

struct job_client {
	int fd;
	const struct job_events *events;
	void *user;
	char id[64];
	json_t *unsent; /* array: frames that there was no room for, in their order */
	bool is_done, is_lost;
	bool *gone; /* set by free while a turn runs */
};

/* A worker that is away, or a descriptor that lacks, may be there in a moment. */
static int not_now(struct berth_error *err)
{
	err->code = BERTH_E_UNAVAILABLE;
	err->retry_ms = 500;
	return err->code;
}

static int connect_to(const char *path, int *ret_fd, struct berth_error *err)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	if (strlen(path) >= sizeof address.sun_path)
		return berth_fail(err, BERTH_E_INVALID, "the path of worker.sock is too long");
	memcpy(address.sun_path, path, strlen(path));
	AUTO_FD int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0) {
		berth_fail_errno(err, errno, "cannot make a socket");
		return not_now(err);
	}
	if (connect(fd, (struct sockaddr *)&address, sizeof address)) {
		berth_fail_errno(err, errno, "the worker cannot be reached");
		return not_now(err);
	}
	*ret_fd = steal_fd(&fd);
	return 0;
}

int job_client_start(const char *socket_path, const json_t *call, const struct job_events *events,
		     void *user, struct job_client **ret, struct berth_error *err)
{
	AUTO_JSON json_t *frame = json_copy((json_t *)(uintptr_t)call);
	struct job_client *c = calloc(1, sizeof *c);
	json_t *unsent = json_array();
	if (!c || !unsent || !frame || json_object_set_new(frame, "t", json_string("call"))) {
		json_decref(unsent);
		free(c);
		return berth_fail_memory(err);
	}
	*c = (struct job_client){.fd = -1, .events = events, .user = user, .unsent = unsent};
	snprintf(c->id, sizeof c->id, "%s", js_str(call, "job", ""));
	int code = connect_to(socket_path, &c->fd, err);
	if (!code)
		code = frame_send(c->fd, frame, err);
	if (code) {
		job_client_free(c);
		return code;
	}
	*ret = c;
	return 0;
}

int job_client_fd(const struct job_client *c)
{
	return c->fd;
}

bool job_client_is_lost(const struct job_client *c)
{
	return c->is_lost;
}

void job_client_free(struct job_client *c)
{
	if (!c)
		return;
	if (c->gone)
		*c->gone = true;
	if (c->fd >= 0)
		close(c->fd);
	json_decref(c->unsent);
	free(c);
}

void job_client_cancel(struct job_client *c)
{
	AUTO_JSON json_t *frame = json_pack("{s:s}", "t", "cancel");
	struct berth_error err = ERROR_INIT;
	/* The frame tells the job; the closed side tells the worker's parent, which
	 * starts the grace period. A job that has ended needs neither. */
	if (frame && frame_send(c->fd, frame, &err))
		log_debug("job %s: %s: %s", c->id, err.message, err.cause);
	shutdown(c->fd, SHUT_WR);
}

/* It would wait for an answer that never comes: its end is better. */
static void give_up(struct job_client *c, const char *why)
{
	log_warning("job %s cannot be answered and is ended: %s", c->id, why);
	json_array_clear(c->unsent);
	shutdown(c->fd, SHUT_RDWR);
}

bool job_client_flush(struct job_client *c)
{
	size_t sent = 0, count = json_array_size(c->unsent);
	struct berth_error err = ERROR_INIT;

	while (sent < count && !frame_send_now(c->fd, json_array_get(c->unsent, sent), &err))
		sent++;
	/* A job that is gone misses nothing. */
	bool is_over = sent == count || err.code == BERTH_E_UNAVAILABLE;
	if (is_over)
		json_array_clear(c->unsent);
	else if (err.code != BERTH_E_TIMEOUT)
		give_up(c, err.message);
	for (size_t i = 0; !is_over && i < sent; i++)
		json_array_remove(c->unsent, 0);
	return json_array_size(c->unsent) == 0;
}

bool job_client_send(struct job_client *c, json_t *frame)
{
	if (json_array_size(c->unsent) == UNSENT_MAX)
		give_up(c, "it does not read what it is told");
	else if (json_array_append(c->unsent, frame))
		give_up(c, "out of memory");
	return job_client_flush(c);
}

static void take_result(struct job_client *c, const json_t *frame)
{
	struct berth_error err = ERROR_INIT;
	const json_t *value = json_object_get(frame, "value");
	c->is_done = true;
	if (!js_bool(frame, "ok", false)) {
		js_to_error(json_object_get(frame, "error"), &err);
		value = NULL;
	}
	c->events->result(c->user, value, &err);
}

static void take_log(struct job_client *c, const json_t *frame)
{
	int64_t level = js_int(frame, "level", LOG_LEVEL_INFO);
	if (level < LOG_LEVEL_ERROR || level > LOG_LEVEL_DEBUG)
		level = LOG_LEVEL_INFO;
	if (c->events->log)
		c->events->log(c->user, (int)level, js_str(frame, "text", ""));
}

static void take_frame(struct job_client *c, const json_t *frame)
{
	const char *type = js_str(frame, "t", "");
	const json_t *state = json_object_get(frame, "state");
	if (!strcmp(type, "item") && c->events->item)
		c->events->item(c->user, frame);
	else if (!strcmp(type, "progress") && c->events->progress)
		c->events->progress(c->user, frame);
	else if (!strcmp(type, "log"))
		take_log(c, frame);
	else if (!strcmp(type, "keep") && c->events->keep &&
		 (json_is_object(state) || json_is_null(state)))
		c->events->keep(c->user, js_str(frame, "instance", ""), state);
	else if (!strcmp(type, "budget") && c->events->budget)
		c->events->budget(c->user, frame);
	else if ((!strcmp(type, "claim") || !strcmp(type, "release")) && c->events->claim)
		c->events->claim(c->user, frame);
	else if (!strcmp(type, "result"))
		take_result(c, frame);
}

static void lose(struct job_client *c, struct berth_error *err)
{
	c->is_done = c->is_lost = true;
	if (err->code == BERTH_E_UNAVAILABLE) {
		berth_fail(err, BERTH_E_UNAVAILABLE, "the worker was lost before the job's result");
		err->retry_ms = 500;
	}
	c->events->result(c->user, NULL, err);
}

void job_client_turn(struct job_client *c)
{
	bool gone = false;
	c->gone = &gone;
	for (int i = 0; i < TURN_MAX && !c->is_done; i++) {
		AUTO_JSON json_t *frame = NULL;
		struct berth_error err = ERROR_INIT;
		if (frame_receive(c->fd, &frame, &err))
			lose(c, &err);
		else if (frame)
			take_frame(c, frame);
		else
			break;
		if (gone)
			return;
	}
	c->gone = NULL;
}
