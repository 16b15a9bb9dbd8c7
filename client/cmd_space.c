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
	{"workspace", 'W', FLAG_TEXT, "NAME", "only what this workspace may use",
	 .query = "workspace", .names = NAMES_WORKSPACE},
	{0},
};
static const struct flag bind_flags[] = {
	{"workspace", 'W', FLAG_LIST, "NAME", "this workspace; may be repeated", .field = "bind",
	 .names = NAMES_WORKSPACE},
	{0},
};
static const struct flag unbind_flags[] = {
	{"workspace", 'W', FLAG_LIST, "NAME", "this workspace; may be repeated", .field = "unbind",
	 .names = NAMES_WORKSPACE},
	{0},
};
#define QUOTA_FLAG                                                                                 \
	{                                                                                          \
		"quota", 0, FLAG_BYTES, "BYTES", "how much it may hold: 500M, 20GiB",              \
			.field = "quota_bytes"                                                     \
	}
#define PUBLIC_FLAG                                                                                \
	{                                                                                          \
		"public", 0, FLAG_TRUE, NULL,                                                      \
			.help = "everybody may pull, every workspace sees it", .field = "public"   \
	}
static const struct flag create_flags[] = {PUBLIC_FLAG, QUOTA_FLAG, {0}};
static const struct flag edit_flags[] = {
	PUBLIC_FLAG,
	{"private", 0, FLAG_FALSE, NULL, .help = "only its members may pull", .field = "public"},
	QUOTA_FLAG,
	{"no-quota", 0, FLAG_TRUE, NULL, .help = "it may hold what the server can"},
	{0},
};

static const struct column columns[] = {
	{"INTEGRATION", "integration", COL_TEXT, false},
	{"NAME", "name", COL_TEXT, false},
	{"MODE", "mode", COL_TEXT, false},
	{"DECLARED", "declared", COL_YES, false},
	{"PUSH", "push", COL_YES, false},
	{"PUBLIC", "public", COL_YES, true},
	{"WORKSPACES", "workspaces", COL_LONG, true},
	{"REPOSITORIES", "status.repositories", COL_COUNT, false},
	{"TAGS", "status.tags", COL_COUNT, true},
	{"ARTIFACTS", "status.artifacts", COL_COUNT, true},
	{"USED", "used_bytes", COL_BYTES, true},
	{"QUOTA", "quota_bytes", COL_BYTES, true},
	{"PRESENT", "status.present", COL_YES, true},
	{"DRIFT", "status.drift.what", COL_TEXT, true},
	{"DRIFTED", "status.drift.at", COL_TIME, true},
	{"WHY", "status.drift.message", COL_LONG, true},
	{"SEEN", "status.seen_at", COL_TIME, false},
	{"ID", "id", COL_TEXT, true},
	{0},
};

static int list_of(struct cli *c, const char *integration, const char *search)
{
	AUTO_FREE char *safe = text_url_encode(integration);
	char *path = safe ? text_printf("/v1/integrations/%s/spaces", safe) : NULL;
	AUTO_FREE char *full = path && search ? api_query(path, "q", search) : path;
	return full ? list_path(c, full) : cli_no_memory(c);
}

/* One integration's spaces have a route of their own, which says when there is
 * no such integration; a filter or an order goes to the route of all spaces. */
static int list(struct cli *c)
{
	const char *integration = cli_flag(c, "integration", NULL);
	const char *filter = cli_flag(c, "filter", NULL), *sort = cli_flag(c, "sort", NULL);
	const char *search = cli_flag(c, "search", NULL);
	const char *workspace = cli_flag(c, "workspace", NULL);
	if (!integration || !(filter || sort || workspace))
		return integration ? list_of(c, integration, search) : run_list(c);
	AUTO_FREE char *both =
		text_printf("integration eq \"%s\"%s%s%s", integration, filter ? " and (" : "",
			    filter ? filter : "", filter ? ")" : "");
	char *path = both ? api_query(strdup("/v1/spaces"), "filter", both) : NULL;
	path = path && sort ? api_query(path, "sort", sort) : path;
	path = path && search ? api_query(path, "q", search) : path;
	path = path && workspace ? api_query(path, "workspace", workspace) : path;
	AUTO_FREE char *full = path;
	return full ? list_path(c, full) : cli_no_memory(c);
}

