/* SPDX-License-Identifier: Apache-2.0 */
/*
 * slowlink: a TCP link with a delay, a rate, cuts and counters, for tests and
 * benchmarks.
 *
 *   slowlink PORT TO_PORT [NAME=VALUE...]
 *
 * listens on 127.0.0.1:PORT and leads each connection to 127.0.0.1:TO_PORT.
 *
 *   delay-us=N  one-way delay; a new connection waits one round trip more, as
 *               its handshake would have
 *   rate=N      bytes a second in each direction, all connections together
 *   cut=N       reset a connection after N bytes from the server (up=1: to it)
 *   cuts=N      cut at most N times
 *   stall=N     pass N bytes from the server (up=1: to it), then nothing
 *
 * The same NAME=VALUE lines on stdin change a running link; "stats" asks for
 * the counters, "drop" resets what is open. Each line is answered by one line
 * of JSON. One thread, one poll loop; each direction of a connection is a queue
 * of pieces with the moment at which they may leave.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
	PIECE = 64 * 1024,
	QUEUE_MAX_BYTES = 8 * 1024 * 1024,
	CONNECTIONS_MAX = 512,
	BURST_MS = 20,
};

struct piece {
	struct piece *next;
	uint64_t due_us;
	size_t start, length;
	char data[PIECE];
};

/* One direction of a connection. Bytes go from fd `from` to fd `to`. */
struct way {
	int from, to;
	bool up;
	bool ended; /* nothing more to read */
	bool shut;  /* and that was passed on */
	uint64_t seen_bytes;
	size_t queued_bytes;
	struct piece *first, *last;
};

struct connection {
	bool used;
	uint64_t opened_us;
	struct way way[2]; /* 0 to the server, 1 from it */
};

static struct {
	uint64_t delay_us, rate, cut, cuts, stall, up;
} option;

static struct {
	uint64_t connections, open, peak, up, down, cuts;
} stat;

static struct connection table[CONNECTIONS_MAX];
static int table_top; /* no connection at or above it was ever used */
static struct piece *spare;
static uint64_t budget[2], budget_at_us;
static uint64_t server_port;

static uint64_t now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static struct piece *piece_new(void)
{
	struct piece *p = spare;

	if (p)
		spare = p->next;
	else if (!(p = malloc(sizeof *p)))
		die("malloc");
	p->next = NULL;
	p->start = p->length = 0;
	return p;
}

static void piece_free(struct piece *p)
{
	p->next = spare;
	spare = p;
}

static void connection_close(struct connection *c, bool reset)
{
	struct linger now = {.l_onoff = 1, .l_linger = 0};

	for (int i = 0; i < 2; i++) {
		while (c->way[i].first) {
			struct piece *p = c->way[i].first;

			c->way[i].first = p->next;
			piece_free(p);
		}
		if (reset)
			setsockopt(c->way[i].from, SOL_SOCKET, SO_LINGER, &now, sizeof now);
		close(c->way[i].from);
	}
	c->used = false;
	stat.open--;
}

