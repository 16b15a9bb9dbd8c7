/* SPDX-License-Identifier: Apache-2.0 */
/* Generator, routes: openapi_gen DOCUMENT ROUTES.c HANDLERS.h. Reads
 * docs/openapi.json and writes the route table, the schemas of what clients
 * send, the document itself as a C array, and the handlers' declarations. Runs
 * at build time only.
 */
#include "core/http/openapi_gen.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define ROUTES_MAX 512

static const char *const methods[][2] = {
	{"get", "METHOD_GET"},     {"post", "METHOD_POST"},     {"put", "METHOD_PUT"},
	{"patch", "METHOD_PATCH"}, {"delete", "METHOD_DELETE"}, {NULL, NULL},
};

struct operation {
	const char *path, *method, *symbol, *id;
	const json_t *operation, *item; /* item: the path item, for shared parameters */
};

void fail_at(const struct generator *g, const char *fmt, ...)
{
	va_list args;
	va_start(args, fmt);
	fprintf(stderr, "docs/openapi.json: %s: ", g->where);
	vfprintf(stderr, fmt, args);
	fputc('\n', stderr);
	va_end(args);
	exit(1);
}

void put_string(FILE *out, const char *s)
{
	if (!s) {
		fputs("NULL", out);
		return;
	}
	fputc('"', out);
	for (; *s; s++) {
		if (*s == '"' || *s == '\\' || *s == '?')
			fprintf(out, "\\%c", *s);
		else if (isprint((unsigned char)*s))
			fputc(*s, out);
		else
			fprintf(out, "\\%03o", (unsigned char)*s);
	}
	fputc('"', out);
}

const json_t *resolve(const struct generator *g, const json_t *value)
{
	const char *ref = json_string_value(json_object_get(value, "$ref"));
	char part[128];
	if (!ref)
		return value;
	if (strncmp(ref, "#/", 2) != 0)
		fail_at(g, "$ref %s leads out of the document", ref);
	value = g->document;
	for (ref += 2; *ref; ref += ref[0] == '/') {
		size_t n = strcspn(ref, "/");
		snprintf(part, sizeof part, "%.*s", (int)n, ref);
		value = json_object_get(value, part);
		if (!value)
			fail_at(g, "$ref names %s, which is not there", part);
		ref += n;
	}
	return value;
}

/* The word of an extension, as a C name: PREFIX_WORD. */
static void put_word(struct generator *g, const json_t *operation, const char *key,
		     const char *prefix, const char *allowed)
{
	const char *word = json_string_value(json_object_get(operation, key));
	char quoted[64];
	snprintf(quoted, sizeof quoted, " %s ", word ? word : "-");
	if (!word || !strstr(allowed, quoted))
		fail_at(g, "%s must be one of%s", key, allowed);
	fprintf(g->out, "%s_", prefix);
	for (; *word; word++)
		fputc(toupper((unsigned char)*word), g->out);
}

static void put_words_array(struct generator *g, const char *name, size_t row, const json_t *object)
{
	const char *key;
	json_t *value;
	fprintf(g->out, "static const char *const %s_%zu[] = {", name, row);
	json_object_foreach ((json_t *)(uintptr_t)object, key, value) {
		put_string(g->out, key);
		fputs(", ", g->out);
	}
	fputs("NULL};\n", g->out);
}

static size_t put_segments(struct generator *g, const char *path, size_t row)
{
	size_t count = 0;
	char part[256];
	fprintf(g->out, "static const char *const segments_%zu[] = {", row);
	for (path++; *path; path += *path == '/') {
		size_t n = strcspn(path, "/");
		snprintf(part, sizeof part, "%.*s", (int)n, path);
		put_string(g->out, part);
		fputs(", ", g->out);
		path += n;
		count++;
	}
	fputs("NULL};\n", g->out);
	return count;
}

/* The parameters of path and query, resolved: of the path item, then its own. */
static json_t *list_params(const struct generator *g, const struct operation *op)
{
	const json_t *lists[] = {json_object_get(op->item, "parameters"),
				 json_object_get(op->operation, "parameters")};
	json_t *params = json_array();
	for (size_t k = 0; k < 2; k++)
		for (size_t i = 0; i < json_array_size(lists[k]); i++) {
			const json_t *p = resolve(g, json_array_get(lists[k], i));
			const char *in = json_string_value(json_object_get(p, "in"));
			if (in && (!strcmp(in, "path") || !strcmp(in, "query")))
				json_array_append(params, (json_t *)(uintptr_t)p);
			else if (!in || strcmp(in, "header") != 0)
				fail_at(g, "a parameter in %s", in ? in : "nowhere");
		}
	return params;
}

