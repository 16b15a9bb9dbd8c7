/* SPDX-License-Identifier: Apache-2.0 */
/* What a caller may see: see sight.h. */
#include "core/api/sight.h"

#include <string.h>

#include "core/access/access.h"
#include "core/api/accounts.h"
#include "core/base/text.h"
#include "core/http/route.h"
#include "core/store/records.h"
#include "core/store/spaces.h"

#define GROUPS_FEW 64 /* more are compared with those that have a role anywhere */

void sight_done(struct sight *s)
{
	buf_done(&s->principals);
	buf_done(&s->roles);
	free(s->workspace_id);
	s->workspace_id = NULL;
}

/* Both forms: members of numbers that this system's files had no name for, when they
 * were added, count by their number alone. */
static int add_principal(struct buf *to, bool is_group, uint32_t number, struct berth_error *err)
{
	char account[ACCOUNT_NAME_ROOM], text[PRINCIPAL_ROOM];

	principal_format(is_group, number, "", text);
	if (buf_printf(to, err, "%s ", text) || account_name(is_group, number, account, err))
		return err->code;
	if (!*account)
		return 0;
	principal_format(is_group, number, account, text);
	return buf_printf(to, err, "%s ", text);
}

struct matching {
	const struct caller *caller;
	struct buf *to;
};

static int add_known(void *user, const void *row, struct berth_error *err)
{
	struct matching *m = user;
	const struct known_group *it = row;
	char number[16];
	uint64_t gid;

	snprintf(number, sizeof(number), "%.*s", (int)strcspn(it->principal + 1, "="),
		 it->principal + 1);
	if (it->principal[0] != 'g' || !text_parse_u64(number, 0, UINT32_MAX, &gid) ||
	    !caller_has_group(m->caller, (gid_t)gid))
		return 0;
	return add_principal(m->to, true, (uint32_t)gid, err);
}

int sight_principals(const struct caller *caller, struct buf *to, struct berth_error *err)
{
	struct matching m = {.caller = caller, .to = to};

	accounts_look();
	int r = buf_add_text(to, " ", err);
	if (!r)
		r = add_principal(to, false, caller->uid, err);
	if (!r && caller->group_count > GROUPS_FEW)
		return api_each(api_daemon()->store, &known_groups_table, NULL, add_known, &m, err);
	for (size_t i = 0; !r && i < caller->group_count; i++)
		r = add_principal(to, true, caller->groups[i], err);
	return r;
}

int sight_member(struct request *q, const char *workspace_id, enum workspace_role *ret,
		 struct berth_error *err)
{
	struct buf principals AUTO_BUF = {.max = SIGHT_PRINCIPALS_MAX};
	struct buf roles AUTO_BUF = {.max = SIGHT_PRINCIPALS_MAX};

	*ret = WORKSPACE_MAY;
	if (request_is_platform(q))
		return 0;
	if (sight_principals(request_caller(q), &principals, err) ||
	    grants_with(request_grants(q), request_route(q)->point, &roles, err))
		return err->code;
	return workspace_role(request_daemon(q)->store, workspace_id, buf_text(&principals),
			      buf_text(&roles), ret, err);
}

int sight_named(struct request *q, const char *name, struct workspace *ret,
		enum workspace_role *ret_role, struct berth_error *err)
{
	struct berth_error asked = ERROR_INIT;
	int code = workspace_get(request_daemon(q)->store, name, ret, err);

	if (code && code != BERTH_E_NOT_FOUND)
		return code;
	if (!sight_member(q, code ? "" : ret->id, ret_role, &asked))
		return code;
	*err = asked;
	return asked.code;
}

bool sight_workspace(struct request *q, struct answer *a, const char *name, struct workspace *ret)
{
	struct berth_error err = ERROR_INIT;
	enum workspace_role member = WORKSPACE_NONE;
	int code = sight_named(q, name, ret, &member, &err);

	if (!code && member == WORKSPACE_NONE)
		code = berth_fail(&err, BERTH_E_NOT_FOUND, "no workspace '%s'", name);
	if (code)
		api_fail(a, &err, "berthctl workspace list");
	else if (member != WORKSPACE_MAY)
		api_refuse(a, 403, "forbidden", NULL, "your role in workspace %s lacks %s", name,
			   points[request_route(q)->point].name);
	return !code && member == WORKSPACE_MAY;
}

