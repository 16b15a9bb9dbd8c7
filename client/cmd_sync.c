/* SPDX-License-Identifier: Apache-2.0 */
/* sync: rules that copy images again and again, and their runs. */
#include <string.h>

#include "client/cmd.h"
#include "client/own_address.h"
#include "client/report_copy.h"
#include "client/short_id.h"
#include "client/show.h"
#include "core/base/clock.h"
#include "core/base/text.h"

#define RULE_FLAGS                                                                                  \
	{"from",                                                                                    \
	 0,                                                                                         \
	 FLAG_TEXT,                                                                                 \
	 "PLACE",                                                                                   \
	 "INTEGRATION[/SPACE or path prefix] to read",                                              \
	 .field = "source",                                                                         \
	 .names = NAMES_SPACE},                                                                     \
		{"to",                                                                              \
		 0,                                                                                 \
		 FLAG_LIST,                                                                         \
		 "PLACE",                                                                           \
		 "INTEGRATION[/SPACE or path prefix] to write; may be repeated",                    \
		 .field = "targets",                                                                \
		 .field_alone = "target",                                                           \
		 .names = NAMES_SPACE},                                                             \
		{"filter",                                                                          \
		 'f',                                                                               \
		 FLAG_LIST,                                                                         \
		 "GLOB",                                                                            \
		 "repositories below the source; may be repeated (all)",                            \
		 .field = "repositories"},                                                          \
		{"exclude",                                                                         \
		 'x',                                                                               \
		 FLAG_LIST,                                                                         \
		 "GLOB",                                                                            \
		 "but not these repositories; may be repeated",                                     \
		 .field = "exclude"},                                                               \
		{"tag", 't', FLAG_LIST, "GLOB", "tags; may be repeated (all)", .field = "tags"},    \
		{"exclude-tag",                                                                     \
		 0,                                                                                 \
		 FLAG_LIST,                                                                         \
		 "GLOB",                                                                            \
		 "but not these tags; may be repeated",                                             \
		 .field = "exclude_tags"},                                                          \
		{"semver",                                                                          \
		 0,                                                                                 \
		 FLAG_TEXT,                                                                         \
		 "RANGE",                                                                           \
		 "only versions in a range, as '^1.2' or '>=1.4 <2' (all tags)",                    \
		 .field = "semver"},                                                                \
		{"newest",                                                                          \
		 0,                                                                                 \
		 FLAG_COUNT,                                                                        \
		 "N",                                                                               \
		 "only the N highest versions of each repository (0: all)",                         \
		 .field = "newest"},                                                                \
		{"platform",                                                                        \
		 'p',                                                                               \
		 FLAG_LIST,                                                                         \
		 "OS/ARCH",                                                                         \
		 "only this platform; may be repeated (all)",                                       \
		 .field = "platforms"},                                                             \
		{"keep",                                                                            \
		 0,                                                                                 \
		 FLAG_FALSE,                                                                        \
		 NULL,                                                                              \
		 "leave a tag alone that is at the target already",                                 \
		 .field = "override"},                                                              \
		{"override",         0, FLAG_TRUE, NULL, "move such a tag (the default)",           \
		 .field = "override"},                                                              \
		{"referrers",         0, FLAG_TRUE, NULL, "signatures and SBOMs too (the default)", \
		 .field = "referrers"},                                                             \
		{"no-referrers",      0, FLAG_FALSE, NULL, "without signatures and SBOMs",          \
		 .field = "referrers"},                                                             \
		{"verify",                                                                          \
		 0,                                                                                 \
		 FLAG_TRUE,                                                                         \
		 NULL,                                                                              \
		 "compare both ends to the last layer at the end of each run",                      \
		 .field = "verify"},                                                                \
		{"no-verify", 0, FLAG_FALSE, NULL, "do not (the default)", .field = "verify"},      \
		{"flatten",         0, FLAG_COUNT, "N", "drop N leading path parts at the target",  \
		 .field = "flatten"},                                                               \
		{"limit",                                                                           \
		 0,                                                                                 \
		 FLAG_BYTES,                                                                        \
		 "RATE",                                                                            \
		 "read at most so many bytes a second in a run, as 10M (0: no limit)",              \
		 .field = "limit_bytes_per_s"},                                                     \
		{"cron",                                                                            \
		 0,                                                                                 \
		 FLAG_TEXT,                                                                         \
		 "CRON",                                                                            \
		 "run by itself: 'minute hour day month weekday', @daily, ... ('': never)",         \
		 .field = "cron"},                                                                  \
		{"time-zone",                                                                       \
		 0,                                                                                 \
		 FLAG_TEXT,                                                                         \
		 "ZONE",                                                                            \
		 "whose clock --cron means, as Europe/Berlin (UTC)",                                \
		 .field = "time_zone"},                                                             \
		{"on-change",                                                                       \
		 0,                                                                                 \
		 FLAG_TRUE,                                                                         \
		 NULL,                                                                              \
		 "run when a tag came or moved at the source",                                      \
		 .field = "on_change"},                                                             \
		{"no-on-change",                                                                    \
		 0,                                                                                 \
		 FLAG_FALSE,                                                                        \
		 NULL,                                                                              \
		 "only by hand or by the clock (the default)",                                      \
		 .field = "on_change"},                                                             \
		{"poll-period",                                                                     \
		 0,                                                                                 \
		 FLAG_SECONDS,                                                                      \
		 "TIME",                                                                            \
		 "how often --on-change looks at the source, as 30s or 5m (60s)",                   \
		 .field = "poll_period_s"},                                                         \
		{"engine",                                                                          \
		 0,                                                                                 \
		 FLAG_CHOICE,                                                                       \
		 "WHO",                                                                             \
		 "who copies: berth, native (the registry's own replication), auto (berth)",        \
		 .field = "engine",                                                                 \
		 .choices = "berth native auto"},                                                   \
		{"enable", 0, FLAG_TRUE, NULL, "let it run (the default)", .field = "enabled"},     \
		{"disable",         0, FLAG_FALSE, NULL, "keep the rule, do not run it",            \
		 .field = "enabled"},                                                               \
	{                                                                                           \
		"description", 0, FLAG_TEXT, "TEXT", "a remark for people", .field = "description"  \
	}

