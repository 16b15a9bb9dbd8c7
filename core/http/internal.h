/* SPDX-License-Identifier: Apache-2.0 */
/* What the parts of core/http share: connections, requests, answers, and the
 * server that owns them. Nobody outside of core/http includes this.
 *
 *   server.c    accepts, watches, keeps deadlines    exchange.c  one request's way
 *   head.c      checks a request's head              request.c   what handlers ask
 *   answer.c    what handlers answer                 send.c      answer to response
 */
#ifndef CORE_HTTP_INTERNAL_H
#define CORE_HTTP_INTERNAL_H

#include <microhttpd.h>

#include "core/access/access.h"
#include "core/base/buf.h"
#include "core/http/hooks.h"
#include "core/http/problem.h"
#include "core/http/route.h"
#include "core/http/server.h"

#define QUERY_MAX 32
#define HEADERS_MAX 12
#define TOPIC_ROOM 96

struct pair {
	char *name, *value; /* owned */
};
struct answer {
	struct request *request;
	int status; /* 0: nothing answered yet */
	json_t *body;
	char *text; /* instead of body */
	const char *media_type;
	struct pair headers[HEADERS_MAX];
	size_t header_count;
	bool lacks_header;   /* there was no memory for one */
	const char *problem; /* its code, or NULL */
	bool is_held, is_woken, has_timed_out;
	uint32_t hold_s;
	char topic[TOPIC_ROOM];
	struct stream *stream; /* owned until the response is made */
	bool closes;           /* the connection ends with it */
};

struct request {
	struct http_server *server;
	struct conn *conn;
	struct answer answer;
	char *target;    /* as sent */
	char *path_text; /* the part before the question mark */
	struct route_path path;
	const struct route *route;
	struct grants grants; /* of the caller, once they were needed */
	struct pair query[QUERY_MAX];
	size_t query_count;
	char id[65];
	char method[16];
	bool is_head, has_body, head_is_done, is_begun, is_sent;
	struct buf body_bytes;
	json_t *body;
	const char *accepts;
	uint32_t wait_s;
	struct http_key key;
	bool key_is_open;
	bool change_is_open, is_audited;
	struct MHD_Response *response; /* built and not yet sent, or NULL */
	json_t *before, *after;        /* of the resource, for the audit row; or NULL */
	void *kept;
	void (*release)(void *kept);
	uint64_t started_us;
};

enum conn_state {
	CONN_IDLE,   /* between two requests, nothing read */
	CONN_HEAD,   /* a head is coming */
	CONN_BODY,   /* a body is coming */
	CONN_ANSWER, /* being handled or written */
	CONN_HELD,   /* asleep until a wake or the deadline */
	CONN_STREAM
};
struct conn {
	struct conn *next, *previous;
	struct http_server *server;
	struct MHD_Connection *mhd;
	int fd; /* libmicrohttpd closes it */
	struct caller caller;
	enum conn_state state;
	bool is_gone;                      /* the client hung up while asleep */
	bool is_asleep;                    /* suspended in libmicrohttpd */
	uint64_t deadline_ms, body_end_ms; /* 0: none */
	struct request *request;
	struct stream *stream; /* borrowed from its response */
};

#define STATUS_CLASSES 6
#define DURATION_BUCKETS 10
struct http_counters {
	uint64_t *by_route; /* [route_count + 1][STATUS_CLASSES]; the last: no route */
	uint64_t durations[DURATION_BUCKETS + 1];
	uint64_t duration_us, duration_count;
	uint64_t accepted, refused_total, refused_user, refused_resources;
	uint64_t expired_heads, expired_bodies, expired_answers;
	uint64_t streams_cut;
};
extern const uint32_t duration_bounds_us[DURATION_BUCKETS];

struct http_server {
	struct http_config config;
	int listen_fd, epoll_fd, reserve_fd;
	struct MHD_Daemon *mhd;
	int mhd_fd;
	struct conn *conns;
	struct conn *accepting;
	size_t conn_count, stream_count;
	bool is_draining;
	uint64_t refusal_second; /* the last with a refusal, and how many it had */
	uint32_t refusal_count;
	struct http_counters counters;
};

uint64_t monotonic_us(void);

/* server.c */
/* Takes over an accepted socket, closing it where limits say so. */
void server_adopt(struct http_server *s, int fd);
/* Ends a connection from outside of libmicrohttpd: where nothing was answered
 * yet, with this problem written straight to the socket; code NULL: without. */
void conn_cut(struct conn *c, const char *code);
void conn_state(struct conn *c, enum conn_state state);
void conn_sleep(struct conn *c); /* suspends it and watches for a hang-up */
void conn_wake(struct conn *c);

/* request.c */
struct request *request_new(struct conn *c, const char *target);
void request_free(struct request *q);
/* Asks the store for the caller's grants, once; the hook may be absent. */
MUST_USE int request_load_grants(struct request *q, struct berth_error *err);
/* head.c: checks all that the head says and fills the request; on a fault the
 * answer is set. version: "HTTP/1.1". */
void head_check(struct request *q, const char *method, const char *version);
/* query.c: splits and checks the query; on a fault the answer is set. */
void query_check(struct request *q, const char *query);
/* The chosen one of produces (ends with NULL), or NULL: none will do. accept:
 * the header, or NULL. */
const char *accept_choose(const char *accept, const char *const *produces);

/* answer.c */
void answer_clear(struct answer *a);
/* A problem of core/http's own with a detail. */
void refuse(struct request *q, const char *code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* etag.c */
#define ETAG_ROOM 72
void etag_make(const json_t *desired, int64_t generation, char *to);
/* Is etag in the list of an If-Match (strong) or If-None-Match (weak) header? */
bool etag_in_list(const char *list, const char *etag, bool is_weak);

/* send.c: the answer as a response; what the audit says of the request. */
struct http_audit request_audit(const struct request *q);
/* Makes all of the answer that needs memory, before what it tells of is final; send takes
 * it. False: there is none for it. */
MUST_USE bool answer_build(struct request *q);
void answer_unbuild(struct request *q); /* another answer follows */
enum MHD_Result answer_send(struct request *q);
/* A whole response of that problem as bytes, for sockets without a parser. */
size_t problem_bytes(const char *code, const char *id, char *to, size_t room);

/* stream.c */
struct MHD_Response *stream_response(struct stream *s);
void stream_started(struct stream *s); /* the response is queued */
void stream_comment(struct stream *s);
void stream_gone(struct stream *s);
void stream_free_unsent(struct stream *s);

/* exchange.c */
enum MHD_Result exchange_turn(struct request *q, const char *method, const char *version,
			      const char *data, size_t *data_count);

#endif
