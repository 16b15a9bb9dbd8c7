/* SPDX-License-Identifier: Apache-2.0 */
/* Challenges met and tokens kept. A registry's first 401 says how it wants to
 * be talked to; from then on a credential goes along from the start. Tokens
 * are asked for by GET, which every token server has, with one scope parameter
 * for each scope, and are kept by scope set until 80 % of their life.
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "core/base/clock.h"
#include "core/base/text.h"
#include "core/oci/challenge.h"
#include "core/oci/realm.h"
#include "core/oci/registry_private.h"
#include "core/oci/token.h"

#define TOKENS_MAX 512
#define TOKEN_BODY_BYTES ((size_t)256 << 10)
#define TOKEN_PAUSE_MAX_MS 5000 /* longer ones are the caller's to wait for */

static void token_free(struct token *t)
{
	net_timer_cancel(t->timer);
	net_exchange_free(t->fetch);
	if (t->header)
		explicit_bzero(t->header, strlen(t->header));
	free(t->header);
	free(t->scopes);
	free(t);
}

/* Takes it out of the cache; requests forget it. */
static void token_drop(struct token *t)
{
	struct registry *r = t->registry;
	for (struct token **at = &r->tokens; *at; at = &(*at)->next)
		if (*at == t) {
			*at = t->next;
			break;
		}
	for (struct registry_request *q = r->requests; q; q = q->next)
		if (q->token == t)
			q->token = NULL;
	token_free(t);
}

void auth_free(struct registry *r)
{
	while (r->tokens)
		token_drop(r->tokens);
}

static const char *actions_of(unsigned rights)
{
	bool push = rights & REGISTRY_PUSH, del = rights & REGISTRY_DELETE;
	return push && del ? "pull,push,delete" : push ? "pull,push" : del ? "pull,delete" : "pull";
}

static char *auth_scopes(const struct registry *r, const struct registry_call *call)
{
	const char *prefix = r->scope_prefix ? r->scope_prefix : "";
	if (call->rights & REGISTRY_CATALOG)
		return strdup("registry:catalog:*");
	if (!call->repository)
		return strdup("");
	if (call->mount_from)
		return text_printf("repository:%s%s:%s repository:%s%s:pull", prefix,
				   call->repository, actions_of(call->rights), prefix,
				   call->mount_from);
	return text_printf("repository:%s%s:%s", prefix, call->repository,
			   actions_of(call->rights));
}

/* A usable token, or one on its way, that covers the scopes. */
static struct token *token_find(struct registry *r, const char *scopes)
{
	uint64_t now = clock_monotonic_ms();
	for (struct token *t = r->tokens, *next; t; t = next) {
		next = t->next;
		if (t->header && now >= t->renew_ms)
			token_drop(t);
		else if (token_covers(t->scopes, scopes))
			return t;
	}
	return NULL;
}

static void forget_oldest(struct registry *r)
{
	unsigned count = 0;
	struct token *oldest = NULL;
	for (struct token *t = r->tokens; t; t = t->next) {
		count++;
		oldest = t->header ? t : oldest;
	}
	if (count >= TOKENS_MAX && oldest)
		token_drop(oldest);
}

/* Would it ask for less, had it asked by itself? A token server may refuse the whole
 * because of the rest (a mount's second repository). */
static bool wants_less(const struct registry_request *q, const struct token *t)
{
	AUTO_FREE char *own = auth_scopes(q->registry, &q->call);
	return own && strcmp(own, t->scopes) != 0;
}

/* Ends everyone who waits for t, which failed; t is gone after that. Who only joined in
 * asks for a token of its own. */
static void token_failed(struct token *t, const struct berth_error *err)
{
	struct registry *r = t->registry;
	struct berth_error mine = *err;
	for (struct registry_request *q = r->requests; q; q = q->next)
		if (q->token == t && q->state == REQUEST_WAITS_TOKEN)
			q->state = wants_less(q, t) ? REQUEST_READY : REQUEST_FAILS;
	token_drop(t);
	request_fail_marked(r, &mine);
	request_run_ready(r);
}

