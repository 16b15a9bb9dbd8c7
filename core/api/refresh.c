/* SPDX-License-Identifier: Apache-2.0 */
/* The operation that reads a registry's repositories and tags into the index: all
 * of them, those of one space, or of repositories by name. Items come in the
 * registry's order: each repository, then its tags. What a look did not see of what
 * it was about is dropped at its end; one that failed half-way drops nothing. Looks
 * may overlap: of two at one repository the one that began later counts.
 */
#include <stdio.h>
#include <string.h>

#include "core/api/drift.h"
#include "core/api/integration.h"
#include "core/api/job.h"
#include "core/api/native.h"
#include "core/api/space.h"
#include "core/base/clock.h"

struct refresh {
	char integration_id[UUID_ROOM];
	char kind[64];
	int64_t seen_ms;
	int64_t repository_id; /* of the tags that come now; 0: none yet */
	bool is_passed_over;   /* the tags that come now are of one that was looked at since */
	/* What the look is about: one space, or names (borrowed of the operation's
	 * arguments), or neither. */
	char space_id[UUID_ROOM];
	const json_t *names;
};

static bool is_whole(const struct refresh *r)
{
	return !*r->space_id && !r->names;
}

void refresh_release(struct operation *op)
{
	free(op->own);
	op->own = NULL;
}

/* How the job is told of the space: a native one by its name at the server; a declared
 * one is a prefix. All that no prefix holds is known only once all is read. */
static int narrow(struct refresh *r, const char *name, json_t *args, struct berth_error *err)
{
	struct space space AUTO_SPACE = {.id = NULL};

	if (space_get_by_name(api_daemon()->store, r->integration_id, name, &space, err))
		return err->code;
	bool is_native = !strcmp(space.origin, "native");
	if (!is_native && !strcmp(space.name, SPACE_DEFAULT))
		return 0;
	snprintf(r->space_id, sizeof(r->space_id), "%s", space.id);
	json_object_set_new(args, is_native ? "space" : "prefix", json_string(space.name));
	return 0;
}

int refresh_call(struct operation *op, json_t **ret, struct berth_error *err)
{
	struct daemon_state *d = api_daemon();
	struct integration row AUTO_INTEGRATION = {.id = NULL};
	const char *space = js_str(op->arguments, "space", NULL);
	json_t *args AUTO_JSON = json_pack("{s:n}", "space");

	if (integration_get_by_id(d->store, js_str(op->arguments, "id", ""), &row, err))
		return err->code;
	refresh_release(op);
	struct refresh *r = calloc(1, sizeof(*r));
	if (!r || !args) {
		free(r);
		return berth_fail_memory(err);
	}
	snprintf(r->integration_id, sizeof(r->integration_id), "%s", row.id);
	snprintf(r->kind, sizeof(r->kind), "%s", row.kind);
	r->seen_ms = clock_unix_ms();
	r->names = json_object_get(op->arguments, "repositories");
	op->own = r;
	if (r->names)
		json_object_set(args, "repositories", (json_t *)r->names);
	else if (space && narrow(r, space, args, err))
		return err->code;
	return job_call_one(op, "refresh", d->settings.jobs.refresh_ms, args, ret, err);
}

static int take_space(struct operation *op, const json_t *item, struct berth_error *err)
{
	const struct refresh *r = op->own;
	char id[UUID_ROOM];
	struct space space = {
		.id = id,
		.integration_id = (char *)r->integration_id,
		.repository_count = -1,
		.artifact_count = -1,
		.generation = 1,
		.created_ms = r->seen_ms,
	};

	if (!catalog_has_own_spaces(catalog_find(api_daemon(), r->kind)))
		return 0;
	uuid_make(id);
	space_of_item(&space, item, r->seen_ms);
	return drift_put(op, &space, err);
}

/* The last repository's tags are all there: what was not seen is gone. */
static int end_repository(struct daemon_state *d, struct refresh *r, struct berth_error *err)
{
	if (!r->repository_id)
		return 0;
	if (repository_sweep_tags(d->store, r->repository_id, r->seen_ms, err))
		return err->code;
	r->repository_id = 0;
	return 0;
}

static int find_space(struct daemon_state *d, const struct refresh *r, const char *repository,
		      struct space *ret, struct berth_error *err)
{
	int code = space_of_repository(d->store, r->integration_id, repository, ret, err);

	if (code != BERTH_E_NOT_FOUND)
		return code;
	*err = (struct berth_error)ERROR_INIT;
	if (space_add_default(d, r->integration_id, "", err))
		return err->code;
	return space_of_repository(d->store, r->integration_id, repository, ret, err);
}

/* What the index has of it; *ret_is_newer: a look that began later has been at it. */
static int find_known(struct daemon_state *d, const struct refresh *r, const char *name,
		      struct repository *ret, bool *ret_is_newer, struct berth_error *err)
{
	int code = repository_get(d->store, r->integration_id, name, ret, err);

	*ret_is_newer = !code && ret->seen_ms > r->seen_ms;
	if (code != BERTH_E_NOT_FOUND)
		return code;
	*err = (struct berth_error)ERROR_INIT;
	return 0;
}

static int take_repository(struct daemon_state *d, struct refresh *r, const json_t *item,
			   struct berth_error *err)
{
	struct repository known AUTO_REPOSITORY = {.name = NULL};
	struct space space AUTO_SPACE = {.id = NULL};
	const char *name = js_str(item, "name", "");
	const json_t *more = json_object_get(item, "more");
	bool is_named = r->names != NULL;
	const char *said = "{}";

