/* SPDX-License-Identifier: Apache-2.0 */
/* The HTTP server on the control socket: own accept loop in front of
 * libmicrohttpd, which runs without a thread. It gives one descriptor to the
 * daemon's loop: watch it for input, wait no longer than http_server_timeout_ms,
 * and call http_server_turn after every wait.
 */
#ifndef CORE_HTTP_SERVER_H
#define CORE_HTTP_SERVER_H

#include "core/access/access.h"
#include "core/conf/settings.h"
#include "core/http/hooks.h"
#include "core/http/http.h"

struct http_config {
	struct http_limits limits; /* core/conf/settings.h; zero means the default there */
	struct access_config access;
	const struct http_hooks *hooks; /* borrowed for the server's life */
	struct daemon_state *daemon;
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
/* After a reload: for connections and requests from now on. */
void http_server_configure(struct http_server *server, const struct http_config *config);
const struct http_limits *http_server_limits(const struct http_server *server);
const struct http_config *http_server_config(const struct http_server *server);

#endif
