/* SPDX-License-Identifier: Apache-2.0 */
/* Projects as spaces. Names may be digits only: every request says that the
 * path holds a name (X-Is-Resource-Name, wire.c). Quotas hang on the project's
 * id and have ids of their own.
 */
#include "harbor.h"

#include <stdio.h>
#include <string.h>

#include "core/base/js.h"
#include "core/base/text.h"

struct listing {
	struct harbor *h;
	struct berth_sink *sink;
	json_t *quotas; /* project id as text -> quota, or NULL where we may not see them */
};

static bool is_public(const json_t *project)
{
	return !strcmp(js_str(json_object_get(project, "metadata"), "public", "false"), "true");
}

static void put_quota(json_t *more, struct berth_item *item, const json_t *quota)
{
	int64_t hard = js_int(json_object_get(quota, "hard"), "storage", -1);
	int64_t used = js_int(json_object_get(quota, "used"), "storage", 0);
	if (!quota)
		return;
	if (hard >= 0)
		json_object_set_new(more, "quota_bytes", json_integer(hard));
	json_object_set_new(more, "used_bytes", json_integer(used));
	item->bytes = used > 0 ? (uint64_t)used : 0;
}

static int give_space(struct listing *l, const json_t *project, struct berth_error *err)
{
	char id[24];
	bool is_proxy = js_int(project, "registry_id", 0) > 0;
	AUTO_JSON json_t *more = json_object();
	struct berth_item item = {0};
	snprintf(id, sizeof id, "%lld", (long long)js_int(project, "project_id", 0));
	json_object_set_new(more, "public", json_boolean(is_public(project)));
	json_object_set_new(more, "mode", json_string(is_proxy ? "proxy" : "local"));
	json_object_set_new(more, "push", json_boolean(!is_proxy));
	json_object_set_new(more, "repositories", json_integer(js_int(project, "repo_count", 0)));
	put_quota(more, &item, json_object_get(l->quotas, id));
	return remote_give(l->sink,
			   &(struct give){.kind = BERTH_ITEM_SPACE,
					  .id = id,
					  .name = js_str(project, "name", ""),
					  .bytes = item.bytes,
					  .updated_ms = harbor_time(project, "update_time"),
					  .more = more},
			   err);
}

static int each_quota(void *user, json_t *quota, struct berth_error *err)
{
	char id[24];
	snprintf(id, sizeof id, "%lld", (long long)js_int(json_object_get(quota, "ref"), "id", 0));
	if (json_object_set(user, id, quota))
		return berth_fail_memory(err);
	return 0;
}

static int each_project(void *user, json_t *project, struct berth_error *err)
{
	return give_space(user, project, err);
}

/* Quotas are an administrator's to see; without them spaces have no sizes. */
static int load_quotas(struct harbor *h, const char *path, json_t **ret, struct berth_error *err)
{
	AUTO_JSON json_t *quotas = json_object();
	int r = harbor_pages(h, path, each_quota, quotas, err);
	if (r == BERTH_E_DENIED || r == BERTH_E_AUTH)
		return 0;
	if (!r)
		*ret = STEAL(quotas);
	return r;
}

int harbor_spaces(void *self, const struct berth_call *call, struct berth_sink *sink,
		  struct berth_error *err)
{
	struct harbor *h = self;
	AUTO_JSON json_t *quotas = NULL;
	remote_begin(&h->remote, call);
	int r = load_quotas(h, "/api/v2.0/quotas?reference=project", &quotas, err);
	if (r)
		return r;
	struct listing l = {.h = h, .sink = sink, .quotas = quotas};
	return harbor_pages(h, "/api/v2.0/projects?sort=name", each_project, &l, err);
}

static int set_quota(struct harbor *h, int64_t project_id, int64_t bytes, struct berth_error *err)
{
	AUTO_JSON json_t *found = NULL;
	int r = harbor_getf(h, &found, err, "/api/v2.0/quotas?reference=project&reference_id=%lld",
			    (long long)project_id);
	if (r)
		return r;
	const json_t *quota = json_array_get(found, 0);
	if (!quota)
		return berth_fail(err, BERTH_E_NOT_FOUND, "the project has no quota");
	AUTO_JSON json_t *body = json_pack("{s:{s:I}}", "hard", "storage", (json_int_t)bytes);
	return harbor_dof(h, "PUT", body, err, "/api/v2.0/quotas/%lld",
			  (long long)js_int(quota, "id", 0));
}