static void token_came(struct token *t)
{
	for (struct registry_request *q = t->registry->requests; q; q = q->next)
		if (q->token == t && q->state == REQUEST_WAITS_TOKEN) {
			q->state = REQUEST_READY;
			q->has_fresh_token = true;
		}
	request_run_ready(t->registry);
}

/* What the token server's answer asks for, as long as it may be; -1: nothing. */
static int64_t asked_pause_ms(const struct token *t)
{
	return retry_parse(net_exchange_header(t->fetch, "retry-after", 0), clock_unix_ms(),
			   net_client_limits(t->registry->client)->retry_after_max_ms);
}

static int fail_status(const struct token *t, int status, struct berth_error *err)
{
	struct url_origin o;
	struct berth_error ignored = ERROR_INIT;
	char shown[URL_HOST_ROOM + 16] = "the token server";
	if (!url_parse_origin(t->registry->realm, &o, &ignored))
		url_format_origin(&o, shown, sizeof shown);
	if (status == 401 && t->registry->basic_header)
		berth_fail_http(err, status, "the token server %s refused the user or the password",
				shown);
	else if (status == 401)
		berth_fail_http(err, status, "the token server %s asks for a user and a password",
				shown);
	else
		berth_fail_http(err, status, "no token from %s", shown);
	int64_t asked = asked_pause_ms(t);
	if (err->code == BERTH_E_THROTTLED || (status == 503 && asked >= 0)) {
		err->code = BERTH_E_THROTTLED;
		err->retry_ms = asked > 0 ? (uint32_t)asked : 0;
	}
	return err->code;
}

static void fetch_again(void *user);

static bool token_pause(struct token *t)
{
	struct registry *r = t->registry;
	struct berth_error err = ERROR_INIT;
	if (t->tries + 1 >= net_client_limits(r->client)->tries)
		return false;
	int64_t asked = asked_pause_ms(t);
	if (asked > TOKEN_PAUSE_MAX_MS)
		return false;
	uint64_t delay = asked >= 0 ? (uint64_t)asked : retry_backoff_ms(r, t->tries);
	if (net_timer_start(r->loop, delay, fetch_again, t, &t->timer, &err))
		return false; /* no memory for a timer: the failure stands as it is */
	t->tries++;
	r->counts.retries++;
	net_exchange_free(t->fetch);
	t->fetch = NULL;
	return true;
}

static int take_token(struct token *t, struct berth_error *err)
{
	const struct buf *body = net_exchange_body(t->fetch);
	struct token_answer answer = {0};
	int r = token_parse(buf_text(body), body->byte_count, &answer, err);
	if (r)
		return berth_wrap(err, "the token server's answer is no use");
	uint64_t now = clock_monotonic_ms(), life = (uint64_t)answer.expires_s * 1000;
	t->header = text_printf("Authorization: Bearer %s", answer.token);
	t->expires_ms = now + life;
	t->renew_ms = now + life / 5 * 4;
	token_answer_done(&answer);
	net_exchange_free(t->fetch);
	t->fetch = NULL;
	return t->header ? 0 : berth_fail_memory(err);
}

static void token_done(void *user, const struct berth_error *answer)
{
	struct token *t = user;
	struct berth_error err = *answer;
	int status = net_exchange_status(t->fetch);
	bool passing = err.code ? net_exchange_may_retry(t->fetch) : status == 429 || status >= 500;

	if (passing && token_pause(t))
		return;
	if (err.code)
		berth_wrap(&err, "no token from the token server");
	else if (status < 200 || status > 299)
		fail_status(t, status, &err);
	else if (!take_token(t, &err))
		token_came(t);
	if (err.code)
		token_failed(t, &err);
}