static int show(struct cli *c)
{
	char id[PLACE_ID_ROOM];
	int status = place_space(c, cli_operand(c, 0), id);
	AUTO_FREE char *path = text_printf("/v1/spaces/%s", id);
	if (status >= 0)
		return status;
	return path ? show_path(c, path) : cli_no_memory(c);
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
		return cli_report(c, &err);
	AUTO_FREE char *done = text_printf("space %s created", name);
	struct change change = {.call = {.method = "POST", .path = "/v1/spaces", .body = body},
				.done = done};
	return send_change(c, &change);
}

/* The space that the first operand means, its route and its ETag; -1: go on. */
static int find(struct cli *c, json_t **ret, char **ret_path, char *etag, size_t room)
{
	struct berth_error err = ERROR_INIT;
	char id[PLACE_ID_ROOM];
	int status = place_space(c, cli_operand(c, 0), id);
	if (status >= 0)
		return status;
	*ret_path = text_printf("/v1/spaces/%s", id);
	if (!*ret_path)
		return cli_no_memory(c);
	if (api_get(c, *ret_path, ret, &err))
		return cli_report(c, &err);
	snprintf(etag, room, "%s", *c->etag ? c->etag : "*");
	return -1;
}

static int edit(struct cli *c)
{
	struct berth_error err = ERROR_INIT;
	char etag[sizeof(c->etag)];
	AUTO_JSON json_t *now = NULL, *patch = json_object();
	AUTO_FREE char *path = NULL;
	if (!patch || cli_fill_body(c, patch, &err))
		return cli_report(c, &err);
	if (cli_has(c, "no-quota"))
		json_object_set_new(patch, "quota_bytes", json_null());
	if (!json_object_size(patch)) {
		cli_usage(c, "nothing to change was given");
		cli_hint(c, "berthctl space edit --help");
		return EXIT_USAGE;
	}
	int status = find(c, &now, &path, etag, sizeof(etag));
	if (status >= 0)
		return status;
	AUTO_FREE char *done = text_printf("space %s changed", cli_operand(c, 0));
	struct change change = {
		.call = {.method = "PATCH", .path = path, .body = patch, .if_match = etag},
		.done = done};
	return send_change(c, &change);
}

/* A declared prefix is forgotten; any other space goes at its registry, whose
 * name is then sent a second time. */
static int delete_one(struct cli *c)
{
	char etag[sizeof(c->etag)];
	AUTO_JSON json_t *now = NULL;
	AUTO_FREE char *path = NULL;
	int status = find(c, &now, &path, etag, sizeof(etag));
	if (status >= 0)
		return status;
	long long count = js_int(json_object_get(now, "status"), "repositories", 0);
	bool is_declared = js_bool(now, "declared", false);
	AUTO_FREE char *what =
		is_declared ? text_printf("This forgets space %s (%lld repositories); their images "
					  "stay at the registry.",
					  cli_operand(c, 0), count)
			    : text_printf("This deletes space %s at its registry; it must be "
					  "empty and has %lld repositories.",
					  cli_operand(c, 0), count);
	AUTO_FREE char *done = text_printf("space %s deleted", cli_operand(c, 0));
	if (!confirm(c, what, &status))
		return status;
	if (!is_declared)
		path = api_query(path, "confirm", js_str(now, "name", ""));
	struct change change = {.call = {.method = "DELETE", .path = path, .if_match = etag},
				.done = done};
	return path ? send_change(c, &change) : cli_no_memory(c);
}

