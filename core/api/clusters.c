/* SPDX-License-Identifier: Apache-2.0 */
/* /v1/clusters: what is asked, checked, and either done at once or handed to a
 * proof (cluster_ops.c). Runs in berthd's only thread.
 */
#include <stdio.h>
#include <string.h>

#include "api_handlers.h"
#include "core/api/cluster.h"
#include "core/api/integration.h"
#include "core/api/pull.h"
#include "core/base/clock.h"
#include "core/store/records.h"

static void path_of(const char *name, char *to, size_t room)
{
	snprintf(to, room, "/v1/clusters/%s", name);
}

/* The object that the API shows. */
static int cluster_show(struct request *q, const void *row, json_t **ret, struct berth_error *err)
{
	const struct cluster *it = row;
	struct daemon_state *d = request_daemon(q);
	json_t *shown AUTO_JSON = NULL;
	json_t *status AUTO_JSON = NULL;
	json_t *token = NULL, *key = NULL;

	if (api_parse(it->desired, &shown, err) || api_parse(it->status, &status, err))
		return berth_wrap(err, "cluster %s", it->name);
	json_object_set_new(shown, "id", json_string(it->id));
	json_object_set_new(shown, "name", json_string(it->name));
	js_put_time(shown, "created_at", it->created_ms);
	js_put_time(shown, "updated_at", it->updated_ms);
	if (!js_str(status, "phase", NULL))
		json_object_set_new(status, "phase", json_string("unknown"));
	json_object_set(shown, "status", status);
	if (secret_state(d, it->id, "option_token", &token, err))
		return err->code;
	json_object_set_new(shown, "token", token);
	if (secret_state(d, it->id, "tls_client_key", &key, err))
		return err->code;
	json_object_set_new(json_object_get(shown, "tls"), "client_key", key);
	*ret = STEAL(shown);
	return 0;
}

static const char *const q_columns[] = {"name", NULL};

void api_clusters_list(struct request *q, struct answer *a)
{
	static const struct api_collection all = {.table = &clusters_table,
						  .noun = "cluster",
						  .q_columns = q_columns,
						  .show = cluster_show};

	api_list(&all, q, a);
}

/* Finds by the route's name; false: answered 404. */
static bool cluster_of_route(struct request *q, struct answer *a, struct cluster *ret)
{
	struct berth_error err = ERROR_INIT;

	if (!cluster_get(request_daemon(q)->store, request_param(q, "name"), ret, &err))
		return true;
	api_fail(a, &err, "berthctl cluster list");
	return false;
}

/* The row as the answer, with the ETag of what a user may change. */
static void answer_row(struct request *q, struct answer *a, const struct cluster *row)
{
	struct berth_error err = ERROR_INIT;
	json_t *desired AUTO_JSON = NULL;
	json_t *shown = NULL;

	if (api_parse(row->desired, &desired, &err) || cluster_show(q, row, &shown, &err))
		api_fail(a, &err, NULL);
	else
		answer_resource(a, q, shown, desired, row->generation);
}

void api_clusters_get(struct request *q, struct answer *a)
{
	struct cluster row AUTO_CLUSTER = {.id = NULL};

	if (cluster_of_route(q, a, &row))
		answer_row(q, a, &row);
}

static int show_node(struct request *q, const void *row, json_t **ret, struct berth_error *err)
{
	const struct cluster_node *it = row;

	(void)q;
	return api_parse(it->document, ret, err);
}

void api_cluster_nodes_list(struct request *q, struct answer *a)
{
	struct cluster row AUTO_CLUSTER = {.id = NULL};

	if (!cluster_of_route(q, a, &row))
		return;
	const struct store_value values[] = {V_TEXT(row.id)};
	struct api_collection of_one = {.table = &cluster_nodes_table,
					.noun = "node",
					.within = "cluster_id = ?",
					.within_values = values,
					.within_count = 1,
					.q_columns = q_columns,
					.show = show_node};
	api_list(&of_one, q, a);
}

/* --- making and changing --- */

/* A change on its way: what is there, what is wanted, and the secrets. */
struct change {
	struct cluster row; /* zeroed for a new one */
	const char *name;
	json_t *before, *desired, *secrets;
};

