/* SPDX-License-Identifier: Apache-2.0 */
/* login: temporary credentials for a space. The secret is printed once, to
 * stdout, and asked of the daemon once.
 */
#include <string.h>

#include "client/cmd.h"
#include "client/secret.h"
#include "client/short_id.h"
#include "client/show.h"
#include "core/base/text.h"

static const struct flag list_flags[] = {
	{"search", 'q', FLAG_TEXT, "TEXT", "only those whose user or space has this text",
	 .query = "q"},
	{0},
};
static const struct flag create_flags[] = {
	{"push", 0, FLAG_TRUE, NULL, .help = "may push too, not only pull"},
	{"ttl", 0, FLAG_SECONDS, "TIME", "how long it is good: 30m, 8h (default), 7d",
	 .field = "ttl_s"},
	{"description", 0, FLAG_TEXT, "TEXT", "a remark for people", .field = "description"},
	{0},
};

static const struct column columns[] = {
	{"ID", "id", COL_ID, false},
	{"INTEGRATION", "integration", COL_TEXT, false},
	{"SPACE", "space", COL_TEXT, false},
	{"WORKSPACE", "workspace", COL_TEXT, false},
	{"USERNAME", "username", COL_TEXT, false},
	{"RIGHTS", "rights", COL_TEXT, false},
	{"STATE", "state", COL_STATE, false},
	{"EXPIRES", "expires_at", COL_TIME, false},
	{"SPACES", "spaces", COL_TEXT, true},
	{"BY", "user", COL_TEXT, true},
	{"NAME", "name", COL_TEXT, true},
	{"SECRET", "secret.set", COL_YES, true},
	{"CREATED", "created_at", COL_TIME, true},
	{"DESCRIPTION", "description", COL_LONG, true},
	{0},
};
static const struct column secret_columns[] = {
	{"REGISTRY", "address", COL_TEXT, false},
	{"USERNAME", "username", COL_TEXT, false},
	{"SECRET", "secret", COL_TEXT, false},
	{"EXPIRES", "expires_at", COL_TIME, false},
	{0},
};

static int list(struct cli *c)
{
	char id[PLACE_ID_ROOM];
	if (!cli_operand(c, 0))
		return run_list(c);
	int status = place_space(c, cli_operand(c, 0), id);
	if (status >= 0)
		return status;
	AUTO_FREE char *path = path_with_flags(c, text_printf("/v1/spaces/%s/logins", id));
	return path ? list_path(c, path) : cli_no_memory(c);
}

/* Takes the secret of the login at path and prints it. */
static int take_secret(struct cli *c, const char *path)
{
	struct berth_error err = ERROR_INIT;
	AUTO_JSON json_t *body = NULL;
	AUTO_FREE char *secret = text_printf("%s/secret", path);
	struct api_call call = {.method = "DELETE", .path = secret};
	if (!secret)
		return cli_no_memory(c);
	if (api_send(c, &call, &body, &err))
		return cli_report(c, &err);
	int status = show_resource(c, body, secret_columns);
	if (c->format == FORMAT_TABLE && status == EXIT_OK)
		cli_note(c, "this secret is not shown again");
	return status;
}

static int print_made(struct cli *c, const json_t *operation)
{
	const char *path = js_str(json_object_get(operation, "result"), "login", NULL);
	return path ? take_secret(c, path) : cli_usage(c, "berthd's operation brought no login");
}

/* The ids of all operands but the first; -1: go on. */
static int put_more_spaces(struct cli *c, json_t *body)
{
	char id[PLACE_ID_ROOM];
	AUTO_JSON json_t *ids = json_array();
	for (size_t i = 1; cli_operand(c, i); i++) {
		int status = place_space(c, cli_operand(c, i), id);
		if (status >= 0)
			return status;
		if (json_array_append_new(ids, json_string(id)))
			return cli_no_memory(c);
	}
	return json_array_size(ids) && json_object_set(body, "spaces", ids) ? cli_no_memory(c) : -1;
}

