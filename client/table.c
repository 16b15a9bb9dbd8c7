/* SPDX-License-Identifier: Apache-2.0 */
/* The table of nouns, the flags that commands share, and look-ups in both. */
#include <string.h>

#include "client/command.h"
#include "core/base/scope.h"

#define NOUN(n, s)                                                                                 \
	&(const struct noun)                                                                       \
	{                                                                                          \
#n, s, n##_commands                                                                \
	}

/* In the order in which help lists them. */
const struct noun *const nouns[] = {
	NOUN(integration, "Registry servers that Berth knows"),
	NOUN(space, "Image namespaces of an integration"),
	NOUN(workspace, "Tenants, their members and what they may use"),
	NOUN(cluster, "Kubernetes clusters that workspaces run in"),
	NOUN(role, "Sets of permissions, and who has them"),
	NOUN(image, "Repositories, tags and what is behind them"),
	NOUN(login, "Temporary credentials for a space"),
	NOUN(retention, "What a registry keeps of a space, and removes"),
	NOUN(maintain, "House-keeping of a registry"),
	NOUN(copy, "Copy images once, now"),
	NOUN(sync, "Rules that copy images again and again"),
	NOUN(scan, "Vulnerabilities in images, found by their registry's scanner"),
	NOUN(operation, "Work in progress and its outcome"),
	NOUN(event, "What happens, as it happens"),
	NOUN(audit, "Who did what"),
	NOUN(plugin, "Plugins that berthd has loaded"),
	NOUN(daemon, "The daemon itself"),
	NOUN(apply, "Make the daemon agree with a file"),
	NOUN(diff, "Show what apply would change"),
	NOUN(api, "Call the control API as it is"),
	NOUN(context, "Daemons that this user talks to"),
	NOUN(version, "Versions of client and server"),
	NOUN(completion, "Completion scripts for shells"),
	NOUN(help, "Help on commands and topics"),
	NULL,
};

static const struct flag global_flags[] = {
	{"output", 'o', FLAG_TEXT, "FORMAT",
	 "table, wide, json, yaml, name, csv, ndjson or template=TEXT",
	 .choices = "table wide json yaml name csv ndjson template="},
	{"columns", 0, FLAG_TEXT, "LIST", "which columns, by title or by path (status.phase)",
	 .names = NAMES_NONE},
	{"no-headers", 0, FLAG_TRUE, NULL, .help = "leave the line of titles out"},
	{"no-trunc", 0, FLAG_TRUE, NULL, .help = "show ids, digests and times whole, cut nothing"},
	{"jq", 0, FLAG_TEXT, "FILTER", .help = "run the JSON through this jq filter"},
	{"socket", 0, FLAG_TEXT, "TARGET", "a socket path or ssh://HOST instead of the usual",
	 .names = NAMES_FILE},
	{"context", 0, FLAG_TEXT, "NAME", "the daemon of that context", .names = NAMES_CONTEXT},
	{"color", 0, FLAG_CHOICE, "WHEN", "auto, always or never", .choices = "auto always never"},
	{"no-pager", 0, FLAG_TRUE, NULL, .help = "write long output straight to the terminal"},
	{"help", 'h', FLAG_TRUE, NULL, .help = "show help and do nothing"},
	{0},
};
static const struct flag list_flags[] = {
	{"limit", 0, FLAG_COUNT, "N", .help = "at most N items (0: all)"},
	{"watch", 'w', FLAG_TRUE, NULL, .help = "show it again whenever it changes, until Ctrl-C"},
	{"interval", 0, FLAG_SECONDS, "TIME", .help = "with --watch: how often to look (2s)"},
	{0},
};
static const struct flag query_flags[] = {
	{"filter", 0, FLAG_TEXT, "EXPR",
	 "only items for which this holds: name like \"prod-*\" and status.phase ne \"healthy\"",
	 .query = "filter"},
	{"sort", 0, FLAG_TEXT, "FIELDS", "by these fields; -FIELD turns the order",
	 .query = "sort"},
	{0},
};
static const struct flag watch_flags[] = {
	{"watch", 'w', FLAG_TRUE, NULL, .help = "show it again whenever it changes, until Ctrl-C"},
	{"interval", 0, FLAG_SECONDS, "TIME", .help = "with --watch: how often to look (2s)"},
	{0},
};
static const struct flag change_flags[] = {
	{"dry-run", 0, FLAG_TRUE, NULL, .help = "show what would be done; change nothing"},
	{0},
};
static const struct flag start_flags[] = {
	{"wait", 0, FLAG_TRUE, NULL, .help = "stay until the operation has ended (the default)"},
	{"no-wait", 0, FLAG_TRUE, NULL, .help = "return when berthd has accepted it"},
	{"timeout", 0, FLAG_SECONDS, "TIME",
	 .help = "wait no longer than this; it goes on without you"},
	{"progress", 0, FLAG_CHOICE, "HOW", "auto, plain, json or none",
	 .choices = "auto plain json none"},
	{"cancel-on-interrupt", 0, FLAG_TRUE, NULL,
	 .help = "a second Ctrl-C cancels without a question"},
	{0},
};
static const struct flag ask_flags[] = {
	{"yes", 'y', FLAG_TRUE, NULL, .help = "do not ask"},
	{0},
};

