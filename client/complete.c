/* SPDX-License-Identifier: Apache-2.0 */
/* Completion: the scripts are static and ask `berthctl __complete WORDS...`,
 * whose last word is the one being typed. It prints a candidate a line with a
 * description after a tab; ":file" alone means file names. It never prints an
 * error and takes at most 200 ms.
 */
#include <string.h>

#include "client/cmd.h"
#include "core/base/text.h"

enum { BUDGET_MS = 200 };

static const char bash_script[] =
	"# bash completion for berthctl\n"
	"_berthctl() {\n"
	"	local cur words cword line\n"
	"	if declare -F _get_comp_words_by_ref >/dev/null; then\n"
	"		_get_comp_words_by_ref -n =: cur words cword\n"
	"	else\n"
	"		cur=${COMP_WORDS[COMP_CWORD]} words=(\"${COMP_WORDS[@]}\") cword=$COMP_CWORD\n"
	"	fi\n"
	"	COMPREPLY=()\n"
	"	while IFS= read -r line; do\n"
	"		if [ \"$line\" = :file ]; then\n"
	"			compopt -o filenames 2>/dev/null\n"
	"			while IFS= read -r line; do COMPREPLY+=(\"$line\"); done \\\n"
	"				< <(compgen -f -- \"$cur\")\n"
	"		else\n"
	"			COMPREPLY+=(\"${line%%$'\\t'*}\")\n"
	"		fi\n"
	"	done < <(berthctl __complete \"${words[@]:1:cword}\" 2>/dev/null)\n"
	"	if [ ${#COMPREPLY[@]} -eq 1 ]; then\n"
	"		case ${COMPREPLY[0]} in */ | *=) compopt -o nospace 2>/dev/null ;; esac\n"
	"	fi\n"
	"	if declare -F __ltrim_colon_completions >/dev/null; then\n"
	"		__ltrim_colon_completions \"$cur\"\n"
	"	fi\n"
	"}\n"
	"complete -F _berthctl berthctl\n";

static const char zsh_script[] =
	"#compdef berthctl\n"
	"_berthctl() {\n"
	"	local line word\n"
	"	local -a plain described\n"
	"	for line in \"${(@f)$(berthctl __complete \"${(@)words[2,CURRENT]}\" 2>/dev/null)}\"; "
	"do\n"
	"		[[ -z $line ]] && continue\n"
	"		if [[ $line = :file ]]; then _files; return; fi\n"
	"		word=${line%%$'\\t'*}\n"
	"		if [[ $line = *$'\\t'* ]]; then\n"
	"			described+=(\"${word//:/\\\\:}:${line#*$'\\t'}\")\n"
	"		else\n"
	"			plain+=(\"$word\")\n"
	"		fi\n"
	"	done\n"
	"	(( $#described )) && _describe berthctl described\n"
	"	(( $#plain )) && compadd -a plain\n"
	"}\n"
	"if [ \"$funcstack[1]\" = _berthctl ]; then _berthctl \"$@\"; else compdef _berthctl berthctl; "
	"fi\n";

static const char fish_script[] =
	"# fish completion for berthctl\n"
	"function __berthctl_complete\n"
	"	set -l words (commandline -opc) (commandline -ct)\n"
	"	set -l lines (berthctl __complete $words[2..-1] 2>/dev/null)\n"
	"	if test \"$lines\" = :file\n"
	"		__fish_complete_path (commandline -ct)\n"
	"	else\n"
	"		printf '%s\\n' $lines\n"
	"	end\n"
	"end\n"
	"complete -c berthctl -f -a '(__berthctl_complete)'\n";

const char *completion_script(const char *shell)
{
	if (!strcmp(shell, "bash"))
		return bash_script;
	if (!strcmp(shell, "zsh"))
		return zsh_script;
	return strcmp(shell, "fish") ? NULL : fish_script;
}

struct typed {
	struct cli *c;
	const char *word; /* the one being typed */
	const char *lead; /* what stands before its value: "--kind=" */
	size_t lead_bytes;
};