static int create(struct cli *c)
{
	struct berth_error err = ERROR_INIT;
	char id[PLACE_ID_ROOM];
	AUTO_JSON json_t *answer = NULL, *body = json_object();
	int status = place_space(c, cli_operand(c, 0), id);
	if (status < 0)
		status = put_more_spaces(c, body);
	if (status >= 0)
		return status;
	AUTO_FREE char *path = text_printf("/v1/spaces/%s/logins", id);
	if (!body || !path)
		return cli_no_memory(c);
	if (cli_has(c, "push"))
		json_object_set_new(body, "rights", json_pack("[s, s]", "pull", "push"));
	if (cli_fill_body(c, body, &err))
		return cli_report(c, &err);
	struct api_call call = {.method = "POST", .path = path, .body = body};
	if (cli_has(c, "dry-run") || cli_has(c, "no-wait")) {
		struct change change = {.call = call};
		return send_change(c, &change);
	}
	if (api_send(c, &call, &answer, &err))
		return cli_report(c, &err);
	status = follow_quietly(c, &answer);
	return status == EXIT_OK ? print_made(c, answer) : status;
}

/* LOGIN is an id, or the user name that docker login takes. *ret_path; -1: go
 * on. */
static int find(struct cli *c, char **ret_path)
{
	struct berth_error err = ERROR_INIT;
	const char *text = cli_operand(c, 0);
	AUTO_JSON json_t *body = NULL;
	AUTO_FREE char *filter = text_printf(
		"id %s \"%s%s\" or username eq \"%s\" or name eq \"%s\"",
		short_id_is(text) ? "like" : "eq", text, short_id_is(text) ? "*" : "", text, text);
	AUTO_FREE char *path = filter && !strpbrk(text, "\"\\")
				       ? api_query(strdup("/v1/logins?limit=2"), "filter", filter)
				       : NULL;
	if (!path)
		return cli_usage(c, "'%s' is no login's id or user name", text);
	if (api_get(c, path, &body, &err))
		return cli_report(c, &err);
	const json_t *items = json_object_get(body, "items");
	const char *id = js_str(json_array_get(items, 0), "id", NULL);
	if (!id || json_array_size(items) > 1) {
		berth_fail(&err, BERTH_E_NOT_FOUND,
			   id ? "several logins are '%s', or begin so: name it by its whole id"
			      : "there is no login '%s'",
			   text);
		cli_report(c, &err);
		cli_hint(c, "berthctl login list");
		return EXIT_NOT_FOUND;
	}
	*ret_path = text_printf("/v1/logins/%s", id);
	return *ret_path ? -1 : cli_no_memory(c);
}

static int show(struct cli *c)
{
	AUTO_FREE char *path = NULL;
	int status = find(c, &path);
	return status >= 0 ? status : show_path(c, path);
}

static int secret(struct cli *c)
{
	AUTO_FREE char *path = NULL;
	int status = find(c, &path);
	return status >= 0 ? status : take_secret(c, path);
}

static int end_login(struct cli *c)
{
	struct berth_error err = ERROR_INIT;
	char etag[sizeof(c->etag)];
	AUTO_FREE char *path = NULL;
	AUTO_JSON json_t *now = NULL;
	int status = find(c, &path);
	if (status >= 0)
		return status;
	if (api_get(c, path, &now, &err))
		return cli_report(c, &err);
	snprintf(etag, sizeof(etag), "%s", c->etag);
	AUTO_FREE char *what = text_printf(
		"This ends login %s for %s/%s.", js_str(now, "username", js_str(now, "name", "?")),
		js_str(now, "integration", "?"), js_str(now, "space", "?"));
	if (!confirm(c, what, &status))
		return status;
	AUTO_FREE char *done = text_printf("login %s revoked", cli_operand(c, 0));
	struct change change = {.call = {.method = "DELETE", .path = path, .if_match = etag},
				.done = done};
	return send_change(c, &change);
}

