/* SPDX-License-Identifier: Apache-2.0 */
/* The operation type "pull-secrets": one job writes or removes the secrets of a
 * batch of one cluster's namespaces. What each should hold is found out when the
 * job begins, so that what changed meanwhile is in it; the content is in the call
 * frame only. What came of it goes into the namespaces' rows.
 */
#include <stdio.h>
#include <string.h>

#include "core/api/probe.h"
#include "core/api/pull.h"
#include "core/base/clock.h"
#include "core/base/digest.h"

#define RETRY_FIRST_MS 1000
#define RETRY_MAX_MS 30000
#define UNSETTLED_MS 5000

/* --- the call --- */

struct building {
	struct daemon_state *d;
	json_t *contents; /* workspace's id -> {"digest", "account", "is_settled"} */
	json_t *configs;  /* workspace's id -> text; in the frame */
	json_t *items;    /* in the frame */
	json_t *left;     /* namespace -> digest; "": it is removed. op->own */
	size_t config_bytes;
};

/* What a workspace's secrets hold now. */
static int find_content(struct building *b, const char *workspace_id, json_t **ret,
			struct berth_error *err)
{
	struct workspace of AUTO_WORKSPACE = {.id = NULL};
	json_t *plan AUTO_JSON = NULL;
	char *text AUTO_SECRET = NULL;
	char digest[DIGEST_TEXT_ROOM];

	*ret = json_object_get(b->contents, workspace_id);
	if (*ret)
		return 0;
	if (workspace_get_by_id(b->d->store, workspace_id, &of, err) ||
	    pull_look(b->d, workspace_id, of.name, true, &plan, err) ||
	    pull_digest(plan, of.patches_account, digest, err) ||
	    (*digest && pull_content(b->d, plan, &text, err)))
		return err->code;
	*ret = json_pack("{s:s, s:b, s:b}", "digest", digest, "account", of.patches_account ? 1 : 0,
			 "is_settled", js_bool(plan, "is_settled", false) ? 1 : 0);
	b->config_bytes += text ? strlen(text) : 0;
	if (json_object_set_new(b->contents, workspace_id, *ret) ||
	    (text && json_object_set_new(b->configs, workspace_id, json_string(text))))
		return berth_fail_memory(err);
	return 0;
}

static int put_item(struct building *b, const struct workspace_namespace *row,
		    const json_t *content, struct berth_error *err)
{
	const char *digest = js_str(content, "digest", "");
	json_t *item =
		json_pack("{s:s, s:s, s:b}", "namespace", row->namespace, "owner", row->owner,
			  "service_account", js_bool(content, "account", false) ? 1 : 0);

	if (*digest)
		js_put_str(item, "config", row->workspace_id);
	if (json_array_append_new(b->items, item) ||
	    json_object_set_new(b->left, row->namespace, json_string(digest)))
		return berth_fail_memory(err);
	return 0;
}

/* One namespace into the frame. Its login is being made just now: later. */
static int add_namespace(struct building *b, const char *cluster_id, const char *namespace,
			 struct berth_error *err)
{
	struct workspace_namespace row AUTO_NAMESPACE = {.cluster_id = NULL};
	json_t *content = NULL;
	int code = namespace_get(b->d->store, cluster_id, namespace, &row, err);

	if (code == BERTH_E_NOT_FOUND) {
		*err = (struct berth_error)ERROR_INIT;
		return 0;
	}
	if (code || (row.is_wanted && find_content(b, row.workspace_id, &content, err)))
		return err->code;
	if (!content || js_bool(content, "is_settled", false))
		return put_item(b, &row, content, err);
	struct workspace_namespace next = row;
	next.due_ms = clock_unix_ms() + UNSETTLED_MS;
	return namespace_change(b->d->store, &next, err);
}

static int build(struct building *b, const struct operation *op, struct berth_error *err)
{
	const char *cluster_id = js_str(op->arguments, "id", "");
	const json_t *one;
	size_t i;

	json_array_foreach (json_object_get(op->arguments, "namespaces"), i, one) {
		if (b->config_bytes > PULL_CONFIGS_MAX_BYTES)
			break; /* what is left stays due */
		if (add_namespace(b, cluster_id, json_string_value(one), err))
			return err->code;
	}
	return 0;
}

