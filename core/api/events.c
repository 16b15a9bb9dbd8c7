/* SPDX-License-Identifier: Apache-2.0 */
/* /v1/events: the sequence of what happened, from any id on. A reader is fed
 * from the stored ring at its own pace and woken by what is new, so a slow one
 * costs no memory; one that the ring has overtaken is told of the gap. Who has no
 * platform role gets its own operations, and what becomes of spaces and workspaces
 * that it sees at that moment (event_sight.c).
 */
#include <stdio.h>
#include <string.h>

#include "api_handlers.h"
#include "core/api/api.h"
#include "core/api/event_sight.h"
#include "core/base/clock.h"
#include "core/base/text.h"
#include "core/http/stream.h"
#include "core/ops/events.h"

/* How far back somebody looks whose every row has to be judged. */
#define MEMBER_ROWS 10000

struct reader {
	struct daemon_state *d;
	struct http_server *server;
	struct stream *stream; /* NULL for a long poll */
	struct events_reader *live;
	unsigned types;
	int64_t last_id;
	struct event_sight sight;
	size_t given_count; /* rows of the last look that were for this reader */
	char topic[64];     /* of a long poll */
	uint64_t until_ms;  /* and when it is answered at the latest */
};

static void reader_free(void *user)
{
	struct reader *r = user;

	events_unsubscribe(r->live);
	event_sight_done(&r->sight);
	free(r);
}

static void told(void *user, const struct event_row *row)
{
	struct reader *r = user;

	(void)row;
	if (r->stream)
		stream_wake(r->stream);
	else
		http_wake(r->server, r->topic);
}

/* *ret NULL: it is not for this reader. */
static int event_document(struct reader *r, const struct event_row *row, json_t **ret,
			  struct berth_error *err)
{
	unsigned losses = js_losses();
	json_t *data = NULL;
	bool is_seen = false;

	*ret = NULL;
	if (!(event_type_of_name(row->type) & r->types))
		return 0;
	if (api_parse(row->document, &data, err))
		return err->code;
	if (event_sight_sees(&r->sight, row, data, &is_seen, err) || !is_seen) {
		json_decref(data);
		return err->code;
	}
	if (!strcmp(row->type, "operation"))
		api_show_error(data);
	*ret = json_pack("{s:I, s:s, s:o}", "id", (json_int_t)row->id, "type", row->type, "data",
			 data);
	js_put_str(*ret, "resource", row->resource);
	js_put_time(*ret, "at", row->time_ms);
	*ret = js_whole(*ret, losses);
	return *ret ? 0 : berth_fail_memory(err);
}

/* "operation,health" as bits; 0: answered, for an unknown word or want of memory. */
static unsigned parse_types(const char *text, struct answer *a)
{
	unsigned types = 0;

	if (!text)
		return EVENT_ALL;
	char *copy AUTO_FREE = strdup(text);
	char *rest = copy, *word;
	if (!copy) {
		struct berth_error err = ERROR_INIT;
		(void)berth_fail_memory(&err);
		api_fail(a, &err, NULL);
		return 0;
	}
	while ((word = strsep(&rest, ","))) {
		unsigned type = event_type_of_name(word);
		if (!type) {
			struct berth_error err = ERROR_INIT;
			(void)berth_fail(&err, BERTH_E_INVALID, "%.40s is no type of event", word);
			answer_problem(a, 400, "parameter-invalid", &err, NULL);
			answer_fault(a, "?types", "unknown-type",
				     "expected operation, lifecycle, audit, health");
			return 0;
		}
		types |= type;
	}
	return types;
}

static int push_row(void *user, const void *row, struct berth_error *err)
{
	const struct event_row *it = row;
	struct reader *r = user;
	json_t *document AUTO_JSON = NULL;

	if (stream_is_full(r->stream))
		return berth_fail(err, BERTH_E_CANCELLED, "enough until the reader took some");
	r->last_id = it->id;
	if (event_document(r, it, &document, err) || !document)
		return err->code;
	r->given_count++;
	char *text AUTO_FREE = js_text(document);
	if (!text)
		return berth_fail_memory(err);
	if (!stream_push(r->stream, (uint64_t)it->id, it->type, text))
		return berth_fail(err, BERTH_E_CANCELLED, "the reader is gone");
	return 0;
}

static int list_page(struct reader *r, store_each *each, void *user, struct berth_error *err)
{
	const struct store_value values[] = {V_INT(r->last_id)};
	struct store_page page = {.within = "id > ?",
				  .within_values = values,
				  .within_count = 1,
				  .tail = "ORDER BY id LIMIT 100"};

	return store_list(r->d->store, &events_table, &page, each, user, NULL, err);
}

/* Page by page until there is something for this reader, or no more. */
static int list_after(struct reader *r, store_each *each, void *user, struct berth_error *err)
{
	int64_t newest = events_last(ops_events(r->d->ops)), before;
	int code;

	r->given_count = 0;
	do {
		before = r->last_id;
		code = list_page(r, each, user, err);
	} while (!code && !r->given_count && r->last_id > before && r->last_id < newest);
	return code;
}

/* *ret: the end of the gap where the ring dropped what this reader has not seen, else 0. */
static int find_gap(struct reader *r, int64_t *ret, struct berth_error *err)
{
	int64_t first_id = 0, oldest;

	*ret = 0;
	if (event_row_first(r->d->store, &first_id, err))
		return err->code;
	oldest = events_last(ops_events(r->d->ops)) - MEMBER_ROWS;
	if (!r->sight.is_all && first_id < oldest)
		first_id = oldest;
	if (first_id > r->last_id + 1)
		*ret = first_id - 1;
	return 0;
}

