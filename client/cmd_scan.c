/* SPDX-License-Identifier: Apache-2.0 */
/* scan: images looked through for vulnerabilities by their registry's scanner,
 * and what was found.
 */
#include <string.h>

#include "client/cmd.h"
#include "client/report_scan.h"
#include "client/short_id.h"
#include "client/show.h"
#include "core/base/clock.h"
#include "core/base/text.h"

static const struct column columns[] = {
	{"SCAN", "id", COL_ID, false},
	{"TARGET", "target", COL_TEXT, false},
	{"SCOPE", "scope", COL_TEXT, true},
	{"DIGEST", "digest", COL_DIGEST, true},
	{"STATE", "state", COL_STATE, false},
	{"PERCENT", "percent", COL_TEXT, true},
	{"SEVERITY", "severity", COL_TEXT, true},
	{"CRITICAL", "counts.critical", COL_COUNT, false},
	{"HIGH", "counts.high", COL_COUNT, false},
	{"MEDIUM", "counts.medium", COL_COUNT, true},
	{"LOW", "counts.low", COL_COUNT, true},
	{"FOUND", "total", COL_COUNT, false},
	{"FIXABLE", "fixable", COL_COUNT, false},
	{"SCANNED", "artifacts.done", COL_COUNT, true},
	{"FAILED", "artifacts.error", COL_COUNT, true},
	{"SCANNER", "scanner", COL_TEXT, true},
	{"SCHEDULE", "cron", COL_TEXT, true},
	{"NEXT", "next_at", COL_TIME, true},
	{"ERROR", "error.message", COL_LONG, true},
	{"CAUSE", "error.cause", COL_LONG, true},
	{"STARTED", "created_at", COL_TIME, false},
	{"ENDED", "ended_at", COL_TIME, true},
	{0},
};
static const struct column finding_columns[] = {
	{"VULNERABILITY", "vulnerability", COL_TEXT, false},
	{"SEVERITY", "severity", COL_STATE, false},
	{"PACKAGE", "package", COL_TEXT, false},
	{"VERSION", "version", COL_TEXT, false},
	{"FIXED", "fixed", COL_TEXT, false},
	{"ARTIFACT", "artifact", COL_DIGEST, true},
	{"SCORE", "score", COL_TEXT, true},
	{"LINKS", "links", COL_LONG, true},
	{0},
};
/* A file has all of it. */
static const struct column csv_columns[] = {
	{"VULNERABILITY", "vulnerability", COL_TEXT, false},
	{"SEVERITY", "severity", COL_TEXT, false},
	{"PACKAGE", "package", COL_TEXT, false},
	{"VERSION", "version", COL_TEXT, false},
	{"FIXED", "fixed", COL_TEXT, false},
	{"SCORE", "score", COL_TEXT, false},
	{"ARTIFACT", "artifact", COL_TEXT, false},
	{"LINKS", "links", COL_TEXT, false},
	{"DESCRIPTION", "description", COL_TEXT, false},
	{0},
};
static const struct column scanner_columns[] = {
	{"NAME", "name", COL_TEXT, false},         {"ID", "id", COL_TEXT, true},
	{"DEFAULT", "is_default", COL_YES, false}, {"DISABLED", "disabled", COL_YES, true},
	{"HEALTH", "health", COL_STATE, true},     {"URL", "url", COL_TEXT, false},
	{"ADAPTER", "adapter", COL_TEXT, true},    {"VENDOR", "vendor", COL_TEXT, true},
	{"VERSION", "version", COL_TEXT, true},    {0},
};

static const struct flag report_flags[] = {
	{"fail-on", 0, FLAG_CHOICE, "SEVERITY",
	 .help = "exit 10 where a finding is at least that bad",
	 .choices = "critical high medium low"},
	{"search", 'q', FLAG_TEXT, "TEXT", "only findings whose name or package has this text",
	 .query = "q"},
	{0},
};
static const struct flag schedule_flags[] = {
	{"cron", 0, FLAG_TEXT, "CRON", "when, in six fields, seconds first and 0", .field = "cron"},
	{"off", 0, FLAG_TRUE, NULL, .help = "no schedule any more"},
	{0},
};

/* Sends {"target": ...} and more to path, and shows what comes of it. */
static int send_target(struct cli *c, const char *path, json_t *take_more, const char *done,
		       follow_result *result)
{
	struct berth_error err = ERROR_INIT;
	AUTO_JSON json_t *body = take_more ? take_more : json_object();
	js_put_str(body, "target", cli_operand(c, 0));
	if (!body || cli_fill_body(c, body, &err))
		return cli_report(c, &err);
	struct change change = {.call = {.method = "POST", .path = path, .body = body},
				.done = done,
				.result = result};
	return send_change(c, &change);
}

