/* SPDX-License-Identifier: Apache-2.0 */
/* Operations as rows and as the API's documents. */
#include <stdio.h>
#include <string.h>

#include "core/base/js.h"
#include "core/base/log.h"
#include "core/base/text.h"
#include "core/ops/engine.h"

static const char *const names[] = {
	[OP_PENDING] = "pending",         [OP_RUNNING] = "running", [OP_CANCELLING] = "cancelling",
	[OP_SUCCEEDED] = "succeeded",     [OP_FAILED] = "failed",   [OP_CANCELLED] = "cancelled",
	[OP_INTERRUPTED] = "interrupted",
};

const char *op_state_name(enum op_state state)
{
	return names[state];
}

static bool op_state_is_end(enum op_state state)
{
	return state >= OP_SUCCEEDED;
}

static json_t *parse(const char *text)
{
	struct berth_error err = ERROR_INIT;
	json_t *value = NULL;

	if (*text && js_parse(text, strlen(text), &js_limits_registry, &value, &err))
		log_error("a stored document does not parse: %s", err.message);
	return value;
}

static void put(json_t *object, const char *key, json_t *take_value)
{
	if (take_value)
		json_object_set_new(object, key, take_value);
}

/* What open ones and rows have in common. */
static json_t *base(const char *id, const char *kind, const char *state, int64_t uid,
		    const char *user_name, bool may_cancel)
{
	return json_pack("{ss ss ss s{sI ss} sb}", "id", id, "kind", kind, "state", state,
			 "requester", "uid", (json_int_t)uid, "name", user_name, "may_cancel",
			 may_cancel);
}

static void put_times(json_t *d, int64_t created_ms, int64_t started_ms, int64_t updated_ms,
		      int64_t attempts)
{
	put(d, "attempts", json_integer(attempts));
	js_put_time(d, "created_at", created_ms);
	js_put_time(d, "started_at", started_ms);
	js_put_time(d, "updated_at", updated_ms);
}

json_t *entry_document(const struct entry *e, bool may_cancel)
{
	const struct operation *op = &e->op;
	json_t *d = base(op->id, op->type->kind, op_state_name(op->state), (int64_t)op->uid,
			 op->user_name, may_cancel && !op_state_is_end(op->state));

	if (!d)
		return NULL;
	put(d, "resources", json_incref(op->resources));
	if (op->progress)
		put(d, "progress", json_incref(op->progress));
	put_times(d, op->created_ms, op->started_ms, op->updated_ms, op->attempts);
	return d;
}

static json_t *row_document(const struct operation_row *row)
{
	json_t *d = base(row->id, row->kind, row->state, row->uid, row->user_name, false);

	if (!d)
		return NULL;
	put(d, "resources", parse(row->resources));
	put(d, "progress", parse(row->progress));
	put(d, "result", parse(row->result));
	put(d, "error", parse(row->error));
	put_times(d, row->created_ms, row->started_ms, row->updated_ms, row->attempts);
	js_put_time(d, "ended_at", row->ended_ms);
	return d;
}

json_t *ops_row_document(struct ops *o, const struct operation_row *row, bool may_cancel)
{
	const struct operation *op = ops_find(o, row->id);

	return op ? entry_document((const struct entry *)op, may_cancel) : row_document(row);
}

int ops_document(struct ops *o, const char *id, bool may_cancel, json_t **ret,
		 struct berth_error *err)
{
	AUTO_OPERATION_ROW struct operation_row row = {0};
	const struct operation *op = ops_find(o, id);
	int rc = op ? 0 : operation_row_get(o->settings.store, id, &row, err);

	if (rc)
		return rc;
	*ret = op ? entry_document((const struct entry *)op, may_cancel) : row_document(&row);
	return *ret ? 0 : berth_fail_memory(err);
}

/* The texts of one row as it is written; freed together. */
struct texts {
	char *progress, *result, *error;
};
static void scope_texts(struct texts *t)
{
	free(t->progress);
	free(t->result);
	free(t->error);
}

static char *text_of(const json_t *value)
{
	return value ? js_canonical(value) : strdup("");
}

/* {"code", "message", ...}, with "integration" where it is known which one failed: the
 * only one of its job, or the one that op_blame named; and with its "host" where an answer
 * of it led to the error. */
static json_t *error_of(const struct entry *e, const struct berth_error *why)
{
	json_t *error = js_of_error(why);
	const char *name = e->blamed;

	if (!name && json_object_size(e->hosts) == 1)
		name = json_object_iter_key(json_object_iter(e->hosts));
	if (name)
		js_put_str(error, "integration", name);
	if (name && why->from == BERTH_FROM_HTTP)
		js_put_str(error, "host", js_str(e->hosts, name, ""));
	return error;
}

static int make_texts(const struct entry *e, const json_t *result, const struct berth_error *why,
		      struct texts *t, struct berth_error *err)
{
	AUTO_JSON json_t *error = why && why->code ? error_of(e, why) : NULL;

	t->progress = text_of(e->op.progress);
	t->result = text_of(result);
	t->error = text_of(error);
	if (!t->progress || !t->result || !t->error || (why && why->code && !error))
		return berth_fail_memory(err);
	log_mask(t->error);
	return 0;
}

int entry_save(struct entry *e, const json_t *result, const struct berth_error *why,
	       struct berth_error *err)
{
	CLEANUP(scope_texts) struct texts t = {0};
	struct operation *op = &e->op;
	struct operation_row row;
	int rc = make_texts(e, result, why, &t, err);

	if (rc)
		return rc;
	op->updated_ms = clock_unix_ms();
	row = (struct operation_row){
		.id = op->id,
		.state = (char *)(uintptr_t)op_state_name(op->state),
		.progress = t.progress,
		.result = t.result,
		.error = t.error,
		.attempts = op->attempts,
		.started_ms = op->started_ms,
		.updated_ms = op->updated_ms,
		.ended_ms = op_state_is_end(op->state) ? op->updated_ms : 0,
	};
	return operation_row_change(op->ops->settings.store, &row, err);
}

int entry_announce(struct entry *e, const json_t *result, const struct berth_error *why,
		   struct berth_error *err)
{
	AUTO_JSON json_t *d = entry_document(e, false);
	AUTO_FREE char *path = text_printf("/v1/operations/%s", e->op.id);

	if (!d || !path)
		return berth_fail_memory(err);
	if (result)
		json_object_set(d, "result", (json_t *)(uintptr_t)result);
	if (why && why->code)
		put(d, "error", error_of(e, why));
	return events_add(e->op.ops->events, EVENT_OPERATION, path, d, err);
}

void entry_drop_lines(struct entry *e)
{
	while (e->lines) {
		struct log_line *line = e->lines;

		e->lines = line->next;
		free(line->text);
		free(line);
	}
	e->lines_end = &e->lines;
}

int entry_save_lines(struct entry *e, struct berth_error *err)
{
	int64_t number = e->line_count;
	int rc = 0;

	for (const struct log_line *line = e->lines; line; line = line->next)
		number--;
	for (const struct log_line *line = e->lines; line && !rc; line = line->next) {
		struct operation_log_row row = {
			.operation_id = e->op.id,
			.number = ++number,
			.time_ms = line->time_ms,
			.level = line->level,
			.text = line->text,
		};

		rc = operation_log_add(e->op.ops->settings.store, &row, 1, err);
	}
	return rc;
}