/* Its reader comes again with what it has where this ends. */
static void pull(struct stream *stream, void *user)
{
	struct reader *r = user;
	struct berth_error err = ERROR_INIT;
	int64_t missed = 0;

	r->stream = stream;
	if (event_sight_is_old(&r->sight) || find_gap(r, &missed, &err)) {
		stream_end(stream);
		return;
	}
	if (missed) {
		bool is_open = stream_push_gap(stream, (uint64_t)r->last_id, (uint64_t)missed);
		r->last_id = missed;
		if (!is_open)
			return;
	}
	if (list_after(r, push_row, r, &err) && err.code != BERTH_E_CANCELLED)
		stream_end(stream);
}

/* Where to begin: since, else Last-Event-ID, else now. */
static bool begin_id(struct request *q, struct answer *a, int64_t *ret_id)
{
	const char *header = request_header(q, "Last-Event-ID");
	uint64_t id = 0;

	*ret_id = request_query_int(q, "since", -1);
	if (*ret_id >= 0)
		return true;
	*ret_id = events_last(ops_events(request_daemon(q)->ops));
	if (!header)
		return true;
	if (!text_parse_u64(header, 0, INT64_MAX, &id)) {
		struct berth_error err = ERROR_INIT;
		(void)berth_fail(&err, BERTH_E_INVALID, "Last-Event-ID is no event's id");
		answer_problem(a, 400, "parameter-invalid", &err, NULL);
		return false;
	}
	*ret_id = (int64_t)id;
	return true;
}

struct poll {
	struct reader *reader;
	json_t *items;
};

static int keep_row(void *user, const void *row, struct berth_error *err)
{
	const struct event_row *it = row;
	struct poll *p = user;
	json_t *document = NULL;

	p->reader->last_id = it->id;
	if (event_document(p->reader, it, &document, err) || !document)
		return err->code;
	p->reader->given_count++;
	return json_array_append_new(p->items, document) ? berth_fail_memory(err) : 0;
}

/* What the ring dropped is an item, too. */
static int keep_gap(struct poll *p, struct berth_error *err)
{
	struct reader *r = p->reader;
	int64_t missed = 0;

	if (find_gap(r, &missed, err) || !missed)
		return err->code;
	if (json_array_append_new(p->items,
				  json_pack("{s:I, s:s, s:{s:I, s:I}}", "id", (json_int_t)missed,
					    "type", "gap", "data", "since", (json_int_t)r->last_id,
					    "until", (json_int_t)missed)))
		return berth_fail_memory(err);
	r->last_id = missed;
	return 0;
}

/* One answer: what there is, else held until there is some. */
static void answer_poll(struct answer *a, struct reader *r, uint32_t wait_s)
{
	json_t *items AUTO_JSON = json_array();
	struct poll p = {.reader = r, .items = items};
	struct berth_error err = ERROR_INIT;
	uint64_t now_ms = clock_monotonic_ms();
	char next[96];

	if (!items)
		(void)berth_fail_memory(&err);
	else if (!keep_gap(&p, &err) && event_sight_is_old(&r->sight))
		r->until_ms = 0;
	else if (!err.code)
		(void)list_after(r, keep_row, &p, &err);
	if (err.code) {
		api_fail(a, &err, NULL);
		return;
	}
	if (!json_array_size(items) && now_ms < r->until_ms && !answer_timed_out(a)) {
		answer_hold_topic(a, r->topic);
		answer_hold(a, (uint32_t)((r->until_ms - now_ms + 999) / 1000));
		return;
	}
	snprintf(next, sizeof(next), "/v1/events?since=%lld&wait_s=%u", (long long)r->last_id,
		 wait_s);
	answer_json(a, 200, json_pack("{s:O, s:s}", "items", items, "next", next));
}

void api_events_get(struct request *q, struct answer *a)
{
	static const struct stream_ops stream = {.pull = pull, .closed = reader_free};
	const char *wait = request_query(q, "wait_s");
	uint32_t wait_s = (uint32_t)request_query_int(q, "wait_s", 0);
	struct daemon_state *d = request_daemon(q);
	struct berth_error err = ERROR_INIT;
	int64_t last_id = 0;

	if (answer_woken(a)) {
		answer_poll(a, request_kept(q), wait_s);
		return;
	}
	unsigned types = parse_types(request_query(q, "types"), a);
	if (!types || !begin_id(q, a, &last_id))
		return;
	struct reader *r = calloc(1, sizeof(*r));
	if (!r) {
		(void)berth_fail_memory(&err);
		api_fail(a, &err, NULL);
		return;
	}
	*r = (struct reader){.d = d,
			     .server = request_server(q),
			     .types = types,
			     .last_id = last_id,
			     .until_ms = clock_monotonic_ms() + (uint64_t)wait_s * 1000};
	snprintf(r->topic, sizeof(r->topic), "events/%s", request_id(q));
	if (!event_sight_of(q, a, &r->sight)) {
		reader_free(r);
	} else if (events_subscribe(ops_events(d->ops), types, told, r, &r->live, &err)) {
		reader_free(r);
		api_fail(a, &err, NULL);
	} else if (wait) {
		request_keep(q, r, reader_free);
		answer_poll(a, r, wait_s);
	} else {
		(void)answer_stream(a, q, &stream, r);
	}
}