static int start(struct cli *c)
{
	if (!strchr(cli_operand(c, 0), '/')) {
		cli_usage(c, "'%s' is a whole integration", cli_operand(c, 0));
		cli_hint(c, "berthctl scan all %s", cli_operand(c, 0));
		return EXIT_USAGE;
	}
	return send_target(c, "/v1/scans", NULL, NULL, scan_report);
}

static int all(struct cli *c)
{
	if (strchr(cli_operand(c, 0), '/')) {
		cli_usage(c, "'%s' is no integration", cli_operand(c, 0));
		cli_hint(c, "berthctl scan start %s", cli_operand(c, 0));
		return EXIT_USAGE;
	}
	return send_target(c, "/v1/scans", NULL, NULL, scan_report);
}

/* The operation that a POST starts, at its end; its result. -1: there it is. */
static int fetch(struct cli *c, const char *method, const char *path, const json_t *body,
		 json_t **ret)
{
	struct berth_error err = ERROR_INIT;
	AUTO_JSON json_t *operation = NULL;
	struct api_call call = {.method = method, .path = path, .body = body};
	if (api_send(c, &call, &operation, &err))
		return cli_report(c, &err);
	int status = follow_quietly(c, &operation);
	if (status != EXIT_OK)
		return status;
	*ret = json_incref(json_object_get(operation, "result"));
	return *ret ? -1 : cli_usage(c, "berthd's operation brought nothing");
}

static int show(struct cli *c)
{
	int status = short_id_operand(c, 0, "/v1/scans", "scan");
	const char *what = cli_operand(c, 0);
	AUTO_JSON json_t *state = NULL;
	if (status >= 0)
		return status;
	if (uuid_is(what)) {
		AUTO_FREE char *path = text_printf("/v1/scans/%s", what);
		return path ? show_path(c, path) : cli_no_memory(c);
	}
	AUTO_JSON json_t *body = json_pack("{s:s}", "target", what);
	status = fetch(c, "POST", "/v1/scan-states", body, &state);
	return status < 0 ? show_resource(c, state, NULL) : status;
}

static char *own_id(struct cli *c, const char *id, int *ret_status)
{
	char *copy = strdup(id);
	if (!copy)
		*ret_status = cli_no_memory(c);
	return copy;
}

/* The newest scan of a target that has not ended; NULL: said. */
static char *going_scan(struct cli *c, const char *target, int *ret_status)
{
	struct berth_error err = ERROR_INIT;
	AUTO_JSON json_t *list = NULL;
	AUTO_FREE char *filter = text_printf(
		"target eq \"%s\" and state in (\"queued\", \"running\", \"left\")", target);
	AUTO_FREE char *path =
		filter ? api_query(strdup("/v1/scans?limit=1"), "filter", filter) : NULL;
	if (!path || api_get(c, path, &list, &err)) {
		*ret_status = path ? cli_report(c, &err) : cli_no_memory(c);
		return NULL;
	}
	const json_t *one = json_array_get(json_object_get(list, "items"), 0);
	if (one)
		return own_id(c, js_str(one, "id", ""), ret_status);
	cli_usage(c, "no scan of %s is going on that Berth began", target);
	cli_hint(c, "berthctl scan list");
	*ret_status = EXIT_NOT_FOUND;
	return NULL;
}

static int stop(struct cli *c)
{
	int status = short_id_operand(c, 0, "/v1/scans", "scan");
	if (status >= 0)
		return status;
	const char *what = cli_operand(c, 0);
	AUTO_FREE char *id =
		uuid_is(what) ? own_id(c, what, &status) : going_scan(c, what, &status);
	if (!id)
		return status;
	AUTO_FREE char *path = text_printf("/v1/scans/%s/stop", id);
	AUTO_FREE char *done = text_printf("scan of %s was asked to stop", what);
	struct change change = {.call = {.method = "POST", .path = path}, .done = done};
	return path && done ? send_change(c, &change) : cli_no_memory(c);
}

static int scan_log(struct cli *c)
{
	int status = short_id_operand(c, 0, "/v1/scans", "scan");
	if (status >= 0)
		return status;
	AUTO_FREE char *path = text_printf("/v1/operations/%s/log", cli_operand(c, 0));
	if (!uuid_is(cli_operand(c, 0)))
		return cli_usage(c, "'%s' is no scan's id: see berthctl scan list",
				 cli_operand(c, 0));
	return path ? stream_lines(c, path, NULL, NULL) : cli_no_memory(c);
}

/* Every finding of a report, the worst first. */
static int findings_of(struct cli *c, const json_t *report, json_t **ret)
{
	struct berth_error err = ERROR_INIT;
	AUTO_FREE char *path =
		path_with_flags(c, text_printf("/v1/scan-reports/%s/findings?limit=1000",
					       js_str(report, "id", "")));
	if (!path || api_list(c, path, 0, ret, &err))
		return cli_report(c, &err);
	return -1;
}

