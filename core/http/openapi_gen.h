/* SPDX-License-Identifier: Apache-2.0 */
/* What the two halves of the build-time generator share. It runs on the
 * build machine only and ends with a sentence at the first thing in
 * docs/openapi.json that the daemon could not hold to.
 */
#ifndef CORE_HTTP_OPENAPI_GEN_H
#define CORE_HTTP_OPENAPI_GEN_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct generator {
	FILE *out;
	json_t *document;
	json_t *done;     /* $ref -> number of its schema; -1 while it is being written */
	int schema_count; /* schemas written so far: schema_1 ... */
	char where[512];  /* of the document, for messages */
};

void fail_at(const struct generator *g, const char *fmt, ...)
	__attribute__((format(printf, 2, 3), noreturn));
/* Writes s as a C string literal, or NULL for NULL. */
void put_string(FILE *out, const char *s);
/* Follows one {"$ref": "#/..."}; gives back value itself where it is none. */
const json_t *resolve(const struct generator *g, const json_t *value);
/* Writes the schema and all below it; returns its number. */
int put_schema(struct generator *g, const json_t *schema);

#endif
