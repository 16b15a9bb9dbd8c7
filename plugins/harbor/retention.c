/* SPDX-License-Identifier: Apache-2.0 */
/* Retention (R1, R2): a project's policy as Harbor keeps it. A rule crosses as
 * {"template","count","days","repositories","tags","exclude_tags","untagged",
 * "disabled"}; one that Berth's form can't hold comes with the original under
 * "native" and goes back as that. What Harbor does not check is checked here:
 * templates, numbers, at most 15 rules.
 */
#include "harbor.h"

#include <stdio.h>
#include <string.h>

#include "core/base/js.h"
#include "core/base/text.h"

#define RULES_MAX 15

static const char *const templates[] = {"latestPushedK", "latestPulledN", "nDaysSinceLastPush",
					"nDaysSinceLastPull", "always"};

static bool is_template(const char *name)
{
	for (size_t i = 0; i < ARRAY_COUNT(templates); i++)
		if (!strcmp(templates[i], name))
			return true;
	return false;
}

/* The project and its policy; *ret_policy NULL where it has none. */
static int load(struct harbor *h, const char *space, json_t **ret_project, json_t **ret_policy,
		struct berth_error *err)
{
	int r = harbor_project(h, space, ret_project, err);
	if (r)
		return r;
	const char *id = js_str(json_object_get(*ret_project, "metadata"), "retention_id", NULL);
	if (!id || !*id)
		return 0;
	r = harbor_getf(h, ret_policy, err, "/api/v2.0/retentions/%s", id);
	/* Before 2.14 a deleted policy leaves its id behind, and GET is 500. */
	if (r == BERTH_E_NOT_FOUND || (r && err->upstream == 500))
		return 0;
	return r;
}

static const json_t *selector(const json_t *rule)
{
	return json_array_get(json_object_get(rule, "tag_selectors"), 0);
}

static const json_t *scope(const json_t *rule)
{
	const json_t *scopes =
		json_object_get(json_object_get(rule, "scope_selectors"), "repository");
	return json_array_get(scopes, 0);
}

/* Can Berth's form say all of it? */
static bool is_plain(const json_t *rule)
{
	return json_array_size(json_object_get(rule, "tag_selectors")) == 1 &&
	       json_array_size(json_object_get(json_object_get(rule, "scope_selectors"),
					       "repository")) == 1 &&
	       is_template(js_str(rule, "template", ""));
}

static json_t *rule_of(const json_t *rule)
{
	json_t *o = json_object();
	const char *template = js_str(rule, "template", "");
	const json_t *params = json_object_get(rule, "params");
	bool excludes = !strcmp(js_str(selector(rule), "decoration", ""), "excludes");
	bool not_in = !strcmp(js_str(scope(rule), "decoration", ""), "repoExcludes");
	js_put_str(o, "template", template);
	if (json_object_get(params, template))
		json_object_set(o, "number", json_object_get(params, template));
	js_put_str(o, not_in ? "exclude_repositories" : "repositories",
		   js_str(scope(rule), "pattern", "**"));
	js_put_str(o, excludes ? "exclude_tags" : "tags", js_str(selector(rule), "pattern", "**"));
	json_object_set_new(
		o, "untagged",
		json_boolean(strstr(js_str(selector(rule), "extras", ""), "true") != NULL));
	json_object_set_new(o, "disabled", json_boolean(js_bool(rule, "disabled", false)));
	if (!is_plain(rule))
		json_object_set(o, "native", (json_t *)(uintptr_t)rule);
	return o;
}

int harbor_retention_get(void *self, const struct berth_call *call, const char *space,
			 struct berth_sink *sink, struct berth_error *err)
{
	struct harbor *h = self;
	AUTO_JSON json_t *project = NULL, *policy = NULL;
	size_t i;
	const json_t *rule;
	remote_begin(&h->remote, call);
	int r = load(h, space, &project, &policy, err);
	if (r || !policy)
		return r;
	const json_t *trigger = json_object_get(policy, "trigger");
	const char *cron = js_str(json_object_get(trigger, "settings"), "cron", "");
	r = remote_give_fact(sink, "schedule", json_string(cron), err);
	json_array_foreach (json_object_get(policy, "rules"), i, rule) {
		AUTO_JSON json_t *more = rule_of(rule);
		char id[24];
		if (r)
			break;
		snprintf(id, sizeof id, "%zu", i + 1);
		r = remote_give(
			sink, &(struct give){.kind = BERTH_ITEM_RULE, .id = id, .more = more}, err);
	}
	return r;
}

static int check_rule(const json_t *rule, size_t index, struct berth_error *err)
{
	const char *template = js_str(rule, "template", "");
	int64_t number = js_int(rule, "number", -1);
	if (json_object_get(rule, "native"))
		return 0;
	if (!is_template(template))
		return berth_fail(err, BERTH_E_INVALID,
				  "rule %zu: template '%.40s' is not one of latestPushedK, "
				  "latestPulledN, nDaysSinceLastPush, nDaysSinceLastPull, always",
				  index + 1, template);
	if (strcmp(template, "always") != 0 && (number < 1 || number > 100000))
		return berth_fail(err, BERTH_E_INVALID, "rule %zu: number must be 1 to 100000",
				  index + 1);
	return 0;
}

/* decoration and pattern of one selector, from the two keys that exclude each other. */
static json_t *make_selector(const json_t *rule, const char *in, const char *out,
			     const char *in_word, const char *out_word)
{
	const char *excluded = js_str(rule, out, NULL);
	return json_pack("{s:s, s:s, s:s}", "kind", "doublestar", "decoration",
			 excluded ? out_word : in_word, "pattern",
			 excluded ? excluded : js_str(rule, in, "**"));
}

