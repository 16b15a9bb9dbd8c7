/* SPDX-License-Identifier: Apache-2.0 */
/* The life of an exchange: see http.h. Handles rest in the client between
 * uses; starts, resumes and ends wait for the next round of the loop where
 * libcurl would not allow them at once.
 */
#include "core/net/http.h"

#include <stdlib.h>
#include <sys/ioctl.h>

#include "core/base/clock.h"
#include "core/net/address.h"
#include "core/net/http_private.h"

#define IDLE_MAX 16
#define ERROR_BODY_BYTES ((size_t)64 << 10) /* of an answer that is no success */
#define BODY_BYTES ((size_t)4 << 20)

static void unlink_active(struct net_exchange *x)
{
	struct net_client *c = x->client;
	if (x->prev)
		x->prev->next = x->next;
	else if (c->active == x)
		c->active = x->next;
	if (x->next)
		x->next->prev = x->prev;
	x->next = x->prev = NULL;
}

static void link_active(struct net_exchange *x)
{
	struct net_client *c = x->client;
	x->prev = NULL;
	x->next = c->active;
	if (x->next)
		x->next->prev = x;
	c->active = x;
}

static void leave_multi(struct net_exchange *x)
{
	if (x->in_multi)
		curl_multi_remove_handle(net_loop_multi(x->client->loop), x->easy);
	x->in_multi = false;
}

/* Takes x out of the loop and of the lists; its memory stays. */
static void detach(struct net_exchange *x)
{
	net_task_drop(&x->task);
	leave_multi(x);
	if (x->client->idle == x)
		x->client->idle = x->next;
	else
		unlink_active(x);
	curl_slist_free_all(x->lines);
	x->lines = NULL;
}

void net_exchange_destroy(struct net_exchange *x)
{
	detach(x);
	if (x->easy)
		curl_easy_cleanup(x->easy);
	buf_done(&x->head);
	buf_done(&x->body);
	free(x);
}

/* Keeps the handle for the next use, or lets go of it. */
static void retire(struct net_exchange *x)
{
	struct net_client *c = x->client;
	if (!x->easy || c->idle_count >= IDLE_MAX) {
		net_exchange_destroy(x);
		return;
	}
	detach(x);
	curl_easy_setopt(x->easy, CURLOPT_HTTPHEADER, NULL);
	buf_done(&x->body);
	x->next = c->idle;
	c->idle = x;
	c->idle_count++;
}

static void begin(struct net_exchange *x)
{
	CURLMcode r = curl_multi_add_handle(net_loop_multi(x->client->loop), x->easy);
	x->wants_start = false;
	x->started_ms = clock_monotonic_ms();
	if (x->call.produce && !x->call.stream_byte_count)
		x->sent_ms = x->started_ms; /* libcurl asks for none of it */
	if (r == CURLM_OK) {
		x->in_multi = true;
		return;
	}
	berth_fail(&x->failure, BERTH_E_INTERNAL, "cannot start a request: %s",
		   curl_multi_strerror(r));
	net_exchange_ended(x, CURLE_FAILED_INIT);
}

static void run_task(struct net_task *t)
{
	struct net_exchange *x =
		(struct net_exchange *)(void *)((char *)t - offsetof(struct net_exchange, task));
	if (x->dead) {
		retire(x);
	} else if (x->wants_start) {
		begin(x);
	} else if (x->wants_resume) {
		x->wants_resume = x->recv_paused = x->send_paused = false;
		x->pace.mark_ms = 0;
		curl_easy_pause(x->easy, CURLPAUSE_CONT);
	}
}

static struct net_exchange *take_idle(struct net_client *c)
{
	struct net_exchange *x = c->idle;
	if (!x)
		return NULL;
	c->idle = x->next;
	c->idle_count--;
	struct net_exchange fresh = {.client = c, .easy = x->easy, .head = x->head};
	*x = fresh;
	buf_reset(&x->head);
	return x;
}

static int make(struct net_client *c, struct net_exchange **ret, struct berth_error *err)
{
	struct net_exchange *x = take_idle(c);
	if (!x) {
		x = calloc(1, sizeof *x);
		if (!x)
			return berth_fail_memory(err);
		x->client = c;
		buf_init(&x->head, c->settings.limits.header_max_bytes);
	}
	x->failure = (struct berth_error)ERROR_INIT;
	x->task.run = run_task;
	link_active(x);
	*ret = x;
	return x->easy ? 0 : net_easy_new(x, err);
}

static int set_call(struct net_exchange *x, const struct net_call *call, struct berth_error *err)
{
	struct url_origin origin;
	int r = url_parse_origin(call->url, &origin, err);
	if (r)
		return r;
	url_format_origin(&origin, x->origin, sizeof x->origin);
	if (!origin.is_https && !x->client->settings.allow_http)
		return berth_fail(err, BERTH_E_DENIED, "%s is plain http, which is not used here",
				  x->origin);
	x->call = *call;
	r = net_easy_check_literal(x, origin.host, err);
	if (r)
		return r;
	x->call.method = x->call.url = NULL;
	x->call.headers = NULL;
	buf_init(&x->body, call->body_max_bytes ? call->body_max_bytes : BODY_BYTES);
	return net_easy_set_call(x, call, err);
}

int net_exchange_start(struct net_client *c, const struct net_call *call, struct net_exchange **ret,
		       struct berth_error *err)
{
	struct net_exchange *x = NULL;
	int r = make(c, &x, err);
	if (!r)
		r = set_call(x, call, err);
	if (r) {
		if (x)
			net_exchange_destroy(x);
		return r;
	}
	x->wants_start = true;
	net_task_queue(c->loop, &x->task);
	*ret = x;
	return 0;
}

