/* SPDX-License-Identifier: Apache-2.0 */
/* The job that reads a registry for the image index: all of it, one space, or
 * repositories by name.
 */
#include <string.h>

#include "core/base/js.h"
#include "core/jobs/kinds.h"
#include "core/worker/backend.h"

/* A plugin can't be called from within its own call, so spaces and
 * repositories are collected first. Where the plugin knows the tags of a whole
 * space at once (resolve), they are kept for the length of that space, by
 * repository; else each repository is asked. What is collected is kept as text, which takes
 * a quarter of the memory. */
struct refresh {
	struct job *job;
	json_t *spaces;       /* names */
	json_t *repositories; /* name -> text of {updated_ms, more}; those still to come */
	json_t *tags;         /* of the space at hand: repository -> array of items; NULL: ask */
	uint64_t done, total, tag_count;
	const char *prefix;     /* only what is below it is collected; NULL: all */
	const char *repository; /* whose tags come now */
	int64_t updated_ms;     /* of it, and what else the list said; or 0 and NULL */
	json_t *more;
	bool is_untold; /* it is told with its first tag, or at their end */
};

static bool is_below(const char *repository, const char *place)
{
	size_t n = strlen(place);
	return !strncmp(repository, place, n) && repository[n] == '/';
}

static int collect_space(void *user, const struct berth_item *item, json_t *more,
			 struct berth_error *err)
{
	struct refresh *r = user;
	if (item->name && json_array_append_new(r->spaces, json_string(item->name)))
		return berth_fail_memory(err);
	return backend_item_to_job(r->job, item, more, err);
}

static int collect(void *user, const struct berth_item *item, json_t *more, struct berth_error *err)
{
	struct refresh *r = user;
	if (!item->name)
		return berth_fail(err, BERTH_E_PROTOCOL, "a repository without a name");
	if (r->prefix && strcmp(item->name, r->prefix) != 0 && !is_below(item->name, r->prefix))
		return 0;
	AUTO_JSON json_t *known =
		json_pack("{s:I, s:O?}", "updated_ms", (json_int_t)item->updated_ms, "more", more);
	AUTO_FREE char *text = known ? js_text(known) : NULL;
	if (!text || json_object_set_new(r->repositories, item->name, json_string(text)))
		return berth_fail_memory(err);
	return 0;
}

static int collect_tag(void *user, const struct berth_item *item, json_t *more,
		       struct berth_error *err)
{
	struct refresh *r = user;
	json_t *list = item->id ? json_object_get(r->tags, item->id) : NULL;
	(void)more;
	if (!item->id || !item->name)
		return berth_fail(err, BERTH_E_PROTOCOL, "a tag without its repository or name");
	if (!list) {
		list = json_array();
		if (json_object_set_new(r->tags, item->id, list))
			return berth_fail_memory(err);
	}
	if (json_array_append_new(list,
				  json_pack("{s:s, s:s?, s:I, s:I}", "name", item->name, "digest",
					    item->digest, "bytes", (json_int_t)item->bytes,
					    "updated_ms", (json_int_t)item->updated_ms)))
		return berth_fail_memory(err);
	return 0;
}

static int tell_repository(struct refresh *r, struct berth_error *err)
{
	const struct berth_item item = {
		.size = sizeof item,
		.kind = BERTH_ITEM_REPOSITORY,
		.name = r->repository,
		.updated_ms = r->updated_ms,
	};
	r->is_untold = false;
	return backend_item_to_job(r->job, &item, r->more, err);
}

static int forward_tag(void *user, const struct berth_item *item, json_t *more,
		       struct berth_error *err)
{
	struct refresh *r = user;
	struct berth_item tag = *item;
	if (r->is_untold && tell_repository(r, err))
		return err->code;
	tag.id = r->repository;
	r->tag_count++;
	return backend_item_to_job(r->job, &tag, more, err);
}

/* The tags of the repository at hand that resolve brought. */
static int forward_known(struct refresh *r, struct berth_error *err)
{
	size_t i;
	const json_t *one;
	int code = 0;
	json_array_foreach (json_object_get(r->tags, r->repository), i, one) {
		const struct berth_item tag = {
			.size = sizeof tag,
			.kind = BERTH_ITEM_TAG,
			.name = js_str(one, "name", ""),
			.digest = js_str(one, "digest", NULL),
			.bytes = (uint64_t)js_int(one, "bytes", 0),
			.updated_ms = js_int(one, "updated_ms", 0),
		};
		code = forward_tag(r, &tag, NULL, err);
		if (code)
			break;
	}
	return code;
}

