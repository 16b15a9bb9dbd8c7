/* SPDX-License-Identifier: Apache-2.0 */
/* apply and diff: make the daemon agree with a file, or show what that means. */
#include <string.h>

#include "client/apply.h"
#include "client/cmd.h"
#include "client/secret.h"
#include "client/show.h"
#include "core/base/text.h"

static const struct flag flags[] = {
	{"file", 'f', FLAG_TEXT, "FILE", "JSON or YAML; - is standard input", .names = NAMES_FILE},
	{"prune", 0, FLAG_TRUE, NULL, .help = "delete what the file's lists do not name"},
	{"set-secrets", 0, FLAG_TRUE, NULL,
	 .help = "send passwords and keys again; they cannot be compared"},
	{0},
};

static const struct column columns[] = {
	{"ACTION", "action", COL_TEXT, false},
	{"NOUN", "noun", COL_TEXT, false},
	{"NAME", "name", COL_TEXT, false},
	{"MEMBERS", "members", COL_LONG, false},
	{0},
};

static json_t *members_of(const struct step *s)
{
	json_t *list = json_array();
	size_t i;
	const json_t *change;
	json_array_foreach (s->changes, i, change)
		json_array_append(list, json_object_get(change, "member"));
	return list;
}

/* {"items":[{"action","noun","name","members","changes"}]}; NULL: no memory. */
static json_t *plan_document(const struct plan *p)
{
	AUTO_JSON json_t *items = json_array();
	for (size_t i = 0; i < p->step_count; i++) {
		const struct step *s = &p->steps[i];
		json_t *item =
			json_pack("{s:s, s:s, s:s, s:o}", "action", step_action_name(s->action),
				  "noun", s->kind->noun, "name", s->name, "members", members_of(s));
		if (s->action == STEP_UPDATE)
			json_object_set(item, "changes", s->changes);
		if (json_array_append_new(items, item))
			return NULL;
	}
	return json_pack("{s:O}", "items", items);
}

static size_t count_of(const struct plan *p, enum step_action action)
{
	size_t n = 0;
	for (size_t i = 0; i < p->step_count; i++)
		n += p->steps[i].action == action ? 1 : 0;
	return n;
}

/* "  - member: before" and "  + member: after". */
static void change_lines(struct cli *c, const struct step *s)
{
	static const struct {
		const char *member, *sign;
		enum paint paint;
	} sides[] = {{"before", "-", PAINT_RED}, {"after", "+", PAINT_GREEN}};
	size_t i;
	const json_t *change;
	json_array_foreach (s->changes, i, change)
		for (size_t side = 0; side < ARRAY_COUNT(sides); side++) {
			const json_t *value = json_object_get(change, sides[side].member);
			AUTO_FREE char *text = value ? json_text(value, JSON_COMPACT) : NULL;
			if (!text || json_is_null(value))
				continue;
			fprintf(c->out.file, "%s  %s %s: %s%s\n",
				term_paint(&c->out, sides[side].paint), sides[side].sign,
				js_str(change, "member", ""), text,
				term_paint(&c->out, PAINT_NONE));
		}
}

static void step_line(struct cli *c, const struct step *s)
{
	static const enum paint paints[] = {PAINT_GREEN, PAINT_YELLOW, PAINT_NONE, PAINT_RED};
	enum paint paint = paints[s->action];
	fprintf(c->out.file, "%s%-9s%s  %s ", paint ? term_paint(&c->out, paint) : "",
		step_action_name(s->action), paint ? term_paint(&c->out, PAINT_NONE) : "",
		s->kind->noun);
	term_put(&c->out, s->name);
	fputc('\n', c->out.file);
}

/* Prints the plan; -1: as lines, which go on with a summary. */
static int show_plan(struct cli *c, const struct plan *p)
{
	if (c->format != FORMAT_TABLE && c->format != FORMAT_WIDE) {
		AUTO_JSON json_t *document = plan_document(p);
		return document ? show_list(c, document, columns) : cli_no_memory(c);
	}
	for (size_t i = 0; i < p->step_count; i++) {
		step_line(c, &p->steps[i]);
		change_lines(c, &p->steps[i]);
	}
	fflush(c->out.file);
	return EXIT_OK;
}

