/* SPDX-License-Identifier: Apache-2.0 */
/* Calls of the control API: connects when first needed, sends what the
 * conventions ask for (Idempotency-Key, If-Match, Accept), turns problem
 * documents into errors, and follows the pages of a list.
 */
#ifndef CLIENT_API_H
#define CLIENT_API_H

#include "client/cli.h"

struct api_call {
	const char *method;
	const char *path;     /* with its query */
	const json_t *body;   /* NULL: none */
	const char *if_match; /* NULL: none */
	bool is_create_only;  /* If-None-Match: * */
	bool takes_text;      /* a body that is no JSON goes to c->text */
	uint32_t timeout_s;   /* 0: the usual 60 s */
};

/* Sends it and reads the answer. *ret_body is NULL for an empty answer; the
 * caller owns it. A status from 400 on is an error: c->problem has the
 * document, c->status the status. c->etag has the answer's ETag. */
MUST_USE int api_send(struct cli *c, const struct api_call *call, json_t **ret_body,
		      struct berth_error *err);
MUST_USE int api_get(struct cli *c, const char *path, json_t **ret_body, struct berth_error *err);
/* A list, following next until its end or limit items (0: all, at most
 * 100 000). The result is the first page's body with all items. */
MUST_USE int api_list(struct cli *c, const char *path, uint64_t limit, json_t **ret_body,
		      struct berth_error *err);
/* Sends a request whose answer's body is read by the caller as it comes. The
 * status is checked as in api_send. */
MUST_USE int api_stream(struct cli *c, const char *path, const char *accept,
			struct http_answer *ret_answer, struct berth_error *err);
void api_disconnect(struct cli *c);

/* The route with {N} replaced by operand N, percent-encoded; free(). */
char *api_route(const struct cli *c, const char *route) MUST_USE;
/* path with key=value added to its query, encoded; takes path. free(). */
char *api_query(char *take_path, const char *key, const char *value) MUST_USE;

#endif
