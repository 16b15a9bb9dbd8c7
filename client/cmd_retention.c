/* SPDX-License-Identifier: Apache-2.0 */
/* retention: the rules by which a registry removes images of a space, and what
 * its runs kept and removed. Nothing of it is stored by berthd: each look is an
 * operation, which is waited for.
 */
#include <string.h>

#include "client/cmd.h"
#include "client/secret.h"
#include "client/show.h"
#include "core/base/text.h"
#include "core/base/yaml_in.h"

static const struct flag set_flags[] = {
	{"file", 'f', FLAG_TEXT, "FILE", "JSON or YAML; - is standard input", .names = NAMES_FILE},
	{0},
};

static const struct column rule_columns[] = {
	{"KEEP", "template", COL_TEXT, false},
	{"NUMBER", "number", COL_COUNT, false},
	{"REPOSITORIES", "repositories", COL_TEXT, false},
	{"EXCEPT", "exclude_repositories", COL_TEXT, false},
	{"TAGS", "tags", COL_TEXT, false},
	{"EXCEPT-TAGS", "exclude_tags", COL_TEXT, false},
	{"UNTAGGED", "untagged", COL_YES, false},
	{"DISABLED", "disabled", COL_YES, false},
	{"NATIVE", "native", COL_LONG, true},
	{0},
};
static const struct column run_columns[] = {
	{"RUN", "id", COL_TEXT, false},
	{"STATE", "state", COL_STATE, false},
	{"DRY", "dry_run", COL_YES, false},
	{"TRIGGER", "trigger", COL_TEXT, false},
	{"STARTED", "started_at", COL_TIME, false},
	{"ENDED", "ended_at", COL_TIME, false},
	{0},
};
static const struct column task_columns[] = {
	{"STATE", "state", COL_STATE, false},
	{"IMAGE", "source", COL_TEXT, false},
	{"DIGEST", "digest", COL_DIGEST, false},
	{"TASK", "id", COL_TEXT, true},
	{0},
};

/* The route of the operand's space with tail behind it; -1: go on. */
static int place(struct cli *c, const char *tail, char **ret_path)
{
	char id[PLACE_ID_ROOM];
	int status = place_space(c, cli_operand(c, 0), id);
	if (status >= 0)
		return status;
	*ret_path = text_printf("/v1/spaces/%s/retention%s", id, tail);
	return *ret_path ? -1 : cli_no_memory(c);
}

/* Asks by an operation and waits for it; *ret is its result. -1: go on. */
static int look(struct cli *c, const char *path, json_t **ret)
{
	struct berth_error err = ERROR_INIT;
	AUTO_JSON json_t *body = NULL;
	if (api_get(c, path, &body, &err))
		return cli_report(c, &err);
	int status = follow_quietly(c, &body);
	if (status != EXIT_OK)
		return status;
	*ret = json_incref(json_object_get(body, "result"));
	return *ret ? -1 : cli_usage(c, "berthd's operation brought no result");
}

/* A list within a result, as the list of any other noun. */
static int show_part(struct cli *c, const json_t *result, const char *part,
		     const struct column *columns)
{
	json_t *items = json_object_get(result, part);
	AUTO_JSON json_t *body =
		json_pack("{s:o}", "items", items ? json_incref(items) : json_array());
	return body ? show_list(c, body, columns) : cli_no_memory(c);
}

static int show(struct cli *c)
{
	AUTO_FREE char *path = NULL;
	AUTO_JSON json_t *result = NULL;
	int status = place(c, "", &path);
	if (status < 0)
		status = look(c, path, &result);
	if (status >= 0)
		return status;
	if (c->format != FORMAT_TABLE && c->format != FORMAT_WIDE)
		return show_resource(c, result, NULL);
	const char *schedule = js_str(result, "schedule", "");
	fputs("Schedule: ", c->out.file);
	term_put(&c->out, *schedule ? schedule : "by hand alone");
	fputs("\n\n", c->out.file);
	return show_part(c, result, "rules", rule_columns);
}

/* The one document of the file. */
static int read_policy(struct cli *c, json_t **ret, struct berth_error *err)
{
	AUTO_FREE char *text = NULL;
	AUTO_JSON json_t *documents = NULL;
	const char *file = cli_flag(c, "file", NULL);
	if (!file)
		return berth_fail(err, BERTH_E_INVALID, "no rules were given: -f FILE");
	int code = file_text(c, file, &text, err);
	if (!code)
		code = documents_parse(text, &documents, err);
	if (code)
		return berth_wrap(err, "cannot read %s", file);
	if (json_array_size(documents) != 1)
		return berth_fail(err, BERTH_E_INVALID, "%s has %zu documents; expected one", file,
				  json_array_size(documents));
	*ret = json_incref(json_array_get(documents, 0));
	return 0;
}

