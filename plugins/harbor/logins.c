/* SPDX-License-Identifier: Apache-2.0 */
/* Temporary logins as robot accounts: a system robot, limited to the projects
 * asked for; where only the project's own admin signs in, who may make none, a
 * robot of that project. Its name is ours, so that one made just before a crash is found
 * again; the full login name is what Harbor answers (the prefix is a setting
 * of the server). Durations are whole days, one at least: Berth's own expiry
 * is earlier and revokes.
 */
#include "harbor.h"

#include <stdio.h>
#include <string.h>

#include "core/base/js.h"
#include "core/base/text.h"

#define DAY_S 86400

/* pull goes with push: Harbor lets a robot that may push pull as well. */
static json_t *accesses(bool push)
{
	json_t *list = json_pack("[{s:s, s:s}]", "resource", "repository", "action", "pull");
	if (push)
		json_array_append_new(
			list, json_pack("{s:s, s:s}", "resource", "repository", "action", "push"));
	return list;
}

static json_t *permissions(const json_t *spaces, bool push)
{
	json_t *list = json_array();
	size_t i;
	const json_t *space;
	json_array_foreach (spaces, i, space)
		json_array_append_new(list,
				      json_pack("{s:s, s:O, s:o}", "kind", "project", "namespace",
						space, "access", accesses(push)));
	return list;
}

static int check_request(const json_t *q, struct berth_error *err)
{
	const json_t *spaces = json_object_get(q, "spaces");
	size_t i;
	const json_t *one;
	if (!js_str(q, "name", NULL) || !json_array_size(spaces))
		return berth_fail(err, BERTH_E_INVALID, "a login needs a name and spaces");
	json_array_foreach (spaces, i, one)
		if (!json_is_string(one))
			return berth_fail(err, BERTH_E_INVALID,
					  "spaces holds something that is no name");
	return 0;
}

static bool wants_push(const json_t *q)
{
	size_t i;
	const json_t *one;
	json_array_foreach (json_object_get(q, "rights"), i, one)
		if (json_is_string(one) && !strcmp(json_string_value(one), "push"))
			return true;
	return false;
}

static int give_login(struct berth_sink *sink, const json_t *robot, struct berth_error *err)
{
	char id[24];
	AUTO_JSON json_t *more = json_object();
	int64_t expires_s = js_int(robot, "expires_at", -1);
	snprintf(id, sizeof id, "%lld", (long long)js_int(robot, "id", 0));
	js_put_str(more, "secret", js_str(robot, "secret", NULL));
	js_put_time(more, "expires_at", expires_s > 0 ? expires_s * 1000 : 0);
	js_put_time(more, "created_at", harbor_time(robot, "creation_time"));
	return remote_give(sink,
			   &(struct give){.kind = BERTH_ITEM_LOGIN,
					  .id = id,
					  .name = js_str(robot, "name", ""),
					  .more = more},
			   err);
}

static int make_robot(struct harbor *h, const json_t *q, const char *level, struct reply *ret,
		      struct berth_error *err)
{
	int64_t days = (js_int(q, "ttl_s", DAY_S) + DAY_S - 1) / DAY_S;
	AUTO_JSON json_t *body =
		json_pack("{s:s, s:s, s:s, s:I, s:b, s:o}", "name", js_str(q, "name", ""),
			  "description", js_str(q, "description", "made by Berth"), "level", level,
			  "duration", (json_int_t)(days < 1 ? 1 : days), "disable", 0,
			  "permissions", permissions(json_object_get(q, "spaces"), wants_push(q)));
	return harbor_ask(h,
			  &(struct ask){.method = "POST", .path = "/api/v2.0/robots", .body = body},
			  ret, err);
}

/* Who may make no system robot may be the project's admin: of one project, then. */
static int make_for_project(struct harbor *h, const json_t *q, struct reply *ret,
			    struct berth_error *err)
{
	if (json_array_size(json_object_get(q, "spaces")) != 1)
		return berth_wrap(err, "one robot for several projects is an administrator's to "
				       "make");
	*err = (struct berth_error)ERROR_INIT;
	reply_done(ret);
	return make_robot(h, q, "project", ret, err);
}