static int report(struct cli *c)
{
	AUTO_JSON json_t *found = NULL, *findings = NULL;
	AUTO_JSON json_t *body = json_pack("{s:s}", "target", cli_operand(c, 0));
	int status = fetch(c, "POST", "/v1/scan-reports", body, &found);
	if (status < 0)
		status = findings_of(c, found, &findings);
	if (status >= 0)
		return status;
	if (c->format == FORMAT_SARIF)
		status = sarif_print(c, found, findings);
	else
		status = show_list(c, findings,
				   c->format == FORMAT_CSV ? csv_columns : finding_columns);
	if (c->format == FORMAT_TABLE || c->format == FORMAT_WIDE)
		report_note(c, found);
	if (status == EXIT_OK && report_reaches(found, cli_flag(c, "fail-on", NULL)))
		return EXIT_FINDINGS;
	return status;
}

static int scanners(struct cli *c)
{
	AUTO_JSON json_t *found = NULL;
	AUTO_FREE char *path = api_route(c, "/v1/integrations/{0}/scanners");
	if (!path)
		return cli_no_memory(c);
	int status = fetch(c, "GET", path, NULL, &found);
	if (status >= 0)
		return status;
	json_t *list = json_object_get(found, "objects");
	AUTO_JSON json_t *body = json_object();
	json_object_set_new(body, "items", list ? json_incref(list) : json_array());
	return show_list(c, body, scanner_columns);
}

static int use(struct cli *c)
{
	AUTO_FREE char *done =
		text_printf("%s is scanned by %s", cli_operand(c, 0), cli_operand(c, 1));
	return send_target(c, "/v1/scan-settings", json_pack("{s:s}", "scanner", cli_operand(c, 1)),
			   done, NULL);
}

static int schedule(struct cli *c)
{
	bool is_off = cli_has(c, "off");
	if (is_off == cli_has(c, "cron")) {
		cli_usage(c, "expected --cron CRON or --off");
		cli_hint(c, "berthctl scan schedule %s --cron '0 0 3 * * *'", cli_operand(c, 0));
		return EXIT_USAGE;
	}
	AUTO_FREE char *done = text_printf("%s %s", cli_operand(c, 0),
					   is_off ? "is scanned when it is told to"
						  : "is scanned on its schedule");
	return send_target(c, "/v1/scan-settings", is_off ? json_pack("{s:s}", "cron", "") : NULL,
			   done, NULL);
}

#define THE_TARGET                                                                                 \
	{                                                                                          \
		"TARGET", OPERAND_ONE, NAMES_REFERENCE,                                            \
			"INTEGRATION/REPOSITORY[:TAG][@DIGEST] or INTEGRATION/SPACE"               \
	}
#define THE_INTEGRATION                                                                            \
	{                                                                                          \
		"INTEGRATION", OPERAND_ONE, NAMES_INTEGRATION, "its name"                          \
	}

