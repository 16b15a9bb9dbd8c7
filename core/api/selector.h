/* SPDX-License-Identifier: Apache-2.0 */
/* berthd's selector and the store behind it: filled after READY in slices of the
 * event loop, and kept true by what the store tells of its index.
 */
#ifndef CORE_API_SELECTOR_H
#define CORE_API_SELECTOR_H

#include "core/api/api.h"
#include "core/select/select.h"

/* Makes it and begins to fill it. */
MUST_USE int selector_attach(struct daemon_state *d, struct berth_error *err);
/* The selector, after as much of what has changed was taken in as a request may
 * wait for: 256 repositories, and more as long as 4 ms are not over.
 * *ret_is_whole: nothing is left. */
struct selector *selector_now(bool *ret_is_whole);

#endif
