/* SPDX-License-Identifier: Apache-2.0 */
/* space: image namespaces of an integration. */
#include <string.h>

#include "client/cmd.h"
#include "client/secret.h"
#include "core/base/text.h"

static const struct flag list_flags[] = {
	{"integration", 'i', FLAG_TEXT, "NAME", "only those of this integration",
	 .names = NAMES_INTEGRATION},
	{"search", 'q', FLAG_TEXT, "TEXT", "only those whose name has this text", .query = "q"},
	{0},
};
static const struct flag create_flags[] = {
	{"description", 0, FLAG_TEXT, "TEXT", "a remark for people", .field = "description"},
	{0},
};

static const struct column columns[] = {
	{"INTEGRATION", "integration", COL_TEXT, false},
	{"NAME", "name", COL_TEXT, false},
	{"MODE", "mode", COL_TEXT, false},
	{"DECLARED", "declared", COL_YES, false},
	{"PUSH", "push", COL_YES, false},
	{"PUBLIC", "public", COL_YES, true},
	{"REPOSITORIES", "status.repositories", COL_COUNT, false},
	{"TAGS", "status.tags", COL_COUNT, true},
	{"ARTIFACTS", "status.artifacts", COL_COUNT, true},
	{"USED", "used_bytes", COL_BYTES, true},
	{"QUOTA", "quota_bytes", COL_BYTES, true},
	{"PRESENT", "status.present", COL_YES, true},
	{"SEEN", "status.seen_at", COL_TIME, false},
	{"ID", "id", COL_TEXT, true},
	{"DESCRIPTION", "description", COL_LONG, true},
	{0},
};

static int list_of(struct cli *c, const char *integration, const char *search)
{
	AUTO_FREE char *safe = text_url_encode(integration);
	char *path = safe ? text_printf("/v1/integrations/%s/spaces", safe) : NULL;
	AUTO_FREE char *full = path && search ? api_query(path, "q", search) : path;
	return full ? list_path(c, full) : EXIT_ERROR;
}

/* One integration's spaces have a route of their own, which says when there is
 * no such integration; a filter or an order goes to the route of all spaces. */
static int list(struct cli *c)
{
	const char *integration = cli_flag(c, "integration", NULL);
	const char *filter = cli_flag(c, "filter", NULL), *sort = cli_flag(c, "sort", NULL);
	const char *search = cli_flag(c, "search", NULL);
	if (!integration || !(filter || sort))
		return integration ? list_of(c, integration, search) : run_list(c);
	AUTO_FREE char *both =
		text_printf("integration eq \"%s\"%s%s%s", integration, filter ? " and (" : "",
			    filter ? filter : "", filter ? ")" : "");
	char *path = both ? api_query(strdup("/v1/spaces"), "filter", both) : NULL;
	path = path && sort ? api_query(path, "sort", sort) : path;
	path = path && search ? api_query(path, "q", search) : path;
	AUTO_FREE char *full = path;
	return full ? list_path(c, full) : EXIT_ERROR;
}

static int show(struct cli *c)
{
	char id[PLACE_ID_ROOM];
	int status = place_space(c, cli_operand(c, 0), id);
	AUTO_FREE char *path = text_printf("/v1/spaces/%s", id);
	if (status >= 0)
		return status;
	return path ? show_path(c, path) : EXIT_ERROR;
}

static int create(struct cli *c)
{
	struct berth_error err = ERROR_INIT;
	const char *name = cli_operand(c, 0), *slash = strchr(name, '/');
	if (!slash || slash == name || !slash[1])
		return cli_usage(c, "'%s' is no space: expected INTEGRATION/NAME", name);
	AUTO_FREE char *integration = text_printf("%.*s", (int)(slash - name), name);
	AUTO_JSON json_t *body =
		json_pack("{s:s, s:s}", "integration", integration, "name", slash + 1);
	if (!body || cli_fill_body(c, body, &err))
		return cli_report(c, body ? &err : (berth_fail_memory(&err), &err));
	AUTO_FREE char *done = text_printf("space %s declared", name);
	struct change change = {.call = {.method = "POST", .path = "/v1/spaces", .body = body},
				.done = done};
	return send_change(c, &change);
}