/* The frame takes what was gathered. */
static int frame(struct building *b, struct operation *op, json_t **ret, struct berth_error *err)
{
	struct cluster row AUTO_CLUSTER = {.id = NULL};
	json_t *instance = NULL;
	char name[CLUSTER_NAME_ROOM];

	if (cluster_get_by_id(b->d->store, js_str(op->arguments, "id", ""), &row, err) ||
	    cluster_instance_of_row(b->d, &row, &instance, err))
		return err->code;
	cluster_instance_name(row.name, name);
	json_t *instances AUTO_JSON = json_pack("{s:o}", name, instance);
	json_t *args AUTO_JSON = json_pack("{s:s, s:O, s:O}", "instance", name, "configs",
					   b->configs, "items", b->items);
	struct job_call call = {.kind = "pull-secrets",
				.deadline_ms = b->d->settings.jobs.read_ms,
				.instances = instances,
				.arguments = args};
	if (!instances || !args)
		return berth_fail_memory(err);
	return job_call(op, &call, ret, err);
}

int pull_call(struct operation *op, json_t **ret, struct berth_error *err)
{
	json_t *contents AUTO_JSON = json_object(), *configs AUTO_JSON = json_object();
	json_t *items AUTO_JSON = json_array();
	struct building b = {.d = api_daemon(),
			     .contents = contents,
			     .configs = configs,
			     .items = items,
			     .left = json_object()};

	job_release_json(op);
	op->own = json_pack("{s:o, s:i, s:i, s:i}", "left", b.left, "applied", 0, "removed", 0,
			    "failed", 0);
	if (!contents || !configs || !items || !op->own)
		return berth_fail_memory(err);
	return build(&b, op, err) ? err->code : frame(&b, op, ret, err);
}

/* --- what came of it --- */

struct verdict {
	const char *phase, *reason;
};

/* Is it the cluster, and not this one namespace? The worker decides the same. */
static bool is_of_cluster(const struct berth_error *why)
{
	return why->code == BERTH_E_TIMEOUT || why->code == BERTH_E_TLS ||
	       why->code == BERTH_E_AUTH || why->code == BERTH_E_ADDRESS ||
	       why->code == BERTH_E_PROTOCOL || why->code == BERTH_E_UNAVAILABLE;
}

static struct verdict judge(const struct workspace_namespace *row, const struct berth_error *why)
{
	bool is_going = why->code == BERTH_E_CONFLICT && strstr(why->message, "being deleted");

	if (is_of_cluster(why) && (why->from == BERTH_FROM_CURL || why->from == BERTH_FROM_HTTP ||
				   why->code != BERTH_E_UNAVAILABLE))
		return (struct verdict){"cluster-unreachable", probe_reason(why, "NotACluster")};
	if (why->code == BERTH_E_NOT_FOUND)
		return (struct verdict){"namespace-gone", "NotFound"};
	if (is_going)
		return (struct verdict){"namespace-gone", "Terminating"};
	if (why->code == BERTH_E_CONFLICT && !why->retry_ms)
		return (struct verdict){"foreign", "NotOurs"};
	if (why->code == BERTH_E_DENIED)
		return (struct verdict){"failed", "RightsMissing"};
	if (why->code == BERTH_E_QUOTA)
		return (struct verdict){"failed", "Quota"};
	if (why->retry_ms || why->code == BERTH_E_INTERNAL || why->code == BERTH_E_CANCELLED)
		return (struct verdict){row->is_wanted ? "pending" : "removing", "Retrying"};
	return (struct verdict){"failed", "Refused"};
}

static int64_t pause_ms(int64_t attempts)
{
	int64_t pause = RETRY_FIRST_MS;

	for (int64_t i = 1; i < attempts && pause < RETRY_MAX_MS; i++)
		pause *= 2;
	return pause < RETRY_MAX_MS ? pause : RETRY_MAX_MS;
}

