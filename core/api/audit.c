/* SPDX-License-Identifier: Apache-2.0 */
/* /v1/audit: who did what and what was refused, searched and verified. */
#include <stdio.h>
#include <string.h>

#include "api_handlers.h"
#include "core/api/sight.h"
#include "core/base/buf.h"
#include "core/base/clock.h"
#include "core/ops/audit.h"
#include "core/ops/audit_seal.h"
#include "core/process/loop.h"
#include "core/store/records.h"

#define HOLD_S 60 /* the next piece comes at once */

static int show_audit(struct request *q, const void *row, json_t **ret, struct berth_error *err)
{
	const struct audit_row *it = row;
	json_t *detail = NULL, *groups AUTO_JSON = NULL;

	if ((*it->groups && api_parse(it->groups, &groups, err)) ||
	    api_parse(it->detail, &detail, err))
		return err->code;
	*ret = json_pack("{s:I, s:s, s:s, s:s, s:s, s:o}", "uid", (json_int_t)it->uid, "user",
			 it->user_name, "request", it->request_id, "action", it->action, "resource",
			 it->resource, "detail", detail);
	if (!*ret)
		return berth_fail_memory(err);
	/* The chain is the platform's: its numbers count the rows of all. */
	if (request_is_platform(q)) {
		json_object_set_new(*ret, "number", json_integer(it->number));
		js_put_str(*ret, "hash", it->hash);
	}
	js_put_str(*ret, "result", it->result);
	if (groups)
		json_object_set(*ret, "groups", groups);
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
#define VALUES_MAX (CONDITIONS + 3) /* user has two, and two say who asks */

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

/* First of all, what the caller may see. False: answered. */
static bool add_sight(struct search *s, const struct sight *sight, struct answer *a)
{
	struct berth_error err = ERROR_INIT;

	if (sight->is_all)
		return true;
	memcpy(s->values, sight->values, sight->value_count * sizeof(*s->values));
	s->value_count = sight->value_count;
	if (!buf_printf(&s->within, &err, "%s", sight->where))
		return true;
	api_fail(a, &err, NULL);
	return false;
}

void api_audit_list(struct request *q, struct answer *a)
{
	static const char *const q_columns[] = {"user_name", "request_id", "action", "resource",
						"result",    "detail",     NULL};
	struct search s AUTO_SEARCH = {.within = {.max = 2048}};
	struct sight sight AUTO_SIGHT = {.is_all = false};
	struct api_collection all = {
		.noun = "audit", .q_columns = q_columns, .q_is_literal = true, .show = show_audit};

	if (!sight_audit(q, a, &sight) || !add_sight(&s, &sight, a))
		return;
	for (size_t i = 0; i < CONDITIONS; i++)
		if (!add_condition(&s, q, a, i))
			return;
	all.table = sight.is_all ? &audit_table : &audit_own_table;
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

/* --- verified --- */

/* A walk on its way: after each piece others have their turn. */
struct verifying {
	struct audit_walk walk;
	struct http_server *server;
	struct loop_timer *timer;
	char topic[96];
};

static void verifying_free(void *kept)
{
	struct verifying *v = kept;

	loop_timer_free(v->timer);
	free(v);
}

static void go_on(void *user)
{
	struct verifying *v = user;

	http_wake(v->server, v->topic);
}

static struct verifying *verifying_new(struct request *q, struct berth_error *err)
{
	struct verifying *v = calloc(1, sizeof(*v));

	if (!v) {
		(void)berth_fail_memory(err);
		return NULL;
	}
	v->server = request_server(q);
	snprintf(v->topic, sizeof(v->topic), "audit-verify/%s", request_id(q));
	if (!loop_timer_new(request_daemon(q)->loop, go_on, v, &v->timer, err))
		return v;
	free(v);
	return NULL;
}

static json_t *verdict_of(const struct audit_walk *w, const struct berth_error *why)
{
	const char *key = seal_public_key();
	json_t *verdict = json_pack("{s:b, s:I, s:b}", "ok", !why->code, "rows",
				    (json_int_t)w->chain.row_count, "signed", *key != '\0');

	js_put_str(verdict, "public_key", *key ? key : NULL);
	if (w->start.number)
		json_object_set_new(verdict, "pruned", show_seal(&w->start));
	if (w->chain.unsigned_to)
		json_object_set_new(verdict, "unsigned_to", json_integer(w->chain.unsigned_to));
	if (why->code) {
		json_object_set_new(verdict, "first_bad", json_integer(w->chain.number + 1));
		js_put_str(verdict, "message", why->message);
	}
	return verdict;
}

void api_audit_verify(struct request *q, struct answer *a)
{
	struct berth_error err = ERROR_INIT;
	struct verifying *v = request_kept(q);
	bool is_done = false;

	if (!v && !(v = verifying_new(q, &err))) {
		api_fail(a, &err, NULL);
		return;
	}
	if (!answer_woken(a))
		request_keep(q, v, verifying_free);
	int code =
		audit_walk_on(request_daemon(q)->store, &v->walk, AUDIT_WALK_ROWS, &is_done, &err);
	if (code && code != BERTH_E_DIGEST) {
		api_fail(a, &err, NULL);
	} else if (code || is_done) {
		answer_json(a, 200, verdict_of(&v->walk, &err));
	} else {
		answer_hold_topic(a, v->topic);
		answer_hold(a, HOLD_S);
		loop_timer_set(v->timer, 0);
	}
}
