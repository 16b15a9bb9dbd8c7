/* SPDX-License-Identifier: Apache-2.0 */
/* Frames: see frame.h. A packet comes whole or not at all, so there is no
 * state here; one byte more than the cap tells a packet that was too long.
 */
#include "core/worker/frame.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "core/base/js.h"

static int send_with(int fd, const json_t *frame, int flags, struct berth_error *err)
{
	AUTO_FREE char *text = js_text(frame);
	if (!text)
		return berth_fail_memory(err);
	size_t byte_count = strlen(text);
	if (byte_count > FRAME_MAX_BYTES)
		return berth_fail(err, BERTH_E_LIMIT, "a frame of %zu bytes is over 64 KiB",
				  byte_count);
	for (;;) {
		if (send(fd, text, byte_count, flags | MSG_NOSIGNAL) >= 0)
			return 0;
		if (errno == EINTR)
			continue;
		bool is_full = errno == EAGAIN || errno == EWOULDBLOCK;
		berth_fail_errno(err, errno, "cannot send a frame");
		err->code = is_full ? BERTH_E_TIMEOUT : BERTH_E_UNAVAILABLE;
		return err->code;
	}
}

int frame_send(int fd, const json_t *frame, struct berth_error *err)
{
	return send_with(fd, frame, 0, err);
}

int frame_send_now(int fd, const json_t *frame, struct berth_error *err)
{
	return send_with(fd, frame, MSG_DONTWAIT, err);
}

int frame_receive(int fd, json_t **ret, struct berth_error *err)
{
	static char bytes[FRAME_MAX_BYTES + 1];
	ssize_t got;
	/* A reset is told once, before packets that did arrive: ask again. */
	do
		got = recv(fd, bytes, sizeof bytes, MSG_DONTWAIT);
	while (got < 0 && (errno == EINTR || errno == ECONNRESET));
	if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
		*ret = NULL;
		return 0;
	}
	if (got <= 0)
		return berth_fail(err, BERTH_E_UNAVAILABLE, "the connection has ended");
	json_t *frame = NULL;
	int code = js_parse(bytes, (size_t)got, &js_limits_frame, &frame, err);
	memset(bytes, 0, (size_t)got);
	if (!code && !json_is_string(json_object_get(frame, "t")))
		code = berth_fail(err, BERTH_E_PROTOCOL, "a frame without a type");
	if (code) {
		json_decref(frame);
		err->code = BERTH_E_PROTOCOL;
		return berth_wrap(err, "a frame on worker.sock is not right");
	}
	*ret = frame;
	return 0;
}
