/* SPDX-License-Identifier: Apache-2.0 */
/* Prints the example configuration or the manual page berth.conf(5), from the
 * same table that the parser reads. Runs at build time.
 *
 *	conf_gen file | conf_gen man
 */
#include <stdio.h>
#include <string.h>

#include "core/conf/settings.h"

/* "from 1 to 20 seconds", "true or false", ... */
static void print_values(const struct config_option *o, FILE *to)
{
	switch (o->type) {
	case OPTION_U32:
	case OPTION_U64:
		fprintf(to, "%llu to %llu%s%s", (unsigned long long)o->min,
			(unsigned long long)o->max, o->unit ? " " : "", o->unit ? o->unit : "");
		return;
	case OPTION_BOOL:
		fputs("true or false", to);
		return;
	case OPTION_TEXT:
		fprintf(to, "a text of %llu to %llu bytes", (unsigned long long)o->min,
			(unsigned long long)o->max);
		return;
	case OPTION_LEVEL:
		fputs("\"error\", \"warning\", \"info\" or \"debug\"", to);
		return;
	case OPTION_CIDRS:
		fprintf(to, "at most %llu networks such as \"10.0.0.0/8\"",
			(unsigned long long)o->max);
		return;
	}
}

static const char *parent_end(const char *section)
{
	return strchr(section, '.');
}

static bool same_parent(const char *a, const char *b)
{
	const char *dot = parent_end(a);
	return dot && parent_end(b) && !strncmp(a, b, (size_t)(dot - a) + 1);
}

/* The lines that open a section, its parent's first. */
static void open_section(const struct config_option *o, const struct config_option *before)
{
	const char *dot = parent_end(o->section);
	bool is_same = before && same_parent(o->section, before->section);
	if (dot && !is_same)
		printf("\n%.*s:\n{", (int)(dot - o->section), o->section);
	printf("\n%s# %s.\n", dot ? "\t" : "", settings_section_help(o->section));
	printf("%s%s:\n%s{\n", dot ? "\t" : "", dot ? dot + 1 : o->section, dot ? "\t" : "");
}

static void close_section(const struct config_option *o, const struct config_option *after)
{
	bool is_nested = parent_end(o->section) != NULL;
	printf("%s};\n", is_nested ? "\t" : "");
	if (is_nested && (!after->section || !same_parent(o->section, after->section)))
		puts("};");
}

static bool is_new(const struct config_option *o, const struct config_option *other)
{
	return !other || !other->section || strcmp(o->section, other->section) != 0;
}

static void print_file(void)
{
	const struct config_option *before = NULL;
	puts("# Configuration of berthd, see berth.conf(5). Every key is shown with its default;\n"
	     "# take the # away to change one. Files in berth.conf.d, *.conf in name order, are\n"
	     "# read after this one. `berthd --check` says whether all is right.");
	for (const struct config_option *o = settings_options; o->section; before = o++) {
		const char *tab = parent_end(o->section) ? "\t\t" : "\t";
		if (is_new(o, before))
			open_section(o, before);
		printf("%s# %s: ", tab, o->help);
		print_values(o, stdout);
		printf("%s.\n%s#%s = %s;\n", o->is_reloadable ? "" : "; needs a restart", tab,
		       o->key, o->deflt);
		if (is_new(o, o + 1))
			close_section(o, o + 1);
	}
}

static const char man_head[] =
	".\\\" SPDX-License-Identifier: Apache-2.0\n"
	".\\\" Made by docs/conf_gen.c from core/conf/options.c.\n"
	".Dd November 22, 2026\n.Dt BERTH.CONF 5\n.Os Berth\n.Sh NAME\n.Nm berth.conf\n"
	".Nd configuration of berthd\n.Sh SYNOPSIS\n.Pa /etc/berth/berth.conf\n"
	".Pa /etc/berth/berth.conf.d/*.conf\n.Sh DESCRIPTION\n"
	"The file has sections of keys, in the syntax of libconfig:\n"
	".Bd -literal -offset indent\n"
	"net:\n{\n\tconnect_ms = 5000;\n};\nnetworks:\n{\n\tworkspace:\n\t{\n"
	"\t\tallow = [ \"10.20.0.0/16\" ];\n\t};\n};\n.Ed\n.Pp\n"
	"Every key has a default, so that a file with nothing but a comment is right.\n"
	"Files in\n.Pa berth.conf.d\nwhose name ends with\n.Ql .conf\n"
	"are read after it in the order of their names, and say the last word.\n"
	"A file must be regular, at most 1 MiB, owned by root or by the user that runs\n"
	".Xr berthd 8 ,\nand writable by its owner alone.\n.Ql @include\nis refused.\n.Pp\n"
	"A file that is wrong is refused with its name, the line and what was expected;\n"
	".Xr berthd 8\nthen does not start (exit status 78), or keeps the configuration that\n"
	"it has.\n.Pp\n"
	"Plugins' limits are those of\n.Sy net ;\nthe worker reads\n.Sy jobs\nitself.\n"
	"The manual names what takes effect only when berthd is started anew.\n";

static void print_man(void)
{
	const struct config_option *before = NULL;
	fputs(man_head, stdout);
	for (const struct config_option *o = settings_options; o->section; before = o++) {
		if (is_new(o, before))
			printf(".Sh SECTION %s\n%s.\n.Bl -tag -width Ds\n", o->section,
			       settings_section_help(o->section));
		printf(".It Sy %s\n%s.\nValues: ", o->key, o->help);
		print_values(o, stdout);
		printf(".\nDefault: %s.\n", o->deflt);
		if (!o->is_reloadable)
			puts("Takes effect when berthd is started anew.");
		if (is_new(o, o + 1))
			puts(".El");
	}
	puts(".Sh SEE ALSO\n.Xr berthctl 1 ,\n.Xr berthd 8");
}

int main(int argc, char **argv)
{
	if (argc == 2 && !strcmp(argv[1], "file"))
		print_file();
	else if (argc == 2 && !strcmp(argv[1], "man"))
		print_man();
	else
		return fputs("usage: conf_gen file|man\n", stderr), 2;
	return 0;
}
