/* SPDX-License-Identifier: Apache-2.0 */
/* HTTP/1.1 over one descriptor. The peer is our own daemon, yet every length is
 * capped and every field checked: a socket path can name anything.
 */
#include "client/http.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include "core/base/clock.h"
#include "core/base/text.h"

void http_init(struct http *h, int fd)
{
	*h = (struct http){.fd = fd};
	buf_init(&h->in, HTTP_HEAD_MAX + 65536);
}

void http_done(struct http *h)
{
	buf_done(&h->in);
	h->is_broken = true;
}

static int wait_for(struct http *h, short events, struct berth_error *err)
{
	for (;;) {
		struct pollfd p = {.fd = h->fd, .events = events};
		uint64_t now = clock_monotonic_ms();
		if (h->interrupted && *h->interrupted)
			return berth_fail(err, BERTH_E_CANCELLED, "interrupted");
		if (h->deadline_ms && now >= h->deadline_ms)
			return berth_fail(err, BERTH_E_TIMEOUT, "no answer from berthd in time");
		uint64_t left_ms = h->deadline_ms ? h->deadline_ms - now : 0;
		struct timespec left = {(time_t)(left_ms / 1000), (long)(left_ms % 1000) * 1000000};
		int ready = ppoll(&p, 1, h->deadline_ms ? &left : NULL, h->wait_mask);
		if (ready > 0)
			return 0;
		if (ready < 0 && errno != EINTR)
			return berth_fail_errno(err, errno, "cannot wait for berthd");
	}
}

/* Marks the connection unusable and passes the code on. */
static int broken(struct http *h, int code)
{
	h->is_broken = true;
	return code;
}

