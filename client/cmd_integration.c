/* SPDX-License-Identifier: Apache-2.0 */
/* integration: registry servers that Berth knows. */
#include <string.h>

#include "client/cmd.h"
#include "client/secret.h"
#include "client/server_flags.h"
#include "client/show.h"
#include "core/base/text.h"

#define REGISTRY_FLAGS                                                                               \
	{"address",         0, FLAG_TEXT, "URL", "http(s)://HOST[:PORT] of the registry",            \
	 .field = "address"},                                                                        \
		DESCRIPTION_FLAG,                                                                    \
		{"username",         'u', FLAG_TEXT, "NAME", "the user or robot to be",              \
		 .field = "username"},                                                               \
		{"password-file",                                                                    \
		 0,                                                                                  \
		 FLAG_SECRET,                                                                        \
		 "FILE",                                                                             \
		 "holds the password; - is standard input, credential:NAME systemd's",               \
		 .field = "password",                                                                \
		 .names = NAMES_FILE},                                                               \
		{"password", 0, FLAG_REFUSED, NULL,                                                  \
		 .help = "every user of this machine can read a command line; use --password-file"}, \
		SERVER_TLS_FLAGS("the registry"), SERVER_PROBE_FLAG,                                 \
		{"limit",                                                                            \
		 0,                                                                                  \
		 FLAG_BYTES,                                                                         \
		 "RATE",                                                                             \
		 "read from it, and write to it, at most so many bytes a second in all copies "      \
		 "together, as 10M (0: no limit)",                                                   \
		 .field = "limit_bytes_per_s"},                                                      \
		{"upload-host",                                                                      \
		 0,                                                                                  \
		 FLAG_LIST,                                                                          \
		 "HOST",                                                                             \
		 "also send uploads to this host; may be repeated",                                  \
		 .field = "upload_hosts"},                                                           \
		{"option",                                                                           \
		 0,                                                                                  \
		 FLAG_PAIR,                                                                          \
		 "KEY=VALUE",                                                                        \
		 "an option of the plugin (berthctl plugin show KIND); may be repeated",             \
		 .field = "options"},                                                                \
		{"enable", 0, FLAG_TRUE, NULL, "contact it (the default)", .field = "enabled"},      \
		{"disable", 0, FLAG_FALSE, NULL, "keep it, never contact it", .field = "enabled"},   \
	{                                                                                            \
		"auth-realm", 0, FLAG_LIST, "HOST",                                                  \
			"also give tokens' credentials to this host; may be repeated",               \
			.field = "auth_realms"                                                       \
	}

static const struct flag create_flags[] = {
	{"kind", 'k', FLAG_TEXT, "KIND",
	 "what it speaks: dockerreg (the default), or another plugin's name", .field = "kind",
	 .names = NAMES_PLUGIN},
	{"workspace", 'W', FLAG_TEXT, "WORKSPACE",
	 "belong to this workspace, and be there for nobody else: named WORKSPACE~NAME",
	 .names = NAMES_WORKSPACE},
	REGISTRY_FLAGS,
	{0},
};
static const struct flag edit_flags[] = {REGISTRY_FLAGS, {0}};

static const struct column columns[] = {
	{"NAME", "name", COL_TEXT, false},
	{"KIND", "kind", COL_TEXT, false},
	{"ADDRESS", "address", COL_TEXT, false},
	{"WORKSPACE", "scope", COL_TEXT, true},
	{"STATE", "status.phase", COL_STATE, false},
	{"ENABLED", "enabled", COL_YES, true},
	{"PUBLIC", "public", COL_YES, true},
	{"VERSION", "status.version", COL_TEXT, true},
	{"CONSOLE", "status.console", COL_TEXT, true},
	{"SPACES", "status.overview.spaces", COL_COUNT, true},
	{"REPOSITORIES", "status.overview.repositories", COL_COUNT, true},
	{"ARTIFACTS", "status.overview.artifacts", COL_COUNT, true},
	{"SIZE", "status.overview.bytes", COL_BYTES, true},
	{"CHECKED", "status.checked_at", COL_TIME, false},
	{"REASON", "status.reason", COL_LONG, true},
	{"MESSAGE", "status.message", COL_LONG, true},
	{"SINCE", "status.since", COL_TIME, true},
	{"LIMIT", "limit_bytes_per_s", COL_BYTES_SET, true},
	{"USER", "username", COL_TEXT, true},
	{"DESCRIPTION", "description", COL_LONG, true},
	{"CREATED", "created_at", COL_TIME, true},
	{0},
};

