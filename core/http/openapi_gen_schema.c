/* SPDX-License-Identifier: Apache-2.0 */
/* Generator, schemas: writes a JSON Schema of docs/openapi.json as constant
 * struct schema tables, children before parents, each $ref once. A keyword
 * outside the subset that core/http/schema.c checks is refused here, so that
 * the document never promises a check that isn't made.
 */
#include "core/http/openapi_gen.h"

#include <regex.h>
#include <stdlib.h>
#include <string.h>

static const char *const known_keys[] = {
	"type",
	"properties",
	"required",
	"additionalProperties",
	"enum",
	"pattern",
	"minimum",
	"maximum",
	"minLength",
	"maxLength",
	"minItems",
	"maxItems",
	"minProperties",
	"maxProperties",
	"uniqueItems",
	"items",
	"oneOf",
	"discriminator",
	"format",
	"readOnly",
	"writeOnly",
	"default",
	"description",
	"title",
	"examples",
	"example",
	"deprecated",
	"$ref",
	NULL,
};

static const struct {
	const char *name, *bit;
} types[] = {
	{"null", "SCHEMA_NULL"},
	{"boolean", "SCHEMA_BOOLEAN"},
	{"integer", "SCHEMA_INTEGER"},
	{"string", "SCHEMA_STRING"},
	{"array", "SCHEMA_ARRAY"},
	{"object", "SCHEMA_OBJECT"},
	{NULL, NULL},
};

static const struct {
	const char *name, *symbol;
} formats[] = {
	{"name", "SCHEMA_FORMAT_NAME"},     {"integration", "SCHEMA_FORMAT_INTEGRATION"},
	{"uuid", "SCHEMA_FORMAT_UUID"},     {"date-time", "SCHEMA_FORMAT_DATE_TIME"},
	{"digest", "SCHEMA_FORMAT_DIGEST"}, {NULL, NULL},
};

static void check_keys(const struct generator *g, const json_t *schema)
{
	const char *key;
	json_t *value;
	json_object_foreach ((json_t *)(uintptr_t)schema, key, value) {
		size_t i = 0;
		while (known_keys[i] && strcmp(known_keys[i], key) != 0)
			i++;
		if (!known_keys[i] && strncmp(key, "x-", 2) != 0)
			fail_at(g, "schema keyword %s is not one that is checked", key);
	}
}

static void put_type(struct generator *g, const char *name, const char *glue)
{
	for (size_t i = 0; types[i].name; i++)
		if (!strcmp(types[i].name, name)) {
			fprintf(g->out, "%s%s", glue, types[i].bit);
			return;
		}
	fail_at(g, "type %s is not one of the subset", name);
}

static void put_types(struct generator *g, const json_t *schema)
{
	const json_t *type = json_object_get(schema, "type");
	fputs("\t.types = ", g->out);
	if (json_is_string(type))
		put_type(g, json_string_value(type), "");
	else if (json_array_size(type))
		for (size_t i = 0; i < json_array_size(type); i++)
			put_type(g, json_string_value(json_array_get(type, i)), i ? " | " : "");
	else if (json_object_get(schema, "oneOf"))
		fputs("SCHEMA_OBJECT", g->out);
	else
		fail_at(g, "schema without a type");
	fputs(",\n", g->out);
}

static void put_number(struct generator *g, const json_t *schema, const char *key,
		       const char *field)
{
	const json_t *value = json_object_get(schema, key);
	if (!value)
		return;
	if (!json_is_integer(value))
		fail_at(g, "%s is no integer", key);
	fprintf(g->out, "\t.%s = %" JSON_INTEGER_FORMAT ",\n", field, json_integer_value(value));
}