/* The workspace that ?workspace= names, as this caller finds it. */
static bool find_workspace(struct request *q, struct answer *a, const char *name, struct sight *s)
{
	struct workspace row AUTO_WORKSPACE = {.id = NULL};
	struct berth_error err = ERROR_INIT;

	if (!sight_workspace(q, a, name, &row))
		return false;
	s->workspace_id = strdup(row.id);
	if (s->workspace_id)
		return true;
	(void)berth_fail_memory(&err);
	api_fail(a, &err, NULL);
	return false;
}

static void add_value(struct sight *s, const char *text)
{
	s->values[s->value_count++] = (struct store_value)V_TEXT(text);
}

/* The two values of MEMBER_MAY_SQL. */
static void add_member(struct sight *s)
{
	add_value(s, buf_text(&s->principals));
	add_value(s, buf_text(&s->roles));
}

/* The condition that follows from what was found. */
static void write_where(struct sight *s)
{
	s->value_count = 0;
	if (s->workspace_id) {
		snprintf(s->where, sizeof(s->where), "s.is_present = 1 AND (%s OR %s OR %s)",
			 SPACE_PUBLIC_SQL, SPACE_BOUND_SQL, INTEGRATION_OF_SQL);
		add_value(s, s->workspace_id);
		add_value(s, s->workspace_id);
	} else if (s->is_all) {
		snprintf(s->where, sizeof(s->where), "1 = 1");
	} else {
		snprintf(s->where, sizeof(s->where), "s.is_present = 1 AND (%s OR %s OR %s)",
			 SPACE_PUBLIC_SQL, SPACE_OWN_SQL, INTEGRATION_OWN_SQL);
		add_member(s);
		add_member(s);
	}
}

/* Who asks, and in which roles there is that point. */
static int ask_who(const struct request *q, enum point point, struct sight *s,
		   struct berth_error *err)
{
	*s = (struct sight){.is_all = request_is_platform(q)};
	buf_init(&s->principals, SIGHT_PRINCIPALS_MAX);
	buf_init(&s->roles, SIGHT_PRINCIPALS_MAX);
	int code = s->is_all ? 0 : sight_principals(request_caller(q), &s->principals, err);
	if (!code && !s->is_all)
		code = grants_with(request_grants(q), point, &s->roles, err);
	return code;
}

/* Without ?workspace=. */
static int look(const struct request *q, enum point point, struct sight *s, struct berth_error *err)
{
	int code = ask_who(q, point, s, err);

	write_where(s);
	return code;
}

static int look_at_integrations(const struct request *q, enum point point, struct sight *s,
				struct berth_error *err)
{
	if (ask_who(q, point, s, err))
		return err->code;
	snprintf(s->where, sizeof(s->where), "%s", s->is_all ? "1 = 1" : INTEGRATION_OWN_SQL);
	if (!s->is_all)
		add_member(s);
	return 0;
}

bool sight_integrations(struct request *q, struct answer *a, struct sight *ret)
{
	struct berth_error err = ERROR_INIT;

	if (!look_at_integrations(q, request_route(q)->point, ret, &err))
		return true;
	api_fail(a, &err, NULL);
	return false;
}

/* What is done with one integration alone, and says nothing of others. */
#define OPERATIONS_OWN_SQL                                                                         \
	"(uid = ? AND user_name IN (?, ?)) OR (kind IN ('artifact-delete', "                       \
	"'integration-change', 'overview', 'probe', 'refresh', 'repository-delete', "              \
	"'repository-describe', 'space-change', 'space-create', 'space-delete', "                  \
	"'tag-delete') AND integration IN "                                                        \
	"(SELECT i.name FROM integrations i WHERE " INTEGRATION_OWN_SQL "))"

static int look_at_operations(struct request *q, struct sight *s, struct berth_error *err)
{
	if (ask_who(q, POINT_INTEGRATIONS_READ, s, err))
		return err->code;
	s->value_count = 0;
	snprintf(s->where, sizeof(s->where), "%s", s->is_all ? "1 = 1" : OPERATIONS_OWN_SQL);
	if (s->is_all)
		return 0;
	uid_t uid = request_caller(q)->uid;
	api_user_name(uid, s->self[0], sizeof(s->self[0]));
	api_number_name(uid, s->self[1], sizeof(s->self[1]));
	s->values[s->value_count++] = (struct store_value)V_INT(uid);
	add_value(s, s->self[0]);
	add_value(s, s->self[1]);
	add_member(s);
	return 0;
}

