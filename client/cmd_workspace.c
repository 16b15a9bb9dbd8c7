/* SPDX-License-Identifier: Apache-2.0 */
/* workspace: tenants and who belongs to them. */
#include <string.h>

#include "client/cmd.h"
#include "core/base/text.h"

#define MEMBER_FLAGS                                                                               \
	{"description", 0, FLAG_TEXT, "TEXT", "a remark for people", .field = "description"},      \
		{"member", 'm', FLAG_LIST, "USER",                                                 \
		 .help = "this user, by name or number, belongs to it; may be repeated"},          \
		{"as",                                                                             \
		 0,                                                                                \
		 FLAG_TEXT,                                                                        \
		 "ROLE",                                                                           \
		 "with --member and --member-group: in this role, not as workspace-member",        \
		 .names = NAMES_ROLE},                                                             \
		{"member-group", 'g', FLAG_LIST, "GROUP",                                          \
		 .help = "this group's users belong to it; may be repeated"},                      \
		{"admin", 'a', FLAG_LIST, "USER",                                                  \
		 .help = "this user may also change its members; may be repeated"},                \
	{                                                                                          \
		"admin-group", 0, FLAG_LIST, "GROUP",                                              \
			.help = "this group's users may also change its members; may be repeated"  \
	}
#define PLACE_FLAGS                                                                                \
	{"namespace", 'n', FLAG_LIST, "CLUSTER/NAMESPACE",                                         \
	 .help = "its pods run there, and get a pull secret; may be repeated"},                    \
		{"patch-service-account",                                                          \
		 0,                                                                                \
		 FLAG_TRUE,                                                                        \
		 NULL,                                                                             \
		 "name the pull secret in each namespace's default service account",               \
		 .field = "patch_service_account"},                                                \
	{                                                                                          \
		"no-patch-service-account", 0, FLAG_FALSE, NULL,                                   \
			"leave service accounts alone (the default)",                              \
			.field = "patch_service_account"                                           \
	}
static const struct flag create_flags[] = {MEMBER_FLAGS, PLACE_FLAGS, {0}};
static const struct flag edit_flags[] = {
	MEMBER_FLAGS,
	PLACE_FLAGS,
	{"remove-namespace", 0, FLAG_LIST, "CLUSTER/NAMESPACE",
	 .help = "its pods run there no longer, the pull secret goes; may be repeated"},
	{"remove", 0, FLAG_LIST, "USER", .help = "this user no longer; may be repeated"},
	{"remove-group", 0, FLAG_LIST, "GROUP", .help = "this group no longer; may be repeated"},
	{0},
};

static const struct column columns[] = {
	{"NAME", "name", COL_TEXT, false},
	{"MEMBERS", "members", COL_COUNT, false},
	{"SPACES", "status.spaces", COL_COUNT, false},
	{"INTEGRATIONS", "status.integrations", COL_COUNT, true},
	{"NAMESPACES", "namespaces", COL_COUNT, false},
	{"WHO", "members", COL_LONG, true},
	{"OUT OF USE", "status.other_accounts", COL_LONG, true},
	{"WHERE", "namespaces", COL_LONG, true},
	{"SECRETS RIGHT", "status.pull_secrets.right", COL_COUNT_SET, true},
	{"SECRETS OTHER", "status.pull_secrets.other", COL_COUNT_SET, true},
	{"DESCRIPTION", "description", COL_LONG, false},
	{"CREATED", "created_at", COL_TIME, true},
	{"UPDATED", "updated_at", COL_TIME, true},
	{"ID", "id", COL_TEXT, true},
	{0},
};

static const struct column secret_columns[] = {
	{"CLUSTER", "cluster", COL_TEXT, false}, {"NAMESPACE", "namespace", COL_TEXT, false},
	{"STATE", "phase", COL_STATE, false},    {"REASON", "reason", COL_TEXT, false},
	{"SINCE", "since", COL_TIME, false},     {"CHECKED", "checked_at", COL_TIME, true},
	{"MESSAGE", "message", COL_LONG, true},  {0},
};

/* Takes CLUSTER/NAMESPACE out of the list; false: it was not there. */
static bool take_place_out(json_t *namespaces, const json_t *place)
{
	for (size_t i = 0; i < json_array_size(namespaces); i++)
		if (json_equal(json_array_get(namespaces, i), (json_t *)(uintptr_t)place))
			return json_array_remove(namespaces, i) == 0;
	return false;
}

/* Brings namespaces to what the flags say: -1, or the exit code. */
static int apply_places(struct cli *c, json_t *namespaces)
{
	for (size_t i = 0; i < c->given_count; i++) {
		const struct given *g = &c->given[i];
		bool is_removal = !strcmp(g->flag->name, "remove-namespace");
		const char *slash = g->text ? strchr(g->text, '/') : NULL;
		if (!is_removal && strcmp(g->flag->name, "namespace") != 0)
			continue;
		if (!slash || slash == g->text || !slash[1])
			return cli_usage(c, "'%s' is not CLUSTER/NAMESPACE", g->text);
		AUTO_JSON json_t *place =
			json_pack("{s:s%, s:s}", "cluster", g->text, (size_t)(slash - g->text),
				  "namespace", slash + 1);
		bool was_there = take_place_out(namespaces, place);
		if (is_removal && !was_there)
			return cli_usage(c, "%s is none of its namespaces", g->text);
		if (!is_removal)
			json_array_append(namespaces, place);
	}
	return -1;
}

