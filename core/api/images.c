/* SPDX-License-Identifier: Apache-2.0 */
/* What spaces hold, from the index: repositories and tags. Every figure carries the time of the
 * look that it comes from.
 */
#include <stdio.h>
#include <string.h>

#include "api_handlers.h"
#include "core/api/image.h"
#include "core/api/integration.h"
#include "core/api/sight.h"
#include "core/base/text.h"

/* Answers what of the index belongs to one space or repository, by name. */
static void list_within(struct request *q, struct answer *a, struct api_collection of,
			struct store_value owner)
{
	static const char *const q_columns[] = {"name", NULL};

	of.noun = "image";
	of.within_values = &owner;
	of.within_count = 1;
	of.q_columns = q_columns;
	api_list(&of, q, a);
}

static int show_repository(struct request *q, const void *row, json_t **ret,
			   struct berth_error *err)
{
	const struct repository *it = row;
	json_t *more AUTO_JSON = NULL;

	(void)q;
	if (api_parse(it->more, &more, err))
		return err->code;
	*ret = json_pack("{s:s, s:I}", "name", it->name, "tags", (json_int_t)it->tag_count);
	if (!*ret)
		return berth_fail_memory(err);
	js_put_str(*ret, "description", js_str(more, "description", NULL));
	js_put_time(*ret, "updated_at", it->updated_ms);
	js_put_time(*ret, "seen_at", it->seen_ms);
	return 0;
}

void api_space_images_list(struct request *q, struct answer *a)
{
	struct space space AUTO_SPACE = {.id = NULL};
	json_t *more AUTO_JSON = NULL;
	struct berth_error err = ERROR_INIT;

	if (!space_of_route(q, a, &space))
		return;
	if (indexes_of_one(request_daemon(q), space.integration_id, &more, &err)) {
		api_fail(a, &err, NULL);
		return;
	}
	sight_blur(q, json_object_get(more, "indexes"));
	json_t *common AUTO_JSON =
		json_pack("{s:s, s:s}", "integration", space.integration, "space", space.name);
	list_within(q, a,
		    (struct api_collection){.table = &repositories_table,
					    .more = more,
					    .within = "space_id = ?",
					    .common = common,
					    .show = show_repository},
		    (struct store_value)V_TEXT(space.id));
}

static int show_tag(struct request *q, const void *row, json_t **ret, struct berth_error *err)
{
	const struct tag *it = row;

	(void)q;
	*ret = json_pack("{s:s}", "name", it->name);
	if (!*ret)
		return berth_fail_memory(err);
	js_put_str(*ret, "digest", it->digest);
	if (it->bytes > 0)
		json_object_set_new(*ret, "bytes", json_integer(it->bytes));
	js_put_time(*ret, "pushed_at", it->pushed_ms);
	js_put_time(*ret, "seen_at", it->seen_ms);
	return 0;
}

bool repository_of_route(struct request *q, struct answer *a, const struct space *space,
			 struct repository *ret)
{
	struct berth_error err = ERROR_INIT;
	char hint[128];
	const char *name = request_param(q, "repository");
	int code = repository_get(request_daemon(q)->store, space->integration_id, name, ret, &err);

	if (!code && strcmp(ret->space_id, space->id) != 0)
		(void)berth_fail(&err, BERTH_E_NOT_FOUND, "space %s holds no repository %s",
				 space->name, name);
	if (!err.code)
		return true;
	snprintf(hint, sizeof(hint), "berthctl integration refresh %s", space->integration);
	api_fail(a, &err, hint);
	return false;
}

void api_space_images_get(struct request *q, struct answer *a)
{
	struct space space AUTO_SPACE = {.id = NULL};
	struct repository row AUTO_REPOSITORY = {.name = NULL};

	if (!space_of_route(q, a, &space) || !repository_of_route(q, a, &space, &row))
		return;
	json_t *common AUTO_JSON =
		json_pack("{s:s, s:s}", "integration", space.integration, "repository", row.name);
	list_within(q, a,
		    (struct api_collection){.table = &tags_table,
					    .within = "repository_id = ?",
					    .common = common,
					    .show = show_tag},
		    (struct store_value)V_INT(row.id));
}

/* A delete names what goes a second time; false: answered with what would go. */
bool image_confirmed(struct request *q, struct answer *a, const char *name, const char *what)
{
	const char *typed = request_query(q, "confirm");
	char hint[1200];

	if (typed && !strcmp(typed, name))
		return true;
	char *encoded AUTO_FREE = text_url_encode(name);
	if (!encoded) {
		struct berth_error err = ERROR_INIT;
		(void)berth_fail_memory(&err);
		api_fail(a, &err, NULL);
		return false;
	}
	snprintf(hint, sizeof(hint), "repeat it with ?confirm=%s", encoded);
	api_refuse(a, 422, "confirmation-missing", hint, "%s would be deleted: %s", name, what);
	return false;
}

void api_space_images_delete(struct request *q, struct answer *a)
{
	struct space space AUTO_SPACE = {.id = NULL};
	struct repository row AUTO_REPOSITORY = {.name = NULL};
	char what[128];

	if (api_resumed(q, a) || !owned_space_of_route(q, a, &space) ||
	    !repository_of_route(q, a, &space, &row))
		return;
	snprintf(what, sizeof(what), "the repository with its %lld tags", (long long)row.tag_count);
	struct image_removal removal = {
		.kind = "repository-delete", .repository = row.name, .what = what};
	image_remove(q, a, &space, &removal);
}
