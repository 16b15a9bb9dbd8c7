/* SPDX-License-Identifier: Apache-2.0 */
/* Checks JSON against the tables that are generated from docs/openapi.json:
 * the subset of JSON Schema that the document uses, without references or
 * recursion at run time. Finds every error, each with its JSON pointer.
 */
#ifndef CORE_HTTP_SCHEMA_H
#define CORE_HTTP_SCHEMA_H

#include <jansson.h>
#include <regex.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	SCHEMA_NULL = 1,
	SCHEMA_BOOLEAN = 2,
	SCHEMA_INTEGER = 4,
	SCHEMA_STRING = 8,
	SCHEMA_ARRAY = 16,
	SCHEMA_OBJECT = 32,
	SCHEMA_ANY = 63
};
enum schema_format {
	SCHEMA_FORMAT_NONE,
	SCHEMA_FORMAT_NAME,        /* convention 7 */
	SCHEMA_FORMAT_INTEGRATION, /* a name, or WORKSPACE~NAME */
	SCHEMA_FORMAT_UUID,
	SCHEMA_FORMAT_DATE_TIME, /* RFC 3339 */
	SCHEMA_FORMAT_DIGEST     /* sha256:hex, sha512:hex */
};

struct schema_pattern {
	const char *text; /* a POSIX extended expression, anchored */
	regex_t compiled;
	bool is_compiled;
};
struct schema_property {
	const char *name;
	const struct schema *schema;
	bool required, read_only;
};
struct schema_case {
	const char *word; /* value of the discriminator */
	const struct schema *schema;
};
/* One node. Integers are always held within 2^53 on top of min and max. */
struct schema {
	unsigned types; /* SCHEMA_* bits */
	enum schema_format format;
	int64_t min, max;            /* of an integer */
	size_t count_min, count_max; /* characters, items or members; max 0: no cap */
	struct schema_pattern *pattern;
	const char *const *words; /* enum, ends with NULL */
	const struct schema *items;
	bool items_unique;
	const struct schema_property *properties;
	size_t property_count;
	bool open;                 /* other members may be there ... */
	const struct schema *rest; /* ... and look so (NULL: anyhow) */
	const char *discriminator; /* oneOf: this member chooses a case */
	const struct schema_case *cases;
	size_t case_count;
};

#define SCHEMA_ERRORS_MAX 32
/* Appends {"pointer","code","detail"} to errors (an array) for each fault of
 * value, at most SCHEMA_ERRORS_MAX; true when there is none. is_patch: a JSON
 * Merge Patch: null removes, and nothing is required. */
bool schema_check(const struct schema *schema, const json_t *value, bool is_patch, json_t *errors);
/* Turns the text of a parameter into a value by the schema's type: integer,
 * boolean, comma-separated array or string; new. NULL: it has not that form, or memory
 * lacked, which js_losses counts. */
json_t *schema_value_of_text(const struct schema *schema, const char *text);
/* What the schema wants, in words: "an integer from 1 to 1000". Into to. */
void schema_describe(const struct schema *schema, char *to, size_t room);

#endif