static bool has_param(const json_t *params, const char *name)
{
	for (size_t i = 0; i < json_array_size(params); i++)
		if (!strcmp(json_string_value(json_object_get(json_array_get(params, i), "name")),
			    name))
			return true;
	return false;
}

/* A sentence that says why a convention does not hold. */
static bool is_reason(const json_t *extension)
{
	return json_string_length(extension) > 10;
}

static void check_params(const struct generator *g, const struct operation *op,
			 const json_t *params)
{
	const json_t *dry_run = json_object_get(op->operation, "x-dry-run");
	const json_t *no_path = json_object_get(op->operation, "x-no-item-path");
	char name[64];
	if (strcmp(op->method, "get") != 0 && has_param(params, "dry_run") == is_reason(dry_run))
		fail_at(g, "a change takes the DryRun parameter, or x-dry-run says why not");
	bool has_path = json_object_get(op->operation, "x-item-path") != NULL;
	if (has_param(params, "cursor") && has_path == is_reason(no_path))
		fail_at(g, "a list has an x-item-path, or x-no-item-path says why not");
	if (has_path != has_param(params, "recursion"))
		fail_at(g, "a list with an x-item-path takes the Recursion parameter");
	for (const char *s = strchr(op->path, '{'); s; s = strchr(s + 1, '{')) {
		snprintf(name, sizeof name, "%.*s", (int)strcspn(s + 1, "}"), s + 1);
		if (!has_param(params, name))
			fail_at(g, "path parameter %s is not declared", name);
	}
}

static size_t put_params(struct generator *g, const struct operation *op, size_t row)
{
	json_t *params = list_params(g, op);
	size_t count = json_array_size(params);
	int numbers[64];

	check_params(g, op, params);
	if (count > 64)
		fail_at(g, "more than 64 parameters");
	for (size_t i = 0; i < count; i++)
		numbers[i] = put_schema(g, json_object_get(json_array_get(params, i), "schema"));
	if (count)
		fprintf(g->out, "static const struct route_param params_%zu[] = {\n", row);
	for (size_t i = 0; i < count; i++) {
		const json_t *p = json_array_get(params, i);
		const char *in = json_string_value(json_object_get(p, "in"));
		fputs("\t{", g->out);
		put_string(g->out, json_string_value(json_object_get(p, "name")));
		fprintf(g->out, ", %s, %s, %s, &schema_%d},\n",
			!strcmp(in, "path") ? "true" : "false",
			json_is_true(json_object_get(p, "required")) ? "true" : "false",
			json_is_true(json_object_get(p, "x-reference")) ? "true" : "false",
			numbers[i]);
	}
	if (count)
		fputs("};\n", g->out);
	json_decref(params);
	return count;
}

static const json_t *success_content(const struct generator *g, const json_t *operation)
{
	json_t *responses = json_object_get(operation, "responses");
	const char *status;
	json_t *response;
	if (!json_object_get(responses, "default"))
		fail_at(g, "no default response (the problem)");
	json_object_foreach (responses, status, response) {
		const json_t *content = json_object_get(resolve(g, response), "content");
		if (status[0] == '2' && content)
			return content;
	}
	return NULL;
}

/* The members of a list's items: of the first 2xx answer, items[]. */
static const json_t *item_members(const struct generator *g, const json_t *content)
{
	const json_t *json = json_object_get(content, "application/json");
	const json_t *page = resolve(g, json_object_get(json, "schema"));
	const json_t *items =
		resolve(g, json_object_get(json_object_get(page, "properties"), "items"));
	const json_t *item = resolve(g, json_object_get(items, "items"));
	return json_object_get(item, "properties");
}

/* Each {name} of an item's path is a member of the item or a parameter of the list's. */
static void check_item_path(struct generator *g, const struct operation *op, const json_t *members)
{
	const char *path = json_string_value(json_object_get(op->operation, "x-item-path"));
	char name[64], of_list[66];

	for (const char *s = path ? strchr(path, '{') : NULL; s; s = strchr(s + 1, '{')) {
		snprintf(name, sizeof name, "%.*s", (int)strcspn(s + 1, "}"), s + 1);
		snprintf(of_list, sizeof of_list, "{%s}", name);
		if (!json_object_get(members, name) && !strstr(op->path, of_list))
			fail_at(g, "x-item-path: %s is no member of an item", name);
	}
}

