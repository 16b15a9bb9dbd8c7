/* SPDX-License-Identifier: Apache-2.0 */
/* Receiving: see receive.h. What a request may be is decided on its head, before a
 * byte of its body is kept.
 */
#include "core/hooks/receive.h"

#include <errno.h>
#include <microhttpd.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include "core/base/buf.h"
#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/base/text.h"
#include "core/hooks/notice.h"

#define CONNECTIONS_MAX 64
#define PER_ADDRESS_MAX 16
#define IDLE_S 10
#define LIFE_MS 20000 /* of a connection; registries connect again */
#define LOOK_MS 1000
#define HEAD_ROOM 32768

struct connection {
	int fd; /* -1: free */
	uint64_t end_ms;
};

struct receiver {
	struct receive_settings settings;
	struct MHD_Daemon *mhd;
	struct loop_watch *watch;
	struct loop_timer *turn, *look;
	struct connection connections[CONNECTIONS_MAX];
	struct log_complaint refused, wrong;
};

/* One request while its body comes. */
struct upload {
	char integration[64];
	struct buf body;
	bool is_over; /* more than the cap */
};

static enum MHD_Result answer(struct MHD_Connection *c, unsigned status)
{
	struct MHD_Response *r = MHD_create_response_from_buffer(0, NULL, MHD_RESPMEM_PERSISTENT);
	enum MHD_Result done = MHD_NO;

	if (!r)
		return MHD_NO;
	if (status == MHD_HTTP_METHOD_NOT_ALLOWED)
		MHD_add_response_header(r, "Allow", "POST");
	if (status == MHD_HTTP_UNAUTHORIZED)
		MHD_add_response_header(r, "WWW-Authenticate", "Bearer realm=\"berth\"");
	done = MHD_queue_response(c, status, r);
	MHD_destroy_response(r);
	return done;
}

static const char *header(struct MHD_Connection *c, const char *name)
{
	return MHD_lookup_connection_value(c, MHD_HEADER_KIND, name);
}

/* The status that the head alone leads to; 0: the body counts. */
static unsigned judge_head(struct receiver *r, struct MHD_Connection *c, const char *url,
			   const char *method)
{
	static const char prefix[] = "/hooks/";
	const char *length = header(c, "Content-Length");
	uint64_t byte_count = 0;

	if (strncmp(url, prefix, strlen(prefix)) != 0 || !text_is_integration(url + strlen(prefix)))
		return MHD_HTTP_NOT_FOUND;
	if (strcmp(method, "POST") != 0)
		return MHD_HTTP_METHOD_NOT_ALLOWED;
	if (!hook_secrets_match(r->settings.secrets, url + strlen(prefix),
				header(c, "Authorization"))) {
		log_complain(&r->refused, "a notification to %s had not its secret", url);
		return MHD_HTTP_UNAUTHORIZED;
	}
	if (!notice_is_type(header(c, "Content-Type")))
		return MHD_HTTP_UNSUPPORTED_MEDIA_TYPE;
	if (length && !text_parse_u64(length, 0, NOTICE_MAX_BYTES, &byte_count))
		return MHD_HTTP_CONTENT_TOO_LARGE;
	return 0;
}

static unsigned judge_body(struct receiver *r, const struct upload *u)
{
	AUTO_JSON json_t *changes = NULL;
	struct berth_error err = ERROR_INIT;

	if (u->is_over)
		return MHD_HTTP_CONTENT_TOO_LARGE;
	if (notice_parse(buf_text(&u->body), u->body.byte_count, &changes, &err)) {
		log_complain(&r->wrong, "a notification of %s is not understood: %s",
			     u->integration, err.message);
		return err.code == BERTH_E_NO_MEMORY ? MHD_HTTP_SERVICE_UNAVAILABLE
						     : MHD_HTTP_BAD_REQUEST;
	}
	if (!forward_add(r->settings.forward, u->integration, changes, &err))
		return MHD_HTTP_ACCEPTED;
	log_warning("a notification of %s is lost: %s", u->integration, err.message);
	return MHD_HTTP_SERVICE_UNAVAILABLE;
}

