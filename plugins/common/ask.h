/* SPDX-License-Identifier: Apache-2.0 */
/* Asking a server's own API (not /v2/): one exchange to its end, JSON or text,
 * errors in the server's words. For the plugins whose servers have one; uses
 * the registry's HTTP client, so TLS, limits and address rule are the same.
 * net_exchange_header knows the headers that core/net/headers.c lists and no
 * others: one that only your server sends needs its line there.
 */
#ifndef PLUGINS_COMMON_ASK_H
#define PLUGINS_COMMON_ASK_H

#include "core/base/js.h"
#include "core/net/http.h"
#include "plugins/common/remote.h"

SCOPE_TYPE(net_exchange, struct net_exchange, net_exchange_free)

#define ASK_LINES_MAX 16
/* Header lines of a request, "Name: value" each, kept together in one buffer. */
struct ask_lines {
	struct buf text;
	const char *lines[ASK_LINES_MAX + 1]; /* ends with NULL */
	size_t count;
};
MUST_USE int ask_lines_init(struct ask_lines *l, struct berth_error *err);
void ask_lines_done(struct ask_lines *l);
/* Adds a line; nothing where value is NULL. BERTH_E_LIMIT when there is no room. */
MUST_USE int ask_lines_add(struct ask_lines *l, const char *name, const char *value,
			   struct berth_error *err);
#define AUTO_ASK_LINES CLEANUP(ask_lines_done)

/* What may come back from an API: 32 MiB, a million values. */
extern const struct js_limits ask_limits;

/* Sends and waits. body NULL: none. The caller frees *ret. */
MUST_USE int ask_exchange(struct remote *r, const char *method, const char *url,
			  const struct ask_lines *lines, const char *body,
			  struct net_exchange **ret, struct berth_error *err);
/* The error of a status that was not wanted: what was asked (without its
 * query), the server's own words where it has any, and when to come again. A
 * redirect, which is never followed, is named with where it leads. */
MUST_USE int ask_fail(struct remote *r, const char *method, const char *path,
		      struct net_exchange *x, struct berth_error *err);
/* The body as JSON; *ret stays NULL where it is empty. HTML is named as that, and
 * {"errors":[...]} under a status of success is an error (BERTH_E_PROTOCOL). */
MUST_USE int ask_json(const char *method, const char *path, const struct net_exchange *x,
		      json_t **ret, struct berth_error *err);
/* The same of a body that need not be JSON: *ret is its text; free(). */
MUST_USE int ask_text(const char *method, const char *path, const struct net_exchange *x,
		      char **ret, struct berth_error *err);
/* Calls once until it goes well or fails for good, at most net.tries times: a read again
 * after what may pass, anything after a 429, which says that nothing was done. A pause
 * longer than an answer may take (net.answer_ms), or than the call has time, is told and
 * not waited for. once begins anew each time. */
typedef int ask_once(void *user, struct berth_error *err);
MUST_USE int ask_again(struct remote *r, bool is_read, ask_once *once, void *user,
		       struct berth_error *err);

/* How far one list has come. net.pages_max is meant for pages of 1 000 entries, as they
 * are asked for under /v2/; of smaller ones as many more are allowed. */
struct ask_list {
	const char *path;      /* for the error; its query is left out */
	uint32_t page_size;    /* entries asked for at once, not 0 */
	uint64_t pages, items; /* counted by the caller: before a page, and after it */
};
/* BERTH_E_LIMIT where it is over net.pages_max or net.items_max: what is cut short must
 * not pass for the whole. */
MUST_USE int ask_list_check(struct remote *r, const struct ask_list *l, struct berth_error *err);
/* "Basic ..." of a user and password; free(). NULL without memory. */
char *ask_basic(const char *username, const char *password) MUST_USE;
/* A slot's JSON argument, an object. */
MUST_USE int ask_argument(const char *text, json_t **ret, struct berth_error *err);

#endif
