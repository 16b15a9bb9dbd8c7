/* SPDX-License-Identifier: Apache-2.0 */
/* The audit trail: rows made harmless, chained (core/base/chain.h) and sealed. */
#include "core/ops/audit.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/js.h"
#include "core/base/log.h"
#include "core/base/text.h"
#include "core/ops/audit_seal.h"
#include "core/store/workspaces.h"

#define TEXT_MAX_BYTES 1024
#define DETAIL_MAX_BYTES (16 * 1024)

json_t *audit_document(const struct audit_row *row)
{
	json_t *o =
		json_pack("{sI sI sI ss ss ss ss ss ss}", "number", (json_int_t)row->number,
			  "time_ms", (json_int_t)row->time_ms, "uid", (json_int_t)row->uid, "user",
			  row->user_name, "request", row->request_id, "action", row->action,
			  "resource", row->resource, "result", row->result, "detail", row->detail);
	if (!o || (*row->groups && json_object_set_new(o, "groups", json_string(row->groups))) ||
	    (*row->workspace_id &&
	     json_object_set_new(o, "workspace", json_string(row->workspace_id)))) {
		json_decref(o);
		return NULL;
	}
	return o;
}

/* A copy that is valid UTF-8, without control characters and cut. */
static char *clean(const char *text)
{
	char *copy = strndup(text ? text : "", TEXT_MAX_BYTES);

	if (copy) {
		text_blank_controls(copy);
		text_trim_utf8(copy);
		log_mask(copy);
	}
	return copy;
}

/* The detail without what makes it too long; NULL: no memory. */
static char *cut_text(const json_t *detail)
{
	static const char *const big[] = {"asked", "after", "before"};
	AUTO_JSON json_t *less = json_copy((json_t *)(uintptr_t)detail);
	char *text = NULL;

	if (!less || json_object_set_new(less, "cut", json_true()))
		return NULL;
	for (size_t i = 0; i < ARRAY_COUNT(big); i++) {
		free(text);
		json_object_del(less, big[i]);
		text = js_canonical(less);
		if (!text || strlen(text) <= DETAIL_MAX_BYTES)
			return text;
	}
	free(text);
	return strdup("{\"cut\":true}");
}

static char *detail_text(const json_t *detail)
{
	char *text = detail ? js_canonical(detail) : strdup("{}");

	if (text && strlen(text) > DETAIL_MAX_BYTES) {
		free(text);
		text = cut_text(detail);
	}
	if (text)
		log_mask(text);
	return text;
}

static int fill(const struct audit_entry *entry, struct audit_row *row, struct berth_error *err)
{
	row->uid = (int64_t)entry->uid;
	row->time_ms = clock_unix_ms();
	row->user_name = clean(entry->user_name);
	row->request_id = clean(entry->request_id);
	row->action = clean(entry->action);
	row->resource = clean(entry->resource);
	row->result = clean(entry->result);
	row->detail = detail_text(entry->detail);
	row->groups = json_array_size(entry->groups) ? js_canonical(entry->groups) : strdup("");
	row->workspace_id = strdup(entry->workspace_id ? entry->workspace_id : "");
	if (!row->user_name || !row->request_id || !row->action || !row->resource || !row->result ||
	    !row->detail || !row->groups || !row->workspace_id)
		return berth_fail_memory(err);
	return 0;
}

static int add_event(struct events *e, const struct audit_row *row, struct berth_error *err)
{
	AUTO_JSON json_t *object = audit_document(row);

	if (!object)
		return berth_fail_memory(err);
	json_object_del(object, "time_ms");
	json_object_del(object, "detail");
	json_object_del(object, "groups");
	json_object_del(object, "workspace");
	js_put_time(object, "at", row->time_ms);
	return events_add(e, EVENT_AUDIT, row->resource, object, err);
}

int audit_run_add(struct audit_run *run, const struct audit_entry *entry, struct berth_error *err)
{
	AUTO_AUDIT_ROW struct audit_row row = {0};
	char hash[CHAIN_HASH_ROOM];

	if (fill(entry, &row, err))
		return err->code;
	row.number = run->number + 1;
	AUTO_JSON json_t *document = audit_document(&row);
	if (!document)
		return berth_fail_memory(err);
	if (chain_hash(document, run->hash, hash, err))
		return err->code;
	row.hash = strdup(hash);
	if (!row.hash)
		return berth_fail_memory(err);
	if (audit_row_add(run->store, &row, err))
		return err->code;
	run->number = row.number;
	memcpy(run->hash, hash, sizeof(hash));
	return run->events ? add_event(run->events, &row, err) : 0;
}