struct body {
	const char *type;
	int schema;
	bool required;
};

static struct body put_body(struct generator *g, const json_t *operation)
{
	const json_t *body = resolve(g, json_object_get(operation, "requestBody"));
	json_t *content = json_object_get(body, "content");
	void *only = json_object_iter(content);
	struct body result = {0};
	if (!body)
		return result;
	if (json_object_size(content) != 1)
		fail_at(g, "a request body has one media type");
	result.type = json_object_iter_key(only);
	result.required = json_is_true(json_object_get(body, "required"));
	if (!json_object_get(json_object_iter_value(only), "schema"))
		fail_at(g, "a request body without a schema");
	result.schema = put_schema(g, json_object_get(json_object_iter_value(only), "schema"));
	return result;
}

/* "images.delete" as POINT_IMAGES_DELETE, which the table of points declares. */
static void put_point(struct generator *g, const json_t *operation)
{
	const char *name = json_string_value(json_object_get(operation, "x-permission"));

	if (!name || strspn(name, "abcdefghijklmnopqrstuvwxyz.-") != strlen(name))
		fail_at(g, "x-permission must be a point of core/access/points.c, or none");
	fputs(".point = POINT_", g->out);
	for (; *name; name++)
		fputc(*name == '.' || *name == '-' ? '_' : *name - 'a' + 'A', g->out);
	fputs(", ", g->out);
}

static void put_access(struct generator *g, const json_t *operation)
{
	put_point(g, operation);
	fputs(".role = ", g->out);
	put_word(g, operation, "x-role", "ROLE", " none viewer operator admin ");
	fputs(", .scope = ", g->out);
	put_word(g, operation, "x-scope", "SCOPE", " server platform workspace ");
	if (!strcmp(json_string_value(json_object_get(operation, "x-scope")), "workspace")) {
		fputs(", .member = ", g->out);
		put_word(g, operation, "x-member", "MEMBER", " plain admin ");
	} else if (json_object_get(operation, "x-member")) {
		fail_at(g, "x-member goes with x-scope workspace");
	}
	if (json_is_true(json_object_get(operation, "x-reporter")))
		fputs(", .takes_reporters = true", g->out);
	fputs(", .audit = ", g->out);
	put_word(g, operation, "x-audit", "AUDIT", " none change secret ");
	fputs(",\n\t ", g->out);
}

/* Everything that a row points to, then the row into rows (a memory stream). */
static void put_route(struct generator *g, FILE *rows, const struct operation *op, size_t row)
{
	const json_t *content = success_content(g, op->operation);
	const json_t *members = content ? item_members(g, content) : NULL;
	const char *limit = json_string_value(json_object_get(op->operation, "x-body-limit"));
	size_t segments = put_segments(g, op->path, row), params = put_params(g, op, row);
	struct body body = put_body(g, op->operation);
	FILE *out = g->out;

	check_item_path(g, op, members);
	put_words_array(g, "produces", row, content);
	if (members)
		put_words_array(g, "members", row, members);
	g->out = rows;
	fprintf(rows,
		"\t{.method = %s, .path = \"%s\", .operation = \"%s\", .handle = api_%s,\n\t ",
		op->symbol, op->path, op->id, op->id);
	put_access(g, op->operation);
	fprintf(rows, ".idempotent = %s, .segments = segments_%zu, .segment_count = %zu,\n\t ",
		strcmp(op->method, "post") ? "false" : "true", row, segments);
	if (params)
		fprintf(rows, ".params = params_%zu, .param_count = %zu,\n\t ", row, params);
	if (body.schema)
		fprintf(rows, ".body_type = \"%s\", .body_required = %s, .body = &schema_%d,\n\t ",
			body.type, body.required ? "true" : "false", body.schema);
	if (limit && strcmp(limit, "bulk") != 0)
		fail_at(g, "x-body-limit must be bulk");
	fprintf(rows, ".has_bulk_body = %s, .produces = produces_%zu", limit ? "true" : "false",
		row);
	if (members)
		fprintf(rows, ", .item_fields = members_%zu", row);
	fputs(", .item_path = ", rows);
	put_string(rows, json_string_value(json_object_get(op->operation, "x-item-path")));
	fputs("},\n", rows);
	g->out = out;
}

