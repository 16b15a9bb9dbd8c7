/* SPDX-License-Identifier: Apache-2.0 */
/* The inside of a registry and of a request, for the files that share them:
 * registry.c (public face), request.c (a request's way through sending and
 * answers), auth.c (challenges and tokens), retry.c, redirect.c, answer.c.
 */
#ifndef CORE_OCI_REGISTRY_PRIVATE_H
#define CORE_OCI_REGISTRY_PRIVATE_H

#include "core/net/http.h"
#include "core/net/loop_private.h"
#include "core/net/url.h"
#include "core/oci/registry.h"
#include "core/oci/retry.h"

/* A token in the cache, or on its way there. */
struct token {
	struct token *next;
	struct registry *registry;
	char *scopes; /* separated by spaces; the key */
	char *header; /* "Authorization: Bearer ..."; NULL while there is none */
	uint64_t renew_ms, expires_ms;
	struct net_exchange *fetch; /* not NULL: on its way */
	struct net_timer *timer;    /* a pause before the next try */
	unsigned tries;
};

enum auth_mode { AUTH_UNKNOWN, AUTH_NONE, AUTH_BASIC, AUTH_BEARER };

struct registry {
	struct net_loop *loop;
	struct net_client *client;
	char *base_url;
	struct url_origin origin;
	char *auth_realms, *upload_hosts;
	char *basic_header, *bearer_header; /* whole header lines, or NULL */
	enum auth_mode mode;
	bool is_asking; /* the first request is on its way: the others wait for its answer */
	char *realm, *service, *scope_prefix;
	struct token *tokens;
	struct registry_request *requests;
	struct registry_counts counts;
	int (*cancelled)(void *user);
	void *cancelled_user;
	struct net_task watch;   /* over those that are in a pause, for a cancel */
	struct net_task release; /* of those that wait for the first answer */
	unsigned jitter;
	uint64_t hold_until_ms; /* nothing is sent before */
};

enum request_state {
	REQUEST_WAITS,       /* for the first answer of the registry */
	REQUEST_WAITS_TOKEN, /* for q->token */
	REQUEST_READY,       /* what it waited for has come */
	REQUEST_FAILS,       /* what it waited for will not come */
	REQUEST_RUNS,
	REQUEST_PAUSES, /* between two tries */
	REQUEST_ENDED
};
enum sent_auth { SENT_NONE, SENT_BASIC, SENT_BEARER, SENT_TOKEN };

struct registry_request {
	struct registry *registry;
	struct registry_request *next, *prev;
	struct registry_call call; /* its strings are owned */
	enum request_state state;
	char *url; /* where it goes now: the registry, or a redirect's target */
	struct net_exchange *exchange;
	struct net_timer *timer;
	struct token *token; /* waited for or used */
	uint64_t waited_ms;  /* in pauses that servers asked for */
	unsigned tries, redirects, challenges;
	enum sent_auth sent;
	bool is_foreign, public_only, asks_first, told_headers, has_fresh_token;
};

/* request.c */
MUST_USE int request_advance(struct registry_request *q, struct berth_error *err);
void request_finish(struct registry_request *q, const struct berth_error *err);
/* Sends it again from the beginning; ends it where that fails. */
void request_again(struct registry_request *q);
/* "GET /v2/a/manifests/b at https://host": never a query. */
void request_describe(const struct registry_request *q, char *to, size_t room);
/* Ends all that are REQUEST_FAILS. */
void request_fail_marked(struct registry *r, const struct berth_error *err);
/* Sends all that are REQUEST_READY. */
void request_run_ready(struct registry *r);
/* The first answer is in, or its request is gone: the others go on soon. */
void request_release(struct registry *r);
void request_release_task(struct net_task *t);

/* auth.c: the header line to send, NULL for none, or q->state is
 * REQUEST_WAITS_TOKEN. */
MUST_USE int auth_header(struct registry_request *q, const char **ret, struct berth_error *err);
/* A 401 came: prepares another try (true), or says why there is none. */
MUST_USE int auth_challenged(struct registry_request *q, struct berth_error *err);
void auth_free(struct registry *r);

/* retry.c: pauses and tries again where that is right; false: it is not. */
bool retry_after_failure(struct registry_request *q, const struct berth_error *err);
bool retry_after_status(struct registry_request *q, int status);
uint64_t retry_backoff_ms(struct registry *r, unsigned tries);
/* Is the registry held? Then q is sent when that is over. */
bool retry_is_held(struct registry_request *q);

/* redirect.c: q->url is the next place to ask, or why not. */
MUST_USE int redirect_follow(struct registry_request *q, struct berth_error *err);

/* answer.c: fills err from a status and its body. */
void answer_fail(const struct registry_request *q, int status, struct berth_error *err);
/* What is wrong with a 2xx answer's form (a web page, a compressed body). */
MUST_USE int request_check_answer(const struct registry_request *q, struct berth_error *err);

#endif
