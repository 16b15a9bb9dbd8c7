/* SPDX-License-Identifier: Apache-2.0 */
/* The lists of a registry: repositories (_catalog) and tags, page by page to
 * their end or to an error that says the list is not whole: never a list cut
 * short in silence. Works on any number of lists at once.
 */
#ifndef CORE_OCI_LISTS_H
#define CORE_OCI_LISTS_H

#include <jansson.h>

#include "core/oci/registry.h"

#define LIST_PAGE_ITEMS 1000 /* asked for at once */

enum list_kind { LIST_CATALOG, LIST_TAGS };

struct list;
struct list_call {
	enum list_kind kind;
	const char *repository; /* of LIST_TAGS */
	uint64_t items_max;     /* stop without an error after so many; 0: all */
	/* Each name, in the server's order; nonzero: stop, BERTH_E_CANCELLED.
	 * Names that the grammar does not know are left out and counted. */
	int (*item)(void *user, const char *name);
	/* Once, last, from the loop. */
	void (*done)(void *user, const struct berth_error *err);
	void *user;
};
MUST_USE int list_start(struct registry *r, const struct list_call *call, struct list **ret,
			struct berth_error *err);
void list_free(struct list *l); /* also from done; cancels */
SCOPE_TYPE(list, struct list, list_free)
uint64_t list_left_out(const struct list *l); /* names passed over so far */

/* Start and run the loop to its end; ret_left_out may be NULL. */
MUST_USE int list_run(struct registry *r, const struct list_call *call, uint64_t *ret_left_out,
		      struct berth_error *err);

/* One page {"repositories": [...]} or {"tags": [...] or null}: checks that all
 * items are texts. *ret (to json_decref) is the array, or NULL for null. */
MUST_USE int list_parse_page(enum list_kind kind, const char *bytes, size_t byte_count,
			     json_t **ret, struct berth_error *err);

#endif
