/* SPDX-License-Identifier: Apache-2.0 */
/* Native replication: Berth's rule as a policy of Harbor, where that loses
 * nothing. Everything made here is named berth-..., so that it is found again
 * and others' are left alone. The other end is a /registries object, named by
 * a hash of its address and user, shared by the rules that use it.
 */
#include "harbor.h"

#include <stdio.h>
#include <string.h>

#include "core/base/digest.h"
#include "core/base/js.h"
#include "core/base/text.h"

static int refuse(struct berth_error *err, const char *why)
{
	return berth_fail(err, BERTH_E_UNSUPPORTED, "Harbor's replication %s", why);
}

/* Every member of a rule that is not said by a policy would be lost in silence. */
static int check_members(const json_t *rule, struct berth_error *err)
{
	static const char *const said[] = {"name",  "push", "source",   "target",
					   "names", "tags", "override", "referrers"};
	const char *key;
	json_t *value;
	json_object_foreach ((json_t *)(uintptr_t)rule, key, value) {
		size_t i = 0;
		while (i < ARRAY_COUNT(said) && strcmp(said[i], key) != 0)
			i++;
		if (i < ARRAY_COUNT(said) || json_is_false(value) || json_is_null(value) ||
		    (json_is_integer(value) && !json_integer_value(value)) ||
		    (json_is_array(value) && !json_array_size(value)))
			continue;
		return berth_fail(err, BERTH_E_UNSUPPORTED,
				  "Harbor's replication has no word for '%s'", key);
	}
	return 0;
}

/* Patterns that mean the same to Berth and to Harbor's doublestar: there ** also
 * stands for no part at all, and is * inside a part. */
static int check_patterns(const json_t *rule, struct berth_error *err)
{
	const json_t *names = json_object_get(rule, "names"), *tags = json_object_get(rule, "tags");
	const char *name = json_string_value(json_array_get(names, 0));
	const char *tag = json_string_value(json_array_get(tags, 0));
	if (json_array_size(tags) > 1 || json_array_size(names) > 1)
		return refuse(err, "takes one name and one tag pattern");
	if ((name && strpbrk(name, "{}[]\\")) || (tag && strpbrk(tag, "{}[]\\")))
		return refuse(err, "reads braces in a pattern in its own way");
	const char *stars = name ? strstr(name, "**") : NULL;
	if (stars && (stars[2] || (stars != name && stars[-1] != '/')))
		return refuse(err, "reads ** in its own way unless it is a name's last part");
	return 0;
}

/* To another Harbor all goes with its image; from elsewhere Harbor knows no referrers
 * but by their tags, and every plain repository's name is below no project. */
static int check_ends(const json_t *rule, const json_t *peer, struct berth_error *err)
{
	bool is_push = js_bool(rule, "push", true);
	bool has_harbors = !strcmp(js_str(peer, "kind", ""), "harbor");
	bool referrers = js_bool(rule, "referrers", true);
	const char *prefix = js_str(json_object_get(rule, "source"), "prefix", "");
	const char *tag = json_string_value(json_array_get(json_object_get(rule, "tags"), 0));
	if (js_str(json_object_get(rule, "source"), "repository", NULL))
		return refuse(err, "is for a project, not for one repository");
	if (js_bool(peer, "own_tls", false))
		return refuse(err, "can't be given the CA or the certificate of the other end");
	if (has_harbors && !referrers)
		return refuse(err, "can't leave signatures out");
	if (is_push && !has_harbors)
		return refuse(err, "gives a registry that is no Harbor signatures that can't be "
				   "found there");
	if (strchr(prefix, '/') || (!is_push && *prefix))
		return refuse(err, is_push ? "chooses projects, not paths within one"
					   : "can't choose by a path at the source");
	if (!has_harbors && referrers)
		return refuse(err, "can't fetch signatures from a registry that is no Harbor");
	if (!has_harbors && (!tag || strchr("*?s", *tag)))
		return refuse(err, "takes a signature's tag for an image's");
	return 0;
}

static int check_rule(const json_t *rule, const json_t *peer, struct berth_error *err)
{
	int r = check_members(rule, err);
	if (!r)
		r = check_patterns(rule, err);
	return r ? r : check_ends(rule, peer, err);
}

