/* SPDX-License-Identifier: Apache-2.0 */
/* Operation types of a cluster: a proof before it is saved or changed, and
 * probes on its period. What a proof finds and what follows from it are one
 * transaction with the operation's end. A probe is one job: who answers, what
 * may be done there, what it can hold, and its nodes.
 */
#include <stdio.h>
#include <string.h>

#include "core/api/cluster.h"
#include "core/api/integration.h"
#include "core/api/job.h"
#include "core/api/probe.h"
#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/store/namespaces.h"

static void path_of(const char *name, char *to, size_t room)
{
	snprintf(to, room, "/v1/clusters/%s", name);
}

void cluster_instance_name(const char *name, char to[CLUSTER_NAME_ROOM])
{
	snprintf(to, CLUSTER_NAME_ROOM, "cluster/%s", name);
}

/* What an instance is made of. pending_owner and pending_fields: the secrets of a
 * change that is being proved; NULL: as they are kept. */
struct cluster_instance {
	const char *id;
	const json_t *desired;
	const char *pending_owner;
	const json_t *pending_fields;
};

static int cluster_instance(struct daemon_state *d, const struct cluster_instance *from,
			    json_t **ret, struct berth_error *err)
{
	json_t *desired AUTO_JSON = json_copy((json_t *)(uintptr_t)from->desired);
	const json_t *proxy = json_object_get(from->desired, "proxy");
	struct instance_request request = {.id = from->id,
					   .kind = CLUSTER_PLUGIN,
					   .scope = "platform",
					   .desired = desired,
					   .pending_owner = from->pending_owner,
					   .pending_fields = from->pending_fields};

	if (!desired ||
	    (proxy && json_object_set_new(desired, "options",
					  json_pack("{s:O}", "proxy", (json_t *)(uintptr_t)proxy))))
		return berth_fail_memory(err);
	return instance_build(d, &request, ret, err);
}

int cluster_instance_of_row(struct daemon_state *d, const struct cluster *row, json_t **ret,
			    struct berth_error *err)
{
	json_t *desired AUTO_JSON = NULL;

	if (api_parse(row->desired, &desired, err))
		return berth_wrap(err, "cluster %s", row->name);
	return cluster_instance(d, &(struct cluster_instance){.id = row->id, .desired = desired},
				ret, err);
}

/* The frame of a probe of that instance, which it takes. */
static int probe_call(const struct operation *op, const char *name, json_t *take_instance,
		      json_t **ret, struct berth_error *err)
{
	struct daemon_state *d = api_daemon();
	char instance[CLUSTER_NAME_ROOM];

	cluster_instance_name(name, instance);
	json_t *instances AUTO_JSON = json_pack("{s:o}", instance, take_instance);
	json_t *args AUTO_JSON = json_pack("{s:s, s:s}", "instance", instance, "scope", "platform");
	struct job_call call = {.kind = "cluster-probe",
				.deadline_ms = d->settings.jobs.probe_ms,
				.instances = instances,
				.arguments = args};
	if (!instances || !args)
		return berth_fail_memory(err);
	return job_call(op, &call, ret, err);
}

int cluster_proof_call(struct operation *op, json_t **ret, struct berth_error *err)
{
	const json_t *desired = json_object_get(op->arguments, "desired");
	struct cluster_instance from = {
		.id = js_str(op->arguments, "id", ""),
		.desired = desired,
		.pending_owner = js_str(op->arguments, "owner", ""),
		.pending_fields = json_object_get(op->arguments, "fields"),
	};
	json_t *instance = NULL;

	job_release_json(op);
	if (!js_bool(json_object_get(desired, "tls"), "verify", true))
		op_log(op, LOG_LEVEL_WARNING,
		       "the API server's certificate is not checked: whoever answers at its "
		       "address gets the credential");
	if (cluster_instance(api_daemon(), &from, &instance, err))
		return err->code;
	return probe_call(op, js_str(op->arguments, "name", ""), instance, ret, err);
}

int cluster_probe_call(struct operation *op, json_t **ret, struct berth_error *err)
{
	struct daemon_state *d = api_daemon();
	struct cluster row AUTO_CLUSTER = {.id = NULL};
	json_t *instance = NULL;

	job_release_json(op);
	if (cluster_get_by_id(d->store, js_str(op->arguments, "id", ""), &row, err) ||
	    cluster_instance_of_row(d, &row, &instance, err))
		return err->code;
	return probe_call(op, row.name, instance, ret, err);
}

void cluster_proof_release(struct operation *op)
{
	vault_forget(js_str(op->arguments, "owner", ""));
	job_release_json(op);
}

