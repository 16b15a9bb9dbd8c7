/* SPDX-License-Identifier: Apache-2.0 */
/* /v1/audit/export: the whole trail as lines of JSON, for a file that can be
 * verified without berthd; and the clock that lets old rows go. The first line has
 * the seals of both ends as they are then, each other line is a row as it is hashed,
 * with its hash.
 */
#include <string.h>

#include "api_handlers.h"
#include "core/api/api.h"
#include "core/api/audit.h"
#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/http/stream.h"
#include "core/ops/audit.h"
#include "core/ops/audit_seal.h"
#include "core/ops/schedule.h"

#define PERIOD_MS 3600000
#define FIRST_MS 30000
#define NEXT_MS 200
#define DAY_MS 86400000

/* One who reads: fed page by page, as fast as the lines are taken. */
struct export
{
	struct store *store;
	struct stream *stream;
	struct chain_seal start, end;
	int64_t number; /* of the last row given */
	bool has_begun;
};

static void export_free(void *user)
{
	free(user);
}

static json_t *seal_document(const struct chain_seal *seal)
{
	return json_pack("{s:I, s:s, s:I, s:s}", "number", (json_int_t)seal->number, "hash",
			 seal->hash, "time_ms", (json_int_t)seal->time_ms, "signature",
			 seal->signature);
}

static int push(struct export *x, const json_t *line, struct berth_error *err)
{
	AUTO_FREE char *text = line ? js_canonical(line) : NULL;

	if (!text)
		return berth_fail_memory(err);
	return stream_push(x->stream, 0, "row", text)
		       ? 0
		       : berth_fail(err, BERTH_E_UNAVAILABLE, "the reader is gone");
}

static int push_head(struct export *x, struct berth_error *err)
{
	AUTO_JSON json_t *head =
		json_pack("{s:i, s:s, s:o, s:o}", "berth_audit", 1, "public_key", seal_public_key(),
			  "start", seal_document(&x->start), "end", seal_document(&x->end));

	return push(x, head, err);
}

static int push_row(void *user, const void *each, struct berth_error *err)
{
	const struct audit_row *row = each;
	struct export *x = user;
	unsigned losses = js_losses();

	if (stream_is_full(x->stream))
		return berth_fail(err, BERTH_E_CANCELLED, "enough until the reader took some");
	if (row->number != x->number + 1)
		return berth_fail(err, BERTH_E_DIGEST, "row %lld is not there any more",
				  (long long)x->number + 1);
	AUTO_JSON json_t *line = audit_document(row);
	if (!line || json_object_set_new(line, "hash", json_string(row->hash)) ||
	    js_losses() != losses)
		return berth_fail_memory(err);
	if (push(x, line, err))
		return err->code;
	x->number = row->number;
	return 0;
}

static int push_page(struct export *x, struct berth_error *err)
{
	const struct store_value values[] = {V_INT(x->number), V_INT(x->end.number)};
	const struct store_page page = {.within = "number > ? AND number <= ?",
					.within_values = values,
					.within_count = 2,
					.tail = "ORDER BY number LIMIT 100"};

	if (!x->has_begun && push_head(x, err))
		return err->code;
	x->has_begun = true;
	return store_list(x->store, &audit_table, &page, push_row, x, NULL, err);
}

/* What ends early is no whole trail, and verifying it says so. */
static void pull(struct stream *stream, void *user)
{
	struct export *x = user;
	struct berth_error err = ERROR_INIT;

	x->stream = stream;
	int code = push_page(x, &err);
	if (code && code != BERTH_E_CANCELLED) {
		log_warning("an export of the audit trail ends early: %s", err.message);
		stream_end(stream);
	} else if (x->number >= x->end.number) {
		stream_end(stream);
	}
}

void api_audit_export(struct request *q, struct answer *a)
{
	static const struct stream_ops stream = {.pull = pull, .closed = export_free};
	struct store *s = request_daemon(q)->store;
	struct berth_error err = ERROR_INIT;
	struct export *x = calloc(1, sizeof(*x));

	if (!x)
		(void)berth_fail_memory(&err);
	if (!x || seal_load(s, CHAIN_START, &x->start, &err) ||
	    seal_load(s, CHAIN_END, &x->end, &err)) {
		free(x);
		api_fail(a, &err, "berthctl audit verify");
		return;
	}
	x->store = s;
	x->number = x->start.number;
	(void)answer_stream(a, q, &stream, x);
}

/* --- the clock --- */

static void prune_is_due(void *user, const char *name)
{
	struct daemon_state *d = user;
	int64_t keep_ms = (int64_t)d->settings.audit_keep_days * DAY_MS, count = 0;
	struct berth_error err = ERROR_INIT;

	if (!keep_ms || store_health(d->store, NULL))
		return;
	if (audit_prune(d->store, ops_events(d->ops), clock_unix_ms() - keep_ms, AUDIT_PRUNE_ROWS,
			&count, &err))
		log_error("old rows of the audit trail stay: %s", err.message);
	else if (count == AUDIT_PRUNE_ROWS && schedule_set(ops_schedule(d->ops), name, NEXT_MS,
							   PERIOD_MS, prune_is_due, d, &err))
		log_warning("more old rows of the audit trail stay for an hour: %s", err.message);
}

int audit_clock_start(struct daemon_state *d, struct berth_error *err)
{
	return schedule_set(ops_schedule(d->ops), "audit", FIRST_MS, PERIOD_MS, prune_is_due, d,
			    err);
}
