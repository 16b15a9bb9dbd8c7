/* SPDX-License-Identifier: Apache-2.0 */
/* berthd: the daemon; with --worker the process that does its jobs, with --hooks the
 * one that receives notifications. Reads the command line and nothing else.
 */
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "core/base/js.h"
#include "core/daemon/start.h"

static const char usage_text[] =
	"usage: berthd [--config FILE] [--plugins DIR] [--state-dir DIR [--run COMMAND [ARG...]]]\n"
	"       berthd --check | --init | --version | --help, with the same options\n"
	"\n"
	"  --config FILE     the configuration (default " BERTH_SYSCONFDIR "/berth/berth.conf;\n"
	"                    with --state-dir: none)\n"
	"  --plugins DIR     where the plugins are (default " BERTH_PLUGINDIR ")\n"
	"  --state-dir DIR   a private daemon: sockets and state under DIR, whoever starts\n"
	"                    it is its administrator, and it starts its own worker\n"
	"  --run COMMAND     end with COMMAND, and with its exit status; BERTH_SOCKET is set\n"
	"                    for it. One word alone is a line for the shell\n"
	"  --check           check the configuration, say what is used, and end\n"
	"  --init            make key and store, and end\n"
	"  --worker          do jobs (started by berthd or by the service manager)\n"
	"  --hooks           receive notifications of registries over HTTPS\n";

enum {
	O_CONFIG = 256,
	O_PLUGINS,
	O_STATE,
	O_RUN,
	O_CHECK,
	O_INIT,
	O_WORKER,
	O_HOOKS,
	O_VERSION,
	O_HELP
};

static const struct option options[] = {
	{"config", required_argument, NULL, O_CONFIG},
	{"plugins", required_argument, NULL, O_PLUGINS},
	{"state-dir", required_argument, NULL, O_STATE},
	{"run", no_argument, NULL, O_RUN},
	{"check", no_argument, NULL, O_CHECK},
	{"init", no_argument, NULL, O_INIT},
	{"worker", no_argument, NULL, O_WORKER},
	{"hooks", no_argument, NULL, O_HOOKS},
	{"version", no_argument, NULL, O_VERSION},
	{"help", no_argument, NULL, O_HELP},
	{NULL, 0, NULL, 0},
};

static int wrong_usage(const char *why)
{
	fprintf(stderr, "berthd: %s\n%s", why, usage_text);
	return EX_USAGE;
}

/* Takes one option; nonzero: the program ends with status - 1. */
static int take(struct start_options *o, int option)
{
	switch (option) {
	case O_CONFIG:
		o->config = optarg;
		return 0;
	case O_PLUGINS:
		o->plugin_dir = optarg;
		return 0;
	case O_STATE:
		o->state_dir = optarg;
		return 0;
	case O_RUN:
		o->is_captive = true;
		return 0;
	case O_CHECK:
		o->mode = START_CHECK;
		return 0;
	case O_INIT:
		o->mode = START_INIT;
		return 0;
	case O_WORKER:
		o->mode = START_WORKER;
		return 0;
	case O_HOOKS:
		o->mode = START_HOOKS;
		return 0;
	case O_VERSION:
		puts("berthd " BERTH_VERSION);
		return 1 + EX_OK;
	case O_HELP:
		fputs(usage_text, stdout);
		return 1 + EX_OK;
	default:
		fputs(usage_text, stderr);
		return 1 + EX_USAGE;
	}
}

int main(int argc, char **argv)
{
	struct start_options o = {.mode = START_DAEMON};

	js_count_losses(NULL);
	for (;;) {
		int option = getopt_long(argc, argv, "+", options, NULL);
		if (option < 0)
			break;
		int ended = take(&o, option);
		if (ended)
			return ended - 1;
		if (option == O_RUN)
			break;
	}
	if (o.is_captive)
		o.command = argv + optind;
	else if (optind < argc)
		return wrong_usage("it takes no operands");
	if (o.is_captive && (!o.state_dir || optind >= argc))
		return wrong_usage("--run needs --state-dir and a command");
	return start(&o);
}
