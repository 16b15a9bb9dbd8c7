/* SPDX-License-Identifier: Apache-2.0 */
/* What handlers answer: fills struct answer; send.c turns it into bytes. An
 * answer that can't be made for want of memory becomes a problem.
 */
#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#include "core/base/js.h"
#include "core/base/log.h"
#include "core/base/text.h"
#include "core/http/internal.h"

void answer_clear(struct answer *a)
{
	json_decref(a->body);
	free(a->text);
	for (size_t i = 0; i < a->header_count; i++) {
		free(a->headers[i].name);
		free(a->headers[i].value);
	}
	if (a->stream)
		stream_free_unsent(a->stream);
	a->body = NULL;
	a->text = NULL;
	a->stream = NULL;
	a->header_count = 0;
	a->media_type = a->problem = NULL;
	a->status = 0;
	a->lacks_header = false;
}

void answer_json(struct answer *a, int status, json_t *take_body)
{
	answer_clear(a);
	if (!take_body) {
		answer_problem(a, 0, "no-memory", NULL, NULL);
		return;
	}
	a->status = status;
	a->body = take_body;
	a->media_type = "application/json";
}

void answer_empty(struct answer *a, int status)
{
	answer_clear(a);
	a->status = status;
}

void answer_text(struct answer *a, int status, const char *media_type, char *take_text)
{
	answer_clear(a);
	if (!take_text) {
		answer_problem(a, 0, "no-memory", NULL, NULL);
		return;
	}
	a->status = status;
	a->text = take_text;
	a->media_type = media_type;
}

void answer_header(struct answer *a, const char *name, const char *value)
{
	struct pair *h = &a->headers[a->header_count];
	for (const char *s = value; *s; s++)
		if ((unsigned char)*s < 0x20 || *s == 0x7f) {
			log_error("header %s would carry a control character; left out", name);
			return;
		}
	if (a->header_count == HEADERS_MAX) {
		log_error("an answer has more than %d headers; %s left out", HEADERS_MAX, name);
		return;
	}
	*h = (struct pair){strdup(name), strdup(value)};
	if (h->name && h->value) {
		a->header_count++;
		return;
	}
	free(h->name);
	free(h->value);
	a->lacks_header = true;
}

static void add_retry_after(struct answer *a)
{
	int64_t seconds = js_int(a->body, "retry_after_s", 0);
	char text[24];
	if (a->status != 429 && a->status != 503 && a->status != 408)
		return;
	if (seconds < 1) {
		seconds = 2;
		json_object_set_new(a->body, "retry_after_s", json_integer(seconds));
	}
	snprintf(text, sizeof text, "%" PRId64, seconds);
	answer_header(a, "Retry-After", text);
}

void answer_problem(struct answer *a, int status, const char *code, const struct berth_error *err,
		    const char *hint)
{
	json_t *body = problem_document(code, err, a->request->id);
	answer_clear(a);
	a->body = body;
	a->media_type = "application/problem+json";
	a->status = 503; /* without memory: an empty answer */
	if (!body)
		return;
	if (code && !problem_kind_find(code))
		log_error("problem %s is not in the table of kinds", code);
	if (status)
		json_object_set_new(body, "status", json_integer(status));
	a->status = (int)js_int(body, "status", 500);
	a->problem = js_str(body, "code", "internal");
	js_put_str(body, "hint", hint);
	add_retry_after(a);
}

void answer_error(struct answer *a, const struct berth_error *err)
{
	answer_problem(a, 0, NULL, err, NULL);
}

void refuse(struct request *q, const char *code, const char *fmt, ...)
{
	struct berth_error err = ERROR_INIT;
	char text[sizeof err.message];
	va_list args;
	va_start(args, fmt);
	vsnprintf(text, sizeof text, fmt, args);
	va_end(args);
	berth_fail(&err, BERTH_E_INVALID, "%s", text);
	answer_problem(&q->answer, 0, code, &err, NULL);
}

void answer_member(struct answer *a, const char *key, json_t *take_value)
{
	json_object_set_new(a->body, key, take_value);
}

void answer_fault(struct answer *a, const char *where, const char *code, const char *fmt, ...)
{
	json_t *errors = json_object_get(a->body, "errors");
	bool is_parameter = where[0] == '?';
	char detail[512];
	va_list args;

	if (!errors) {
		errors = json_array();
		if (json_object_set_new(a->body, "errors", errors))
			return; /* no memory: the problem goes without */
	}
	va_start(args, fmt);
	vsnprintf(detail, sizeof detail, fmt, args);
	va_end(args);
	text_blank_controls(detail);
	text_trim_utf8(detail);
	json_array_append_new(errors,
			      json_pack("{s:s,s:s,s:s}", is_parameter ? "parameter" : "pointer",
					where + is_parameter, "code", code, "detail", detail));
}

void answer_accepted(struct answer *a, const char *operation_id, json_t *take_operation)
{
	char location[128];
	answer_json(a, 202, take_operation);
	snprintf(location, sizeof location, "/v1/operations/%.64s", operation_id);
	answer_header(a, "Location", location);
}

void answer_hold(struct answer *a, uint32_t timeout_s)
{
	a->is_held = true;
	a->hold_s = timeout_s;
}

void answer_hold_topic(struct answer *a, const char *topic)
{
	snprintf(a->topic, sizeof a->topic, "%s", topic);
}

bool answer_woken(const struct answer *a)
{
	return a->is_woken;
}

bool answer_timed_out(const struct answer *a)
{
	return a->has_timed_out;
}
