/* SPDX-License-Identifier: Apache-2.0 */
/* The manual pages in mdoc, from the command table: berthctl(1) and one page
 * for each noun. The build writes them; see rules.mk.
 */
#include <string.h>

#include "client/help.h"
#include "core/base/text.h"

/* Text in which a leading dot, a quote or a backslash means itself. */
static void put_text(FILE *f, const char *s)
{
	bool is_start = true;
	for (; *s; s++) {
		if (is_start && (*s == '.' || *s == '\''))
			fputs("\\&", f);
		if (*s == '\\')
			fputs("\\e", f);
		else
			fputc(*s, f);
		is_start = *s == '\n';
	}
}

/* A sentence a line, as mdoc wants it. */
static void put_sentences(FILE *f, const char *s)
{
	const char *end;
	while ((end = strstr(s, ". ")) != NULL) {
		AUTO_FREE char *one = text_printf("%.*s\n", (int)(end - s) + 1, s);
		put_text(f, term_whole(one));
		s = end + 2;
	}
	put_text(f, s);
}

/* A text of the table as a sentence: a capital first, a full stop last. */
static void put_sentence(FILE *f, const char *s)
{
	bool is_word = *s >= 'a' && *s <= 'z' && s[1] != '(';
	if (is_word)
		fputc(*s - 32, f);
	put_text(f, is_word ? s + 1 : s);
	fputs(".\n", f);
}

static void paragraphs(FILE *f, const char *text)
{
	bool is_display = false, is_new = false;
	while (*text) {
		size_t bytes = strcspn(text, "\n");
		AUTO_FREE char *line = text_printf("%.*s", (int)bytes, text);
		bool is_code = *text == ' ';
		if (is_display && !is_code)
			fputs(".Ed\n", f);
		else if (!is_display && is_code)
			fputs(".Bd -literal -offset indent\n", f);
		else if (is_new && bytes)
			fputs(".Pp\n", f);
		is_new = !bytes;
		is_display = is_code;
		if (is_code)
			put_text(f, line ? line + 1 : term_whole(NULL));
		else
			put_sentences(f, term_whole(line));
		fputs(bytes ? "\n" : "", f);
		text += bytes + (text[bytes] ? 1 : 0);
	}
	if (is_display)
		fputs(".Ed\n", f);
}

static void head(FILE *f, const char *name, const char *summary)
{
	AUTO_FREE char *title = strdup(name);
	for (char *s = title; s && *s; s++)
		*s = *s >= 'a' && *s <= 'z' ? (char)(*s - 32) : *s;
	fprintf(f, ".Dd $Mdocdate$\n.Dt %s 1\n.Os Berth %s\n.Sh NAME\n.Nm %s\n.Nd ",
		term_whole(title), BERTH_VERSION, name);
	put_text(f, summary);
	fputc('\n', f);
}

static void flag_items(FILE *f, const struct flag *flags)
{
	fputs(".Bl -tag -width Ds\n", f);
	for (const struct flag *flag = flags; flag->name; flag++) {
		if (flag->kind == FLAG_REFUSED)
			continue;
		fputs(".It ", f);
		if (flag->letter)
			fprintf(f, "Fl %c , ", flag->letter);
		fprintf(f, "Fl -%s", flag->name);
		if (flag_has_value(flag))
			fprintf(f, " Ar %s", flag->value ? flag->value : "TEXT");
		fputc('\n', f);
		put_sentence(f, flag->help);
	}
	fputs(".El\n", f);
}

static void synopsis(FILE *f, const struct command *cmd)
{
	fprintf(f, ".Nm berthctl %s", cmd->noun);
	if (cmd->verb)
		fprintf(f, " %s", cmd->verb);
	fputc('\n', f);
	for (const struct operand *o = cmd->operands; o->name; o++)
		fprintf(f, o->need == OPERAND_MAYBE ? ".Op Ar %s\n" : ".Ar %s\n", o->name);
	fputs(".Op Ar flags\n", f);
}

static void command_section(FILE *f, const struct command *cmd)
{
	struct flag_group all[FLAG_GROUP_MAX];
	size_t groups = command_flag_groups(cmd, all);
	fprintf(f, ".Ss %s%s%s\n", cmd->noun, cmd->verb ? " " : "", cmd->verb ? cmd->verb : "");
	put_text(f, cmd->summary);
	fputs(".\n", f);
	if (cmd->aliases)
		fprintf(f, "Other names: %s.\n", cmd->aliases);
	if (cmd->details) {
		fputs(".Pp\n", f);
		paragraphs(f, cmd->details);
	}
	if (cmd->operands[0].name) {
		fputs(".Bl -tag -width Ds\n", f);
		for (const struct operand *o = cmd->operands; o->name; o++) {
			fprintf(f, ".It Ar %s\n", o->name);
			put_sentence(f, o->help);
		}
		fputs(".El\n", f);
	}
	for (size_t i = 0; i + 1 < groups; i++) /* the global ones are in berthctl(1) */
		flag_items(f, all[i].flags);
	fputs(".Pp\nExamples:\n.Bd -literal -offset indent\n", f);
	for (size_t i = 0; i < EXAMPLE_MAX && cmd->examples[i].line; i++) {
		fprintf(f, "# %s\n", cmd->examples[i].what);
		put_text(f, cmd->examples[i].line);
		fputc('\n', f);
	}
	fputs(".Ed\n", f);
	if (cmd->route)
		fprintf(f, ".Pp\nIt calls\n.Li %s %s .\n", cmd->method, cmd->route);
}

