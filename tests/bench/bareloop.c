/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bareloop: the least that a copier can do. It receives one blob over plain
 * HTTP, hashes it, and sends it on with PUT; nothing is buffered beyond one
 * piece. What a copier's CPU time is measured against.
 *
 *   bareloop SOURCE_PORT SOURCE_TARGET TARGET_PORT TARGET_TARGET BYTES
 *
 * prints one line of JSON: digest, seconds, cpu_seconds.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/in.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { PIECE_BYTES = 128 * 1024, HEAD_MAX_BYTES = 16 * 1024 };

static char piece[PIECE_BYTES];

static void die(const char *what)
{
	fprintf(stderr, "bareloop: %s\n", what);
	exit(1);
}

static int dial(const char *port)
{
	struct sockaddr_in at = {
		.sin_family = AF_INET,
		.sin_port = htons((in_port_t)strtoul(port, NULL, 10)),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || connect(fd, (struct sockaddr *)&at, sizeof at))
		die("no connection");
	return fd;
}

static void send_all(int fd, const char *bytes, size_t count)
{
	while (count) {
		ssize_t sent = write(fd, bytes, count);

		if (sent <= 0)
			die("the target went away");
		bytes += sent;
		count -= (size_t)sent;
	}
}

/* Reads a head byte by byte; its status. The body is left in the socket. */
static int read_head(int fd)
{
	static char head[HEAD_MAX_BYTES + 1];
	size_t have = 0;

	while (have < 4 || memcmp(head + have - 4, "\r\n\r\n", 4)) {
		if (have == HEAD_MAX_BYTES || read(fd, head + have, 1) != 1)
			die("no answer");
		have++;
	}
	head[have] = '\0';
	return (int)strtol(head + 9, NULL, 10);
}

static double seconds(struct timespec t)
{
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static double cpu_seconds(void)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
	       (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

int main(int argc, char **argv)
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	unsigned int digest_count;
	struct timespec start, end;
	unsigned long long left;
	EVP_MD_CTX *hash = EVP_MD_CTX_new();
	int from, to, length;
	char head[4096];

	if (argc != 6 || !hash || !EVP_DigestInit_ex(hash, EVP_sha256(), NULL))
		die("usage: bareloop SOURCE_PORT SOURCE_TARGET TARGET_PORT TARGET_TARGET BYTES");
	left = strtoull(argv[5], NULL, 10);
	clock_gettime(CLOCK_MONOTONIC, &start);
	from = dial(argv[1]);
	to = dial(argv[3]);
	length = snprintf(head, sizeof head, "GET %s HTTP/1.1\r\nHost: bare\r\n\r\n", argv[2]);
	send_all(from, head, (size_t)length);
	if (read_head(from) != 200)
		die("the source did not answer 200");
	length = snprintf(head, sizeof head,
			  "PUT %s HTTP/1.1\r\nHost: bare\r\nContent-Length: %llu\r\n"
			  "Content-Type: application/octet-stream\r\n\r\n",
			  argv[4], left);
	send_all(to, head, (size_t)length);
	while (left) {
		ssize_t got = read(from, piece, sizeof piece);

		if (got <= 0)
			die("the source went away");
		EVP_DigestUpdate(hash, piece, (size_t)got);
		send_all(to, piece, (size_t)got);
		left -= (unsigned long long)got;
	}
	if (read_head(to) != 201)
		die("the target did not answer 201");
	clock_gettime(CLOCK_MONOTONIC, &end);
	EVP_DigestFinal_ex(hash, digest, &digest_count);
	printf("{\"digest\":\"sha256:");
	for (unsigned int i = 0; i < digest_count; i++)
		printf("%02x", digest[i]);
	printf("\",\"seconds\":%.3f,\"cpu_seconds\":%.3f}\n", seconds(end) - seconds(start),
	       cpu_seconds());
	EVP_MD_CTX_free(hash);
	return 0;
}
