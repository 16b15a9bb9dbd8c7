/* SPDX-License-Identifier: Apache-2.0 */
/* Spaces that a server has itself (S1 S4 S7): made, changed and deleted there
 * by operations. The row follows what the server answered. A lost job is not
 * begun again, but for a change, which says the same twice: the next refresh
 * shows what became of it.
 */
#include <stdio.h>
#include <string.h>

#include "api_handlers.h"
#include "core/api/drift.h"
#include "core/api/image.h"
#include "core/api/slot.h"
#include "core/api/space.h"
#include "core/base/clock.h"
#include "core/base/text.h"

/* What the caller wants of a space, of a body or patch; new. */
static json_t *wanted_of(const json_t *body)
{
	static const char *const members[] = {"public", "quota_bytes"};
	json_t *wanted = json_object();

	for (size_t i = 0; wanted && i < ARRAY_COUNT(members); i++) {
		json_t *value = json_object_get(body, members[i]);
		if (value && json_object_set(wanted, members[i], value)) {
			json_decref(wanted);
			return NULL;
		}
	}
	return wanted;
}

static char *lock_of(const char *integration, const char *space)
{
	return text_printf("space/%s/%s", integration, space);
}

void space_create_there(struct request *q, struct answer *a, const struct integration *of)
{
	const char *name = js_str(request_body(q), "name", "");
	struct space there AUTO_SPACE = {.id = NULL};
	struct berth_error err = ERROR_INIT;

	if (!space_get_by_name(request_daemon(q)->store, of->id, name, &there, &err) &&
	    there.is_present) {
		api_refuse(a, 409, "exists", "berthctl space list", "%s has a space %s already",
			   of->name, name);
		return;
	}
	if (err.code && err.code != BERTH_E_NOT_FOUND) {
		api_fail(a, &err, NULL);
		return;
	}
	char *path AUTO_FREE = text_printf("/v1/spaces (%s/%s)", of->name, name);
	char *lock AUTO_FREE = lock_of(of->name, name);
	json_t *args AUTO_JSON =
		json_pack("{s:s, s:o}", "space", name, "wanted", wanted_of(request_body(q)));
	struct slot_work work = {.kind = "space-create",
				 .slot = "space_create",
				 .path = path,
				 .lock = lock,
				 .args = args};
	if (request_dry_run(q))
		slot_plan(q, a, of->id, &work, api_plan(path, NULL, NULL));
	else
		(void)slot_submit(q, a, of->id, &work);
}

void api_spaces_patch(struct request *q, struct answer *a)
{
	struct space row AUTO_SPACE = {.id = NULL};

	if (api_resumed(q, a) || !owned_space_of_route(q, a, &row))
		return;
	json_t *desired AUTO_JSON = space_desired(&row);
	if (!answer_precondition(a, q, true, desired, row.generation))
		return;
	if (strcmp(row.origin, "native") != 0) {
		space_change_prefix(q, a, &row);
		return;
	}
	char *path AUTO_FREE = text_printf("/v1/spaces/%s", row.id);
	char *lock AUTO_FREE = lock_of(row.integration, row.name);
	json_t *about AUTO_JSON = json_pack("{s:s}", "space", row.id);
	json_t *args AUTO_JSON =
		json_pack("{s:s, s:o}", "space", row.name, "wanted", wanted_of(request_body(q)));
	struct slot_work work = {.kind = "space-change",
				 .slot = "space_update",
				 .path = path,
				 .lock = lock,
				 .args = args,
				 .about = about};
	if (request_dry_run(q))
		slot_plan(q, a, row.integration_id, &work, api_plan(NULL, path, NULL));
	else
		(void)slot_submit(q, a, row.integration_id, &work);
}

void space_delete_there(struct request *q, struct answer *a, const struct space *row)
{
	static const char what[] = "the space at the registry, which has to be empty";
	char *path AUTO_FREE = text_printf("/v1/spaces/%s", row->id);
	char *lock AUTO_FREE = lock_of(row->integration, row->name);
	json_t *about AUTO_JSON = json_pack("{s:s}", "space", row->id);
	json_t *args AUTO_JSON = json_pack("{s:s}", "space", row->name);
	struct slot_work work = {.kind = "space-delete",
				 .slot = "space_delete",
				 .path = path,
				 .lock = lock,
				 .args = args,
				 .about = about};

	if (request_dry_run(q))
		slot_plan(q, a, row->integration_id, &work, api_plan(NULL, NULL, path));
	else if (image_confirmed(q, a, row->name, what))
		(void)slot_submit(q, a, row->integration_id, &work);
}

