/* SPDX-License-Identifier: Apache-2.0 */
/* What stands behind an answer that was not wanted, said in one sentence with
 * what to do about it; the server's own words stay in the cause. Runs in a job.
 * The API server answers in a Status object, or in text where it does not get
 * that far: 429, and 404 of a path that it does not have (seen at 1.34.4).
 */
#include "kube.h"

#include <stdio.h>
#include <string.h>

#include "core/base/text.h"

/* Is the reason among details.causes? */
static bool has_cause(const json_t *status, const char *reason)
{
	const json_t *one;
	size_t i;
	json_array_foreach (json_object_get(json_object_get(status, "details"), "causes"), i, one)
		if (!strcmp(js_str(one, "reason", ""), reason))
			return true;
	return false;
}

static int refused(const struct kube *k, struct berth_error *err)
{
	if (k->token)
		return berth_wrap(err, "the API server refused the token: it is wrong, revoked or "
				       "expired; give a new one");
	if (k->has_certificate)
		return berth_wrap(err, "the API server refused the client certificate: of another "
				       "authority, or expired");
	return berth_wrap(err, "the API server wants a token or a client certificate");
}

/* By status and by a word of the server's (NULL: any). code 0 leaves it; once:
 * asking again changes nothing. */
static const struct {
	int status, code;
	const char *word;
	bool once;
	const char *sentence;
} known[] = {
	{403, BERTH_E_QUOTA, "exceeded quota", false,
	 "a ResourceQuota of the namespace has no room for it: raise that"},
	{403, BERTH_E_UNAVAILABLE, "status unknown for quota", false,
	 "the cluster has not counted what its ResourceQuota counts: ask later"},
	{403, BERTH_E_DENIED, "admission webhook", true,
	 "an admission webhook of the cluster forbids it: its rule has to let it pass"},
	{400, BERTH_E_DENIED, "admission webhook", true,
	 "an admission webhook of the cluster forbids it: its rule has to let it pass"},
	{403, BERTH_E_DENIED, "is forbidden: User", false,
	 "the cluster's user lacks a right: give it the role that the cause asks for"},
	{404, BERTH_E_PROTOCOL, "404 page not found", true,
	 "the API server does not have this path: is it Kubernetes 1.22 or newer?"},
	{404, BERTH_E_PROTOCOL, "HTML page", true,
	 "no Kubernetes API at this address: is a path prefix missing, or one too many?"},
	{404, BERTH_E_NOT_FOUND, "namespaces \"", false, "the namespace does not exist"},
	{409, BERTH_E_CONFLICT, "object is being deleted", false,
	 "the namespace is being deleted: nothing can be made in it"},
	{409, BERTH_E_CONFLICT, "Apply failed with", true,
	 "somebody else manages this object: it is left as it is"},
	{410, 0, NULL, false, "the list became too old while it was read: ask again"},
	{413, BERTH_E_LIMIT, NULL, true, "the object is too large for the API server"},
	{429, 0, NULL, false, "the API server limits how often we may ask: ask later"},
	{500, BERTH_E_UNAVAILABLE, "failed calling webhook", false,
	 "an admission webhook of the cluster does not answer: is what runs it there?"},
	{502, 0, NULL, false, "a proxy before the API server can't reach it"},
	{503, 0, NULL, false, "the API server is down, or starts: ask later"},
	{504, BERTH_E_UNAVAILABLE, NULL, false,
	 "the API server did not answer in time: is its etcd slow?"},
};

/* A write that fails with 500 and no reason fails so for ever: the object could
 * not be read (an unknown field, a value that is no base64). */
static int failed_inside(const struct kube_ask *ask, const json_t *status, struct berth_error *err)
{
	if (!strcmp(ask->method, "GET") || !json_is_object(status) || *js_str(status, "reason", ""))
		return err->code;
	err->code = BERTH_E_PROTOCOL;
	err->retry_ms = 0;
	return berth_wrap(err, "the API server can't read this object; asking again changes "
			       "nothing");
}

