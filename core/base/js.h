/* SPDX-License-Identifier: Apache-2.0 */
/* JSON from outside, parsed with caps, and the few accessors that every module
 * wants. Duplicate keys, invalid UTF-8, trailing data, depth over 64 and more
 * nodes than allowed are refused before jansson can use memory for them: it
 * takes up to 77 bytes for each byte of hostile input.
 */
#ifndef CORE_BASE_JS_H
#define CORE_BASE_JS_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/base/fail.h"

struct js_limits {
	size_t bytes, nodes, depth;
};
/* Control API (convention 17): 1 MiB, 100 000 nodes, depth 64. */
extern const struct js_limits js_limits_api;
/* A registry's manifest (4 MiB), list page or token (4 MiB), config blob. */
extern const struct js_limits js_limits_registry;
/* One frame between berthd and a job: 64 KiB. */
extern const struct js_limits js_limits_frame;

/* From here on each allocation that jansson fails to get is counted for its
 * thread. A document is made of many members, and one that lacked memory is just
 * not there: who hands a document on compares the count with that from before.
 * get: where memory comes from, NULL for malloc (it must be one that free() takes).
 * Once, before any JSON and any thread. */
void js_count_losses(void *(*get)(size_t));
/* How many of this thread's were lost so far. */
unsigned js_losses(void);
/* Counts one more: what is no JSON, but ends in some, and can't say that it is missing. */
void js_lose(void);
/* The value, or NULL (and it is freed) where something was lost since that count. */
json_t *js_whole(json_t *take_value, unsigned losses_before) MUST_USE;

/* Parses one value. Errors: BERTH_E_LIMIT names the cap, BERTH_E_INVALID has
 * line and column, BERTH_E_NO_MEMORY (where losses are counted). The caller owns *ret
 * (json_decref). */
MUST_USE int js_parse(const char *bytes, size_t byte_count, const struct js_limits *limits,
		      json_t **ret, struct berth_error *err);
/* Compact text with sorted keys: the canonical form; free(). NULL without memory. */
char *js_canonical(const json_t *value) MUST_USE;
/* Compact text in order of insertion; free(). NULL without memory. */
char *js_text(const json_t *value) MUST_USE;

/* The member, or the fallback where absent or of another type; borrowed. */
const char *js_str(const json_t *object, const char *key, const char *fallback);
int64_t js_int(const json_t *object, const char *key, int64_t fallback);
bool js_bool(const json_t *object, const char *key, bool fallback);
/* Sets key to a copy of text, or leaves it out where text is NULL or empty. Without
 * memory, or where text is not UTF-8, it is left out too: the former is counted. */
void js_put_str(json_t *object, const char *key, const char *text);
/* Sets key to an RFC 3339 time, or leaves it out where unix_ms is 0. */
void js_put_time(json_t *object, const char *key, int64_t unix_ms);
/* An error as {"code","message","cause","from","upstream","retry_ms"}, and back. */
json_t *js_of_error(const struct berth_error *err) MUST_USE;
void js_to_error(const json_t *object, struct berth_error *err);

#endif