static int send_all(struct http *h, const char *bytes, size_t count, struct berth_error *err)
{
	while (count) {
		int code = wait_for(h, POLLOUT, err);
		if (code)
			return broken(h, code);
		ssize_t sent = send(h->fd, bytes, count, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (sent < 0 && (errno == EINTR || errno == EAGAIN))
			continue;
		if (sent < 0) /* an early answer (413) may still be there to read */
			return errno == EPIPE
				       ? 0
				       : broken(h, berth_fail_errno(err, errno,
								    "cannot send to berthd"));
		bytes += sent;
		count -= (size_t)sent;
	}
	return 0;
}

static int put_head(struct buf *b, const struct http_request *q, struct berth_error *err)
{
	int code =
		buf_printf(b, err, "%s %s HTTP/1.1\r\nHost: berth\r\nUser-Agent: berthctl/%s\r\n",
			   q->method, q->path, BERTH_VERSION);
	for (const char *const *line = q->headers; !code && line && *line; line++)
		code = buf_printf(b, err, "%s\r\n", *line);
	if (!code && q->body)
		code = buf_printf(b, err, "Content-Type: %s\r\nContent-Length: %zu\r\n",
				  q->content_type, q->body_bytes);
	else if (!code && strcmp(q->method, "GET") != 0 && strcmp(q->method, "HEAD") != 0)
		code = buf_add_text(b, "Content-Length: 0\r\n", err);
	return code ? code : buf_add_text(b, "\r\n", err);
}

int http_send(struct http *h, const struct http_request *q, struct berth_error *err)
{
	struct buf head AUTO_BUF = {.max = HTTP_HEAD_MAX};
	int code = put_head(&head, q, err);
	if (!code && q->body && q->body_bytes < 4096) /* one write for what is small */
		code = buf_add(&head, q->body, q->body_bytes, err);
	if (code)
		return code;
	code = send_all(h, head.bytes, head.byte_count, err);
	if (!code && q->body && q->body_bytes >= 4096)
		code = send_all(h, q->body, q->body_bytes, err);
	return code;
}

/* Reads once into h->in. *ret_end: the peer closed. */
static int fill(struct http *h, bool *ret_end, struct berth_error *err)
{
	char bytes[16384];
	*ret_end = false;
	for (;;) {
		int code = wait_for(h, POLLIN, err);
		if (code)
			return broken(h, code);
		ssize_t got = recv(h->fd, bytes, sizeof(bytes), MSG_DONTWAIT);
		if (got < 0 && (errno == EINTR || errno == EAGAIN))
			continue;
		if (got < 0 && errno != ECONNRESET)
			return broken(h, berth_fail_errno(err, errno, "cannot read from berthd"));
		if (got <= 0) {
			*ret_end = h->is_broken = true;
			return 0;
		}
		code = buf_add(&h->in, bytes, (size_t)got, err);
		return code ? broken(h, code) : 0;
	}
}

/* The length of the first line in h->in with its end, once it is there. */
static int need_line(struct http *h, size_t *ret_bytes, struct berth_error *err)
{
	for (;;) {
		const char *end =
			h->in.byte_count ? memchr(h->in.bytes, '\n', h->in.byte_count) : NULL;
		bool is_end;
		if (end) {
			*ret_bytes = (size_t)(end - h->in.bytes) + 1;
			return 0;
		}
		if (h->in.byte_count > HTTP_HEAD_MAX)
			return broken(h, berth_fail(err, BERTH_E_LIMIT,
						    "berthd's answer has a line over %d bytes",
						    HTTP_HEAD_MAX));
		int code = fill(h, &is_end, err);
		if (code)
			return code;
		if (is_end)
			return berth_fail(err, BERTH_E_UNAVAILABLE,
					  "berthd closed the connection%s",
					  h->in.byte_count ? " in the middle of its answer"
							   : " without an answer");
	}
}

static int read_head_lines(struct http *h, struct http_answer *a, struct berth_error *err)
{
	for (unsigned lines = 0; lines <= HTTP_HEADER_COUNT_MAX; lines++) {
		size_t bytes = 0;
		int code = need_line(h, &bytes, err);
		if (code)
			return code;
		size_t text = bytes - 1;
		if (text && h->in.bytes[text - 1] == '\r')
			text--;
		if (memchr(h->in.bytes, 0, text))
			return broken(h, berth_fail(err, BERTH_E_PROTOCOL,
						    "berthd's answer has a NUL in its head"));
		bool is_last = text == 0;
		if (!is_last)
			code = buf_add(&a->head, h->in.bytes, text, err);
		if (!code && !is_last)
			code = buf_add(&a->head, "\n", 1, err);
		if (code)
			return broken(h, code);
		buf_drop_front(&h->in, bytes);
		if (is_last)
			return 0;
	}
	return broken(h, berth_fail(err, BERTH_E_LIMIT, "berthd's answer has over %d headers",
				    HTTP_HEADER_COUNT_MAX));
}

static int parse_status(struct http *h, struct http_answer *a, struct berth_error *err)
{
	const char *line = buf_text(&a->head);
	uint64_t status;
	char digits[4] = "";
	if (!strncmp(line, "HTTP/1.", 7) && line[7] && line[8] == ' ' && strlen(line) >= 12)
		for (size_t i = 0; i < 3; i++)
			digits[i] = line[9 + i];
	if (!text_parse_u64(digits, 100, 599, &status))
		return broken(h, berth_fail(err, BERTH_E_PROTOCOL,
					    "what answers on the socket does not speak HTTP/1.1"));
	a->status = (int)status;
	return 0;
}

static int parse_framing(struct http *h, const char *method, struct http_answer *a,
			 struct berth_error *err)
{
	char value[64];
	if (http_header(a, "Connection", value, sizeof(value)) && !strcasecmp(value, "close"))
		h->is_broken = true; /* for the next request */
	if (!strcmp(method, "HEAD") || a->status == 204 || a->status == 304) {
		a->is_done = true;
		return 0;
	}
	if (http_header(a, "Transfer-Encoding", value, sizeof(value))) {
		if (strcasecmp(value, "chunked") != 0)
			return broken(h, berth_fail(err, BERTH_E_PROTOCOL,
						    "unknown transfer encoding '%s'", value));
		a->is_chunked = true;
		return 0;
	}
	if (!http_header(a, "Content-Length", value, sizeof(value))) {
		a->is_until_close = h->is_broken = true;
		return 0;
	}
	if (!text_parse_u64(value, 0, INT64_MAX, &a->left_bytes))
		return broken(h,
			      berth_fail(err, BERTH_E_PROTOCOL, "bad Content-Length '%s'", value));
	a->is_done = a->left_bytes == 0;
	return 0;
}

int http_read_head(struct http *h, const char *method, struct http_answer *a,
		   struct berth_error *err)
{
	*a = (struct http_answer){.head = {.max = HTTP_HEAD_MAX}};
	do {
		buf_reset(&a->head);
		int code = read_head_lines(h, a, err);
		if (!code)
			code = parse_status(h, a, err);
		if (code)
			return code;
	} while (a->status < 200);
	return parse_framing(h, method, a, err);
}

/* The size line of the next chunk; the last one ends the body. */
static int next_chunk(struct http *h, struct http_answer *a, struct berth_error *err)
{
	size_t bytes = 0;
	int code = need_line(h, &bytes, err);
	if (code)
		return code;
	if (a->is_mid_chunk) { /* the line end after the chunk's bytes */
		buf_drop_front(&h->in, bytes);
		a->is_mid_chunk = false;
		code = need_line(h, &bytes, err);
		if (code)
			return code;
	}
	uint64_t size = 0;
	size_t digits = 0;
	for (; digits < bytes && digits < 15; digits++) {
		static const char hex[] = "0123456789abcdef";
		char c = h->in.bytes[digits];
		const char *at = strchr(hex, c >= 'A' && c <= 'F' ? c + 32 : c);
		if (!at || !c)
			break;
		size = size << 4 | (uint64_t)(at - hex);
	}
	if (!digits || digits == 15)
		return broken(h, berth_fail(err, BERTH_E_PROTOCOL, "bad chunk in berthd's answer"));
	buf_drop_front(&h->in, bytes);
	a->left_bytes = size;
	a->is_mid_chunk = size > 0;
	if (size)
		return 0;
	a->is_done = true;
	do { /* trailers, to the empty line */
		code = need_line(h, &bytes, err);
		if (code)
			return code;
		buf_drop_front(&h->in, bytes);
	} while (bytes > 2);
	return 0;
}

int http_read_some(struct http *h, struct http_answer *a, char *to, size_t room, size_t *ret_count,
		   struct berth_error *err)
{
	int code = 0;
	*ret_count = 0;
	if (!a->is_done && a->is_chunked && !a->left_bytes)
		code = next_chunk(h, a, err);
	if (code || a->is_done)
		return code;
	if (!h->in.byte_count) {
		bool is_end;
		code = fill(h, &is_end, err);
		if (code)
			return code;
		if (is_end && !a->is_until_close)
			return berth_fail(
				err, BERTH_E_UNAVAILABLE,
				"berthd closed the connection in the middle of its answer");
		if (is_end) {
			a->is_done = true;
			return 0;
		}
	}
	size_t count = h->in.byte_count < room ? h->in.byte_count : room;
	if (!a->is_until_close && count > a->left_bytes)
		count = (size_t)a->left_bytes;
	for (size_t i = 0; i < count; i++)
		to[i] = h->in.bytes[i];
	buf_drop_front(&h->in, count);
	a->left_bytes -= a->is_until_close ? 0 : count;
	if (!a->left_bytes && !a->is_chunked && !a->is_until_close)
		a->is_done = true;
	*ret_count = count;
	return 0;
}

int http_read_body(struct http *h, struct http_answer *a, struct buf *to, struct berth_error *err)
{
	char bytes[16384];
	for (;;) {
		size_t count;
		int code = http_read_some(h, a, bytes, sizeof(bytes), &count, err);
		if (code)
			return code;
		if (!count)
			return 0;
		code = buf_add(to, bytes, count, err);
		if (code)
			return broken(h, code);
	}
}

bool http_header(const struct http_answer *a, const char *name, char *to, size_t room)
{
	size_t name_bytes = strlen(name);
	*to = 0;
	for (const char *line = buf_text(&a->head); line && *line;) {
		const char *end = strchr(line, '\n');
		size_t bytes = end ? (size_t)(end - line) : strlen(line);
		if (bytes > name_bytes && line[name_bytes] == ':' &&
		    !strncasecmp(line, name, name_bytes)) {
			const char *value = line + name_bytes + 1;
			while (*value == ' ' || *value == '\t')
				value++;
			size_t count = bytes - (size_t)(value - line);
			return count < room && snprintf(to, room, "%.*s", (int)count, value) >= 0;
		}
		line = end ? end + 1 : NULL;
	}
	return false;
}

void http_answer_done(struct http_answer *a)
{
	buf_done(&a->head);
}