void net_exchange_resume(struct net_exchange *x)
{
	if (x->dead || !(x->recv_paused || x->send_paused))
		return;
	x->wants_resume = true;
	net_task_queue(x->client->loop, &x->task);
}

size_t net_exchange_waiting(const struct net_exchange *x)
{
	curl_socket_t fd = CURL_SOCKET_BAD;
	int byte_count = 0;
	if (curl_easy_getinfo(x->easy, CURLINFO_ACTIVESOCKET, &fd) || fd == CURL_SOCKET_BAD ||
	    ioctl(fd, FIONREAD, &byte_count) || byte_count < 0)
		return 0;
	return (size_t)byte_count;
}

void net_exchange_free(struct net_exchange *x)
{
	if (!x)
		return;
	if (!x->in_multi) {
		retire(x);
		return;
	}
	x->dead = true; /* perhaps inside of libcurl: at the next round */
	net_task_queue(x->client->loop, &x->task);
}

void net_exchange_ended(void *owner, CURLcode result)
{
	struct net_exchange *x = owner;
	struct berth_error err = ERROR_INIT;
	void (*done)(void *user, const struct berth_error *err) = x->call.done;

	if (x->dead)
		return; /* its task retires it */
	leave_multi(x);
	net_task_drop(&x->task);
	x->wants_start = false;
	if (result != CURLE_OK && !x->body_cut)
		net_explain(x, result, &err);
	else if (!x->status)
		berth_fail(&err, BERTH_E_PROTOCOL, "%s does not answer in HTTP", x->origin);
	x->dead = true; /* no further end, whatever done does */
	done(x->call.user, &err);
}

/* --- called by libcurl --- */

size_t net_on_header(char *line, size_t size, size_t count, void *user)
{
	struct net_exchange *x = user;
	size_t n = size * count;
	if (x->dead)
		return 0;
	if (x->in_body)
		return n; /* a trailer after a chunked body: no bytes that are due */
	x->moved_bytes += n;
	if (net_headers_line(x, line, n))
		return 0;
	bool is_end = n <= 2 && (line[0] == '\r' || line[0] == '\n');
	if (!is_end || x->status < 200)
		return n;
	x->in_body = true;
	x->head_ms = clock_monotonic_ms();
	if (x->call.headers_in)
		x->call.headers_in(x->call.user);
	return x->dead ? 0 : n;
}

static size_t keep_body(struct net_exchange *x, const char *bytes, size_t n)
{
	bool ok = x->status >= 200 && x->status < 300;
	size_t room = (ok ? x->body.max : ERROR_BODY_BYTES) - x->body.byte_count;
	if (n <= room)
		return buf_add(&x->body, bytes, n, &x->failure) ? 0 : n;
	if (ok) {
		berth_fail(&x->failure, BERTH_E_LIMIT, "%s sent a body of more than %zu bytes",
			   x->origin, x->body.max);
		return 0;
	}
	x->body_cut = true; /* what came says enough */
	return 0;
}

size_t net_on_write(char *bytes, size_t size, size_t count, void *user)
{
	struct net_exchange *x = user;
	size_t n = size * count;
	if (x->dead)
		return 0;
	if (!x->call.consume || x->status < 200 || x->status > 299) {
		x->moved_bytes += n;
		return keep_body(x, bytes, n);
	}
	ssize_t taken = x->call.consume(x->call.user, bytes, n);
	if (x->dead)
		return 0;
	if (taken == NET_PAUSE) {
		x->recv_paused = true;
		return CURL_WRITEFUNC_PAUSE;
	}
	x->moved_bytes += n;
	x->body_moved = true;
	if (taken == (ssize_t)n)
		return n;
	berth_fail(&x->failure, BERTH_E_CANCELLED, "the answer of %s was not taken to its end",
		   x->origin);
	return 0;
}

size_t net_on_read(char *to, size_t size, size_t count, void *user)
{
	struct net_exchange *x = user;
	if (x->dead || !x->call.produce)
		return CURL_READFUNC_ABORT;
	ssize_t n = x->call.produce(x->call.user, to, size * count);
	if (x->dead)
		return CURL_READFUNC_ABORT;
	if (n == NET_PAUSE) {
		x->send_paused = true;
		return CURL_READFUNC_PAUSE;
	}
	if (n < 0) {
		berth_fail(&x->failure, BERTH_E_CANCELLED, "the body for %s was given up",
			   x->origin);
		return CURL_READFUNC_ABORT;
	}
	x->sent_bytes += (uint64_t)n;
	x->moved_bytes += (uint64_t)n;
	x->body_moved = x->body_moved || n;
	if (!n || (int64_t)x->sent_bytes == x->call.stream_byte_count)
		x->sent_ms = clock_monotonic_ms();
	return (size_t)n;
}

/* --- asked by the caller --- */

int net_exchange_status(const struct net_exchange *x)
{
	return x->status;
}

const struct buf *net_exchange_body(const struct net_exchange *x)
{
	return &x->body;
}

bool net_exchange_moved(const struct net_exchange *x)
{
	return x->body_moved;
}

bool net_exchange_may_retry(const struct net_exchange *x)
{
	return x->may_retry;
}

bool net_exchange_was_public(const struct net_exchange *x)
{
	struct sockaddr_storage a;
	char *text = NULL;
	curl_easy_getinfo(x->easy, CURLINFO_PRIMARY_IP, &text);
	return text && address_parse(text, &a) && address_is_public((const struct sockaddr *)&a);
}
