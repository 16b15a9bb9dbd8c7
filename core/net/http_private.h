/* SPDX-License-Identifier: Apache-2.0 */
/* The inside of an exchange and of a client, for the files of core/net that
 * make handles (easy.c), read headers (headers.c), judge time and failures
 * (explain.c) and drive both (http.c).
 */
#ifndef CORE_NET_HTTP_PRIVATE_H
#define CORE_NET_HTTP_PRIVATE_H

#include "core/net/http.h"
#include "core/net/loop_private.h"
#include "core/net/url.h"

struct net_client {
	struct net_loop *loop;
	struct net_settings settings; /* its strings are owned */
	int ca_fd;                    /* the private authority for old libcurl, or -1 */
	int64_t skew_s;
	struct net_exchange *active; /* a list by next, prev */
	struct net_exchange *idle;   /* handles to use again, by next */
	unsigned idle_count;
	struct net_task tick;
};

/* How fast an exchange moved since a moment, for the low-speed rule. */
struct net_pace {
	uint64_t mark_ms, slow_ms; /* slow_ms: 0 or since when it was too slow */
	uint64_t mark_bytes;
};

struct net_exchange {
	struct net_client *client;
	struct net_exchange *next, *prev;
	struct net_task task; /* start, resume or free at the next round */
	CURL *easy;
	struct curl_slist *lines;
	struct net_call call;            /* method, url, headers are not kept */
	char origin[URL_HOST_ROOM + 16]; /* for errors */
	struct buf head;                 /* kept headers: name NUL value NUL ... */
	struct buf body;
	size_t header_bytes;
	int status;
	uint64_t started_ms, sent_ms; /* sent_ms: when the streamed body ended */
	uint64_t head_ms;             /* when the answer's head was whole */
	uint64_t sent_bytes, moved_bytes;
	struct net_pace pace;
	struct berth_error failure; /* our own reason; code 0 while there is none */
	bool in_multi, dead, in_body;
	bool wants_start, wants_resume, recv_paused, send_paused;
	bool body_moved, body_cut, may_retry;
	int refused; /* once an address was: BERTH_E_ADDRESS, or what allow_address says */
	char refused_text[64];
	char error_text[CURL_ERROR_SIZE];
};

/* easy.c */
MUST_USE int net_easy_new(struct net_exchange *x, struct berth_error *err);
MUST_USE int net_easy_set_call(struct net_exchange *x, const struct net_call *call,
			       struct berth_error *err);
/* The address rule for a target that is written as an address. */
MUST_USE int net_easy_check_literal(struct net_exchange *x, const char *host,
				    struct berth_error *err);
/* http.c */
void net_exchange_destroy(struct net_exchange *x);
/* http.c, given to libcurl by easy.c */
size_t net_on_header(char *line, size_t size, size_t count, void *user);
size_t net_on_write(char *bytes, size_t size, size_t count, void *user);
size_t net_on_read(char *to, size_t size, size_t count, void *user);
/* headers.c: one line of the head; BERTH_E_LIMIT over the cap. */
MUST_USE int net_headers_line(struct net_exchange *x, const char *line, size_t byte_count);
/* explain.c: fills err from what libcurl and we know of the failure. */
void net_explain(struct net_exchange *x, CURLcode result, struct berth_error *err);
/* limits.c: has it gone on for too long or too slowly? Fills x->failure then. */
bool net_too_slow(struct net_exchange *x, uint64_t now_ms);
void net_limits_defaults(struct net_limits *l);

#endif