static enum MHD_Result on_request(void *user, struct MHD_Connection *c, const char *url,
				  const char *method, const char *version, const char *bytes,
				  size_t *byte_count, void **own)
{
	struct receiver *r = user;
	struct upload *u = *own;
	struct berth_error err = ERROR_INIT;

	(void)version;
	if (!u) {
		unsigned status = judge_head(r, c, url, method);
		if (status)
			return answer(c, status);
		*own = u = calloc(1, sizeof(*u));
		if (!u)
			return answer(c, MHD_HTTP_SERVICE_UNAVAILABLE);
		snprintf(u->integration, sizeof(u->integration), "%s", strrchr(url, '/') + 1);
		buf_init(&u->body, NOTICE_MAX_BYTES);
		return MHD_YES;
	}
	if (!*byte_count)
		return answer(c, judge_body(r, u));
	if (!u->is_over && buf_add(&u->body, bytes, *byte_count, &err))
		u->is_over = true;
	*byte_count = 0;
	return MHD_YES;
}

static void on_completed(void *user, struct MHD_Connection *c, void **own,
			 enum MHD_RequestTerminationCode how)
{
	struct upload *u = *own;

	(void)user;
	(void)c;
	(void)how;
	if (u)
		buf_done(&u->body);
	free(u);
	*own = NULL;
}

/* --- connections --- */

static int fd_of(struct MHD_Connection *c)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(c, MHD_CONNECTION_INFO_CONNECTION_FD);

	return info ? info->connect_fd : -1;
}

static void on_connection(void *user, struct MHD_Connection *c, void **own,
			  enum MHD_ConnectionNotificationCode what)
{
	struct receiver *r = user;
	int wanted = what == MHD_CONNECTION_NOTIFY_STARTED ? -1 : fd_of(c);

	(void)own;
	for (size_t i = 0; i < CONNECTIONS_MAX; i++) {
		if (r->connections[i].fd != wanted)
			continue;
		r->connections[i].fd = wanted < 0 ? fd_of(c) : -1;
		r->connections[i].end_ms = clock_monotonic_ms() + LIFE_MS;
		return;
	}
}

static void turn(void *user)
{
	struct receiver *r = user;
	unsigned long long wait_ms;

	MHD_run(r->mhd);
	if (MHD_get_timeout(r->mhd, &wait_ms) == MHD_YES)
		loop_timer_set(r->turn, wait_ms);
	else
		loop_timer_clear(r->turn);
}

static void on_ready(void *user, unsigned events)
{
	(void)events;
	turn(user);
}

/* The server's own time-out counts from the last byte: one byte now and then would
 * keep a connection for ever. */
static void look(void *user)
{
	struct receiver *r = user;
	uint64_t now_ms = clock_monotonic_ms();

	for (size_t i = 0; i < CONNECTIONS_MAX; i++)
		if (r->connections[i].fd >= 0 && r->connections[i].end_ms <= now_ms)
			shutdown(r->connections[i].fd, SHUT_RDWR);
	loop_timer_set(r->look, LOOK_MS);
	turn(r);
}

/* --- start --- */

static int open_address(const struct addrinfo *at, int *ret_fd, struct berth_error *err)
{
	const int on = 1;
	int fd = socket(at->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	*ret_fd = fd; /* the caller's to close, listening or not */
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) ||
	    bind(fd, at->ai_addr, at->ai_addrlen) || listen(fd, SOMAXCONN))
		return berth_fail_errno(err, errno, "cannot listen");
	return 0;
}

