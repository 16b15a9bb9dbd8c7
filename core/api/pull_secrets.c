/* SPDX-License-Identifier: Apache-2.0 */
/* The namespaces of a workspace, and /v1/workspaces/{name}/pull-secrets: how the
 * secret in each of them is, and which registries are in it.
 */
#include <stdio.h>
#include <string.h>

#include "api_handlers.h"
#include "core/api/pull.h"
#include "core/api/workspace.h"
#include "core/base/clock.h"

/* --- as a body has them --- */

static int compare(const json_t *x, const json_t *y)
{
	int order = strcmp(js_str(x, "cluster", ""), js_str(y, "cluster", ""));

	return order ? order : strcmp(js_str(x, "namespace", ""), js_str(y, "namespace", ""));
}

/* Where it belongs in the sorted list; -1: it is there already. */
static long place_of(const json_t *list, const json_t *one)
{
	const json_t *other;
	size_t i;

	json_array_foreach (list, i, other) {
		int order = compare(one, other);
		if (order <= 0)
			return order ? (long)i : -1;
	}
	return (long)json_array_size(list);
}

json_t *pull_namespaces_normal(const json_t *namespaces, struct findings *f)
{
	json_t *list = json_array();
	const json_t *one;
	size_t i;

	json_array_foreach (namespaces, i, one) {
		char pointer[48];
		long place = place_of(list, one);
		snprintf(pointer, sizeof(pointer), "/namespaces/%zu", i);
		if (place < 0) {
			findings_add(f, pointer, "twice", "it is in the list already");
		} else if (json_array_insert(list, (size_t)place, (json_t *)(uintptr_t)one)) {
			json_decref(list);
			return NULL;
		}
	}
	return list;
}

static bool has(const json_t *list, const json_t *one)
{
	return place_of(list, one) < 0;
}

/* --- as rows --- */

static int add_namespace(void *user, const void *row, struct berth_error *err)
{
	const struct workspace_namespace *it = row;
	json_t *one = json_pack("{s:s, s:s}", "cluster", it->cluster, "namespace", it->namespace);

	return json_array_append_new(user, one) ? berth_fail_memory(err) : 0;
}

int pull_namespaces_load(struct store *s, const char *workspace_id, json_t **ret,
			 struct berth_error *err)
{
	const struct store_value v = V_TEXT(workspace_id);
	const struct store_page page = {.within = "n.workspace_id = ? AND n.is_wanted = 1",
					.within_values = &v,
					.within_count = 1,
					.tail = "ORDER BY c.name, n.namespace"};
	json_t *list AUTO_JSON = json_array();

	if (!list)
		return berth_fail_memory(err);
	if (store_list(s, &namespaces_table, &page, add_namespace, list, NULL, err))
		return err->code;
	*ret = STEAL(list);
	return 0;
}

/* Somebody else's, or ours before under another id: says whose. */
static int say_taken(struct daemon_state *d, const struct workspace_namespace *row,
		     const char *pointer, struct findings *f, struct berth_error *err)
{
	struct workspace_namespace held AUTO_NAMESPACE = {.cluster_id = NULL};

	*err = (struct berth_error)ERROR_INIT;
	if (namespace_get(d->store, row->cluster_id, row->namespace, &held, err))
		return err->code;
	findings_add(f, pointer, "taken",
		     held.is_wanted ? "it is of workspace %s: a namespace is of one workspace at "
				      "most"
				    : "the secret of workspace %s is still to be removed from it",
		     held.owner);
	return 0;
}

static int take(struct daemon_state *d, const struct workspace *of, const json_t *one,
		const char *pointer, struct findings *f, struct berth_error *err)
{
	struct cluster cluster AUTO_CLUSTER = {.id = NULL};
	const char *name = js_str(one, "cluster", "");
	int code = cluster_get(d->store, name, &cluster, err);

	if (code == BERTH_E_NOT_FOUND) {
		*err = (struct berth_error)ERROR_INIT;
		findings_add(f, pointer, "unknown-cluster", "there is no cluster %s", name);
		return 0;
	}
	if (code)
		return code;
	struct workspace_namespace row = {.cluster_id = cluster.id,
					  .namespace = (char *)js_str(one, "namespace", ""),
					  .workspace_id = of->id,
					  .owner = of->name,
					  .since_ms = clock_unix_ms()};
	code = namespace_take(d->store, &row, err);
	return code == BERTH_E_CONFLICT ? say_taken(d, &row, pointer, f, err) : code;
}

static int drop(struct daemon_state *d, const json_t *one, struct berth_error *err)
{
	struct cluster cluster AUTO_CLUSTER = {.id = NULL};

	if (cluster_get(d->store, js_str(one, "cluster", ""), &cluster, err))
		return err->code;
	return namespace_drop(d->store, cluster.id, js_str(one, "namespace", ""), err);
}

