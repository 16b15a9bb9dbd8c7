/* SPDX-License-Identifier: Apache-2.0 */
/* What a caller may see: see sight.h. */
#include "core/api/sight.h"

#include <string.h>

#include "core/access/access.h"
#include "core/base/text.h"
#include "core/http/route.h"
#include "core/store/spaces.h"

#define GROUPS_FEW 64 /* more are compared with those that have a role anywhere */

void sight_done(struct sight *s)
{
	buf_done(&s->principals);
	buf_done(&s->roles);
	free(s->workspace_id);
	s->workspace_id = NULL;
}

struct matching {
	const struct caller *caller;
	struct buf *to;
};

static int add_known(void *user, const void *row, struct berth_error *err)
{
	struct matching *m = user;
	const struct known_group *it = row;
	uint64_t gid;

	if (it->principal[0] != 'g' || !text_parse_u64(it->principal + 1, 0, UINT32_MAX, &gid) ||
	    !caller_has_group(m->caller, (gid_t)gid))
		return 0;
	return buf_printf(m->to, err, "%s ", it->principal);
}

int sight_principals(const struct caller *caller, struct buf *to, struct berth_error *err)
{
	struct matching m = {.caller = caller, .to = to};
	int r = buf_printf(to, err, " u%lu ", (unsigned long)caller->uid);

	if (!r && caller->group_count > GROUPS_FEW)
		return api_each(api_daemon()->store, &known_groups_table, NULL, add_known, &m, err);
	for (size_t i = 0; !r && i < caller->group_count; i++)
		r = buf_printf(to, err, "g%lu ", (unsigned long)caller->groups[i]);
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

bool sight_operation(const struct request *q, uid_t uid)
{
	return request_is_platform(q) || request_caller(q)->uid == uid;
}

/* The workspace that ?workspace= names, as this caller finds it. */
static bool find_workspace(struct request *q, struct answer *a, const char *name, struct sight *s)
{
	struct workspace row AUTO_WORKSPACE = {.id = NULL};
	struct berth_error err = ERROR_INIT;
	enum workspace_role member = WORKSPACE_NONE;
	int code = workspace_get(request_daemon(q)->store, name, &row, &err);

	if (!code && !s->is_all)
		code = sight_member(q, row.id, &member, &err);
	if (!code && !s->is_all && member == WORKSPACE_NONE)
		code = berth_fail(&err, BERTH_E_NOT_FOUND, "no workspace '%s'", name);
	if (!code && !s->is_all && member != WORKSPACE_MAY) {
		api_refuse(a, 403, "forbidden", NULL, "your role in workspace %s lacks %s", name,
			   points[request_route(q)->point].name);
		return false;
	}
	if (!code) {
		s->workspace_id = strdup(row.id);
		if (s->workspace_id)
			return true;
		(void)berth_fail_memory(&err);
	}
	api_fail(a, &err, "berthctl workspace list");
	return false;
}

static void add_value(struct sight *s, const char *text)
{
	s->values[s->value_count++] = (struct store_value)V_TEXT(text);
}

/* The condition that follows from what was found. */
static void write_where(struct sight *s)
{
	s->value_count = 0;
	if (s->workspace_id) {
		snprintf(s->where, sizeof(s->where), "s.is_present = 1 AND (%s OR %s)",
			 SPACE_PUBLIC_SQL, SPACE_BOUND_SQL);
		add_value(s, s->workspace_id);
	} else if (s->is_all) {
		snprintf(s->where, sizeof(s->where), "1 = 1");
	} else {
		snprintf(s->where, sizeof(s->where), "s.is_present = 1 AND (%s OR %s)",
			 SPACE_PUBLIC_SQL, SPACE_OWN_SQL);
		add_value(s, buf_text(&s->principals));
		add_value(s, buf_text(&s->roles));
	}
}

/* Without ?workspace=. */
static int look(const struct request *q, struct sight *s, struct berth_error *err)
{
	*s = (struct sight){.is_all = request_is_platform(q)};
	buf_init(&s->principals, SIGHT_PRINCIPALS_MAX);
	buf_init(&s->roles, SIGHT_PRINCIPALS_MAX);
	int code = s->is_all ? 0 : sight_principals(request_caller(q), &s->principals, err);
	if (!code && !s->is_all)
		code = grants_with(request_grants(q), request_route(q)->point, &s->roles, err);
	write_where(s);
	return code;
}

bool sight_of(struct request *q, struct answer *a, struct sight *ret)
{
	const char *name = request_query(q, "workspace");
	struct berth_error err = ERROR_INIT;

	if (look(q, ret, &err)) {
		api_fail(a, &err, NULL);
		return false;
	}
	if (name && !find_workspace(q, a, name, ret))
		return false;
	write_where(ret);
	return true;
}

int sight_space(struct request *q, const char *space_id, struct berth_error *err)
{
	struct sight s AUTO_SIGHT = {.is_all = false};
	char within[sizeof(s.where) + 32];
	int64_t count = 0;

	if (look(q, &s, err))
		return err->code;
	if (s.is_all)
		return 0;
	snprintf(within, sizeof(within), "(%s) AND s.id = ?", s.where);
	add_value(&s, space_id);
	struct store_page page = {
		.within = within, .within_values = s.values, .within_count = s.value_count};
	if (store_count(request_daemon(q)->store, &spaces_table, &page, &count, err))
		return err->code;
	return count ? 0 : berth_fail(err, BERTH_E_NOT_FOUND, "no space '%s'", space_id);
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