static void candidate(const struct typed *t, const char *word, const char *what)
{
	if (strncmp(word, t->word, strlen(t->word)) != 0)
		return;
	AUTO_FREE char *safe = term_escape(&t->c->out, word, false);
	if (safe)
		fprintf(t->c->out.file, "%.*s%s%s%s\n", (int)t->lead_bytes, t->lead, safe,
			what ? "\t" : "", what ? what : "");
}

static void take_name(void *user, const char *name)
{
	candidate(user, name, NULL);
}

static void of_kind(const struct typed *t, enum names kind)
{
	struct typed copy = *t;
	if (kind == NAMES_FILE)
		fputs(":file\n", t->c->out.file);
	else if (kind != NAMES_NONE)
		names_list(t->c, kind, t->word, BUDGET_MS, take_name, &copy);
}

static void of_flag_value(const struct typed *t, const struct flag *f)
{
	AUTO_FREE char *words = f->choices ? strdup(f->choices) : NULL;
	char *rest = NULL;
	for (char *w = words ? strtok_r(words, " ", &rest) : NULL; w;
	     w = strtok_r(NULL, " ", &rest))
		candidate(t, w, NULL);
	if (!f->choices)
		of_kind(t, f->names);
}

static void of_flags(const struct typed *t)
{
	struct flag_group all[FLAG_GROUP_MAX];
	size_t count = command_flag_groups(t->c->command, all);
	for (size_t i = 0; i < count; i++)
		for (const struct flag *f = all[i].flags; f->name; f++) {
			AUTO_FREE char *name = text_printf("--%s", f->name);
			if (name && f->kind != FLAG_REFUSED)
				candidate(t, name, f->help);
		}
}

static void of_words(const struct typed *t)
{
	const struct cli *c = t->c;
	if (!c->noun) {
		for (const struct noun *const *n = nouns; *n; n++)
			candidate(t, (*n)->name, (*n)->summary);
		return;
	}
	if (!c->command) {
		for (const struct command *cmd = c->noun->commands; cmd->noun; cmd++)
			if (!(cmd->traits & CMD_HIDDEN))
				candidate(t, cmd->verb, cmd->summary);
		return;
	}
	size_t at = 0;
	const struct operand *o = c->command->operands;
	while (o->name && at < c->operand_count && o->need != OPERAND_MANY) {
		o++;
		at++;
	}
	if (o->name)
		of_kind(t, o->names);
}

/* Takes the words before the one being typed; the flag that waits for a value. */
static const struct flag *take_words(struct cli *c, int argc, char **argv)
{
	const struct flag *open = NULL;
	for (int i = 0; i + 1 < argc; i++) {
		const char *word = argv[i];
		if (open) {
			if (c->given_count < GIVEN_MAX)
				c->given[c->given_count++] = (struct given){open, word};
			open = NULL;
		} else if (word[0] == '-' && word[1]) {
			bool is_long = word[1] == '-';
			open = command_flag(c->command, is_long ? word + 2 : NULL, word[1]);
			open = open && flag_has_value(open) && (is_long || !word[2]) ? open : NULL;
		} else if (!c->noun) {
			c->noun = noun_find(word);
			c->command = c->noun ? command_find(c->noun, NULL) : NULL;
			if (!c->noun)
				return NULL;
		} else if (!c->command) {
			c->command = command_find(c->noun, word);
		} else if (c->operand_count < OPERAND_COUNT_MAX) {
			c->operands[c->operand_count++] = word;
		}
	}
	return open;
}

int complete_words(struct cli *c, int argc, char **argv)
{
	struct typed t = {.c = c, .word = argc ? argv[argc - 1] : "", .lead = ""};
	const struct flag *open = take_words(c, argc, argv);
	const char *equals = strchr(t.word, '=');
	if (!open && !strncmp(t.word, "--", 2) && equals) {
		AUTO_FREE char *name = text_printf("%.*s", (int)(equals - t.word) - 2, t.word + 2);
		open = name ? command_flag(c->command, name, 0) : NULL;
		t.lead = t.word;
		t.lead_bytes = (size_t)(equals - t.word) + 1;
		t.word = equals + 1;
	}
	if (open)
		of_flag_value(&t, open);
	else if (*t.word == '-')
		of_flags(&t);
	else
		of_words(&t);
	return EXIT_OK;
}
