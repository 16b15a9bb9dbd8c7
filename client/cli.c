/* SPDX-License-Identifier: Apache-2.0 */
/* One run: parse, open the terminals, run the command, say what went wrong. */
#include "client/cli.h"

#include <string.h>

#include "client/api.h"
#include "client/cmd.h"
#include "client/dial.h"
#include "client/help.h"
#include "client/short_id.h"

/* Words that are for programs and not in the table: completion, the far end of
 * ssh, the manual pages. -1: it is none of these. */
static int run_hidden(struct cli *c, int argc, char **argv)
{
	if (argc < 2)
		return -1;
	if (!strcmp(argv[1], "__complete"))
		return complete_words(c, argc - 2, argv + 2);
	if (!strcmp(argv[1], "--man"))
		return man_print(c, argc > 2 ? argv[2] : NULL);
	if (strcmp(argv[1], "__bridge") != 0)
		return -1;
	int status = cli_parse(c, argc - 1, argv + 1);
	return status >= 0 ? status : dial_bridge(c);
}

static int run_help(struct cli *c)
{
	struct pager pager = {0};
	if (!cli_has(c, "no-pager"))
		term_pager_start(&pager, &c->out);
	int status = c->command ? help_command(c, c->command)
		     : c->noun  ? help_noun(c, c->noun)
				: help_all(c);
	term_pager_stop(&pager, &c->out);
	return status;
}

static int run(struct cli *c, int argc, char **argv)
{
	int status = run_hidden(c, argc, argv);
	if (status >= 0)
		return status;
	status = cli_parse(c, argc, argv);
	term_open(&c->out, c->out.file, cli_flag(c, "color", "auto"));
	term_open(&c->err, c->err.file, cli_flag(c, "color", "auto"));
	if (status >= 0)
		return status;
	if (c->wants_help || (!c->noun && argc < 2))
		return run_help(c);
	if (!c->noun) {
		cli_usage(c, "no command was given");
		cli_hint(c, "berthctl help");
		return EXIT_USAGE;
	}
	if (!c->command) {
		cli_usage(c, "%s needs a verb", c->noun->name);
		cli_hint(c, "berthctl %s --help", c->noun->name);
		return EXIT_USAGE;
	}
	status = short_ids_given(c);
	if (status < 0)
		status = c->command->run(c);
	if (status == EXIT_NOT_FOUND)
		suggest_name(c);
	return status;
}

int cli_main(int argc, char **argv, FILE *in, FILE *out, FILE *err)
{
	struct cli c = {.in = in, .fd = -1, .losses = js_losses()};
	term_open(&c.out, out, "auto");
	term_open(&c.err, err, "auto");
	int status = run(&c, argc, argv);
	if (status == EXIT_OK && js_losses() != c.losses) {
		cli_usage(&c, "out of memory: what was printed may lack something");
		status = EXIT_ERROR;
	}
	cli_fault_print(&c);
	api_disconnect(&c);
	json_decref(c.problem);
	json_decref(c.whole_ids);
	free(c.target);
	free(c.head);
	free(c.text);
	bool is_written = fflush(out) == 0 && !ferror(out);
	fflush(err);
	return status == EXIT_OK && !is_written ? EXIT_ERROR : status;
}