static void summary(struct cli *c, const struct plan *p)
{
	cli_note(c, "%zu to create, %zu to update, %zu unchanged, %zu to prune",
		 count_of(p, STEP_CREATE), count_of(p, STEP_UPDATE), count_of(p, STEP_UNCHANGED),
		 count_of(p, STEP_PRUNE));
}

static int make(struct cli *c, struct plan *p)
{
	struct berth_error err = ERROR_INIT;
	const char *file = cli_flag(c, "file", NULL);
	if (!file) {
		cli_usage(c, "-f is missing: the file to apply");
		cli_hint(c, "berthctl help topic apply");
		return EXIT_USAGE;
	}
	return plan_make(c, file, p, &err) ? cli_report(c, &err) : -1;
}

static int step_failed(struct cli *c, const struct step *s, struct berth_error *err)
{
	berth_wrap(err, "cannot %s %s %s", step_action_name(s->action), s->kind->noun, s->name);
	cli_note(c, "%s", err->message);
	return cli_report(c, err);
}

/* Those of list that other has not; NULL without memory. */
static json_t *lacking(const json_t *list, const json_t *other)
{
	AUTO_JSON json_t *found = json_array();
	size_t i, k;
	json_t *one;
	const json_t *have;
	json_array_foreach (list, i, one) {
		bool is_there = false;
		json_array_foreach (other, k, have)
			is_there = is_there || json_equal(have, one);
		if (!is_there && json_array_append(found, one))
			return NULL;
	}
	return STEAL(found);
}

/* The space of a step, which is there by now, is bound to these workspaces and to no other. */
static int bind_space(struct cli *c, const struct step *s, const json_t *workspaces)
{
	struct berth_error err = ERROR_INIT;
	char id[PLACE_ID_ROOM];
	AUTO_JSON json_t *space = NULL, *answer = NULL;
	int status = place_space(c, s->name, id);
	if (status >= 0)
		return status;
	AUTO_FREE char *path = text_printf("/v1/spaces/%s", id);
	AUTO_FREE char *bindings = text_printf("/v1/spaces/%s/bindings", id);
	if (!path || !bindings)
		return cli_no_memory(c);
	if (api_get(c, path, &space, &err))
		return step_failed(c, s, &err);
	const json_t *bound = json_object_get(space, "workspaces");
	AUTO_JSON json_t *bind = lacking(workspaces, bound), *unbind = lacking(bound, workspaces);
	AUTO_JSON json_t *body = json_pack("{s:O, s:O}", "bind", bind, "unbind", unbind);
	struct api_call call = {.method = "POST", .path = bindings, .body = body};
	if (!body)
		return cli_no_memory(c);
	if (!json_array_size(bind) && !json_array_size(unbind))
		return EXIT_OK;
	return api_send(c, &call, &answer, &err) ? step_failed(c, s, &err) : EXIT_OK;
}

/* Sends one step and waits for its operation. What is saved and can't be done as it is
 * written does not hold up the steps after it: *checked says so. */
static int send_step(struct cli *c, const struct step *s, json_t *sent, int *checked)
{
	static const char *const methods[] = {"POST", "PATCH", NULL, "DELETE"};
	struct berth_error err = ERROR_INIT;
	AUTO_JSON json_t *body = NULL;
	struct api_call call = {.method = methods[s->action],
				.path = s->action == STEP_CREATE ? s->kind->collection : s->path,
				.body = sent,
				.if_match = s->action == STEP_CREATE ? NULL : s->etag};
	if (api_send(c, &call, &body, &err))
		return step_failed(c, s, &err);
	if (json_object_get(body, "attempts"))
		return follow_quietly(c, &body);
	int status = follow_check(c, body, s->kind->noun, s->name);
	*checked = status != EXIT_OK ? status : *checked;
	return EXIT_OK;
}