/* A user without a password in a file is asked for it. */
static int ask_password(struct cli *c, json_t *body, struct berth_error *err)
{
	char *password = NULL;
	if (!cli_has(c, "username") || cli_has(c, "password-file"))
		return 0;
	AUTO_FREE char *prompt = text_printf("Password of %s: ", cli_flag(c, "username", ""));
	int code = prompt ? secret_ask(c, prompt, &password, err) : berth_fail_memory(err);
	if (code || !password)
		return berth_wrap(err, "say --password-file FILE (- is standard input)");
	json_object_set_new(body, "password", json_string(password));
	explicit_bzero(password, strlen(password));
	free(password);
	return 0;
}

/* The first index of a new integration is being made: asking for it joins that
 * run, and what follows finds the images. */
static int await_index(struct cli *c)
{
	struct berth_error err = ERROR_INIT;
	AUTO_JSON json_t *operation = NULL;
	AUTO_FREE char *path = api_route(c, "/v1/integrations/{0}/refresh");
	struct api_call call = {.method = "POST", .path = path};
	if (!path || api_send(c, &call, &operation, &err))
		return EXIT_ERROR;
	return follow_quietly(c, &operation);
}

static void added(struct cli *c, const json_t *operation)
{
	(void)operation;
	if (cli_has(c, "dry-run")) {
		cli_note(c, "integration %s would be added: its registry answers as it should",
			 cli_operand(c, 0));
		return;
	}
	cli_note(c, "integration %s added", cli_operand(c, 0));
	if (await_index(c) != EXIT_OK)
		cli_hint(c, "berthctl integration refresh %s", cli_operand(c, 0));
	cli_hint(c, "berthctl integration show %s", cli_operand(c, 0));
}

/* Of the name as it is from here on, which --workspace has a part in. */
static int create_named(struct cli *c)
{
	struct berth_error err = ERROR_INIT;
	AUTO_JSON json_t *body = json_object();
	if (!body || !cli_has(c, "address")) {
		cli_usage(c, "--address is missing: the URL of the registry");
		cli_hint(c, "berthctl integration add %s --address https://registry.example",
			 cli_operand(c, 0));
		return EXIT_USAGE;
	}
	js_put_str(body, "name", cli_operand(c, 0));
	js_put_str(body, "kind", "dockerreg");
	if (cli_fill_body(c, body, &err) || ask_password(c, body, &err))
		return cli_report(c, &err);
	struct change change = {
		.call = {.method = "POST", .path = "/v1/integrations", .body = body},
		.result = added};
	return send_change(c, &change);
}

static int create(struct cli *c)
{
	const char *workspace = cli_flag(c, "workspace", NULL), *given = cli_operand(c, 0);
	if (!workspace)
		return create_named(c);
	AUTO_FREE char *name = text_printf("%s~%s", workspace, given);
	if (!name)
		return cli_no_memory(c);
	if (!text_is_integration(name)) {
		cli_usage(c,
			  "%s can't be a name: that of the workspace, ~ and one of a-z, 0-9, dot, "
			  "dash and underscore, 63 letters in all",
			  name);
		return EXIT_USAGE;
	}
	c->operands[0] = name;
	int status = create_named(c);
	c->operands[0] = given;
	return status;
}

static const struct column status_columns[] = {
	{"STATE", "status.phase", COL_STATE, false},
	{"REASON", "status.reason", COL_TEXT, false},
	{"MESSAGE", "status.message", COL_TEXT, false},
	{"VERSION", "status.version", COL_TEXT, false},
	{"FEATURES", "status.features", COL_TEXT, false},
	{"CHECKED", "status.checked_at", COL_TIME, false},
	{0},
};

