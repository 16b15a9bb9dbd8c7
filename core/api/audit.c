/* SPDX-License-Identifier: Apache-2.0 */
/* /v1/audit: who did what and what was refused, searched and verified. */
#include <stdio.h>
#include <string.h>

#include "api_handlers.h"
#include "core/api/api.h"
#include "core/base/buf.h"
#include "core/base/clock.h"
#include "core/ops/audit.h"
#include "core/ops/audit_seal.h"
#include "core/store/records.h"

static int show_audit(struct request *q, const void *row, json_t **ret, struct berth_error *err)
{
	const struct audit_row *it = row;
	json_t *detail = NULL, *groups = NULL;

	(void)q;
	if (api_parse(it->detail, &detail, err))
		return err->code;
	*ret = json_pack("{s:I, s:I, s:s, s:s, s:s, s:s, s:o, s:s}", "number",
			 (json_int_t)it->number, "uid", (json_int_t)it->uid, "user", it->user_name,
			 "request", it->request_id, "action", it->action, "resource", it->resource,
			 "detail", detail, "hash", it->hash);
	if (!*ret)
		return berth_fail_memory(err);
	js_put_str(*ret, "result", it->result);
	if (*it->groups) {
		if (api_parse(it->groups, &groups, err))
			return err->code;
		json_object_set_new(*ret, "groups", groups);
	}
	js_put_time(*ret, "at", it->time_ms);
	return 0;
}

/* A query parameter and its condition: as it is written, with * for anything, or a
 * time. A uid is a number that is written, too. */
static const struct condition {
	const char *name, *sql;
	enum { EXACT, PATTERN, TIME } kind;
	unsigned value_count;
} conditions[] = {
	{"user", "(user_name = ? OR CAST(uid AS TEXT) = ?)", EXACT, 2},
	{"action", "action LIKE ? ESCAPE '\\'", PATTERN, 1},
	{"resource", "resource LIKE ? ESCAPE '\\'", PATTERN, 1},
	{"result", "result = ?", EXACT, 1},
	{"since", "time_ms >= ?", TIME, 1},
	{"until", "time_ms < ?", TIME, 1},
};
#define CONDITIONS ARRAY_COUNT(conditions)
#define VALUES_MAX (CONDITIONS + 1)

struct search {
	struct buf within;
	char *patterns[CONDITIONS];
	struct store_value values[VALUES_MAX];
	size_t value_count;
};

static void search_done(struct search *s)
{
	buf_done(&s->within);
	for (size_t i = 0; i < CONDITIONS; i++)
		free(s->patterns[i]);
}
#define AUTO_SEARCH CLEANUP(search_done)

/* The LIKE pattern of a text where * stands for anything; NULL: no memory. */
static char *pattern_of(const char *text)
{
	char *to = malloc(2 * strlen(text) + 1), *at = to;

	for (; to && *text; text++) {
		if (strchr("%_\\", *text))
			*at++ = '\\';
		*at++ = *text == '*' ? '%' : *text;
	}
	if (to)
		*at = '\0';
	return to;
}

/* One parameter; false: answered. */
static bool add_condition(struct search *s, struct request *q, struct answer *a, size_t i)
{
	const struct condition *c = &conditions[i];
	const char *text = request_query(q, c->name);
	struct berth_error err = ERROR_INIT;
	char where[16];
	int64_t at_ms = 0;

	if (!text)
		return true;
	if (c->kind == TIME && !clock_parse(text, &at_ms)) {
		(void)berth_fail(&err, BERTH_E_INVALID, "%.40s is no time in RFC 3339", text);
		snprintf(where, sizeof(where), "?%s", c->name);
		answer_problem(a, 400, "parameter-invalid", &err, NULL);
		answer_fault(a, where, "bad-value", "%s", err.message);
		return false;
	}
	s->patterns[i] = c->kind == PATTERN ? pattern_of(text) : NULL;
	if (buf_printf(&s->within, &err, "%s%s", s->within.byte_count ? " AND " : "", c->sql) ||
	    (c->kind == PATTERN && !s->patterns[i] && berth_fail_memory(&err))) {
		api_fail(a, &err, NULL);
		return false;
	}
	for (unsigned n = 0; n < c->value_count; n++)
		s->values[s->value_count++] =
			c->kind == TIME ? (struct store_value)V_INT(at_ms)
					: (struct store_value)V_TEXT(s->patterns[i] ? s->patterns[i]
										    : text);
	return true;
}

void api_audit_list(struct request *q, struct answer *a)
{
	static const char *const q_columns[] = {"user_name", "request_id", "action", "resource",
						"result",    "detail",     NULL};
	struct search s AUTO_SEARCH = {.within = {.max = 1024}};
	struct api_collection all = {.table = &audit_table,
				     .noun = "audit",
				     .q_columns = q_columns,
				     .q_is_literal = true,
				     .show = show_audit};

	for (size_t i = 0; i < CONDITIONS; i++)
		if (!add_condition(&s, q, a, i))
			return;
	all.within = s.value_count ? buf_text(&s.within) : NULL;
	all.within_values = s.values;
	all.within_count = s.value_count;
	api_list(&all, q, a);
}

static json_t *show_seal(const struct chain_seal *seal)
{
	json_t *o = json_pack("{s:I, s:s}", "number", (json_int_t)seal->number, "hash", seal->hash);

	js_put_time(o, "at", seal->time_ms);
	return o;
}

void api_audit_verify(struct request *q, struct answer *a)
{
	struct berth_error err = ERROR_INIT;
	struct chain_seal start;
	struct chain_walk w;
	int code = audit_check(request_daemon(q)->store, &w, &start, &err);

	if (code && code != BERTH_E_DIGEST) {
		api_fail(a, &err, NULL);
		return;
	}
	json_t *verdict = json_pack("{s:b, s:I, s:b}", "ok", !code, "rows", (json_int_t)w.row_count,
				    "signed", *seal_public_key() != '\0');
	js_put_str(verdict, "public_key", *seal_public_key() ? seal_public_key() : NULL);
	if (start.number)
		json_object_set_new(verdict, "pruned", show_seal(&start));
	if (w.unsigned_to)
		json_object_set_new(verdict, "unsigned_to", json_integer(w.unsigned_to));
	if (code) {
		json_object_set_new(verdict, "first_bad", json_integer(w.number + 1));
		js_put_str(verdict, "message", err.message);
	}
	answer_json(a, 200, verdict);
}
