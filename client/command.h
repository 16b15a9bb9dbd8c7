/* SPDX-License-Identifier: Apache-2.0 */
/* The command table: every noun and verb with its operands, flags, examples,
 * columns, API route and handler. It drives parsing, help, did-you-mean,
 * completions and the manual pages, so none of them can disagree.
 */
#ifndef CLIENT_COMMAND_H
#define CLIENT_COMMAND_H

#include <stdbool.h>
#include <stddef.h>

struct cli;

/* What an operand or a flag's value names: completion asks the daemon for it. */
enum names {
	NAMES_NONE,
	NAMES_FILE,
	NAMES_INTEGRATION,
	NAMES_SPACE,      /* INTEGRATION/SPACE */
	NAMES_REPOSITORY, /* INTEGRATION/REPOSITORY */
	NAMES_REFERENCE,  /* INTEGRATION/REPOSITORY:TAG */
	NAMES_LOGIN,
	NAMES_SYNC,
	NAMES_WORKSPACE,
	NAMES_ROLE,
	NAMES_PERMISSION,
	NAMES_CLUSTER,
	NAMES_OPERATION,
	NAMES_PLAN, /* of the rule that operand 0 names */
	NAMES_RUN,  /* likewise */
	NAMES_PLUGIN,
	NAMES_CONTEXT,
	NAMES_COMMAND,
	NAMES_TOPIC,
	NAMES_SHELL,
};

enum flag_kind {
	FLAG_TRUE,    /* no value; means true */
	FLAG_FALSE,   /* no value; means false (--insecure for tls.verify) */
	FLAG_TEXT,    /* any text */
	FLAG_CHOICE,  /* one of choices */
	FLAG_COUNT,   /* whole number */
	FLAG_SECONDS, /* 90, 90s, 15m, 8h, 7d */
	FLAG_BYTES,   /* 1048576, 64k, 10M, 2GiB */
	FLAG_LIST,    /* may be repeated */
	FLAG_PAIR,    /* KEY=VALUE, may be repeated; true, false and numbers are taken as such */
	FLAG_FILE,    /* a file whose text is meant */
	FLAG_SECRET,  /* a file, - (stdin) or credential:NAME that holds a secret */
	FLAG_REFUSED, /* would put a secret on the command line; help says what to use */
};

struct flag {
	const char *name; /* without the dashes */
	char letter;      /* 0: none */
	enum flag_kind kind;
	const char *value;   /* its value's name in help: "URL" */
	const char *help;    /* one sentence, no period */
	const char *field;   /* where it goes in the request's body ("tls.ca"), or NULL */
	const char *query;   /* which query parameter it is, or NULL */
	const char *choices; /* FLAG_CHOICE: words separated by spaces */
	enum names names;
	const char *field_alone; /* FLAG_LIST: the member that stands for a list of one, or NULL */
};

enum operand_need { OPERAND_ONE, OPERAND_MAYBE, OPERAND_MANY };
struct operand {
	const char *name; /* "NAME"; NULL ends the list */
	enum operand_need need;
	enum names names;
	const char *help;
};

enum column_kind {
	COL_TEXT,
	COL_LONG,   /* text that may be cut to the terminal's width */
	COL_STATE,  /* a word that may be painted */
	COL_BYTES,  /* 1.5 GiB at a terminal */
	COL_COUNT,  /* a number, or how many items an array has */
	COL_TIME,   /* "3 min ago" at a terminal, RFC 3339 otherwise */
	COL_ID,     /* short at a terminal's tables, whole otherwise */
	COL_DIGEST, /* short at a terminal, whole otherwise */
	COL_YES,    /* yes or no */
	COL_SECONDS,
	COL_TARGETS,   /* a rule's only target, or all of several */
	COL_COUNT_SET, /* a number where 0 stands for not set */
	COL_BYTES_SET, /* a size where 0 stands for not set */
	COL_AMOUNT,    /* of an operation's progress: bytes or a number, as its unit says */
};
struct column {
	const char *title; /* "NAME"; NULL ends the list */
	const char *path;  /* members separated by dots */
	enum column_kind kind;
	bool is_wide; /* -o wide and the detail view only */
};

/* What a command does, which decides the flags that it shares with others. */
enum {
	CMD_LISTS = 1,     /* --limit --watch */
	CMD_CHANGES = 2,   /* --dry-run */
	CMD_STARTS = 4,    /* an operation: --wait --no-wait --timeout --progress ... */
	CMD_ASKS = 8,      /* --yes */
	CMD_SHOWS = 16,    /* prints a resource: -o --columns --jq */
	CMD_HIDDEN = 32,   /* not in help */
	CMD_OFFLINE = 64,  /* never talks to the daemon */
	CMD_QUERIES = 128, /* --filter --sort, where the route takes them */
	CMD_SARIF = 256,   /* takes -o sarif */
	CMD_QUIET = 512,   /* shows progress only where --progress asks for it */
};

enum { EXAMPLE_MAX = 6, OPERAND_MAX = 3 };
struct example {
	const char *line, *what;
};

struct command {
	const char *noun, *verb; /* verb NULL: the noun is the whole command */
	const char *aliases;     /* other verbs, separated by spaces, or NULL */
	const char *summary;     /* imperative, no period */
	const char *details;     /* paragraphs for help and the manual; may be NULL */
	struct operand operands[OPERAND_MAX + 1];
	const struct flag *flags; /* ends with a NULL name; may be NULL */
	struct example examples[EXAMPLE_MAX];
	const char *method, *route; /* "/v1/integrations/{0}": {N} is operand N */
	unsigned traits;
	const struct column *columns;
	const char *name_path; /* what -o name prints; NULL: name */
	const char *name_else; /* what it prints of an item without that, or NULL */
	/* Returns the exit code, after having said what went wrong. */
	int (*run)(struct cli *c);
};

/* A noun and its commands; the table of tables is in table.c. */
struct noun {
	const char *name, *summary;
	const struct command *commands; /* ends with a NULL noun */
};
extern const struct noun *const nouns[];

extern const struct command api_commands[], apply_commands[], audit_commands[], cluster_commands[],
	context_commands[], completion_commands[], copy_commands[], daemon_commands[],
	diff_commands[], event_commands[], help_commands[], image_commands[],
	integration_commands[], login_commands[], maintain_commands[], operation_commands[],
	plugin_commands[], retention_commands[], role_commands[], scan_commands[], space_commands[],
	sync_commands[], version_commands[], workspace_commands[];

const struct noun *noun_find(const char *name);
/* The noun's command of that verb or alias; verb NULL: the one without. */
const struct command *command_find(const struct noun *noun, const char *verb);
bool command_has_alias(const struct command *cmd, const char *verb);
/* A noun with one command and no verb ("copy")? */
bool noun_is_command(const struct noun *noun);

/* The flag groups that the command has, its own first: at most room tables,
 * each ended by a NULL name; returns how many. */
struct flag_group {
	const char *title;
	const struct flag *flags;
};
enum { FLAG_GROUP_MAX = 8 };
size_t command_flag_groups(const struct command *cmd, struct flag_group *to);
/* By long name or letter, in the command's groups; cmd NULL: the global ones. */
const struct flag *command_flag(const struct command *cmd, const char *name, char letter);
/* Does the flag take a value? */
bool flag_has_value(const struct flag *flag);

#endif
