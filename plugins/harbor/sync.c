/* SPDX-License-Identifier: Apache-2.0 */
/* Native replication: Berth's rule as a policy of Harbor, where that loses
 * nothing. Everything made here is named berth-..., so that it is found again
 * and others' are left alone. The other end is a /registries object, named by
 * a hash of its address and user, shared by the rules that use it.
 */
#include <stdio.h>
#include <string.h>

#include "core/base/digest.h"
#include "core/base/js.h"
#include "core/base/text.h"
#include "plugins/harbor/harbor.h"

/* What Harbor's policies can't say. */
static int check_rule(const json_t *rule, struct berth_error *err)
{
	static const char *const lists[][2] = {{"exclude", "excluded names"},
					       {"platforms", "platforms"}};
	const json_t *tags = json_object_get(rule, "tags"), *names = json_object_get(rule, "names");
	for (size_t i = 0; i < ARRAY_COUNT(lists); i++)
		if (json_array_size(json_object_get(rule, lists[i][0])))
			return berth_fail(err, BERTH_E_UNSUPPORTED,
					  "Harbor's replication has no filter by %s", lists[i][1]);
	if (json_array_size(tags) > 1 || json_array_size(names) > 1)
		return berth_fail(err, BERTH_E_UNSUPPORTED,
				  "Harbor's replication takes one name and one tag pattern");
	if (json_object_get(rule, "digest"))
		return berth_fail(err, BERTH_E_UNSUPPORTED,
				  "Harbor's replication copies by tag, not by digest");
	if (!js_bool(rule, "referrers", true))
		return berth_fail(err, BERTH_E_UNSUPPORTED,
				  "Harbor's replication can't leave signatures out");
	return 0;
}

static int load(const char *rule_json, const char *peer_json, json_t **ret_rule, json_t **ret_peer,
		struct berth_error *err)
{
	int r = ask_argument(rule_json, ret_rule, err);
	if (!r)
		r = ask_argument(peer_json, ret_peer, err);
	return r ? r : check_rule(*ret_rule, err);
}

/* berth-<hash of address and user> */
static int peer_name(const json_t *peer, char *to, size_t room, struct berth_error *err)
{
	char text[DIGEST_TEXT_ROOM];
	struct digest d;
	AUTO_FREE char *key =
		text_printf("%s %s", js_str(peer, "address", ""), js_str(peer, "username", ""));
	if (!key)
		return berth_fail_memory(err);
	int r = digest_of(DIGEST_SHA256, key, strlen(key), &d, err);
	if (r)
		return r;
	digest_format(&d, text);
	snprintf(to, room, "berth-%.16s", text + strlen("sha256:"));
	return 0;
}

struct found {
	const char *name;
	int64_t id;
};

static int each_named(void *user, json_t *object, struct berth_error *err)
{
	struct found *f = user;
	(void)err;
	if (!strcmp(js_str(object, "name", ""), f->name))
		f->id = js_int(object, "id", 0);
	return 0;
}

/* The id of the object of that name in a list, 0 where there is none. */
static int find(struct harbor *h, const char *list, const char *name, int64_t *ret_id,
		struct berth_error *err)
{
	struct found f = {.name = name};
	AUTO_FREE char *escaped = text_url_encode(name);
	AUTO_FREE char *path = text_printf("%s?q=name%%3D%s", list, escaped ? escaped : "");
	if (!escaped || !path)
		return berth_fail_memory(err);
	int r = harbor_pages(h, path, each_named, &f, err);
	*ret_id = f.id;
	return r;
}

static json_t *peer_body(const json_t *peer, const char *name)
{
	const char *kind = js_str(peer, "kind", "dockerreg"), *user = js_str(peer, "username", "");
	const char *type = !strcmp(kind, "harbor")  ? "harbor"
			   : !strcmp(kind, "jfrog") ? "jfrog-artifactory"
						    : "docker-registry";
	json_t *body = json_pack("{s:s, s:s, s:s, s:b}", "name", name, "type", type, "url",
				 js_str(peer, "address", ""), "insecure",
				 !js_bool(peer, "tls_verify", true));
	if (body && *user)
		json_object_set_new(body, "credential",
				    json_pack("{s:s, s:s, s:s}", "type", "basic", "access_key",
					      user, "access_secret", js_str(peer, "password", "")));
	return body;
}

static int make_peer(struct harbor *h, const json_t *peer, int64_t *ret_id, struct berth_error *err)
{
	char name[32];
	int r = peer_name(peer, name, sizeof name, err);
	if (!r)
		r = find(h, "/api/v2.0/registries", name, ret_id, err);
	if (r || *ret_id)
		return r;
	AUTO_JSON json_t *body = peer_body(peer, name);
	if (!body)
		return berth_fail(err, BERTH_E_INVALID,
				  "the other end holds text that is not UTF-8");
	r = harbor_do(h, "POST", "/api/v2.0/registries", body, err);
	if (r == BERTH_E_INVALID)
		return berth_wrap(err, "Harbor itself can't reach %s", js_str(peer, "address", ""));
	return r ? r : find(h, "/api/v2.0/registries", name, ret_id, err);
}

