/* SPDX-License-Identifier: Apache-2.0 */
/* What an answer means that is not what was hoped for. The status decides;
 * the body's words, where it has the error form of the distribution
 * specification, say more. Bodies may be absent, HTML or plain text.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "core/base/clock.h"
#include "core/base/js.h"
#include "core/base/text.h"
#include "core/oci/registry_private.h"

static const struct js_limits error_limits = {64u << 10, 4000, 16};

static const struct {
	const char *code;
	int meaning;
} codes[] = {
	{"UNAUTHORIZED", BERTH_E_AUTH},       {"DENIED", BERTH_E_DENIED},
	{"UNSUPPORTED", BERTH_E_UNSUPPORTED}, {"TOOMANYREQUESTS", BERTH_E_THROTTLED},
	{"DIGEST_INVALID", BERTH_E_DIGEST},
};

static bool is_web_page(const struct registry_request *q)
{
	const char *type = registry_header(q, "content-type");
	return type &&
	       (!strncasecmp(type, "text/html", 9) || !strncasecmp(type, "application/xhtml", 17));
}

/* What Harbor says in words only (seen at 2.5.6 and 2.15.2): quota, read-only
 * mode and immutable tags share their codes with other refusals. */
static void refine(const char *message, int status, struct berth_error *err)
{
	static const struct {
		int status, code;
		const char *word, *sentence;
	} known[] = {
		{403, BERTH_E_QUOTA, "configured upper limit",
		 "the quota there is used up: raise it, or delete images"},
		{403, BERTH_E_QUOTA, "quota", NULL},
		{403, BERTH_E_READ_ONLY, "read only", NULL},
		{412, BERTH_E_CONFLICT, "immutable",
		 "a rule there keeps the tag as it is (immutable)"},
	};
	for (size_t i = 0; i < ARRAY_COUNT(known); i++) {
		if (known[i].status != status || !strcasestr(message, known[i].word) ||
		    (status == 403 && err->code != BERTH_E_DENIED))
			continue;
		err->code = known[i].code;
		if (known[i].sentence)
			berth_wrap(err, "%s", known[i].sentence);
		return;
	}
}

/* Blanks the credential of a header line wherever it stands in the text. */
static void hide(char *text, const char *header)
{
	const char *secret = header ? strrchr(header, ' ') : NULL;
	size_t n = secret ? strlen(++secret) : 0;
	for (char *at = text; n > 3 && (at = strstr(at, secret)); at += n)
		memset(at, '*', n);
}

/* Some servers repeat a request's head in their errors: what we sent to prove who we
 * are goes no further. The caller frees it; NULL without memory. */
static char *without_secrets(const struct registry_request *q, const char *text)
{
	const struct registry *r = q->registry;
	char *copy = strdup(text);
	if (!copy)
		return NULL;
	hide(copy, r->basic_header);
	hide(copy, r->bearer_header);
	for (const struct token *t = r->tokens; t; t = t->next)
		hide(copy, t->header);
	return copy;
}

/* The first of {"errors":[{"code","message"}]}: its words into the cause. */
static void read_envelope(const struct registry_request *q, int status, struct berth_error *err)
{
	struct berth_error ignored = ERROR_INIT;
	const struct buf *body = registry_body(q);
	AUTO_JSON json_t *root = NULL;

	if (!body->byte_count ||
	    js_parse(buf_text(body), body->byte_count, &error_limits, &root, &ignored))
		return; /* no envelope is no error of its own: the status was told */
	const json_t *first = json_array_get(json_object_get(root, "errors"), 0);
	const char *code = js_str(first, "code", ""), *message = js_str(first, "message", "");
	if (!*code && !*message)
		return;
	AUTO_FREE char *shown_code = without_secrets(q, code);
	AUTO_FREE char *shown = without_secrets(q, message);
	berth_cause(err, "HTTP %d %.64s: %s", status, shown_code ? shown_code : "",
		    shown ? shown : "");
	for (size_t i = 0; i < ARRAY_COUNT(codes); i++)
		if (!strcmp(codes[i].code, code) &&
		    (status == 400 || status == 403 || status == 405))
			err->code = codes[i].meaning;
	refine(message, status, err);
}

static void fail_redirect(const struct registry_request *q, int status, const char *what,
			  struct berth_error *err)
{
	const char *location = registry_header(q, "location");
	AUTO_FREE char *url = NULL;
	struct url_origin to;
	struct berth_error ignored = ERROR_INIT;
	char shown[URL_HOST_ROOM + 16] = "elsewhere";

	if (location && !url_join(q->url, location, &url, &ignored) &&
	    !url_parse_origin(url, &to, &ignored))
		url_format_origin(&to, shown, sizeof shown);
	berth_fail(err, BERTH_E_PROTOCOL, "%s: a redirect that is not followed", what);
	berth_cause(err, "HTTP %d to %s (is the address right?)", status, shown);
}

void answer_fail(const struct registry_request *q, int status, struct berth_error *err)
{
	char what[200];
	const struct net_limits *l = net_client_limits(q->registry->client);
	request_describe(q, what, sizeof what);
	if (status >= 300 && status < 400) {
		fail_redirect(q, status, what, err);
		return;
	}
	berth_fail_http(err, status, "%s%s", what,
			status == 407 ? ": the proxy asks for a user and a password" : "");
	if (status == 407)
		err->code = BERTH_E_AUTH;
	if (is_web_page(q))
		berth_cause(err, "HTTP %d and a web page", status);
	else
		read_envelope(q, status, err);
	int64_t wait = retry_parse(registry_header(q, "retry-after"), clock_unix_ms(),
				   l->retry_after_max_ms);
	if (status == 503 && wait >= 0)
		err->code = BERTH_E_THROTTLED;
	if (err->code == BERTH_E_THROTTLED || err->code == BERTH_E_UNAVAILABLE)
		err->retry_ms = wait > 0 ? (uint32_t)wait : l->backoff_ms;
}

/* What answers a push has no body that anybody reads, and its type may be a framework's
 * default (Quay names each empty one text/html): a page is one that came with 200. */
static bool is_bare_success(const struct registry_request *q)
{
	return strcmp(q->call.method, "GET") != 0 && registry_status(q) > 200;
}

int request_check_answer(const struct registry_request *q, struct berth_error *err)
{
	char what[200];
	const char *coding = registry_header(q, "content-encoding");
	if (q->call.consume || !strcmp(q->call.method, "HEAD") || is_bare_success(q))
		return 0;
	request_describe(q, what, sizeof what);
	if (is_web_page(q)) {
		berth_fail(err, BERTH_E_PROTOCOL, "%s: not a registry", what);
		return berth_cause(err, "HTTP %d and a web page", registry_status(q));
	}
	if (coding && *coding && strcasecmp(coding, "identity") != 0)
		return berth_fail(err, BERTH_E_PROTOCOL,
				  "%s: an answer in '%.40s' coding, which was not asked for", what,
				  coding);
	return 0;
}
