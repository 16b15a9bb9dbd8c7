/* SPDX-License-Identifier: Apache-2.0 */
/* The query: split, decoded and checked against the route's parameters; and
 * the parameters in the path. A plus sign is a space, as forms send it.
 */
#include <stdlib.h>
#include <string.h>

#include "core/base/js.h"
#include "core/base/text.h"
#include "core/http/internal.h"

static const struct route_param *find(const struct route *route, const char *name)
{
	for (size_t i = 0; i < route->param_count; i++)
		if (!route->params[i].in_path && !strcmp(route->params[i].name, name))
			return &route->params[i];
	return NULL;
}

static void refuse_unknown(struct request *q, const char *name)
{
	const char *names[65];
	json_t *allowed = json_array();
	size_t n = 0;
	for (size_t i = 0; i < q->route->param_count; i++)
		if (!q->route->params[i].in_path && n < 64) {
			names[n++] = q->route->params[i].name;
			json_array_append_new(allowed, json_string(q->route->params[i].name));
		}
	names[n] = NULL;
	const char *near = text_closest(name, names);
	if (near)
		refuse(q, "parameter-unknown", "no parameter %.64s; did you mean %s?", name, near);
	else
		refuse(q, "parameter-unknown", "no parameter %.64s on this route", name);
	answer_fault(&q->answer, "?", "unknown-parameter", "not one of this route's");
	json_object_set_new(json_array_get(json_object_get(q->answer.body, "errors"), 0),
			    "parameter", json_string(name));
	answer_member(&q->answer, "allowed", allowed);
}

/* Moves the first fault of errors into a problem about the parameter. */
static void refuse_value(struct request *q, const struct route_param *p, const json_t *errors)
{
	const json_t *first = json_array_get(errors, 0);
	const char *code = json_string_value(json_object_get(first, "code"));
	const char *why = json_string_value(json_object_get(first, "detail"));
	char where[80], wanted[256];

	schema_describe(p->schema, wanted, sizeof wanted);
	refuse(q, "parameter-invalid", "parameter %s %s%s", p->name, why ? why : "must be ",
	       why ? "" : wanted);
	snprintf(where, sizeof where, "?%s", p->name);
	answer_fault(&q->answer, where, code ? code : "wrong-type", "must be %s", wanted);
}

static bool value_fits(struct request *q, const struct route_param *p, const char *text)
{
	unsigned losses = js_losses();
	AUTO_JSON json_t *errors = json_array();
	AUTO_JSON json_t *value = schema_value_of_text(p->schema, text);
	if (value && schema_check(p->schema, value, false, errors))
		return true;
	if (js_losses() == losses)
		refuse_value(q, p, errors);
	else
		answer_problem(&q->answer, 0, "no-memory", NULL, NULL);
	return false;
}

static bool fields_fit(struct request *q, const char *list)
{
	const char *const *known = q->route->item_fields;
	while (known) {
		size_t n = strcspn(list, ","), i = 0;
		while (known[i] && (strncmp(known[i], list, n) != 0 || known[i][n]))
			i++;
		if (!known[i]) {
			json_t *allowed = json_array();
			for (i = 0; known[i]; i++)
				json_array_append_new(allowed, json_string(known[i]));
			refuse(q, "parameter-invalid", "parameter fields: no field %.*s",
			       n > 64 ? 64 : (int)n, list);
			answer_fault(&q->answer, "?fields", "unknown-field",
				     "takes the fields of allowed");
			answer_member(&q->answer, "allowed", allowed);
			return false;
		}
		if (!list[n])
			break;
		list += n + 1;
	}
	return true;
}

static int decode(const char *from, size_t byte_count, char **ret, struct berth_error *err)
{
	AUTO_FREE char *raw = strndup(from, byte_count);
	AUTO_FREE char *to = malloc(byte_count + 1);
	if (!raw || !to)
		return berth_fail_memory(err);
	for (char *s = raw; *s; s++)
		if (*s == '+')
			*s = ' ';
	if (!text_url_decode(raw, byte_count, to, byte_count + 1))
		return berth_fail(err, BERTH_E_INVALID,
				  "the query has a bad percent escape, a NUL, or is not UTF-8");
	*ret = STEAL(to);
	return 0;
}

/* One name=value; false: answered. */
static bool add_pair(struct request *q, const char *from, size_t byte_count)
{
	const char *equals = memchr(from, '=', byte_count);
	size_t n = equals ? (size_t)(equals - from) : byte_count;
	const char *value = equals ? equals + 1 : from + byte_count;
	struct pair *pair = &q->query[q->query_count];
	struct berth_error err = ERROR_INIT;
	AUTO_FREE char *name = NULL;

	if (q->query_count == QUERY_MAX) {
		refuse(q, "parameter-invalid", "more than %d query parameters", QUERY_MAX);
		return false;
	}
	if (!decode(from, n, &name, &err) &&
	    !decode(value, (size_t)(from + byte_count - value), &pair->value, &err)) {
		pair->name = STEAL(name);
		q->query_count++;
		return true;
	}
	if (err.code == BERTH_E_INVALID)
		refuse(q, "parameter-invalid", "%s", err.message);
	else
		answer_error(&q->answer, &err);
	return false;
}

static bool check_pair(struct request *q, size_t i)
{
	const char *name = q->query[i].name, *value = q->query[i].value;
	const struct route_param *p = find(q->route, name);

	if (!p) {
		refuse_unknown(q, name);
		return false;
	}
	for (size_t k = 0; k < i; k++)
		if (!strcmp(q->query[k].name, name)) {
			refuse(q, "parameter-invalid", "parameter %s is given twice", name);
			return false;
		}
	return value_fits(q, p, value) && (strcmp(name, "fields") != 0 || fields_fit(q, value));
}

static bool check_required(struct request *q)
{
	for (size_t i = 0; i < q->route->param_count; i++) {
		const struct route_param *p = &q->route->params[i];
		const char *value = p->in_path ? request_param(q, p->name) : NULL;
		if (p->in_path && value && !value_fits(q, p, value))
			return false;
		if (!p->in_path && p->required && !request_query(q, p->name)) {
			refuse(q, "parameter-invalid", "parameter %s is required", p->name);
			return false;
		}
	}
	return true;
}

void query_check(struct request *q, const char *query)
{
	while (*query) {
		size_t n = strcspn(query, "&");
		if (n && !add_pair(q, query, n))
			return;
		query += n + (query[n] == '&');
	}
	for (size_t i = 0; i < q->query_count; i++)
		if (!check_pair(q, i))
			return;
	if (!check_required(q))
		return;
}
