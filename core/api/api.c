/* SPDX-License-Identifier: Apache-2.0 */
/* What the handlers share: errors and findings as answers, plans, pages of rows. See api.h. */
#include "core/api/api.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core/base/buf.h"
#include "core/base/js.h"
#include "core/base/log.h"
#include "core/base/text.h"
#include "core/http/list.h"
#include "core/http/problem.h"

void api_fail(struct answer *a, const struct berth_error *err, const char *hint)
{
	const struct problem_kind *kind = problem_kind_of_error(err->code);

	if (err->code == BERTH_E_INVALID)
		kind = problem_kind_find("validation-failed");
	answer_problem(a, kind->status, kind->code, err, hint);
}

void api_refuse(struct answer *a, int status, const char *code, const char *hint, const char *fmt,
		...)
{
	struct berth_error err = ERROR_INIT;
	char detail[200];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(detail, sizeof(detail), fmt, ap);
	va_end(ap);
	(void)berth_fail(&err, BERTH_E_CONFLICT, "%s", detail);
	answer_problem(a, status, code, &err, hint);
}

bool api_plugins_known(struct request *q, struct answer *a)
{
	const struct daemon_state *d = request_daemon(q);

	if (d->plugins_known)
		return true;
	api_refuse(a, 503, "unavailable",
		   d->is_private ? "berthctl api GET /v1/readyz" : "systemctl status berth-worker",
		   "the worker has not said its plugins yet");
	return false;
}

