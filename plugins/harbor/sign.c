/* SPDX-License-Identifier: Apache-2.0 */
/* Signing in to Harbor: one password check, then a session that later jobs
 * take over (the host keeps it sealed). The order is Harbor's: a POST without
 * a CSRF token is refused with 403 and brings the token and its cookie; the
 * second POST, with both, answers 200 with two sid cookies, of which the
 * second is the session.
 */
#include "harbor.h"

#include <string.h>

#include "core/base/clock.h"
#include "core/base/js.h"
#include "core/base/text.h"

/* Harbor ends a session after 60 idle minutes; ours is given up before. */
#define SESSION_MAX_MS (30 * 60 * 1000)

void harbor_sign_out(struct harbor *h)
{
	free(STEAL(h->session));
	free(STEAL(h->csrf));
	h->was_kept = false;
	if (h->remote.host->keep && h->remote.call && h->remote.host->keep(h->remote.call, NULL))
		h->remote.host->log(h->remote.call, BERTH_LOG_DEBUG, "no session to forget");
}

void harbor_take_kept(struct harbor *h)
{
	struct berth_error err = ERROR_INIT;
	AUTO_JSON json_t *kept = NULL;
	const char *text = h->remote.host->kept ? h->remote.host->kept(h->remote.config) : NULL;
	if (!text || js_parse(text, strlen(text), &js_limits_frame, &kept, &err))
		return; /* costs a login, never correctness */
	int64_t age_ms = clock_unix_ms() - js_int(kept, "at", 0);
	const char *session = js_str(kept, "session", NULL), *csrf = js_str(kept, "csrf", NULL);
	if (!session || !csrf || age_ms < 0 || age_ms > SESSION_MAX_MS ||
	    strcmp(js_str(kept, "user", ""), h->username) != 0)
		return;
	h->session = strdup(session);
	h->csrf = strdup(csrf);
	h->was_kept = h->session && h->csrf;
	if (!h->was_kept) {
		free(STEAL(h->session));
		free(STEAL(h->csrf));
	}
}

static void keep(struct harbor *h)
{
	AUTO_JSON json_t *state = json_object();
	js_put_str(state, "session", h->session);
	js_put_str(state, "csrf", h->csrf);
	js_put_str(state, "user", h->username);
	json_object_set_new(state, "at", json_integer(clock_unix_ms()));
	AUTO_FREE char *text = js_text(state);
	if (text && h->remote.host->keep && h->remote.host->keep(h->remote.call, text))
		h->remote.host->log(h->remote.call, BERTH_LOG_DEBUG, "the session was not kept");
}

/* "name=value" of the last Set-Cookie of that name; free(). */
static char *cookie(const struct net_exchange *x, const char *name)
{
	char *found = NULL;
	const char *line;
	size_t n = strlen(name);
	for (int i = 0; (line = net_exchange_header(x, "set-cookie", i)); i++) {
		if (strncmp(line, name, n) != 0 || line[n] != '=')
			continue;
		free(found);
		found = strndup(line, strcspn(line, ";"));
	}
	return found;
}

static const struct ask login_page = {.method = "POST", .path = "/c/login"};

static int first_visit(struct harbor *h, char **ret_cookie, char **ret_csrf,
		       struct berth_error *err)
{
	AUTO(net_exchange) struct net_exchange *x = NULL;
	struct wire w = {.method = "POST",
			 .path = "/c/login",
			 .body = "x=y",
			 .content_type = "application/x-www-form-urlencoded"};
	int r = harbor_wire(h, &w, &x, err);
	if (r)
		return r;
	const char *token = net_exchange_header(x, "x-harbor-csrf-token", 0);
	*ret_cookie = cookie(x, "_gorilla_csrf");
	*ret_csrf = token ? strdup(token) : NULL;
	if (*ret_cookie && *ret_csrf)
		return 0;
	int status = net_exchange_status(x);
	if (status >= 300 && status != 404 && status != 405)
		return harbor_fail(h, &login_page, x, err);
	return berth_fail(err, BERTH_E_PROTOCOL,
			  "not a Harbor: POST /c/login (HTTP %d) brought no CSRF token", status);
}

static char *form(const struct harbor *h)
{
	AUTO_FREE char *user = text_url_encode(h->username);
	AUTO_FREE char *password = text_url_encode(h->password ? h->password : "");
	char *body =
		user && password ? text_printf("principal=%s&password=%s", user, password) : NULL;
	if (password)
		explicit_bzero(password, strlen(password));
	return body;
}

static int login(struct harbor *h, const char *gorilla, const char *csrf, struct net_exchange **ret,
		 struct berth_error *err)
{
	AUTO_FREE char *body = form(h);
	if (!body)
		return berth_fail_memory(err);
	struct wire w = {.method = "POST",
			 .path = "/c/login",
			 .body = body,
			 .content_type = "application/x-www-form-urlencoded",
			 .cookie = gorilla,
			 .csrf = csrf};
	int r = harbor_wire(h, &w, ret, err);
	explicit_bzero(body, strlen(body));
	return r;
}

static int check_login(struct harbor *h, struct net_exchange *x, struct berth_error *err)
{
	int status = net_exchange_status(x);
	if (status == 403)
		return berth_fail(err, BERTH_E_AUTH,
				  "Harbor sends user '%s' to its single sign-on: use the local "
				  "administrator or a robot account",
				  h->username);
	if (status != 200)
		return harbor_fail(h, &login_page, x, err);
	return 0;
}

int harbor_sign_in(struct harbor *h, struct berth_error *err)
{
	AUTO_FREE char *gorilla = NULL, *csrf = NULL, *sid = NULL;
	AUTO(net_exchange) struct net_exchange *x = NULL;
	if (h->session)
		return 0;
	int r = first_visit(h, &gorilla, &csrf, err);
	if (!r)
		r = login(h, gorilla, csrf, &x, err);
	if (!r)
		r = check_login(h, x, err);
	if (r)
		return r;
	sid = cookie(x, "sid");
	if (!sid)
		return berth_fail(err, BERTH_E_PROTOCOL,
				  "Harbor took the password and opened no session");
	h->session = text_printf("%s; %s", sid, gorilla);
	h->csrf = STEAL(csrf);
	if (!h->session)
		return berth_fail_memory(err);
	keep(h);
	return 0;
}