/* Which workspaces a space is bound to is another route's than the space. */
static int carry_out(struct cli *c, const struct step *s, int *checked)
{
	const json_t *workspaces =
		s->kind->has_integration ? json_object_get(s->body, "workspaces") : NULL;
	if (!workspaces)
		return send_step(c, s, s->body, checked);
	AUTO_JSON json_t *rest = json_copy(s->body);
	if (!rest || json_object_del(rest, "workspaces"))
		return cli_no_memory(c);
	bool is_all = s->action == STEP_UPDATE && !json_object_size(rest);
	int status = is_all ? EXIT_OK : send_step(c, s, rest, checked);
	return status == EXIT_OK ? bind_space(c, s, workspaces) : status;
}

/* Prunes what hangs on others first: last kind, last item. */
static int carry_out_all(struct cli *c, const struct plan *p)
{
	size_t done = 0;
	int status = EXIT_OK, checked = EXIT_OK;
	for (size_t i = 0; i < p->step_count && status == EXIT_OK; i++) {
		const struct step *s = &p->steps[i];
		if (s->action == STEP_UNCHANGED || s->action == STEP_PRUNE)
			continue;
		status = carry_out(c, s, &checked);
		done += status == EXIT_OK ? 1 : 0;
	}
	for (size_t i = p->step_count; i-- > 0 && status == EXIT_OK;) {
		if (p->steps[i].action != STEP_PRUNE)
			continue;
		status = carry_out(c, &p->steps[i], &checked);
		done += status == EXIT_OK ? 1 : 0;
	}
	if (status != EXIT_OK && done)
		return EXIT_PARTLY;
	return status != EXIT_OK ? status : checked;
}

static int run_plan(struct cli *c, const struct plan *p)
{
	int status = show_plan(c, p);
	size_t pruned = count_of(p, STEP_PRUNE);
	if (status != EXIT_OK || cli_has(c, "dry-run")) {
		summary(c, p);
		return status;
	}
	AUTO_FREE char *what =
		text_printf("This deletes %zu things that the file does not name.", pruned);
	if (pruned && !confirm(c, what, &status))
		return status;
	status = carry_out_all(c, p);
	if (status == EXIT_OK)
		cli_note(c, "%zu created, %zu updated, %zu unchanged, %zu pruned",
			 count_of(p, STEP_CREATE), count_of(p, STEP_UPDATE),
			 count_of(p, STEP_UNCHANGED), pruned);
	return status;
}

static int apply(struct cli *c)
{
	struct plan p;
	int status = make(c, &p);
	if (status >= 0)
		return status;
	status = run_plan(c, &p);
	plan_done(&p);
	return status;
}

/* As diff(1): 0 the same, 1 differs, 2 could not be told. */
static int diff(struct cli *c)
{
	struct plan p;
	int status = make(c, &p);
	if (status >= 0)
		return EXIT_USAGE;
	bool is_same = count_of(&p, STEP_UNCHANGED) == p.step_count;
	status = show_plan(c, &p);
	summary(c, &p);
	plan_done(&p);
	return status != EXIT_OK ? EXIT_USAGE : is_same ? EXIT_OK : EXIT_ERROR;
}

const struct command apply_commands[] = {
	{
		.noun = "apply",
		.summary =
			"Create, change and (with --prune) delete until berthd has what a file says",
		.details = "`berthctl help topic apply` shows the file's form. What is there and "
			   "agrees is left alone, so the same file can be applied again and "
			   "again. A member NAME_file is read from the file that it names.",
		.flags = flags,
		.examples = {{"berthctl apply -f registries.yaml", "make it so"},
			     {"berthctl apply -f registries.yaml --prune --dry-run",
			      "what would be done, deletions too"},
			     {"berthctl integration show hub -o json | jq '{integrations:[{name,"
			      "kind,address}]}' | berthctl apply -f -",
			      "from another command"}},
		.traits = CMD_CHANGES | CMD_STARTS | CMD_ASKS,
		.columns = columns,
		.run = apply,
	},
	{0},
};

const struct command diff_commands[] = {
	{
		.noun = "diff",
		.summary = "Show what apply would do: exit 0 nothing, 1 something, 2 an error",
		.flags = flags,
		.examples = {{"berthctl diff -f registries.yaml", "line by line"},
			     {"berthctl diff -f registries.yaml -o json --jq '.items[] | "
			      "select(.action != \"unchanged\")'",
			      "for a program"}},
		.columns = columns,
		.run = diff,
	},
	{0},
};