static int delete_one(struct cli *c)
{
	struct berth_error err = ERROR_INIT;
	char id[PLACE_ID_ROOM], etag[128];
	AUTO_JSON json_t *now = NULL;
	int status = place_space(c, cli_operand(c, 0), id);
	if (status >= 0)
		return status;
	AUTO_FREE char *path = text_printf("/v1/spaces/%s", id);
	if (!path || api_get(c, path, &now, &err))
		return cli_report(c, &err);
	snprintf(etag, sizeof(etag), "%s", c->etag);
	AUTO_FREE char *what = text_printf(
		"This forgets space %s (%lld repositories); their images stay at the registry.",
		cli_operand(c, 0),
		(long long)js_int(json_object_get(now, "status"), "repositories", 0));
	AUTO_FREE char *done = text_printf("space %s deleted", cli_operand(c, 0));
	if (!cli_has(c, "dry-run") && what && !confirm(c, what, &status))
		return status;
	struct change change = {
		.call = {.method = "DELETE", .path = path, .if_match = *etag ? etag : "*"},
		.done = done};
	return send_change(c, &change);
}

#define THE_SPACE                                                                                  \
	{                                                                                          \
		"SPACE", OPERAND_ONE, NAMES_SPACE, "INTEGRATION/SPACE, or its id"                  \
	}

const struct command space_commands[] = {
	{
		.noun = "space",
		.verb = "list",
		.aliases = "ls",
		.summary = "List the spaces of all integrations, or of one",
		.flags = list_flags,
		.examples = {{"berthctl space list", "all of them"},
			     {"berthctl space list --integration hub -o wide",
			      "of one, with sizes"},
			     {"berthctl space list -o name", "as other commands take them"}},
		.method = "GET",
		.route = "/v1/spaces",
		.traits = CMD_LISTS | CMD_QUERIES,
		.columns = columns,
		.name_path = "{integration}/{name}",
		.run = list,
	},
	{
		.noun = "space",
		.verb = "show",
		.aliases = "get",
		.summary = "Show one space",
		.operands = {THE_SPACE},
		.examples = {{"berthctl space show hub/team", "what Berth knows of it"},
			     {"berthctl space show hub/team -o json", "for a program"}},
		.method = "GET",
		.route = "/v1/spaces/{id}",
		.traits = CMD_SHOWS,
		.columns = columns,
		.name_path = "{integration}/{name}",
		.run = show,
	},
	{
		.noun = "space",
		.verb = "create",
		.aliases = "add declare",
		.summary = "Declare a path prefix of a plain registry as a space",
		.details = "A plain registry has no namespaces of its own. A declared prefix takes "
			   "every repository below it; what no prefix takes is in the space "
			   "'default'.",
		.operands = {{"SPACE", OPERAND_ONE, NAMES_INTEGRATION,
			      "INTEGRATION/PREFIX, like hub/team"}},
		.flags = create_flags,
		.examples = {{"berthctl space create hub/team", "team/... becomes a space"},
			     {"berthctl space create hub/team/web --description 'web tier'",
			      "a longer prefix wins"}},
		.method = "POST",
		.route = "/v1/spaces",
		.traits = CMD_CHANGES,
		.columns = columns,
		.run = create,
	},
	{
		.noun = "space",
		.verb = "delete",
		.aliases = "rm remove",
		.summary = "Forget a declared space; its images stay at the registry",
		.operands = {THE_SPACE},
		.examples = {{"berthctl space delete hub/team", "asks first"},
			     {"berthctl space delete hub/team --dry-run", "what would go"}},
		.method = "DELETE",
		.route = "/v1/spaces/{id}",
		.traits = CMD_CHANGES | CMD_ASKS,
		.columns = columns,
		.run = delete_one,
	},
	{0},
};