static const struct flag create_flags[] = {RULE_FLAGS, OWN_ADDRESS_FLAGS, {0}};
static const struct flag edit_flags[] = {RULE_FLAGS, {0}};
static const struct flag run_flags[] = {
	{"only-failed-of", 0, FLAG_TEXT, "RUN", "only the images that failed in that run",
	 .field = "only_failed_of", .names = NAMES_RUN},
	{0},
};

static const struct flag plan_flags[] = {
	{"store", 0, FLAG_TRUE, NULL, "keep the plan, to be applied later", .field = "store"},
	{0},
};
static const struct column plan_columns[] = {
	{"PLAN", "id", COL_ID, false},
	{"READY", "ready", COL_YES, false},
	{"IMAGES", "totals.images", COL_COUNT, false},
	{"PRESENT", "totals.present", COL_COUNT, false},
	{"TO MOVE", "totals.bytes", COL_BYTES, false},
	{"BLOBS", "totals.blobs", COL_COUNT, true},
	{"MOUNTS", "totals.mounts", COL_COUNT, true},
	{"REQUESTS", "totals.requests", COL_COUNT, true},
	{"MADE", "created_at", COL_TIME, false},
	{0},
};

static const struct column step_columns[] = {
	{"SOURCE", "source", COL_TEXT, false}, {"TARGET", "target", COL_TEXT, false},
	{"ACTION", "action", COL_TEXT, false}, {"DIGEST", "digest", COL_DIGEST, true},
	{"BYTES", "bytes", COL_BYTES, false},  {0},
};