static const struct flag changed_flags[] = {
	{"repository", 0, FLAG_TEXT, "PATH", .help = "only in this repository (all)",
	 .field = "repository"},
	{"tag", 0, FLAG_TEXT, "TAG", .help = "only this tag (all)", .field = "tag"},
	{0},
};

static const struct flag refresh_flags[] = {
	{"space", 0, FLAG_TEXT, "SPACE", .help = "only what is in this space (all)",
	 .field = "space"},
	{"repository", 0, FLAG_LIST, "PATH",
	 .help = "only the tags of this repository (all); may be repeated",
	 .field = "repositories"},
	{0},
};

/* One hint, of all that the flags leave open. */
static int changed(struct cli *c)
{
	struct berth_error err = ERROR_INIT;
	AUTO_JSON json_t *change = json_object();
	if (!change || cli_fill_body(c, change, &err))
		return cli_report(c, &err);
	AUTO_JSON json_t *body =
		json_pack("{s:s, s:[O]}", "integration", cli_operand(c, 0), "changes", change);
	struct change call = {.call = {.method = "POST", .path = "/v1/changes", .body = body},
			      .done = "taken as a hint"};
	return body ? send_change(c, &call) : cli_no_memory(c);
}

static const struct column overview_columns[] = {
	{"ADDRESS", "address", COL_TEXT, false},
	{"KIND", "kind", COL_TEXT, false},
	{"VERSION", "version", COL_TEXT, false},
	{"SPACES", "spaces", COL_COUNT, false},
	{"REPOSITORIES", "repositories", COL_COUNT, false},
	{"TAGS", "tags", COL_COUNT, false},
	{"ARTIFACTS", "artifacts", COL_COUNT, false},
	{"SIZE", "bytes", COL_BYTES, false},
	{"COUNTED", "at", COL_TIME, false},
	{"REGISTRY-SPACES", "server.spaces", COL_COUNT, false},
	{"REGISTRY-REPOSITORIES", "server.repositories", COL_COUNT, false},
	{"REGISTRY-ARTIFACTS", "server.artifacts", COL_COUNT, false},
	{"REGISTRY-SIZE", "server.bytes", COL_BYTES, false},
	{"REGISTRY-ASKED", "server.at", COL_TIME, false},
	{"CONSOLE", "console", COL_TEXT, false},
	{0},
};
static const struct flag overview_flags[] = {
	{"ask", 0, FLAG_TRUE, NULL, .help = "ask the registry for its own figures first"},
	TOOL_FLAG,
	{0},
};

/* For people the lines to begin with follow the figures, unless columns of these were chosen. */
static int show_overview(struct cli *c, const char *path)
{
	struct berth_error err = ERROR_INIT;
	bool is_table = c->format == FORMAT_TABLE || c->format == FORMAT_WIDE;
	AUTO_JSON json_t *body = NULL;
	if (cli_has(c, "watch"))
		return show_path(c, path);
	if (api_get(c, path, &body, &err))
		return cli_report(c, &err);
	json_t *lines = json_object_get(body, "quick_start");
	choose_tool(c, lines);
	int status = show_resource(c, body, NULL);
	if (status != EXIT_OK || !is_table || cli_has(c, "jq") || cli_has(c, "columns"))
		return status;
	fputc('\n', c->out.file);
	return show_lines(c, lines);
}

static int overview(struct cli *c)
{
	struct berth_error err = ERROR_INIT;
	AUTO_FREE char *path = api_route(c, c->command->route);
	AUTO_JSON json_t *operation = NULL;
	struct api_call call = {.method = "POST", .path = path};
	if (!path)
		return cli_no_memory(c);
	if (!cli_has(c, "ask"))
		return show_overview(c, path);
	if (api_send(c, &call, &operation, &err))
		return cli_report(c, &err);
	int status = follow_quietly(c, &operation);
	return status == EXIT_OK ? show_overview(c, path) : status;
}

