/* SPDX-License-Identifier: Apache-2.0 */
/* Accepts on the control socket, knows each connection's caller and deadline,
 * and turns libmicrohttpd, which parses and writes. Everything in berthd's one
 * thread; one epoll set holds the listening socket, libmicrohttpd's own set,
 * and each sleeping or idle connection, of which the first byte or the hang-up
 * is told once.
 */
#include "core/http/server.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>

#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/http/internal.h"
#include "core/http/stream.h"

#define EVENTS_MAX 64
#define ACCEPTS_MAX 64 /* a turn: a flood can't starve those who are served */
#define POOL_EXTRA (24u << 10)
#define CONNECTIONS_HARD_MAX 65536u /* ours is the limit that counts */

uint64_t monotonic_us(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

/* Asks for one report: of bytes to read (where wanted) or of a hang-up. */
static void watch_once(struct conn *c, uint32_t events)
{
	struct epoll_event e = {.events = events | EPOLLONESHOT, .data.ptr = c};
	if (epoll_ctl(c->server->epoll_fd, EPOLL_CTL_MOD, c->fd, &e) && errno == ENOENT &&
	    epoll_ctl(c->server->epoll_fd, EPOLL_CTL_ADD, c->fd, &e))
		log_warning("cannot watch a connection: %s", strerror(errno));
}

void conn_state(struct conn *c, enum conn_state state)
{
	const struct http_limits *l = &c->server->config.limits;
	uint64_t now = clock_monotonic_ms();
	bool is_new = c->state != state;

	c->state = state;
	switch (state) {
	case CONN_IDLE:
		c->deadline_ms = now + l->idle_ms;
		watch_once(c, EPOLLIN);
		break;
	case CONN_HEAD:
		c->deadline_ms = now + l->head_ms;
		break;
	case CONN_BODY:
		if (is_new)
			c->body_end_ms = now + l->exchange_ms;
		c->deadline_ms = now + l->body_gap_ms;
		if (c->deadline_ms > c->body_end_ms)
			c->deadline_ms = c->body_end_ms;
		break;
	case CONN_ANSWER:
		c->deadline_ms = now + l->exchange_ms;
		break;
	case CONN_HELD:
	case CONN_STREAM:
		c->deadline_ms = 0;
		break;
	}
}

void conn_sleep(struct conn *c)
{
	if (c->is_asleep)
		return;
	c->is_asleep = true;
	MHD_suspend_connection(c->mhd);
	watch_once(c, 0);
}

void conn_wake(struct conn *c)
{
	if (!c->is_asleep)
		return;
	c->is_asleep = false;
	MHD_resume_connection(c->mhd);
}

void conn_cut(struct conn *c, const char *code)
{
	char text[1024], id[UUID_ROOM];
	uuid_make(id);
	if (code) {
		size_t n = problem_bytes(code, c->request ? c->request->id : id, text, sizeof text);
		if (send(c->fd, text, n, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
			log_debug("a client was cut without an answer: %s", strerror(errno));
	}
	shutdown(c->fd, SHUT_RDWR);
	c->deadline_ms = 0;
	conn_wake(c);
}

/* Answers a socket that will get no connection, and closes it. */
static void turn_away(int fd, const char *code)
{
	char text[1024], id[UUID_ROOM];
	uuid_make(id);
	size_t n = problem_bytes(code, id, text, sizeof text);
	if (send(fd, text, n, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
		log_debug("a client was turned away without an answer: %s", strerror(errno));
	close(fd);
}

static void conn_free(struct conn *c)
{
	struct http_server *s = c->server;
	if (c->previous)
		c->previous->next = c->next;
	else
		s->conns = c->next;
	if (c->next)
		c->next->previous = c->previous;
	s->conn_count--;
	caller_done(&c->caller);
	free(c);
}

static uint32_t count_of_uid(const struct http_server *s, uid_t uid)
{
	uint32_t n = 0;
	for (const struct conn *c = s->conns; c; c = c->next)
		n += c->caller.uid == uid;
	return n;
}

static struct conn *conn_new(struct http_server *s, int fd, struct caller *take_caller)
{
	struct conn *c = calloc(1, sizeof *c);
	if (!c)
		return NULL;
	*c = (struct conn){.server = s, .fd = fd, .caller = *take_caller, .next = s->conns};
	*take_caller = (struct caller){.groups = NULL};
	if (s->conns)
		s->conns->previous = c;
	s->conns = c;
	s->conn_count++;
	return c;
}

static void hand_over(struct http_server *s, struct conn *c)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	s->accepting = c;
	if (MHD_add_connection(s->mhd, c->fd, (struct sockaddr *)&address, sizeof address) !=
	    MHD_YES) {
		log_warning("libmicrohttpd refused a connection");
		if (s->accepting) /* it never started, so it will not end */
			conn_free(c);
		s->accepting = NULL;
		return;
	}
	s->counters.accepted++;
	/* Its own time-out is for a reader that takes nothing of an answer. */
	MHD_set_connection_option(c->mhd, MHD_CONNECTION_OPTION_TIMEOUT,
				  (s->config.limits.idle_ms + 1999) / 1000);
	conn_state(c, CONN_HEAD);
}

/* The limit that a newcomer would break, as a problem's code; NULL: none. */
static const char *find_limit(struct http_server *s, const struct caller *caller)
{
	const struct http_limits *l = &s->config.limits;

	if (s->conn_count >= l->connections_max) {
		s->counters.refused_total++;
		return "too-many";
	}
	if (count_of_uid(s, caller->uid) >= l->connections_per_user_max) {
		s->counters.refused_user++;
		return "too-many";
	}
	return NULL;
}

void server_adopt(struct http_server *s, int fd)
{
	struct berth_error err = ERROR_INIT;
	struct caller caller;

	if (access_identify(fd, &s->config.access, &caller, &err)) {
		log_warning("cannot tell who is calling: %s: %s", err.message, err.cause);
		close(fd);
		return;
	}
	const char *limit = find_limit(s, &caller);
	struct conn *c = limit ? NULL : conn_new(s, fd, &caller);
	if (c)
		hand_over(s, c);
	else
		turn_away(fd, limit ? limit : "no-memory");
	caller_done(&caller);
}

/* No descriptor is left: the reserve gives way, so that the newcomer is told. */
static void accept_with_reserve(struct http_server *s)
{
	int fd;
	s->counters.refused_resources++;
	if (s->reserve_fd >= 0)
		close(s->reserve_fd);
	fd = accept4(s->listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd >= 0)
		turn_away(fd, "unavailable");
	s->reserve_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
}

static void accept_some(struct http_server *s)
{
	for (int i = 0; i < ACCEPTS_MAX; i++) {
		int fd = accept4(s->listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd >= 0) {
			server_adopt(s, fd);
			continue;
		}
		if (errno == EINTR || errno == ECONNABORTED)
			continue;
		if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS)
			accept_with_reserve(s);
		else if (errno != EAGAIN)
			log_error("accept: %s", strerror(errno));
		return;
	}
}

/* libmicrohttpd's callbacks. */

static struct conn *conn_of(struct MHD_Connection *mhd)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
	return info ? info->socket_context : NULL;
}

static void on_connection(void *cls, struct MHD_Connection *mhd, void **context,
			  enum MHD_ConnectionNotificationCode code)
{
	struct http_server *s = cls;
	if (code == MHD_CONNECTION_NOTIFY_STARTED) {
		*context = s->accepting;
		s->accepting->mhd = mhd;
		s->accepting = NULL;
	} else if (*context) {
		conn_free(*context);
		*context = NULL;
	}
}

static void *on_target(void *cls, const char *target, struct MHD_Connection *mhd)
{
	struct conn *c = conn_of(mhd);
	(void)cls;
	if (!c)
		return NULL;
	if (c->state == CONN_IDLE)
		conn_state(c, CONN_HEAD); /* pipelined: the bytes were there already */
	c->request = request_new(c, target);
	return c->request;
}

static enum MHD_Result on_request(void *cls, struct MHD_Connection *mhd, const char *url,
				  const char *method, const char *version, const char *data,
				  size_t *data_count, void **context)
{
	(void)cls;
	(void)mhd;
	(void)url;
	return *context ? exchange_turn(*context, method, version, data, data_count) : MHD_NO;
}

static void on_completed(void *cls, struct MHD_Connection *mhd, void **context,
			 enum MHD_RequestTerminationCode code)
{
	struct request *q = *context;
	struct conn *c = conn_of(mhd);
	(void)cls;
	*context = NULL;
	if (c) {
		if (c->stream)
			stream_gone(c->stream); /* its owner may push until it is freed */
		c->request = NULL;
		c->stream = NULL;
		if (code == MHD_REQUEST_TERMINATED_COMPLETED_OK)
			conn_state(c, CONN_IDLE);
	}
	request_free(q);
}

static size_t keep_escapes(void *cls, struct MHD_Connection *mhd, char *text)
{
	(void)cls;
	(void)mhd;
	return strlen(text);
}

static void write_message(void *cls, const char *fmt, va_list args)
	__attribute__((format(printf, 2, 0)));
static void write_message(void *cls, const char *fmt, va_list args)
{
	char text[512];
	(void)cls;
	vsnprintf(text, sizeof text, fmt, args);
	text[strcspn(text, "\n")] = 0;
	log_debug("libmicrohttpd: %s", text);
}

static int start_parser(struct http_server *s, struct berth_error *err)
{
	const struct http_limits *l = &s->config.limits;
	const union MHD_DaemonInfo *info;

	s->mhd = MHD_start_daemon(
		MHD_USE_NO_LISTEN_SOCKET | MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME |
			MHD_USE_ERROR_LOG,
		0, NULL, NULL, on_request, s, MHD_OPTION_EXTERNAL_LOGGER, write_message, NULL,
		MHD_OPTION_NOTIFY_CONNECTION, on_connection, s, MHD_OPTION_NOTIFY_COMPLETED,
		on_completed, s, MHD_OPTION_URI_LOG_CALLBACK, on_target, s,
		MHD_OPTION_UNESCAPE_CALLBACK, keep_escapes, NULL, MHD_OPTION_CONNECTION_LIMIT,
		CONNECTIONS_HARD_MAX, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
		(size_t)l->line_max_bytes + 2 * (size_t)l->headers_max_bytes + POOL_EXTRA,
#if MHD_VERSION >= 0x00097701
		MHD_OPTION_CLIENT_DISCIPLINE_LVL, 1,
#else
		MHD_OPTION_STRICT_FOR_CLIENT, 1,
#endif
		MHD_OPTION_END);
	if (!s->mhd)
		return berth_fail(err, BERTH_E_INTERNAL, "libmicrohttpd does not start");
	info = MHD_get_daemon_info(s->mhd, MHD_DAEMON_INFO_EPOLL_FD);
	s->mhd_fd = info ? info->epoll_fd : -1;
	return s->mhd_fd >= 0 ? 0
			      : berth_fail(err, BERTH_E_INTERNAL, "libmicrohttpd has no epoll set");
}

static int watch(struct http_server *s, int fd, void *tag, struct berth_error *err)
{
	struct epoll_event e = {.events = EPOLLIN, .data.ptr = tag};
	if (epoll_ctl(s->epoll_fd, EPOLL_CTL_ADD, fd, &e))
		return berth_fail_errno(err, errno, "cannot watch a socket");
	return 0;
}

static int set_up(struct http_server *s, struct berth_error *err)
{
	int r;
	s->counters.by_route =
		calloc((route_count + 1) * STATUS_CLASSES, sizeof *s->counters.by_route);
	if (!s->counters.by_route)
		return berth_fail_memory(err);
	s->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	s->reserve_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	if (s->epoll_fd < 0)
		return berth_fail_errno(err, errno, "cannot make an epoll set");
	if (s->listen_fd >= 0 && fcntl(s->listen_fd, F_SETFL, O_NONBLOCK))
		return berth_fail_errno(err, errno, "cannot prepare the listening socket");
	r = start_parser(s, err);
	if (!r)
		r = watch(s, s->mhd_fd, &s->mhd_fd, err);
	if (!r && s->listen_fd >= 0)
		r = watch(s, s->listen_fd, &s->listen_fd, err);
	return r;
}

int http_server_new(const struct http_config *config, int listen_fd, struct http_server **ret,
		    struct berth_error *err)
{
	struct http_server *s = calloc(1, sizeof *s);
	int r;
	if (!s)
		return berth_fail_memory(err);
	s->config = *config;
	s->listen_fd = listen_fd;
	s->epoll_fd = s->reserve_fd = s->mhd_fd = -1;
	r = set_up(s, err);
	if (r)
		http_server_free(s);
	else
		*ret = s;
	return r;
}

void http_server_free(struct http_server *s)
{
	if (!s)
		return;
	s->is_draining = true;
	for (struct conn *c = s->conns; c; c = c->next)
		conn_cut(c, NULL);
	if (s->mhd)
		MHD_stop_daemon(s->mhd);
	if (s->epoll_fd >= 0)
		close(s->epoll_fd);
	if (s->reserve_fd >= 0)
		close(s->reserve_fd);
	free(s->counters.by_route);
	free(s);
}

int http_server_fd(const struct http_server *s)
{
	return s->epoll_fd;
}

/* The earliest deadline of a connection, or of the keep-alive of streams. */
static uint64_t next_deadline(const struct http_server *s)
{
	uint64_t next = UINT64_MAX;
	for (const struct conn *c = s->conns; c; c = c->next)
		if (c->deadline_ms && c->deadline_ms < next)
			next = c->deadline_ms;
	return next;
}

int http_server_timeout_ms(const struct http_server *s)
{
	uint64_t now = clock_monotonic_ms(), next = next_deadline(s);
	uint64_t wait = next == UINT64_MAX ? UINT64_MAX : next > now ? next - now : 0;
	unsigned long long parser;

	if (MHD_get_timeout(s->mhd, &parser) == MHD_YES && parser < wait)
		wait = parser;
	return wait > INT32_MAX ? -1 : (int)wait;
}

static void expire(struct conn *c)
{
	struct http_counters *n = &c->server->counters;
	switch (c->state) {
	case CONN_IDLE:
		conn_cut(c, NULL);
		break;
	case CONN_HEAD:
		n->expired_heads++;
		conn_cut(c, "request-timeout");
		break;
	case CONN_BODY:
		n->expired_bodies++;
		conn_cut(c, "request-timeout");
		break;
	case CONN_ANSWER:
		n->expired_answers++;
		conn_cut(c, NULL);
		break;
	case CONN_HELD:
		c->request->answer.has_timed_out = true;
		c->deadline_ms = 0;
		conn_wake(c);
		break;
	case CONN_STREAM:
		stream_comment(c->stream);
		break;
	}
}

static void on_event(struct http_server *s, const struct epoll_event *e)
{
	struct conn *c = e->data.ptr;
	if (e->data.ptr == &s->listen_fd) {
		if (!s->is_draining)
			accept_some(s);
		return;
	}
	if (e->data.ptr == &s->mhd_fd)
		return; /* turned below in any case */
	if (c->is_asleep && e->events & (EPOLLHUP | EPOLLERR)) {
		c->is_gone = true;
		if (c->stream)
			stream_gone(c->stream);
		conn_wake(c);
		return;
	}
	/* The first byte of a next head. Where libmicrohttpd was quicker to read it,
	 * no event comes, and that head has the time of an idle connection. */
	if (c->state == CONN_IDLE)
		conn_state(c, CONN_HEAD);
}

void http_server_turn(struct http_server *s)
{
	struct epoll_event events[EVENTS_MAX];
	int count = epoll_wait(s->epoll_fd, events, EVENTS_MAX, 0);
	uint64_t now;

	for (int i = 0; i < count; i++)
		on_event(s, &events[i]);
	now = clock_monotonic_ms();
	for (struct conn *c = s->conns; c; c = c->next)
		if (c->deadline_ms && c->deadline_ms <= now)
			expire(c);
	MHD_run(s->mhd);
}

bool http_server_drain(struct http_server *s)
{
	if (!s->is_draining && s->listen_fd >= 0)
		epoll_ctl(s->epoll_fd, EPOLL_CTL_DEL, s->listen_fd, NULL);
	s->is_draining = true;
	for (struct conn *c = s->conns; c; c = c->next)
		if (c->state == CONN_IDLE)
			conn_cut(c, NULL);
		else if (c->state == CONN_HEAD)
			conn_cut(c, "draining");
		else if (c->state == CONN_HELD)
			conn_wake(c);
		else if (c->state == CONN_STREAM)
			stream_end(c->stream);
	return !s->conns;
}

void http_wake(struct http_server *s, const char *topic)
{
	for (struct conn *c = s->conns; c; c = c->next)
		if (c->state == CONN_HELD && !strcmp(c->request->answer.topic, topic)) {
			c->deadline_ms = 0;
			conn_wake(c);
		}
}

void http_server_configure(struct http_server *s, const struct http_config *config)
{
	s->config = *config;
}

const struct http_limits *http_server_limits(const struct http_server *s)
{
	return &s->config.limits;
}

const struct http_config *http_server_config(const struct http_server *s)
{
	return &s->config;
}
