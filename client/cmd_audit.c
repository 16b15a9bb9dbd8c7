/* SPDX-License-Identifier: Apache-2.0 */
/* audit: who did what. */
#include <string.h>

#include "client/cmd.h"
#include "client/show.h"
#include "core/base/clock.h"
#include "core/base/text.h"

static const struct flag list_flags[] = {
	{"user", 'u', FLAG_TEXT, "NAME", "done by this user, by name or number", .query = "user"},
	{"action", 'a', FLAG_TEXT, "ACTION", "this action; * stands for anything",
	 .query = "action"},
	{"resource", 'r', FLAG_TEXT, "PATH", "done to this path; * stands for anything",
	 .query = "resource"},
	{"result", 0, FLAG_TEXT, "RESULT", "accepted, succeeded, denied, failed, ...",
	 .query = "result"},
	{"since", 0, FLAG_TEXT, "TIME", "from then on: 2026-01-31T12:00:00Z", .query = "since"},
	{"until", 0, FLAG_TEXT, "TIME", "before then", .query = "until"},
	{"last", 0, FLAG_SECONDS, "TIME", .help = "within this time: 90m, 24h, 7d"},
	{"search", 'q', FLAG_TEXT, "TEXT", "rows that have this text anywhere", .query = "q"},
	{0},
};

/* --last is --since, counted from now. */
static int list(struct cli *c)
{
	struct berth_error err = ERROR_INIT;
	char since[CLOCK_TEXT_ROOM];
	if (!cli_has(c, "last"))
		return run_list(c);
	if (cli_has(c, "since"))
		return cli_usage(c, "--since and --last say the same: give one of them");
	clock_format(clock_unix_ms() - (int64_t)cli_count(c, "last", 0) * 1000, since);
	char *path = path_with_flags(c, strdup("/v1/audit"));
	AUTO_FREE char *full = path ? api_query(path, "since", since) : NULL;
	return full ? list_path(c, full) : cli_report(c, (berth_fail_memory(&err), &err));
}

static const struct column audit_columns[] = {
	{"NUMBER", "number", COL_COUNT, false},
	{"TIME", "at", COL_TIME, false},
	{"BY", "user", COL_TEXT, false},
	{"ACTION", "action", COL_TEXT, false},
	{"RESULT", "result", COL_STATE, false},
	{"RESOURCE", "resource", COL_LONG, false},
	{"UID", "uid", COL_TEXT, true},
	{"GROUPS", "groups", COL_LONG, true},
	{"REQUEST", "request", COL_TEXT, true},
	{"DETAIL", "detail", COL_LONG, true},
	{0},
};

static int verify(struct cli *c)
{
	struct berth_error err = ERROR_INIT;
	AUTO_JSON json_t *verdict = NULL;
	if (api_get(c, "/v1/audit/verify", &verdict, &err))
		return cli_report(c, &err);
	bool is_good = js_bool(verdict, "ok", false);
	int status = show_machine(c, verdict);
	if (status < 0 && is_good)
		fprintf(c->out.file, "%lld rows, an unbroken chain\n",
			(long long)js_int(verdict, "rows", 0));
	if (is_good)
		return EXIT_OK;
	cli_usage(c, "the audit trail was changed: row %lld does not fit: %s",
		  (long long)js_int(verdict, "first_bad", 0), js_str(verdict, "message", ""));
	return EXIT_FINDINGS;
}

const struct command audit_commands[] = {
	{
		.noun = "audit",
		.verb = "list",
		.aliases = "ls",
		.summary = "List who did what and what was refused, newest first",
		.details = "The detail has what was asked, with secrets masked, and what the "
			   "resource was before and is after.",
		.flags = list_flags,
		.examples = {{"berthctl audit list --limit 50", "the last fifty"},
			     {"berthctl audit list --user alice --last 24h",
			      "what alice did since yesterday"},
			     {"berthctl audit list --resource '/v1/spaces/*' --action '*delete*'",
			      "who deleted what of spaces"},
			     {"berthctl audit list --filter 'result eq \"denied\"' -o csv",
			      "refusals, for a spreadsheet"}},
		.method = "GET",
		.route = "/v1/audit",
		.traits = CMD_LISTS | CMD_QUERIES,
		.columns = audit_columns,
		.name_path = "number",
		.run = list,
	},
	{
		.noun = "audit",
		.verb = "verify",
		.summary = "Check that no row of the audit trail was altered, taken out or put in",
		.details = "Each row's hash covers the one before. Exit 10 says that the chain is "
			   "broken, and at which row.",
		.examples = {{"berthctl audit verify", "walks the whole chain"},
			     {"berthctl audit verify || mail -s 'audit trail' admin </dev/null",
			      "in a timer"}},
		.method = "GET",
		.route = "/v1/audit/verify",
		.run = verify,
	},
	{0},
};
