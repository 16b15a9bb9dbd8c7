/* SPDX-License-Identifier: Apache-2.0 */
/* Says what went wrong: error, cause, hint and request id for a person, the
 * problem document for a program, and one exit code for both.
 */
#include <stdarg.h>
#include <string.h>
#include <strings.h>

#include "client/cli.h"
#include "client/dial.h"
#include "client/hint.h"
#include "client/show.h"
#include "core/base/text.h"
#include "core/http/problem.h"

/* One "label: text" line on stderr. */
static void line(struct cli *c, enum paint paint, const char *label, const char *text)
{
	fprintf(c->err.file, "%s%s:%s ", term_paint(&c->err, paint), label,
		term_paint(&c->err, PAINT_NONE));
	AUTO_FREE char *safe = term_escape(&c->err, text, false);
	fprintf(c->err.file, "%s\n", safe ? safe : "(out of memory)");
}

static bool is_for_program(const struct cli *c)
{
	return c->format == FORMAT_JSON || c->format == FORMAT_NDJSON;
}

/* The request's id is the last line: what the command has to add comes before it. */
static void request_line(struct cli *c)
{
	if (*c->told_request)
		line(c, PAINT_DIM, "request", c->told_request);
	*c->told_request = '\0';
}

void cli_fault_print(struct cli *c)
{
	request_line(c);
	if (!c->fault)
		return;
	AUTO_FREE char *text =
		json_text(c->fault, c->format == FORMAT_NDJSON ? JSON_COMPACT : JSON_INDENT(2));
	fprintf(c->err.file, "%s\n",
		text ? text : "{\"code\": \"memory\", \"detail\": \"out of memory\"}");
	json_decref(c->fault);
	c->fault = NULL;
}

/* Keeps it until its hint is known, or the run ends. NULL, no memory: false. */
static bool keep_fault(struct cli *c, json_t *take)
{
	cli_fault_print(c);
	c->fault = take;
	return take;
}

/* What arose here and not in the daemon, in a problem document's words; it has no type,
 * status and instance. cause may be empty. NULL: no memory. */
static json_t *fault_of(const char *code, const char *detail, const char *cause)
{
	json_t *fault = json_pack("{s:s,s:s}", "code", code, "detail", detail);
	if (fault && *cause && json_object_set_new(fault, "cause", json_string(cause))) {
		json_decref(fault);
		return NULL;
	}
	return fault;
}

int cli_usage(struct cli *c, const char *fmt, ...)
{
	va_list args;
	AUTO_FREE char *text = NULL;
	va_start(args, fmt);
	int bytes = vasprintf(&text, fmt, args);
	va_end(args);
	const char *said = bytes < 0 ? "out of memory" : text;
	if (!is_for_program(c) || !keep_fault(c, fault_of("usage", said, "")))
		line(c, PAINT_RED, "error", said);
	return EXIT_USAGE;
}

/* A second hint stands after the first. False: no memory. */
static bool fault_hint(json_t *fault, const char *text)
{
	const char *old = js_str(fault, "hint", NULL);
	AUTO_FREE char *both = old ? text_printf("%s; %s", old, text) : NULL;
	if (old && !both)
		return false;
	return json_object_set_new(fault, "hint", json_string(both ? both : text)) == 0;
}

void cli_hint(struct cli *c, const char *fmt, ...)
{
	va_list args;
	AUTO_FREE char *text = NULL;
	va_start(args, fmt);
	int bytes = vasprintf(&text, fmt, args);
	va_end(args);
	if (bytes < 0 || !c->fault || !fault_hint(c->fault, text))
		line(c, PAINT_GREEN, "hint", bytes < 0 ? "out of memory" : text);
}

void cli_note(struct cli *c, const char *fmt, ...)
{
	va_list args;
	AUTO_FREE char *text = NULL;
	va_start(args, fmt);
	int bytes = vasprintf(&text, fmt, args);
	va_end(args);
	if (bytes < 0)
		return;
	term_put(&c->err, text);
	fputc('\n', c->err.file);
}

/* "harbor.example.com answered 502 (unauthorized)" */
static void upstream_line(struct cli *c, const json_t *problem)
{
	const json_t *up = json_object_get(problem, "upstream");
	int64_t status = js_int(up, "status", 0);
	const char *code = js_str(up, "code", "");
	if (!json_is_object(up))
		return;
	AUTO_FREE char *text = NULL;
	if (status)
		text = text_printf("%s answered %lld%s%s%s", js_str(up, "host", "the registry"),
				   (long long)status, *code ? " (" : "", code, *code ? ")" : "");
	else
		text = text_printf("%s%s%s", js_str(up, "host", "the registry"), *code ? ": " : "",
				   code);
	if (text)
		line(c, PAINT_BOLD, "cause", text);
}

