/* SPDX-License-Identifier: Apache-2.0 */
/* maintain: house-keeping of a registry. berthd stores none of it: each look
 * is an operation, which is waited for.
 */
#include <string.h>

#include "client/cmd.h"
#include "client/show.h"
#include "core/base/text.h"

static const struct flag read_only_flags[] = {
	{"on", 0, FLAG_TRUE, NULL, .help = "take no changes from now on", .field = "on"},
	{"off", 0, FLAG_FALSE, NULL, .help = "take changes again", .field = "on"},
	{0},
};
#define UNTAGGED_FLAG                                                                              \
	{                                                                                          \
		"delete-untagged", 0, FLAG_TRUE, NULL, .help = "artifacts without a tag go too",   \
						       .field = "delete_untagged"                  \
	}
static const struct flag gc_flags[] = {UNTAGGED_FLAG, {0}};
static const struct flag schedule_flags[] = {
	{"cron", 0, FLAG_TEXT, "CRON", "six fields, the seconds first: '0 0 4 * * 6'",
	 .field = "schedule"},
	{"never", 0, FLAG_TRUE, NULL, .help = "never by itself"},
	UNTAGGED_FLAG,
	{0},
};

static const struct column run_columns[] = {
	{"RUN", "id", COL_TEXT, false},          {"STATE", "state", COL_STATE, false},
	{"TRIGGER", "trigger", COL_TEXT, false}, {"STARTED", "started_at", COL_TIME, false},
	{"ENDED", "ended_at", COL_TIME, false},  {0},
};
static const struct column switch_columns[] = {
	{"READ-ONLY", "read_only", COL_YES, false},
	{0},
};

/* Asks by an operation and waits for it; *ret is its result. -1: go on. */
static int look(struct cli *c, const char *path, json_t **ret)
{
	struct berth_error err = ERROR_INIT;
	AUTO_JSON json_t *body = NULL;
	if (!path || api_get(c, path, &body, &err))
		return cli_report(c, &err);
	int status = follow_quietly(c, &body);
	if (status != EXIT_OK)
		return status;
	*ret = json_incref(json_object_get(body, "result"));
	return *ret ? -1 : cli_usage(c, "berthd's operation brought no result");
}

static int put(struct cli *c, json_t *body, const char *done)
{
	AUTO_FREE char *path = api_route(c, c->command->route);
	struct change change = {.call = {.method = "PUT", .path = path, .body = body},
				.done = done};
	return path ? send_change(c, &change) : cli_no_memory(c);
}

static int read_only(struct cli *c)
{
	struct berth_error err = ERROR_INIT;
	AUTO_JSON json_t *result = NULL, *body = json_object();
	if (!body || cli_fill_body(c, body, &err))
		return cli_report(c, &err);
	if (cli_has(c, "on") && cli_has(c, "off"))
		return cli_usage(c, "--on and --off exclude each other");
	if (json_object_size(body)) {
		AUTO_FREE char *done =
			text_printf("%s %s", cli_operand(c, 0),
				    cli_has(c, "on") ? "is read-only now" : "takes changes again");
		return put(c, body, done);
	}
	AUTO_FREE char *path = api_route(c, c->command->route);
	int status = look(c, path, &result);
	return status >= 0 ? status : show_resource(c, result, switch_columns);
}

static void print_started(struct cli *c, const json_t *operation)
{
	const json_t *run = json_object_get(operation, "result");
	cli_note(c, "garbage collection %s has begun%s", js_str(run, "id", "?"),
		 js_bool(run, "dry_run", false) ? "; it frees nothing" : "");
	cli_hint(c, "berthctl maintain runs %s", cli_operand(c, 0));
}

static int gc(struct cli *c)
{
	struct berth_error err = ERROR_INIT;
	AUTO_JSON json_t *body = json_object();
	AUTO_FREE char *path = api_route(c, c->command->route);
	if (!body || !path || cli_fill_body(c, body, &err))
		return cli_report(c, &err);
	struct change change = {.call = {.method = "POST", .path = path, .body = body},
				.result = print_started};
	return send_change(c, &change);
}

static int schedule(struct cli *c)
{
	struct berth_error err = ERROR_INIT;
	AUTO_JSON json_t *body = json_object();
	if (cli_has(c, "cron") == cli_has(c, "never")) {
		cli_usage(c, "expected either --cron CRON or --never");
		if (!cli_has(c, "cron"))
			cli_hint(c, "berthctl maintain runs %s shows the schedule that there is",
				 cli_operand(c, 0));
		return EXIT_USAGE;
	}
	if (!body || cli_fill_body(c, body, &err))
		return cli_report(c, &err);
	if (cli_has(c, "never"))
		json_object_set_new(body, "schedule", json_string(""));
	AUTO_FREE char *done =
		text_printf("garbage collection of %s scheduled anew", cli_operand(c, 0));
	return put(c, body, done);
}

static int runs(struct cli *c)
{
	AUTO_JSON json_t *result = NULL;
	AUTO_FREE char *path = api_route(c, c->command->route);
	int status = look(c, path, &result);
	if (status >= 0)
		return status;
	if (c->format == FORMAT_TABLE || c->format == FORMAT_WIDE) {
		const char *cron = js_str(result, "schedule", "");
		fputs("Schedule: ", c->out.file);
		term_put(&c->out, *cron ? cron : "never by itself");
		fputs("\n\n", c->out.file);
	} else if (c->format == FORMAT_JSON || c->format == FORMAT_YAML) {
		return show_resource(c, result, NULL);
	}
	AUTO_JSON json_t *list = json_pack("{s:O}", "items", json_object_get(result, "runs"));
	return list ? show_list(c, list, run_columns) : cli_no_memory(c);
}

