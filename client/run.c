/* SPDX-License-Identifier: Apache-2.0 */
/* The generic commands: list, show, create, edit and delete by the table. */
#include <limits.h>
#include <poll.h>
#include <string.h>

#include "client/cmd.h"
#include "client/secret.h"
#include "client/show.h"
#include "core/base/text.h"

enum { WATCH_DEFAULT_S = 2 };

char *path_with_flags(const struct cli *c, char *take_path)
{
	char *path = take_path;
	for (size_t i = 0; path && i < c->given_count; i++) {
		const struct given *g = &c->given[i];
		if (g->flag->query)
			path = api_query(path, g->flag->query, g->text ? g->text : "true");
	}
	return path;
}

/* A list out of berthd's index: which registries it could not read of late. The
 * list goes to stdout as it is, so this is for stderr. */
static void warn_of_indexes(struct cli *c, const json_t *body)
{
	const json_t *index;
	size_t i;
	json_array_foreach (json_object_get(body, "indexes"), i, index) {
		const char *error = js_str(index, "error", NULL);
		const char *cause = js_str(index, "cause", NULL), *at = js_str(index, "at", NULL);
		if (error)
			cli_note(c, "warning: %s could not be read on %s: %s%s%s; %s%s",
				 js_str(index, "integration", "?"), js_str(index, "failed_at", "?"),
				 error, cause ? ": " : "", cause ? cause : "",
				 at ? "what is shown is of " : "nothing is known of it",
				 at ? at : "");
	}
}

/* Shows a body once; a list where it has items. */
int show_paged(struct cli *c, const json_t *body)
{
	bool is_list = (c->command->traits & CMD_LISTS) && json_object_get(body, "items");
	struct pager pager = {0};
	if (!cli_has(c, "no-pager") && !cli_has(c, "watch"))
		term_pager_start(&pager, &c->out);
	int status = is_list ? show_list(c, body, NULL) : show_resource(c, body, NULL);
	term_pager_stop(&pager, &c->out);
	warn_of_indexes(c, body);
	return status;
}

/* --limit is the size of the only page, or of each where there are many. */
static char *limited(const char *path, uint64_t limit)
{
	char digits[8];
	if (!limit || strstr(path, "limit="))
		return strdup(path);
	snprintf(digits, sizeof(digits), "%u", limit < 1000 ? (unsigned)limit : 1000);
	return api_query(strdup(path), "limit", digits);
}

static int fetch(struct cli *c, const char *path, json_t **ret, struct berth_error *err)
{
	uint64_t limit = cli_count(c, "limit", 0);
	if (!(c->command->traits & CMD_LISTS))
		return api_get(c, path, ret, err);
	AUTO_FREE char *full = limited(path, limit);
	return full ? api_list(c, full, limit, ret, err) : berth_fail_memory(err);
}

/* Waits until it is time to look again; false: nobody reads any more. */
static bool pause_for(const struct cli *c, int ms)
{
	struct pollfd out = {.fd = fileno(c->out.file)};
	return poll(&out, 1, ms > 0 ? ms : 100) <= 0;
}

/* --watch: a terminal is painted anew, a pipe gets a JSON line for each change. */
static int watch_path(struct cli *c, const char *path)
{
	struct berth_error err = ERROR_INIT;
	AUTO_FREE char *before = NULL;
	bool is_table = c->format == FORMAT_TABLE || c->format == FORMAT_WIDE;
	uint64_t pause_s = cli_count(c, "interval", WATCH_DEFAULT_S);
	int pause_ms = pause_s < INT_MAX / 1000 ? (int)pause_s * 1000 : INT_MAX;
	do {
		AUTO_JSON json_t *body = NULL;
		int code = fetch(c, path, &body, &err);
		if (code)
			return cli_report(c, &err);
		AUTO_FREE char *now = json_text(body, JSON_COMPACT);
		if (!now)
			return cli_no_memory(c);
		if (before && !strcmp(before, now) && !(is_table && c->out.is_tty))
			continue;
		term_measure(&c->out);
		if (is_table && c->out.is_tty)
			fputs("\x1b[H\x1b[J", c->out.file);
		if (c->format == FORMAT_JSON)
			fprintf(c->out.file, "%s\n", now);
		else
			code = show_paged(c, body);
		fflush(c->out.file);
		if (code || ferror(c->out.file))
			return code;
		free(before);
		before = STEAL(now);
	} while (pause_for(c, pause_ms));
	return EXIT_OK;
}

static int once(struct cli *c, const char *path)
{
	struct berth_error err = ERROR_INIT;
	AUTO_JSON json_t *body = NULL;
	if (cli_has(c, "watch"))
		return watch_path(c, path);
	if (fetch(c, path, &body, &err))
		return cli_report(c, &err);
	return show_paged(c, body);
}

int list_path(struct cli *c, const char *path)
{
	return once(c, path);
}

int show_path(struct cli *c, const char *path)
{
	return once(c, path);
}