/* --- operation types --- */

void space_of_item(struct space *to, const json_t *item, int64_t now_ms)
{
	const json_t *more = json_object_get(item, "more");
	int64_t bytes = js_int(item, "bytes", 0);

	to->name = (char *)js_str(item, "name", "");
	to->origin = (char *)"native";
	to->mode = (char *)js_str(more, "mode", "local");
	to->is_public = js_bool(more, "public", false);
	to->can_push = js_bool(more, "push", true);
	to->quota_bytes = js_int(more, "quota_bytes", -1);
	to->used_bytes = js_int(more, "used_bytes", bytes ? bytes : -1);
	to->remote_id = (char *)js_str(item, "id", "");
	to->is_present = 1;
	to->seen_ms = to->updated_ms = now_ms;
}

/* op->own is the last SPACE. */
int space_items(struct operation *op, const json_t *items, struct berth_error *err)
{
	const json_t *item;
	size_t i;

	json_array_foreach (items, i, item) {
		if (strcmp(js_str(item, "kind", ""), "space") != 0)
			continue;
		job_release_json(op);
		op->own = json_deep_copy(item);
		if (!op->own)
			return berth_fail_memory(err);
	}
	return 0;
}

static int tell(struct operation *op, const char *id, const char *action, json_t **ret_result,
		struct berth_error *err)
{
	char path[96];

	snprintf(path, sizeof(path), "/v1/spaces/%s", id);
	*ret_result = json_pack("{s:s}", "space", path);
	return *ret_result ? api_tell(api_daemon(), path, action, op->id, err)
			   : berth_fail_memory(err);
}

/* Does the answer speak of the space that was asked for? */
static int check_item(const struct operation *op, struct berth_error *err)
{
	const char *asked = js_str(json_object_get(op->arguments, "args"), "space", "");

	if (op->own && !strcmp(js_str(op->own, "name", ""), asked))
		return 0;
	return berth_fail(err, BERTH_E_PROTOCOL, "the plugin did not say what became of space %s",
			  asked);
}

int space_created(struct operation *op, const json_t *value, const struct berth_error *why,
		  json_t **ret_result, struct berth_error *err)
{
	struct daemon_state *d = api_daemon();
	int64_t now_ms = clock_unix_ms();
	struct space there AUTO_SPACE = {.id = NULL};
	char id[UUID_ROOM];
	struct space row = {.id = id,
			    .integration_id = (char *)js_str(op->arguments, "id", ""),
			    .generation = 1,
			    .created_ms = now_ms};

	(void)value;
	if (why->code)
		return 0;
	if (check_item(op, err))
		return err->code;
	uuid_make(id);
	space_of_item(&row, op->own, now_ms);
	if (drift_put(op, &row, err) ||
	    space_get_by_name(d->store, row.integration_id, row.name, &there, err) ||
	    space_recount(d->store, there.id, now_ms, err))
		return err->code;
	return tell(op, there.id, "created", ret_result, err);
}

int space_changed(struct operation *op, const json_t *value, const struct berth_error *why,
		  json_t **ret_result, struct berth_error *err)
{
	struct daemon_state *d = api_daemon();
	const char *id = js_str(json_object_get(op->arguments, "about"), "space", "");
	struct space row AUTO_SPACE = {.id = NULL};

	(void)value;
	if (why->code)
		return 0;
	if (check_item(op, err))
		return err->code;
	int code = space_get(d->store, id, &row, err);
	if (code == BERTH_E_NOT_FOUND) {
		*err = (struct berth_error)ERROR_INIT;
		return 0;
	}
	if (code)
		return code;
	struct space now = row;
	space_of_item(&now, op->own, clock_unix_ms());
	if (space_change(d->store, &now, err) || drift_changed_here(op, &now, err))
		return err->code;
	return tell(op, id, "changed", ret_result, err);
}

/* What is gone at the server, also where it was gone before, goes here too. */
int space_deleted(struct operation *op, const json_t *value, const struct berth_error *why,
		  json_t **ret_result, struct berth_error *err)
{
	struct daemon_state *d = api_daemon();
	const char *id = js_str(json_object_get(op->arguments, "about"), "space", "");

	(void)value;
	if (why->code && why->code != BERTH_E_NOT_FOUND)
		return 0;
	int code = space_remove(d->store, id, err);
	if (code && code != BERTH_E_NOT_FOUND)
		return code;
	*err = (struct berth_error)ERROR_INIT;
	return tell(op, id, "deleted", ret_result, err);
}
