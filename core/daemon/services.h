/* SPDX-License-Identifier: Apache-2.0 */
/* The modules that berthd is made of, opened in their order and closed in the
 * other: key and store, operations, API, HTTP server.
 */
#ifndef CORE_DAEMON_SERVICES_H
#define CORE_DAEMON_SERVICES_H

#include "core/daemon/daemon.h"

/* Key and store; a private daemon makes both. Without a key the daemon runs
 * degraded; with a wrong one it does not start. */
MUST_USE int services_open_store(struct daemon_state *d, struct berth_error *err);
MUST_USE int services_open(struct daemon_state *d, struct berth_error *err);
/* Turns loop and HTTP server until the loop is stopped. */
void services_run(struct daemon_state *d, int *ret_status);
/* After a reload. */
void services_configure(struct daemon_state *d);
/* Refuses new work; true once nothing runs and no client is left. */
bool services_drain(struct daemon_state *d);
uint32_t services_running(const struct daemon_state *d); /* operations */
void services_close(struct daemon_state *d);

#endif