static const struct column space_columns[] = {
	{"NAME", "name", COL_TEXT, false},
	{"MODE", "mode", COL_TEXT, false},
	{"PUSH", "push", COL_YES, false},
	{"REPOSITORIES", "status.repositories", COL_COUNT, false},
	{"SEEN", "status.seen_at", COL_TIME, false},
	{"ID", "id", COL_TEXT, true},
	{0},
};

#define THE_NAME                                                                                   \
	{                                                                                          \
		"NAME", OPERAND_ONE, NAMES_INTEGRATION, "the integration's name"                   \
	}

const struct command integration_commands[] = {
	{
		.noun = "integration",
		.verb = "list",
		.aliases = "ls",
		.summary = "List the integrations and how they are",
		.examples = {{"berthctl integration list", "all of them"},
			     {"berthctl integration list --filter 'status.phase ne \"healthy\"'",
			      "those that need a look"},
			     {"berthctl integration list -o name", "names for another command"}},
		.method = "GET",
		.route = "/v1/integrations",
		.traits = CMD_LISTS | CMD_QUERIES,
		.columns = columns,
		.run = run_list,
	},
	{
		.noun = "integration",
		.verb = "show",
		.aliases = "get",
		.summary = "Show one integration",
		.operands = {THE_NAME},
		.examples = {{"berthctl integration show hub", "what Berth knows of it"},
			     {"berthctl integration show hub -o yaml",
			      "with every member by its name"}},
		.method = "GET",
		.route = "/v1/integrations/{0}",
		.traits = CMD_SHOWS,
		.columns = columns,
		.run = run_show,
	},
	{
		.noun = "integration",
		.verb = "create",
		.aliases = "add",
		.summary = "Add a registry, after trying address, TLS, user and password",
		.details = "berthd tries the registry before it keeps anything; the error says "
			   "which of name, route, TLS, user, password or rights failed. A user "
			   "without --password-file is asked for at the terminal. With --workspace "
			   "the integration is that workspace's own: its admins make, edit, probe, "
			   "refresh and delete it, its members use all of its spaces, other "
			   "workspaces don't learn of it, and it may be at the networks of "
			   "networks.workspace in berth.conf(5) alone.",
		.operands = {{"NAME", OPERAND_ONE, NAMES_NONE, "its new name"}},
		.flags = create_flags,
		.examples = {{"berthctl integration add hub --kind dockerreg --address "
			      "https://registry.example --username alice",
			      "asks for the password"},
			     {"berthctl integration add lab --address https://lab.example:5000 "
			      "--ca lab-ca.pem -u ci --password-file /run/secrets/lab",
			      "a private authority and a password in a file"},
			     {"berthctl integration add hub --workspace shop --address "
			      "https://shop.example",
			      "the workspace's own: shop~hub"}},
		.method = "POST",
		.route = "/v1/integrations",
		.traits = CMD_CHANGES | CMD_STARTS,
		.columns = columns,
		.run = create,
	},
	{
		.noun = "integration",
		.verb = "edit",
		.aliases = "set",
		.summary = "Change an integration; what is not given stays",
		.operands = {THE_NAME},
		.flags = edit_flags,
		.examples = {{"berthctl integration edit hub --probe-period 5m",
			      "probe it more often"},
			     {"berthctl integration edit hub -u ci --password-file -",
			      "another user; the password comes from standard input"}},
		.method = "PATCH",
		.route = "/v1/integrations/{0}",
		.traits = CMD_CHANGES | CMD_STARTS,
		.columns = columns,
		.run = run_edit,
	},
	{
		.noun = "integration",
		.verb = "delete",
		.aliases = "rm remove",
		.summary = "Forget an integration; the registry itself is not touched",
		.details = "A registry that keeps replication policies or temporary logins of "
			   "Berth's is told to remove them first, and the deletion is refused "
			   "until they are gone. One that is disabled or away can't be told: they "
			   "stay, and the answer says so.",
		.operands = {THE_NAME},
		.examples = {{"berthctl integration delete lab", "asks first"},
			     {"berthctl integration delete lab --yes", "in a script"}},
		.method = "DELETE",
		.route = "/v1/integrations/{0}",
		.traits = CMD_CHANGES | CMD_ASKS | CMD_STARTS,
		.columns = columns,
		.run = run_delete,
	},
	{
		.noun = "integration",
		.verb = "probe",
		.summary = "Try the registry now: name, route, TLS, user, password, rights",
		.operands = {THE_NAME},
		.examples = {{"berthctl integration probe hub", "is it well?"},
			     {"berthctl integration probe hub || echo down", "in a script"}},
		.method = "POST",
		.route = "/v1/integrations/{0}/probe",
		.traits = CMD_STARTS,
		.columns = status_columns,
		.run = run_probe,
	},
	{
		.noun = "integration",
		.verb = "overview",
		.summary = "Show how much a registry holds, and how to begin with it",
		.details = "The figures are those of Berth's index, as old as its last refresh. "
			   "With --ask the registry's own are read too, and stay beside them "
			   "with their time. Below them are the address of the registry's own "
			   "web console, where it has one, and lines to paste that log in, pull, "
			   "tag and push, quoted for a shell; USER, SPACE, REPOSITORY and TAG are "
			   "to be replaced. berthctl image commands has them of one image.",
		.operands = {THE_NAME},
		.flags = overview_flags,
		.examples = {{"berthctl integration overview hub", "at a glance"},
			     {"berthctl integration overview harbor --ask",
			      "with what the registry says itself"},
			     {"berthctl integration overview hub --tool podman",
			      "with lines for podman alone"},
			     {"berthctl integration overview hub --jq .repositories",
			      "one figure"}},
		.method = "GET",
		.route = "/v1/integrations/{0}/overview",
		.traits = CMD_SHOWS,
		.columns = overview_columns,
		.run = overview,
	},
	{
		.noun = "integration",
		.verb = "spaces",
		.summary = "List the spaces of an integration",
		.operands = {THE_NAME},
		.examples = {{"berthctl integration spaces hub", "all of them"},
			     {"berthctl integration spaces hub -o name", "names alone"}},
		.method = "GET",
		.route = "/v1/integrations/{0}/spaces",
		.traits = CMD_LISTS | CMD_QUERIES,
		.columns = space_columns,
		.name_path = "{integration}/{name}",
		.run = run_list,
	},
	{
		.noun = "integration",
		.verb = "changed",
		.summary = "Tell that a registry has changed, so that Berth looks there soon",
		.details =
			"For pipelines that have pushed: copy rules with --on-change that may "
			"read it look at their source at once, and the repository is read into "
			"the index within seconds, or all within a minute where none is named. It "
			"is a hint; what is found counts. Members of the group berth-hooks may do this and need no role.",
		.operands = {THE_NAME},
		.flags = changed_flags,
		.examples = {{"berthctl integration changed hub", "anything there"},
			     {"berthctl integration changed hub --repository team/app --tag 1.4",
			      "after a push"}},
		.method = "POST",
		.route = "/v1/changes",
		.traits = CMD_CHANGES,
		.run = changed,
	},
	{
		.noun = "integration",
		.verb = "refresh",
		.summary = "Read the registry's repositories and tags into Berth's index now",
		.details =
			"All of them, or a part, which is quick however large the registry is. "
			"What is gone there goes from the index, of that part; what Berth copies "
			"or deletes itself is in the index at once.",
		.operands = {THE_NAME},
		.flags = refresh_flags,
		.examples = {{"berthctl integration refresh hub", "with progress"},
			     {"berthctl integration refresh hub --no-wait", "in the background"},
			     {"berthctl integration refresh hub --space team", "one space"},
			     {"berthctl integration refresh hub --repository team/app",
			      "one "
			      "repository's tags"}},
		.method = "POST",
		.route = "/v1/integrations/{0}/refresh",
		.traits = CMD_STARTS,
		.columns = columns,
		.run = run_post,
	},
	{0},
};