int harbor_login_create(void *self, const struct berth_call *call, const char *request_json,
			struct berth_sink *sink, struct berth_error *err)
{
	struct harbor *h = self;
	AUTO_JSON json_t *q = NULL;
	AUTO_REPLY struct reply reply = {0};
	remote_begin(&h->remote, call);
	int r = ask_argument(request_json, &q, err);
	if (!r)
		r = check_request(q, err);
	if (r || (call->flags & BERTH_CALL_DRY_RUN))
		return r;
	r = make_robot(h, q, "system", &reply, err);
	if (r == BERTH_E_DENIED)
		r = make_for_project(h, q, &reply, err);
	if (r)
		return berth_wrap(err, "cannot make robot '%s'", js_str(q, "name", ""));
	return give_login(sink, reply.json, err);
}

struct listing {
	struct berth_sink *sink;
	const char *prefix;
};

/* The server composes names as PREFIX + name, or PREFIX + project+name: ours
 * is what stands behind the last '+' or '$'. */
static int each_robot(void *user, json_t *robot, struct berth_error *err)
{
	struct listing *l = user;
	const char *name = js_str(robot, "name", "");
	return strstr(name, l->prefix) ? give_login(l->sink, robot, err) : 0;
}

/* Robots of the system, or of a project: its id and query. */
static int list_robots(struct harbor *h, const char *query, struct listing *l,
		       struct berth_error *err)
{
	AUTO_FREE char *escaped = text_url_encode(l->prefix);
	AUTO_FREE char *path =
		escaped ? text_printf("/api/v2.0/robots?q=%sname%%3D~%s", query, escaped) : NULL;
	return path ? harbor_pages(h, path, each_robot, l, err) : berth_fail_memory(err);
}

/* One where the user has no part is not his to look into. */
static int keep_project(void *user, json_t *project, struct berth_error *err)
{
	const json_t *roles = json_object_get(project, "current_user_role_ids");
	bool has_none = roles && !json_array_size(roles);
	if (has_none)
		return 0;
	return json_array_append_new(user,
				     json_integer((json_int_t)js_int(project, "project_id", 0)))
		       ? berth_fail_memory(err)
		       : 0;
}

/* For who may not list the system's: those of each project whose robots he may list. */
static int list_by_projects(struct harbor *h, struct listing *l, struct berth_error *err)
{
	AUTO_JSON json_t *ids = json_array();
	const json_t *id;
	size_t i;
	if (!ids)
		return berth_fail_memory(err);
	int r = harbor_pages(h, "/api/v2.0/projects?sort=name", keep_project, ids, err);
	if (r)
		return r;
	json_array_foreach (ids, i, id) {
		char query[64];
		snprintf(query, sizeof query, "Level%%3Dproject,ProjectID%%3D%lld,",
			 (long long)json_integer_value(id));
		r = list_robots(h, query, l, err);
		if (r && r != BERTH_E_DENIED)
			return r;
		*err = (struct berth_error)ERROR_INIT;
	}
	return 0;
}

int harbor_login_list(void *self, const struct berth_call *call, const char *prefix,
		      struct berth_sink *sink, struct berth_error *err)
{
	struct harbor *h = self;
	struct listing l = {.sink = sink, .prefix = prefix};
	remote_begin(&h->remote, call);
	int r = list_robots(h, "", &l, err);
	if (r != BERTH_E_DENIED)
		return r;
	*err = (struct berth_error)ERROR_INIT;
	return list_by_projects(h, &l, err);
}

int harbor_login_revoke(void *self, const struct berth_call *call, const char *id,
			struct berth_error *err)
{
	struct harbor *h = self;
	uint64_t number;
	remote_begin(&h->remote, call);
	if (!text_parse_u64(id, 1, INT64_MAX, &number))
		return berth_fail(err, BERTH_E_INVALID, "'%.40s' is not a robot's id", id);
	if (call->flags & BERTH_CALL_DRY_RUN)
		return 0;
	return harbor_dof(h, "DELETE", NULL, err, "/api/v2.0/robots/%s", id);
}
