/* SPDX-License-Identifier: Apache-2.0 */
/* help and completion. */
#include <string.h>

#include "client/cmd.h"
#include "client/help.h"
#include "core/base/text.h"

static void print_table(struct cli *c, const char *name)
{
	if (!strcmp(name, "exit-codes"))
		for (const struct exit_text *e = exit_texts; e->what; e++)
			fprintf(c->out.file, "  %3d  %s\n", e->code, e->what);
	else
		for (const struct variable *v = variables; v->name; v++)
			fprintf(c->out.file, "  %-24s %s\n", v->name, v->what);
}

static int help_topic(struct cli *c, const char *name)
{
	const char *names[64];
	size_t n = 0;
	for (const struct topic *t = topics; t->name; t++) {
		if (name && !strcmp(t->name, name)) {
			fprintf(c->out.file, "%s.\n\n", t->summary);
			if (t->text)
				help_paragraphs(c, t->text, 0);
			else
				print_table(c, name);
			return EXIT_OK;
		}
		if (!name)
			fprintf(c->out.file, "  %-14s %s\n", t->name, t->summary);
		if (n + 1 < ARRAY_COUNT(names))
			names[n++] = t->name;
	}
	if (!name)
		return EXIT_OK;
	for (const struct noun *const *at = nouns; *at && n + 1 < ARRAY_COUNT(names); at++)
		names[n++] = (*at)->name;
	names[n] = NULL;
	const char *closest = text_closest(name, names);
	bool is_noun = closest && noun_find(closest);
	cli_usage(c, "there is no topic '%s'", name);
	if (closest)
		cli_hint(c, "did you mean `berthctl help %s%s`?", is_noun ? "" : "topic ", closest);
	else
		cli_hint(c, "berthctl help topic");
	return EXIT_USAGE;
}

static int help_on(struct cli *c)
{
	const char *noun_name = cli_operand(c, 0), *verb = cli_operand(c, 1);
	if (!noun_name)
		return help_all(c);
	if (!strcmp(noun_name, "topic") || !strcmp(noun_name, "topics"))
		return help_topic(c, verb);
	const struct noun *noun = noun_find(noun_name);
	if (!noun)
		return help_topic(c, noun_name);
	const struct command *cmd = verb ? command_find(noun, verb) : NULL;
	if (verb && !cmd) {
		cli_usage(c, "%s has no verb '%s'", noun_name, verb);
		cli_hint(c, "berthctl %s --help", noun_name);
		return EXIT_USAGE;
	}
	return cmd ? help_command(c, cmd) : help_noun(c, noun);
}

static int help(struct cli *c)
{
	struct pager pager = {0};
	if (!cli_has(c, "no-pager"))
		term_pager_start(&pager, &c->out);
	int status = help_on(c);
	term_pager_stop(&pager, &c->out);
	return status;
}

static int completion(struct cli *c)
{
	const char *script = completion_script(cli_operand(c, 0));
	if (!script)
		return cli_usage(c, "SHELL is one of bash, zsh, fish");
	fputs(script, c->out.file);
	return EXIT_OK;
}

const struct command help_commands[] = {
	{
		.noun = "help",
		.summary = "Show help on a noun, a command or a topic",
		.operands = {{"WHAT", OPERAND_MAYBE, NAMES_COMMAND, "a noun, or the word 'topic'"},
			     {"VERB", OPERAND_MAYBE, NAMES_TOPIC, "one of its verbs, or a topic"}},
		.examples = {{"berthctl help", "all nouns and topics"},
			     {"berthctl help integration add", "one command"},
			     {"berthctl help topic references", "how images are named"}},
		.traits = CMD_OFFLINE,
		.run = help,
	},
	{0},
};

const struct command completion_commands[] = {
	{
		.noun = "completion",
		.summary = "Print the completion script of a shell",
		.details = "The script asks `berthctl __complete` for words, so names are those "
			   "of the daemon at that moment. Where berthd cannot be reached, "
			   "commands and flags are completed all the same.",
		.operands = {{"SHELL", OPERAND_ONE, NAMES_SHELL, "bash, zsh or fish"}},
		.examples =
			{{"berthctl completion bash > ~/.local/share/bash-completion/completions/"
			  "berthctl",
			  "bash, for this user"},
			 {"berthctl completion zsh > \"${fpath[1]}/_berthctl\"", "zsh"},
			 {"berthctl completion fish > ~/.config/fish/completions/berthctl.fish",
			  "fish"}},
		.traits = CMD_OFFLINE,
		.run = completion,
	},
	{0},
};
