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

enum field_type { FIELD_TEXT, FIELD_INTEGER, FIELD_BOOLEAN, FIELD_TIME };
/* What may be filtered and sorted by. FIELD_TIME: RFC 3339 in the API, Unix
 * milliseconds in the column. FIELD_BOOLEAN: 0 or 1 in the column. A table ends
 * with a NULL name. */
struct field {
	const char *name;   /* in the API */
	const char *column; /* an SQL expression, ours */
	enum field_type type;
	bool is_sortable; /* the column is never NULL */
};

/* A value for one ? of the SQL, in order. */
struct bind {
	bool is_text;
	int64_t integer;
	char *text; /* owned */
};
#define BINDS_MAX 80
struct binds {
	size_t count;
	struct bind items[BINDS_MAX];
};
void binds_done(struct binds *b);
MUST_USE int binds_add_text(struct binds *b, const char *text, struct berth_error *err);
MUST_USE int binds_add_int(struct binds *b, int64_t value, struct berth_error *err);

#define FILTER_TERMS_MAX 32
#define FILTER_DEPTH_MAX 8
#define FILTER_BYTES_MAX 1024
struct filter;
/* BERTH_E_INVALID: the message says what was expected, and at which byte.
 * BERTH_E_LIMIT: longer, deeper or with more terms than allowed. */
MUST_USE int filter_parse(const char *text, struct filter **ret, struct berth_error *err);
void filter_free(struct filter *f);
SCOPE_TYPE(filter, struct filter, filter_free)
/* Appends "(a = ? AND ...)" to sql and its values to binds. BERTH_E_INVALID: an
 * unknown field (the message lists those that there are) or a value of the
 * wrong type. like compiles to LIKE ? ESCAPE '\': SQLite needs
 * PRAGMA case_sensitive_like to mean by it what PostgreSQL does. */
MUST_USE int filter_compile(const struct filter *f, const struct field *fields, struct buf *sql,
			    struct binds *binds, struct berth_error *err);

#endif