static int set(struct cli *c)
{
	struct berth_error err = ERROR_INIT;
	AUTO_FREE char *path = NULL;
	AUTO_JSON json_t *policy = NULL;
	if (read_policy(c, &policy, &err))
		return cli_report(c, &err);
	int status = place(c, "", &path);
	if (status >= 0)
		return status;
	AUTO_FREE char *done = text_printf("retention of %s written", cli_operand(c, 0));
	struct change change = {.call = {.method = "PUT", .path = path, .body = policy},
				.done = done};
	status = send_change(c, &change);
	/* With a schedule the registry runs them by itself, and asks nobody. */
	if (status == EXIT_OK && !cli_has(c, "dry-run") && *js_str(policy, "schedule", ""))
		cli_hint(c, "berthctl retention run %s --dry-run", cli_operand(c, 0));
	return status;
}

static void print_started(struct cli *c, const json_t *operation)
{
	const json_t *run = json_object_get(operation, "result");
	cli_note(c, "run %s has begun%s", js_str(run, "id", "?"),
		 js_bool(run, "dry_run", false) ? "; it removes nothing" : "");
	cli_hint(c, "berthctl retention runs %s %s", cli_operand(c, 0), js_str(run, "id", "RUN"));
}

/* With the space's name, which says that all tags may go. Takes path; NULL: it is said. */
static char *confirmed(struct cli *c, char *take_path, int *ret_exit)
{
	struct berth_error err = ERROR_INIT;
	AUTO_FREE char *path = take_path;
	AUTO_JSON json_t *space = NULL;
	AUTO_FREE char *at = path ? strndup(path, strlen(path) - strlen("/retention/runs")) : NULL;
	if (!at || api_get(c, at, &space, &err)) {
		*ret_exit = at ? cli_report(c, &err) : cli_no_memory(c);
		return NULL;
	}
	char *full = api_query(STEAL(path), "confirm", js_str(space, "name", ""));
	if (!full)
		*ret_exit = cli_no_memory(c);
	return full;
}

static int send_run(struct cli *c, const char *path)
{
	struct change change = {.call = {.method = "POST", .path = path}, .result = print_started};
	return send_change(c, &change);
}

static int send_confirmed(struct cli *c, char *take_path)
{
	int status = EXIT_OK;
	AUTO_FREE char *path = confirmed(c, take_path, &status);
	return path ? send_run(c, path) : status;
}

/* Berthd looks first; where all tags of a repository would go, it begins nothing and the
 * user is asked. */
static int start_asking(struct cli *c, char *take_path)
{
	struct berth_error err = ERROR_INIT;
	AUTO_FREE char *path = take_path;
	AUTO_JSON json_t *operation = NULL;
	struct api_call call = {.method = "POST", .path = path};
	if (api_send(c, &call, &operation, &err))
		return cli_report(c, &err);
	int status = follow_quietly(c, &operation);
	if (status == EXIT_OK)
		return follow_outcome(c, operation, print_started);
	const json_t *names = value_at(operation, "result.removes_all.names"), *name;
	size_t i;
	json_array_foreach (names, i, name)
		cli_note(c, "  %s", json_string_value(name));
	if (names && !can_ask(c))
		cli_hint(c, "say --yes to mean it");
	if (!names || !can_ask(c))
		return status;
	if (!confirm(c, "No tag of these repositories would be left.", &status))
		return status;
	return send_confirmed(c, STEAL(path));
}

static int start(struct cli *c)
{
	AUTO_FREE char *path = NULL;
	int status = place(c, "/runs", &path);
	if (status >= 0)
		return status;
	if (cli_has(c, "dry-run"))
		return send_run(c, path);
	if (cli_has(c, "yes"))
		return send_confirmed(c, STEAL(path));
	return cli_has(c, "no-wait") ? send_run(c, path) : start_asking(c, STEAL(path));
}

/* Says how much of a run is whole repositories; the tasks of one stand together, and their
 * sources are REPOSITORY:TAG. */
static void say_emptied(struct cli *c, const json_t *tasks)
{
	long long kept = 0, removed = 0, tags = 0, repositories = 0;
	for (size_t i = 0; i < json_array_size(tasks); i++) {
		const char *source = js_str(json_array_get(tasks, i), "source", "");
		const char *next = js_str(json_array_get(tasks, i + 1), "source", "");
		const char *state = js_str(json_array_get(tasks, i), "state", "");
		const char *tag = strchr(source, '@') ? NULL : strrchr(source, ':');
		size_t bytes = tag ? (size_t)(tag - source) + 1 : 0;
		kept += tag && strcmp(state, "removed") != 0;
		removed += tag && !strcmp(state, "removed");
		if (bytes && !strncmp(source, next, bytes))
			continue;
		repositories += removed && !kept;
		tags += kept ? 0 : removed;
		kept = removed = 0;
	}
	if (repositories)
		cli_note(c, "this run removes all %lld tag%s of %lld repositor%s", tags,
			 tags == 1 ? "" : "s", repositories, repositories == 1 ? "y" : "ies");
}

