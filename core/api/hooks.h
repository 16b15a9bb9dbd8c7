/* SPDX-License-Identifier: Apache-2.0 */
/* What berthd gives to the HTTP side: the store's idempotency keys and audit
 * trail, and what readyz, /v1 and metrics say of the rest.
 */
#ifndef CORE_API_HOOKS_H
#define CORE_API_HOOKS_H

#include "core/http/hooks.h"

extern const struct http_hooks api_hooks;

#endif