/* -1 is Harbor's "unlimited". Old servers accept values that break them. */
static int check_quota(const json_t *space, int64_t *ret_bytes, bool *ret_has,
		       struct berth_error *err)
{
	const json_t *value = json_object_get(space, "quota_bytes");
	*ret_has = value != NULL;
	*ret_bytes = json_is_null(value) ? -1 : json_integer_value(value);
	if (!value || json_is_null(value))
		return 0;
	if (!json_is_integer(value) || *ret_bytes < 1 || *ret_bytes >= (INT64_C(1) << 50))
		return berth_fail(err, BERTH_E_INVALID,
				  "quota_bytes must be from 1 to 2^50, or null for no limit");
	return 0;
}

/* The space as it is now, with its quota where we may see that. */
static int give_one(struct harbor *h, const char *space, struct berth_sink *sink,
		    struct berth_error *err)
{
	AUTO_JSON json_t *project = NULL, *quotas = NULL;
	struct listing l = {.h = h, .sink = sink};
	int r = harbor_project(h, space, &project, err);
	if (r)
		return r;
	AUTO_FREE char *path = text_printf("/api/v2.0/quotas?reference=project&reference_id=%lld",
					   (long long)js_int(project, "project_id", 0));
	if (!path)
		return berth_fail_memory(err);
	r = load_quotas(h, path, &quotas, err);
	l.quotas = quotas;
	return r ? r : give_space(&l, project, err);
}

static json_t *metadata(const json_t *wanted)
{
	const char *word = js_bool(wanted, "public", false) ? "true" : "false";
	return json_pack("{s:s}", "public", word);
}

int harbor_space_create(void *self, const struct berth_call *call, const char *space,
			const char *space_json, struct berth_sink *sink, struct berth_error *err)
{
	struct harbor *h = self;
	AUTO_JSON json_t *wanted = NULL, *body = NULL;
	int64_t bytes;
	bool has_quota;
	remote_begin(&h->remote, call);
	int r = ask_argument(space_json, &wanted, err);
	if (!r)
		r = check_quota(wanted, &bytes, &has_quota, err);
	if (r)
		return r;
	body = json_pack("{s:s, s:o}", "project_name", space, "metadata", metadata(wanted));
	if (has_quota)
		json_object_set_new(body, "storage_limit", json_integer(bytes));
	if (call->flags & BERTH_CALL_DRY_RUN)
		return 0;
	r = harbor_do(h, "POST", "/api/v2.0/projects", body, err);
	if (r == BERTH_E_CONFLICT)
		return berth_wrap(err, "project '%s' exists already", space);
	return r ? r : give_one(h, space, sink, err);
}

int harbor_space_update(void *self, const struct berth_call *call, const char *space,
			const char *space_json, struct berth_sink *sink, struct berth_error *err)
{
	struct harbor *h = self;
	AUTO_JSON json_t *wanted = NULL, *project = NULL;
	AUTO_FREE char *escaped = text_url_encode(space);
	int64_t bytes;
	bool has_quota;
	remote_begin(&h->remote, call);
	if (!escaped)
		return berth_fail_memory(err);
	int r = ask_argument(space_json, &wanted, err);
	if (!r)
		r = check_quota(wanted, &bytes, &has_quota, err);
	if (!r)
		r = harbor_project(h, space, &project, err);
	if (r || (call->flags & BERTH_CALL_DRY_RUN))
		return r;
	if (json_object_get(wanted, "public")) {
		AUTO_JSON json_t *body = json_pack("{s:o}", "metadata", metadata(wanted));
		r = harbor_dof(h, "PUT", body, err, "/api/v2.0/projects/%s", escaped);
	}
	if (!r && has_quota)
		r = set_quota(h, js_int(project, "project_id", 0), bytes, err);
	return r ? r : give_one(h, space, sink, err);
}

int harbor_space_delete(void *self, const struct berth_call *call, const char *space,
			struct berth_error *err)
{
	struct harbor *h = self;
	AUTO_JSON json_t *can = NULL;
	AUTO_FREE char *escaped = text_url_encode(space);
	remote_begin(&h->remote, call);
	if (!escaped)
		return berth_fail_memory(err);
	int r = harbor_getf(h, &can, err, "/api/v2.0/projects/%s/_deletable", escaped);
	if (r)
		return r;
	/* Harbor leaves "deletable" out where it is false. */
	if (!js_bool(can, "deletable", false)) {
		berth_fail(err, BERTH_E_CONFLICT, "project '%s' can't be deleted", space);
		return berth_cause(err, "%s", js_str(can, "message", "Harbor gives no reason"));
	}
	if (call->flags & BERTH_CALL_DRY_RUN)
		return 0;
	return harbor_dof(h, "DELETE", NULL, err, "/api/v2.0/projects/%s", escaped);
}