int audit_run_begin(struct audit_run *run, struct store *s, struct events *e,
		    struct berth_error *err)
{
	/* From here on rows are signed; those before were not. */
	const struct audit_entry sealing = {.uid = getuid(),
					    .user_name = "berthd",
					    .action = CHAIN_SEALED_ACTION,
					    .resource = "/v1/audit",
					    .result = "noted"};
	bool is_unsigned = false;

	*run = (struct audit_run){.store = s, .events = e};
	if (seal_find_end(s, &run->number, run->hash, &is_unsigned, err))
		return err->code;
	return is_unsigned ? audit_run_add(run, &sealing, err) : 0;
}

int audit_run_end(const struct audit_run *run, struct berth_error *err)
{
	return seal_store(run->store, CHAIN_END, run->number, run->hash, err);
}

int audit_owner(struct store *s, const char *integration, char **ret, struct berth_error *err)
{
	AUTO_WORKSPACE struct workspace row = {.id = NULL};
	struct berth_error why = ERROR_INIT;
	size_t bytes = text_workspace_bytes(integration);
	AUTO_FREE char *name = strndup(integration, bytes);
	int rc = name && bytes ? workspace_get(s, name, &row, &why) : BERTH_E_NOT_FOUND;

	if (rc && rc != BERTH_E_NOT_FOUND) {
		*err = why;
		return rc;
	}
	*ret = name ? strdup(rc ? "" : row.id) : NULL;
	return *ret ? 0 : berth_fail_memory(err);
}

int audit_add(struct store *s, struct events *e, const struct audit_entry *entry,
	      struct berth_error *err)
{
	struct audit_run run;
	TRANSACTION t = {0};

	if (transaction_begin(&t, s, err) || audit_run_begin(&run, s, e, err) ||
	    audit_run_add(&run, entry, err) || audit_run_end(&run, err))
		return err->code;
	return transaction_commit(&t, err);
}

static int check_row(void *user, const void *each, struct berth_error *err)
{
	const struct audit_row *row = each;
	AUTO_JSON json_t *document = audit_document(row);

	return document ? chain_step(user, document, row->hash, err) : berth_fail_memory(err);
}

int audit_walk_on(struct store *s, struct audit_walk *w, uint32_t row_count, bool *ret_done,
		  struct berth_error *err)
{
	struct chain_seal start = {.number = 0}, end = {.number = 0};
	int64_t before;

	*ret_done = false;
	int rc = seal_load(s, CHAIN_START, &start, err);
	if (!rc)
		rc = seal_load(s, CHAIN_END, &end, err);
	if (rc == BERTH_E_NOT_FOUND)
		return berth_fail(err, BERTH_E_DIGEST, "audit: a seal of the chain was removed");
	/* What was pruned meanwhile can't be walked any more: from there again. */
	if (!rc && (!w->has_begun || start.number > w->chain.number)) {
		w->start = start;
		w->chain = (struct chain_walk){.public_key = ""};
		rc = chain_begin(&w->chain, seal_public_key(), &w->start, err);
		w->has_begun = !rc;
	}
	const struct store_value values[] = {V_INT(w->chain.number), V_INT(row_count)};
	const struct store_page piece = {.within = "number > ?",
					 .within_values = values,
					 .within_count = ARRAY_COUNT(values),
					 .tail = "ORDER BY number LIMIT ?"};
	before = w->chain.row_count;
	if (rc || store_list(s, &audit_table, &piece, check_row, &w->chain, NULL, err))
		return err->code;
	*ret_done = w->chain.row_count - before < row_count;
	return *ret_done ? chain_end(&w->chain, &end, err) : 0;
}

int audit_check(struct store *s, struct chain_walk *w, struct chain_seal *ret_start,
		struct berth_error *err)
{
	struct audit_walk walk = {.has_begun = false};
	bool is_done = false;
	int rc = 0;

	while (!rc && !is_done)
		rc = audit_walk_on(s, &walk, AUDIT_WALK_ROWS, &is_done, err);
	*w = walk.chain;
	*ret_start = walk.start;
	return rc;
}

int audit_verify(struct store *s, int64_t *ret_number, struct berth_error *err)
{
	struct chain_seal start;
	struct chain_walk w;
	int rc = audit_check(s, &w, &start, err);

	*ret_number = rc ? w.number + 1 : w.row_count;
	return rc;
}

int audit_log_end(struct store *s, int64_t *last_number, struct berth_error *err)
{
	char hash[CHAIN_HASH_ROOM];
	bool is_unsigned;
	int64_t number;
	int rc = seal_find_end(s, &number, hash, &is_unsigned, err);

	if (rc || number == *last_number)
		return rc;
	*last_number = number;
	log_info("audit: %lld rows, the last with hash %s", (long long)number, hash);
	return 0;
}