#define THE_LOGIN                                                                                  \
	{                                                                                          \
		"LOGIN", OPERAND_ONE, NAMES_LOGIN, "its id, or its user name"                      \
	}

const struct command login_commands[] = {
	{
		.noun = "login",
		.verb = "list",
		.aliases = "ls",
		.summary = "List temporary logins",
		.operands = {{"SPACE", OPERAND_MAYBE, NAMES_SPACE, "INTEGRATION/SPACE"}},
		.flags = list_flags,
		.examples = {{"berthctl login list", "all of them"},
			     {"berthctl login list harbor/team -o wide", "of one space"}},
		.method = "GET",
		.route = "/v1/logins",
		.traits = CMD_LISTS | CMD_QUERIES,
		.columns = columns,
		.name_path = "id",
		.run = list,
	},
	{
		.noun = "login",
		.verb = "show",
		.aliases = "get",
		.summary = "Show one temporary login, without its secret",
		.operands = {THE_LOGIN},
		.examples = {{"berthctl login show 'robot$berth-0f1e2d3c4b5a'", "by user name"},
			     {"berthctl login show 0f1e2d3c-4b5a-4978-8695-a4b3c2d1e0f1 -o json",
			      "by id"}},
		.method = "GET",
		.route = "/v1/logins/{id}",
		.traits = CMD_SHOWS,
		.columns = columns,
		.name_path = "id",
		.run = show,
	},
	{
		.noun = "login",
		.verb = "create",
		.aliases = "add",
		.summary = "Make a temporary login for one or several spaces",
		.details =
			"The registry makes a user that may pull from these spaces, and push with "
			"--push, and nothing else. They are of one integration. Its secret is shown once. When its time is "
			"over, Berth removes it at the registry. Harbor has such logins (robot "
			"accounts); of others the answer says that they have none.",
		.operands = {{"SPACE", OPERAND_MANY, NAMES_SPACE, "INTEGRATION/SPACE"}},
		.flags = create_flags,
		.examples = {{"berthctl login create harbor/team", "pulls, for 8 hours"},
			     {"berthctl login create harbor/team --push --ttl 30m",
			      "for one build"},
			     {"berthctl login create harbor/team harbor/base", "for both spaces"},
			     {"berthctl login create harbor/team --jq .secret",
			      "for a script: a JSON string"}},
		.method = "POST",
		.route = "/v1/spaces/{id}/logins",
		.traits = CMD_CHANGES | CMD_STARTS | CMD_SHOWS,
		.columns = columns,
		.run = create,
	},
	{
		.noun = "login",
		.verb = "secret",
		.summary = "Take the secret of a login that was made without waiting",
		.details = "It is given once, to whoever asked for the login, and kept for 15 "
			   "minutes at most.",
		.operands = {THE_LOGIN},
		.examples = {{"berthctl login secret 'robot$berth-0f1e2d3c4b5a'", "shows it"},
			     {"berthctl login secret 'robot$berth-0f1e2d3c4b5a' -o json",
			      "for a program"}},
		.method = "DELETE",
		.route = "/v1/logins/{id}/secret",
		.traits = CMD_SHOWS,
		.columns = secret_columns,
		.run = secret,
	},
	{
		.noun = "login",
		.verb = "revoke",
		.aliases = "rm delete",
		.summary = "End a temporary login now",
		.operands = {THE_LOGIN},
		.examples = {{"berthctl login revoke 'robot$berth-0f1e2d3c4b5a'", "asks first"},
			     {"berthctl login revoke 'robot$berth-0f1e2d3c4b5a' --yes",
			      "in a script"}},
		.method = "DELETE",
		.route = "/v1/logins/{id}",
		.traits = CMD_CHANGES | CMD_ASKS | CMD_STARTS,
		.columns = columns,
		.run = end_login,
	},
	{0},
};
