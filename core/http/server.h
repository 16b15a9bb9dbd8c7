/* SPDX-License-Identifier: Apache-2.0 */
/* The HTTP server on the control socket: own accept loop in front of
 * libmicrohttpd, which runs without a thread. It gives one descriptor to the
 * daemon's loop: watch it for input, wait no longer than http_server_timeout_ms,
 * and call http_server_turn after every wait.
 */
#ifndef CORE_HTTP_SERVER_H
#define CORE_HTTP_SERVER_H

#include "core/access/access.h"
#include "core/http/hooks.h"
#include "core/http/http.h"

/* Every limit is a configuration key; zero means the default. */
struct http_limits {
	uint32_t request_line_bytes;  /* 8 KiB */
	uint32_t header_bytes;	      /* 16 KiB, all headers together */
	uint32_t body_bytes;	      /* 1 MiB, but where a route says otherwise */
	uint32_t head_ms;	      /* 10 000: to send a request's head */
	uint32_t body_idle_ms;	      /* 30 000: between two bytes of a body */
	uint32_t body_ms;	      /* 120 000: a whole body of up to 4 MiB */
	uint32_t idle_ms;	      /* 60 000: between two requests, or unread answer */
	uint32_t connections;	      /* 256 */
	uint32_t connections_per_uid; /* 32 */
	uint32_t streams;	      /* 64 */
	uint32_t stream_comment_ms;   /* 15 000: keep-alive comment of an SSE stream */
	uint32_t retry_after_s;	      /* 2: what 429 and 503 of this layer say */
};
struct http_config {
	struct http_limits limits;
	struct access_config access;
	const struct http_hooks *hooks; /* borrowed for the server's life */
	struct daemon_state *daemon;
	unsigned char cursor_key[32]; /* of the store: authenticates list cursors */
};

/* listen_fd: a listening AF_UNIX stream socket, borrowed. */
MUST_USE int http_server_new(const struct http_config *config, int listen_fd,
			     struct http_server **ret, struct berth_error *err);
/* Cuts all connections; closed of every stream is called. Accepts NULL. */
void http_server_free(struct http_server *server);
SCOPE_TYPE(http_server, struct http_server, http_server_free)
int http_server_fd(const struct http_server *server);
/* Until the server must turn again even though nothing came; -1: no limit. */
int http_server_timeout_ms(const struct http_server *server);
/* Accepts, reads, handles and writes what is ready, and enforces deadlines. */
void http_server_turn(struct http_server *server);
/* Before the end: no more connections, keep-alive off; true when none is left. */
bool http_server_drain(struct http_server *server);
const struct http_limits *http_server_limits(const struct http_server *server);
const struct http_config *http_server_config(const struct http_server *server);

#endif
