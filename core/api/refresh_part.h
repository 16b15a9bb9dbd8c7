/* SPDX-License-Identifier: Apache-2.0 */
/* Which part of a registry is read into the index anew: what a request names, and
 * what somebody said has changed there. Runs in berthd.
 */
#ifndef CORE_API_REFRESH_PART_H
#define CORE_API_REFRESH_PART_H

#include "core/api/integration.h"

/* Makes what collects hints. */
MUST_USE int refresh_hints_attach(struct daemon_state *d, struct berth_error *err);
/* changes: of a ChangeInput. They are read soon, many hints by one operation; one that
 * names no repository is about all. Kept in memory alone: what a stop loses the next whole
 * refresh finds. */
MUST_USE int refresh_hint(const struct integration *row, const json_t *changes,
			  struct berth_error *err);

#endif
