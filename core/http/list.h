/* SPDX-License-Identifier: Apache-2.0 */
/* Collections: turns limit, cursor, sort and filter of a request into one SQL
 * tail with bound values, and the last row into the cursor of the next page.
 *
 *	struct list l;
 *	if (!list_begin(&l, q, a, fields, "name"))
 *		return;			// answered: 400
 *	text = "SELECT ... FROM integrations WHERE " + l.where + " " + l.tail
 *	bind l.binds in order, read at most l.limit rows into items (one more may
 *	come: it only says that there is a next page: list_more)
 *	list_end(&l, q, a, items, total);
 */
#ifndef CORE_HTTP_LIST_H
#define CORE_HTTP_LIST_H

#include "core/http/filter.h"
#include "core/http/http.h"

#define LIST_SORT_MAX 4
struct list {
	uint32_t limit;	    /* items of this page */
	struct buf where;   /* a condition, never empty; ? for each of binds */
	struct buf filter;  /* the condition of filter= alone, for a count: "1=1" without */
	struct buf tail;    /* "ORDER BY ... LIMIT n+1" */
	struct binds binds; /* first those of filter (filter_bind_count), then the cursor's */
	size_t filter_bind_count;
	const struct field *sort[LIST_SORT_MAX + 1]; /* the unique key always last */
	bool descending[LIST_SORT_MAX + 1];
	size_t sort_count;
};

/* Reads the parameters. fields: the table, which must hold key, the unique and
 * sortable field that ends every order. False: answered with a 400. */
MUST_USE bool list_begin(struct list *l, const struct request *q, struct answer *a,
			 const struct field *fields, const char *key);
/* Answers the page. items holds up to limit + 1 objects in order; where there
 * are more than limit the last is dropped and a cursor made from the one
 * before: each item must carry the sort fields under their API names (dots
 * reach into members: "status.phase"). total: -1 unknown. Frees l's parts. */
void list_end(struct list *l, const struct request *q, struct answer *a, json_t *take_items,
	      int64_t total);
void list_done(struct list *l); /* where list_end is not reached */

#endif