	if (end_repository(d, r, err) || find_known(d, r, name, &known, &r->is_passed_over, err) ||
	    r->is_passed_over)
		return err->code;
	if (is_named && known.more)
		said = known.more; /* nothing was asked but its tags */
	char *text AUTO_FREE = more ? js_canonical(more) : strdup(said);
	if (!text)
		return berth_fail_memory(err);
	if (find_space(d, r, name, &space, err))
		return berth_wrap(err, "cannot index repository %s", name);
	struct repository row = {
		.space_id = space.id,
		.integration_id = r->integration_id,
		.name = (char *)name,
		.more = text,
		.updated_ms = js_int(item, "updated_ms", is_named ? known.updated_ms : 0),
		.seen_ms = r->seen_ms,
	};
	return repository_put(d->store, &row, &r->repository_id, err);
}

static int take_tag(struct daemon_state *d, const struct refresh *r, const json_t *item,
		    struct berth_error *err)
{
	struct tag row = {
		.repository_id = r->repository_id,
		.name = (char *)js_str(item, "name", ""),
		.digest = (char *)js_str(item, "digest", ""),
		.bytes = js_int(item, "bytes", 0),
		.pushed_ms = js_int(item, "updated_ms", 0),
		.seen_ms = r->seen_ms,
	};

	if (r->is_passed_over)
		return 0;
	if (!r->repository_id)
		return berth_fail(err, BERTH_E_PROTOCOL, "a tag came before its repository");
	return tag_put(d->store, &row, err);
}

int refresh_items(struct operation *op, const json_t *items, struct berth_error *err)
{
	struct daemon_state *d = api_daemon();
	struct refresh *r = op->own;
	const json_t *item;
	size_t i;

	json_array_foreach (items, i, item) {
		const char *kind = js_str(item, "kind", "");
		int code = 0;
		if (!strcmp(kind, "repository"))
			code = take_repository(d, r, item, err);
		else if (!strcmp(kind, "tag"))
			code = take_tag(d, r, item, err);
		else if (!strcmp(kind, "space"))
			code = take_space(op, item, err);
		if (code)
			return code;
	}
	return 0;
}

/* Since when the index is as it is, or why a whole look found nothing new. */
static int note_look(struct daemon_state *d, const struct refresh *r, const struct berth_error *why,
		     struct berth_error *err)
{
	struct integration row AUTO_INTEGRATION = {.id = NULL};
	json_t *status AUTO_JSON = NULL;

	if (integration_get_by_id(d->store, r->integration_id, &row, err) ||
	    api_parse(row.status, &status, err))
		return err->code;
	json_t *index = json_object_get(status, "index");
	if (!index) {
		index = json_pack("{s:i, s:i}", "repositories", 0, "tags", 0);
		json_object_set_new(status, "index", index);
	}
	if (why->code) {
		/* What is there is as old as before. */
		js_put_time(index, "failed_at", r->seen_ms);
		js_put_str(index, "error", why->message);
		js_put_str(index, "cause", *why->cause ? why->cause : NULL);
	} else {
		js_put_time(index, "at", r->seen_ms);
		json_object_del(index, "failed_at");
		json_object_del(index, "error");
		json_object_del(index, "cause");
	}
	char *text AUTO_FREE = js_canonical(status);
	if (!text)
		return berth_fail_memory(err);
	return integration_set_status(d->store, row.id, text, row.phase, row.checked_ms, err);
}

/* Of those that were asked for by name: one that was not told of is gone. */
static int sweep_named(struct daemon_state *d, const struct refresh *r, struct berth_error *err)
{
	size_t i;
	const json_t *one;

	json_array_foreach (r->names, i, one) {
		struct repository known AUTO_REPOSITORY = {.name = NULL};
		bool is_newer;
		if (find_known(d, r, json_string_value(one), &known, &is_newer, err))
			return err->code;
		if (known.name && known.seen_ms < r->seen_ms &&
		    repository_remove(d->store, known.id, err))
			return err->code;
	}
	return 0;
}

static int sweep(struct operation *op, struct berth_error *err)
{
	struct daemon_state *d = api_daemon();
	struct refresh *r = op->own;

	if (end_repository(d, r, err))
		return err->code;
	if (r->names) {
		if (sweep_named(d, r, err))
			return err->code;
	} else if (repository_sweep(d->store, r->integration_id, *r->space_id ? r->space_id : NULL,
				    r->seen_ms, err) ||
		   drift_gone(op, r->integration_id, r->seen_ms, err)) {
		return err->code;
	}
	return space_recount_all(d, r->integration_id, err);
}

int refresh_ended(struct operation *op, const json_t *value, const struct berth_error *why,
		  json_t **ret_result, struct berth_error *err)
{
	struct daemon_state *d = api_daemon();
	struct integration row AUTO_INTEGRATION = {.id = NULL};
	struct refresh *r = op->own;

	if (!r)
		return 0;
	int code = integration_get_by_id(d->store, r->integration_id, &row, err);
	if (code == BERTH_E_NOT_FOUND) {
		*err = (struct berth_error)ERROR_INIT;
		return 0;
	}
	if (!code && !why->code)
		code = sweep(op, err);
	if (!code && is_whole(r))
		code = note_look(d, r, why, err);
	if (code)
		return code;
	if (why->code)
		return 0;
	/* How much was read. */
	*ret_result = json_deep_copy(value);
	return is_whole(r) ? native_clean(d, row.id, err) : 0;
}