/* "/tls/ca" is the field "tls.ca" or lies below it. */
static bool is_of_field(const char *pointer, size_t pointer_bytes, const char *field)
{
	size_t n = field ? strlen(field) : 0;

	if (!n || !pointer_bytes || pointer_bytes - 1 < n ||
	    (pointer_bytes - 1 > n && pointer[n + 1] != '/'))
		return false;
	for (size_t i = 0; i < n; i++)
		if (pointer[i + 1] != (field[i] == '.' ? '/' : field[i]))
			return false;
	return true;
}

/* The flag that a member of the body came from, or would come from. */
static bool is_of_flag(const char *pointer, size_t bytes, const struct flag *f)
{
	return is_of_field(pointer, bytes, f->field) || is_of_field(pointer, bytes, f->field_alone);
}

static const struct flag *given_flag_of(const struct cli *c, const char *pointer, size_t bytes)
{
	for (size_t i = 0; i < c->given_count; i++)
		if (is_of_flag(pointer, bytes, c->given[i].flag))
			return c->given[i].flag;
	return NULL;
}

static const struct operand *operand_of(const struct cli *c, const char *pointer, size_t bytes)
{
	for (const struct operand *o = c->command->operands; bytes && o->name; o++)
		if (strlen(o->name) == bytes - 1 && !strncasecmp(o->name, pointer + 1, bytes - 1))
			return o;
	return NULL;
}

static const struct flag *flag_of(const struct cli *c, const char *pointer, size_t bytes)
{
	struct flag_group groups[FLAG_GROUP_MAX];
	size_t group_count = command_flag_groups(c->command, groups);

	for (size_t i = 0; i < group_count; i++)
		for (const struct flag *f = groups[i].flags; f && f->name; f++)
			if (is_of_flag(pointer, bytes, f))
				return f;
	return NULL;
}

/* What a person typed, or could have, where a program is given the JSON pointer at the start
 * of text: "--cron: ..." for "/cron: ...". New memory, or NULL: say it as it is. */
static char *in_typed_words(const struct cli *c, const char *text)
{
	size_t n = strcspn(text, ": ");
	if (*text != '/' || !c->command || (text[n] && text[n] != ':'))
		return NULL;
	const struct flag *f = given_flag_of(c, text, n);
	const struct operand *o = f ? NULL : operand_of(c, text, n);
	if (o)
		return text_printf("%s%s", o->name, text + n);
	f = f ? f : flag_of(c, text, n);
	return f ? text_printf("--%s%s", f->name, text + n) : NULL;
}

static void line_of_fault(struct cli *c, enum paint paint, const char *label, const char *text)
{
	AUTO_FREE char *typed = in_typed_words(c, text);
	line(c, paint, label, typed ? typed : text);
}

/* Is its hint for those who speak the API, and no better one was known? */
static bool is_for_callers(const json_t *problem)
{
	const struct problem_kind *kind = problem_kind_find(js_str(problem, "code", NULL));
	return kind && kind->hint_kind == HINT_CALLER &&
	       !strcmp(js_str(problem, "hint", ""), kind->hint);
}

static void problem_lines(struct cli *c, const json_t *problem)
{
	size_t i;
	const json_t *one;
	const char *title = js_str(problem, "title", "berthd answered with an error");
	const char *cause = js_str(problem, "cause", NULL);
	const char *error = js_str(problem, "detail", title);
	line_of_fault(c, PAINT_RED, "error", error);
	if (cause)
		line(c, PAINT_BOLD, "cause", cause);
	json_array_foreach (json_object_get(problem, "errors"), i, one) {
		const char *detail = js_str(one, "detail", js_str(one, "code", ""));
		const char *at = js_str(one, "pointer", js_str(one, "parameter", "request"));
		AUTO_FREE char *text = text_printf("%s%s%s", at, *at ? ": " : "", detail);
		bool is_said = strstr(detail, error) || strstr(error, detail);
		if (text && !is_said)
			line_of_fault(c, PAINT_BOLD, "cause", text);
	}
	upstream_line(c, problem);
	if (js_int(problem, "retry_after_s", 0))
		cli_hint(c, "try again in %lld s", (long long)js_int(problem, "retry_after_s", 0));
	const char *hint = js_str(problem, "hint", "");
	bool is_ours =
		is_for_callers(problem) && c->command && strcmp(c->command->noun, "api") != 0;
	AUTO_FREE char *own = is_ours ? hint_for(c, problem) : NULL;
	if (own || *hint)
		line(c, PAINT_GREEN, "hint", own ? own : hint);
	snprintf(c->told_request, sizeof(c->told_request), "%s",
		 js_str(problem, "instance", c->request_id));
}