static int explain(const struct kube_ask *ask, int http, const json_t *status,
		   struct berth_error *err)
{
	if (http == 403 && has_cause(status, "NamespaceTerminating")) {
		err->code = BERTH_E_CONFLICT;
		return berth_wrap(err, "the namespace is being deleted: nothing can be made in it");
	}
	for (size_t i = 0; i < ARRAY_COUNT(known); i++) {
		if (known[i].status != http ||
		    (known[i].word && !strstr(err->cause, known[i].word)))
			continue;
		if (known[i].code)
			err->code = known[i].code;
		if (known[i].once)
			err->retry_ms = 0;
		return berth_wrap(err, "%s", known[i].sentence);
	}
	return http == 500 ? failed_inside(ask, status, err) : err->code;
}

/* 504, a webhook that is away and a quota that is new pass by themselves: they
 * have a time, too. */
static void set_pause(const struct kube *k, struct berth_error *err)
{
	const struct net_limits *limits = net_client_limits(registry_net(k->remote.registry));
	if (err->code == BERTH_E_UNAVAILABLE && !err->retry_ms)
		err->retry_ms = limits->backoff_ms;
}

/* "[-]etcd failed: reason withheld" of /readyz, as "etcd". */
static void failed_checks(const char *text, char *to, size_t room)
{
	size_t used = 0;
	*to = 0;
	for (const char *at = text; (at = strstr(at, "[-]"));) {
		at += 3;
		size_t n = strcspn(at, " \r\n");
		if (n > 60 || used + n + 3 > room)
			return;
		used += (size_t)snprintf(to + used, room - used, "%s%.*s", used ? ", " : "", (int)n,
					 at);
	}
}

/* A text in place of a Status: which checks failed, or its first line. */
static void take_text(int http, const struct buf *body, struct berth_error *err)
{
	char checks[200];
	const char *text = buf_text(body);
	size_t n = strcspn(text, "\r\n");
	failed_checks(text, checks, sizeof checks);
	if (*checks)
		berth_cause(err, "HTTP %d: it names %s", http, checks);
	else if (n && !strstr(err->cause, "HTML") && text[0] != '{' && text_is_utf8(text, n))
		berth_cause(err, "HTTP %d: %.*s", http, n > 200 ? 200 : (int)n, text);
}

static bool repeats(const struct berth_error *err, const char *body, const char *secret)
{
	return secret && *secret && (strstr(body, secret) || strstr(err->cause, secret));
}

/* A server that repeats in its error what was sent to it: not in ours. */
static void hide(const struct kube *k, const char *body, struct berth_error *err)
{
	const json_t *one;
	size_t i;
	bool is_bad = repeats(err, body, k->token);
	json_array_foreach (k->confidential, i, one)
		is_bad = is_bad || repeats(err, body, json_string_value(one));
	if (is_bad)
		berth_cause(err, "HTTP %d, with words that had a secret in them", err->upstream);
}

static void keep_continue(struct kube *k, const json_t *status)
{
	const char *token = kube_meta(status, "continue");
	free(k->fresh_continue);
	k->fresh_continue = *token ? text_url_encode(token) : NULL;
}

int kube_fail(struct kube *k, const struct kube_ask *ask, struct net_exchange *x,
	      struct berth_error *err)
{
	AUTO_JSON json_t *status = NULL;
	struct berth_error ignored = ERROR_INIT;
	const struct buf *body = net_exchange_body(x);
	int http = net_exchange_status(x);
	err->code = ask_fail(&k->remote, ask->method, ask->path, x, err);
	if (body->byte_count &&
	    js_parse(body->bytes, body->byte_count, &ask_limits, &status, &ignored))
		take_text(http, body, err);
	hide(k, buf_text(body), err);
	if (http == 410)
		keep_continue(k, status);
	if (http >= 300 && http < 400)
		return berth_wrap(err, "the address sends us on: a login page before the API "
				       "server, or another address");
	if (http == 401)
		return refused(k, err);
	explain(ask, http, status, err);
	set_pause(k, err);
	return err->code;
}