static int apply_both(struct cli *c, json_t *workspace)
{
	int status = members_apply(c, json_object_get(workspace, "members"));
	return status < 0 ? apply_places(c, json_object_get(workspace, "namespaces")) : status;
}

static int create(struct cli *c)
{
	struct berth_error err = ERROR_INIT;
	AUTO_JSON json_t *body =
		json_pack("{s:s, s:[], s:[]}", "name", cli_operand(c, 0), "members", "namespaces");
	if (!body)
		return cli_usage(c, "'%s' is not valid UTF-8", cli_operand(c, 0));
	int status = apply_both(c, body);
	if (status >= 0)
		return status;
	if (cli_fill_body(c, body, &err))
		return cli_report(c, &err);
	AUTO_FREE char *done = text_printf("workspace %s created", cli_operand(c, 0));
	struct change change = {.call = {.method = "POST", .path = "/v1/workspaces", .body = body},
				.done = done};
	status = send_change(c, &change);
	if (status == EXIT_OK && c->out.is_tty)
		cli_hint(c, "berthctl space bind INTEGRATION/SPACE --workspace %s",
			 cli_operand(c, 0));
	return status;
}

static int edit(struct cli *c)
{
	static const char *const lists[] = {"members", "namespaces", NULL};
	return edit_lists(c, lists, apply_both);
}

#define THE_NAME                                                                                   \
	{                                                                                          \
		"NAME", OPERAND_ONE, NAMES_WORKSPACE, "the workspace's name"                       \
	}

const struct command workspace_commands[] = {
	{
		.noun = "workspace",
		.verb = "list",
		.aliases = "ls",
		.summary = "List workspaces; without a platform role, your own",
		.examples = {{"berthctl workspace list", "with how many members and spaces"},
			     {"berthctl workspace list -o name", "names alone"}},
		.method = "GET",
		.route = "/v1/workspaces",
		.traits = CMD_LISTS | CMD_QUERIES,
		.columns = columns,
		.run = run_list,
	},
	{
		.noun = "workspace",
		.verb = "show",
		.aliases = "get",
		.summary = "Show one workspace",
		.operands = {THE_NAME},
		.examples = {{"berthctl workspace show shop", "what it is"},
			     {"berthctl workspace show shop -o yaml", "with its members"}},
		.method = "GET",
		.route = "/v1/workspaces/{0}",
		.traits = CMD_SHOWS,
		.columns = columns,
		.run = run_show,
	},
	{
		.noun = "workspace",
		.verb = "secrets",
		.summary = "Show how the pull secret in each of its namespaces is",
		.details =
			"Berth keeps a secret registry-secret in each namespace of a workspace, "
			"with a login of the workspace's own for each registry that it may pull "
			"private images from. A secret of that name which Berth did not make is "
			"left alone and shown as foreign. Registries that make no logins are left "
			"out: -o json says which and why.",
		.operands = {THE_NAME},
		.examples = {{"berthctl workspace secrets shop", "one line a namespace"},
			     {"berthctl workspace secrets shop -o json --jq .integrations",
			      "which registries are in them"}},
		.method = "GET",
		.route = "/v1/workspaces/{0}/pull-secrets",
		.traits = CMD_LISTS | CMD_QUERIES,
		.columns = secret_columns,
		.name_path = "{cluster}/{namespace}",
		.run = run_list,
	},
	{
		.noun = "workspace",
		.verb = "create",
		.aliases = "add",
		.summary = "Make a workspace: a tenant with members of its own",
		.details =
			"Members are users and groups of the system that berthd runs on. A "
			"number counts there; a name is looked up where berthctl runs, or over ssh "
			"where berthd does, and kept as it is. Members see their workspace, the "
			"spaces bound to it and public spaces, and nothing else.",
		.operands = {{"NAME", OPERAND_ONE, NAMES_NONE, "its new name"}},
		.flags = create_flags,
		.examples = {{"berthctl workspace create shop --admin alice --member-group shop",
			      "alice may change who belongs to it"},
			     {"berthctl workspace create shop --member 1007", "by number"},
			     {"berthctl workspace create shop --namespace prod/shop",
			      "with a pull secret in namespace shop of cluster prod"}},
		.method = "POST",
		.route = "/v1/workspaces",
		.traits = CMD_CHANGES,
		.columns = columns,
		.run = create,
	},
	{
		.noun = "workspace",
		.verb = "edit",
		.aliases = "set",
		.summary = "Change who belongs to it; its own admins may do that too",
		.operands = {THE_NAME},
		.flags = edit_flags,
		.examples = {{"berthctl workspace edit shop --member bob --remove carol",
			      "others stay as they are"},
			     {"berthctl workspace edit shop --member bob --as reader",
			      "bob gets a custom role (berthctl role list)"},
			     {"berthctl workspace edit shop --remove 1500 --member carol",
			      "1500 is carol's now: who had it before is not let in"}},
		.method = "PATCH",
		.route = "/v1/workspaces/{0}",
		.traits = CMD_CHANGES,
		.columns = columns,
		.run = edit,
	},
	{
		.noun = "workspace",
		.verb = "delete",
		.aliases = "rm remove",
		.summary = "Delete a workspace that is bound to nothing",
		.operands = {THE_NAME},
		.examples = {{"berthctl workspace delete shop", "asks first"},
			     {"berthctl workspace delete shop --dry-run",
			      "what stands against it"}},
		.method = "DELETE",
		.route = "/v1/workspaces/{0}",
		.traits = CMD_CHANGES | CMD_ASKS,
		.columns = columns,
		.run = run_delete,
	},
	{0},
};
