/* SPDX-License-Identifier: Apache-2.0 */
/* Which events a caller may see: see event_sight.h. */
#include "core/api/event_sight.h"

#include <string.h>

#include "core/access/access.h"
#include "core/api/accounts.h"
#include "core/api/role.h"
#include "core/base/text.h"
#include "core/store/spaces.h"

#define SPACES "/v1/spaces/"
#define INTEGRATIONS "/v1/integrations/"
#define WORKSPACES "/v1/workspaces/"

bool event_sight_of(struct request *q, struct answer *a, struct event_sight *ret)
{
	if (!sight_of(q, a, &ret->spaces))
		return false;
	ret->is_all = ret->spaces.is_all;
	ret->store = request_daemon(q)->store;
	ret->uid = request_caller(q)->uid;
	api_user_name(ret->uid, ret->names[0], sizeof(ret->names[0]));
	api_number_name(ret->uid, ret->names[1], sizeof(ret->names[1]));
	ret->is_fixed = ret->is_all && !request_grants(q)->role_count;
	ret->accounts = accounts_changes();
	ret->roles = role_changes();
	return true;
}

bool event_sight_is_old(const struct event_sight *s)
{
	return !s->is_fixed && (s->accounts != accounts_changes() || s->roles != role_changes());
}

static bool is_own(const struct event_sight *s, const json_t *requester)
{
	const char *name = js_str(requester, "name", "");

	return js_int(requester, "uid", -1) == (int64_t)s->uid &&
	       (!strcmp(name, s->names[0]) || !strcmp(name, s->names[1]));
}

void event_sight_done(struct event_sight *s)
{
	sight_done(&s->spaces);
}

static int is_any(struct store *s, const struct store_table *table, const struct store_page *page,
		  bool *ret, struct berth_error *err)
{
	int64_t count = 0;

	if (store_count(s, table, page, &count, err))
		return err->code;
	*ret = count > 0;
	return 0;
}

static int sees_space(const struct event_sight *s, const char *path, bool *ret,
		      struct berth_error *err)
{
	struct store_value values[ARRAY_COUNT(s->spaces.values) + 1];
	size_t count = s->spaces.value_count;
	char within[sizeof(s->spaces.where) + 32], id[40];

	snprintf(id, sizeof(id), "%.*s", (int)strcspn(path, "/"), path);
	snprintf(within, sizeof(within), "(%s) AND s.id = ?", s->spaces.where);
	memcpy(values, s->spaces.values, count * sizeof(*values));
	values[count++] = (struct store_value)V_TEXT(id);
	const struct store_page page = {
		.within = within, .within_values = values, .within_count = count};
	return is_any(s->store, &spaces_table, &page, ret, err);
}

static int sees_workspace(const struct event_sight *s, const char *name, bool *ret,
			  struct berth_error *err)
{
	const struct store_value values[] = {V_TEXT(name), V_TEXT(buf_text(&s->spaces.principals))};
	const struct store_page page = {.within = "w.name = ? AND " WORKSPACE_OWN_SQL,
					.within_values = values,
					.within_count = ARRAY_COUNT(values)};

	return is_any(s->store, &workspaces_table, &page, ret, err);
}

/* One of a workspace's own, there or not: the platform's are not for who sees this. */
static int sees_integration(const struct event_sight *s, const char *name, bool *ret,
			    struct berth_error *err)
{
	char workspace[64];
	size_t bytes = text_workspace_bytes(name);

	snprintf(workspace, sizeof(workspace), "%.*s", (int)bytes, name);
	return bytes ? sees_workspace(s, workspace, ret, err) : 0;
}

int event_sight_sees(const struct event_sight *s, const struct event_row *row, json_t *data,
		     bool *ret, struct berth_error *err)
{
	*ret = s->is_all;
	if (s->is_all)
		return 0;
	if (!strcmp(row->type, "operation")) {
		*ret = is_own(s, json_object_get(data, "requester"));
		return 0;
	}
	bool is_of_integration = !strncmp(row->resource, INTEGRATIONS, strlen(INTEGRATIONS));
	bool is_health = !strcmp(row->type, "health") && is_of_integration;
	if (!is_health && strcmp(row->type, "lifecycle") != 0)
		return 0;
	json_object_del(data, "operation");
	if (is_of_integration)
		return sees_integration(s, row->resource + strlen(INTEGRATIONS), ret, err);
	if (!strncmp(row->resource, SPACES, strlen(SPACES)))
		return sees_space(s, row->resource + strlen(SPACES), ret, err);
	if (!strncmp(row->resource, WORKSPACES, strlen(WORKSPACES)))
		return sees_workspace(s, row->resource + strlen(WORKSPACES), ret, err);
	return 0;
}
