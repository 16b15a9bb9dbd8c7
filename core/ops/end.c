/* SPDX-License-Identifier: Apache-2.0 */
/* The end of an operation: one transaction with all that it changes, so that a kill at
 * any moment leaves it done, or for the next start to find. An end that can't be stored
 * is kept and tried again; the locks stay held with it.
 */
#include "core/base/js.h"
#include "core/base/text.h"
#include "core/ops/audit.h"
#include "core/ops/engine.h"

struct log_context entry_context(const struct entry *e)
{
	return (struct log_context){
		.request = *e->op.request_id ? e->op.request_id : NULL,
		.operation = e->op.id,
		.integration = *e->op.integration ? e->op.integration : NULL,
	};
}

static int audit_end(struct entry *e, const struct berth_error *why, struct berth_error *err)
{
	const struct operation *op = &e->op;
	AUTO_JSON json_t *detail = json_pack("{ss}", "operation", op->id);
	AUTO_FREE char *action = text_printf("operation.%s", op->type->kind);
	const char *resource = json_string_value(json_array_get(op->resources, 0));
	struct store *s = op->ops->settings.store;
	AUTO_FREE char *owner = NULL;
	struct audit_entry entry = {
		.uid = op->uid,
		.user_name = op->user_name,
		.request_id = op->request_id,
		.action = action,
		.resource = resource ? resource : "",
		.result = op_state_name(op->state),
		.detail = detail,
	};

	if (!detail || !action)
		return berth_fail_memory(err);
	if (why->code)
		json_object_set_new(detail, "error", js_of_error(why));
	if (op->type->is_of_one && audit_owner(s, op->integration, &owner, err))
		return err->code;
	entry.workspace_id = owner;
	return audit_add(s, op->ops->events, &entry, err);
}

/* Did the store itself fail (full, locked), not what was asked of it? */
static bool is_of_store(const struct entry *e, const struct berth_error *err)
{
	return store_health(e->op.ops->settings.store, NULL) ||
	       (err->from == BERTH_FROM_SQL && err->code == BERTH_E_UNAVAILABLE);
}

/* The type says that what it wrote is a failure all the same: see on_result. */
static void take_refusal(struct entry *e, struct berth_error *why, struct berth_error *err)
{
	if (why->code || !err->code)
		return;
	*why = *err;
	*err = (struct berth_error)ERROR_INIT;
	e->op.state = OP_FAILED;
}

/* The last transaction: what the type changes, state, log, event and audit. */
static int end_at_once(struct entry *e, const json_t *value, struct berth_error *why, bool ask_type,
		       struct berth_error *err)
{
	struct store *s = e->op.ops->settings.store;
	AUTO_JSON json_t *made = NULL;
	const json_t *result = why->code ? NULL : value;
	TRANSACTION t = {0};
	int rc = transaction_begin(&t, s, err);

	e->blamed = NULL;
	if (!rc && ask_type && e->op.type->on_result) {
		rc = e->op.type->on_result(&e->op, value, why, &made, err);
		result = made;
		if (!rc)
			take_refusal(e, why, err);
	}
	if (!rc)
		rc = entry_save_lines(e, err);
	if (!rc)
		rc = entry_save(e, result, why, err);
	if (!rc)
		rc = entry_announce(e, result, why, err);
	if (!rc && (why->code || !e->op.type->is_routine))
		rc = audit_end(e, why, err);
	return rc ? rc : transaction_commit(&t, err);
}

/* Keeps an end that could not be stored; the locks stay held with it. */
static void postpone(struct entry *e, enum op_state state, const json_t *value,
		     const struct berth_error *why, bool asks_type)
{
	json_t *kept = json_incref((json_t *)(uintptr_t)value);

	e->outcome_why = *why;
	json_decref(e->outcome_value);
	e->outcome_value = kept;
	e->outcome = state;
	e->outcome_asks_type = asks_type;
	e->has_outcome = true;
	e->retry_ms = clock_monotonic_ms() + e->op.ops->settings.probe_ms;
	ops_wake(e->op.ops);
}

static void log_end(const struct entry *e, const struct berth_error *why)
{
	struct log_context context = entry_context(e);

	if (why->code)
		log_line(LOG_LEVEL_WARNING, &context, "%s %s: %s", e->op.type->kind,
			 op_state_name(e->op.state), why->message);
	else
		log_line(e->op.type->is_routine ? LOG_LEVEL_DEBUG : LOG_LEVEL_INFO, &context,
			 "%s %s", e->op.type->kind, op_state_name(e->op.state));
}

static void finish(struct entry *e, enum op_state state, const json_t *value,
		   const struct berth_error *why, bool asks_type)
{
	struct berth_error err = ERROR_INIT, ended = *why;
	enum op_state before = e->op.state;

	e->op.state = state;
	if (end_at_once(e, value, &ended, asks_type, &err)) {
		e->op.state = before;
		if (asks_type && !is_of_store(e, &err)) {
			/* What the type made of it was refused: that is the outcome. */
			finish(e, OP_FAILED, NULL, &err, false);
			return;
		}
		log_complain(&e->complaint, "the end of operation %s can't be stored: %s", e->op.id,
			     err.message);
		postpone(e, state, value, why, asks_type);
		return;
	}
	log_end(e, &ended);
	watch_tell(e, true);
	entry_unlink(e);
}

void run_end(struct entry *e, enum op_state state, const json_t *value,
	     const struct berth_error *why)
{
	finish(e, state, value, why, true);
}

void run_end_again(struct entry *e, uint64_t now_ms)
{
	AUTO_JSON json_t *value = STEAL(e->outcome_value);
	struct berth_error why = e->outcome_why;

	if (e->retry_ms > now_ms) {
		e->outcome_value = STEAL(value);
		return;
	}
	e->has_outcome = false;
	finish(e, e->outcome, value, &why, e->outcome_asks_type);
}

/* Back to the queue after a loss: stored as interrupted for those who look on,
 * then as pending. */
int run_requeue(struct entry *e, struct berth_error *err)
{
	TRANSACTION t = {0};
	int rc = transaction_begin(&t, e->op.ops->settings.store, err);

	e->op.state = OP_INTERRUPTED;
	if (!rc)
		rc = entry_announce(e, NULL, NULL, err);
	e->op.state = OP_PENDING;
	if (!rc)
		rc = entry_save(e, NULL, NULL, err);
	return rc ? rc : transaction_commit(&t, err);
}
