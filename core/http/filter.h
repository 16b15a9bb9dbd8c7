/* SPDX-License-Identifier: Apache-2.0 */
/* The filter= language of lists: parsed into a tree, then compiled to an SQL
 * condition whose values are all bound, never pasted. At most 1 KiB, depth 8,
 * 32 terms.
 *
 *   filter = term { ("and" | "or") term }      and binds tighter than or
 *   term   = "not" term | "(" filter ")" | field op value | field "in" "(" value {"," value} ")"
 *   op     = eq ne gt ge lt le like            like: a glob of * and ?
 *   value  = 'text' | "text" | integer | true | false
 */
#ifndef CORE_HTTP_FILTER_H
#define CORE_HTTP_FILTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/buf.h"
#include "core/base/fail.h"
#include "core/store/list.h"

#define FILTER_VALUES_MAX 64 /* of all terms; in takes several */
/* The values of a compiled filter, in the order of their ?. */
struct filter_values {
	struct store_value items[FILTER_VALUES_MAX];
	size_t count;
};

#define FILTER_TERMS_MAX 32
#define FILTER_DEPTH_MAX 8
#define FILTER_BYTES_MAX 1024
struct filter;
/* BERTH_E_INVALID: the message says what was expected, and at which byte.
 * BERTH_E_LIMIT: longer, deeper or with more terms than allowed. */
MUST_USE int filter_parse(const char *text, struct filter **ret, struct berth_error *err);
void filter_free(struct filter *f);
SCOPE_TYPE(filter, struct filter, filter_free)
/* To be called once. Appends "(a = ? AND ...)" to sql and its values, whose texts stay f's, to
 * values. BERTH_E_INVALID: an unknown field (the message lists those that there
 * are) or a value of the wrong type; BERTH_E_LIMIT: more than 64 values. like
 * compiles to LIKE ? ESCAPE '\': SQLite needs PRAGMA case_sensitive_like to
 * mean by it what PostgreSQL does. */
MUST_USE int filter_compile(struct filter *f, const struct store_table *table, struct buf *sql,
			    struct filter_values *values, struct berth_error *err);
/* Whether an object fits, by the same rules as the SQL: its members are the fields. Only after
 * filter_compile with the same table has found no fault. */
bool filter_fits(const struct filter *f, const struct store_table *table, const json_t *item);

#endif