bool sight_operations(struct request *q, struct answer *a, struct sight *ret)
{
	struct berth_error err = ERROR_INIT;

	if (!look_at_operations(q, ret, &err))
		return true;
	api_fail(a, &err, NULL);
	return false;
}

#define AUDIT_OWN_SQL                                                                              \
	"workspace_id IN (SELECT m.workspace_id FROM workspace_members m WHERE " MEMBER_MAY_SQL ")"

bool sight_audit(struct request *q, struct answer *a, struct sight *ret)
{
	struct berth_error err = ERROR_INIT;

	if (ask_who(q, request_route(q)->point, ret, &err)) {
		api_fail(a, &err, NULL);
		return false;
	}
	snprintf(ret->where, sizeof(ret->where), "%s", ret->is_all ? "1 = 1" : AUDIT_OWN_SQL);
	if (!ret->is_all)
		add_member(ret);
	return true;
}

int sight_operation(struct request *q, const char *id, int64_t uid, const char *user_name,
		    bool *ret, struct berth_error *err)
{
	struct sight s AUTO_SIGHT = {.is_all = false};
	char within[sizeof(s.where) + 32];
	int64_t count = 0;

	*ret = request_is_platform(q) || api_is_caller(q, uid, user_name);
	if (*ret)
		return 0;
	if (look_at_operations(q, &s, err))
		return err->code;
	snprintf(within, sizeof(within), "(%s) AND id = ?", s.where);
	add_value(&s, id);
	if (store_count(request_daemon(q)->store, &operations_table,
			PAGE_OF(within, s.values, s.value_count), &count, err))
		return err->code;
	*ret = count > 0;
	return 0;
}

static int get_with(struct request *q, const char *name, enum point point, struct integration *ret,
		    struct berth_error *err)
{
	struct sight s AUTO_SIGHT = {.is_all = false};
	char within[sizeof(s.where) + 32];

	if (look_at_integrations(q, point, &s, err))
		return err->code;
	snprintf(within, sizeof(within), "(%s) AND i.name = ?", s.where);
	add_value(&s, name);
	return store_get(request_daemon(q)->store, &integrations_table,
			 PAGE_OF(within, s.values, s.value_count), name, ret, err);
}

int sight_integration(struct request *q, const char *name, struct integration *ret,
		      struct berth_error *err)
{
	struct integration seen AUTO_INTEGRATION = {.id = NULL};
	enum point point = request_route(q)->point;
	int code = get_with(q, name, point, ret, err);

	if (code != BERTH_E_NOT_FOUND || request_is_platform(q))
		return code;
	*err = (struct berth_error)ERROR_INIT;
	if (get_with(q, name, POINT_INTEGRATIONS_READ, &seen, err))
		return err->code;
	return berth_fail(err, BERTH_E_DENIED, "your role in workspace %s lacks %s", seen.scope,
			  points[point].name);
}

bool sight_of(struct request *q, struct answer *a, struct sight *ret)
{
	const char *name = request_query(q, "workspace");
	struct berth_error err = ERROR_INIT;

	if (look(q, request_route(q)->point, ret, &err)) {
		api_fail(a, &err, NULL);
		return false;
	}
	if (name && !find_workspace(q, a, name, ret))
		return false;
	write_where(ret);
	return true;
}

/* Counts the spaces of that id that the condition lets through. */
static int count_spaces(struct request *q, struct sight *s, const char *space_id, int64_t *ret,
			struct berth_error *err)
{
	char within[sizeof(s->where) + 32];

	snprintf(within, sizeof(within), "(%s) AND s.id = ?", s->where);
	add_value(s, space_id);
	return store_count(request_daemon(q)->store, &spaces_table,
			   PAGE_OF(within, s->values, s->value_count), ret, err);
}

static int see_space(struct request *q, enum point point, const char *space_id,
		     struct berth_error *err)
{
	struct sight s AUTO_SIGHT = {.is_all = false};
	int64_t count = 0;

	if (look(q, point, &s, err))
		return err->code;
	if (s.is_all)
		return 0;
	if (count_spaces(q, &s, space_id, &count, err))
		return err->code;
	return count ? 0 : berth_fail(err, BERTH_E_NOT_FOUND, "no space '%s'", space_id);
}

int sight_space(struct request *q, const char *space_id, struct berth_error *err)
{
	return see_space(q, request_route(q)->point, space_id, err);
}

