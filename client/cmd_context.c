/* SPDX-License-Identifier: Apache-2.0 */
/* context: daemons that this user talks to. */
#include <string.h>

#include "client/cmd.h"
#include "client/dial.h"
#include "client/show.h"
#include "core/base/text.h"

static const struct column columns[] = {
	{"CURRENT", "current", COL_YES, false},
	{"NAME", "name", COL_TEXT, false},
	{"TARGET", "target", COL_TEXT, false},
	{0},
};

static int list(struct cli *c)
{
	struct berth_error err = ERROR_INIT;
	struct contexts all;
	if (contexts_load(&all, &err))
		return cli_report(c, &err);
	AUTO_JSON json_t *items = json_array();
	for (size_t i = 0; i < all.count; i++)
		json_array_append_new(items,
				      json_pack("{s:b, s:s, s:s}", "current",
						all.current && !strcmp(all.current, all.names[i]),
						"name", all.names[i], "target", all.targets[i]));
	contexts_done(&all);
	AUTO_JSON json_t *body = json_pack("{s:O}", "items", items);
	return body ? show_list(c, body, NULL) : cli_no_memory(c);
}

static int use(struct cli *c)
{
	struct berth_error err = ERROR_INIT;
	struct contexts all;
	const char *name = cli_operand(c, 0);
	if (contexts_load(&all, &err))
		return cli_report(c, &err);
	int code = 0;
	if (contexts_find(&all, name) == all.count)
		code = berth_fail(&err, BERTH_E_NOT_FOUND,
				  "there is no context '%s'; see berthctl context list", name);
	free(all.current);
	all.current = strdup(name);
	if (!code && !all.current)
		code = berth_fail_memory(&err);
	if (!code)
		code = contexts_store(&all, &err);
	contexts_done(&all);
	if (code)
		return cli_report(c, &err);
	cli_note(c, "berthctl now talks to context %s", name);
	return EXIT_OK;
}

static int put(struct contexts *all, const char *name, const char *target, struct berth_error *err)
{
	size_t at = contexts_find(all, name);
	if (!text_is_name(name))
		return berth_fail(err, BERTH_E_INVALID,
				  "'%s' is not a name: lower-case letters, digits, '.', '_', '-'",
				  name);
	if (!context_target_ok(target))
		return berth_fail(err, BERTH_E_INVALID,
				  "'%s' is no target: an absolute path, unix://PATH or "
				  "ssh://[USER@]HOST[:PORT][/PATH]",
				  target);
	if (at == CONTEXT_MAX)
		return berth_fail(err, BERTH_E_LIMIT, "there are %d contexts already", CONTEXT_MAX);
	if (at == all->count)
		all->count++;
	free(all->names[at]);
	free(all->targets[at]);
	all->names[at] = strdup(name);
	all->targets[at] = strdup(target);
	return all->names[at] && all->targets[at] ? 0 : berth_fail_memory(err);
}

static int add(struct cli *c)
{
	struct berth_error err = ERROR_INIT;
	struct contexts all;
	int code = contexts_load(&all, &err);
	if (code)
		return cli_report(c, &err);
	code = put(&all, cli_operand(c, 0), cli_operand(c, 1), &err);
	if (!code)
		code = contexts_store(&all, &err);
	contexts_done(&all);
	if (code)
		return cli_report(c, &err);
	cli_hint(c, "berthctl context use %s", cli_operand(c, 0));
	return EXIT_OK;
}

static int drop(struct cli *c)
{
	struct berth_error err = ERROR_INIT;
	struct contexts all;
	const char *name = cli_operand(c, 0);
	int code = contexts_load(&all, &err);
	if (code)
		return cli_report(c, &err);
	size_t at = contexts_find(&all, name);
	if (at == all.count) {
		code = berth_fail(&err, BERTH_E_NOT_FOUND,
				  "there is no context '%s'; see berthctl context list", name);
	} else {
		bool is_current = all.current && !strcmp(all.current, name);
		free(all.names[at]);
		free(all.targets[at]);
		all.names[at] = all.names[--all.count];
		all.targets[at] = all.targets[all.count];
		if (is_current)
			free(STEAL(all.current));
		code = contexts_store(&all, &err);
	}
	contexts_done(&all);
	return code ? cli_report(c, &err) : EXIT_OK;
}

#define THE_NAME                                                                                   \
	{                                                                                          \
		"NAME", OPERAND_ONE, NAMES_CONTEXT, "the context's name"                           \
	}

const struct command context_commands[] = {
	{
		.noun = "context",
		.verb = "list",
		.aliases = "ls",
		.summary = "List the contexts and which one is used",
		.examples = {{"berthctl context list", "all of them"},
			     {"berthctl context list -o name", "names alone"}},
		.traits = CMD_OFFLINE,
		.columns = columns,
		.run = list,
	},
	{
		.noun = "context",
		.verb = "add",
		.aliases = "create",
		.summary = "Keep a socket or an ssh target under a name",
		.operands = {{"NAME", OPERAND_ONE, NAMES_NONE, "its name"},
			     {"TARGET", OPERAND_ONE, NAMES_FILE,
			      "a socket's path, or ssh://[USER@]HOST[:PORT][/PATH]"}},
		.examples = {{"berthctl context add prod ssh://admin@registry-host",
			      "berthd on another machine"},
			     {"berthctl context add lab /tmp/lab/berth.sock",
			      "a private daemon's socket"}},
		.traits = CMD_OFFLINE,
		.run = add,
	},
	{
		.noun = "context",
		.verb = "use",
		.summary = "Make a context the usual one",
		.operands = {THE_NAME},
		.examples = {{"berthctl context use prod", "from now on"},
			     {"berthctl --context prod space list", "once, without using it"}},
		.traits = CMD_OFFLINE,
		.run = use,
	},
	{
		.noun = "context",
		.verb = "delete",
		.aliases = "rm remove",
		.summary = "Forget a context",
		.operands = {THE_NAME},
		.examples = {{"berthctl context delete lab", "forget it"},
			     {"berthctl context rm lab", "the same"}},
		.traits = CMD_OFFLINE,
		.run = drop,
	},
	{0},
};