static const struct column columns[] = {
	{"NAME", "name", COL_TEXT, false},
	{"FROM", "source", COL_TEXT, false},
	{"TO", "target", COL_TARGETS, false},
	{"ENABLED", "enabled", COL_YES, false},
	{"REPOSITORIES", "repositories", COL_LONG, true},
	{"EXCLUDE", "exclude", COL_LONG, true},
	{"TAGS", "tags", COL_LONG, true},
	{"EXCLUDE TAGS", "exclude_tags", COL_LONG, true},
	{"SEMVER", "semver", COL_TEXT, true},
	{"NEWEST", "newest", COL_COUNT_SET, true},
	{"LIMIT", "limit_bytes_per_s", COL_BYTES_SET, true},
	{"PLATFORMS", "platforms", COL_TEXT, true},
	{"OVERRIDE", "override", COL_YES, true},
	{"REFERRERS", "referrers", COL_YES, true},
	{"VERIFY", "verify", COL_YES, true},
	{"FLATTEN", "flatten", COL_COUNT_SET, true},
	{"CRON", "cron", COL_TEXT, true},
	{"ZONE", "time_zone", COL_TEXT, true},
	{"NEXT RUN", "status.next_run_at", COL_TIME, false},
	{"ENGINE", "engine", COL_TEXT, true},
	{"ON CHANGE", "on_change", COL_YES, true},
	{"POLL", "poll_period_s", COL_SECONDS, true},
	{"LOOKED", "status.watch.looked_at", COL_TIME, true},
	{"CHANGED", "status.watch.changed_at", COL_TIME, true},
	{"LOOK FAILED", "status.watch.error.message", COL_LONG, true},
	{"LAST RUN", "status.last_run.state", COL_STATE, false},
	{"COPIED", "status.last_run.totals.copied", COL_COUNT, true},
	{"FAILED", "status.last_run.totals.failed", COL_COUNT, true},
	{"ENDED", "status.last_run.ended_at", COL_TIME, false},
	{"DESCRIPTION", "description", COL_LONG, true},
	{0},
};
static const struct column run_columns[] = {
	{"RUN", "id", COL_ID, false},
	{"STATE", "state", COL_STATE, false},
	{"IMAGES", "totals.images", COL_COUNT, false},
	{"COPIED", "totals.copied", COL_COUNT, false},
	{"PRESENT", "totals.present", COL_COUNT, true},
	{"FAILED", "totals.failed", COL_COUNT, false},
	{"MOVED", "totals.bytes_done", COL_BYTES, false},
	{"STARTED", "started_at", COL_TIME, false},
	{"BY", "started_by", COL_TEXT, true},
	{"ENDED", "ended_at", COL_TIME, true},
	{"OPERATION", "operation", COL_ID, true},
	{0},
};

static const struct column outcome_columns[] = {
	{"SOURCE", "source", COL_TEXT, false},     {"TARGET", "target", COL_TEXT, false},
	{"STATE", "state", COL_STATE, false},      {"DIGEST", "digest", COL_DIGEST, false},
	{"SENT", "bytes", COL_BYTES, false},       {"ATTEMPTS", "attempts", COL_COUNT, false},
	{"CAUSE", "error.cause", COL_LONG, false}, {0},
};

/* A rule that can't be done as it is written is saved all the same. */
static bool is_saved(struct cli *c)
{
	struct berth_error err = ERROR_INIT;
	AUTO_JSON json_t *rule = NULL;
	AUTO_FREE char *path = api_route(c, "/v1/syncs/{0}");
	return path && !api_get(c, path, &rule, &err);
}

static int create(struct cli *c)
{
	struct berth_error err = ERROR_INIT;
	AUTO_JSON json_t *body = json_object(), *made = NULL;
	if (!cli_has(c, "from") || !cli_has(c, "to")) {
		cli_usage(c, "--%s is missing: INTEGRATION[/SPACE]",
			  cli_has(c, "from") ? "to" : "from");
		cli_hint(c, "berthctl sync create %s --from hub/team --to lab", cli_operand(c, 0));
		return EXIT_USAGE;
	}
	js_put_str(body, "name", cli_operand(c, 0));
	if (cli_fill_body(c, body, &err))
		return cli_report(c, &err);
	AUTO_FREE char *done = text_printf("sync %s created", cli_operand(c, 0));
	struct change change = {.call = {.method = "POST", .path = "/v1/syncs", .body = body},
				.done = done};
	int status =
		own_addresses_make(c, cli_operand(c, 0), json_object_get(body, "targets"), &made);
	if (status >= 0)
		return status;
	status = send_change(c, &change);
	if (status != EXIT_OK && !is_saved(c))
		own_addresses_remove(c, made);
	if (status == EXIT_OK && c->out.is_tty)
		cli_hint(c, "berthctl sync plan %s", cli_operand(c, 0));
	return status;
}

