/* SPDX-License-Identifier: Apache-2.0 */
/* For tests: an HTTP server on a socket in a temporary folder, and a client
 * that sends raw bytes and reads what comes, turning the server meanwhile. One
 * thread plays both sides.
 */
#ifndef TESTS_UNIT_HTTP_CLIENT_H
#define TESTS_UNIT_HTTP_CLIENT_H

#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/base/clock.h"
#include "core/http/route.h"
#include "core/http/server.h"

#define PATIENCE_MS 10000 /* after which a test is stuck, not slow */

struct place {
	char dir[64], path[96];
	int listen_fd;
	struct http_config config;
	struct http_server *server;
};

static inline void place_open(struct place *p, const struct http_config *config)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	struct berth_error err = ERROR_INIT;

	*p = (struct place){.dir = "/tmp/berth-http-XXXXXX", .config = *config};
	assert_non_null(mkdtemp(p->dir));
	snprintf(p->path, sizeof p->path, "%s/s", p->dir);
	memcpy(a.sun_path, p->path, strlen(p->path) + 1);
	p->listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(p->listen_fd, (struct sockaddr *)&a, sizeof a), 0);
	assert_int_equal(listen(p->listen_fd, 512), 0);
	assert_int_equal(chmod(p->dir, 0755) | chmod(p->path, 0666), 0);
	assert_int_equal(http_server_new(config, p->listen_fd, &p->server, &err), 0);
}

static inline void place_close(struct place *p)
{
	http_server_free(p->server);
	close(p->listen_fd);
	unlink(p->path);
	rmdir(p->dir);
}

static inline int client_connect(const struct place *p)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	memcpy(a.sun_path, p->path, strlen(p->path) + 1);
	assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof a), 0);
	return fd;
}

/* One turn of the server, waiting as long as it allows but at most wait_ms. */
static inline void turn(struct place *p, int fd, int wait_ms)
{
	int allowed = http_server_timeout_ms(p->server);
	struct pollfd fds[2] = {{.fd = http_server_fd(p->server), .events = POLLIN},
				{.fd = fd, .events = POLLIN}};
	poll(fds, 2, allowed >= 0 && allowed < wait_ms ? allowed : wait_ms);
	http_server_turn(p->server);
}

static inline void client_send(struct place *p, int fd, const char *bytes, size_t count)
{
	uint64_t end = clock_monotonic_ms() + PATIENCE_MS;
	while (count && clock_monotonic_ms() < end) {
		ssize_t n = send(fd, bytes, count, MSG_NOSIGNAL);
		if (n < 0 && errno != EAGAIN)
			return; /* cut: what was answered can still be read */
		if (n > 0) {
			bytes += n;
			count -= (size_t)n;
		}
		turn(p, -1, n > 0 ? 0 : 10);
	}
}

/* Is a whole answer in text? Content-Length decides, or the end of chunks. */
static inline bool is_whole(const char *text, bool is_head)
{
	const char *body = strstr(text, "\r\n\r\n"), *length = strcasestr(text, "Content-Length: ");
	if (!body)
		return false;
	if (is_head || !strncmp(text + 9, "204", 3) || !strncmp(text + 9, "304", 3))
		return true;
	if (length && length < body)
		return strlen(body + 4) >= strtoul(length + 16, NULL, 10);
	return strstr(body, "\r\n0\r\n\r\n") != NULL;
}

/* Reads one answer (or up to the end of the connection) into to. */
static inline void client_read(struct place *p, int fd, char *to, size_t room, bool is_head)
{
	uint64_t end = clock_monotonic_ms() + PATIENCE_MS;
	size_t n = 0;
	to[0] = 0;
	while (clock_monotonic_ms() < end && !is_whole(to, is_head)) {
		ssize_t got = recv(fd, to + n, room - n - 1, 0);
		if (got == 0 || (got < 0 && errno != EAGAIN))
			return;
		if (got > 0)
			n += (size_t)got;
		to[n] = 0;
		if (got < 0)
			turn(p, fd, 50);
	}
}

/* Has the server ended the connection? Waits for it. */
static inline bool client_is_cut(struct place *p, int fd)
{
	uint64_t end = clock_monotonic_ms() + PATIENCE_MS;
	char c[4096];
	while (clock_monotonic_ms() < end) {
		ssize_t got = recv(fd, c, sizeof c, 0);
		if (got == 0 || (got < 0 && errno != EAGAIN))
			return true;
		turn(p, fd, 50);
	}
	return false;
}

/* One request on a connection of its own; the answer is in to. */
static inline void ask_bytes(struct place *p, const char *bytes, size_t count, char *to,
			     size_t room)
{
	int fd = client_connect(p);
	client_send(p, fd, bytes, count);
	client_read(p, fd, to, room, !strncmp(bytes, "HEAD", 4));
	close(fd);
	turn(p, -1, 0);
}

static inline void ask(struct place *p, const char *text, char *to, size_t room)
{
	ask_bytes(p, text, strlen(text), to, room);
}

static inline int status_of(const char *answer)
{
	return strncmp(answer, "HTTP/1.1 ", 9) ? 0 : (int)strtol(answer + 9, NULL, 10);
}

#endif