/* The noun whose name comes next after that one; NULL: none. */
static const struct noun *noun_after(const char *name)
{
	const struct noun *next = NULL;
	for (const struct noun *const *n = nouns; *n; n++)
		if (strcmp((*n)->name, name) > 0 && (!next || strcmp((*n)->name, next->name) < 0))
			next = *n;
	return next;
}

static void see_also(FILE *f)
{
	fputs(".Sh SEE ALSO\n", f);
	for (const struct noun *n = noun_after(""); n; n = noun_after(n->name))
		fprintf(f, ".Xr berthctl-%s 1 ,\n", n->name);
	fputs(".Xr berth.conf 5 ,\n.Xr berth-api 7 ,\n.Xr berthd 8\n", f);
}

static void noun_page(FILE *f, const struct noun *noun)
{
	AUTO_FREE char *name = text_printf("berthctl-%s", noun->name);
	head(f, term_whole(name), noun->summary);
	fputs(".Sh SYNOPSIS\n", f);
	for (const struct command *cmd = noun->commands; cmd->noun; cmd++)
		if (!(cmd->traits & CMD_HIDDEN))
			synopsis(f, cmd);
	fputs(".Sh DESCRIPTION\n", f);
	for (const struct command *cmd = noun->commands; cmd->noun; cmd++)
		if (!(cmd->traits & CMD_HIDDEN))
			command_section(f, cmd);
	fputs(".Pp\nGlobal flags, output formats and exit codes are in\n.Xr berthctl 1 .\n"
	      ".Sh SEE ALSO\n.Xr berthctl 1 ,\n.Xr berth-api 7\n",
	      f);
}

static void main_page(FILE *f)
{
	struct flag_group all[FLAG_GROUP_MAX];
	command_flag_groups(NULL, all);
	head(f, "berthctl", "manage image registries through berthd");
	fputs(".Sh SYNOPSIS\n.Nm\n.Ar NOUN\n.Op Ar VERB\n.Op Ar NAME ...\n.Op Ar flags\n"
	      ".Sh DESCRIPTION\n.Nm\ntalks to\n.Xr berthd 8\nover its control socket.\n"
	      "The nouns are those of the API; each has a page of its own:\n"
	      ".Bl -tag -width integration\n",
	      f);
	for (const struct noun *const *n = nouns; *n; n++)
		fprintf(f, ".It Xr berthctl-%s 1\n%s.\n", (*n)->name, (*n)->summary);
	fputs(".El\n.Sh OPTIONS\n", f);
	flag_items(f, all[0].flags);
	for (const struct topic *t = topics; t->name; t++) {
		if (!t->text)
			continue;
		fputs(".Sh ", f);
		for (const char *s = t->name; *s; s++)
			fputc(*s >= 'a' && *s <= 'z' ? *s - 32 : *s == '-' ? ' ' : *s, f);
		fputc('\n', f);
		paragraphs(f, t->text);
	}
	fputs(".Sh ENVIRONMENT\n.Bl -tag -width Ds\n", f);
	for (const struct variable *v = variables; v->name; v++)
		fprintf(f, ".It Ev %s\n%s.\n", v->name, v->what);
	fputs(".El\n.Sh FILES\n.Bl -tag -width Ds\n.It Pa /run/berth/berth.sock\n"
	      "The control socket.\n.It Pa $XDG_CONFIG_HOME/berth/config\nContexts.\n.El\n"
	      ".Sh EXIT STATUS\n.Bl -tag -width 130\n",
	      f);
	for (const struct exit_text *e = exit_texts; e->what; e++)
		fprintf(f, ".It %d\n%s.\n", e->code, e->what);
	fputs(".El\n", f);
	see_also(f);
}

int man_print(struct cli *c, const char *noun_name)
{
	const struct noun *noun = noun_name ? noun_find(noun_name) : NULL;
	if (noun_name && !strcmp(noun_name, "--list")) {
		for (const struct noun *const *n = nouns; *n; n++)
			fprintf(c->out.file, "%s\n", (*n)->name);
		return EXIT_OK;
	}
	if (noun_name && !noun)
		return cli_usage(c, "there is no noun '%s'", noun_name);
	if (noun)
		noun_page(c->out.file, noun);
	else
		main_page(c->out.file);
	return EXIT_OK;
}