static int load(const char *rule_json, const char *peer_json, json_t **ret_rule, json_t **ret_peer,
		struct berth_error *err)
{
	int r = ask_argument(rule_json, ret_rule, err);
	if (!r)
		r = ask_argument(peer_json, ret_peer, err);
	return r ? r : check_rule(*ret_rule, *ret_peer, err);
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

/* One that is there may have been made with an older password. */
static int renew_peer(struct harbor *h, const json_t *peer, int64_t id, struct berth_error *err)
{
	AUTO_JSON json_t *body = json_pack("{s:s, s:b}", "url", js_str(peer, "address", ""),
					   "insecure", !js_bool(peer, "tls_verify", true));
	if (body && *js_str(peer, "username", "")) {
		json_object_set_new(body, "credential_type", json_string("basic"));
		js_put_str(body, "access_key", js_str(peer, "username", ""));
		js_put_str(body, "access_secret", js_str(peer, "password", ""));
	}
	return body ? harbor_dof(h, "PUT", body, err, "/api/v2.0/registries/%lld", (long long)id)
		    : berth_fail_memory(err);
}

static int make_peer(struct harbor *h, const json_t *peer, int64_t *ret_id, struct berth_error *err)
{
	char name[32];
	int r = peer_name(peer, name, sizeof name, err);
	if (!r)
		r = find(h, "/api/v2.0/registries", name, ret_id, err);
	if (r)
		return r;
	AUTO_JSON json_t *body = peer_body(peer, name);
	if (!body)
		return berth_fail(err, BERTH_E_INVALID,
				  "the other end holds text that is not UTF-8");
	bool is_new = !*ret_id;
	r = is_new ? harbor_do(h, "POST", "/api/v2.0/registries", body, err)
		   : renew_peer(h, peer, *ret_id, err);
	if (r == BERTH_E_INVALID)
		return berth_wrap(err, "Harbor itself can't reach %s", js_str(peer, "address", ""));
	return r || !is_new ? r : find(h, "/api/v2.0/registries", name, ret_id, err);
}

/* ?* for a part or tag that is not empty: ** would also take the project's own
 * path, and artifacts without a tag. */
static json_t *filters(const json_t *rule, const char *prefix)
{
	const char *name = json_string_value(json_array_get(json_object_get(rule, "names"), 0));
	const char *tag = json_string_value(json_array_get(json_object_get(rule, "tags"), 0));
	size_t length = name ? strlen(name) : 0;
	bool takes_all = !name || (length >= 2 && !strcmp(name + length - 2, "**"));
	AUTO_FREE char *value = text_printf("%s%s%s%s", prefix, *prefix ? "/" : "",
					    name ? name : "**", takes_all ? "/?*" : "");
	if (!value)
		return NULL;
	if (!tag || strspn(tag, "*") == strlen(tag))
		tag = "?*";
	return json_pack("[{s:s, s:s}, {s:s, s:s, s:s}]", "type", "name", "value", value, "type",
			 "tag", "decoration", "matches", "value", tag);
}

/* "push": the rule's source is this Harbor. */
static json_t *policy_body(const json_t *rule, const char *name, int64_t peer_id)
{
	bool push = js_bool(rule, "push", true);
	const json_t *source = json_object_get(rule, "source"),
		     *target = json_object_get(rule, "target");
	const char *prefix = js_str(source, "prefix", ""), *to = js_str(target, "prefix", "");
	/* The source's project gives way to the target's prefix; none: all stays. */
	int replaced = *prefix && *to ? 1 : 0;
	json_t *chosen = filters(rule, prefix);
	return chosen ? json_pack("{s:s, s:b, s:b, s:i, s:{s:s}, s:o, s:s, s:i, s:{s:I}, s:{s:I}}",
				  "name", name, "enabled", 1, "override",
				  js_bool(rule, "override", true), "speed", -1, "trigger", "type",
				  "manual", "filters", chosen, "dest_namespace", to,
				  "dest_namespace_replace_count", replaced, "src_registry", "id",
				  (json_int_t)(push ? 0 : peer_id), "dest_registry", "id",
				  (json_int_t)(push ? peer_id : 0))
		      : NULL;
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
	remote_begin(&h->remote, call);
	int r = load(rule_json, peer_json, &rule, &peer, err);
	if (r || (call->flags & BERTH_CALL_DRY_RUN))
		return r;
	AUTO_FREE char *name = text_printf("berth-%s", js_str(rule, "name", "rule"));
	if (!name)
		return berth_fail_memory(err);
	/* The end of another rule may take the endpoint away in between. */
	for (int tries = 0; tries < 2; tries++) {
		*err = (struct berth_error){.size = err->size};
		r = make_peer(h, peer, &peer_id, err);
		if (!r)
			r = put_policy(h, rule, name, peer_id, &id, err);
		if (r != BERTH_E_NOT_FOUND)
			break;
	}
	if (!r && !id)
		return berth_fail(err, BERTH_E_PROTOCOL, "Harbor made policy '%s' and lists it not",
				  name);
	AUTO_FREE char *text = text_printf("%lld/%s", (long long)id, name);
	if (!r && !text)
		return berth_fail_memory(err);
	return r ? r
		 : remote_give(sink,
			       &(struct give){.kind = BERTH_ITEM_OBJECT, .id = text, .name = name},
			       err);
}

/* NUMBER/NAME, or only the number as older releases kept it. *ret_name: "" then. */
static int parse_id(const char *id, long long *ret_number, const char **ret_name,
		    struct berth_error *err)
{
	const char *slash = strchr(id, '/');
	uint64_t number;
	AUTO_FREE char *digits = strndup(id, slash ? (size_t)(slash - id) : strlen(id));
	if (!digits)
		return berth_fail_memory(err);
	if (!text_parse_u64(digits, 1, INT64_MAX, &number))
		return berth_fail(err, BERTH_E_INVALID, "'%.40s' is not a policy's id", id);
	*ret_number = (long long)number;
	*ret_name = slash ? slash + 1 : "";
	return 0;
}

static int run(void *self, const struct berth_call *call, const char *id, struct berth_sink *sink,
	       struct berth_error *err)
{
	struct harbor *h = self;
	const char *name = "";
	long long number = 0;
	AUTO_REPLY struct reply reply = {0};
	remote_begin(&h->remote, call);
	if (parse_id(id, &number, &name, err))
		return err->code;
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

/* Harbor's words of executions and tasks. */
static const char *state_of(const char *word)
{
	static const char *const words[][2] = {
		{"Succeed", "succeeded"}, {"Failed", "failed"}, {"Stopped", "stopped"}};
	for (size_t i = 0; i < ARRAY_COUNT(words); i++)
		if (!strcmp(words[i][0], word))
			return words[i][1];
	return "running";
}

/* "team/app:[2 item(s) in total]": the repository's part. free(). */
static char *repository_of(const json_t *task, const char *key)
{
	const char *text = js_str(task, key, "");
	return strndup(text, strcspn(text, ": ["));
}

static int each_task(void *user, json_t *task, struct berth_error *err)
{
	char id[24];
	AUTO_FREE char *source = repository_of(task, "src_resource");
	AUTO_FREE char *target = repository_of(task, "dst_resource");
	if (!source || !target)
		return berth_fail_memory(err);
	AUTO_JSON json_t *more =
		json_pack("{s:s, s:s, s:s}", "state", state_of(js_str(task, "status", "")),
			  "source", source, "target", target);
	snprintf(id, sizeof id, "%lld", (long long)js_int(task, "id", 0));
	return remote_give(user, &(struct give){.kind = BERTH_ITEM_TASK, .id = id, .more = more},
			   err);
}

static json_t *run_of(const json_t *execution)
{
	int64_t ended = js_int(execution, "succeed", 0) + js_int(execution, "failed", 0) +
			js_int(execution, "stopped", 0);
	json_t *more = json_pack(
		"{s:s, s:I, s:I}", "state", state_of(js_str(execution, "status", "")), "items_done",
		(json_int_t)ended, "items", (json_int_t)js_int(execution, "total", 0));
	js_put_str(more, "message", js_str(execution, "status_text", NULL));
	return more;
}

/* An execution goes on up to 30 s after its last task. Its tasks come one by one while
 * it goes on, so that theirs is not the end. */
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
	if (r)
		return r;
	AUTO_JSON json_t *more = run_of(execution);
	r = remote_give(sink, &(struct give){.kind = BERTH_ITEM_RUN, .id = run_id, .more = more},
			err);
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

/* A number that Harbor gave to another policy since, after a restore of its database,
 * has another name. */
static bool is_ours(const char *name, const char *kept)
{
	return *kept ? !strcmp(name, kept) : !strncmp(name, "berth-", 6);
}

static int remove_policy(void *self, const struct berth_call *call, const char *id,
			 struct berth_error *err)
{
	struct harbor *h = self;
	AUTO_JSON json_t *policy = NULL;
	const char *name = "";
	long long number = 0;
	remote_begin(&h->remote, call);
	if (parse_id(id, &number, &name, err))
		return err->code;
	int r = harbor_getf(h, &policy, err, "/api/v2.0/replication/policies/%lld", number);
	if (r == BERTH_E_NOT_FOUND)
		return 0;
	if (!r && !is_ours(js_str(policy, "name", ""), name))
		return berth_fail(err, BERTH_E_DENIED,
				  "policy %lld of Harbor was not made for this rule", number);
	if (r || (call->flags & BERTH_CALL_DRY_RUN))
		return r;
	r = harbor_dof(h, "DELETE", NULL, err, "/api/v2.0/replication/policies/%lld", number);
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
