/* SPDX-License-Identifier: Apache-2.0 */
/* What answers on the socket may say anything: heads, chunks, streams. */
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "client/http.h"

static void read_one(struct http *h, const char *method)
{
	struct berth_error err = ERROR_INIT;
	struct http_answer a = {0};
	struct buf body = {.max = 1 << 20};
	char value[64];

	if (!http_read_head(h, method, &a, &err)) {
		http_header(&a, "ETag", value, sizeof(value));
		if (http_read_body(h, &a, &body, &err))
			h->is_broken = true;
	}
	buf_done(&body);
	http_answer_done(&a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct http h;
	int ends[2];

	if (size > 60000 || socketpair(AF_UNIX, SOCK_STREAM, 0, ends))
		return 0;
	if (send(ends[1], data, size, MSG_DONTWAIT) == (ssize_t)size) {
		shutdown(ends[1], SHUT_WR);
		http_init(&h, ends[0]);
		read_one(&h, size % 2 ? "GET" : "HEAD");
		if (!h.is_broken) /* kept alive: the next answer */
			read_one(&h, "GET");
		http_done(&h);
	}
	close(ends[0]);
	close(ends[1]);
	return 0;
}