static int run_path(struct cli *c)
{
	struct berth_error err = ERROR_INIT;
	AUTO_FREE char *path = path_with_flags(c, api_route(c, c->command->route));
	if (!path) {
		berth_fail_memory(&err);
		return cli_report(c, &err);
	}
	return once(c, path);
}

int run_list(struct cli *c)
{
	return run_path(c);
}

int run_show(struct cli *c)
{
	return run_path(c);
}

/* The plan of a dry run: what would be made, changed and deleted, and with how
 * many bytes and calls. */
static int show_plan(struct cli *c, const json_t *plan)
{
	static const struct {
		const char *member, *what;
	} rows[] = {{"create", "would create"},
		    {"update", "would change"},
		    {"delete", "would delete"},
		    {"keeps", "would keep"},
		    {"calls", "would ask the registry for"}};
	size_t lines = 0, i;
	const json_t *one;
	int status = show_document(c, plan);
	if (status >= 0)
		return status;
	for (size_t row = 0; row < ARRAY_COUNT(rows); row++)
		json_array_foreach (json_object_get(plan, rows[row].member), i, one) {
			AUTO_FREE char *text = cell_text(one, COL_TEXT, true);
			AUTO_FREE char *safe = text ? term_escape(&c->out, text, false) : NULL;
			fprintf(c->out.file, "%s %s\n", rows[row].what, term_whole(safe));
			lines++;
		}
	if (js_str(plan, "message", NULL))
		term_put(&c->out, js_str(plan, "message", ""));
	if (js_str(plan, "message", NULL) || !lines)
		fputs(lines ? "\n" : "nothing would change\n", c->out.file);
	return EXIT_OK;
}

/* For operations whose end is said by one sentence. */
static void no_result(struct cli *c, const json_t *operation)
{
	(void)c;
	(void)operation;
}

/* With what berthd has to say of it. */
static void say_done(struct cli *c, const char *done, const json_t *body)
{
	cli_note(c, "%s", done);
	if (js_str(body, "message", NULL))
		cli_note(c, "%s", js_str(body, "message", ""));
	const json_t *added = json_object_get(body, "added");
	AUTO_FREE char *list = json_array_size(added) ? cell_text(added, COL_LONG, true) : NULL;
	if (list)
		cli_note(c, "came along, since others need them: %s", list);
}

/* Shows the answer to a change. */
static int show_change(struct cli *c, const struct change *change, const json_t *body)
{
	bool is_person = c->format == FORMAT_TABLE || c->format == FORMAT_WIDE;
	bool is_operation = json_object_get(body, "state") && json_object_get(body, "attempts");
	if (is_operation) {
		follow_result *result = change->done && !change->result && !cli_has(c, "dry-run")
						? no_result
						: change->result;
		int status = c->status == 202 ? follow_operation(c, body, result)
					      : follow_outcome(c, body, result);
		if (result == no_result && status == EXIT_OK && !cli_has(c, "no-wait"))
			cli_note(c, "%s", change->done);
		return status;
	}
	if (cli_has(c, "dry-run"))
		return body ? show_plan(c, body) : EXIT_OK;
	if (change->done && is_person)
		say_done(c, change->done, body);
	return body && (!is_person || !change->done) ? show_resource(c, body, change->columns)
						     : EXIT_OK;
}

int follow_check(struct cli *c, const json_t *saved, const char *noun, const char *name)
{
	const char *id = json_string_value(value_at(saved, "status.check"));
	struct berth_error err = ERROR_INIT;
	AUTO_JSON json_t *operation = NULL;
	if (!id)
		return EXIT_OK;
	AUTO_FREE char *path = text_printf("/v1/operations/%s", id);
	if (!path || api_get(c, path, &operation, &err))
		return path ? cli_report(c, &err) : cli_no_memory(c);
	int status = follow_quietly(c, &operation);
	if (status != EXIT_OK) {
		cli_note(c, "%s %s is saved all the same", noun, name);
		cli_hint(c, "berthctl %s edit %s --engine auto", noun, name);
	}
	return status;
}

int send_change(struct cli *c, const struct change *change)
{
	struct berth_error err = ERROR_INIT;
	AUTO_JSON json_t *body = NULL;
	struct api_call call = change->call;
	AUTO_FREE char *path = strdup(call.path);
	if (cli_has(c, "dry-run") && path)
		path = api_query(path, "dry_run", "true");
	call.path = path;
	if (!path) {
		berth_fail_memory(&err);
		return cli_report(c, &err);
	}
	if (api_send(c, &call, &body, &err))
		return cli_report(c, &err);
	int status = show_change(c, change, body);
	return status == EXIT_OK ? follow_check(c, body, c->command->noun, cli_operand(c, 0))
				 : status;
}

int run_post(struct cli *c)
{
	struct berth_error err = ERROR_INIT;
	AUTO_JSON json_t *body = json_object();
	AUTO_FREE char *path = path_with_flags(c, api_route(c, c->command->route));
	if (!body || !path)
		return cli_no_memory(c);
	if (cli_fill_body(c, body, &err))
		return cli_report(c, &err);
	bool has_body = json_object_size(body) > 0;
	struct change change = {
		.call = {.method = "POST", .path = path, .body = has_body ? body : NULL}};
	return send_change(c, &change);
}

