/* SPDX-License-Identifier: Apache-2.0 */
/* See short_id.h. */
#include "client/short_id.h"

#include <string.h>

#include "client/api.h"
#include "core/base/clock.h"
#include "core/base/text.h"

static const struct {
	enum names names;
	const char *route, *what;
} kinds[] = {
	{NAMES_OPERATION, "/v1/operations", "operation"},
	{NAMES_PLAN, "/v1/syncs/{0}/plans", "stored plan"},
	{NAMES_RUN, "/v1/syncs/{0}/runs", "run"},
};

bool short_id_is(const char *text)
{
	size_t n = strlen(text);
	return n >= SHORT_ID_LEAST && n == strspn(text, "0123456789abcdef-") && !uuid_is(text);
}

static int say(struct cli *c, const char *what, const char *text, const json_t *items)
{
	struct berth_error err = ERROR_INIT;
	const char *first = js_str(json_array_get(items, 0), "id", "");
	if (json_array_size(items))
		berth_fail(&err, BERTH_E_INVALID,
			   "several begin with '%s': %s, %s%s; type more of the %s's id", text,
			   first, js_str(json_array_get(items, 1), "id", ""),
			   json_array_size(items) > 2 ? ", ..." : "", what);
	else
		berth_fail(&err, BERTH_E_NOT_FOUND, "there is no %s whose id begins with '%s'",
			   what, text);
	return cli_report(c, &err);
}

/* *word becomes the whole id, which lives as long as c. */
static int make_whole(struct cli *c, const char **word, const char *route, const char *what)
{
	struct berth_error err = ERROR_INIT;
	AUTO_JSON json_t *body = NULL;
	AUTO_FREE char *list = api_route(c, route);
	AUTO_FREE char *filter = text_printf("id like \"%s*\"", *word);
	AUTO_FREE char *path = list ? text_printf("%s?limit=3", list) : NULL;
	if (path && filter)
		path = api_query(path, "filter", filter);
	if (!path || !filter)
		return cli_no_memory(c);
	if (api_get(c, path, &body, &err))
		return cli_report(c, &err);
	const json_t *items = json_object_get(body, "items");
	json_t *id = json_object_get(json_array_get(items, 0), "id");
	if (json_array_size(items) != 1)
		return say(c, what, *word, items);
	if (!json_is_string(id)) {
		berth_fail(&err, BERTH_E_PROTOCOL, "berthd's list of %ss has no ids", what);
		return cli_report(c, &err);
	}
	if (!c->whole_ids)
		c->whole_ids = json_array();
	if (json_array_append(c->whole_ids, id))
		return cli_no_memory(c);
	*word = json_string_value(id);
	return -1;
}

int short_id_operand(struct cli *c, size_t index, const char *route, const char *what)
{
	const char *word = cli_operand(c, index);
	return word && short_id_is(word) ? make_whole(c, &c->operands[index], route, what) : -1;
}

static int make_kind_whole(struct cli *c, enum names names, const char **word)
{
	for (size_t i = 0; i < ARRAY_COUNT(kinds); i++)
		if (kinds[i].names == names && short_id_is(*word))
			return make_whole(c, word, kinds[i].route, kinds[i].what);
	return -1;
}

int short_ids_given(struct cli *c)
{
	const struct operand *o = c->command->operands;
	int status = -1;
	for (size_t i = 0; status < 0 && o[i].name && i < c->operand_count; i++)
		status = make_kind_whole(c, o[i].names, &c->operands[i]);
	for (size_t i = 0; status < 0 && i < c->given_count; i++)
		if (c->given[i].text)
			status = make_kind_whole(c, c->given[i].flag->names, &c->given[i].text);
	return status;
}
