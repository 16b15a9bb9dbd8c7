/* SPDX-License-Identifier: Apache-2.0 */
/* api_gen TEMPLATE: prints berth-api(7). A line @ROUTES@, @PROBLEMS@ or
 * @LIMITS@ of the template becomes the table of that name, from the same tables
 * as the daemon uses.
 */
#include <errno.h>
#include <string.h>

#include "core/access/access.h"
#include "core/base/js.h"
#include "core/conf/settings.h"
#include "core/http/problem.h"
#include "core/http/route.h"

/* Text with what roff would take for its own escaped; a sentence a line. */
static void put(const char *s)
{
	for (; *s; s++)
		if (!strncmp(s, ". ", 2)) {
			fputs(".\n", stdout);
			s++;
		} else if (*s == '\\')
			fputs("\\e", stdout);
		else if (*s == '-')
			fputs("\\-", stdout);
		else
			putchar(*s);
}

static const json_t *operation_of(const json_t *document, const struct route *r)
{
	static const char *const methods[] = {"get", "post", "put", "patch", "delete"};
	const json_t *paths = json_object_get(document, "paths");
	return json_object_get(json_object_get(paths, r->path), methods[r->method]);
}

/* Why a convention of all routes does not hold for this one. */
static void put_reason(const char *what, const json_t *operation, const char *extension)
{
	const char *why = js_str(operation, extension, NULL);

	if (!why)
		return;
	printf("%s: ", what);
	put(why);
	puts(".");
}

static void put_routes(void)
{
	AUTO_JSON json_t *document = json_loadb(openapi_text, openapi_text_bytes, 0, NULL);
	puts(".Bl -tag -width Ds");
	for (size_t i = 0; i < route_count; i++) {
		const struct route *r = &routes[i];
		printf(".It Cm %s ", http_method_name(r->method));
		put(r->path);
		if (r->scope == SCOPE_WORKSPACE)
			printf(" Pq %s or %s\n", access_role_name(r->role),
			       access_member_name(r->member));
		else
			printf(" Pq %s\n", access_role_name(r->role));
		put(js_str(operation_of(document, r), "summary", r->operation));
		puts(".");
		if (r->point != POINT_NONE)
			printf("Needs\n.Ql %s .\n", points[r->point].name);
		put_reason("No dry run", operation_of(document, r), "x-dry-run");
		put_reason("No recursion", operation_of(document, r), "x-no-item-path");
	}
	puts(".El");
}

static void put_problems(void)
{
	puts(".Bl -tag -width Ds");
	for (size_t i = 0; i < problem_kind_count; i++) {
		printf(".It %d Em ", problem_kinds[i].status);
		put(problem_kinds[i].code);
		putchar('\n');
		put(problem_kinds[i].title);
		fputs(".\n", stdout);
		put(problem_kinds[i].detail);
		putchar('\n');
	}
	puts(".El");
}

static void put_limits(void)
{
	puts(".Bl -tag -width Ds");
	for (const struct config_option *o = settings_options; o->section; o++) {
		if (strcmp(o->section, "http") != 0)
			continue;
		fputs(".It Ic ", stdout);
		put(o->key);
		putchar('\n');
		put(o->help);
		printf(": %s%s%s.\n", o->deflt, o->unit ? " " : "", o->unit ? o->unit : "");
	}
	puts(".El");
}

int main(int argc, char **argv)
{
	char line[512];
	AUTO_FILE FILE *f = argc == 2 ? fopen(argv[1], "r") : NULL;
	if (!f) {
		fprintf(stderr, "api_gen TEMPLATE: %s\n", argc == 2 ? strerror(errno) : "usage");
		return 2;
	}
	while (fgets(line, sizeof line, f)) {
		if (!strcmp(line, "@ROUTES@\n"))
			put_routes();
		else if (!strcmp(line, "@PROBLEMS@\n"))
			put_problems();
		else if (!strcmp(line, "@LIMITS@\n"))
			put_limits();
		else
			fputs(line, stdout);
	}
	return ferror(f) ? 1 : 0;
}
