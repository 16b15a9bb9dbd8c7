/* SPDX-License-Identifier: Apache-2.0 */
/* One artifact: shown from the cache or by asking its registry, and deleted.
 * A digest names bytes that never change, so a cached document stays true;
 * what refers to it may have changed, and fetched_at says how old that is.
 */
#include <stdio.h>
#include <string.h>

#include "api_handlers.h"
#include "core/api/image.h"
#include "core/api/integration.h"
#include "core/api/job.h"
#include "core/base/clock.h"
#include "core/base/text.h"

/* The reference of the route, which has a tag or a digest; false: answered. */
static bool reference_of_route(struct request *q, struct answer *a, const struct space *space,
			       struct reference *ret)
{
	struct berth_error err = ERROR_INIT;

	if (!space_reference(space, request_param(q, "reference"), ret, &err) && !*ret->tag &&
	    !*ret->digest)
		(void)berth_fail(&err, BERTH_E_INVALID,
				 "expected REPOSITORY:TAG or REPOSITORY@DIGEST");
	if (!err.code)
		return true;
	space_reference_refused(a, &err);
	return false;
}

/* All of them or NULL: a removal that lost its tag would be one of more. */
static json_t *arguments_of(const struct space *space, const struct reference *of)
{
	return json_pack("{s:s, s:s, s:s, s:s, s:s*, s:s*}", "id", space->integration_id,
			 "integration", space->integration, "space", space->name, "repository",
			 of->repository, "tag", *of->tag ? of->tag : NULL, "digest",
			 *of->digest ? of->digest : NULL);
}

static char *artifact_path(const struct space *space, const struct reference *of)
{
	char *text AUTO_FREE = text_printf("%s%s%s", of->repository, *of->digest ? "@" : ":",
					   *of->digest ? of->digest : of->tag);
	char *encoded AUTO_FREE = text ? text_url_encode(text) : NULL;

	return encoded ? text_printf("/v1/spaces/%s/artifacts/%s", space->id, encoded) : NULL;
}

/* True: answered from the cache. */
static bool answer_cached(struct request *q, struct answer *a, const struct space *space,
			  const struct reference *of)
{
	struct daemon_state *d = request_daemon(q);
	struct repository row AUTO_REPOSITORY = {.name = NULL};
	struct berth_error err = ERROR_INIT;
	char *text AUTO_FREE = NULL;
	json_t *document AUTO_JSON = NULL;
	int64_t seen_ms = 0;

	if (!*of->digest ||
	    repository_get(d->store, space->integration_id, of->repository, &row, &err) ||
	    artifact_get(d->store, row.id, of->digest, &text, &seen_ms, &err) || !text ||
	    api_parse(text, &document, &err))
		return false;
	js_put_time(document, "fetched_at", seen_ms);
	answer_json(a, 200, STEAL(document));
	return true;
}

/* The operation's integration must be there, on, and well. */
static bool is_usable(struct request *q, struct answer *a, const struct space *space)
{
	struct integration row AUTO_INTEGRATION = {.id = NULL};
	struct berth_error err = ERROR_INIT;

	if (!integration_get_by_id(request_daemon(q)->store, space->integration_id, &row, &err))
		return integration_usable(a, &row, true);
	api_fail(a, &err, NULL);
	return false;
}

/* For a tenant a space is what its own repositories are: another's name below
 * it is not there. False: answered 404. */
static bool is_within(struct request *q, struct answer *a, const struct space *space,
		      const struct reference *of)
{
	struct space holder AUTO_SPACE = {.id = NULL};
	struct berth_error err = ERROR_INIT;

	if (request_is_platform(q))
		return true;
	int code = space_of_repository(request_daemon(q)->store, space->integration_id,
				       of->repository, &holder, &err);
	if (!code && strcmp(holder.id, space->id) != 0)
		code = BERTH_E_NOT_FOUND;
	if (code == BERTH_E_NOT_FOUND)
		code = berth_fail(&err, BERTH_E_NOT_FOUND, "space %s holds no repository %s",
				  space->name, of->repository);
	if (code)
		api_fail(a, &err, NULL);
	return !code;
}

/* Who fetches the same joins; but a tenant never learns of another's operation. */
static json_t *locks_of(struct request *q, const char *path)
{
	unsigned long uid = request_caller(q)->uid;

	return request_is_platform(q)
		       ? json_pack("[s+]", "artifact", path)
		       : json_pack("[o]", json_sprintf("artifact%s for uid %lu", path, uid));
}