static void print_stopped(struct cli *c, const json_t *operation)
{
	const json_t *run = json_object_get(operation, "result");
	const char *state = js_str(run, "state", "in a state that is not known");
	if (cli_has(c, "dry-run")) {
		cli_note(c, "garbage collection %s would be asked to stop; it is %s",
			 js_str(run, "id", cli_operand(c, 1)), state);
		return;
	}
	cli_note(c, "garbage collection %s was asked to stop; it is %s", js_str(run, "id", "?"),
		 state);
	cli_hint(c, "berthctl maintain runs %s", cli_operand(c, 0));
}

static int stop(struct cli *c)
{
	AUTO_FREE char *path = api_route(c, c->command->route);
	struct change change = {.call = {.method = "POST", .path = path}, .result = print_stopped};
	return path ? send_change(c, &change) : cli_no_memory(c);
}

static int print_log(struct cli *c)
{
	struct berth_error err = ERROR_INIT;
	AUTO_JSON json_t *operation = NULL;
	AUTO_FREE char *path = api_route(c, c->command->route);
	if (!path || api_get(c, path, &operation, &err))
		return cli_report(c, &err);
	int status = follow_quietly(c, &operation);
	if (status != EXIT_OK)
		return status;
	AUTO_FREE char *lines = text_printf("/v1/operations/%s/log", js_str(operation, "id", ""));
	return lines ? stream_lines(c, lines, NULL, NULL) : cli_no_memory(c);
}

#define THE_INTEGRATION                                                                            \
	{                                                                                          \
		"INTEGRATION", OPERAND_ONE, NAMES_INTEGRATION, "which registry"                    \
	}

#define THE_RUN                                                                                    \
	{                                                                                          \
		"RUN", OPERAND_ONE, NAMES_NONE, "its number: see berthctl maintain runs"           \
	}

const struct command maintain_commands[] = {
	{
		.noun = "maintain",
		.verb = "read-only",
		.summary = "Show or switch a registry's read-only mode",
		.details = "In that mode it gives images out and takes no change of anybody.",
		.operands = {THE_INTEGRATION},
		.flags = read_only_flags,
		.examples = {{"berthctl maintain read-only harbor", "is it?"},
			     {"berthctl maintain read-only harbor --on", "before a backup"}},
		.method = "PUT",
		.route = "/v1/integrations/{0}/read-only",
		.traits = CMD_SHOWS | CMD_CHANGES | CMD_STARTS,
		.columns = switch_columns,
		.run = read_only,
	},
	{
		.noun = "maintain",
		.verb = "gc",
		.summary = "Start a registry's garbage collection now",
		.details =
			"The registry frees what no artifact uses. With --dry-run it counts, and "
			"frees nothing.",
		.operands = {THE_INTEGRATION},
		.flags = gc_flags,
		.examples = {{"berthctl maintain gc harbor --dry-run", "what it would free"},
			     {"berthctl maintain gc harbor --delete-untagged",
			      "artifacts without a tag too"}},
		.method = "POST",
		.route = "/v1/integrations/{0}/gc",
		.traits = CMD_CHANGES | CMD_STARTS,
		.columns = run_columns,
		.run = gc,
	},
	{
		.noun = "maintain",
		.verb = "schedule",
		.summary = "Set when a registry collects garbage by itself",
		.operands = {THE_INTEGRATION},
		.flags = schedule_flags,
		.examples = {{"berthctl maintain schedule harbor --cron '0 0 4 * * 6'",
			      "Saturdays at four"},
			     {"berthctl maintain schedule harbor --never", "by hand alone"}},
		.method = "PUT",
		.route = "/v1/integrations/{0}/gc",
		.traits = CMD_CHANGES | CMD_STARTS,
		.columns = run_columns,
		.run = schedule,
	},
	{
		.noun = "maintain",
		.verb = "runs",
		.summary = "Show a registry's garbage collections and their schedule",
		.operands = {THE_INTEGRATION},
		.examples = {{"berthctl maintain runs harbor", "newest first"},
			     {"berthctl maintain runs harbor -o json", "for a program"}},
		.method = "GET",
		.route = "/v1/integrations/{0}/gc",
		.traits = CMD_SHOWS,
		.columns = run_columns,
		.name_path = "id",
		.run = runs,
	},
	{
		.noun = "maintain",
		.verb = "log",
		.summary = "Print the log of a registry's garbage collection",
		.details = "Its first 10 000 lines.",
		.operands = {THE_INTEGRATION, THE_RUN},
		.examples = {{"berthctl maintain log harbor 12", "what it freed, or why it failed"},
			     {"berthctl maintain log harbor 12 -o ndjson", "for a program"}},
		.method = "GET",
		.route = "/v1/integrations/{0}/gc/{1}",
		.traits = CMD_SHOWS,
		.run = print_log,
	},
	{
		.noun = "maintain",
		.verb = "stop",
		.summary = "Stop a registry's garbage collection",
		.details = "What it freed until then stays freed.",
		.operands = {THE_INTEGRATION, THE_RUN},
		.examples = {{"berthctl maintain stop harbor 12", "before its time"},
			     {"berthctl maintain stop harbor 12 --dry-run", "is it there?"}},
		.method = "POST",
		.route = "/v1/integrations/{0}/gc/{1}/stop",
		.traits = CMD_CHANGES | CMD_STARTS,
		.columns = run_columns,
		.run = stop,
	},
	{0},
};