static int dial(void)
{
	struct sockaddr_in to = {
		.sin_family = AF_INET,
		.sin_port = htons((uint16_t)server_port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd >= 0 && connect(fd, (struct sockaddr *)&to, sizeof to)) {
		close(fd);
		fd = -1;
	}
	return fd;
}

static void prepare(int fd)
{
	int one = 1;

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	fcntl(fd, F_SETFL, O_NONBLOCK);
}

static void accept_one(int listener)
{
	int client = accept4(listener, NULL, NULL, SOCK_CLOEXEC), server;
	struct connection *c = NULL;

	if (client < 0)
		return;
	for (int i = 0; i < CONNECTIONS_MAX && !c; i++)
		c = table[i].used ? NULL : &table[i];
	server = c ? dial() : -1;
	if (server < 0) {
		close(client);
		return;
	}
	prepare(client);
	prepare(server);
	if (c - table >= table_top)
		table_top = (int)(c - table) + 1;
	*c = (struct connection){
		.used = true,
		.opened_us = now_us(),
		.way = {{.from = client, .to = server, .up = true}, {.from = server, .to = client}},
	};
	stat.connections++;
	if (++stat.open > stat.peak)
		stat.peak = stat.open;
}

/* What may still be read before the cut or the stall of this direction. */
static size_t allowance(const struct way *w)
{
	uint64_t end = option.cut ? option.cut : option.stall;

	if (w->up != !!option.up || !end || (option.cut && option.cuts && stat.cuts >= option.cuts))
		return PIECE;
	if (w->seen_bytes >= end)
		return 0;
	return end - w->seen_bytes < PIECE ? (size_t)(end - w->seen_bytes) : PIECE;
}

/* True when the connection is gone. */
static bool way_read(struct connection *c, struct way *w)
{
	size_t allowed = allowance(w);
	uint64_t handshake_us = c->opened_us + 2 * option.delay_us, now = now_us();
	struct piece *p;
	ssize_t got;

	if (!allowed)
		return false;
	p = piece_new();
	got = read(w->from, p->data, allowed);
	if (got <= 0) {
		piece_free(p);
		if (got < 0 && (errno == EAGAIN || errno == EINTR))
			return false;
		if (got < 0) {
			connection_close(c, true);
			return true;
		}
		w->ended = true;
		return false;
	}
	p->length = (size_t)got;
	p->due_us = (w->up && handshake_us > now ? handshake_us : now) + option.delay_us;
	w->seen_bytes += p->length;
	w->queued_bytes += p->length;
	*(w->up ? &stat.up : &stat.down) += p->length;
	if (w->last && w->first)
		w->last->next = p;
	else
		w->first = p;
	w->last = p;
	return false;
}

static bool is_cut(const struct way *w)
{
	return option.cut && w->up == !!option.up && w->seen_bytes >= option.cut && !w->first &&
	       (!option.cuts || stat.cuts < option.cuts);
}

static void refill(uint64_t now)
{
	uint64_t burst = option.rate * BURST_MS / 1000 + 1;
	uint64_t more = option.rate * (now - budget_at_us) / 1000000;

	if (!more)
		return;
	budget_at_us = now;
	for (int i = 0; i < 2; i++)
		budget[i] = budget[i] + more < burst ? budget[i] + more : burst;
}

/* True when the connection is gone. */
static bool way_write(struct connection *c, struct way *w, uint64_t now)
{
	while (w->first && w->first->due_us <= now) {
		struct piece *p = w->first;
		size_t length = p->length - p->start;
		ssize_t sent;

		if (option.rate && length > budget[w->up])
			length = budget[w->up];
		if (!length)
			break;
		sent = send(w->to, p->data + p->start, length, MSG_NOSIGNAL);
		if (sent < 0 && (errno == EAGAIN || errno == EINTR))
			break;
		if (sent < 0) {
			connection_close(c, true);
			return true;
		}
		if (option.rate)
			budget[w->up] -= (uint64_t)sent;
		w->queued_bytes -= (size_t)sent;
		p->start += (size_t)sent;
		if (p->start < p->length)
			continue;
		w->first = p->next;
		piece_free(p);
	}
	if (is_cut(w)) {
		stat.cuts++;
		connection_close(c, true);
		return true;
	}
	if (w->ended && !w->first && !w->shut) {
		shutdown(w->to, SHUT_WR);
		w->shut = true;
	}
	return false;
}

static bool set_option(const char *line)
{
	static const struct {
		const char *name;
		uint64_t *value;
	} known[] = {
		{"delay-us=", &option.delay_us}, {"rate=", &option.rate},   {"cut=", &option.cut},
		{"cuts=", &option.cuts},         {"stall=", &option.stall}, {"up=", &option.up},
	};

	for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
		size_t length = strlen(known[i].name);

		if (strncmp(line, known[i].name, length))
			continue;
		*known[i].value = strtoull(line + length, NULL, 10);
		if (known[i].value == &option.cuts || known[i].value == &option.cut)
			stat.cuts = 0;
		return true;
	}
	return false;
}

static void command(char *line)
{
	if (!strcmp(line, "drop")) {
		for (int i = 0; i < table_top; i++)
			if (table[i].used)
				connection_close(&table[i], true);
	} else if (strcmp(line, "stats") && !set_option(line)) {
		printf("{\"error\":\"unknown command\"}\n");
		fflush(stdout);
		return;
	}
	printf("{\"connections\":%llu,\"open\":%llu,\"peak\":%llu,\"up\":%llu,\"down\":%llu,"
	       "\"cuts\":%llu}\n",
	       (unsigned long long)stat.connections, (unsigned long long)stat.open,
	       (unsigned long long)stat.peak, (unsigned long long)stat.up,
	       (unsigned long long)stat.down, (unsigned long long)stat.cuts);
	fflush(stdout);
}