void findings_add(struct findings *f, const char *pointer, const char *code, const char *fmt, ...)
{
	char detail[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(detail, sizeof(detail), fmt, ap);
	va_end(ap);
	bool is_first = !f->count++;
	if (!f->answer || f->has_failed)
		return;
	if (is_first) {
		struct berth_error err = ERROR_INIT;
		(void)berth_fail(&err, BERTH_E_INVALID, "%s%s%s", pointer, *pointer ? ": " : "",
				 detail);
		answer_problem(f->answer, 422, "validation-failed", &err, NULL);
	}
	answer_fault(f->answer, pointer, code, "%s", detail);
}

void findings_fail(struct findings *f, const struct berth_error *err)
{
	f->count++;
	if (f->answer && !f->has_failed)
		api_fail(f->answer, err, NULL);
	f->has_failed = true;
}

void findings_add_error(struct findings *f, const char *pointer, const char *code,
			const struct berth_error *why)
{
	if (why->code == BERTH_E_NO_MEMORY)
		findings_fail(f, why);
	else
		findings_add(f, pointer, code, "%s%s%s", why->message, *why->cause ? ": " : "",
			     why->cause);
}

int api_parse(const char *text, json_t **ret, struct berth_error *err)
{
	if (!text || !*text) {
		*ret = json_object();
		return *ret ? 0 : berth_fail_memory(err);
	}
	return js_parse(text, strlen(text), &js_limits_registry, ret, err);
}

json_t *api_plan(const char *create, const char *update, const char *remove)
{
	return json_pack("{s:b, s:[s*], s:[s*], s:[s*]}", "dry_run", 1, "create", create, "update",
			 update, "delete", remove);
}

bool api_planned(struct request *q, struct answer *a, const char *path, bool is_new)
{
	if (!request_dry_run(q))
		return false;
	answer_json(a, 200, api_plan(is_new ? path : NULL, is_new ? NULL : path, NULL));
	return true;
}

int api_each(struct store *s, const struct store_table *table, const struct store_page *within,
	     store_each *each, void *user, struct berth_error *err)
{
	struct store_page page = within ? *within : (struct store_page){.within = NULL};
	char *cursor AUTO_FREE = NULL;

	page.limit = 1000;
	do {
		struct store_listing listing = {.next = NULL};
		page.cursor = cursor;
		int code = store_list(s, table, &page, each, user, &listing, err);
		free(cursor);
		cursor = listing.next;
		if (code)
			return code;
	} while (cursor);
	return 0;
}

int api_use_add(struct api_use *use, json_t *text, struct berth_error *err, const char *hint, ...)
{
	va_list args;

	va_start(args, hint);
	if (!*use->hint)
		vsnprintf(use->hint, sizeof(use->hint), hint, args);
	va_end(args);
	return json_array_append_new(use->texts, text) ? berth_fail_memory(err) : 0;
}

bool api_unused(struct request *q, struct answer *a, const struct api_users *users)
{
	struct store *s = request_daemon(q)->store;
	const struct store_value v = V_TEXT(users->value);
	const struct store_page page = {.within = users->within,
					.within_values = &v,
					.within_count = 1,
					.tail = users->order};
	struct berth_error err = ERROR_INIT;
	json_t *texts AUTO_JSON = json_array();
	struct api_use use = {.texts = texts};
	int64_t count = 0;
	const json_t *one;
	size_t i;

	if (!texts)
		(void)berth_fail_memory(&err);
	if (!texts || store_count(s, users->table, &page, &count, &err) ||
	    store_list(s, users->table, &page, users->say, &use, NULL, &err)) {
		api_fail(a, &err, NULL);
		return false;
	}
	if (!count)
		return true;
	api_refuse(a, 409, "in-use", *use.hint ? use.hint : NULL, "%s%s%lld %s%s", users->what,
		   users->before, (long long)count, count == 1 ? users->one : users->many,
		   users->after);
	json_array_foreach (texts, i, one)
		answer_fault(a, "", "in-use", "%s", json_string_value(one));
	return false;
}

/* A LIKE pattern that has q somewhere, or, when fuzzy, its letters in order
 * with anything between: "hbp" finds "harbor-prod". Backslash escapes what LIKE
 * would read. */
static char *like_pattern(const char *q, bool is_fuzzy)
{
	char *pattern = malloc(strlen(q) * 3 + 2), *to = pattern;

	if (!pattern)
		return NULL;
	*to++ = '%';
	for (; *q; q++) {
		unsigned char c = (unsigned char)*q;
		if (c == ' ' && is_fuzzy)
			continue;
		if (c == '%' || c == '_' || c == '\\')
			*to++ = '\\';
		*to++ = (char)(c >= 'A' && c <= 'Z' ? c + 32 : c);
		bool is_inside = (q[1] & 0xc0) == 0x80; /* of a UTF-8 sequence */
		if ((is_fuzzy && !is_inside) || !q[1])
			*to++ = '%';
	}
	*to = '\0';
	return pattern;
}

#define VALUES_MAX 16

/* The route's own condition and the q parameter, as long as their query. */
struct narrowing {
	struct buf within;
	char *pattern;
	struct store_value values[VALUES_MAX];
	size_t value_count;
};

static void narrowing_done(struct narrowing *n)
{
	buf_done(&n->within);
	free(n->pattern);
}

static int narrow(const struct api_collection *c, const char *q, struct narrowing *n,
		  struct berth_error *err)
{
	int code = buf_printf(&n->within, err, "(%s)", c->within ? c->within : "1 = 1");

	for (size_t i = 0; i < c->within_count && i < VALUES_MAX; i++)
		n->values[n->value_count++] = c->within_values[i];
	if (code || !q || !*q || !c->q_columns)
		return code;
	n->pattern = like_pattern(q, !c->q_is_literal);
	if (!n->pattern)
		return berth_fail_memory(err);
	for (size_t i = 0; c->q_columns[i] && n->value_count < VALUES_MAX; i++) {
		if (buf_printf(&n->within, err, "%sLOWER(%s) LIKE ? ESCAPE '\\'",
			       i ? " OR " : " AND (", c->q_columns[i]))
			return err->code;
		n->values[n->value_count++] = (struct store_value)V_TEXT(n->pattern);
	}
	return buf_add_text(&n->within, ")", err);
}

struct making {
	const struct api_collection *c;
	struct request *q;
};

/* A row that is damaged is logged and left out: it must not hide the others. Where the
 * store or memory fails, nobody knows what else is not there. */
static int make(void *user, const void *row, json_t **ret, struct berth_error *err)
{
	struct making *m = user;
	struct log_context context = {.request = request_id(m->q)};
	struct berth_error why = ERROR_INIT;

	if (!m->c->show(m->q, row, ret, &why))
		return m->c->common && json_object_update_missing(*ret, (json_t *)m->c->common)
			       ? berth_fail_memory(err)
			       : 0;
	*ret = NULL;
	if (why.code == BERTH_E_NO_MEMORY || why.from == BERTH_FROM_SQL) {
		*err = why;
		return berth_wrap(err, "a %s can't be shown", m->c->noun);
	}
	log_line(LOG_LEVEL_ERROR, &context, "a %s is left out of a list: %s: %s", m->c->noun,
		 why.message, why.cause);
	return 0;
}

void api_list(const struct api_collection *c, struct request *q, struct answer *a)
{
	struct narrowing n CLEANUP(narrowing_done) = {.within = {.max = 8192}};
	struct making m = {.c = c, .q = q};
	struct berth_error err = ERROR_INIT;
	struct list l AUTO_LIST = {.table = NULL};

	if (narrow(c, request_query(q, "q"), &n, &err)) {
		api_fail(a, &err, NULL);
		return;
	}
	if (!list_begin(&l, q, a, c->table))
		return;
	l.page.within = buf_text(&n.within);
	l.page.within_values = n.values;
	l.page.within_count = n.value_count;
	l.page.want_total = true;
	l.more = c->more;
	list_end(&l, q, a, request_daemon(q)->store, make, &m);
}
