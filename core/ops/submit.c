/* SPDX-License-Identifier: Apache-2.0 */
/* Acceptance of operations: one writer per resource, and the row on disk
 * before anyone hears of it. An entry belongs to the transaction that it was
 * submitted in until that is committed.
 */
#include <stdio.h>
#include <string.h>

#include "core/base/js.h"
#include "core/base/log.h"
#include "core/ops/engine.h"

const struct op_type *type_find(const struct ops *o, const char *kind)
{
	for (const struct op_type *t = o->settings.types; t->kind; t++)
		if (!strcmp(t->kind, kind))
			return t;
	return NULL;
}

void entry_free(struct entry *e)
{
	if (e->op.type && e->op.type->release)
		e->op.type->release(&e->op);
	watch_drop(e);
	entry_drop_lines(e);
	json_decref(e->items);
	json_decref(e->hosts);
	json_decref(e->targets);
	json_decref(e->outcome_value);
	json_decref(e->op.arguments);
	json_decref(e->op.resources);
	json_decref(e->op.locks);
	json_decref(e->op.progress);
	json_decref(e->op.kept);
	free(e->op.integration);
	free(e->op.user_name);
	free(e->op.request_id);
	free(e);
}

static int parse(const char *text, json_t **ret, struct berth_error *err)
{
	*ret = NULL;
	return *text ? js_parse(text, strlen(text), &js_limits_registry, ret, err) : 0;
}

static int fill(struct entry *e, const struct operation_row *row, struct berth_error *err)
{
	struct operation *op = &e->op;
	int rc = parse(row->arguments, &op->arguments, err);

	if (!rc)
		rc = parse(row->resources, &op->resources, err);
	if (!rc)
		rc = parse(row->locks, &op->locks, err);
	if (!rc)
		rc = parse(row->progress, &op->progress, err);
	if (rc)
		return rc;
	snprintf(op->id, sizeof(op->id), "%s", row->id);
	op->integration = strdup(row->integration);
	op->user_name = strdup(row->user_name);
	op->request_id = strdup(row->request_id);
	op->uid = (uid_t)row->uid;
	op->attempts = (uint32_t)row->attempts;
	op->created_ms = row->created_ms;
	op->started_ms = row->started_ms;
	op->updated_ms = row->updated_ms;
	for (int state = OP_PENDING; state <= OP_INTERRUPTED; state++)
		if (!strcmp(op_state_name((enum op_state)state), row->state))
			op->state = (enum op_state)state;
	if (!op->integration || !op->user_name || !op->request_id)
		return berth_fail_memory(err);
	return 0;
}

int entry_new(struct ops *o, const struct operation_row *row, struct entry **ret,
	      struct berth_error *err)
{
	struct entry *e = calloc(1, sizeof(*e));
	int rc;

	if (!e)
		return berth_fail_memory(err);
	e->op.ops = o;
	e->op.type = type_find(o, row->kind);
	e->lines_end = &e->lines;
	e->broken.size = sizeof(e->broken);
	e->pause_ms = o->settings.retry_ms;
	rc = e->op.type ? fill(e, row, err)
			: berth_fail(err, BERTH_E_UNSUPPORTED,
				     "operations of kind '%s' are not known here", row->kind);
	if (rc)
		entry_free(e);
	else
		*ret = e;
	return rc;
}

void entry_add(struct entry *e)
{
	struct entry **at = &e->op.ops->entries;

	while (*at)
		at = &(*at)->next;
	*at = e;
	e->op.ops->open_count++;
}

static bool holds(const struct entry *e, const char *lock)
{
	size_t i;
	json_t *name;

	json_array_foreach (e->op.locks, i, name) {
		if (!strcmp(json_string_value(name), lock))
			return true;
	}
	return false;
}

/* Another one that holds a lock of these which is not waited for; or NULL. */
static const struct entry *find_conflict(const struct ops *o, const json_t *locks)
{
	size_t i;
	json_t *name;

	json_array_foreach (locks, i, name) {
		if (json_string_value(name)[0] == '~')
			continue;
		for (const struct entry *e = o->entries; e; e = e->next)
			if (holds(e, json_string_value(name)))
				return e;
	}
	return NULL;
}

bool entry_must_wait(const struct entry *e)
{
	size_t i;
	json_t *name;

	json_array_foreach (e->op.locks, i, name) {
		if (json_string_value(name)[0] != '~')
			continue;
		for (const struct entry *other = e->op.ops->entries; other != e;
		     other = other->next)
			if (holds(other, json_string_value(name)))
				return true;
	}
	return false;
}

static int check_names(const json_t *list, const char *what, struct berth_error *err)
{
	size_t i;
	json_t *name;

	if (!json_is_array(list))
		return berth_fail(err, BERTH_E_INTERNAL, "an operation's %s are no list", what);
	json_array_foreach (list, i, name) {
		if (!json_is_string(name) || !*json_string_value(name))
			return berth_fail(err, BERTH_E_INTERNAL, "an operation's %s are no names",
					  what);
	}
	return 0;
}

