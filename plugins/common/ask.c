/* SPDX-License-Identifier: Apache-2.0 */
/* Asking a server's own API: see ask.h. */
#include "plugins/common/ask.h"

#include <openssl/evp.h>
#include <string.h>

#include "core/base/clock.h"
#include "core/base/text.h"
#include "core/oci/lists.h"
#include "core/oci/retry.h"

#define LINES_MAX_BYTES 16384

const struct js_limits ask_limits = {32u << 20, 1000000, 64};

int ask_lines_init(struct ask_lines *l, struct berth_error *err)
{
	static const char zeros[LINES_MAX_BYTES];
	l->count = 0;
	l->lines[0] = NULL;
	buf_init(&l->text, LINES_MAX_BYTES);
	/* All room at once: the lines point into it. */
	int r = buf_add(&l->text, zeros, sizeof zeros, err);
	buf_reset(&l->text);
	return r;
}

void ask_lines_done(struct ask_lines *l)
{
	if (l->text.bytes) /* credentials among them */
		explicit_bzero(l->text.bytes, l->text.byte_count);
	buf_done(&l->text);
}

int ask_lines_add(struct ask_lines *l, const char *name, const char *value, struct berth_error *err)
{
	if (!value)
		return 0;
	if (l->count == ASK_LINES_MAX)
		return berth_fail(err, BERTH_E_LIMIT, "a request with too many headers");
	const char *line = l->text.bytes + l->text.byte_count;
	int r = buf_printf(&l->text, err, "%s: %s", name, value);
	if (!r)
		r = buf_add(&l->text, "", 1, err);
	if (r)
		return r;
	l->lines[l->count++] = line;
	l->lines[l->count] = NULL;
	return 0;
}

struct waiting {
	bool ended;
	struct berth_error err;
};

static void on_done(void *user, const struct berth_error *err)
{
	struct waiting *w = user;
	w->ended = true;
	w->err = *err;
}

static int has_ended(void *user)
{
	return ((struct waiting *)user)->ended;
}

int ask_exchange(struct remote *r, const char *method, const char *url,
		 const struct ask_lines *lines, const char *body, struct net_exchange **ret,
		 struct berth_error *err)
{
	struct waiting waiting = {.err = ERROR_INIT};
	const struct net_limits *limits = net_client_limits(registry_net(r->registry));
	AUTO(net_exchange) struct net_exchange *x = NULL;
	struct net_call call = {
		.method = method,
		.url = url,
		.headers = lines->lines,
		.body = body,
		.body_byte_count = body ? strlen(body) : 0,
		.body_max_bytes = ask_limits.bytes,
		.done = on_done,
		.user = &waiting,
	};
	int rc = net_exchange_start(registry_net(r->registry), &call, &x, err);
	if (!rc)
		rc = net_loop_run(r->loop, has_ended, &waiting, err);
	if (!rc && waiting.err.code) {
		*err = waiting.err;
		rc = err->code;
		if (net_exchange_may_retry(x) && !err->retry_ms)
			err->retry_ms = limits->backoff_ms;
	}
	if (!rc)
		*ret = STEAL(x);
	return rc;
}

static bool is_html(const struct buf *body)
{
	return strstr(buf_text(body), "<html") || strstr(buf_text(body), "<!DOCTYPE");
}

/* Where a server's words may be, in an entry of errors or in the whole: Harbor and
 * Artifactory say message, Quay and its like error_message, token servers
 * error_description, Docker Hub and problem documents (RFC 9457) detail and title. */
static const char *words_of(const json_t *said)
{
	static const char *const keys[] = {"message", "error_message", "error_description",
					   "detail",  "title",         "error"};
	const char *words = json_is_string(said) ? json_string_value(said) : NULL;
	for (size_t i = 0; !words && i < ARRAY_COUNT(keys); i++) {
		words = js_str(said, keys[i], NULL);
		if (words && !*words)
			words = NULL;
	}
	return words;
}