static int start(struct cli *c)
{
	struct berth_error err = ERROR_INIT;
	AUTO_JSON json_t *body = json_object();
	AUTO_FREE char *path = api_route(c, c->command->route);
	if (!path || !body || cli_fill_body(c, body, &err))
		return cli_report(c, &err);
	bool has_body = strcmp(c->command->verb, "verify") != 0;
	struct change change = {
		.call = {.method = "POST", .path = path, .body = has_body ? body : NULL},
		.result = copy_report};
	return send_change(c, &change);
}

/* The run of that sync, or NULL without a word where it is not there. */
static json_t *run_of(struct cli *c, const char *sync, const char *run, struct berth_error *err)
{
	json_t *body = NULL;
	AUTO_FREE char *safe = text_url_encode(sync);
	AUTO_FREE char *path = safe ? text_printf("/v1/syncs/%s/runs/%s", safe, run) : NULL;
	if (!path)
		berth_fail_memory(err);
	return path && api_get(c, path, &body, err) == 0 ? body : NULL;
}

/* A run by its id alone: of a rule or of a single copy. */
static json_t *run_anywhere(struct cli *c, const char *run, struct berth_error *err)
{
	json_t *body = NULL;
	AUTO_FREE char *path = text_printf("/v1/copies/%s", run);
	if (!path)
		berth_fail_memory(err);
	return path && api_get(c, path, &body, err) == 0 ? body : NULL;
}

static json_t *last_run(struct cli *c, const char *sync, struct berth_error *err)
{
	AUTO_JSON json_t *body = NULL;
	AUTO_FREE char *path = api_route(c, "/v1/syncs/{0}");
	if (!path || api_get(c, path, &body, err))
		return NULL;
	const char *id = js_str(value_at(body, "status.last_run"), "id", NULL);
	if (id)
		return run_of(c, sync, id, err);
	berth_fail(err, BERTH_E_NOT_FOUND, "sync %s has not run yet: berthctl sync run %s", sync,
		   sync);
	return NULL;
}

static int start_run(struct cli *c, const char *sync, json_t *take_body)
{
	AUTO_JSON json_t *body = take_body;
	AUTO_FREE char *path = text_printf("/v1/syncs/%s/runs", sync);
	struct change change = {.call = {.method = "POST", .path = path, .body = body},
				.result = copy_report};
	if (!path || !body)
		return cli_no_memory(c);
	return send_change(c, &change);
}

/* Operand 0 is a rule's name or the id of a run, which may be typed short; a name that looks
 * like one is the rule's. -1, or the exit code of what was said. */
static int name_or_run(struct cli *c)
{
	struct berth_error err = ERROR_INIT;
	AUTO_JSON json_t *rule = NULL;
	AUTO_FREE char *path = api_route(c, "/v1/syncs/{0}");
	if (!short_id_is(cli_operand(c, 0)))
		return -1;
	if (!path)
		return cli_no_memory(c);
	if (!api_get(c, path, &rule, &err))
		return -1;
	return err.code == BERTH_E_NOT_FOUND
		       ? short_id_operand(c, 0, "/v1/operations", "rule or run")
		       : cli_report(c, &err);
}

/* The failed part of a run again: of the run's id, or of a rule's last one. */
static int retry(struct cli *c)
{
	struct berth_error err = ERROR_INIT;
	int status = name_or_run(c);
	if (status >= 0)
		return status;
	const char *first = cli_operand(c, 0);
	AUTO_JSON json_t *run =
		uuid_is(first) ? run_anywhere(c, first, &err) : last_run(c, first, &err);
	if (run && !*js_str(run, "sync", ""))
		berth_fail(&err, BERTH_E_CONFLICT, "run %s is of a copy without a rule: copy again",
			   first);
	if (err.code)
		return cli_report(c, &err);
	return start_run(c, js_str(run, "sync", ""),
			 json_pack("{s:s}", "only_failed_of", js_str(run, "id", "")));
}