static void put_range(struct generator *g, const json_t *schema)
{
	static const char *const counts[][2] = {
		{"minLength", "count_min"},     {"minItems", "count_min"},
		{"minProperties", "count_min"}, {"maxLength", "count_max"},
		{"maxItems", "count_max"},      {"maxProperties", "count_max"},
	};
	if (!json_object_get(schema, "minimum"))
		fputs("\t.min = INT64_MIN,\n", g->out);
	if (!json_object_get(schema, "maximum"))
		fputs("\t.max = INT64_MAX,\n", g->out);
	put_number(g, schema, "minimum", "min");
	put_number(g, schema, "maximum", "max");
	for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++)
		put_number(g, schema, counts[i][0], counts[i][1]);
}

static void put_format(struct generator *g, const json_t *schema)
{
	const char *format = json_string_value(json_object_get(schema, "format"));
	if (!format)
		return;
	for (size_t i = 0; formats[i].name; i++)
		if (!strcmp(formats[i].name, format)) {
			fprintf(g->out, "\t.format = %s,\n", formats[i].symbol);
			return;
		}
	fail_at(g, "format %s is not one that is checked", format);
}

/* Definitions that must stand before the schema that points to them. */
static void put_pattern(struct generator *g, const json_t *schema, int number)
{
	const char *pattern = json_string_value(json_object_get(schema, "pattern"));
	regex_t compiled;
	if (!pattern)
		return;
	if (pattern[0] != '^' || pattern[strlen(pattern) - 1] != '$' || strchr(pattern, '\\'))
		fail_at(g, "pattern %s is not anchored, or has a backslash", pattern);
	if (regcomp(&compiled, pattern, REG_EXTENDED | REG_NOSUB))
		fail_at(g, "pattern %s does not compile", pattern);
	regfree(&compiled);
	fprintf(g->out, "static struct schema_pattern pattern_%d = {.text = ", number);
	put_string(g->out, pattern);
	fputs("};\n", g->out);
}

static void put_words(struct generator *g, const json_t *schema, int number)
{
	const json_t *words = json_object_get(schema, "enum");
	if (!words)
		return;
	fprintf(g->out, "static const char *const words_%d[] = {", number);
	for (size_t i = 0; i < json_array_size(words); i++) {
		if (!json_is_string(json_array_get(words, i)) &&
		    !json_is_null(json_array_get(words, i)))
			fail_at(g, "enum of something other than strings");
		if (json_is_null(json_array_get(words, i)))
			continue;
		put_string(g->out, json_string_value(json_array_get(words, i)));
		fputs(", ", g->out);
	}
	fputs("NULL};\n", g->out);
}

static bool is_required(const json_t *schema, const char *name)
{
	const json_t *required = json_object_get(schema, "required");
	for (size_t i = 0; i < json_array_size(required); i++)
		if (!strcmp(json_string_value(json_array_get(required, i)), name))
			return true;
	return false;
}

static void check_required(const struct generator *g, const json_t *schema)
{
	const json_t *required = json_object_get(schema, "required");
	for (size_t i = 0; i < json_array_size(required); i++) {
		const char *name = json_string_value(json_array_get(required, i));
		if (!json_object_get(json_object_get(schema, "properties"), name))
			fail_at(g, "required member %s is not among the properties", name);
	}
}

static void put_properties(struct generator *g, const json_t *schema, int number)
{
	json_t *properties = json_object_get(schema, "properties");
	size_t count = json_object_size(properties), i = 0;
	int *numbers = calloc(count + 1, sizeof *numbers);
	const char *name;
	json_t *property;

	if (!count || !numbers) {
		free(numbers);
		return;
	}
	check_required(g, schema);
	json_object_foreach (properties, name, property)
		numbers[i++] = put_schema(g, property);
	fprintf(g->out, "static const struct schema_property properties_%d[] = {\n", number);
	i = 0;
	json_object_foreach (properties, name, property) {
		fputs("\t{", g->out);
		put_string(g->out, name);
		fprintf(g->out, ", &schema_%d, %s, %s},\n", numbers[i++],
			is_required(schema, name) ? "true" : "false",
			json_is_true(json_object_get(property, "readOnly")) ? "true" : "false");
	}
	fputs("};\n", g->out);
	free(numbers);
}