static void change_done(struct change *c)
{
	cluster_done(&c->row);
	json_decref(c->before);
	json_decref(c->desired);
	json_decref(c->secrets);
}
#define AUTO_CHANGE CLEANUP(change_done)

/* Is plugin kube there and well? */
static void check_plugin(const struct daemon_state *d, struct findings *f)
{
	const json_t *plugin = catalog_find(d, CLUSTER_PLUGIN);

	if (!plugin)
		findings_add(f, "", "no-plugin", "there is no plugin " CLUSTER_PLUGIN);
	else if (!js_bool(plugin, "ok", false))
		findings_add(f, "", "bad-plugin", "plugin " CLUSTER_PLUGIN " was not loaded: %s",
			     js_str(plugin, "error", ""));
}

/* Checks the body in full; false: answered. */
static bool check_change(struct request *q, struct answer *a, struct change *c)
{
	struct daemon_state *d = request_daemon(q);
	struct findings f = {.answer = a};
	struct berth_error err = ERROR_INIT;

	if (!api_plugins_known(q, a))
		return false;
	check_plugin(d, &f);
	if (cluster_body(d, request_body(q), c->before, &f, &c->desired, &c->secrets, &err)) {
		api_fail(a, &err, NULL);
		return false;
	}
	struct cluster_secrets has = {.has_token = false};
	if (vault_will_have(d, c->row.id, c->secrets, "option_token", &has.has_token, &err) ||
	    vault_will_have(d, c->row.id, c->secrets, "tls_client_key", &has.has_client_key,
			    &err)) {
		api_fail(a, &err, NULL);
		return false;
	}
	cluster_check(c->desired, &has, c->secrets, &f);
	return f.count == 0;
}

/* Hands a change to its proof. The secrets wait, sealed, under a new owner. */
static void submit_proof(struct request *q, struct answer *a, const struct change *c)
{
	bool is_dry_run = request_dry_run(q), is_new = !c->row.id;
	char owner[UUID_ROOM], path[96], instance[CLUSTER_NAME_ROOM];

	uuid_make(owner);
	path_of(c->name, path, sizeof(path));
	cluster_instance_name(c->name, instance);
	json_t *arguments AUTO_JSON = json_pack(
		"{s:s, s:s, s:O, s:o, s:s, s:I, s:b}", "id", is_new ? owner : c->row.id, "name",
		c->name, "desired", c->desired, "fields", vault_names(c->secrets), "owner", owner,
		"generation", (json_int_t)c->row.generation, "dry_run", is_dry_run ? 1 : 0);
	json_t *resources AUTO_JSON = json_pack("[s]", path);
	json_t *locks AUTO_JSON = is_dry_run ? json_array() : json_pack("[s]", instance);
	struct op_request request = {
		.kind = is_new ? "cluster-create" : "cluster-change",
		.arguments = arguments,
		.resources = resources,
		.locks = locks,
		.integration = instance,
	};
	vault_submit(q, a, &request, owner, c->secrets);
}

void api_clusters_create(struct request *q, struct answer *a)
{
	struct daemon_state *d = request_daemon(q);
	struct change c AUTO_CHANGE = {.name = js_str(request_body(q), "name", "")};
	struct cluster other AUTO_CLUSTER = {.id = NULL};
	struct berth_error err = ERROR_INIT;

	if (api_resumed(q, a))
		return;
	if (!cluster_get(d->store, c.name, &other, &err)) {
		api_refuse(a, 409, "exists", "berthctl cluster list",
			   "there is a cluster %s already", c.name);
		return;
	}
	if (err.code != BERTH_E_NOT_FOUND) {
		api_fail(a, &err, NULL);
		return;
	}
	if (check_change(q, a, &c))
		submit_proof(q, a, &c);
}

/* Does the change touch what a proof covers? */
static bool needs_proof(const struct change *c)
{
	static const char *const proved[] = {"address", "tls", "proxy"};

	if (json_object_size(c->secrets))
		return true;
	for (size_t i = 0; i < ARRAY_COUNT(proved); i++) {
		json_t *x = json_object_get(c->before, proved[i]);
		json_t *y = json_object_get(c->desired, proved[i]);
		if (x != y && (!x || !y || !json_equal(x, y)))
			return true;
	}
	return false;
}