/* What is not as it was planned. */
static void drift_lines(struct cli *c, const json_t *operation)
{
	static const char *const words[][2] = {{"moved", "has another digest now"},
					       {"new", "was not there"},
					       {"gone", "is no longer there"},
					       {"target", "has changed at the target"}};
	const json_t *one;
	size_t i;
	json_array_foreach (value_at(operation, "result.drift"), i, one) {
		const char *how = js_str(one, "how", ""), *shown = how;
		AUTO_FREE char *target = term_escape(&c->out, js_str(one, "target", ""), false);
		for (size_t k = 0; k < ARRAY_COUNT(words); k++)
			if (!strcmp(words[k][0], how))
				shown = words[k][1];
		fprintf(c->out.file, "%s %s\n", term_whole(target), shown);
	}
}

/* The newest stored plan of a rule; free(). */
static char *newest_plan(struct cli *c, struct berth_error *err)
{
	AUTO_JSON json_t *plans = NULL;
	AUTO_FREE char *path = api_route(c, "/v1/syncs/{0}/plans?limit=1");
	if (!path || api_list(c, path, 1, &plans, err))
		return path ? NULL : (berth_fail_memory(err), NULL);
	const char *id = js_str(json_array_get(json_object_get(plans, "items"), 0), "id", NULL);
	if (!id)
		berth_fail(err, BERTH_E_NOT_FOUND,
			   "sync %s has no stored plan: berthctl sync plan %s --store",
			   cli_operand(c, 0), cli_operand(c, 0));
	return id ? strdup(id) : NULL;
}

/* Follows the comparison, then the run that it started. */
static int follow_apply(struct cli *c, json_t **operation)
{
	struct berth_error err = ERROR_INIT;
	AUTO_JSON json_t *run = NULL;
	int status = follow_quietly(c, operation);
	const char *id = js_str(json_object_get(*operation, "result"), "run", NULL);
	if (status != EXIT_OK || !id) {
		drift_lines(c, *operation);
		if (status == EXIT_OK && cli_has(c, "dry-run"))
			cli_note(c, "sync %s would run as it was planned", cli_operand(c, 0));
		return status;
	}
	AUTO_FREE char *path = text_printf("/v1/operations/%s", id);
	if (!path || api_get(c, path, &run, &err))
		return cli_report(c, &err);
	return follow_operation(c, run, copy_report);
}

static int apply_plan(struct cli *c)
{
	struct berth_error err = ERROR_INIT;
	const char *given = cli_operand(c, 1);
	AUTO_FREE char *plan = given ? strdup(given) : newest_plan(c, &err);
	AUTO_FREE char *route = api_route(c, "/v1/syncs/{0}/runs");
	AUTO_FREE char *path = route && cli_has(c, "dry-run")
				       ? api_query(STEAL(route), "dry_run", "true")
				       : STEAL(route);
	AUTO_JSON json_t *body = plan ? json_pack("{s:s}", "plan", plan) : NULL;
	json_t *operation = NULL;
	struct api_call call = {.method = "POST", .path = path, .body = body};
	if (!plan && err.code)
		return cli_report(c, &err);
	if (!path || !body)
		return cli_no_memory(c);
	if (api_send(c, &call, &operation, &err))
		return cli_report(c, &err);
	int status = cli_has(c, "no-wait") ? follow_operation(c, operation, NULL)
					   : follow_apply(c, &operation);
	json_decref(operation);
	return status;
}

/* With a run comes the beginning of its outcomes: here are all of them. */
static int fetch_outcomes(struct cli *c, json_t *run, struct berth_error *err)
{
	AUTO_JSON json_t *all = NULL;
	if (json_array_size(json_object_get(run, "outcomes")) < OUTCOMES_WITH_RUN)
		return 0;
	AUTO_FREE char *path =
		text_printf("/v1/copies/%s/outcomes?limit=1000", js_str(run, "id", ""));
	if (!path)
		return berth_fail_memory(err);
	int code = api_list(c, path, 0, &all, err);
	if (!code)
		json_object_set(run, "outcomes", json_object_get(all, "items"));
	return code;
}

/* One line for each image. */
static int report_rows(struct cli *c, const json_t *run)
{
	AUTO_JSON json_t *list = json_pack("{s:O}", "items", json_object_get(run, "outcomes"));
	if (!list)
		return cli_no_memory(c);
	return show_list(c, list, outcome_columns);
}