/* Refused, or *ret_join set: go on with that one. */
static int check(const struct ops *o, const struct op_request *q, struct op_submitted *ret,
		 bool *ret_join, struct berth_error *err)
{
	const struct entry *other;
	int rc = check_names(q->locks, "locks", err);

	*ret_join = false;
	if (!rc)
		rc = check_names(q->resources, "resources", err);
	if (rc)
		return rc;
	if (o->is_stopping) {
		berth_fail(err, BERTH_E_UNAVAILABLE, "berthd is stopping");
		err->retry_ms = 5000;
		return err->code;
	}
	other = find_conflict(o, q->locks);
	if (other) {
		snprintf(ret->id, sizeof(ret->id), "%s", other->op.id);
		*ret_join = q->joins && !strcmp(other->op.type->kind, q->kind) &&
			    json_equal(other->op.resources, q->resources);
		return *ret_join ? 0
				 : berth_fail(err, BERTH_E_CONFLICT,
					      "operation %s (%s) is at work on it", other->op.id,
					      other->op.type->kind);
	}
	if (o->open_count >= o->settings.open_max) {
		berth_fail(err, BERTH_E_THROTTLED, "%u operations are waiting already",
			   o->open_count);
		err->retry_ms = 5000;
		return err->code;
	}
	return 0;
}

/* The texts of a new row. */
struct texts {
	char *arguments, *resources, *locks;
};
static void scope_texts(struct texts *t)
{
	free(t->arguments);
	free(t->resources);
	free(t->locks);
}

/* Makes the entry and its row, its event too, in one transaction. */
static int store_new(struct ops *o, const struct op_request *q, struct entry **ret,
		     struct berth_error *err)
{
	CLEANUP(scope_texts)
	struct texts t = {
		js_canonical(q->arguments),
		js_canonical(q->resources),
		js_canonical(q->locks),
	};
	char id[UUID_ROOM];
	struct operation_row row = {
		.id = id,
		.kind = (char *)(uintptr_t)q->kind,
		.state = "pending",
		.resources = t.resources,
		.locks = t.locks,
		.arguments = t.arguments,
		.integration = (char *)(uintptr_t)(q->integration ? q->integration : ""),
		.progress = "",
		.result = "",
		.error = "",
		.uid = (int64_t)q->uid,
		.user_name = (char *)(uintptr_t)(q->user_name ? q->user_name : ""),
		.request_id = (char *)(uintptr_t)(q->request_id ? q->request_id : ""),
	};
	struct entry *e = NULL;
	TRANSACTION transaction = {0};
	int rc;

	if (!t.arguments || !t.resources || !t.locks)
		return berth_fail_memory(err);
	uuid_make(id);
	row.created_ms = row.updated_ms = clock_unix_ms();
	rc = entry_new(o, &row, &e, err);
	if (rc)
		return rc;
	rc = transaction_begin(&transaction, o->settings.store, err);
	if (!rc)
		rc = operation_row_add(o->settings.store, &row, err);
	if (!rc)
		rc = entry_announce(e, NULL, NULL, err);
	if (!rc) {
		/* Before the commit, whose hook looks for it. */
		e->depth = store_depth(o->settings.store);
		entry_add(e);
		rc = transaction_commit(&transaction, err);
		if (!rc)
			*ret = e;
		return rc; /* else the rollback has freed it */
	}
	entry_free(e);
	return rc;
}

int ops_submit(struct ops *o, const struct op_request *request, struct op_submitted *ret,
	       struct berth_error *err)
{
	struct entry *e = NULL;
	bool join;
	int rc;

	memset(ret, 0, sizeof(*ret));
	if (!type_find(o, request->kind))
		return berth_fail(err, BERTH_E_INTERNAL, "no operations of kind '%s'",
				  request->kind);
	if (!request->arguments || !request->resources || !request->locks)
		return berth_fail_memory(err);
	rc = check(o, request, ret, &join, err);
	ret->joined = join;
	if (rc || join)
		return rc;
	rc = store_new(o, request, &e, err);
	if (!rc)
		snprintf(ret->id, sizeof(ret->id), "%s", e->op.id);
	return rc;
}

void submit_committed(void *user, unsigned depth)
{
	struct ops *o = user;

	for (struct entry *e = o->entries; e; e = e->next) {
		if (e->is_stored)
			continue;
		if (e->depth > depth)
			e->depth = depth;
		e->is_stored = !depth;
		if (e->is_stored)
			ops_wake(o);
	}
}

void submit_rolled_back(void *user, unsigned depth)
{
	struct ops *o = user;
	struct entry **at = &o->entries;

	while (*at) {
		struct entry *e = *at;

		if (!e->is_stored && e->depth > depth) {
			*at = e->next;
			o->open_count--;
			entry_free(e);
		} else {
			at = &e->next;
		}
	}
}