/* What is berthd's own is no registry's failure, though its status is the same. */
static int cli_exit_of_problem(const json_t *problem)
{
	static const struct {
		const char *code;
		int exit;
	} own[] = {{"draining", EXIT_NO_DAEMON},
		   {"damaged", EXIT_ERROR},
		   {"no-memory", EXIT_ERROR},
		   {"read-only", EXIT_ERROR},
		   {"disk-full", EXIT_ERROR}};
	static const struct {
		int status, exit;
	} table[] = {
		{400, EXIT_USAGE},     {401, EXIT_NOT_ALLOWED}, {403, EXIT_NOT_ALLOWED},
		{404, EXIT_NOT_FOUND}, {405, EXIT_USAGE},       {406, EXIT_USAGE},
		{408, EXIT_TIMEOUT},   {409, EXIT_CONFLICT},    {412, EXIT_CONFLICT},
		{413, EXIT_USAGE},     {415, EXIT_USAGE},       {422, EXIT_USAGE},
		{428, EXIT_CONFLICT},  {431, EXIT_USAGE},       {502, EXIT_UPSTREAM},
		{503, EXIT_UPSTREAM},  {504, EXIT_TIMEOUT},     {507, EXIT_UPSTREAM},
	};
	int64_t status = js_int(problem, "status", 0);
	bool is_own = !json_object_get(problem, "upstream"); /* no registry's answer led to it */
	for (size_t i = 0; is_own && i < ARRAY_COUNT(own); i++)
		if (!strcmp(own[i].code, js_str(problem, "code", "")))
			return own[i].exit;
	for (size_t i = 0; i < ARRAY_COUNT(table); i++)
		if (table[i].status == status)
			return table[i].exit;
	return EXIT_ERROR;
}

static int exit_of_code(int code)
{
	switch (code) {
	case BERTH_E_NOT_FOUND:
		return EXIT_NOT_FOUND;
	case BERTH_E_DENIED:
	case BERTH_E_AUTH:
		return EXIT_NOT_ALLOWED;
	case BERTH_E_CONFLICT:
		return EXIT_CONFLICT;
	case BERTH_E_UNAVAILABLE:
		return EXIT_NO_DAEMON;
	case BERTH_E_TIMEOUT:
		return EXIT_TIMEOUT;
	case BERTH_E_CANCELLED:
		return EXIT_INTERRUPTED;
	case BERTH_E_INVALID:
		return EXIT_USAGE;
	default:
		return EXIT_ERROR;
	}
}

/* What to do about an error that arose here and not in the daemon. */
static void local_hint(struct cli *c, const struct berth_error *err)
{
	if (err->code == BERTH_E_UNAVAILABLE && c->target && !strncmp(c->target, "ssh://", 6))
		cli_hint(c, "ssh %s berthctl version", c->target + 6);
	else if (err->code == BERTH_E_UNAVAILABLE && c->target &&
		 strcmp(c->target, DIAL_DEFAULT_SOCKET) != 0)
		cli_hint(c, "ls -l %s", c->target);
	else if (err->code == BERTH_E_UNAVAILABLE)
		cli_hint(c, "systemctl status berthd.socket berthd.service");
}

static void error_lines(struct cli *c, const struct berth_error *err)
{
	line(c, PAINT_RED, "error", err->message);
	if (*err->cause)
		line(c, PAINT_BOLD, "cause", err->cause);
}

int cli_report(struct cli *c, const struct berth_error *err)
{
	json_t *fault = NULL;
	if (!c->problem && !err->code)
		return cli_no_memory(c);
	if (is_for_program(c))
		fault = c->problem ? json_copy(c->problem)
				   : fault_of(berth_code_name(err->code), err->message, err->cause);
	bool is_kept = is_for_program(c) && keep_fault(c, fault);
	if (c->problem) {
		request_line(c);
		if (!is_kept)
			problem_lines(c, c->problem);
		return cli_exit_of_problem(c->problem);
	}
	if (!is_kept)
		error_lines(c, err);
	local_hint(c, err);
	return exit_of_code(err->code);
}

int cli_no_memory(struct cli *c)
{
	struct berth_error err = ERROR_INIT;
	berth_fail_memory(&err);
	return cli_report(c, &err);
}