/* What the probe changed: the resource as it is now. */
static void probed(struct cli *c, const json_t *operation)
{
	struct berth_error err = ERROR_INIT;
	AUTO_JSON json_t *now = NULL;
	AUTO_FREE char *path = api_route(c, c->command->route);
	char *tail = path ? strrchr(path, '/') : NULL;

	(void)operation;
	if (!tail)
		return;
	*tail = '\0';
	if (api_get(c, path, &now, &err))
		cli_report(c, &err);
	else
		show_resource(c, now, NULL);
}

int run_probe(struct cli *c)
{
	AUTO_FREE char *path = api_route(c, c->command->route);
	struct change change = {.call = {.method = "POST", .path = path}, .result = probed};

	return path ? send_change(c, &change) : cli_no_memory(c);
}

/* Sends the patch of what path is, with the ETag that its reading brought. */
static int send_patch(struct cli *c, const char *path, json_t *patch)
{
	char etag[sizeof(c->etag)];
	snprintf(etag, sizeof(etag), "%s", c->etag);
	AUTO_FREE char *done = text_printf("%s %s changed", c->command->noun, cli_operand(c, 0));
	struct change change = {
		.call = {.method = "PATCH", .path = path, .body = patch, .if_match = etag},
		.done = done};
	return send_change(c, &change);
}

static int say_nothing_given(struct cli *c)
{
	cli_usage(c, "nothing to change was given");
	cli_hint(c, "berthctl %s %s --help", c->command->noun, c->command->verb);
	return EXIT_USAGE;
}

int run_edit(struct cli *c)
{
	struct berth_error err = ERROR_INIT;
	AUTO_JSON json_t *patch = json_object(), *now = NULL;
	AUTO_FREE char *path = api_route(c, c->command->route);
	if (!patch || !path)
		return cli_no_memory(c);
	if (cli_fill_body(c, patch, &err))
		return cli_report(c, &err);
	if (!json_object_size(patch))
		return say_nothing_given(c);
	if (api_get(c, path, &now, &err))
		return cli_report(c, &err);
	return send_patch(c, path, patch);
}

int edit_lists(struct cli *c, const char *const *lists, apply_lists *apply)
{
	struct berth_error err = ERROR_INIT;
	AUTO_JSON json_t *now = NULL, *patch = json_object();
	AUTO_FREE char *path = api_route(c, c->command->route);
	if (!path || !patch || cli_fill_body(c, patch, &err) || api_get(c, path, &now, &err))
		return cli_report(c, &err);
	AUTO_JSON json_t *before = json_deep_copy(now);
	int status = apply(c, now);
	if (status >= 0)
		return status;
	for (; *lists; lists++)
		if (!json_equal(json_object_get(before, *lists), json_object_get(now, *lists)))
			json_object_set(patch, *lists, json_object_get(now, *lists));
	return json_object_size(patch) ? send_patch(c, path, patch) : say_nothing_given(c);
}

/* What a deletion takes along, in one sentence. */
static char *what_goes(const struct cli *c, const json_t *now)
{
	const char *noun = c->command->noun, *name = cli_operand(c, 0);
	if (!strcmp(noun, "integration"))
		return text_printf(
			"This deletes integration %s at %s with its index of %lld "
			"repositories; the registry itself is not touched.",
			name, js_str(now, "address", "?"),
			(long long)js_int(value_at(now, "status.index"), "repositories", 0));
	size_t targets = json_array_size(json_object_get(now, "targets"));
	if (!strcmp(noun, "sync") && targets)
		return text_printf("This deletes sync %s (%s to %zu targets) with its runs; what "
				   "it copied stays.",
				   name, js_str(now, "source", "?"), targets);
	if (!strcmp(noun, "sync"))
		return text_printf("This deletes sync %s (%s to %s) with its runs; what it copied "
				   "stays.",
				   name, js_str(now, "source", "?"), js_str(now, "target", "?"));
	return text_printf("This deletes %s %s.", noun, name);
}

int run_delete(struct cli *c)
{
	struct berth_error err = ERROR_INIT;
	AUTO_JSON json_t *now = NULL;
	AUTO_FREE char *path = api_route(c, c->command->route);
	int status;
	if (!path)
		return cli_no_memory(c);
	if (api_get(c, path, &now, &err))
		return cli_report(c, &err);
	char etag[sizeof(c->etag)];
	snprintf(etag, sizeof(etag), "%s", c->etag);
	AUTO_FREE char *what = what_goes(c, now);
	AUTO_FREE char *done = text_printf("%s %s deleted", c->command->noun, cli_operand(c, 0));
	if (!confirm(c, what, &status))
		return status;
	AUTO_FREE char *full = path_with_flags(c, STEAL(path));
	struct change change = {
		.call = {.method = "DELETE", .path = full, .if_match = *etag ? etag : "*"},
		.done = done};
	return full ? send_change(c, &change) : cli_no_memory(c);
}