static char *token_url(const struct token *t)
{
	const struct registry *r = t->registry;
	AUTO_FREE char *service = text_url_encode(r->service ? r->service : "");
	char *url = service ? url_add_query(r->realm, "service", service) : NULL;
	const char *s = t->scopes;
	while (url && *s) {
		size_t n = strcspn(s, " ");
		AUTO_FREE char *one = strndup(s, n);
		AUTO_FREE char *coded = one ? text_url_encode(one) : NULL;
		AUTO_FREE char *before = url;
		url = coded ? url_add_query(before, "scope", coded) : NULL;
		s += n + (s[n] == ' ');
	}
	AUTO_FREE char *before = url;
	return url ? url_add_query(before, "client_id", "berth") : NULL;
}

static int fetch_start(struct token *t, struct berth_error *err)
{
	struct registry *r = t->registry;
	AUTO_FREE char *url = token_url(t);
	struct url_origin o;
	const char *lines[] = {"Accept: application/json", r->basic_header, NULL};
	if (!url)
		return berth_fail_memory(err);
	int rc = url_parse_origin(url, &o, err);
	if (rc)
		return rc;
	struct net_call call = {
		.method = "GET",
		.url = url,
		.headers = lines,
		.flags = strcmp(o.host, r->origin.host) != 0 ? NET_FOREIGN : 0u,
		.body_max_bytes = TOKEN_BODY_BYTES,
		.done = token_done,
		.user = t,
	};
	r->counts.token_requests++;
	return net_exchange_start(r->client, &call, &t->fetch, err);
}

static void fetch_again(void *user)
{
	struct token *t = user;
	struct berth_error err = ERROR_INIT;
	t->timer = NULL;
	if (fetch_start(t, &err))
		token_failed(t, &err);
}

static int token_new(struct registry *r, char *take_scopes, struct token **ret,
		     struct berth_error *err)
{
	struct token *t = calloc(1, sizeof *t);
	if (!t) {
		free(take_scopes);
		return berth_fail_memory(err);
	}
	forget_oldest(r);
	t->registry = r;
	t->scopes = take_scopes;
	t->next = r->tokens;
	r->tokens = t;
	int rc = fetch_start(t, err);
	if (rc)
		token_drop(t);
	else
		*ret = t;
	return rc;
}

static int token_header(struct registry_request *q, const char **ret, struct berth_error *err)
{
	struct registry *r = q->registry;
	AUTO_FREE char *scopes = auth_scopes(r, &q->call);
	if (!scopes)
		return berth_fail_memory(err);
	struct token *t = token_find(r, scopes);
	int rc = t ? 0 : token_new(r, STEAL(scopes), &t, err);
	if (rc)
		return rc;
	q->token = t;
	if (!t->header) {
		q->state = REQUEST_WAITS_TOKEN;
		return 0;
	}
	q->sent = SENT_TOKEN;
	*ret = t->header;
	return 0;
}

int auth_header(struct registry_request *q, const char **ret, struct berth_error *err)
{
	struct registry *r = q->registry;
	q->sent = SENT_NONE;
	*ret = NULL;
	q->state = REQUEST_RUNS;
	if (r->bearer_header) {
		q->sent = SENT_BEARER;
		*ret = r->bearer_header;
	} else if (r->mode == AUTH_BEARER) {
		return token_header(q, ret, err);
	} else if (r->mode == AUTH_BASIC && r->basic_header) {
		q->sent = SENT_BASIC;
		*ret = r->basic_header;
	}
	return 0;
}

/* --- a 401 --- */

static int fail_refused(const struct registry_request *q, const struct challenge *c,
			struct berth_error *err)
{
	const struct registry *r = q->registry;
	char what[200];
	bool short_of_rights = !strcmp(c->error, "insufficient_scope");

	request_describe(q, what, sizeof what);
	answer_fail(q, 401, err);
	char cause[sizeof err->cause];
	memcpy(cause, err->cause, sizeof cause);
	if (q->sent == SENT_BEARER)
		berth_fail_http(err, 401, "%s: the access token was refused", what);
	else if (!r->basic_header)
		berth_fail_http(err, 401, "%s: the registry asks for a user and a password", what);
	else if (q->sent == SENT_TOKEN && short_of_rights)
		berth_fail_http(err, 403, "%s: the user has not the right for it", what);
	else if (q->sent == SENT_TOKEN)
		berth_fail_http(err, 401,
				"%s: the user, the password or the user's rights were "
				"refused",
				what);
	else
		berth_fail_http(err, 401, "%s: the user or the password was refused", what);
	return berth_cause(err, "%s", cause);
}