/* {"errors":[{"code","message","detail"}]} is what the distribution specification has. */
static void explain(const struct buf *body, int status, struct berth_error *err)
{
	AUTO_JSON json_t *j = NULL;
	struct berth_error ignored = ERROR_INIT;
	if (is_html(body)) {
		berth_cause(err, "HTTP %d with an HTML page%s", status,
			    status == 503 ? ": the server is down or in upgrade"
					  : ": a proxy before the server answered");
		return;
	}
	if (!body->byte_count || js_parse(body->bytes, body->byte_count, &ask_limits, &j, &ignored))
		return;
	const json_t *first = json_array_get(json_object_get(j, "errors"), 0);
	const char *words = words_of(first ? first : j), *code = js_str(first, "code", "");
	const char *detail = js_str(first, "detail", "");
	if (!words)
		words = words_of(j);
	bool says_more = words && *detail && strcmp(detail, words) != 0;
	if (words)
		berth_cause(err, "HTTP %d%s%s: %s%s%s", status, *code ? " " : "", code, words,
			    says_more ? ": " : "", says_more ? detail : "");
}

/* What may be asked again, and when: Retry-After, else the configured pause. */
static void set_retry(struct remote *r, const struct net_exchange *x, struct berth_error *err)
{
	const struct net_limits *l = net_client_limits(registry_net(r->registry));
	int64_t wait = retry_parse(net_exchange_header(x, "retry-after", 0), clock_unix_ms(),
				   l->retry_after_max_ms);
	if (err->upstream == 503 && wait >= 0)
		err->code = BERTH_E_THROTTLED;
	if (err->code == BERTH_E_THROTTLED || err->code == BERTH_E_UNAVAILABLE)
		err->retry_ms = wait > 0 ? (uint32_t)wait : l->backoff_ms;
}

/* Servers behind a single sign-on send strangers to its login page. */
static int fail_redirect(const char *method, const char *path, const struct net_exchange *x,
			 struct berth_error *err)
{
	const char *to = net_exchange_header(x, "location", 0);
	berth_fail(err, BERTH_E_PROTOCOL, "%s %.*s is answered with a redirect", method,
		   (int)strcspn(path, "?"), path);
	return berth_cause(
		err, "HTTP %d to %.*s: a login page, or the address has another scheme or host",
		net_exchange_status(x), to ? (int)strcspn(to, "?#") : 7, to ? to : "nowhere");
}

int ask_fail(struct remote *r, const char *method, const char *path, struct net_exchange *x,
	     struct berth_error *err)
{
	int status = net_exchange_status(x);
	if (status >= 300 && status < 400)
		return fail_redirect(method, path, x, err);
	/* The query stays out: it may hold names that the reader may not see. */
	berth_fail_http(err, status, "%s %.*s", method, (int)strcspn(path, "?"), path);
	explain(net_exchange_body(x), status, err);
	set_retry(r, x, err);
	return err->code;
}

/* Does a body say that it failed, under whatever status? */
static int check_errors(const char *method, const char *path, const struct net_exchange *x,
			const json_t *json, struct berth_error *err)
{
	if (!json_array_size(json_object_get(json, "errors")))
		return 0;
	berth_fail(err, BERTH_E_PROTOCOL, "%s %.*s: an error under a status of success", method,
		   (int)strcspn(path, "?"), path);
	explain(net_exchange_body(x), net_exchange_status(x), err);
	return err->code;
}

int ask_json(const char *method, const char *path, const struct net_exchange *x, json_t **ret,
	     struct berth_error *err)
{
	const struct buf *body = net_exchange_body(x);
	AUTO_JSON json_t *json = NULL;
	if (!body->byte_count)
		return 0;
	int r = js_parse(body->bytes, body->byte_count, &ask_limits, &json, err);
	if (!r) {
		r = check_errors(method, path, x, json, err);
		if (!r)
			*ret = STEAL(json);
		return r;
	}
	if (r == BERTH_E_INVALID)
		err->code = BERTH_E_PROTOCOL;
	return berth_wrap(err, "%s %.*s: %s", method, (int)strcspn(path, "?"), path,
			  is_html(body)
				  ? "an HTML page in place of JSON: another server, or a login page"
				  : "the answer is not JSON");
}