/* bind and unbind: all workspaces of one command in one call. */
static int change_bindings(struct cli *c)
{
	char id[PLACE_ID_ROOM];
	bool is_bind = !strcmp(c->command->verb, "bind");
	if (!cli_has(c, "workspace")) {
		cli_usage(c, "--workspace is missing");
		cli_hint(c, "berthctl workspace list");
		return EXIT_USAGE;
	}
	int status = place_space(c, cli_operand(c, 0), id);
	if (status >= 0)
		return status;
	struct berth_error err = ERROR_INIT;
	AUTO_JSON json_t *body = json_object();
	if (cli_fill_body(c, body, &err))
		return cli_report(c, &err);
	AUTO_FREE char *path = text_printf("/v1/spaces/%s/bindings", id);
	AUTO_FREE char *done =
		text_printf("space %s %s", cli_operand(c, 0), is_bind ? "bound" : "unbound");
	if (!path || !body)
		return cli_no_memory(c);
	struct change change = {.call = {.method = "POST", .path = path, .body = body},
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
		.details = "What its server did to it by itself is shown with the time of the "
			   "refresh that noticed it: removed, renamed, replaced by a new one of "
			   "that name, made public or private, returned. Bindings of a space "
			   "that is gone are retired, and count again when it is back.",
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
		.summary = "Make a space at the registry, or declare a prefix of a plain one",
		.details = "Harbor makes a project. A plain registry has no namespaces of its own: "
			   "a declared prefix takes every repository below it, and what no "
			   "prefix takes is in the space 'default'. It has no quota; --public "
			   "shows it to every workspace.",
		.operands = {{"SPACE", OPERAND_ONE, NAMES_INTEGRATION,
			      "INTEGRATION/NAME, like hub/team"}},
		.flags = create_flags,
		.examples = {{"berthctl space create hub/team", "team/... becomes a space"},
			     {"berthctl space create harbor/team --public --quota 20GiB",
			      "a project of a Harbor"}},
		.method = "POST",
		.route = "/v1/spaces",
		.traits = CMD_CHANGES | CMD_STARTS,
		.columns = columns,
		.run = create,
	},
	{
		.noun = "space",
		.verb = "edit",
		.aliases = "set",
		.summary = "Change a space's visibility or quota at its registry",
		.details = "A plain registry knows neither: who sees its spaces is kept by Berth "
			   "alone, and they have no quota.",
		.operands = {THE_SPACE},
		.flags = edit_flags,
		.examples = {{"berthctl space edit harbor/team --private", "members only"},
			     {"berthctl space edit hub/default --public", "for every workspace"},
			     {"berthctl space edit harbor/team --quota 50GiB", "more room"},
			     {"berthctl space edit harbor/team --no-quota", "no limit"}},
		.method = "PATCH",
		.route = "/v1/spaces/{id}",
		.traits = CMD_CHANGES | CMD_STARTS,
		.columns = columns,
		.run = edit,
	},
	{
		.noun = "space",
		.verb = "bind",
		.summary = "Let workspaces use a space; all of them or none",
		.operands = {THE_SPACE},
		.flags = bind_flags,
		.examples = {{"berthctl space bind hub/team --workspace shop",
			      "its members see and read the space"},
			     {"berthctl space bind hub/team -W shop -W lab --dry-run",
			      "what would change"}},
		.method = "POST",
		.route = "/v1/spaces/{id}/bindings",
		.traits = CMD_CHANGES,
		.columns = columns,
		.run = change_bindings,
	},
	{
		.noun = "space",
		.verb = "unbind",
		.summary = "Take a space away from workspaces; all of them or none",
		.operands = {THE_SPACE},
		.flags = unbind_flags,
		.examples = {{"berthctl space unbind hub/team --workspace shop",
			      "its members no longer see it, unless it is public"},
			     {"berthctl space unbind hub/team -W shop -W lab", "from both"}},
		.method = "POST",
		.route = "/v1/spaces/{id}/bindings",
		.traits = CMD_CHANGES,
		.columns = columns,
		.run = change_bindings,
	},
	{
		.noun = "space",
		.verb = "delete",
		.aliases = "rm remove",
		.summary = "Delete an empty space, or forget a declared one",
		.details =
			"A declared prefix is forgotten, and its images stay. Any other space is "
			"deleted at its registry, which says why where it can't be.",
		.operands = {THE_SPACE},
		.examples = {{"berthctl space delete hub/team", "asks first"},
			     {"berthctl space delete hub/team --dry-run", "what would go"}},
		.method = "DELETE",
		.route = "/v1/spaces/{id}",
		.traits = CMD_CHANGES | CMD_ASKS | CMD_STARTS,
		.columns = columns,
		.run = delete_one,
	},
	{0},
};
