/* SPDX-License-Identifier: Apache-2.0 */
/* role: sets of permission points, built in and custom, and who has them. */
#include <string.h>

#include "client/cmd.h"
#include "core/base/text.h"

#define MEMBER_FLAGS                                                                               \
	{"member", 'm', FLAG_LIST, "USER",                                                         \
	 .help = "this user, by name or number, has it everywhere; may be repeated"},              \
	{                                                                                          \
		"member-group", 'g', FLAG_LIST, "GROUP",                                           \
			.help = "this group's users have it everywhere; may be repeated"           \
	}
static const struct flag create_flags[] = {
	{"scope", 0, FLAG_CHOICE, "WHERE",
	 "workspace: given to members of workspaces; platform: to users of its own",
	 .field = "scope", .choices = "workspace platform"},
	{"permission", 'p', FLAG_LIST, "POINT", .help = "what it allows; may be repeated",
	 .field = "permissions", .names = NAMES_PERMISSION},
	{"description", 0, FLAG_TEXT, "TEXT", "a remark for people", .field = "description"},
	MEMBER_FLAGS,
	{0},
};
static const struct flag edit_flags[] = {
	{"add", 0, FLAG_LIST, "POINT", .help = "it allows this, too; may be repeated",
	 .names = NAMES_PERMISSION},
	{"drop", 0, FLAG_LIST, "POINT", .help = "it no longer allows this; may be repeated",
	 .names = NAMES_PERMISSION},
	{"description", 0, FLAG_TEXT, "TEXT", "a remark for people", .field = "description"},
	MEMBER_FLAGS,
	{"remove", 0, FLAG_LIST, "USER", .help = "this user no longer; may be repeated"},
	{"remove-group", 0, FLAG_LIST, "GROUP", .help = "this group no longer; may be repeated"},
	{0},
};

static const struct column columns[] = {
	{"NAME", "name", COL_TEXT, false},
	{"SCOPE", "scope", COL_TEXT, false},
	{"BUILT IN", "built_in", COL_YES, false},
	{"POINTS", "permissions", COL_COUNT, false},
	{"HELD", "status.held", COL_COUNT, false},
	{"DESCRIPTION", "description", COL_LONG, false},
	{"PERMISSIONS", "permissions", COL_LONG, true},
	{"WHO", "members", COL_LONG, true},
	{"OUT OF USE", "status.other_accounts", COL_LONG, true},
	{"CREATED", "created_at", COL_TIME, true},
	{"UPDATED", "updated_at", COL_TIME, true},
	{0},
};
static const struct column point_columns[] = {
	{"POINT", "name", COL_TEXT, false},    {"SCOPE", "scope", COL_TEXT, false},
	{"ALLOWS", "allows", COL_LONG, false}, {"NEEDS", "needs", COL_LONG, true},
	{"ROLES", "roles", COL_LONG, true},    {0},
};

/* Members of a role have no role of their own. */
static int apply_members(struct cli *c, json_t *members)
{
	json_t *one;
	size_t i;
	int status = members_apply(c, members);

	json_array_foreach (members, i, one)
		json_object_del(one, "role");
	return status;
}

static int create(struct cli *c)
{
	struct berth_error err = ERROR_INIT;
	AUTO_JSON json_t *body = json_pack("{s:s, s:s, s:[], s:[]}", "name", cli_operand(c, 0),
					   "scope", "workspace", "permissions", "members");
	if (!body)
		return cli_usage(c, "'%s' is not valid UTF-8", cli_operand(c, 0));
	int status = apply_members(c, json_object_get(body, "members"));
	if (status >= 0)
		return status;
	if (cli_fill_body(c, body, &err))
		return cli_report(c, &err);
	AUTO_FREE char *done = text_printf("role %s created", cli_operand(c, 0));
	struct change change = {.call = {.method = "POST", .path = "/v1/roles", .body = body},
				.done = done};
	return send_change(c, &change);
}

static void drop_text(json_t *list, const char *text)
{
	for (size_t i = json_array_size(list); i-- > 0;)
		if (!strcmp(json_string_value(json_array_get(list, i)), text))
			json_array_remove(list, i);
}

