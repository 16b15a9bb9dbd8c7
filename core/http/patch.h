/* SPDX-License-Identifier: Apache-2.0 */
/* JSON Merge Patch (RFC 7396), and checking a body that a handler put together
 * itself against the schema of one of the routes.
 */
#ifndef CORE_HTTP_PATCH_H
#define CORE_HTTP_PATCH_H

#include "core/http/http.h"

/* target with patch merged in; a new value, or NULL without memory. Neither
 * argument is changed. Depth is bounded by that of the patch (64). */
json_t *json_merge_patch(const json_t *target, const json_t *patch) MUST_USE;
/* Checks value against the body schema of another operation (a patched resource
 * against "integrations_put"). False: answered with 422 and every pointer, or,
 * where value is NULL (json_merge_patch had no memory), with 503. */
MUST_USE bool answer_check(struct answer *a, const char *operation, const json_t *value);

#endif