static void put_cases(struct generator *g, const json_t *schema, int number)
{
	json_t *mapping = json_object_get(json_object_get(schema, "discriminator"), "mapping");
	int numbers[32] = {0}, i = 0;
	const char *word;
	json_t *ref;

	if (!json_object_get(schema, "oneOf"))
		return;
	if (!json_object_size(mapping) || json_object_size(mapping) > 32)
		fail_at(g, "oneOf needs a discriminator with 1 to 32 mappings");
	json_object_foreach (mapping, word, ref) {
		json_t *link = json_pack("{s:O}", "$ref", ref);
		numbers[i++] = put_schema(g, link);
		json_decref(link);
	}
	fprintf(g->out, "static const struct schema_case cases_%d[] = {", number);
	i = 0;
	json_object_foreach (mapping, word, ref) {
		fputs("{", g->out);
		put_string(g->out, word);
		fprintf(g->out, ", &schema_%d}, ", numbers[i++]);
	}
	fputs("};\n", g->out);
}

static void put_links(struct generator *g, const json_t *schema, int number, int items, int rest)
{
	size_t properties = json_object_size(json_object_get(schema, "properties"));
	const json_t *discriminator = json_object_get(schema, "discriminator");
	const json_t *more = json_object_get(schema, "additionalProperties");

	if (items)
		fprintf(g->out, "\t.items = &schema_%d,\n", items);
	if (json_is_true(json_object_get(schema, "uniqueItems")))
		fputs("\t.items_unique = true,\n", g->out);
	if (properties)
		fprintf(g->out, "\t.properties = properties_%d,\n\t.property_count = %zu,\n",
			number, properties);
	if (rest)
		fprintf(g->out, "\t.rest = &schema_%d,\n", rest);
	if (rest || json_is_true(more) || (!more && !properties))
		fputs("\t.open = true,\n", g->out);
	if (json_object_get(schema, "pattern"))
		fprintf(g->out, "\t.pattern = &pattern_%d,\n", number);
	if (json_object_get(schema, "enum"))
		fprintf(g->out, "\t.words = words_%d,\n", number);
	if (!discriminator)
		return;
	fputs("\t.discriminator = ", g->out);
	put_string(g->out, json_string_value(json_object_get(discriminator, "propertyName")));
	fprintf(g->out, ",\n\t.cases = cases_%d,\n\t.case_count = %zu,\n", number,
		json_object_size(json_object_get(discriminator, "mapping")));
}

static int put_new(struct generator *g, const json_t *schema)
{
	const json_t *more = json_object_get(schema, "additionalProperties");
	int number = ++g->schema_count, items = 0, rest = 0;

	check_keys(g, schema);
	if (json_object_size(json_object_get(schema, "properties")) && !more)
		fail_at(g, "an object that is sent must say additionalProperties");
	if (json_object_get(schema, "items"))
		items = put_schema(g, json_object_get(schema, "items"));
	if (json_is_object(more))
		rest = put_schema(g, more);
	put_pattern(g, schema, number);
	put_words(g, schema, number);
	put_properties(g, schema, number);
	put_cases(g, schema, number);
	fprintf(g->out, "static const struct schema schema_%d = {\n", number);
	put_types(g, schema);
	put_range(g, schema);
	put_format(g, schema);
	put_links(g, schema, number, items, rest);
	fputs("};\n", g->out);
	return number;
}

int put_schema(struct generator *g, const json_t *schema)
{
	const char *ref = json_string_value(json_object_get(schema, "$ref"));
	const json_t *known = ref ? json_object_get(g->done, ref) : NULL;
	int number;

	if (known && json_integer_value(known) < 0)
		fail_at(g, "%s refers to itself", ref);
	if (known)
		return (int)json_integer_value(known);
	if (!ref)
		return put_new(g, schema);
	json_object_set_new(g->done, ref, json_integer(-1));
	number = put_schema(g, resolve(g, schema));
	json_object_set_new(g->done, ref, json_integer(number));
	return number;
}
