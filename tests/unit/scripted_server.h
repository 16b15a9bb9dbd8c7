/* SPDX-License-Identifier: Apache-2.0 */
/* A server on loopback for unit tests: a thread that gives each request the
 * next answer of a script and keeps what it was asked. One request a
 * connection. In answers, "%PORT%" is its own port.
 */
#ifndef TESTS_UNIT_SCRIPTED_SERVER_H
#define TESTS_UNIT_SCRIPTED_SERVER_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define SCRIPT_MAX 32
#define REQUEST_ROOM 65536

struct scripted {
	const char *const *answers; /* ends with NULL; the last one is given for ever */
	int listener;
	unsigned port;
	pthread_t thread;
	_Atomic int request_count;
	char *requests[SCRIPT_MAX]; /* head and body, as they came */
	unsigned drip_ms;           /* a pause after each byte of an answer */
};

static size_t body_bytes_of(const char *head)
{
	const char *at = strcasestr(head, "\r\ncontent-length:");
	return at ? strtoul(at + 17, NULL, 10) : 0;
}

static int is_whole(const char *text, size_t n)
{
	const char *end = strstr(text, "\r\n\r\n");
	if (!end)
		return 0;
	if (strcasestr(text, "\r\ntransfer-encoding: chunked"))
		return strstr(end, "\r\n0\r\n\r\n") != NULL;
	return n >= (size_t)(end + 4 - text) + body_bytes_of(text);
}

static char *read_request(int fd)
{
	char *text = calloc(1, REQUEST_ROOM);
	size_t n = 0;
	while (text && n + 1 < REQUEST_ROOM && !is_whole(text, n)) {
		ssize_t got = recv(fd, text + n, REQUEST_ROOM - 1 - n, 0);
		if (got <= 0)
			break;
		n += (size_t)got;
	}
	return text;
}

static void send_slowly(const struct scripted *s, int fd, const char *text, size_t n)
{
	size_t step = s->drip_ms ? 1 : n;
	while (n) {
		ssize_t put = send(fd, text, step < n ? step : n, MSG_NOSIGNAL);
		if (put <= 0)
			return;
		text += put;
		n -= (size_t)put;
		if (s->drip_ms)
			usleep(s->drip_ms * 1000);
	}
}

static void send_answer(const struct scripted *s, int fd, const char *answer)
{
	char port[12];
	snprintf(port, sizeof port, "%u", s->port);
	for (const char *mark; (mark = strstr(answer, "%PORT%")); answer = mark + 6) {
		send_slowly(s, fd, answer, (size_t)(mark - answer));
		send_slowly(s, fd, port, strlen(port));
	}
	send_slowly(s, fd, answer, strlen(answer));
}

static void *serve(void *user)
{
	struct scripted *s = user;
	for (int next = 0;;) {
		int fd = accept(s->listener, NULL, NULL);
		if (fd < 0)
			return NULL;
		char *text = read_request(fd);
		if (text && text[0] && s->request_count < SCRIPT_MAX) {
			/* Counted before it is answered: the test may look at once after. */
			s->requests[s->request_count] = text;
			s->request_count++;
			send_answer(s, fd, s->answers[next]);
			next += s->answers[next + 1] != NULL;
		} else {
			free(text);
		}
		shutdown(fd, SHUT_WR);
		close(fd);
	}
}

static void scripted_start(struct scripted *s, const char *const *answers)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t n = sizeof a;
	memset(s, 0, sizeof *s);
	s->answers = answers;
	s->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (bind(s->listener, (struct sockaddr *)&a, sizeof a) || listen(s->listener, 64) ||
	    getsockname(s->listener, (struct sockaddr *)&a, &n))
		abort();
	s->port = ntohs(a.sin_port);
	if (pthread_create(&s->thread, NULL, serve, s))
		abort();
}

static void scripted_stop(struct scripted *s)
{
	shutdown(s->listener, SHUT_RDWR);
	pthread_join(s->thread, NULL);
	close(s->listener);
	for (int i = 0; i < s->request_count; i++)
		free(s->requests[i]);
}

#endif