static int report(struct cli *c)
{
	struct berth_error err = ERROR_INIT;
	int status = cli_operand(c, 1) ? -1 : name_or_run(c);
	if (status >= 0)
		return status;
	const char *first = cli_operand(c, 0), *run = cli_operand(c, 1);
	AUTO_JSON json_t *body = run              ? run_of(c, first, run, &err)
				 : uuid_is(first) ? run_anywhere(c, first, &err)
						  : last_run(c, first, &err);
	bool is_rows = c->format == FORMAT_NDJSON || c->format == FORMAT_CSV;
	bool is_text = c->format == FORMAT_TABLE || c->format == FORMAT_WIDE;
	if (!body || ((is_rows || is_text) && fetch_outcomes(c, body, &err)))
		return cli_report(c, &err);
	if (is_rows)
		return report_rows(c, body);
	if (!is_text)
		return show_resource(c, body, run_columns);
	run_report(c, body);
	return EXIT_OK;
}

#define THE_NAME                                                                                   \
	{                                                                                          \
		"NAME", OPERAND_ONE, NAMES_SYNC, "the rule's name"                                 \
	}

const struct command sync_commands[] = {
	{
		.noun = "sync",
		.verb = "list",
		.aliases = "ls",
		.summary = "List the rules and how their last runs went",
		.examples = {{"berthctl sync list", "all of them"},
			     {"berthctl sync list --filter 'enabled eq true' -o wide",
			      "with all that they say"}},
		.method = "GET",
		.route = "/v1/syncs",
		.traits = CMD_LISTS | CMD_QUERIES,
		.columns = columns,
		.run = run_list,
	},
	{
		.noun = "sync",
		.verb = "show",
		.aliases = "get",
		.summary = "Show one rule",
		.operands = {THE_NAME},
		.examples = {{"berthctl sync show nightly", "the rule and its last run"},
			     {"berthctl sync show nightly -o yaml",
			      "with every member by its name"}},
		.method = "GET",
		.route = "/v1/syncs/{0}",
		.traits = CMD_SHOWS,
		.columns = columns,
		.run = run_show,
	},
	{
		.noun = "sync",
		.verb = "create",
		.aliases = "add",
		.summary = "Make a rule; it runs when told to, by the clock, or on a change",
		.details =
			"With --cron a rule runs by itself, on the clock of --time-zone. A run that "
			"was missed while berthd was down comes once at its start, and a turn that "
			"comes while the rule runs joins that run. Where the clock is put forward, a "
			"time that is skipped comes at the end of the gap; where it is put back, one "
			"that comes twice is taken the first time; but a cron line for every hour "
			"counts each hour that passes.\n\n"
			"With --on-change berthd looks at the source each --poll-period, in bulk "
			"where the server can, else by one HEAD a tag, and runs the rule when a tag "
			"came or has another digest; the first look runs it, too. A look that fails "
			"is shown by sync show and comes later each time, up to an hour; so does a "
			"run that failed. Signatures by OCI referrers alone change no tag: they are "
			"copied by the next run.\n\n"
			"--to may be an address, as https://registry.example/team: it becomes an "
			"integration NAME-target, which berthd tries before it keeps it, and which "
			"stays when the rule goes.\n\n"
			"With several --to, each in an integration of its own, the source is read "
			"once for all of them. A target that is slow or fails does not stop the "
			"others; the run fails, and its next or its retry does what is left.\n\n"
			"With --engine native a registry at one of the ends copies by its own "
			"replication, if that does all of the rule as it is written. The registry is "
			"asked once the rule is saved, and what it can't do is said then, and again "
			"by its plans and runs. With auto Berth copies then, and sync show -o json "
			"says why in engine_reason of the last run. The registry is "
			"given the user and password of the other end, and reaches it by itself.",
		.operands = {{"NAME", OPERAND_ONE, NAMES_NONE, "its new name"}},
		.flags = create_flags,
		.examples =
			{{"berthctl sync create nightly --from hub/team --to lab",
			  "a space, under the same names"},
			 {"berthctl sync create web --from hub --to lab/mirror --filter 'web/**' "
			  "--tag 'v*' --platform linux/amd64",
			  "some repositories, tags and platforms, below a prefix"},
			 {"berthctl sync create stable --from hub/team --to lab --semver '>=1.4 <3' "
			  "--exclude-tag '*-debug' --newest 5",
			  "the five newest versions of a range of each repository"},
			 {"berthctl sync create nightly --from hub/team --to lab --cron '30 2 * * *' "
			  "--time-zone Europe/Berlin",
			  "each night, on the clock of Berlin"},
			 {"berthctl sync create out --from hub/team --to "
			  "https://registry.example/team --to lab --to-username robot "
			  "--to-password-file ~/.secret/out",
			  "two targets, one an address; the source is read once"},
			 {"berthctl sync create live --from hub/team --to lab --on-change",
			  "within a minute of a push"}},
		.method = "POST",
		.route = "/v1/syncs",
		.traits = CMD_CHANGES,
		.columns = columns,
		.run = create,
	},
	{
		.noun = "sync",
		.verb = "edit",
		.aliases = "set",
		.summary = "Change a rule; what is not given stays",
		.operands = {THE_NAME},
		.flags = edit_flags,
		.examples = {{"berthctl sync edit nightly --disable", "let it rest"},
			     {"berthctl sync edit nightly --tag 'v2.*' --tag latest",
			      "other tags, in place of those before"}},
		.method = "PATCH",
		.route = "/v1/syncs/{0}",
		.traits = CMD_CHANGES,
		.columns = columns,
		.run = run_edit,
	},
	{
		.noun = "sync",
		.verb = "delete",
		.aliases = "rm remove",
		.summary = "Forget a rule and its runs; what it copied stays",
		.operands = {THE_NAME},
		.examples = {{"berthctl sync delete nightly", "asks first"},
			     {"berthctl sync delete nightly --yes", "in a script"}},
		.method = "DELETE",
		.route = "/v1/syncs/{0}",
		.traits = CMD_CHANGES | CMD_ASKS,
		.columns = columns,
		.run = run_delete,
	},
	{
		.noun = "sync",
		.verb = "plan",
		.summary = "Show what a run would copy now, and how many bytes",
		.operands = {THE_NAME},
		.flags = plan_flags,
		.examples = {{"berthctl sync plan nightly", "nothing is moved"},
			     {"berthctl sync plan nightly --jq .result.bytes", "bytes alone"},
			     {"berthctl sync plan nightly --store", "kept, for sync apply"}},
		.method = "POST",
		.route = "/v1/syncs/{0}/plan",
		.traits = CMD_STARTS,
		.columns = operation_columns,
		.run = start,
	},
	{
		.noun = "sync",
		.verb = "plans",
		.summary = "List the stored plans of a rule",
		.operands = {THE_NAME},
		.examples = {{"berthctl sync plans nightly", "newest first"},
			     {"berthctl sync plans nightly -o json", "with their totals"}},
		.method = "GET",
		.route = "/v1/syncs/{0}/plans",
		.traits = CMD_LISTS | CMD_QUERIES,
		.columns = plan_columns,
		.name_path = "id",
		.run = run_list,
	},
	{
		.noun = "sync",
		.verb = "steps",
		.summary = "List what a stored plan would do with each image",
		.operands = {THE_NAME, {"PLAN", OPERAND_ONE, NAMES_PLAN, "its id"}},
		.examples = {{"berthctl sync steps nightly 2f6d2c1e", "each image"},
			     {"berthctl sync steps nightly 2f6d2c1e --filter 'action eq \"copy\"' "
			      "--sort=-bytes",
			      "what would be copied, the largest first"}},
		.method = "GET",
		.route = "/v1/syncs/{0}/plans/{1}/steps",
		.traits = CMD_LISTS | CMD_QUERIES,
		.columns = step_columns,
		.name_path = "target",
		.run = run_list,
	},
	{
		.noun = "sync",
		.verb = "apply",
		.summary = "Run a rule as it was planned, unless something has changed",
		.details = "Plans anew and compares with the stored plan. Where a tag has another "
			   "digest, has come or gone, or is otherwise at the target, that is said "
			   "and nothing is moved; what is there by now is no difference.",
		.operands = {THE_NAME,
			     {"PLAN", OPERAND_MAYBE, NAMES_PLAN, "its id; without: the newest"}},
		.examples = {{"berthctl sync apply nightly", "the newest stored plan"},
			     {"berthctl sync apply nightly 2f6d2c1e-7c1a-4d0c-9f0b-1b7f3a5e9d11",
			      "that one"},
			     {"berthctl sync apply nightly --dry-run",
			      "has anything changed since?"}},
		.method = "POST",
		.route = "/v1/syncs/{0}/runs",
		.traits = CMD_CHANGES | CMD_STARTS,
		.columns = operation_columns,
		.run = apply_plan,
	},
	{
		.noun = "sync",
		.verb = "retry",
		.summary = "Run the failed part of a run again",
		.details = "The images that failed are copied, and no others. Where a target "
			   "failed as a whole, before its images were known, all of the rule is "
			   "run; what is there already is not sent again.",
		.operands = {{"RUN", OPERAND_ONE, NAMES_SYNC,
			      "the run's id, or a rule's name: its last run"}},
		.examples = {{"berthctl sync retry nightly", "what failed last"},
			     {"berthctl sync retry 2f6d2c1e-7c1a-4d0c-9f0b-1b7f3a5e9d11 --no-wait",
			      "of that run, by itself"}},
		.method = "POST",
		.route = "/v1/syncs/{name}/runs",
		.traits = CMD_CHANGES | CMD_STARTS,
		.columns = operation_columns,
		.run = retry,
	},
	{
		.noun = "sync",
		.verb = "verify",
		.summary = "Compare both ends of a rule to the last layer; nothing is moved",
		.details = "Tags are compared by digest, and of an image that is equal every "
			   "manifest, layer and signature is asked for at the target. Exit 9 says "
			   "that some images are not the same, 8 that none is.",
		.operands = {THE_NAME},
		.examples = {{"berthctl sync verify nightly", "is all of it there, and whole?"},
			     {"berthctl sync verify nightly --jq '.result.outcomes[] | "
			      "select(.state != \"same\") | .target'",
			      "what is not the same"}},
		.method = "POST",
		.route = "/v1/syncs/{0}/verify",
		.traits = CMD_STARTS,
		.columns = operation_columns,
		.run = start,
	},
	{
		.noun = "sync",
		.verb = "run",
		.aliases = "start",
		.summary = "Run a rule now; a run that is under way is joined",
		.operands = {THE_NAME},
		.flags = run_flags,
		.examples = {{"berthctl sync run nightly", "with progress"},
			     {"berthctl sync run nightly --no-wait", "let it go on by itself"}},
		.method = "POST",
		.route = "/v1/syncs/{0}/runs",
		.traits = CMD_CHANGES | CMD_STARTS,
		.columns = operation_columns,
		.run = start,
	},
	{
		.noun = "sync",
		.verb = "runs",
		.summary = "List the runs of a rule",
		.operands = {THE_NAME},
		.examples = {{"berthctl sync runs nightly", "newest first"},
			     {"berthctl sync runs nightly -o name", "their ids"}},
		.method = "GET",
		.route = "/v1/syncs/{0}/runs",
		.traits = CMD_LISTS | CMD_QUERIES,
		.columns = run_columns,
		.name_path = "id",
		.run = run_list,
	},
	{
		.noun = "sync",
		.verb = "report",
		.summary = "Show each image's outcome in a run, or in a single copy",
		.details =
			"All outcomes are shown, at most 100 000; -o json and -o yaml, which are "
			"berthd's answer as it is, have the first 1 000 of them. The id of a copy "
			"without a rule is that of its operation.",
		.operands = {{"NAME", OPERAND_ONE, NAMES_SYNC, "the rule's name, or a run's id"},
			     {"RUN", OPERAND_MAYBE, NAMES_RUN, "the run's id; without: the last"}},
		.examples = {{"berthctl sync report nightly", "the last run"},
			     {"berthctl sync report nightly --jq '.outcomes[] | "
			      "select(.error) | .source'",
			      "what failed"},
			     {"berthctl sync report nightly -o ndjson", "a line for each image"}},
		.method = "GET",
		.route = "/v1/syncs/{name}/runs/{id}",
		.traits = CMD_SHOWS,
		.columns = run_columns,
		.run = report,
	},
	{0},
};