/* A change that needs no proof, in one transaction. */
static int apply_change(struct daemon_state *d, const struct change *c, struct berth_error *err)
{
	char path[96];
	char *text AUTO_FREE = js_canonical(c->desired);

	if (!text)
		return berth_fail_memory(err);
	struct cluster row = c->row;
	row.desired = text;
	row.generation++;
	row.probe_ms = js_int(c->desired, "probe_period_s", 300) * 1000;
	row.updated_ms = clock_unix_ms();
	path_of(row.name, path, sizeof(path));
	if (store_begin(d->store, err))
		return err->code;
	struct store *undo AUTO_UNDO = d->store;
	if (cluster_change(d->store, &row, err) || api_tell(d, path, "changed", NULL, err) ||
	    store_commit(STEAL(undo), err))
		return err->code;
	return cluster_schedule(d, &row, err);
}

static void change_now(struct request *q, struct answer *a, const struct change *c)
{
	struct daemon_state *d = request_daemon(q);
	struct cluster row AUTO_CLUSTER = {.id = NULL};
	struct berth_error err = ERROR_INIT;
	bool is_same = json_equal(c->before, c->desired);
	char path[96];

	path_of(c->name, path, sizeof(path));
	if (request_dry_run(q))
		answer_json(a, 200, api_plan(NULL, is_same ? NULL : path, NULL));
	else if ((!is_same && apply_change(d, c, &err)) ||
		 cluster_get(d->store, c->name, &row, &err))
		api_fail(a, &err, NULL);
	else
		answer_row(q, a, &row);
}

/* Reads the cluster for a change and checks If-Match. */
static bool begin_change(struct request *q, struct answer *a, struct change *c)
{
	struct berth_error err = ERROR_INIT;

	if (!cluster_of_route(q, a, &c->row))
		return false;
	c->name = c->row.name;
	if (api_parse(c->row.desired, &c->before, &err)) {
		api_fail(a, &err, NULL);
		return false;
	}
	return answer_precondition(a, q, true, c->before, c->row.generation);
}

void api_clusters_patch(struct request *q, struct answer *a)
{
	struct change c AUTO_CHANGE = {.name = NULL};

	if (api_resumed(q, a) || !begin_change(q, a, &c) || !check_change(q, a, &c))
		return;
	if (needs_proof(&c))
		submit_proof(q, a, &c);
	else
		change_now(q, a, &c);
}

/* Answers 409 where work on it has not ended. */
static bool is_free(struct request *q, struct answer *a, const struct cluster *row)
{
	struct berth_error err = ERROR_INIT;
	char instance[CLUSTER_NAME_ROOM];
	int64_t open_count = 0;

	/* Of one that is gone for good they can't be removed any more. */
	if (!pull_namespaces_none(q, a, "n.cluster_id = ? AND n.is_wanted = 1", row->id,
				  "workspaces run in the cluster") ||
	    (!strcmp(row->phase, "healthy") &&
	     !pull_namespaces_none(q, a, "n.cluster_id = ? AND n.is_wanted = 0", row->id,
				   "pull secrets are still to be removed")))
		return false;
	cluster_instance_name(row->name, instance);
	if (operation_row_count_open(request_daemon(q)->store, instance, &open_count, &err)) {
		api_fail(a, &err, NULL);
		return false;
	}
	if (open_count)
		api_refuse(a, 409, "busy", "berthctl operation list",
			   "%lld operations on cluster %s have not ended", (long long)open_count,
			   row->name);
	return open_count == 0;
}

void api_clusters_delete(struct request *q, struct answer *a)
{
	struct change c AUTO_CHANGE = {.name = NULL};
	char path[96];

	if (!begin_change(q, a, &c) || !is_free(q, a, &c.row))
		return;
	path_of(c.name, path, sizeof(path));
	if (api_remove(q, a, path, c.row.id, cluster_remove))
		cluster_unschedule(request_daemon(q), c.row.id);
}

void api_clusters_probe(struct request *q, struct answer *a)
{
	struct cluster row AUTO_CLUSTER = {.id = NULL};
	struct op_request request;
	json_t *parts AUTO_JSON = NULL;

	if (api_resumed(q, a) || !cluster_of_route(q, a, &row))
		return;
	cluster_probe_work(&row, &request, &parts);
	(void)api_submit(q, a, &request);
}