int ask_text(const char *method, const char *path, const struct net_exchange *x, char **ret,
	     struct berth_error *err)
{
	const struct buf *body = net_exchange_body(x);
	AUTO_JSON json_t *json = NULL;
	struct berth_error ignored = ERROR_INIT;
	if (is_html(body))
		return berth_fail(err, BERTH_E_PROTOCOL,
				  "%s %.*s: an HTML page: another server, or a login page", method,
				  (int)strcspn(path, "?"), path);
	/* What is not JSON is text, which is what was asked for. */
	if (!js_parse(body->bytes, body->byte_count, &ask_limits, &json, &ignored) &&
	    check_errors(method, path, x, json, err))
		return err->code;
	*ret = strdup(buf_text(body));
	return *ret ? 0 : berth_fail_memory(err);
}

struct pause {
	const struct remote *remote;
	bool is_over;
};

static void pause_over(void *user)
{
	((struct pause *)user)->is_over = true;
}

static int may_go_on(void *user)
{
	const struct pause *p = user;
	return p->is_over || remote_stopped(p->remote);
}

/* BERTH_E_CANCELLED or _TIMEOUT where the call ends first. */
static int wait_for(struct remote *r, uint32_t pause_ms, struct berth_error *err)
{
	struct pause p = {.remote = r};
	struct net_timer *timer = NULL;
	int rc = net_timer_start(r->loop, pause_ms, pause_over, &p, &timer, err);
	if (!rc)
		rc = net_loop_run(r->loop, may_go_on, &p, err);
	if (timer && !p.is_over)
		net_timer_cancel(timer);
	if (!rc && !p.is_over)
		rc = berth_fail(err, remote_stopped(r), "the call ended before another try");
	return rc;
}

static bool may_wait(const struct remote *r, bool is_read, const struct berth_error *err)
{
	const struct net_limits *limits = net_client_limits(registry_net(r->registry));
	uint64_t deadline_ms = r->call ? r->call->deadline_ms : 0;

	if (!err->retry_ms || err->retry_ms > limits->answer_ms)
		return false;
	if (!is_read && (err->from != BERTH_FROM_HTTP || err->upstream != 429))
		return false;
	return !deadline_ms || clock_monotonic_ms() + err->retry_ms < deadline_ms;
}

int ask_again(struct remote *r, bool is_read, ask_once *once, void *user, struct berth_error *err)
{
	const struct net_limits *limits = net_client_limits(registry_net(r->registry));
	int rc = once(user, err);
	for (uint32_t tries = 1; rc && tries < limits->tries && may_wait(r, is_read, err);
	     tries++) {
		uint32_t pause_ms = err->retry_ms;
		*err = (struct berth_error)ERROR_INIT;
		rc = wait_for(r, pause_ms, err);
		if (!rc)
			rc = once(user, err);
	}
	return rc;
}

int ask_list_check(struct remote *r, const struct ask_list *l, struct berth_error *err)
{
	const struct net_limits *limits = net_client_limits(registry_net(r->registry));
	uint64_t scale = l->page_size < LIST_PAGE_ITEMS ? LIST_PAGE_ITEMS / l->page_size : 1;
	const char *over = NULL;
	if (l->pages > limits->pages_max * scale)
		over = "pages_max";
	else if (l->items > limits->items_max)
		over = "items_max";
	if (!over)
		return 0;
	return berth_fail(err, BERTH_E_LIMIT, "%.*s: the list is longer than the limit %s",
			  (int)strcspn(l->path, "?"), l->path, over);
}

char *ask_basic(const char *username, const char *password)
{
	AUTO_FREE char *pair = text_printf("%s:%s", username, password ? password : "");
	if (!pair)
		return NULL;
	size_t n = strlen(pair);
	AUTO_FREE unsigned char *coded = malloc(4 * ((n + 2) / 3) + 1);
	if (coded)
		EVP_EncodeBlock(coded, (const unsigned char *)pair, (int)n);
	explicit_bzero(pair, n);
	return coded ? text_printf("Basic %s", (const char *)coded) : NULL;
}

int ask_argument(const char *text, json_t **ret, struct berth_error *err)
{
	int r = js_parse(text, strlen(text), &js_limits_api, ret, err);
	if (!r && !json_is_object(*ret)) {
		json_decref(STEAL(*ret));
		return berth_fail(err, BERTH_E_INVALID, "the argument is not a JSON object");
	}
	return r;
}