static json_t *filters(const json_t *rule, const char *prefix)
{
	const char *name = json_string_value(json_array_get(json_object_get(rule, "names"), 0));
	const char *tag = json_string_value(json_array_get(json_object_get(rule, "tags"), 0));
	AUTO_FREE char *value =
		text_printf("%s%s%s", prefix, *prefix ? "/" : "", name ? name : "**");
	json_t *list = json_pack("[{s:s, s:s}]", "type", "name", "value", value ? value : "**");
	if (tag)
		json_array_append_new(list, json_pack("{s:s, s:s, s:s}", "type", "tag",
						      "decoration", "matches", "value", tag));
	return list;
}

/* "push": the rule's source is this Harbor. */
static json_t *policy_body(const json_t *rule, const char *name, int64_t peer_id)
{
	bool push = js_bool(rule, "push", true);
	const json_t *source = json_object_get(rule, "source"),
		     *target = json_object_get(rule, "target");
	const char *prefix = js_str(source, "repository", js_str(source, "prefix", ""));
	int64_t limit = js_int(rule, "limit_bytes_per_s", 0);
	/* Harbor's speed is kilobits a second, of each task. */
	return json_pack("{s:s, s:b, s:b, s:I, s:{s:s}, s:o, s:s, s:I, s:{s:I}, s:{s:I}}", "name",
			 name, "enabled", 1, "override", js_bool(rule, "override", true), "speed",
			 (json_int_t)(limit > 0 ? (limit * 8 + 1023) / 1024 : -1), "trigger",
			 "type", "manual", "filters", filters(rule, prefix), "dest_namespace",
			 js_str(target, "prefix", ""), "dest_namespace_replace_count",
			 (json_int_t)js_int(rule, "flatten", 0), "src_registry", "id",
			 (json_int_t)(push ? 0 : peer_id), "dest_registry", "id",
			 (json_int_t)(push ? peer_id : 0));
}

static int plan(void *self, const struct berth_call *call, const char *rule_json,
		const char *peer_json, struct berth_sink *sink, struct berth_error *err)
{
	struct harbor *h = self;
	AUTO_JSON json_t *rule = NULL, *peer = NULL;
	char name[32];
	remote_begin(&h->remote, call);
	int r = load(rule_json, peer_json, &rule, &peer, err);
	if (!r)
		r = peer_name(peer, name, sizeof name, err);
	if (r)
		return r;
	AUTO_JSON json_t *endpoint =
		json_pack("{s:s, s:s}", "action", "registry-endpoint", "object", name);
	AUTO_JSON json_t *policy = json_pack("{s:s, s:s}", "action", "replication-policy", "object",
					     js_str(rule, "name", ""));
	r = remote_give(
		sink, &(struct give){.kind = BERTH_ITEM_STEP, .name = name, .more = endpoint}, err);
	return r ? r
		 : remote_give(sink,
			       &(struct give){.kind = BERTH_ITEM_STEP,
					      .name = js_str(rule, "name", ""),
					      .more = policy},
			       err);
}

static int put_policy(struct harbor *h, const json_t *rule, const char *name, int64_t peer_id,
		      int64_t *ret_id, struct berth_error *err)
{
	static const char list[] = "/api/v2.0/replication/policies";
	AUTO_JSON json_t *body = policy_body(rule, name, peer_id);
	if (!body)
		return berth_fail(err, BERTH_E_INVALID, "the rule holds text that is not UTF-8");
	int r = find(h, list, name, ret_id, err);
	if (r)
		return r;
	if (*ret_id)
		return harbor_dof(h, "PUT", body, err, "%s/%lld", list, (long long)*ret_id);
	r = harbor_do(h, "POST", list, body, err);
	return r ? r : find(h, list, name, ret_id, err);
}

static int prepare(void *self, const struct berth_call *call, const char *rule_json,
		   const char *peer_json, struct berth_sink *sink, struct berth_error *err)
{
	struct harbor *h = self;
	AUTO_JSON json_t *rule = NULL, *peer = NULL;
	int64_t peer_id = 0, id = 0;
	char text[24];
	remote_begin(&h->remote, call);
	int r = load(rule_json, peer_json, &rule, &peer, err);
	if (r || (call->flags & BERTH_CALL_DRY_RUN))
		return r;
	AUTO_FREE char *name = text_printf("berth-%s", js_str(rule, "name", "rule"));
	if (!name)
		return berth_fail_memory(err);
	r = make_peer(h, peer, &peer_id, err);
	if (!r)
		r = put_policy(h, rule, name, peer_id, &id, err);
	if (!r && !id)
		return berth_fail(err, BERTH_E_PROTOCOL, "Harbor made policy '%s' and lists it not",
				  name);
	snprintf(text, sizeof text, "%lld", (long long)id);
	return r ? r
		 : remote_give(sink,
			       &(struct give){.kind = BERTH_ITEM_OBJECT, .id = text, .name = name},
			       err);
}