static int runs(struct cli *c)
{
	AUTO_FREE char *path = NULL;
	AUTO_JSON json_t *result = NULL;
	const char *run = cli_operand(c, 1);
	AUTO_FREE char *safe = run ? text_url_encode(run) : NULL;
	AUTO_FREE char *tail = text_printf("/runs%s%s", run ? "/" : "", safe ? safe : "");
	int status = tail && (safe || !run) ? place(c, tail, &path) : cli_no_memory(c);
	if (status < 0)
		status = look(c, path, &result);
	if (status >= 0)
		return status;
	if (!run)
		return show_part(c, result, "runs", run_columns);
	if (c->format == FORMAT_TABLE || c->format == FORMAT_WIDE)
		say_emptied(c, json_object_get(result, "tasks"));
	return show_part(c, result, "tasks", task_columns);
}

#define THE_SPACE                                                                                  \
	{                                                                                          \
		"SPACE", OPERAND_ONE, NAMES_SPACE, "INTEGRATION/SPACE, or its id"                  \
	}

const struct command retention_commands[] = {
	{
		.noun = "retention",
		.verb = "show",
		.aliases = "get",
		.summary = "Show the retention rules of a space",
		.details = "They are asked of the registry at this moment. A rule that was made "
			   "elsewhere, in a form that Berth has no members for, is shown whole "
			   "under 'native'.",
		.operands = {THE_SPACE},
		.examples = {{"berthctl retention show harbor/team", "rules and schedule"},
			     {"berthctl retention show harbor/team -o yaml > rules.yaml",
			      "to edit them and set them again"}},
		.method = "GET",
		.route = "/v1/spaces/{id}/retention",
		.traits = CMD_SHOWS,
		.columns = rule_columns,
		.name_path = "template",
		.run = show,
	},
	{
		.noun = "retention",
		.verb = "set",
		.aliases = "edit",
		.summary = "Write the retention rules of a space",
		.details = "The file has 'schedule', a cron line of six fields with the seconds "
			   "first, or nothing, and 'rules', at most 15. A rule has a template "
			   "(latestPushedK, latestPulledN, nDaysSinceLastPush, "
			   "nDaysSinceLastPull, always), its number, and globs: repositories or "
			   "exclude_repositories, tags or exclude_tags. With --dry-run they are "
			   "checked and not written.",
		.operands = {THE_SPACE},
		.flags = set_flags,
		.examples = {{"berthctl retention set harbor/team -f rules.yaml", "write them"},
			     {"berthctl retention set harbor/team -f rules.yaml --dry-run",
			      "check them"}},
		.method = "PUT",
		.route = "/v1/spaces/{id}/retention",
		.traits = CMD_CHANGES | CMD_STARTS,
		.columns = rule_columns,
		.run = set,
	},
	{
		.noun = "retention",
		.verb = "run",
		.aliases = "start",
		.summary = "Run the retention rules of a space now",
		.details = "The registry itself removes what no rule keeps. With --dry-run it "
			   "removes nothing, and 'retention runs' shows what it would have. Each "
			   "run is preceded by a dry one: where that removes all tags of a "
			   "repository, you are asked, and a script is refused. With --yes "
			   "nothing is looked at before.",
		.operands = {THE_SPACE},
		.examples = {{"berthctl retention run harbor/team --dry-run", "what would go"},
			     {"berthctl retention run harbor/team", "remove it"},
			     {"berthctl retention run harbor/team --yes",
			      "even if nothing is left"}},
		.method = "POST",
		.route = "/v1/spaces/{id}/retention/runs",
		.traits = CMD_CHANGES | CMD_ASKS | CMD_STARTS,
		.columns = run_columns,
		.run = start,
	},
	{
		.noun = "retention",
		.verb = "runs",
		.summary = "List the runs of a space's retention, or what one kept and removed",
		.operands = {THE_SPACE,
			     {"RUN", OPERAND_MAYBE, NAMES_NONE, "its number, as the list has it"}},
		.examples = {{"berthctl retention runs harbor/team", "all of them"},
			     {"berthctl retention runs harbor/team 118", "each tag of one"}},
		.method = "GET",
		.route = "/v1/spaces/{id}/retention/runs",
		.traits = CMD_SHOWS,
		.columns = run_columns,
		.name_path = "id",
		.run = runs,
	},
	{0},
};