static int refresh_one(struct refresh *r, struct backend *b, const char *name, const char *text,
		       struct berth_error *err)
{
	const struct backend_sink to = {forward_tag, r};
	AUTO_JSON json_t *known = NULL;
	if (js_parse(text, strlen(text), &js_limits_frame, &known, err))
		return err->code;
	r->repository = name;
	r->updated_ms = js_int(known, "updated_ms", 0);
	r->more = json_object_get(known, "more");
	r->is_untold = true;
	int code = r->tags ? forward_known(r, err) : backend_tags(b, name, &to, err);
	/* It went away between the two looks: then it has no tags. */
	if (code == BERTH_E_NOT_FOUND)
		code = 0;
	if (!code && r->is_untold)
		code = tell_repository(r, err);
	r->more = NULL;
	job_progress(r->job, ++r->done, r->total, "items", "repositories", NULL);
	return code;
}

/* The repositories below a space, or all that are left for NULL; each once. */
static int refresh_below(struct refresh *r, struct backend *b, const char *space,
			 struct berth_error *err)
{
	const char *name;
	json_t *known;
	void *next;
	json_object_foreach_safe (r->repositories, next, name, known) {
		if (space && !is_below(name, space))
			continue;
		int code = refresh_one(r, b, name, json_string_value(known), err);
		if (code)
			return code;
		json_object_del(r->repositories, name);
	}
	return 0;
}

static int refresh_space(struct refresh *r, struct backend *b, const char *space,
			 struct berth_error *err)
{
	const struct backend_sink to = {collect_tag, r};
	AUTO_JSON json_t *tags = json_object();
	if (!tags)
		return berth_fail_memory(err);
	r->tags = tags;
	int code = backend_resolve(b, space, &to, err);
	/* Not for this space, or it went away: what is left is asked one by one. */
	if (code == BERTH_E_UNSUPPORTED || code == BERTH_E_NOT_FOUND) {
		r->tags = NULL;
		return 0;
	}
	if (!code)
		code = refresh_below(r, b, space, err);
	r->tags = NULL;
	return code;
}

static bool has_space(const struct refresh *r, const char *space)
{
	size_t i;
	const json_t *one;
	json_array_foreach (r->spaces, i, one)
		if (!strcmp(json_string_value(one), space))
			return true;
	return false;
}

/* All that there is, or what is in one space: native ones are asked for by name, of a
 * declared one the whole list is looked through. A space that is not there has nothing. */
static int refresh_listed(struct refresh *r, struct backend *b, struct berth_error *err)
{
	const char *only = js_str(job_args(r->job), "space", NULL);
	const struct backend_sink to_spaces = {collect_space, r};
	const struct backend_sink to_list = {collect, r};
	int code = 0;
	if (backend_can(b, "integration", "spaces"))
		code = backend_spaces(b, &to_spaces, err);
	if (code || (only && !has_space(r, only)))
		return code;
	code = backend_repositories(b, only, &to_list, err);
	r->total = json_object_size(r->repositories);
	bool in_bulk = !r->prefix && backend_can(b, "integration", "resolve");
	if (in_bulk && !code && only)
		code = refresh_space(r, b, only, err);
	for (size_t i = 0; in_bulk && !only && !code && i < json_array_size(r->spaces); i++)
		code = refresh_space(r, b, json_string_value(json_array_get(r->spaces, i)), err);
	return code ? code : refresh_below(r, b, NULL, err);
}

/* These alone, in no list. One that is not there is not told of. */
static int refresh_named(struct refresh *r, struct backend *b, const json_t *names,
			 struct berth_error *err)
{
	const struct backend_sink to = {forward_tag, r};
	size_t i;
	const json_t *name;
	r->total = json_array_size(names);
	json_array_foreach (names, i, name) {
		r->repository = json_string_value(name);
		r->is_untold = true; /* its age and the like stay as they are known */
		int code = backend_tags(b, r->repository, &to, err);
		if (!code && r->is_untold)
			code = tell_repository(r, err);
		if (code && code != BERTH_E_NOT_FOUND)
			return code;
		*err = (struct berth_error)ERROR_INIT;
		job_progress(r->job, ++r->done, r->total, "items", "repositories", NULL);
	}
	return 0;
}

int run_refresh(struct job *j, json_t **ret_value, struct berth_error *err)
{
	AUTO(backend) struct backend *b = NULL;
	AUTO_JSON json_t *spaces = json_array();
	AUTO_JSON json_t *repositories = json_object();
	const json_t *names = json_object_get(job_args(j), "repositories");
	struct refresh r = {.job = j,
			    .spaces = spaces,
			    .repositories = repositories,
			    .prefix = js_str(job_args(j), "prefix", NULL)};
	int code = repositories && spaces ? kind_open(j, &b, err) : berth_fail_memory(err);
	if (!code)
		code = names ? refresh_named(&r, b, names, err) : refresh_listed(&r, b, err);
	if (!code)
		*ret_value = json_pack("{s:I, s:I}", "repositories", (json_int_t)r.done, "tags",
				       (json_int_t)r.tag_count);
	return code;
}