static const struct {
	unsigned trait;
	struct flag_group group;
} groups[] = {
	{CMD_QUERIES, {"Query flags", query_flags}},
	{CMD_LISTS, {"List flags", list_flags}},
	{CMD_SHOWS, {"Watch flags", watch_flags}},
	{CMD_CHANGES, {"Change flags", change_flags}},
	{CMD_STARTS, {"Operation flags", start_flags}},
	{CMD_ASKS, {"Confirmation", ask_flags}},
};

size_t command_flag_groups(const struct command *cmd, struct flag_group *to)
{
	size_t count = 0;
	if (cmd && cmd->flags)
		to[count++] = (struct flag_group){"Flags", cmd->flags};
	for (size_t i = 0; cmd && i < ARRAY_COUNT(groups); i++)
		if (cmd->traits & groups[i].trait)
			to[count++] = groups[i].group;
	to[count++] = (struct flag_group){"Global flags", global_flags};
	return count;
}

const struct flag *command_flag(const struct command *cmd, const char *name, char letter)
{
	struct flag_group all[FLAG_GROUP_MAX];
	size_t count = command_flag_groups(cmd, all);
	for (size_t i = 0; i < count; i++)
		for (const struct flag *f = all[i].flags; f->name; f++)
			if (name ? !strcmp(f->name, name) : f->letter == letter)
				return f;
	return NULL;
}

bool flag_has_value(const struct flag *flag)
{
	return flag->kind != FLAG_TRUE && flag->kind != FLAG_FALSE;
}

const struct noun *noun_find(const char *name)
{
	for (const struct noun *const *n = nouns; *n; n++)
		if (!strcmp((*n)->name, name))
			return *n;
	return NULL;
}

bool noun_is_command(const struct noun *noun)
{
	return !noun->commands->verb;
}

bool command_has_alias(const struct command *cmd, const char *verb)
{
	size_t bytes = strlen(verb);
	for (const char *at = cmd->aliases; bytes && at && *at;) {
		const char *end = strchr(at, ' ');
		size_t word = end ? (size_t)(end - at) : strlen(at);
		if (word == bytes && !strncmp(at, verb, bytes))
			return true;
		at = end ? end + 1 : NULL;
	}
	return false;
}

const struct command *command_find(const struct noun *noun, const char *verb)
{
	if (!verb)
		return noun_is_command(noun) ? noun->commands : NULL;
	for (const struct command *c = noun->commands; c->noun; c++)
		if (c->verb && (!strcmp(c->verb, verb) || command_has_alias(c, verb)))
			return c;
	return NULL;
}
