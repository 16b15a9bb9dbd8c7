/* SPDX-License-Identifier: Apache-2.0 */
/* What stands behind an answer that was not wanted, said in one sentence with
 * what to do about it; Harbor's own words stay in the cause. Runs in a job.
 * Harbor's /health is asked before a password is called wrong and where core
 * failed inside: with its database down it answers 401 to the right password
 * and 500 without a reason (seen at 2.15.2 and 2.5.6). What /health says is up to
 * ten seconds old; the list of public projects needs the database each time.
 */
#include "harbor.h"

#include <stdio.h>
#include <string.h>

#include "core/base/js.h"
#include "core/base/text.h"

#define WORDS_ROOM 120

/* "database, redis" of the components that /health calls unhealthy, or "". */
static void unhealthy(struct harbor *h, char *to, size_t room)
{
	AUTO_REPLY struct reply reply = {0};
	struct berth_error ignored = ERROR_INIT;
	size_t i, used = 0;
	json_t *part;
	*to = 0;
	if (harbor_ask(h, &(struct ask){.path = "/api/v2.0/health", .anonymous = true}, &reply,
		       &ignored))
		return;
	json_array_foreach (json_object_get(reply.json, "components"), i, part) {
		const char *name = js_str(part, "name", "");
		if (!strcmp(js_str(part, "status", ""), "healthy") || strlen(name) > 20 ||
		    used + strlen(name) + 3 > room)
			continue;
		used += (size_t)snprintf(to + used, room - used, "%s%s", used ? ", " : "", name);
	}
}

/* Does Harbor fail at what anybody may ask? */
static bool fails_for_all(struct harbor *h)
{
	AUTO_REPLY struct reply reply = {0};
	struct berth_error why = ERROR_INIT;
	struct ask ask = {.path = "/api/v2.0/projects?page=1&page_size=1", .anonymous = true};
	return harbor_ask(h, &ask, &reply, &why) && why.upstream >= 500;
}

/* The registry's challenge tells whether Harbor saw our Authorization at all:
 * Basic where it did and refuses it, Bearer as for an anonymous caller where a
 * proxy has dropped it. */
static bool is_dropped(struct harbor *h)
{
	AUTO(net_exchange) struct net_exchange *x = NULL;
	struct berth_error ignored = ERROR_INIT;
	AUTO_FREE char *basic = ask_basic(h->username, h->password);
	struct wire w = {.method = "GET", .path = "/v2/", .authorization = basic};
	if (!basic || harbor_wire(h, &w, &x, &ignored))
		return false;
	const char *challenge = net_exchange_header(x, "www-authenticate", 0);
	return net_exchange_status(x) == 401 && challenge && !strncasecmp(challenge, "bearer", 6);
}

/* A 401: *err has its words already; says whose fault it is. */
static int harbor_refused(struct harbor *h, struct berth_error *err)
{
	char parts[WORDS_ROOM];
	unhealthy(h, parts, sizeof parts);
	if (strstr(parts, "database") || fails_for_all(h)) {
		err->code = BERTH_E_UNAVAILABLE;
		return berth_wrap(err, "Harbor's database is down: it can check no password at "
				       "present");
	}
	if (h->session)
		return berth_wrap(err, "Harbor does not know the session that it has just opened: "
				       "a proxy before it drops cookies, or its cores share no "
				       "Redis");
	if (!h->is_robot)
		return berth_wrap(err,
				  "Harbor refused user '%s': wrong name or password, or locked",
				  h->username);
	if (is_dropped(h))
		return berth_wrap(err, "a proxy before Harbor drops the Authorization header: let "
				       "it pass");
	return berth_wrap(err,
			  "Harbor refused robot '%s': wrong secret, disabled, expired or deleted",
			  h->username);
}

static int failed_inside(struct harbor *h, struct berth_error *err)
{
	char parts[WORDS_ROOM];
	unhealthy(h, parts, sizeof parts);
	if (!*parts)
		return berth_wrap(err, "Harbor failed inside: its core's log has the reason");
	return berth_wrap(err, "Harbor failed inside: its health says that %s is down", parts);
}

static int redirected(const struct net_exchange *x, struct berth_error *err)
{
	const char *to = net_exchange_header(x, "location", 0);
	int n = to ? (int)strcspn(to, "?#") : 0;
	err->code = BERTH_E_PROTOCOL;
	return berth_wrap(err,
			  "Harbor sends us on to %.*s: a login page before it, or another address; "
			  "give the one where its API answers",
			  n > 80 ? 80 : n, to ? to : "");
}

/* By status and by a word of the cause (NULL: any). code 0 leaves it. */
static const struct {
	int status, code;
	const char *word, *sentence;
} known[] = {
	{403, BERTH_E_AUTH, "CSRF token",
	 "Harbor refuses our session's CSRF token: a proxy before it drops cookies or the "
	 "X-Harbor-CSRF-Token header"},
	{403, BERTH_E_READ_ONLY, "read only",
	 "Harbor is in read-only mode: wait until its administrator ends that"},
	{403, BERTH_E_QUOTA, "configured upper limit",
	 "the project's quota is used up: raise it, or delete images"},
	{403, BERTH_E_QUOTA, "quota", "the project's quota is used up: raise it, or delete images"},
	{404, BERTH_E_PROTOCOL, "HTML page",
	 "no Harbor's API at this address: is a path prefix missing, or one too many?"},
	{413, BERTH_E_LIMIT, NULL,
	 "a proxy before Harbor caps request bodies: raise its limit (nginx: "
	 "client_max_body_size)"},
	{429, 0, NULL, "Harbor, or a proxy before it, limits how often we may ask: ask later"},
	{500, BERTH_E_UNAVAILABLE, "HTML page",
	 "a proxy before Harbor failed: look at its log, not at Harbor's"},
	{502, BERTH_E_UNAVAILABLE, NULL,
	 "a proxy before Harbor can't reach it: is Harbor's core running?"},
	{503, 0, NULL, "Harbor is down or in upgrade: try again when its pages are back"},
	{504, 0, NULL, "Harbor did not answer the proxy before it in time: is it overloaded?"},
};

int harbor_fail(struct harbor *h, const struct ask *a, struct net_exchange *x,
		struct berth_error *err)
{
	int status = net_exchange_status(x);
	err->code = ask_fail(&h->remote, a->method, a->path, x, err);
	if (a->anonymous)
		return err->code;
	if (status >= 300 && status < 400)
		return redirected(x, err);
	if (status == 401)
		return harbor_refused(h, err);
	for (size_t i = 0; i < ARRAY_COUNT(known); i++) {
		if (known[i].status != status ||
		    (known[i].word && !strstr(err->cause, known[i].word)))
			continue;
		if (known[i].code)
			err->code = known[i].code;
		return berth_wrap(err, "%s", known[i].sentence);
	}
	return status == 500 ? failed_inside(h, err) : err->code;
}
