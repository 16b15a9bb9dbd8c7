/* SPDX-License-Identifier: Apache-2.0 */
/* The audit chain: hash = SHA-256 of the previous hash, a newline and the row's
 * canonical JSON. The first row's previous hash is the empty text.
 */
#include "core/ops/audit.h"

#include <stdio.h>
#include <string.h>

#include "core/base/clock.h"
#include "core/base/digest.h"
#include "core/base/js.h"
#include "core/base/log.h"
#include "core/base/text.h"

#define TEXT_MAX_BYTES 1024
#define DETAIL_MAX_BYTES (16 * 1024)
#define HASH_ROOM 65

/* The row without its hash. Rows of before there were groups have none. */
static json_t *document(const struct audit_row *row)
{
	json_t *o =
		json_pack("{sI sI sI ss ss ss ss ss ss}", "number", (json_int_t)row->number,
			  "time_ms", (json_int_t)row->time_ms, "uid", (json_int_t)row->uid, "user",
			  row->user_name, "request", row->request_id, "action", row->action,
			  "resource", row->resource, "result", row->result, "detail", row->detail);
	if (o && *row->groups && json_object_set_new(o, "groups", json_string(row->groups))) {
		json_decref(o);
		return NULL;
	}
	return o;
}

static int chain(const struct audit_row *row, const char *previous, char *to,
		 struct berth_error *err)
{
	AUTO_JSON json_t *object = document(row);
	AUTO_FREE char *text = object ? js_canonical(object) : NULL;
	AUTO(hasher) struct hasher *h = NULL;
	struct digest d;
	int rc;

	if (!text)
		return berth_fail_memory(err);
	rc = hasher_new(DIGEST_SHA256, &h, err);
	if (rc)
		return rc;
	hasher_add(h, previous, strlen(previous));
	hasher_add(h, "\n", 1);
	hasher_add(h, text, strlen(text));
	hasher_end(h, &d);
	text_hex(d.bytes, d.byte_count, to);
	return 0;
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
	if (!row->user_name || !row->request_id || !row->action || !row->resource || !row->result ||
	    !row->detail || !row->groups)
		return berth_fail_memory(err);
	return 0;
}

/* Where the chain ends; an empty one ends at row 0 with an empty hash. */
static int find_end(struct store *s, int64_t *ret_number, char *hash, struct berth_error *err)
{
	AUTO_AUDIT_ROW struct audit_row last = {0};
	struct berth_error why = ERROR_INIT;
	int rc = audit_row_last(s, &last, &why);

	*ret_number = 0;
	hash[0] = '\0';
	if (rc == BERTH_E_NOT_FOUND)
		return 0;
	if (rc) {
		*err = why;
		return rc;
	}
	*ret_number = last.number;
	snprintf(hash, HASH_ROOM, "%s", last.hash);
	return 0;
}

static int add_event(struct events *e, const struct audit_row *row, struct berth_error *err)
{
	AUTO_JSON json_t *object = document(row);

	if (!object)
		return berth_fail_memory(err);
	json_object_del(object, "time_ms");
	json_object_del(object, "detail");
	json_object_del(object, "groups");
	js_put_time(object, "at", row->time_ms);
	return events_add(e, EVENT_AUDIT, row->resource, object, err);
}

int audit_add(struct store *s, struct events *e, const struct audit_entry *entry,
	      struct berth_error *err)
{
	AUTO_AUDIT_ROW struct audit_row row = {0};
	char previous[HASH_ROOM], hash[HASH_ROOM];
	TRANSACTION t = {0};
	int rc = fill(entry, &row, err);

	if (!rc)
		rc = transaction_begin(&t, s, err);
	if (!rc)
		rc = find_end(s, &row.number, previous, err);
	if (rc)
		return rc;
	row.number++;
	rc = chain(&row, previous, hash, err);
	if (rc)
		return rc;
	row.hash = strdup(hash);
	if (!row.hash)
		return berth_fail_memory(err);
	rc = audit_row_add(s, &row, err);
	if (!rc && e)
		rc = add_event(e, &row, err);
	return rc ? rc : transaction_commit(&t, err);
}

struct walk {
	int64_t number;
	char hash[HASH_ROOM];
	int64_t *ret_number;
};

static int check_row(void *user, const void *each, struct berth_error *err)
{
	struct walk *w = user;
	const struct audit_row *row = each;
	char hash[HASH_ROOM];
	int rc = chain(row, w->hash, hash, err);

	*w->ret_number = row->number;
	if (rc)
		return rc;
	if (row->number != w->number + 1)
		return berth_fail(err, BERTH_E_DIGEST,
				  "audit: row %lld follows row %lld: rows are missing",
				  (long long)row->number, (long long)w->number);
	if (strcmp(hash, row->hash) != 0)
		return berth_fail(err, BERTH_E_DIGEST, "audit: row %lld was altered",
				  (long long)row->number);
	w->number = row->number;
	memcpy(w->hash, hash, sizeof(hash));
	return 0;
}

int audit_verify(struct store *s, int64_t *ret_number, struct berth_error *err)
{
	static const struct store_page all = {.tail = "ORDER BY number"};
	struct walk w = {.ret_number = ret_number};

	*ret_number = 0;
	return store_list(s, &audit_table, &all, check_row, &w, NULL, err);
}

int audit_log_end(struct store *s, int64_t *last_number, struct berth_error *err)
{
	char hash[HASH_ROOM];
	int64_t number;
	int rc = find_end(s, &number, hash, err);

	if (rc || number == *last_number)
		return rc;
	*last_number = number;
	log_info("audit: %lld rows, the last with hash %s", (long long)number, hash);
	return 0;
}