static int note_failed(struct daemon_state *d, const struct workspace_namespace *row,
		       const struct berth_error *why, struct berth_error *err)
{
	struct workspace_namespace next = *row;
	const struct verdict v = judge(row, why);
	char message[800];

	if (!row->is_wanted && !strcmp(v.phase, "namespace-gone"))
		return namespace_remove(d->store, row->cluster_id, row->namespace, err);
	snprintf(message, sizeof(message), "%s%s%s", why->message, *why->cause ? ": " : "",
		 why->cause);
	next.checked_ms = clock_unix_ms();
	if (strcmp(next.phase, v.phase) != 0)
		next.since_ms = next.checked_ms;
	next.phase = (char *)(uintptr_t)v.phase;
	next.reason = (char *)(uintptr_t)v.reason;
	next.message = message;
	next.attempts++;
	next.due_ms = next.checked_ms + pause_ms(next.attempts);
	return namespace_change(d->store, &next, err);
}

/* digest "": nothing is there any more. */
static int note_done(struct daemon_state *d, const struct workspace_namespace *row,
		     const char *digest, struct berth_error *err)
{
	struct workspace_namespace next = *row;

	if (!row->is_wanted && !*digest)
		return namespace_remove(d->store, row->cluster_id, row->namespace, err);
	bool is_right = !strcmp(row->wanted, digest);
	next.checked_ms = clock_unix_ms();
	if (strcmp(next.phase, "right") != 0)
		next.since_ms = next.checked_ms;
	next.applied = (char *)(uintptr_t)digest;
	next.phase = (char *)(is_right ? "right" : "pending");
	next.reason = (char *)(*digest ? "" : "NothingToPull");
	next.message = (char *)"";
	next.attempts = 0;
	next.due_ms = next.checked_ms;
	if (is_right)
		next.due_ms = *digest ? next.due_ms + (int64_t)d->settings.pull_check_s * 1000 : 0;
	return namespace_change(d->store, &next, err);
}

static void count(json_t *own, const char *key)
{
	json_object_set_new(own, key, json_integer(js_int(own, key, 0) + 1));
}

static int note_one(struct operation *op, const char *namespace, const json_t *error,
		    struct berth_error *err)
{
	struct daemon_state *d = api_daemon();
	struct workspace_namespace row AUTO_NAMESPACE = {.cluster_id = NULL};
	const char *digest = js_str(json_object_get(op->own, "left"), namespace, NULL);
	struct berth_error why = ERROR_INIT;
	int code = digest ? namespace_get(d->store, js_str(op->arguments, "id", ""), namespace,
					  &row, err)
			  : BERTH_E_NOT_FOUND;

	if (code == BERTH_E_NOT_FOUND) {
		*err = (struct berth_error)ERROR_INIT;
		return 0;
	}
	if (code)
		return code;
	if (error) {
		js_to_error(error, &why);
		count(op->own, "failed");
		code = note_failed(d, &row, &why, err);
	} else {
		count(op->own, *digest ? "applied" : "removed");
		code = note_done(d, &row, digest, err);
	}
	json_object_del(json_object_get(op->own, "left"), namespace);
	return code;
}

int pull_items(struct operation *op, const json_t *items, struct berth_error *err)
{
	const json_t *item;
	size_t i;

	json_array_foreach (items, i, item) {
		const json_t *error = json_object_get(json_object_get(item, "more"), "error");
		if (note_one(op, js_str(item, "name", ""), error, err))
			return err->code;
	}
	return 0;
}

int pull_ended(struct operation *op, const json_t *value, const struct berth_error *why,
	       json_t **ret_result, struct berth_error *err)
{
	json_t *left AUTO_JSON = json_copy(json_object_get(op->own, "left")), *digest;
	json_t *error AUTO_JSON = why->code ? js_of_error(why) : NULL;
	const char *namespace;

	(void)value;
	json_object_foreach (left, namespace, digest)
		if (error && note_one(op, namespace, error, err))
			return err->code;
	pull_wake(); /* logins that the old content needed may go now */
	*ret_result =
		json_pack("{s:I, s:I, s:I}", "applied", (json_int_t)js_int(op->own, "applied", 0),
			  "removed", (json_int_t)js_int(op->own, "removed", 0), "failed",
			  (json_int_t)js_int(op->own, "failed", 0));
	return *ret_result ? 0 : berth_fail_memory(err);
}
