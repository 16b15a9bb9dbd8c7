/* SPDX-License-Identifier: Apache-2.0 */
/* One order for the items of several lists, each of which berthd has sorted. */
#ifndef CLIENT_ORDER_H
#define CLIENT_ORDER_H

#include <jansson.h>

#include "core/base/fail.h"

/* Sorts as the API does for sort=KEYS ("-tags,name"): numbers by value, texts by their
 * bytes, what is missing first; items that are alike keep their order. */
MUST_USE int order_items(json_t *items, const char *keys, struct berth_error *err);
/* Drops all items but the first limit; 0: none. */
void order_cut(json_t *items, uint64_t limit);

#endif