/* --- what was found --- */

static int put_nodes(struct daemon_state *d, const char *id, const json_t *nodes,
		     struct berth_error *err)
{
	const json_t *node;
	size_t i;

	if (cluster_nodes_clear(d->store, id, err))
		return err->code;
	json_array_foreach (nodes, i, node) {
		char *text AUTO_FREE = js_canonical(node);
		struct cluster_node row = {.cluster_id = (char *)id,
					   .name = (char *)js_str(node, "name", ""),
					   .is_ready = js_bool(node, "ready", false),
					   .document = text};
		if (!text)
			return berth_fail_memory(err);
		if (cluster_node_put(d->store, &row, err))
			return err->code;
	}
	return 0;
}

/* Facts into the status: version, user and features of the probe, counts and
 * allocatable of the overview. What a failed probe did not say stays. */
static void put_facts(json_t *status, const json_t *facts)
{
	static const char *const plain[] = {"version",     "user",       "features", "nodes",
					    "nodes_ready", "namespaces", "missing"};
	static const char *const held[] = {"cpu_millis", "memory_bytes", "pods"};
	json_t *allocatable = json_object();

	for (size_t i = 0; i < ARRAY_COUNT(plain); i++) {
		json_t *value = json_object_get(facts, plain[i]);
		if (value)
			json_object_set(status, plain[i], value);
		else
			json_object_del(status, plain[i]);
	}
	for (size_t i = 0; i < ARRAY_COUNT(held); i++)
		if (json_object_get(facts, held[i]))
			json_object_set(allocatable, held[i], json_object_get(facts, held[i]));
	if (json_object_size(allocatable))
		json_object_set(status, "allocatable", allocatable);
	else
		json_object_del(status, "allocatable");
	json_decref(allocatable);
}

/* Writes an observed status, with an event when the phase changes. found: what
 * a probe gathered (slot.h), or NULL. */
static int cluster_observe(struct daemon_state *d, const struct cluster *row, const json_t *found,
			   const struct berth_error *why, struct berth_error *err)
{
	int64_t now_ms = clock_unix_ms();
	json_t *status AUTO_JSON = NULL;
	char path[96];

	if (api_parse(row->status, &status, err))
		return err->code;
	const char *phase = probe_note(status, row->phase, why, "NotACluster", now_ms);
	if (!why->code) {
		put_facts(status, json_object_get(found, "facts"));
		if (put_nodes(d, row->id, json_object_get(found, "objects"), err))
			return err->code;
	}
	char *text AUTO_FREE = js_canonical(status);
	if (!text)
		return berth_fail_memory(err);
	if (cluster_set_status(d->store, row->id, text, phase, now_ms, err))
		return err->code;
	if (!why->code && namespaces_retry(d->store, row->id, now_ms, err))
		return err->code;
	path_of(row->name, path, sizeof(path));
	return strcmp(row->phase, phase) ? probe_tell(d, path, row->phase, status, err) : 0;
}

int cluster_probed(struct operation *op, const json_t *value, const struct berth_error *why,
		   json_t **ret_result, struct berth_error *err)
{
	struct daemon_state *d = api_daemon();
	struct cluster row AUTO_CLUSTER = {.id = NULL};

	(void)value;
	if (!probe_says_something(why))
		return 0;
	int code = cluster_get_by_id(d->store, js_str(op->arguments, "id", ""), &row, err);
	if (code == BERTH_E_NOT_FOUND) {
		*err = (struct berth_error)ERROR_INIT;
		return 0;
	}
	if (code || cluster_observe(d, &row, op->own, why, err))
		return err->code;
	if (!why->code)
		*ret_result = json_pack("{s:O*}", "facts", json_object_get(op->own, "facts"));
	return 0;
}

/* --- what follows from a proof --- */

static int store_row(struct operation *op, const struct cluster *row, const char *path,
		     struct berth_error *err)
{
	struct daemon_state *d = api_daemon();
	bool is_new = row->generation == 1;

	if ((is_new ? cluster_add(d->store, row, err) : cluster_change(d->store, row, err)) ||
	    vault_settle(d, js_str(op->arguments, "owner", ""), row->id,
			 json_object_get(op->arguments, "fields"), err) ||
	    cluster_observe(d, row, op->own, &(struct berth_error){.code = 0}, err) ||
	    api_tell(d, path, is_new ? "created" : "changed", op->id, err))
		return err->code;
	return cluster_schedule(d, row, err);
}