int pull_namespaces_store(struct daemon_state *d, const struct workspace *of,
			  const json_t *namespaces, struct findings *f, struct berth_error *err)
{
	json_t *now AUTO_JSON = NULL;
	const json_t *one;
	size_t i;

	if (pull_namespaces_load(d->store, of->id, &now, err))
		return err->code;
	json_array_foreach (now, i, one)
		if (!has(namespaces, one) && drop(d, one, err))
			return err->code;
	json_array_foreach (namespaces, i, one) {
		char pointer[48];
		snprintf(pointer, sizeof(pointer), "/namespaces/%zu", i);
		if (!has(now, one) && take(d, of, one, pointer, f, err))
			return err->code;
	}
	return 0;
}

int pull_counts(struct store *s, const char *workspace_id, json_t **ret, struct berth_error *err)
{
	const struct store_value v = V_TEXT(workspace_id);
	int64_t all = 0, right = 0;

	if (store_count(s, &namespaces_table, PAGE_OF("n.workspace_id = ?", &v, 1), &all, err) ||
	    store_count(s, &namespaces_table,
			PAGE_OF("n.workspace_id = ? AND n.phase = 'right'", &v, 1), &right, err))
		return err->code;
	*ret = json_pack("{s:I, s:I}", "right", (json_int_t)right, "other",
			 (json_int_t)(all - right));
	return *ret ? 0 : berth_fail_memory(err);
}

static int add_use(void *user, const void *row, struct berth_error *err)
{
	const struct workspace_namespace *it = row;
	json_t *text = json_sprintf("namespace %s of cluster %s is of workspace %s", it->namespace,
				    it->cluster, it->owner);

	return api_use_add(user, text, err, "berthctl workspace edit %s --remove-namespace %s/%s",
			   it->owner, it->cluster, it->namespace);
}

bool pull_namespaces_none(struct request *q, struct answer *a, const char *within,
			  const char *value, const char *what)
{
	const struct api_users namespaces = {
		.table = &namespaces_table,
		.within = within,
		.value = value,
		.order = "ORDER BY c.name, n.namespace LIMIT 100",
		.say = add_use,
		.what = what,
		.before = ": ",
		.one = "namespace",
		.many = "namespaces",
		.after = "",
	};

	return api_unused(q, a, &namespaces);
}

/* --- the route --- */

/* A member is told how it is; what a server said is for who looks after it. */
static int show(struct request *q, const void *row, json_t **ret, struct berth_error *err)
{
	const struct workspace_namespace *it = row;
	json_t *shown = json_pack("{s:s, s:s, s:s}", "cluster", it->cluster, "namespace",
				  it->namespace, "phase", it->phase);

	if (!shown)
		return berth_fail_memory(err);
	js_put_str(shown, "reason", it->reason);
	if (request_is_platform(q))
		js_put_str(shown, "message", it->message);
	js_put_time(shown, "since", it->since_ms);
	js_put_time(shown, "checked_at", it->checked_ms);
	*ret = shown;
	return 0;
}

static int count_wanted(struct store *s, const char *workspace_id, int64_t *ret,
			struct berth_error *err)
{
	const struct store_value v = V_TEXT(workspace_id);

	return store_count(s, &namespaces_table,
			   PAGE_OF("n.workspace_id = ? AND n.is_wanted = 1", &v, 1), ret, err);
}

/* Which registries are in the secrets, and which not and why. */
static int describe(struct request *q, const struct workspace *of, json_t **ret,
		    struct berth_error *err)
{
	struct daemon_state *d = request_daemon(q);
	bool is_member = !request_is_platform(q);
	json_t *plan AUTO_JSON = NULL, *one;
	int64_t used = 0;
	size_t i;

	if (count_wanted(d->store, of->id, &used, err) ||
	    pull_look(d, of->id, of->name, used > 0, &plan, err))
		return err->code;
	json_t *integrations = json_object_get(plan, "integrations");
	json_array_foreach (integrations, i, one) {
		json_object_del(one, "integration_id");
		json_object_del(one, "login");
		if (is_member)
			json_object_del(one, "message");
	}
	*ret = json_pack("{s:O}", "integrations", integrations);
	return *ret ? 0 : berth_fail_memory(err);
}

void api_pull_secrets_list(struct request *q, struct answer *a)
{
	static const char *const q_columns[] = {"n.namespace", "c.name", NULL};
	struct workspace row AUTO_WORKSPACE = {.id = NULL};
	struct berth_error err = ERROR_INIT;
	json_t *more AUTO_JSON = NULL;

	if (!workspace_of_route(q, a, MEMBER_NONE, &row))
		return;
	if (describe(q, &row, &more, &err)) {
		api_fail(a, &err, NULL);
		return;
	}
	const struct store_value values[] = {V_TEXT(row.id)};
	struct api_collection of_one = {.table = &namespaces_table,
					.noun = "pull secret",
					.within = "n.workspace_id = ?",
					.within_values = values,
					.within_count = 1,
					.q_columns = q_columns,
					.more = more,
					.show = show};
	api_list(&of_one, q, a);
}
