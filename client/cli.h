/* SPDX-License-Identifier: Apache-2.0 */
/* One run of berthctl: what was typed, where to write, and the connection to
 * the daemon. Every handler gets this and returns an exit code.
 */
#ifndef CLIENT_CLI_H
#define CLIENT_CLI_H

#include <stdint.h>

#include "client/command.h"
#include "client/http.h"
#include "client/term.h"
#include "core/base/js.h"

/* Stable; in the manual; tests/e2e/test_cli.py holds them. */
enum exit_code {
	EXIT_OK = 0,
	EXIT_ERROR = 1,
	EXIT_USAGE = 2,
	EXIT_NOT_FOUND = 3,
	EXIT_NOT_ALLOWED = 4,
	EXIT_CONFLICT = 5,
	EXIT_NO_DAEMON = 6,
	EXIT_TIMEOUT = 7,
	EXIT_UPSTREAM = 8,
	EXIT_PARTLY = 9,
	EXIT_FINDINGS = 10,
	EXIT_INTERRUPTED = 130,
};

enum format {
	FORMAT_TABLE,
	FORMAT_WIDE,
	FORMAT_JSON,
	FORMAT_YAML,
	FORMAT_NAME,
	FORMAT_CSV,
	FORMAT_NDJSON,
	FORMAT_TEMPLATE,
	FORMAT_SARIF, /* of commands with CMD_SARIF alone */
};

struct given {
	const struct flag *flag;
	const char *text; /* NULL for flags without a value */
};
enum { GIVEN_MAX = 1024, OPERAND_COUNT_MAX = 256 };

struct cli {
	FILE *in;
	struct term out, err;
	unsigned losses; /* js_losses() at the start */
	/* what was typed */
	const struct noun *noun;
	const struct command *command;
	struct given given[GIVEN_MAX];
	size_t given_count;
	const char *operands[OPERAND_COUNT_MAX];
	size_t operand_count;
	bool wants_help;
	enum format format;
	const char *template; /* of -o template= */
	/* the daemon */
	struct http http;
	int fd; /* -1: not connected */
	int bridge_pid;
	uint32_t budget_ms; /* of each call; 0: the usual */
	char *target;       /* socket path or ssh://host, for messages; owned */
	/* the last answer */
	json_t *problem; /* NULL, or what the daemon said went wrong; owned */
	json_t *fault;   /* NULL, or with -o json or ndjson what went wrong, unsaid yet; owned */
	char request_id[72];
	char told_request[72]; /* of the error that was said last, whose line is not printed yet */
	char etag[128];
	int status;
	char *head;         /* status line and headers; owned */
	int64_t last_event; /* id of the last line of a stream; 0: none, or it has no ids */
	json_t *whole_ids;  /* array: texts of ids that were typed short; owned; or NULL */
	char *text;         /* a body that is no JSON, where the call takes one; owned */
};

/* Runs one command line; returns the exit code. */
int cli_main(int argc, char **argv, FILE *in, FILE *out, FILE *err);

/* What was typed. The text of a flag, or the fallback; the last one counts. */
const char *cli_flag(const struct cli *c, const char *name, const char *fallback);
bool cli_has(const struct cli *c, const char *name);
uint64_t cli_count(const struct cli *c, const char *name, uint64_t fallback);
const char *cli_operand(const struct cli *c, size_t index); /* NULL: not given */
/* Puts each given flag that has a field into the request's body. Reads files
 * and secrets. */
MUST_USE int cli_fill_body(struct cli *c, json_t *body, struct berth_error *err);
/* Parses the command line into c: an exit code, or -1 to go on. */
int cli_parse(struct cli *c, int argc, char **argv);
/* "90", "15m", "8h" in seconds; "64k", "10MiB" in bytes. */
bool parse_seconds(const char *text, uint64_t *ret_s);
bool parse_bytes(const char *text, uint64_t *ret_bytes);

/* Say what went wrong, and the exit code that it means: lines for a person; with -o json and
 * ndjson one document, a problem as the daemon sent it or one of code, detail, cause and hint,
 * printed when the next one comes or cli_fault_print is called. */
int cli_usage(struct cli *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Prints err, or the daemon's problem document where there is one. An err that says nothing
 * is of a text that the caller had no memory for. */
int cli_report(struct cli *c, const struct berth_error *err);
/* What to do next: part of what went wrong just now, or a line of its own. */
void cli_hint(struct cli *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
int cli_no_memory(struct cli *c);
void cli_fault_print(struct cli *c);
/* A remark on stderr, for a person. */
void cli_note(struct cli *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* help.c */
int help_command(struct cli *c, const struct command *cmd);
int help_noun(struct cli *c, const struct noun *noun);
int help_all(struct cli *c);
void help_synopsis(const struct command *cmd, char *to, size_t room);

#endif