static int run(void *self, const struct berth_call *call, const char *id, struct berth_sink *sink,
	       struct berth_error *err)
{
	struct harbor *h = self;
	uint64_t number;
	AUTO_REPLY struct reply reply = {0};
	remote_begin(&h->remote, call);
	if (!text_parse_u64(id, 1, INT64_MAX, &number))
		return berth_fail(err, BERTH_E_INVALID, "'%.40s' is not a policy's id", id);
	AUTO_JSON json_t *body = json_pack("{s:I}", "policy_id", (json_int_t)number);
	AUTO_JSON json_t *more = json_pack("{s:s}", "state", "running");
	struct ask ask = {
		.method = "POST", .path = "/api/v2.0/replication/executions", .body = body};
	int r = harbor_ask(h, &ask, &reply, err);
	const char *at = !r && reply.location ? strrchr(reply.location, '/') : NULL;
	if (!r && !at)
		return berth_fail(err, BERTH_E_PROTOCOL, "POST %s: no Location of the run",
				  ask.path);
	return r ? r
		 : remote_give(sink,
			       &(struct give){.kind = BERTH_ITEM_RUN, .id = at + 1, .more = more},
			       err);
}

static int each_task(void *user, json_t *task, struct berth_error *err)
{
	char id[24];
	snprintf(id, sizeof id, "%lld", (long long)js_int(task, "id", 0));
	return remote_give(user, &(struct give){.kind = BERTH_ITEM_TASK, .id = id, .more = task},
			   err);
}

static int status(void *self, const struct berth_call *call, const char *run_id,
		  struct berth_sink *sink, struct berth_error *err)
{
	struct harbor *h = self;
	AUTO_JSON json_t *execution = NULL;
	AUTO_FREE char *path = text_printf("/api/v2.0/replication/executions/%s", run_id);
	AUTO_FREE char *tasks = text_printf("/api/v2.0/replication/executions/%s/tasks", run_id);
	remote_begin(&h->remote, call);
	if (!path || !tasks)
		return berth_fail_memory(err);
	int r = harbor_get(h, path, &execution, err);
	if (!r)
		r = remote_give(
			sink,
			&(struct give){.kind = BERTH_ITEM_RUN, .id = run_id, .more = execution},
			err);
	/* An execution stays InProgress up to 30 s after its last task: the tasks count. */
	return r ? r : harbor_pages(h, tasks, each_task, sink, err);
}

static int cancel(void *self, const struct berth_call *call, const char *run_id,
		  struct berth_error *err)
{
	struct harbor *h = self;
	remote_begin(&h->remote, call);
	return harbor_dof(h, "PUT", NULL, err, "/api/v2.0/replication/executions/%s", run_id);
}

static int task_log(void *self, const struct berth_call *call, const char *run_id,
		    const char *task_id, struct berth_sink *sink, struct berth_error *err)
{
	struct harbor *h = self;
	AUTO_REPLY struct reply reply = {0};
	AUTO_FREE char *path =
		text_printf("/api/v2.0/replication/executions/%s/tasks/%s/log", run_id, task_id);
	remote_begin(&h->remote, call);
	if (!path)
		return berth_fail_memory(err);
	int r = harbor_ask(h, &(struct ask){.path = path, .is_text = true}, &reply, err);
	return r ? r : harbor_give_log(sink, reply.body, err);
}

/* The endpoint goes with the last policy that uses it: Harbor refuses (412)
 * while another one does. Only ours are touched. */
static int remove_peer(struct harbor *h, const json_t *policy, struct berth_error *err)
{
	const json_t *to = json_object_get(policy, "dest_registry");
	const json_t *from = json_object_get(policy, "src_registry");
	const json_t *peer = js_int(to, "id", 0) ? to : from;
	if (strncmp(js_str(peer, "name", ""), "berth-", 6) != 0)
		return 0;
	int r = harbor_dof(h, "DELETE", NULL, err, "/api/v2.0/registries/%lld",
			   (long long)js_int(peer, "id", 0));
	return r == BERTH_E_CONFLICT || r == BERTH_E_NOT_FOUND ? 0 : r;
}

static int remove_policy(void *self, const struct berth_call *call, const char *id,
			 struct berth_error *err)
{
	struct harbor *h = self;
	AUTO_JSON json_t *policy = NULL;
	remote_begin(&h->remote, call);
	int r = harbor_getf(h, &policy, err, "/api/v2.0/replication/policies/%s", id);
	if (r == BERTH_E_NOT_FOUND)
		return 0;
	if (!r && strncmp(js_str(policy, "name", ""), "berth-", 6) != 0)
		return berth_fail(err, BERTH_E_DENIED, "policy %s of Harbor was not made by Berth",
				  id);
	if (r || (call->flags & BERTH_CALL_DRY_RUN))
		return r;
	r = harbor_dof(h, "DELETE", NULL, err, "/api/v2.0/replication/policies/%s", id);
	if (r == BERTH_E_CONFLICT)
		return berth_wrap(err, "the policy has a run that has not ended");
	return r ? r : remove_peer(h, policy, err);
}

const struct berth_sync_ops harbor_sync_ops = {
	.size = sizeof harbor_sync_ops,
	.plan = plan,
	.prepare = prepare,
	.run = run,
	.status = status,
	.cancel = cancel,
	.log = task_log,
	.remove = remove_policy,
};
