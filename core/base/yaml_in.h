/* SPDX-License-Identifier: Apache-2.0 */
/* Documents that a person wrote: JSON, or YAML 1.2 without anchors, aliases
 * and tags, read with caps. What YAML readers disagree about is refused with
 * the advice to quote it.
 */
#ifndef CORE_BASE_YAML_IN_H
#define CORE_BASE_YAML_IN_H

#include <jansson.h>

#include "core/base/fail.h"

enum { YAML_BYTES_MAX = 1 << 20, YAML_DEPTH_MAX = 64, YAML_EVENTS_MAX = 100000 };

/* Every document of the text in an array, which the caller owns. Errors:
 * BERTH_E_INVALID with line and column, BERTH_E_LIMIT naming the cap. */
MUST_USE int documents_parse(const char *text, json_t **ret_array, struct berth_error *err);

#endif