/* Behind some gateways a repository has a longer name at the token server:
 * what stands before our name in the challenge's scope goes before all. */
static void learn_prefix(struct registry *r, const char *scope, const char *repository)
{
	size_t n = repository ? strlen(repository) : 0;
	const char *name = !strncmp(scope, "repository:", 11) ? scope + 11 : "";
	size_t name_bytes = strcspn(name, ": ");
	if (!n || r->scope_prefix || name_bytes <= n || name[name_bytes - n - 1] != '/' ||
	    strncmp(name + name_bytes - n, repository, n) != 0)
		return;
	r->scope_prefix = strndup(name, name_bytes - n);
}

static int adopt_bearer(struct registry_request *q, const struct challenge *c,
			struct berth_error *err)
{
	struct registry *r = q->registry;
	int rc = realm_check(c->realm, &r->origin, r->auth_realms, err);
	if (rc)
		return rc;
	char *realm = strdup(c->realm), *service = strdup(c->service);
	if (!realm || !service) {
		free(realm);
		free(service);
		return berth_fail_memory(err);
	}
	free(r->realm);
	free(r->service);
	r->realm = realm;
	r->service = service;
	r->mode = AUTH_BEARER;
	learn_prefix(r, c->scope, q->call.repository);
	return 0;
}

/* Nothing in the challenge that we know how to meet: say what there was. */
static int fail_unknown(const struct registry_request *q, struct berth_error *err)
{
	const char *header = net_exchange_header(q->exchange, "www-authenticate", 0);
	char what[200], scheme[24] = "";
	request_describe(q, what, sizeof what);
	for (size_t n = 0; header && n + 1 < sizeof scheme; n++) {
		char c = header[n];
		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-'))
			break;
		scheme[n] = c;
		scheme[n + 1] = 0;
	}
	if (!*scheme)
		return berth_fail_http(err, 401,
				       "%s: the registry asks for credentials and does not say how "
				       "(no usable WWW-Authenticate)",
				       what);
	if (!strcasecmp(scheme, "bearer"))
		return berth_fail_http(err, 401,
				       "%s: the registry asks for a token and does not say where "
				       "(no realm that can be read)",
				       what);
	return berth_fail_http(err, 401,
			       "%s: the registry asks for credentials in a way that Berth does not "
			       "know: %s",
			       what, scheme);
}

/* The first thing that it can be met by. Basic also where the token server that is named
 * beside it is no use: the registry takes both. */
static int adopt(struct registry_request *q, const struct challenge *c, struct berth_error *err)
{
	bool may_basic = c->has_basic && q->sent == SENT_NONE && q->registry->basic_header;
	int r = c->has_bearer ? adopt_bearer(q, c, err) : 0;
	if (c->has_bearer && (!r || !may_basic))
		return r;
	if (may_basic) {
		q->registry->mode = AUTH_BASIC;
		return 0;
	}
	if (!c->has_basic && q->sent == SENT_NONE)
		return fail_unknown(q, err);
	return fail_refused(q, c, err);
}

int auth_challenged(struct registry_request *q, struct berth_error *err)
{
	struct challenge c = {0};
	const char *header;

	for (int i = 0; i < 8 && (header = net_exchange_header(q->exchange, "www-authenticate", i));
	     i++)
		challenge_parse(header, &c);
	bool is_final = q->challenges++ > 0 || q->sent == SENT_BEARER ||
			(q->sent == SENT_TOKEN && q->has_fresh_token);
	if (is_final || (q->call.produce && net_exchange_moved(q->exchange)))
		return fail_refused(q, &c, err);
	if (q->sent != SENT_TOKEN)
		return adopt(q, &c, err);
	if (q->token)
		token_drop(q->token);
	return c.has_bearer ? adopt_bearer(q, &c, err) : 0;
}