const struct command scan_commands[] = {
	{
		.noun = "scan",
		.verb = "list",
		.aliases = "ls",
		.summary = "List scans, the newest first",
		.examples = {{"berthctl scan list", "all that is kept"},
			     {"berthctl scan list --filter 'state eq \"running\"' -o wide",
			      "what goes on now"}},
		.method = "GET",
		.route = "/v1/scans",
		.traits = CMD_LISTS | CMD_QUERIES,
		.columns = columns,
		.name_path = "id",
		.run = run_list,
	},
	{
		.noun = "scan",
		.verb = "start",
		.summary = "Scan an image, a repository or a space, and follow it to its end",
		.details = "The registry's own scanner does it: Harbor has one. The platforms of "
			   "an index are scanned with it. What is being scanned already is "
			   "followed. Of one image the report is read at the end.",
		.operands = {THE_TARGET},
		.examples = {{"berthctl scan start lab/team/app:1.2", "one image"},
			     {"berthctl scan start lab/team --no-wait", "a space, in the "
									"background"}},
		.method = "POST",
		.route = "/v1/scans",
		.traits = CMD_CHANGES | CMD_STARTS,
		.columns = columns,
		.name_path = "id",
		.run = start,
	},
	{
		.noun = "scan",
		.verb = "all",
		.summary = "Scan everything that an integration holds",
		.operands = {THE_INTEGRATION},
		.examples = {{"berthctl scan all lab", "and follow it"},
			     {"berthctl scan all lab --no-wait", "in the background"},
			     {"berthctl scan show lab", "how far it is, and its schedule"}},
		.method = "POST",
		.route = "/v1/scans",
		.traits = CMD_CHANGES | CMD_STARTS,
		.columns = columns,
		.name_path = "id",
		.run = all,
	},
	{
		.noun = "scan",
		.verb = "show",
		.aliases = "get",
		.summary = "Show a scan, or what the registry says of a target now",
		.operands = {{"WHAT", OPERAND_ONE, NAMES_REFERENCE,
			      "a scan's id, an image, a repository, a space or an integration"}},
		.examples = {{"berthctl scan show lab/team/app:1.2",
			      "not scanned, queued, running, done or failed; what was found"},
			     {"berthctl scan show lab/team -o json", "a space, image by image"},
			     {"berthctl scan show lab", "the scan of all, and its schedule"}},
		.method = "POST",
		.route = "/v1/scan-states",
		.traits = CMD_SHOWS,
		.columns = columns,
		.name_path = "target",
		.run = show,
	},
	{
		.noun = "scan",
		.verb = "stop",
		.summary = "Stop a scan at its registry",
		.operands = {{"WHAT", OPERAND_ONE, NAMES_REFERENCE,
			      "a scan's id, or the target it was started with"}},
		.examples = {{"berthctl scan stop lab/team/app:1.2", "by its target"},
			     {"berthctl scan stop lab/team --dry-run", "would it?"}},
		.method = "POST",
		.route = "/v1/scans/{id}/stop",
		.traits = CMD_CHANGES | CMD_STARTS,
		.columns = columns,
		.name_path = "id",
		.run = stop,
	},
	{
		.noun = "scan",
		.verb = "report",
		.summary = "Show every vulnerability that was found in an image",
		.details = "It is read from the registry anew. A vulnerability that several "
			   "platforms of an index have comes once for each. -o sarif writes "
			   "SARIF 2.1.0, -o csv every field.",
		.operands = {{"REF", OPERAND_ONE, NAMES_REFERENCE,
			      "INTEGRATION/REPOSITORY:TAG or @DIGEST"}},
		.flags = report_flags,
		.examples = {{"berthctl scan report lab/team/app:1.2", "the worst first"},
			     {"berthctl scan report lab/team/app:1.2 -o sarif >app.sarif",
			      "for other tools"},
			     {"berthctl scan report lab/team/app:1.2 --fail-on high",
			      "in a pipeline: exit 10"}},
		.method = "POST",
		.route = "/v1/scan-reports",
		.traits = CMD_SHOWS | CMD_SARIF,
		.columns = finding_columns,
		.name_path = "vulnerability",
		.run = report,
	},
	{
		.noun = "scan",
		.verb = "log",
		.summary = "Print the log of a scan; of a failed one, the scanner's own",
		.operands = {{"SCAN", OPERAND_ONE, NAMES_NONE, "its id"}},
		.examples = {{"berthctl scan log 6f1c...", "until it ends"},
			     {"berthctl scan list -o name --filter 'state eq \"error\"'",
			      "which failed"}},
		.method = "GET",
		.route = "/v1/operations/{0}/log",
		.columns = columns,
		.run = scan_log,
	},
	{
		.noun = "scan",
		.verb = "scanners",
		.summary = "List the scanners that an integration can choose from",
		.operands = {THE_INTEGRATION},
		.examples = {{"berthctl scan scanners lab", "by name"},
			     {"berthctl scan scanners lab -o wide", "with health and versions"}},
		.method = "GET",
		.route = "/v1/integrations/{name}/scanners",
		.traits = CMD_SHOWS,
		.columns = scanner_columns,
		.run = scanners,
	},
	{
		.noun = "scan",
		.verb = "use",
		.summary = "Choose the scanner of a space, or the default of an integration",
		.operands = {{"WHERE", OPERAND_ONE, NAMES_SPACE,
			      "INTEGRATION/SPACE or INTEGRATION"},
			     {"SCANNER", OPERAND_ONE, NAMES_NONE, "its name or id"}},
		.examples = {{"berthctl scan use lab/team Trivy", "one space"},
			     {"berthctl scan use lab Trivy", "all that chose none"}},
		.method = "POST",
		.route = "/v1/scan-settings",
		.traits = CMD_CHANGES | CMD_STARTS,
		.columns = columns,
		.name_path = "id",
		.run = use,
	},
	{
		.noun = "scan",
		.verb = "schedule",
		.summary = "Scan everything that an integration holds on a schedule",
		.operands = {THE_INTEGRATION},
		.flags = schedule_flags,
		.examples = {{"berthctl scan schedule lab --cron '0 0 3 * * *'", "each night at 3"},
			     {"berthctl scan schedule lab --off", "no more"},
			     {"berthctl scan show lab", "what is set"}},
		.method = "POST",
		.route = "/v1/scan-settings",
		.traits = CMD_CHANGES | CMD_STARTS,
		.columns = columns,
		.name_path = "id",
		.run = schedule,
	},
	{0},
};