/* ADDRESS:PORT, both in numbers. */
static int open_listener(const char *text, int *ret_fd, struct berth_error *err)
{
	const struct addrinfo hints = {.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE,
				       .ai_socktype = SOCK_STREAM};
	char address[64] = "";
	const char *colon = strrchr(text, ':');
	bool is_bracketed = *text == '[';
	struct addrinfo *found = NULL;

	if (colon && (size_t)(colon - text) < sizeof(address))
		snprintf(address, sizeof(address), "%.*s", (int)(colon - text) - 2 * is_bracketed,
			 text + is_bracketed);
	if (!*address || getaddrinfo(address, colon + 1, &hints, &found))
		return berth_fail(
			err, BERTH_E_INVALID,
			"hooks.listen: expected ADDRESS:PORT in numbers, as 0.0.0.0:8443");
	int code = open_address(found, ret_fd, err);
	freeaddrinfo(found);
	return code ? berth_wrap(err, "hooks.listen: cannot listen at %s", text) : 0;
}

static void say(void *user, const char *fmt, va_list args)
{
	char text[256];

	(void)user;
	vsnprintf(text, sizeof(text), fmt, args);
	text[strcspn(text, "\n")] = 0;
	log_debug("libmicrohttpd: %s", text);
}

static int start_server(struct receiver *r, int fd, struct berth_error *err)
{
	const struct receive_settings *s = &r->settings;

	if (MHD_is_feature_supported(MHD_FEATURE_TLS) != MHD_YES)
		return berth_fail(err, BERTH_E_UNSUPPORTED,
				  "this system's libmicrohttpd was built without TLS");
	r->mhd = MHD_start_daemon(
		MHD_USE_EPOLL | MHD_USE_TLS | MHD_USE_ERROR_LOG, 0, NULL, NULL, on_request, r,
		MHD_OPTION_EXTERNAL_LOGGER, say, NULL, MHD_OPTION_LISTEN_SOCKET, fd,
		MHD_OPTION_HTTPS_MEM_CERT, s->certificate, MHD_OPTION_HTTPS_MEM_KEY, s->key,
		MHD_OPTION_HTTPS_PRIORITIES, "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2",
		MHD_OPTION_NOTIFY_COMPLETED, on_completed, r, MHD_OPTION_NOTIFY_CONNECTION,
		on_connection, r, MHD_OPTION_CONNECTION_LIMIT, CONNECTIONS_MAX,
		MHD_OPTION_PER_IP_CONNECTION_LIMIT, PER_ADDRESS_MAX, MHD_OPTION_CONNECTION_TIMEOUT,
		IDLE_S, MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)HEAD_ROOM, MHD_OPTION_END);
	if (!r->mhd)
		return berth_fail(err, BERTH_E_INVALID,
				  "the server does not start: is hooks.key the key of "
				  "hooks.certificate?");
	return 0;
}

static int watch(struct receiver *r, struct berth_error *err)
{
	struct loop *l = r->settings.loop;
	const union MHD_DaemonInfo *info = MHD_get_daemon_info(r->mhd, MHD_DAEMON_INFO_EPOLL_FD);

	if (!info || info->epoll_fd < 0)
		return berth_fail(err, BERTH_E_INTERNAL, "libmicrohttpd has no epoll set");
	if (loop_timer_new(l, turn, r, &r->turn, err) ||
	    loop_timer_new(l, look, r, &r->look, err) ||
	    loop_watch(l, info->epoll_fd, LOOP_READ, on_ready, r, &r->watch, err))
		return err->code;
	loop_timer_set(r->look, LOOK_MS);
	return 0;
}

int receiver_new(const struct receive_settings *s, struct receiver **ret, struct berth_error *err)
{
	struct receiver *r = calloc(1, sizeof(*r));
	int fd = -1;

	if (!r)
		return berth_fail_memory(err);
	r->settings = *s;
	for (size_t i = 0; i < CONNECTIONS_MAX; i++)
		r->connections[i].fd = -1;
	int code = open_listener(s->listen, &fd, err);
	if (!code)
		code = start_server(r, fd, err);
	if (code && fd >= 0)
		close(fd);
	if (!code)
		code = watch(r, err);
	if (code)
		receiver_free(r);
	else
		*ret = r;
	return code;
}

void receiver_free(struct receiver *r)
{
	if (!r)
		return;
	loop_unwatch(r->watch);
	if (r->mhd)
		MHD_stop_daemon(r->mhd);
	loop_timer_free(r->turn);
	loop_timer_free(r->look);
	free(r);
}