static int compare_operations(const void *a, const void *b)
{
	const struct operation *x = a, *y = b;
	int r = strcmp(x->path, y->path);
	return r ? r : strcmp(x->symbol, y->symbol);
}

static size_t list_operations(struct generator *g, struct operation *ops)
{
	json_t *paths = json_object_get(g->document, "paths"), *item;
	const char *path;
	size_t count = 0;

	json_object_foreach (paths, path, item)
		for (size_t m = 0; methods[m][0]; m++) {
			const json_t *operation = json_object_get(item, methods[m][0]);
			const char *id =
				json_string_value(json_object_get(operation, "operationId"));
			if (!operation)
				continue;
			snprintf(g->where, sizeof g->where, "%s %s", methods[m][0], path);
			if (count == ROUTES_MAX)
				fail_at(g, "more than %d operations", ROUTES_MAX);
			if (!id ||
			    strspn(id, "abcdefghijklmnopqrstuvwxyz0123456789_") != strlen(id))
				fail_at(g, "operationId must be lower case words joined by _");
			ops[count++] = (struct operation){path, methods[m][0], methods[m][1],
							  id,   operation,     item};
		}
	qsort(ops, count, sizeof *ops, compare_operations);
	return count;
}

static void put_document(struct generator *g)
{
	char *text = json_dumps(g->document, JSON_COMPACT);
	size_t count = text ? strlen(text) : 0;
	fputs("\nconst char openapi_text[] =", g->out);
	for (size_t at = 0; at < count; at += 80) {
		char line[81];
		snprintf(line, sizeof line, "%.80s", text + at);
		fputs("\n\t", g->out);
		put_string(g->out, line);
	}
	fprintf(g->out, ";\nconst size_t openapi_text_bytes = %zu;\n", count);
	free(text);
}

static FILE *open_output(const char *path)
{
	FILE *f = fopen(path, "w");
	if (!f) {
		fprintf(stderr, "%s: %s\n", path, strerror(errno));
		exit(1);
	}
	fputs("/* Generated from docs/openapi.json; do not edit. */\n", f);
	return f;
}

static void put_handlers(FILE *header, const struct operation *ops, size_t count)
{
	fputs("#ifndef API_HANDLERS_H\n#define API_HANDLERS_H\n"
	      "#include \"core/http/http.h\"\n",
	      header);
	for (size_t i = 0; i < count; i++)
		fprintf(header, "route_handler api_%s;\n", ops[i].id);
	fputs("#endif\n", header);
}

static void put_routes(struct generator *g, const struct operation *ops, size_t count)
{
	char *rows = NULL;
	size_t rows_bytes = 0;
	FILE *memory = open_memstream(&rows, &rows_bytes);
	if (!memory)
		fail_at(g, "out of memory");
	fputs("#include \"core/http/route.h\"\n#include \"api_handlers.h\"\n", g->out);
	for (size_t i = 0; i < count; i++) {
		snprintf(g->where, sizeof g->where, "%s %s", ops[i].method, ops[i].path);
		put_route(g, memory, &ops[i], i);
	}
	fclose(memory);
	fprintf(g->out, "\nconst struct route routes[] = {\n%s};\n", rows);
	fprintf(g->out, "const size_t route_count = %zu;\n", count);
	free(rows);
}

int main(int argc, char **argv)
{
	static struct operation ops[ROUTES_MAX];
	struct generator g = {.done = json_object()};
	json_error_t at;

	if (argc != 4)
		return fputs("openapi_gen DOCUMENT ROUTES.c HANDLERS.h\n", stderr), 2;
	g.document = json_load_file(argv[1], JSON_REJECT_DUPLICATES, &at);
	if (!g.document)
		return fprintf(stderr, "%s:%d: %s\n", argv[1], at.line, at.text), 1;
	size_t count = list_operations(&g, ops);
	FILE *header = open_output(argv[3]);
	g.out = open_output(argv[2]);
	put_routes(&g, ops, count);
	put_document(&g);
	put_handlers(header, ops, count);
	json_decref(g.document);
	json_decref(g.done);
	return fclose(g.out) || fclose(header) ? 1 : 0;
}
