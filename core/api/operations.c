/* SPDX-License-Identifier: Apache-2.0 */
/* /v1/operations: work that was accepted, as it is, as it ends, and as it
 * goes on line by line. Operations themselves are core/ops's.
 */
#include <stdio.h>
#include <string.h>

#include "api_handlers.h"
#include "core/api/sight.h"
#include "core/base/clock.h"
#include "core/http/stream.h"
#include "core/store/records.h"

static int show(struct request *q, const void *row, json_t **ret, struct berth_error *err)
{
	const struct operation_row *it = row;
	bool may_cancel = !it->ended_ms && api_may_cancel(q, it->uid, it->user_name);

	*ret = ops_row_document(request_daemon(q)->ops, it, may_cancel);
	if (!*ret)
		return berth_fail_memory(err);
	api_show_error(*ret);
	return 0;
}

void api_operations_list(struct request *q, struct answer *a)
{
	struct sight sight AUTO_SIGHT = {.is_all = false};

	if (!sight_operations(q, a, &sight))
		return;
	struct api_collection seen = {.table = &operations_table,
				      .noun = "operation",
				      .within = sight.where,
				      .within_values = sight.values,
				      .within_count = sight.value_count,
				      .show = show};
	api_list(&seen, q, a);
}

/* The route's operation as a document; false: answered 404. */
static bool document_of_route(struct request *q, struct answer *a, json_t **ret)
{
	struct berth_error err = ERROR_INIT;

	if (!api_operation(q, request_param(q, "id"), ret, &err))
		return true;
	api_fail(a, &err, "berthctl operation list");
	return false;
}

void api_operations_get(struct request *q, struct answer *a)
{
	json_t *document = NULL;

	if (!document_of_route(q, a, &document))
		return;
	json_t *desired AUTO_JSON = json_incref(document);
	answer_resource(a, q, document, desired, 0);
}

#define WAIT_DEFAULT_S 30

void api_operations_wait(struct request *q, struct answer *a)
{
	uint32_t timeout_s = (uint32_t)request_query_int(q, "timeout_s", WAIT_DEFAULT_S);
	json_t *document AUTO_JSON = NULL;

	if (!document_of_route(q, a, &document))
		return;
	if (!answer_woken(a) && timeout_s && api_hold(q, a, request_param(q, "id"), timeout_s))
		return;
	answer_json(a, 200, json_incref(document));
}

void api_operations_cancel(struct request *q, struct answer *a)
{
	struct daemon_state *d = request_daemon(q);
	const char *id = request_param(q, "id");
	struct berth_error err = ERROR_INIT;
	json_t *document AUTO_JSON = NULL;

	if (!document_of_route(q, a, &document))
		return;
	if (ops_find(d->ops, id) && !js_bool(document, "may_cancel", false)) {
		api_refuse(a, 403, "forbidden", NULL,
			   "operation %s is another user's: an admin may cancel it", id);
		return;
	}
	if (ops_cancel(d->ops, id, &err)) {
		api_fail(a, &err, NULL);
		return;
	}
	json_decref(STEAL(document));
	if (document_of_route(q, a, &document))
		answer_accepted(a, id, json_incref(document));
}

/* A log on its way to a reader: stored lines first, then those that come. */
struct log_stream {
	struct daemon_state *d;
	struct stream *stream;
	struct op_watch *watch; /* NULL once the operation has ended */
	int64_t last_number;
	char id[UUID_ROOM];
};

static void log_changed(void *user, const char *id, bool has_ended)
{
	struct log_stream *s = user;

	(void)id;
	if (has_ended)
		s->watch = NULL;
	stream_wake(s->stream);
}

static int push_line(void *user, const void *row, struct berth_error *err)
{
	const struct operation_log_row *it = row;
	struct log_stream *s = user;
	unsigned losses = js_losses();
	json_t *line AUTO_JSON = json_pack("{s:I, s:I, s:s}", "number", (json_int_t)it->number,
					   "level", (json_int_t)it->level, "text", it->text);

	js_put_time(line, "at", it->time_ms);
	char *text AUTO_FREE = line ? js_text(line) : NULL;
	if (!text || js_losses() != losses)
		return berth_fail_memory(err);
	s->last_number = it->number;
	if (!stream_push(s->stream, (uint64_t)it->number, "log", text))
		return berth_fail(err, BERTH_E_CANCELLED, "the reader is gone");
	return 0;
}

static void log_pull(struct stream *stream, void *user)
{
	struct log_stream *s = user;
	const struct store_value values[] = {V_TEXT(s->id), V_INT(s->last_number)};
	struct store_page page = {.within = "operation_id = ? AND number > ?",
				  .within_values = values,
				  .within_count = 2,
				  .tail = "ORDER BY number LIMIT 200"};
	struct berth_error err = ERROR_INIT;
	int64_t before = s->last_number;

	s->stream = stream;
	if (store_list(s->d->store, &operation_log_table, &page, push_line, s, NULL, &err) &&
	    err.code == BERTH_E_CANCELLED)
		return;
	if (err.code || (!s->watch && s->last_number == before))
		stream_end(stream);
}

static void log_closed(void *user)
{
	struct log_stream *s = user;

	ops_unwatch(s->watch);
	free(s);
}

void api_operations_log(struct request *q, struct answer *a)
{
	static const struct stream_ops stream = {.pull = log_pull, .closed = log_closed};
	struct berth_error err = ERROR_INIT;
	json_t *document AUTO_JSON = NULL;

	if (!document_of_route(q, a, &document))
		return;
	struct log_stream *s = calloc(1, sizeof(*s));
	if (!s) {
		(void)berth_fail_memory(&err);
		api_fail(a, &err, NULL);
		return;
	}
	s->d = request_daemon(q);
	snprintf(s->id, sizeof(s->id), "%s", request_param(q, "id"));
	if (ops_watch(s->d->ops, s->id, log_changed, s, &s->watch, &err)) {
		free(s);
		api_fail(a, &err, NULL);
		return;
	}
	(void)answer_stream(a, q, &stream, s);
}
