/* SPDX-License-Identifier: Apache-2.0 */
/* Proof and overview. The proof asks what answers 401 to a wrong password
 * (most of Harbor's API takes one for an anonymous caller), then the version,
 * then the rights that Berth uses at this scope.
 */
#include "harbor.h"

#include <stdio.h>
#include <string.h>

#include "core/base/clock.h"
#include "core/base/js.h"
#include "core/base/text.h"

#define OLDEST_MAJOR 2
#define OLDEST_MINOR 4

static int check_version(struct harbor *h, const json_t *info, struct berth_error *err)
{
	if (h->major > OLDEST_MAJOR || (h->major == OLDEST_MAJOR && h->minor >= OLDEST_MINOR))
		return 0;
	return berth_fail(err, BERTH_E_UNSUPPORTED,
			  "Harbor %s is too old: 2.4.0 or newer is needed",
			  js_str(info, "harbor_version", "of an unknown version"));
}

/* A user: is it an administrator? A robot can't ask (412): its rights show in
 * what it may list. */
static int check_rights(struct harbor *h, bool is_platform, struct berth_sink *sink,
			struct berth_error *err)
{
	AUTO_REPLY struct reply me = {0};
	struct ask ask = {.path = "/api/v2.0/users/current", .accept = 412};
	int r = harbor_ask(h, &ask, &me, err);
	if (r)
		return r;
	if (!me.json && me.status == 200)
		return berth_fail(err, BERTH_E_PROTOCOL,
				  "GET %s: an empty answer: a proxy before Harbor changes answers",
				  ask.path);
	if (me.status == 412)
		return remote_give_fact(sink, "rights", json_string("robot"), err);
	bool is_admin = js_bool(me.json, "sysadmin_flag", false) ||
			js_bool(me.json, "admin_role_in_auth", false);
	if (is_platform && !is_admin)
		return berth_fail(err, BERTH_E_DENIED,
				  "user '%s' is not an administrator of Harbor: an integration of "
				  "the platform needs one, or a system robot",
				  h->username);
	return remote_give_fact(sink, "rights", json_string(is_admin ? "administrator" : "user"),
				err);
}

/* What a system robot must be able to do for the platform: list projects. */
static int check_robot(struct harbor *h, bool is_platform, struct berth_error *err)
{
	AUTO_REPLY struct reply reply = {0};
	if (!h->is_robot || !is_platform)
		return 0;
	int r = harbor_ask(h, &(struct ask){.path = "/api/v2.0/registries?page_size=1"}, &reply,
			   err);
	if (r == BERTH_E_DENIED || r == BERTH_E_AUTH)
		return berth_wrap(err,
				  "robot '%s' lacks rights that the platform uses (harbor.md "
				  "lists them)",
				  h->username);
	return r;
}

static json_t *features(const struct harbor *h)
{
	static const struct {
		const char *name;
		int minor;
	} since[] = {
		{"robots", 4},
		{"accessories", 5},
		{"gc-stop", 6},
		{"job-service", 7},
		{"referrers", 8},
		{"security-hub", 9},
		{"permissions", 10},
		{"sbom", 11},
		{"project-artifacts", 12},
		{"single-active-replication", 14},
	};
	json_t *list = json_array();
	for (size_t i = 0; i < ARRAY_COUNT(since); i++)
		if (harbor_is_at_least(h, 2, since[i].minor))
			json_array_append_new(list, json_string(since[i].name));
	return list;
}

/* Harbor's clock against ours: beyond this, tokens and logins may look expired. */
#define SKEW_MAX_MS 60000

static int give_skew(struct harbor *h, const json_t *info, struct berth_sink *sink,
		     struct berth_error *err)
{
	int64_t theirs_ms = harbor_time(info, "current_time");
	int64_t ahead_ms = theirs_ms ? theirs_ms - clock_unix_ms() : 0;
	char text[160];
	if (ahead_ms > -SKEW_MAX_MS && ahead_ms < SKEW_MAX_MS)
		return 0;
	snprintf(text, sizeof text,
		 "Harbor's clock is %lld s %s: its tokens and logins may seem expired; set both "
		 "hosts' clocks",
		 (long long)(ahead_ms > 0 ? ahead_ms : -ahead_ms) / 1000,
		 ahead_ms > 0 ? "ahead" : "behind");
	h->remote.host->log(h->remote.call, BERTH_LOG_WARNING, "%s", text);
	return remote_give_fact(sink, "clock_skew_s", json_integer(ahead_ms / 1000), err);
}

