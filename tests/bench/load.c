/* SPDX-License-Identifier: Apache-2.0 */
/*
 * load: requests at a fixed rate on one kept connection of a UNIX socket, each
 * timed from the moment at which it was due (so that a slow answer delays the
 * figures of those behind it, as it would delay a user).
 *
 *   load SOCKET TARGET RATE COUNT
 *
 * prints one line of JSON: count, and p50, p90, p99 and max in microseconds.
 */
#define _GNU_SOURCE
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { ANSWER_MAX_BYTES = 4 << 20 };

static char answer[ANSWER_MAX_BYTES + 1];

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void wait_until_ns(uint64_t when)
{
	struct timespec t = {(time_t)(when / 1000000000u), (long)(when % 1000000000u)};

	clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL);
}

static int fail(const char *what)
{
	fprintf(stderr, "load: %s\n", what);
	return 1;
}

static int dial(const char *path)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (strlen(path) >= sizeof at.sun_path)
		return -1;
	memcpy(at.sun_path, path, strlen(path) + 1);
	if (fd < 0 || connect(fd, (struct sockaddr *)&at, sizeof at))
		return -1;
	return fd;
}

/* Reads one answer with a Content-Length; its status, or -1. */
static int read_answer(int fd)
{
	size_t have = 0, need = 0;

	while (!need || have < need) {
		ssize_t got = read(fd, answer + have, ANSWER_MAX_BYTES - have);
		char *end, *length;

		if (got <= 0)
			return -1;
		have += (size_t)got;
		answer[have] = '\0';
		end = strstr(answer, "\r\n\r\n");
		if (!end || need)
			continue;
		length = strcasestr(answer, "\r\ncontent-length:");
		if (!length || length > end)
			return -1;
		need = (size_t)(end + 4 - answer) + strtoul(length + 17, NULL, 10);
		if (need > ANSWER_MAX_BYTES)
			return -1;
	}
	return (int)strtol(answer + 9, NULL, 10);
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static double us(const uint64_t *sorted, size_t count, double part)
{
	size_t at = (size_t)((double)(count - 1) * part);

	return (double)sorted[at] / 1000.0;
}

int main(int argc, char **argv)
{
	char request[4096];
	uint64_t *took, start, gap_ns;
	size_t count;
	int fd, length;

	if (argc != 5)
		return fail("usage: load SOCKET TARGET RATE COUNT");
	gap_ns = 1000000000u / (strtoul(argv[3], NULL, 10) | 1u);
	count = strtoul(argv[4], NULL, 10);
	took = calloc(count ? count : 1, sizeof *took);
	fd = dial(argv[1]);
	if (!took || !count || fd < 0)
		return fail("no connection");
	length = snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: berth\r\n\r\n",
			  argv[2]);
	start = now_ns() + 10000000u;
	for (size_t i = 0; i < count; i++) {
		uint64_t due = start + i * gap_ns;

		wait_until_ns(due);
		if (write(fd, request, (size_t)length) != length || read_answer(fd) != 200)
			return fail("an answer was not 200");
		took[i] = now_ns() - due;
	}
	qsort(took, count, sizeof *took, compare);
	printf("{\"count\":%zu,\"p50_us\":%.1f,\"p90_us\":%.1f,\"p99_us\":%.1f,\"max_us\":%.1f}\n",
	       count, us(took, count, 0.5), us(took, count, 0.9), us(took, count, 0.99),
	       us(took, count, 1));
	free(took);
	return 0;
}