int sight_owned_space(struct request *q, const char *space_id, struct berth_error *err)
{
	enum point point = request_route(q)->point;
	struct sight s AUTO_SIGHT = {.is_all = false};
	int64_t count = 0;

	if (see_space(q, POINT_SPACES_READ, space_id, err) ||
	    look_at_integrations(q, point, &s, err))
		return err->code;
	if (s.is_all)
		return 0;
	if (count_spaces(q, &s, space_id, &count, err))
		return err->code;
	return count ? 0
		     : berth_fail(err, BERTH_E_DENIED,
				  "this needs %s in the workspace that the space's integration "
				  "belongs to, or in the platform",
				  points[point].name);
}

/* The id of the space that holds a repository, "" where there is none: that is asked for alike. */
static int find_space_of(struct request *q, const char *integration, const char *repository,
			 char ret_id[UUID_ROOM], struct berth_error *err)
{
	struct store *s = request_daemon(q)->store;
	struct integration row AUTO_INTEGRATION = {.id = NULL};
	struct space space AUTO_SPACE = {.id = NULL};

	*ret_id = 0;
	int code = integration_get(s, integration, &row, err);
	if (code && code != BERTH_E_NOT_FOUND)
		return code;
	*err = (struct berth_error)ERROR_INIT;
	code = space_of_repository(s, row.id ? row.id : "", repository, &space, err);
	if (code && code != BERTH_E_NOT_FOUND)
		return code;
	*err = (struct berth_error)ERROR_INIT;
	snprintf(ret_id, UUID_ROOM, "%s", space.id ? space.id : "");
	return 0;
}

/* Seen with the route's point; BERTH_E_DENIED: without it. */
static int use_space(struct request *q, const char *space_id, struct berth_error *err)
{
	enum point point = request_route(q)->point;
	struct berth_error why = ERROR_INIT;
	int code = see_space(q, point, space_id, &why);

	if (code == BERTH_E_NOT_FOUND && !see_space(q, POINT_SPACES_READ, space_id, err))
		return berth_fail(err, BERTH_E_DENIED,
				  "this needs %s in a workspace that may use the space, or in the "
				  "platform",
				  points[point].name);
	if (!err->code)
		*err = why;
	return err->code;
}

int sight_repository(struct request *q, const char *integration, const char *repository,
		     bool is_owner, struct berth_error *err)
{
	char id[UUID_ROOM];

	if (find_space_of(q, integration, repository, id, err))
		return err->code;
	int code = is_owner ? sight_owned_space(q, id, err) : use_space(q, id, err);
	if (code != BERTH_E_NOT_FOUND)
		return code;
	*err = (struct berth_error)ERROR_INIT;
	return berth_fail(err, BERTH_E_NOT_FOUND, "no space that you may use holds %s/%s",
			  integration, repository);
}

static int get_login(struct request *q, const char *id, enum point point, struct login *ret,
		     struct berth_error *err)
{
	struct sight s AUTO_SIGHT = {.is_all = false};
	char within[sizeof(s.where) + 32];

	if (look_at_integrations(q, point, &s, err))
		return err->code;
	snprintf(within, sizeof(within), "(%s) AND l.id = ?", s.where);
	add_value(&s, id);
	return store_get(request_daemon(q)->store, &logins_table,
			 PAGE_OF(within, s.values, s.value_count), id, ret, err);
}

int sight_login(struct request *q, const char *id, struct login *ret, struct berth_error *err)
{
	struct login seen AUTO_LOGIN = {.id = NULL};
	enum point point = request_route(q)->point;
	int code = get_login(q, id, point, ret, err);

	if (code != BERTH_E_NOT_FOUND || request_is_platform(q))
		return code;
	*err = (struct berth_error)ERROR_INIT;
	if (get_login(q, id, POINT_LOGINS_READ, &seen, err))
		return err->code;
	return berth_fail(err, BERTH_E_DENIED, "your role in the workspace of %s lacks %s",
			  seen.integration, points[point].name);
}

void sight_blur(const struct request *q, json_t *indexes)
{
	json_t *one;
	size_t i;

	if (request_is_platform(q))
		return;
	json_array_foreach (indexes, i, one) {
		if (json_object_get(one, "error"))
			js_put_str(one, "error", "the registry could not be read");
		json_object_del(one, "cause");
	}
}