void api_artifacts_get(struct request *q, struct answer *a)
{
	struct space space AUTO_SPACE = {.id = NULL};
	struct reference of;

	if (api_resumed(q, a) || !space_of_route(q, a, &space) ||
	    !reference_of_route(q, a, &space, &of) || !is_within(q, a, &space, &of))
		return;
	if (answer_cached(q, a, &space, &of) || !is_usable(q, a, &space))
		return;
	char *path AUTO_FREE = artifact_path(&space, &of);
	json_t *arguments AUTO_JSON = arguments_of(&space, &of);
	json_t *resources AUTO_JSON = path ? json_pack("[s]", path) : NULL;
	json_t *locks AUTO_JSON = path ? locks_of(q, path) : NULL;
	struct op_request request = {.kind = "artifact",
				     .arguments = arguments,
				     .resources = resources,
				     .locks = locks,
				     .integration = space.integration,
				     .joins = true};
	(void)api_submit(q, a, &request);
}

/* What a removal would do, as the index knows it: the registry is not asked. */
static void plan_removal(struct request *q, struct answer *a, const struct space *space,
			 const struct reference *of, const char *name, const char *what)
{
	struct store *s = request_daemon(q)->store;
	struct repository row AUTO_REPOSITORY = {.name = NULL};
	struct tag tag AUTO_TAG = {.name = NULL};
	struct berth_error err = ERROR_INIT;

	int code = repository_get(s, space->integration_id, of->repository, &row, &err);
	if (!code && *of->tag)
		code = tag_get(s, row.id, of->tag, &tag, &err);
	if (code) {
		char hint[160];

		snprintf(hint, sizeof(hint), "berthctl integration refresh %s", space->integration);
		api_fail(a, &err, code == BERTH_E_NOT_FOUND ? hint : NULL);
		return;
	}
	json_t *plan = api_plan(NULL, NULL, name);
	if (plan)
		json_object_set_new(plan, "message", json_string(what));
	answer_json(a, 200, plan);
}

void image_remove(struct request *q, struct answer *a, const struct space *space,
		  const struct image_removal *removal)
{
	struct reference of = {.integration = ""};
	char name[700];

	snprintf(of.repository, sizeof(of.repository), "%s", removal->repository);
	snprintf(of.tag, sizeof(of.tag), "%s", removal->tag ? removal->tag : "");
	snprintf(of.digest, sizeof(of.digest), "%s", removal->digest ? removal->digest : "");
	snprintf(name, sizeof(name), "%s%s%s", of.repository,
		 *of.digest ? "@"
		 : *of.tag  ? ":"
			    : "",
		 *of.digest ? of.digest : of.tag);
	if (!is_usable(q, a, space))
		return;
	if (request_dry_run(q)) {
		plan_removal(q, a, space, &of, name, removal->what);
		return;
	}
	if (!image_confirmed(q, a, name, removal->what))
		return;
	char *path AUTO_FREE = artifact_path(space, &of);
	json_t *arguments AUTO_JSON = arguments_of(space, &of);
	json_t *resources AUTO_JSON = path ? json_pack("[s]", path) : NULL;
	json_t *locks AUTO_JSON =
		json_pack("[s+++]", "repository/", space->integration, "/", of.repository);
	struct op_request request = {.kind = removal->kind,
				     .arguments = arguments,
				     .resources = resources,
				     .locks = locks,
				     .integration = space->integration};
	(void)api_submit(q, a, &request);
}

void api_artifacts_delete(struct request *q, struct answer *a)
{
	struct space space AUTO_SPACE = {.id = NULL};
	struct reference of;

	if (api_resumed(q, a) || !owned_space_of_route(q, a, &space) ||
	    !reference_of_route(q, a, &space, &of) || !is_within(q, a, &space, &of))
		return;
	bool by_digest = *of.digest != '\0';
	struct image_removal removal = {
		.kind = by_digest ? "artifact-delete" : "tag-delete",
		.repository = of.repository,
		.tag = by_digest ? NULL : of.tag,
		.digest = by_digest ? of.digest : NULL,
		.what = by_digest ? "the artifact with all its tags"
				  : "the tag; what it points to stays with its other tags",
	};
	image_remove(q, a, &space, &removal);
}

/* --- operation types --- */

static int build(struct operation *op, const char *kind, uint32_t deadline_ms, json_t **ret,
		 struct berth_error *err)
{
	const char *tag = js_str(op->arguments, "tag", NULL);
	const char *digest = js_str(op->arguments, "digest", NULL);
	json_t *args AUTO_JSON =
		json_pack("{s:s}", "repository", js_str(op->arguments, "repository", ""));

	if (!strcmp(kind, "artifact"))
		js_put_str(args, "reference", digest ? digest : tag);
	js_put_str(args, "tag", tag);
	js_put_str(args, "digest", digest);
	return job_call_one(op, kind, deadline_ms, args, ret, err);
}

int artifact_call(struct operation *op, json_t **ret, struct berth_error *err)
{
	job_release_json(op);
	return build(op, "artifact", api_daemon()->settings.jobs.read_ms, ret, err);
}

/* A plugin may name a referrer in the artifact's document and give it as an item
 * of its own: it is shown once, with what either says. */