static int give_info(struct harbor *h, const json_t *info, struct berth_sink *sink,
		     struct berth_error *err)
{
	int r = remote_give_fact(sink, "product", json_string("Harbor"), err);
	if (!r)
		r = remote_give_fact(sink, "console", json_string(h->base), err);
	if (!r)
		r = remote_give_fact(sink, "version",
				     json_string(js_str(info, "harbor_version", "")), err);
	if (!r)
		r = remote_give_fact(sink, "features", features(h), err);
	if (!r)
		r = remote_give_fact(sink, "auth_mode", json_string(js_str(info, "auth_mode", "")),
				     err);
	if (!r)
		r = remote_give_fact(sink, "read_only",
				     json_boolean(js_bool(info, "read_only", false)), err);
	return r ? r : give_skew(h, info, sink, err);
}

static int is_harbor(struct harbor *h, struct berth_error *err)
{
	AUTO_REPLY struct reply reply = {0};
	struct ask ask = {.path = "/api/version", .anonymous = true};
	int r = harbor_ask(h, &ask, &reply, err);
	if (r == BERTH_E_NOT_FOUND || r == BERTH_E_PROTOCOL || r == BERTH_E_AUTH) {
		err->code = BERTH_E_PROTOCOL;
		return berth_wrap(err, "not a Harbor 2 at %s (wrong path, or another server)",
				  h->base);
	}
	if (!r && strcmp(js_str(reply.json, "version", ""), "v2.0") != 0)
		return berth_fail(err, BERTH_E_UNSUPPORTED, "Harbor's API is '%.40s', want v2.0",
				  js_str(reply.json, "version", ""));
	return r;
}

int harbor_probe(void *self, const struct berth_call *call, const char *scope_text,
		 struct berth_sink *sink, struct berth_error *err)
{
	struct harbor *h = self;
	AUTO_JSON json_t *scope = NULL, *info = NULL;
	remote_begin(&h->remote, call);
	int r = ask_argument(scope_text, &scope, err);
	bool is_platform = !r && !strcmp(js_str(scope, "scope", "platform"), "platform");
	if (!r && !h->username)
		return berth_fail(err, BERTH_E_AUTH, "Harbor needs a user or a robot account");
	if (!r && (h->is_robot || !h->session))
		r = h->is_robot ? is_harbor(h, err) : 0;
	if (!r)
		r = check_rights(h, is_platform, sink, err);
	if (!r)
		r = harbor_get(h, "/api/v2.0/systeminfo", &info, err);
	if (!r && !json_object_get(info, "harbor_version"))
		return berth_fail(err, BERTH_E_AUTH,
				  "Harbor took the request for an anonymous one: '%s' is wrong, "
				  "disabled or expired",
				  h->username);
	h->major = 0;
	if (!r)
		r = harbor_learn_version(h, js_str(info, "harbor_version", ""), err);
	if (!r)
		r = check_version(h, info, err);
	if (!r)
		r = check_robot(h, is_platform, err);
	return r ? r : give_info(h, info, sink, err);
}

static int give_count(struct berth_sink *sink, const char *name, const json_t *statistics,
		      const char *key, struct berth_error *err)
{
	const json_t *value = json_object_get(statistics, key);
	if (!json_is_integer(value))
		return 0; /* only administrators get the totals */
	return remote_give_fact(sink, name, json_integer(json_integer_value(value)), err);
}

/* /statistics counts nothing for robots (0, seen at 2.15.2): the totals of the
 * lists do. */
static int give_total(struct harbor *h, const char *name, const char *path, struct berth_sink *sink,
		      struct berth_error *err)
{
	AUTO_REPLY struct reply reply = {0};
	int r = harbor_ask(h, &(struct ask){.path = path}, &reply, err);
	if (r == BERTH_E_DENIED || (!r && reply.total < 0))
		return 0;
	return r ? r : remote_give_fact(sink, name, json_integer(reply.total), err);
}

static int robot_overview(struct harbor *h, struct berth_sink *sink, struct berth_error *err)
{
	int r = give_total(h, "spaces", "/api/v2.0/projects?page_size=1", sink, err);
	return r ? r
		 : give_total(h, "repositories", "/api/v2.0/repositories?page_size=1", sink, err);
}

int harbor_overview(void *self, const struct berth_call *call, struct berth_sink *sink,
		    struct berth_error *err)
{
	struct harbor *h = self;
	AUTO_JSON json_t *s = NULL;
	remote_begin(&h->remote, call);
	if (h->is_robot)
		return robot_overview(h, sink, err);
	int r = harbor_get(h, "/api/v2.0/statistics", &s, err);
	if (!r)
		r = give_count(sink, "spaces", s, "total_project_count", err);
	if (!r)
		r = give_count(sink, "repositories", s, "total_repo_count", err);
	if (!r)
		r = give_count(sink, "bytes", s, "total_storage_consumption", err);
	return r;
}
