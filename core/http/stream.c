/* SPDX-License-Identifier: Apache-2.0 */
/* Streams: a bounded buffer between who pushes (or is asked to) and
 * libmicrohttpd, which reads it whenever the socket takes bytes. An empty
 * buffer puts the connection to sleep. The response owns the stream.
 */
#include "core/http/stream.h"

#include <inttypes.h>
#include <string.h>

#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/http/internal.h"

#define BLOCK_BYTES (16u << 10)
#define GAP_ROOM 256

struct stream {
	struct http_server *server;
	struct conn *conn;
	struct stream_ops ops;
	void *user;
	struct buf bytes;
	size_t taken; /* of bytes, from the front */
	uint64_t last_id;
	bool is_sse, is_over, is_gone;
};

static void stream_free(void *user)
{
	struct stream *s = user;
	if (s->ops.closed)
		s->ops.closed(s->user);
	s->server->stream_count--;
	buf_done(&s->bytes);
	free(s);
}

void stream_free_unsent(struct stream *s)
{
	stream_free(s);
}

struct stream *answer_stream(struct answer *a, struct request *q, const struct stream_ops *ops,
			     void *user)
{
	struct stream *s = NULL;
	bool is_full = q->server->stream_count >= q->server->config.limits.streams_max;

	if (!is_full)
		s = calloc(1, sizeof *s);
	if (!s) {
		if (ops->closed)
			ops->closed(user);
		answer_problem(a, 0, is_full ? "too-many" : "no-memory", NULL, NULL);
		return NULL;
	}
	*s = (struct stream){.server = q->server, .conn = q->conn, .ops = *ops, .user = user};
	s->is_sse = !strcmp(q->accepts, "text/event-stream");
	buf_init(&s->bytes, q->server->config.limits.reader_max_bytes + GAP_ROOM);
	s->server->stream_count++;
	answer_clear(a);
	a->status = 200;
	a->media_type = q->accepts;
	a->stream = s;
	return s;
}

/* Adds one record; false: it has no room beside that of the gap. */
static bool add(struct stream *s, uint64_t id, const char *type, const char *json_text)
{
	struct berth_error err = ERROR_INIT;
	size_t before = s->bytes.byte_count, room = s->bytes.max - before;
	int r = 0;

	if (strlen(json_text) + strlen(type) + 64 > room)
		return false;
	if (s->is_sse && id)
		r = buf_printf(&s->bytes, &err, "id: %" PRIu64 "\n", id);
	if (!r && s->is_sse)
		r = buf_printf(&s->bytes, &err, "event: %s\ndata: ", type);
	if (!r)
		r = buf_add_text(&s->bytes, json_text, &err);
	if (!r)
		r = buf_add_text(&s->bytes, s->is_sse ? "\n\n" : "\n", &err);
	if (!r)
		return true;
	s->bytes.byte_count = before;
	return false;
}

/* Gives back what the reader took, when it is worth a move. */
static void compact(struct stream *s)
{
	if (s->taken < s->bytes.byte_count && s->taken < s->bytes.max / 2)
		return;
	buf_drop_front(&s->bytes, s->taken);
	s->taken = 0;
}

static bool add_gap(struct stream *s, uint64_t since, uint64_t until)
{
	char text[128];
	if (s->is_sse)
		snprintf(text, sizeof text, "{\"since\":%" PRIu64 ",\"until\":%" PRIu64 "}", since,
			 until);
	else
		snprintf(text, sizeof text,
			 "{\"type\":\"gap\",\"since\":%" PRIu64 ",\"until\":%" PRIu64 "}", since,
			 until);
	return add(s, 0, "gap", text);
}

bool stream_push(struct stream *s, uint64_t id, const char *type, const char *json_text)
{
	if (s->is_over || s->is_gone)
		return false;
	compact(s);
	if (s->bytes.byte_count - s->taken + strlen(json_text) + GAP_ROOM > s->bytes.max ||
	    !add(s, id, type, json_text)) {
		s->server->counters.streams_cut++;
		if (!add_gap(s, s->last_id, id))
			log_warning("a slow reader of a stream was cut without its gap event");
		s->is_over = true;
		conn_state(s->conn, CONN_ANSWER); /* a deadline to take the rest */
		conn_wake(s->conn);
		return false;
	}
	s->last_id = id ? id : s->last_id;
	conn_wake(s->conn);
	return true;
}

bool stream_is_full(const struct stream *s)
{
	return s->bytes.byte_count - s->taken > s->bytes.max / 2;
}

bool stream_push_gap(struct stream *s, uint64_t since, uint64_t until)
{
	if (s->is_over || s->is_gone || !add_gap(s, since, until))
		return false;
	conn_wake(s->conn);
	return true;
}

void stream_wake(struct stream *s)
{
	if (!s->is_gone)
		conn_wake(s->conn);
}

void stream_end(struct stream *s)
{
	s->is_over = true;
	stream_wake(s);
}

void stream_gone(struct stream *s)
{
	s->is_gone = true;
}

void stream_comment(struct stream *s)
{
	struct berth_error err = ERROR_INIT;
	s->conn->deadline_ms = clock_monotonic_ms() + s->server->config.limits.keep_alive_ms;
	if (!s->is_sse || s->is_over || s->bytes.byte_count > s->taken)
		return;
	if (buf_add_text(&s->bytes, ": \n\n", &err))
		log_debug("no memory for a comment: %s", err.message);
	conn_wake(s->conn);
}

static ssize_t read_some(void *user, uint64_t position, char *to, size_t room)
{
	struct stream *s = user;
	size_t n;
	(void)position;

	if (s->is_gone)
		return MHD_CONTENT_READER_END_WITH_ERROR;
	if (s->taken == s->bytes.byte_count) {
		buf_reset(&s->bytes);
		s->taken = 0;
		if (!s->is_over && s->ops.pull)
			s->ops.pull(s, s->user);
	}
	n = s->bytes.byte_count - s->taken;
	if (!n && s->is_over)
		return MHD_CONTENT_READER_END_OF_STREAM;
	if (!n) {
		conn_sleep(s->conn);
		return 0;
	}
	n = n < room ? n : room;
	memcpy(to, s->bytes.bytes + s->taken, n);
	s->taken += n;
	return (ssize_t)n;
}

struct MHD_Response *stream_response(struct stream *s)
{
	return MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, BLOCK_BYTES, read_some, s,
						 stream_free);
}

void stream_started(struct stream *s)
{
	s->conn->stream = s;
	conn_state(s->conn, CONN_STREAM);
	s->conn->deadline_ms = clock_monotonic_ms() + s->server->config.limits.keep_alive_ms;
}
