/* SPDX-License-Identifier: Apache-2.0 */
/* Passing changes on: see forward.h. berthd answers from its store at once, so one
 * short exchange is done in place; where it is away, the pauses grow.
 */
#include "core/hooks/forward.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

#include "core/base/buf.h"
#include "core/base/js.h"
#include "core/base/log.h"
#include "core/base/text.h"
#include "core/hooks/notice.h"

#define WAIT_S 5 /* of one read or write */
#define PAUSE_FIRST_MS 250
#define PAUSE_MAX_MS 10000
#define ANSWER_MAX 65536

struct forward {
	struct sockaddr_un to;
	json_t *waiting; /* {INTEGRATION: [change, ...]} */
	struct loop_timer *timer;
	uint32_t pause_ms; /* 0: berthd took the last one */
	struct log_complaint away;
};

/* --- one exchange --- */

static int dial(const struct forward *f, int *ret_fd, struct berth_error *err)
{
	const struct timeval wait = {.tv_sec = WAIT_S};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	*ret_fd = fd; /* the caller's to close, connected or not */
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof(wait)) ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait)))
		return berth_fail_errno(err, errno, "cannot make a socket");
	if (connect(fd, (const struct sockaddr *)&f->to, sizeof(f->to)))
		return berth_fail_errno(err, errno, "cannot connect to %s", f->to.sun_path);
	return 0;
}

static int send_all(int fd, const char *bytes, size_t byte_count, struct berth_error *err)
{
	while (byte_count) {
		ssize_t n = send(fd, bytes, byte_count, MSG_NOSIGNAL);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return berth_fail_errno(err, errno, "cannot send to berthd");
		bytes += n;
		byte_count -= (size_t)n;
	}
	return 0;
}

/* The whole answer, to its end; only its status line counts. */
static int read_status(int fd, int *ret_status, struct berth_error *err)
{
	static const char line[] = "HTTP/1.1 ";
	AUTO_BUF struct buf answer = {.max = ANSWER_MAX};
	char some[4096];
	uint64_t status = 0;

	for (;;) {
		ssize_t n = recv(fd, some, sizeof(some), 0);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return berth_fail_errno(err, errno, "no answer of berthd");
		if (!n)
			break;
		if (buf_add(&answer, some, (size_t)n, err))
			return err->code;
	}
	const char *text = buf_text(&answer);
	char digits[4] = "";
	if (!strncmp(text, line, strlen(line)))
		snprintf(digits, sizeof(digits), "%s", text + strlen(line));
	if (!text_parse_u64(digits, 100, 599, &status))
		return berth_fail(err, BERTH_E_PROTOCOL,
				  "what answers at berthd's socket is no HTTP");
	*ret_status = (int)status;
	return 0;
}

static int post(const struct forward *f, const char *body, int *ret_status, struct berth_error *err)
{
	AUTO_BUF struct buf head = {.max = 1024};
	AUTO_FD int fd = -1;
	int code = dial(f, &fd, err);

	if (!code)
		code = buf_printf(&head, err,
				  "POST /v1/changes HTTP/1.1\r\nHost: berth\r\n"
				  "Content-Type: application/json\r\nContent-Length: %zu\r\n"
				  "Connection: close\r\n\r\n",
				  strlen(body));
	if (!code)
		code = send_all(fd, buf_text(&head), head.byte_count, err);
	if (!code)
		code = send_all(fd, body, strlen(body), err);
	return code ? code : read_status(fd, ret_status, err);
}

/* Sends what waits of one integration. An error: berthd is to be tried again. */
static int pass_on(const struct forward *f, const char *integration, json_t *changes,
		   struct berth_error *err)
{
	AUTO_JSON json_t *doc =
		json_pack("{s:s, s:O}", "integration", integration, "changes", changes);
	AUTO_FREE char *body = doc ? js_text(doc) : NULL;
	int status = 0, code = body ? post(f, body, &status, err) : berth_fail_memory(err);

	if (code)
		return code;
	if (status == 429 || status >= 500)
		return berth_fail(err, BERTH_E_UNAVAILABLE, "berthd answers %d", status);
	if (status >= 300)
		log_warning("berthd takes no changes of %s: HTTP %d: is there such an integration, "
			    "and is this user in the group of reporters?",
			    integration, status);
	else
		log_debug("%zu changes of %s were passed on", json_array_size(changes),
			  integration);
	return 0;
}

/* --- what waits --- */

static void try_all(struct forward *f)
{
	struct berth_error err = ERROR_INIT;
	const char *integration;
	json_t *changes;
	void *next;

	json_object_foreach_safe (f->waiting, next, integration, changes) {
		if (pass_on(f, integration, changes, &err))
			break;
		json_object_del(f->waiting, integration);
	}
	if (!err.code) {
		if (f->pause_ms)
			log_calm(&f->away, "changes are passed on again");
		f->pause_ms = 0;
		return;
	}
	log_complain(&f->away, "changes wait: %s", err.message);
	f->pause_ms = !f->pause_ms                     ? PAUSE_FIRST_MS
		      : f->pause_ms > PAUSE_MAX_MS / 2 ? PAUSE_MAX_MS
						       : f->pause_ms * 2;
}

static void fire(void *user)
{
	struct forward *f = user;

	try_all(f);
	if (f->pause_ms)
		loop_timer_set(f->timer, f->pause_ms);
}

int forward_new(struct loop *l, const char *socket_path, struct forward **ret,
		struct berth_error *err)
{
	struct forward *f = calloc(1, sizeof(*f));

	if (!f || !(f->waiting = json_object())) {
		free(f);
		return berth_fail_memory(err);
	}
	f->to.sun_family = AF_UNIX;
	snprintf(f->to.sun_path, sizeof(f->to.sun_path), "%s", socket_path);
	if (strlen(socket_path) >= sizeof(f->to.sun_path))
		berth_fail(err, BERTH_E_INVALID, "the path %.100s is too long for a socket",
			   socket_path);
	else if (!loop_timer_new(l, fire, f, &f->timer, err))
		*ret = f;
	if (err->code)
		forward_free(f);
	return err->code;
}

void forward_free(struct forward *f)
{
	if (!f)
		return;
	if (json_object_size(f->waiting))
		try_all(f);
	loop_timer_free(f->timer);
	json_decref(f->waiting);
	free(f);
}

static bool has(const json_t *list, const json_t *change)
{
	const json_t *one;
	size_t i;

	json_array_foreach (list, i, one)
		if (!json_object_size(one) || json_equal(one, change))
			return true;
	return false;
}

int forward_add(struct forward *f, const char *integration, const json_t *changes,
		struct berth_error *err)
{
	json_t *list = json_object_get(f->waiting, integration);
	json_t *change;
	size_t i;

	if (!json_array_size(changes))
		return 0;
	if (!list) {
		list = json_array();
		if (json_object_set_new(f->waiting, integration, list))
			return berth_fail_memory(err);
	}
	json_array_foreach (changes, i, change)
		if (!has(list, change) && json_array_append(list, change))
			return berth_fail_memory(err);
	/* Too many to name: anything there. */
	if (json_array_size(list) > NOTICE_CHANGES_MAX &&
	    (json_array_clear(list) || json_array_append_new(list, json_object())))
		return berth_fail_memory(err);
	if (!f->pause_ms)
		loop_timer_set(f->timer, 0);
	return 0;
}
