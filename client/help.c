/* SPDX-License-Identifier: Apache-2.0 */
/* Help at the terminal, made from the command table. */
#include "client/help.h"

#include <string.h>

#include "core/base/text.h"

static void heading(struct cli *c, const char *text)
{
	fprintf(c->out.file, "\n%s%s%s\n", term_paint(&c->out, PAINT_BOLD), text,
		term_paint(&c->out, PAINT_NONE));
}

static unsigned text_width(const struct cli *c)
{
	return c->out.width && c->out.width < 100 ? c->out.width : 90;
}

void help_paragraphs(struct cli *c, const char *text, unsigned indent)
{
	unsigned at = 0, width = text_width(c);
	while (*text) {
		bool is_kept = *text == ' ' && at == 0; /* a line that begins with a space stays */
		size_t bytes = is_kept ? strcspn(text, "\n") : strcspn(text, " \n");
		if (at && at + 1 + bytes > width) {
			fputc('\n', c->out.file);
			at = 0;
		}
		at += (unsigned)fprintf(c->out.file, "%*s%.*s", at ? 1 : (int)indent, "",
					(int)bytes, text);
		text += bytes;
		bool is_last = text[0] == '\n' && text[1] == '\n'; /* of its paragraph */
		if (is_kept || is_last) {
			fputs(is_last ? "\n\n" : "\n", c->out.file);
			at = 0;
		}
		text += *text ? 1 : 0;
		text += *text == '\n' ? 1 : 0;
	}
	if (at)
		fputc('\n', c->out.file);
}

/* "  left          right", the right column wrapped. */
static void pair(struct cli *c, const char *left, const char *right, unsigned column)
{
	unsigned width = text_width(c);
	unsigned at = (unsigned)fprintf(c->out.file, "  %-*s ", (int)column - 3, left);
	while (*right) {
		size_t bytes = strcspn(right, " ");
		if (at > column && at + 1 + bytes > width) {
			fprintf(c->out.file, "\n%*s", (int)column, "");
			at = column;
		}
		at += (unsigned)fprintf(c->out.file, "%s%.*s", at > column ? " " : "", (int)bytes,
					right);
		right += bytes + (right[bytes] ? 1 : 0);
	}
	fputc('\n', c->out.file);
}

/* The flag as help shows it: "-o, --output FORMAT". */
static void help_flag_name(const struct flag *f, char *to, size_t room)
{
	char letter[8] = "";
	if (f->letter)
		snprintf(letter, sizeof(letter), "-%c, ", f->letter);
	snprintf(to, room, "%s--%s%s%s", letter, f->name, flag_has_value(f) ? " " : "",
		 flag_has_value(f) && f->value ? f->value : "");
}

void help_synopsis(const struct command *cmd, char *to, size_t room)
{
	size_t n = (size_t)snprintf(to, room, "berthctl %s%s%s", cmd->noun, cmd->verb ? " " : "",
				    cmd->verb ? cmd->verb : "");
	for (const struct operand *o = cmd->operands; o->name && n < room; o++) {
		bool is_maybe = o->need == OPERAND_MAYBE;
		n += (size_t)snprintf(to + n, room - n, " %s%s%s%s", is_maybe ? "[" : "", o->name,
				      is_maybe ? "]" : "", o->need == OPERAND_MANY ? "..." : "");
	}
	if (n < room)
		snprintf(to + n, room - n, " [flags]");
}

static void flag_lines(struct cli *c, const struct flag *flags)
{
	for (const struct flag *f = flags; f->name; f++) {
		char name[128];
		if (f->kind == FLAG_REFUSED)
			continue;
		help_flag_name(f, name, sizeof(name));
		pair(c, name, f->help, 30);
	}
}

static void example_lines(struct cli *c, const struct command *cmd)
{
	heading(c, "Examples");
	for (size_t i = 0; i < EXAMPLE_MAX && cmd->examples[i].line; i++)
		fprintf(c->out.file, "  # %s\n  %s\n", cmd->examples[i].what,
			cmd->examples[i].line);
}

int help_command(struct cli *c, const struct command *cmd)
{
	struct flag_group all[FLAG_GROUP_MAX];
	size_t groups = command_flag_groups(cmd, all);
	char line[512];
	fprintf(c->out.file, "%s.\n", cmd->summary);
	heading(c, "Usage");
	help_synopsis(cmd, line, sizeof(line));
	fprintf(c->out.file, "  %s\n", line);
	if (cmd->aliases)
		fprintf(c->out.file, "  other names: %s\n", cmd->aliases);
	if (cmd->details) {
		fputc('\n', c->out.file);
		help_paragraphs(c, cmd->details, 0);
	}
	if (cmd->operands[0].name)
		heading(c, "Operands");
	for (const struct operand *o = cmd->operands; o->name; o++)
		pair(c, o->name, o->help, 30);
	for (size_t i = 0; i < groups; i++) {
		heading(c, all[i].title);
		flag_lines(c, all[i].flags);
	}
	example_lines(c, cmd);
	return EXIT_OK;
}

int help_noun(struct cli *c, const struct noun *noun)
{
	if (noun_is_command(noun))
		return help_command(c, noun->commands);
	fprintf(c->out.file, "%s.\n", noun->summary);
	heading(c, "Commands");
	for (const struct command *cmd = noun->commands; cmd->noun; cmd++) {
		char left[64];
		if (cmd->traits & CMD_HIDDEN)
			continue;
		snprintf(left, sizeof(left), "%s %s", cmd->noun, cmd->verb);
		pair(c, left, cmd->summary, 30);
	}
	fprintf(c->out.file, "\n`berthctl %s VERB --help` has flags and examples.\n", noun->name);
	return EXIT_OK;
}

int help_all(struct cli *c)
{
	fputs("berthctl: manage image registries through berthd.\n", c->out.file);
	heading(c, "Usage");
	fputs("  berthctl NOUN VERB [NAME] [flags]\n", c->out.file);
	heading(c, "Commands");
	for (const struct noun *const *n = nouns; *n; n++)
		pair(c, (*n)->name, (*n)->summary, 16);
	heading(c, "Global flags");
	struct flag_group all[FLAG_GROUP_MAX];
	command_flag_groups(NULL, all);
	flag_lines(c, all[0].flags);
	heading(c, "Topics");
	for (const struct topic *t = topics; t->name; t++)
		pair(c, t->name, t->summary, 16);
	heading(c, "Begin with");
	fputs("  berthctl integration add hub --kind dockerreg --address https://registry.example\n"
	      "  berthctl space list\n"
	      "  berthctl help topic quick-start\n",
	      c->out.file);
	return EXIT_OK;
}
