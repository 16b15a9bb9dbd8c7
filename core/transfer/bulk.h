/* SPDX-License-Identifier: Apache-2.0 */
/* Digests of many tags in few requests, where a backend has them: its slot resolve
 * for a whole space, else its list of a repository's tags. What is found saves the
 * engine a HEAD a tag; what is not, it asks for itself. Runs in a copy's job.
 */
#ifndef CORE_TRANSFER_BULK_H
#define CORE_TRANSFER_BULK_H

#include <jansson.h>

#include "core/worker/backend.h"

/* Of repositories (an array of names): {REPOSITORY: {TAG: DIGEST}}, without those
 * of which nothing was found; an empty object where the backend has no bulk.
 * Only a cancel, the deadline and a lack of memory are errors. The caller owns
 * *ret. */
MUST_USE int bulk_tags(struct backend *b, const json_t *repositories, json_t **ret,
		       struct berth_error *err);

#endif