static json_t *native_rule(const json_t *rule)
{
	const char *template = js_str(rule, "template", "");
	json_t *native = json_object_get(rule, "native");
	if (native)
		return json_incref(native);
	json_t *params = json_object();
	if (strcmp(template, "always") != 0)
		json_object_set(params, template, json_object_get(rule, "number"));
	json_t *tags = make_selector(rule, "tags", "exclude_tags", "matches", "excludes");
	js_put_str(tags, "extras",
		   js_bool(rule, "untagged", false) ? "{\"untagged\":true}"
						    : "{\"untagged\":false}");
	return json_pack("{s:b, s:s, s:s, s:o, s:[o], s:{s:[o]}}", "disabled",
			 js_bool(rule, "disabled", false), "action", "retain", "template", template,
			 "params", params, "tag_selectors", tags, "scope_selectors", "repository",
			 make_selector(rule, "repositories", "exclude_repositories", "repoMatches",
				       "repoExcludes"));
}

static int make_policy(const json_t *wanted, int64_t project_id, json_t **ret,
		       struct berth_error *err)
{
	const json_t *rules = json_object_get(wanted, "rules"), *rule;
	json_t *list = NULL;
	size_t i;
	const char *cron = js_str(wanted, "schedule", "");
	if (json_array_size(rules) > RULES_MAX)
		return berth_fail(err, BERTH_E_INVALID, "%zu rules: Harbor takes at most %d",
				  json_array_size(rules), RULES_MAX);
	if (*cron && harbor_check_cron(cron, err))
		return err->code;
	json_array_foreach (rules, i, rule) {
		int r = check_rule(rule, i, err);
		if (r)
			return r;
	}
	list = json_array();
	json_array_foreach (rules, i, rule)
		json_array_append_new(list, native_rule(rule));
	*ret = json_pack("{s:s, s:o, s:{s:s, s:I}, s:{s:s, s:{s:s}}}", "algorithm", "or", "rules",
			 list, "scope", "level", "project", "ref", (json_int_t)project_id,
			 "trigger", "kind", "Schedule", "settings", "cron", cron);
	return *ret ? 0 : berth_fail(err, BERTH_E_INVALID, "the rules hold text that is not UTF-8");
}

/* The id that a deleted policy left behind (before 2.14) has to go first. */
static int clear_leftover(struct harbor *h, const json_t *project, struct berth_error *err)
{
	AUTO_FREE char *escaped = text_url_encode(js_str(project, "name", ""));
	if (!json_object_get(json_object_get(project, "metadata"), "retention_id"))
		return 0;
	return harbor_dof(h, "DELETE", NULL, err, "/api/v2.0/projects/%s/metadatas/retention_id",
			  escaped ? escaped : "");
}

int harbor_retention_set(void *self, const struct berth_call *call, const char *space,
			 const char *rules_json, struct berth_error *err)
{
	struct harbor *h = self;
	AUTO_JSON json_t *wanted = NULL, *project = NULL, *policy = NULL, *body = NULL;
	remote_begin(&h->remote, call);
	int r = ask_argument(rules_json, &wanted, err);
	if (!r)
		r = load(h, space, &project, &policy, err);
	if (!r)
		r = make_policy(wanted, js_int(project, "project_id", 0), &body, err);
	if (r || (call->flags & BERTH_CALL_DRY_RUN))
		return r;
	if (policy) {
		int64_t id = js_int(policy, "id", 0);
		json_object_set_new(body, "id", json_integer(id));
		return harbor_dof(h, "PUT", body, err, "/api/v2.0/retentions/%lld", (long long)id);
	}
	r = clear_leftover(h, project, err);
	return r ? r : harbor_do(h, "POST", "/api/v2.0/retentions", body, err);
}

int harbor_retention_id(struct harbor *h, const char *space, int64_t *ret, struct berth_error *err)
{
	AUTO_JSON json_t *project = NULL, *policy = NULL;
	int r = load(h, space, &project, &policy, err);
	if (!r && !policy)
		return berth_fail(err, BERTH_E_NOT_FOUND, "project '%s' has no retention rules",
				  space);
	if (!r)
		*ret = js_int(policy, "id", 0);
	return r;
}

int harbor_retention_run(void *self, const struct berth_call *call, const char *space,
			 struct berth_sink *sink, struct berth_error *err)
{
	struct harbor *h = self;
	AUTO_REPLY struct reply reply = {0};
	bool dry = call->flags & BERTH_CALL_DRY_RUN;
	AUTO_JSON json_t *body = json_pack("{s:b}", "dry_run", dry);
	AUTO_JSON json_t *more = json_pack("{s:s, s:b}", "state", "running", "dry_run", dry);
	int64_t id = 0;
	remote_begin(&h->remote, call);
	int r = harbor_retention_id(h, space, &id, err);
	if (r)
		return r;
	AUTO_FREE char *path = text_printf("/api/v2.0/retentions/%lld/executions", (long long)id);
	if (!path)
		return berth_fail_memory(err);
	r = harbor_ask(h, &(struct ask){.method = "POST", .path = path, .body = body}, &reply, err);
	if (r)
		return r;
	const char *run = reply.location ? strrchr(reply.location, '/') : NULL;
	if (!run)
		return berth_fail(err, BERTH_E_PROTOCOL, "POST %s: no Location of the run", path);
	return remote_give(
		sink, &(struct give){.kind = BERTH_ITEM_RUN, .id = run + 1, .more = more}, err);
}
