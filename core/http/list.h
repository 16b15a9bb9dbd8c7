/* SPDX-License-Identifier: Apache-2.0 */
/* Collections: what a request says by limit, cursor, sort and filter, as the
 * page that store_list takes; and the page as the answer.
 *
 *	AUTO_LIST struct list l;
 *	if (!list_begin(&l, q, a, &integrations_table))
 *		return; // answered: 400
 *	l.page.within = ...;
 *	list_end(&l, q, a, store, make, user); // make: row to object
 */
#ifndef CORE_HTTP_LIST_H
#define CORE_HTTP_LIST_H

#include "core/http/filter.h"
#include "core/http/http.h"

struct list {
	struct store_page page; /* within and want_total are the handler's to set */
	const struct store_table *table;
	json_t *items;
	const json_t *more; /* the handler's: members of the answer beside its items, or NULL */
	struct buf where;
	struct filter *filter;
	struct filter_values values;
};

/* False: answered with a 400 that names the parameter. */
MUST_USE bool list_begin(struct list *l, const struct request *q, struct answer *a,
			 const struct store_table *table);
/* Reads the page and answers it (or the problem). make turns one row into an
 * object, new; *ret NULL: leave the row out. An error ends the list. */
typedef int list_make(void *user, const void *row, json_t **ret, struct berth_error *err);
void list_end(struct list *l, const struct request *q, struct answer *a, struct store *store,
	      list_make *make, void *user);
/* The same for what lives in memory: items are the objects as they are shown, of which the
 * fields of the table given to list_begin may be sorted and filtered by. */
void list_end_array(struct list *l, const struct request *q, struct answer *a, struct store *store,
		    const json_t *items);
void list_done(struct list *l);
#define AUTO_LIST CLEANUP(list_done)

#endif
