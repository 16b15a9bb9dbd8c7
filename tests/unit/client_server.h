/* SPDX-License-Identifier: Apache-2.0 */
/* A scripted control socket for the client's tests: it answers the requests in
 * order with what the test wrote down, and keeps what it was asked.
 */
#ifndef TESTS_CLIENT_SERVER_H
#define TESTS_CLIENT_SERVER_H

#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { ASKED_MAX = 32, ASKED_BYTES = 8192, SAID_BYTES = 65536 };

struct server {
	const char *const *answers; /* whole answers, ends with NULL */
	char folder[64], path[96];
	int listener;
	pthread_t thread;
	char asked[ASKED_MAX][ASKED_BYTES];
	size_t asked_count;
};

#define HTTP_JSON(status, headers, body)                                                           \
	"HTTP/1.1 " status "\r\nContent-Type: application/json\r\n" headers                        \
	"Connection: close\r\n\r\n" body

/* Reads a head and as much body as it announces. */
static inline void server_take(int fd, char *to)
{
	size_t n = 0;
	while (n + 1 < ASKED_BYTES) {
		ssize_t got = read(fd, to + n, ASKED_BYTES - 1 - n);
		if (got <= 0)
			break;
		n += (size_t)got;
		to[n] = 0;
		const char *end = strstr(to, "\r\n\r\n");
		const char *length = strstr(to, "Content-Length: ");
		size_t body = length ? strtoul(length + 16, NULL, 10) : 0;
		if (end && n >= (size_t)(end - to) + 4 + body)
			break;
	}
}

static inline void *server_run(void *user)
{
	struct server *s = user;
	for (size_t i = 0; s->answers[i] && i < ASKED_MAX; i++) {
		int fd = accept(s->listener, NULL, NULL);
		if (fd < 0)
			return NULL;
		server_take(fd, s->asked[i]);
		s->asked_count = i + 1;
		const char *text = s->answers[i];
		size_t left = strlen(text);
		while (left) {
			ssize_t put = send(fd, text, left, MSG_NOSIGNAL);
			if (put <= 0)
				break;
			text += put;
			left -= (size_t)put;
		}
		close(fd);
	}
	return NULL;
}

static inline bool server_start(struct server *s, const char *const *answers)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	*s = (struct server){.answers = answers};
	snprintf(s->folder, sizeof(s->folder), "/tmp/berth-client-XXXXXX");
	if (!mkdtemp(s->folder))
		return false;
	snprintf(s->path, sizeof(s->path), "%s/sock", s->folder);
	snprintf(at.sun_path, sizeof(at.sun_path), "%s", s->path);
	s->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	return s->listener >= 0 && bind(s->listener, (struct sockaddr *)&at, sizeof(at)) == 0 &&
	       listen(s->listener, 8) == 0 && pthread_create(&s->thread, NULL, server_run, s) == 0;
}

static inline void server_stop(struct server *s)
{
	shutdown(s->listener, SHUT_RDWR);
	pthread_join(s->thread, NULL);
	close(s->listener);
	unlink(s->path);
	rmdir(s->folder);
}

#endif
