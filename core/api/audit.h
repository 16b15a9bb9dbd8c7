/* SPDX-License-Identifier: Apache-2.0 */
/* The audit trail's clock: rows older than audit.keep_days go, so many at a time that
 * a transaction stays short. Runs in berthd.
 */
#ifndef CORE_API_AUDIT_H
#define CORE_API_AUDIT_H

#include "core/daemon/daemon.h"

#define AUDIT_PRUNE_ROWS 500 /* of one transaction */

MUST_USE int audit_clock_start(struct daemon_state *d, struct berth_error *err);

#endif