static int add_referrer(json_t *artifact, json_t *item)
{
	json_t *list = json_object_get(artifact, "referrers"), *one;
	const char *digest = js_str(item, "digest", "");
	size_t i;

	json_array_foreach (list, i, one)
		if (*digest && !strcmp(js_str(one, "digest", ""), digest))
			return json_object_update_missing(one, item);
	return json_array_append(list, item);
}

/* op->own is the artifact's document, referrers and all. */
int artifact_items(struct operation *op, const json_t *items, struct berth_error *err)
{
	const json_t *item;
	size_t i;

	if (!op->own)
		op->own = json_pack("{s:[]}", "referrers");
	if (!op->own)
		return berth_fail_memory(err);
	json_array_foreach (items, i, item) {
		const char *kind = js_str(item, "kind", "");
		json_t *more = json_object_get(item, "more");
		json_t *copy = more ? json_deep_copy(more) : json_object();
		js_put_str(copy, "digest", js_str(item, "digest", NULL));
		int failed = 0;
		if (!strcmp(kind, "artifact"))
			failed = json_object_update(op->own, copy);
		else if (!strcmp(kind, "referrer"))
			failed = add_referrer(op->own, copy);
		json_decref(copy);
		if (failed)
			return berth_fail_memory(err);
	}
	return 0;
}

static int index_artifact(struct daemon_state *d, struct operation *op, struct berth_error *err)
{
	const char *tag = js_str(op->arguments, "tag", NULL);
	const char *digest = js_str(op->own, "digest", "");
	char *text AUTO_FREE = js_canonical(op->own);
	int64_t now_ms = clock_unix_ms(), repository_id = 0;

	if (!text)
		return berth_fail_memory(err);
	if (space_repository(d, js_str(op->arguments, "id", ""),
			     js_str(op->arguments, "repository", ""), &repository_id, err) ||
	    artifact_put(d->store, repository_id, digest, text, now_ms, err))
		return err->code;
	struct tag row = {.repository_id = repository_id,
			  .name = (char *)tag,
			  .digest = (char *)digest,
			  .bytes = js_int(op->own, "size", 0),
			  .seen_ms = now_ms};
	return tag && !js_str(op->arguments, "digest", NULL) ? tag_put(d->store, &row, err) : 0;
}

int artifact_ended(struct operation *op, const json_t *value, const struct berth_error *why,
		   json_t **ret_result, struct berth_error *err)
{
	static const char *const named[] = {"integration", "space", "repository"};

	(void)value;
	if (why->code)
		return 0;
	if (!js_str(op->own, "digest", NULL))
		return berth_fail(err, BERTH_E_PROTOCOL, "the plugin gave no artifact");
	for (size_t i = 0; i < ARRAY_COUNT(named); i++)
		js_put_str(op->own, named[i], js_str(op->arguments, named[i], ""));
	if (index_artifact(api_daemon(), op, err))
		return err->code;
	*ret_result = json_deep_copy(op->own);
	js_put_str(*ret_result, "reference", js_str(op->arguments, "tag", NULL));
	js_put_time(*ret_result, "fetched_at", clock_unix_ms());
	return 0;
}

int removal_call(struct operation *op, json_t **ret, struct berth_error *err)
{
	return build(op, op->type->kind, api_daemon()->settings.jobs.delete_ms, ret, err);
}

/* What is gone at the registry, also where it was gone before, goes here too. */
static int forget(struct daemon_state *d, const struct operation *op, struct berth_error *err)
{
	const char *tag = js_str(op->arguments, "tag", NULL);
	const char *digest = js_str(op->arguments, "digest", NULL);
	struct repository row AUTO_REPOSITORY = {.name = NULL};
	int code = repository_get(d->store, js_str(op->arguments, "id", ""),
				  js_str(op->arguments, "repository", ""), &row, err);

	if (code == BERTH_E_NOT_FOUND) { /* the index never had it */
		*err = (struct berth_error)ERROR_INIT;
		return 0;
	}
	if (code)
		return code;
	if (digest)
		code = tag_remove_digest(d->store, row.id, digest, err);
	else if (tag)
		code = tag_remove(d->store, row.id, tag, err);
	else
		code = repository_remove(d->store, row.id, err);
	return code ? code : space_recount_all(d, row.integration_id, err);
}

int removal_ended(struct operation *op, const json_t *value, const struct berth_error *why,
		  json_t **ret_result, struct berth_error *err)
{
	struct daemon_state *d = api_daemon();
	const char *path = json_string_value(json_array_get(op->resources, 0));

	(void)value;
	if (why->code == BERTH_E_NOT_FOUND)
		return forget(d, op, err);
	if (why->code)
		return 0;
	*ret_result = json_object();
	if (forget(d, op, err))
		return err->code;
	return api_tell(d, path ? path : "", "deleted", op->id, err);
}