/* Brings the points to what --add and --drop say. */
static void apply_points(const struct cli *c, json_t *permissions)
{
	for (size_t i = 0; i < c->given_count; i++) {
		const struct given *g = &c->given[i];
		bool is_add = !strcmp(g->flag->name, "add");
		if (!is_add && strcmp(g->flag->name, "drop") != 0)
			continue;
		drop_text(permissions, g->text);
		if (is_add)
			json_array_append_new(permissions, json_string(g->text));
	}
}

static int apply_both(struct cli *c, json_t *role)
{
	int status = apply_members(c, json_object_get(role, "members"));
	if (status < 0)
		apply_points(c, json_object_get(role, "permissions"));
	return status;
}

static int edit(struct cli *c)
{
	static const char *const lists[] = {"members", "permissions", NULL};
	return edit_lists(c, lists, apply_both);
}

#define THE_NAME                                                                                   \
	{                                                                                          \
		"NAME", OPERAND_ONE, NAMES_ROLE, "the role's name"                                 \
	}

const struct command role_commands[] = {
	{
		.noun = "role",
		.verb = "list",
		.aliases = "ls",
		.summary = "List roles; without a platform role, those of workspaces",
		.examples = {{"berthctl role list", "built in and custom, and how many have them"},
			     {"berthctl role list -o name", "names alone"}},
		.method = "GET",
		.route = "/v1/roles",
		.traits = CMD_LISTS | CMD_QUERIES,
		.columns = columns,
		.run = run_list,
	},
	{
		.noun = "role",
		.verb = "show",
		.aliases = "get",
		.summary = "Show one role",
		.operands = {THE_NAME},
		.examples = {{"berthctl role show operator", "what it is"},
			     {"berthctl role show keeper -o yaml", "with points and members"}},
		.method = "GET",
		.route = "/v1/roles/{0}",
		.traits = CMD_SHOWS,
		.columns = columns,
		.run = run_show,
	},
	{
		.noun = "role",
		.verb = "points",
		.summary = "List the permission points that roles are made of",
		.examples = {{"berthctl role points", "what each allows"},
			     {"berthctl role points --filter 'scope eq \"workspace\"' -o wide",
			      "those that workspaces can have, with what comes along"}},
		.method = "GET",
		.route = "/v1/permissions",
		.traits = CMD_LISTS | CMD_QUERIES,
		.columns = point_columns,
		.run = run_list,
	},
	{
		.noun = "role",
		.verb = "create",
		.aliases = "add",
		.summary = "Make a custom role",
		.details =
			"A role of scope workspace is given to members of workspaces (berthctl "
			"workspace edit W --member USER --as ROLE); one of scope platform has "
			"members of its own, who have it everywhere. Points that others need are "
			"added; the answer lists them.",
		.operands = {{"NAME", OPERAND_ONE, NAMES_NONE, "its new name"}},
		.flags = create_flags,
		.examples = {{"berthctl role create finder -p images.read",
			      "to look, not to see logs"},
			     {"berthctl role create keeper --scope platform -p images.delete "
			      "-p retention.run --member-group keepers",
			      "who tidies up"}},
		.method = "POST",
		.route = "/v1/roles",
		.traits = CMD_CHANGES,
		.columns = columns,
		.run = create,
	},
	{
		.noun = "role",
		.verb = "edit",
		.aliases = "set",
		.summary = "Change what a custom role allows, and who has it",
		.operands = {THE_NAME},
		.flags = edit_flags,
		.examples = {{"berthctl role edit keeper --add scans.run --drop retention.run",
			      "the others stay"},
			     {"berthctl role edit keeper --remove bob", "bob no longer"}},
		.method = "PATCH",
		.route = "/v1/roles/{0}",
		.traits = CMD_CHANGES,
		.columns = columns,
		.run = edit,
	},
	{
		.noun = "role",
		.verb = "delete",
		.aliases = "rm remove",
		.summary = "Delete a custom role that nobody has",
		.operands = {THE_NAME},
		.examples = {{"berthctl role delete keeper", "asks first"},
			     {"berthctl role delete keeper --dry-run", "what stands against it"}},
		.method = "DELETE",
		.route = "/v1/roles/{0}",
		.traits = CMD_CHANGES | CMD_ASKS,
		.columns = columns,
		.run = run_delete,
	},
	{0},
};
