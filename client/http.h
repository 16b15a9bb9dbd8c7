/* SPDX-License-Identifier: Apache-2.0 */
/* A small HTTP/1.1 client over one descriptor: keep-alive, Content-Length and
 * chunked bodies, streaming reads, a cap and a deadline on everything. It talks
 * to berthd's control socket only, directly or through ssh; never to a network.
 */
#ifndef CLIENT_HTTP_H
#define CLIENT_HTTP_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/base/buf.h"

enum {
	HTTP_HEAD_MAX = 64 * 1024,        /* of an answer's head */
	HTTP_BODY_MAX = 64 * 1024 * 1024, /* of a body that is kept whole */
	HTTP_HEADER_COUNT_MAX = 100,
};

struct http {
	int fd;
	bool is_broken;       /* no further request may use it */
	uint64_t deadline_ms; /* monotonic; 0: none */
	struct buf in;        /* read, not yet used */
	/* Who waits for an operation sets these: a handler that makes
	 * *interrupted non-zero ends every wait with BERTH_E_CANCELLED; ppoll
	 * waits with this mask (which lets the signal in). */
	const volatile sig_atomic_t *interrupted;
	const sigset_t *wait_mask;
};

struct http_request {
	const char *method, *path;
	const char *const *headers; /* "Name: value" lines, ends with NULL; may be NULL */
	const char *body;           /* NULL: none */
	size_t body_bytes;
	const char *content_type;
};

struct http_answer {
	int status;
	struct buf head; /* the head's text, lines ended by \n, status line first */
	/* framing of the body */
	bool is_chunked, is_until_close, is_done;
	uint64_t left_bytes; /* of the body, or of the present chunk */
	bool is_mid_chunk;
};

/* fd stays the caller's. */
void http_init(struct http *h, int fd);
void http_done(struct http *h);
/* Sends a request whole. BERTH_E_UNAVAILABLE when the peer is gone,
 * BERTH_E_TIMEOUT past the deadline, BERTH_E_CANCELLED when interrupted. */
MUST_USE int http_send(struct http *h, const struct http_request *q, struct berth_error *err);
/* Reads the head of the answer; interim 1xx answers are skipped. *a is to be
 * released by http_answer_done, also after an error. BERTH_E_PROTOCOL for what
 * is not HTTP/1.1, BERTH_E_LIMIT over a cap. */
MUST_USE int http_read_head(struct http *h, const char *method, struct http_answer *a,
			    struct berth_error *err);
/* Up to room bytes of the body as they come; *ret_count 0 at its end. */
MUST_USE int http_read_some(struct http *h, struct http_answer *a, char *to, size_t room,
			    size_t *ret_count, struct berth_error *err);
/* The whole body, at most the buffer's max. */
MUST_USE int http_read_body(struct http *h, struct http_answer *a, struct buf *to,
			    struct berth_error *err);
/* Copies a header's value (first of that name, any case) to room bytes; false
 * and "" where absent or too long. */
bool http_header(const struct http_answer *a, const char *name, char *to, size_t room);
void http_answer_done(struct http_answer *a);

#endif