/* Commands are short lines; a longer one is cut. False at the end of stdin. */
static bool read_commands(void)
{
	static char line[256];
	static size_t length;
	char byte;
	ssize_t got;

	while ((got = read(0, &byte, 1)) == 1) {
		if (byte != '\n') {
			if (length < sizeof line - 1)
				line[length++] = byte;
			continue;
		}
		line[length] = '\0';
		length = 0;
		command(line);
	}
	return got < 0 && (errno == EAGAIN || errno == EINTR);
}

static int listen_on(uint64_t port)
{
	struct sockaddr_in at = {
		.sin_family = AF_INET,
		.sin_port = htons((uint16_t)port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), one = 1;

	if (fd < 0)
		die("socket");
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
	if (bind(fd, (struct sockaddr *)&at, sizeof at) || listen(fd, 512))
		die("listen");
	return fd;
}

/* Events of one socket: the way that reads it and the way that writes it. */
static struct pollfd wanted(const struct way *reads, const struct way *writes, uint64_t now)
{
	struct pollfd p = {.fd = reads->from};

	if (!reads->ended && reads->queued_bytes < QUEUE_MAX_BYTES && allowance(reads))
		p.events |= POLLIN;
	if (writes->first && writes->first->due_us <= now && (!option.rate || budget[writes->up]))
		p.events |= POLLOUT;
	if (!p.events)
		p.fd = -1;
	return p;
}

/* Microseconds until the next piece may leave. */
static int64_t next_due(uint64_t now)
{
	int64_t wait = 1000000;

	for (int i = 0; i < table_top; i++)
		for (int k = 0; table[i].used && k < 2; k++) {
			const struct piece *p = table[i].way[k].first;
			int64_t due;

			if (!p)
				continue;
			due = p->due_us > now ? (int64_t)(p->due_us - now) : 0;
			if (!due && option.rate && !budget[table[i].way[k].up])
				due = 1000;
			else if (!due)
				continue;
			if (due < wait)
				wait = due;
		}
	return wait;
}

static void serve(struct connection *c, short client, short server, uint64_t now)
{
	if ((client & (POLLIN | POLLHUP | POLLERR)) && !c->way[0].ended && way_read(c, &c->way[0]))
		return;
	if ((server & (POLLIN | POLLHUP | POLLERR)) && !c->way[1].ended && way_read(c, &c->way[1]))
		return;
	if (way_write(c, &c->way[0], now) || way_write(c, &c->way[1], now))
		return;
	if (c->way[0].shut && c->way[1].shut)
		connection_close(c, false);
}

int main(int argc, char **argv)
{
	static struct pollfd set[2 + 2 * CONNECTIONS_MAX];
	int listener;

	if (argc < 3) {
		fprintf(stderr, "usage: slowlink PORT TO_PORT [NAME=VALUE...]\n");
		return 2;
	}
	for (int i = 3; i < argc; i++)
		if (!set_option(argv[i])) {
			fprintf(stderr, "slowlink: unknown option %s\n", argv[i]);
			return 2;
		}
	server_port = strtoull(argv[2], NULL, 10);
	listener = listen_on(strtoull(argv[1], NULL, 10));
	fcntl(0, F_SETFL, O_NONBLOCK);
	signal(SIGPIPE, SIG_IGN);
	for (;;) {
		uint64_t now = now_us();
		int64_t wait_us;
		struct timespec limit;

		refill(now);
		set[0] = (struct pollfd){.fd = 0, .events = POLLIN};
		set[1] = (struct pollfd){.fd = listener, .events = POLLIN};
		for (int i = 0; i < table_top; i++) {
			struct connection *c = &table[i];

			set[2 + 2 * i].fd = set[3 + 2 * i].fd = -1;
			set[2 + 2 * i].revents = set[3 + 2 * i].revents = 0;
			if (!c->used)
				continue;
			set[2 + 2 * i] = wanted(&c->way[0], &c->way[1], now);
			set[3 + 2 * i] = wanted(&c->way[1], &c->way[0], now);
		}
		wait_us = next_due(now);
		limit.tv_sec = wait_us / 1000000;
		limit.tv_nsec = wait_us % 1000000 * 1000;
		if (ppoll(set, 2 + 2 * (nfds_t)table_top, &limit, NULL) < 0 && errno != EINTR)
			die("ppoll");
		if (set[0].revents && !read_commands())
			return 0;
		if (set[1].revents)
			accept_one(listener);
		now = now_us();
		for (int i = 0; i < table_top; i++)
			if (table[i].used)
				serve(&table[i], set[2 + 2 * i].revents, set[3 + 2 * i].revents,
				      now);
	}
}
