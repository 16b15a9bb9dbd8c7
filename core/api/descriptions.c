/* SPDX-License-Identifier: Apache-2.0 */
/* A repository's description (M3): read from the index, written at the
 * registry first. Markdown and any UTF-8; what comes back later in a refresh is
 * the registry's own text.
 */
#include <stdio.h>
#include <string.h>

#include "api_handlers.h"
#include "core/api/image.h"
#include "core/api/slot.h"
#include "core/base/text.h"

/* It travels in one frame of a job, where escapes make it longer. */
#define ENCODED_MAX_BYTES ((size_t)40 * 1024)

static int desired_of(const struct repository *row, json_t **ret, struct berth_error *err)
{
	json_t *more AUTO_JSON = NULL;

	if (api_parse(row->more, &more, err))
		return err->code;
	*ret = json_pack("{s:s}", "description", js_str(more, "description", ""));
	return *ret ? 0 : berth_fail_memory(err);
}

void api_descriptions_get(struct request *q, struct answer *a)
{
	struct space space AUTO_SPACE = {.id = NULL};
	struct repository row AUTO_REPOSITORY = {.name = NULL};
	struct berth_error err = ERROR_INIT;
	json_t *desired AUTO_JSON = NULL;

	if (!space_of_route(q, a, &space) || !repository_of_route(q, a, &space, &row))
		return;
	if (desired_of(&row, &desired, &err)) {
		api_fail(a, &err, NULL);
		return;
	}
	json_t *shown = json_deep_copy(desired);
	js_put_str(shown, "integration", space.integration);
	js_put_str(shown, "space", space.name);
	js_put_str(shown, "repository", row.name);
	js_put_time(shown, "seen_at", row.seen_ms);
	answer_resource(a, q, shown, desired, 0);
}

/* false: answered. */
static bool fits(struct request *q, struct answer *a)
{
	struct findings f = {.answer = a};
	struct berth_error err = ERROR_INIT;
	char *text AUTO_FREE = js_text(request_body(q));

	if (!text) {
		(void)berth_fail_memory(&err);
		findings_fail(&f, &err);
	} else if (strlen(text) > ENCODED_MAX_BYTES) {
		findings_add(&f, "/description", "too-long",
			     "a description may have %zu bytes, escapes included",
			     ENCODED_MAX_BYTES);
	}
	return !f.count;
}

void api_descriptions_put(struct request *q, struct answer *a)
{
	struct space space AUTO_SPACE = {.id = NULL};
	struct repository row AUTO_REPOSITORY = {.name = NULL};
	struct berth_error err = ERROR_INIT;
	json_t *desired AUTO_JSON = NULL;

	if (api_resumed(q, a) || !owned_space_of_route(q, a, &space) ||
	    !repository_of_route(q, a, &space, &row))
		return;
	if (desired_of(&row, &desired, &err)) {
		api_fail(a, &err, NULL);
		return;
	}
	if (!answer_precondition(a, q, true, desired, 0) || !fits(q, a))
		return;
	char *encoded AUTO_FREE = text_url_encode(row.name);
	char *path AUTO_FREE =
		encoded ? text_printf("/v1/spaces/%s/images/%s/description", space.id, encoded)
			: NULL;
	char *lock AUTO_FREE = text_printf("repository/%s/%s", space.integration, row.name);
	json_t *args AUTO_JSON = json_pack("{s:s, s:O}", "repository", row.name, "text",
					   json_object_get(request_body(q), "description"));
	struct slot_work work = {.kind = "repository-describe",
				 .slot = "describe",
				 .path = path,
				 .lock = lock,
				 .args = args};
	if (request_dry_run(q))
		slot_plan(q, a, space.integration_id, &work, api_plan(NULL, path, NULL));
	else
		(void)slot_submit(q, a, space.integration_id, &work);
}

/* What was written shows at once, without waiting for the next refresh. */
int description_written(struct operation *op, const json_t *value, const struct berth_error *why,
			json_t **ret_result, struct berth_error *err)
{
	struct daemon_state *d = api_daemon();
	const json_t *args = json_object_get(op->arguments, "args");
	const char *path = json_string_value(json_array_get(op->resources, 0));
	struct repository row AUTO_REPOSITORY = {.name = NULL};
	json_t *more AUTO_JSON = NULL;
	int64_t id = 0;

	(void)value;
	if (why->code)
		return 0;
	*ret_result = json_object();
	int code = repository_get(d->store, js_str(op->arguments, "id", ""),
				  js_str(args, "repository", ""), &row, err);
	if (code == BERTH_E_NOT_FOUND) {
		*err = (struct berth_error)ERROR_INIT;
		return 0;
	}
	if (code || api_parse(row.more, &more, err))
		return err->code;
	json_object_del(more, "description");
	js_put_str(more, "description", js_str(args, "text", ""));
	char *text = js_canonical(more);
	if (!text)
		return berth_fail_memory(err);
	free(row.more);
	row.more = text;
	if (repository_put(d->store, &row, &id, err))
		return err->code;
	return api_tell(d, path ? path : "", "changed", op->id, err);
}