static int add_row(struct operation *op, const char *path, struct berth_error *err)
{
	const json_t *desired = json_object_get(op->arguments, "desired");
	char *text AUTO_FREE = js_canonical(desired);
	struct cluster row = {
		.id = (char *)js_str(op->arguments, "id", ""),
		.name = (char *)js_str(op->arguments, "name", ""),
		.desired = text,
		.status = (char *)"{}",
		.phase = (char *)"unknown",
		.generation = 1,
		.probe_ms = probe_period_ms(desired),
		.created_ms = clock_unix_ms(),
	};

	row.updated_ms = row.created_ms;
	return text ? store_row(op, &row, path, err) : berth_fail_memory(err);
}

static int change_row(struct operation *op, const char *path, struct berth_error *err)
{
	const json_t *desired = json_object_get(op->arguments, "desired");
	struct cluster row AUTO_CLUSTER = {.id = NULL};

	if (cluster_get_by_id(api_daemon()->store, js_str(op->arguments, "id", ""), &row, err))
		return err->code;
	if (row.generation != js_int(op->arguments, "generation", 0))
		return berth_fail(err, BERTH_E_CONFLICT,
				  "cluster %s was changed while this change was proved", row.name);
	char *text = js_canonical(desired);
	if (!text)
		return berth_fail_memory(err);
	free(row.desired);
	row.desired = text;
	row.generation++;
	row.probe_ms = probe_period_ms(desired);
	row.updated_ms = clock_unix_ms();
	return store_row(op, &row, path, err);
}

int cluster_proved(struct operation *op, const json_t *value, const struct berth_error *why,
		   json_t **ret_result, struct berth_error *err)
{
	bool is_new = !strcmp(op->type->kind, "cluster-create");
	char path[96];
	struct proof proof = {.noun = "cluster",
			      .path = path,
			      .facts = json_object_get(op->own, "facts"),
			      .store = is_new ? add_row : change_row};

	(void)value;
	path_of(js_str(op->arguments, "name", ""), path, sizeof(path));
	return proof_end(op, why, &proof, ret_result, err);
}

/* --- the clock --- */

void cluster_probe_work(const struct cluster *row, struct op_request *request, json_t **ret_parts)
{
	char path[96], lock[128], instance[CLUSTER_NAME_ROOM];

	path_of(row->name, path, sizeof(path));
	snprintf(lock, sizeof(lock), "cluster-probe/%s", row->name);
	cluster_instance_name(row->name, instance);
	json_t *parts =
		json_pack("{s:{s:s, s:s}, s:[s], s:[s], s:s}", "arguments", "id", row->id, "name",
			  row->name, "resources", path, "locks", lock, "integration", instance);
	*request = (struct op_request){
		.kind = "cluster-probe",
		.arguments = json_object_get(parts, "arguments"),
		.resources = json_object_get(parts, "resources"),
		.locks = json_object_get(parts, "locks"),
		.integration = js_str(parts, "integration", ""),
		.joins = true,
	};
	*ret_parts = parts;
}

static void probe_is_due(void *user, const char *name)
{
	struct daemon_state *d = user;
	struct cluster row AUTO_CLUSTER = {.id = NULL};
	struct op_request request;
	struct op_submitted done;
	struct berth_error err = ERROR_INIT;
	json_t *parts AUTO_JSON = NULL;

	if (cluster_get_by_id(d->store, strchr(name, '/') + 1, &row, &err)) {
		log_warning("cannot probe: %s", err.message);
		return;
	}
	cluster_probe_work(&row, &request, &parts);
	request.user_name = "berthd";
	request.request_id = "cluster-probe";
	request.uid = getuid();
	if (ops_submit(d->ops, &request, &done, &err) && err.code != BERTH_E_CONFLICT)
		log_warning("cannot start the probe of cluster %s: %s", row.name, err.message);
}

int cluster_schedule(struct daemon_state *d, const struct cluster *row, struct berth_error *err)
{
	char name[64];

	snprintf(name, sizeof(name), "cluster/%s", row->id);
	return probe_schedule(d, name, row->checked_ms, row->probe_ms, probe_is_due, err);
}

void cluster_unschedule(struct daemon_state *d, const char *id)
{
	char name[64];

	snprintf(name, sizeof(name), "cluster/%s", id);
	schedule_remove(ops_schedule(d->ops), name);
}

static int schedule_one(void *user, const void *row, struct berth_error *err)
{
	return cluster_schedule(user, row, err);
}

int cluster_clock_start(struct daemon_state *d, struct berth_error *err)
{
	return api_each(d->store, &clusters_table, NULL, schedule_one, d, err);
}
