/* SPDX-License-Identifier: Apache-2.0 */
/* What `berthd --hooks` understood, on its way to berthd: kept until POST /v1/changes
 * on the control socket has taken it, each change once, while berthd is away as well.
 * Kept in memory alone: what is lost with the process the next look finds.
 */
#ifndef CORE_HOOKS_FORWARD_H
#define CORE_HOOKS_FORWARD_H

#include <jansson.h>

#include "core/process/loop.h"

struct forward;
/* socket_path: of the control socket; copied. */
MUST_USE int forward_new(struct loop *l, const char *socket_path, struct forward **ret,
			 struct berth_error *err);
/* Tries once more where something is left. Accepts NULL. */
void forward_free(struct forward *f);
/* Adds changes ({"repository", "tag"} each) of an integration; sent from the loop. */
MUST_USE int forward_add(struct forward *f, const char *integration, const json_t *changes,
			 struct berth_error *err);

#endif
