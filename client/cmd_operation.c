/* SPDX-License-Identifier: Apache-2.0 */
/* operation: work in progress and its outcome. */
#include <string.h>

#include "client/cmd.h"
#include "client/secret.h"
#include "client/show.h"
#include "core/base/text.h"

const struct column operation_columns[] = {
	{"ID", "id", COL_ID, false},
	{"KIND", "kind", COL_TEXT, false},
	{"STATE", "state", COL_STATE, false},
	{"DONE", "progress.done", COL_AMOUNT, true},
	{"TOTAL", "progress.total", COL_AMOUNT, true},
	{"STAGE", "progress.stage", COL_LONG, true},
	{"BY", "requester.name", COL_TEXT, false},
	{"RESOURCES", "resources", COL_LONG, true},
	{"ATTEMPTS", "attempts", COL_COUNT, true},
	{"CREATED", "created_at", COL_TIME, false},
	{"STARTED", "started_at", COL_TIME, true},
	{"UPDATED", "updated_at", COL_TIME, true},
	{"ERROR", "error.title", COL_LONG, false},
	{0},
};

static int attach(struct cli *c)
{
	struct berth_error err = ERROR_INIT;
	AUTO_JSON json_t *operation = NULL;
	AUTO_FREE char *path = api_route(c, "/v1/operations/{0}");
	if (!path || api_get(c, path, &operation, &err))
		return cli_report(c, &err);
	return operation_has_ended(operation) ? follow_outcome(c, operation, NULL)
					      : follow_operation(c, operation, NULL);
}

static int cancel(struct cli *c)
{
	struct berth_error err = ERROR_INIT;
	AUTO_JSON json_t *operation = NULL, *body = NULL;
	AUTO_FREE char *path = api_route(c, "/v1/operations/{0}");
	int status;
	if (!path || api_get(c, path, &operation, &err))
		return cli_report(c, &err);
	AUTO_FREE char *what =
		text_printf("This cancels operation %s (%s, %s).", cli_operand(c, 0),
			    js_str(operation, "kind", "?"), js_str(operation, "state", "?"));
	if (!confirm(c, what, &status))
		return status;
	struct api_call call = {.method = "DELETE", .path = path};
	if (api_send(c, &call, &body, &err))
		return cli_report(c, &err);
	cli_note(c, "berthd was asked to cancel operation %s", cli_operand(c, 0));
	bool is_person = c->format == FORMAT_TABLE || c->format == FORMAT_WIDE;
	return is_person || !body ? EXIT_OK : show_resource(c, body, NULL);
}

/* Copies a stream of lines to stdout: as JSON lines, or escaped for a person. */
static int log_lines(struct cli *c)
{
	AUTO_FREE char *path = api_route(c, "/v1/operations/{0}/log");
	return path ? stream_lines(c, path, NULL, "the operation wrote no messages")
		    : cli_no_memory(c);
}

#define THE_ID                                                                                     \
	{                                                                                          \
		"ID", OPERAND_ONE, NAMES_OPERATION, "the operation's id"                           \
	}

const struct command operation_commands[] = {
	{
		.noun = "operation",
		.verb = "list",
		.aliases = "ls",
		.summary = "List operations, running and ended",
		.examples = {{"berthctl operation list", "all that are kept"},
			     {"berthctl operation list --filter 'state eq \"running\"' --watch",
			      "what is going on"}},
		.method = "GET",
		.route = "/v1/operations",
		.traits = CMD_LISTS | CMD_QUERIES,
		.columns = operation_columns,
		.name_path = "id",
		.run = run_list,
	},
	{
		.noun = "operation",
		.verb = "show",
		.aliases = "get",
		.summary = "Show one operation",
		.operands = {THE_ID},
		.examples = {{"berthctl operation show 0b0ae5ee-6a1b-4c39-9f4c-0f6a3f0f4c11",
			      "its state, progress and result"},
			     {"berthctl operation show 0b0ae5ee-6a1b-4c39-9f4c-0f6a3f0f4c11 -w",
			      "again and again"}},
		.method = "GET",
		.route = "/v1/operations/{0}",
		.traits = CMD_SHOWS,
		.columns = operation_columns,
		.name_path = "id",
		.run = run_show,
	},
	{
		.noun = "operation",
		.verb = "wait",
		.summary = "Wait for an operation's end, without progress",
		.operands = {THE_ID},
		.examples = {{"berthctl operation wait 0b0ae5ee-6a1b-4c39-9f4c-0f6a3f0f4c11",
			      "exit status tells how it ended"},
			     {"berthctl operation wait 0b0ae5ee-6a1b-4c39-9f4c-0f6a3f0f4c11 "
			      "--timeout 10m",
			      "at most ten minutes (exit 7)"}},
		.method = "GET",
		.route = "/v1/operations/{0}/wait",
		.traits = CMD_STARTS | CMD_QUIET,
		.columns = operation_columns,
		.run = attach,
	},
	{
		.noun = "operation",
		.verb = "attach",
		.summary = "Come back to an operation: its progress and its outcome",
		.operands = {THE_ID},
		.examples = {{"berthctl operation attach 0b0ae5ee-6a1b-4c39-9f4c-0f6a3f0f4c11",
			      "after Ctrl-C or --no-wait"},
			     {"berthctl operation attach 0b0ae5ee-6a1b-4c39-9f4c-0f6a3f0f4c11 "
			      "--progress plain",
			      "lines in place of a bar"}},
		.method = "GET",
		.route = "/v1/operations/{0}",
		.traits = CMD_STARTS,
		.columns = operation_columns,
		.run = attach,
	},
	{
		.noun = "operation",
		.verb = "cancel",
		.summary = "Ask berthd to stop an operation",
		.operands = {THE_ID},
		.examples = {{"berthctl operation cancel 0b0ae5ee-6a1b-4c39-9f4c-0f6a3f0f4c11",
			      "asks first"},
			     {"berthctl operation cancel 0b0ae5ee-6a1b-4c39-9f4c-0f6a3f0f4c11 -y",
			      "in a script"}},
		.method = "DELETE",
		.route = "/v1/operations/{0}",
		.traits = CMD_ASKS,
		.columns = operation_columns,
		.run = cancel,
	},
	{
		.noun = "operation",
		.verb = "log",
		.summary = "Print what an operation wrote while it ran",
		.operands = {THE_ID},
		.examples = {{"berthctl operation log 0b0ae5ee-6a1b-4c39-9f4c-0f6a3f0f4c11",
			      "line by line"},
			     {"berthctl operation log 0b0ae5ee-6a1b-4c39-9f4c-0f6a3f0f4c11 "
			      "-o ndjson",
			      "for a program"}},
		.method = "GET",
		.route = "/v1/operations/{0}/log",
		.run = log_lines,
	},
	{0},
};
