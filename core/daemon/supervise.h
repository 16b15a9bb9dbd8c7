/* SPDX-License-Identifier: Apache-2.0 */
/* berthd's care for the worker. A private daemon starts its own, hears its
 * notifications as a service manager would, and starts it again with back-off
 * when it dies or goes silent; as a service it only asks it for its plugins.
 */
#ifndef CORE_DAEMON_SUPERVISE_H
#define CORE_DAEMON_SUPERVISE_H

#include "core/daemon/daemon.h"

struct supervisor;
/* listed is called whenever d->plugins is new, and where a reload has come to no list. */
MUST_USE int supervisor_new(struct daemon_state *d, void (*listed)(void *user), void *user,
			    struct supervisor **ret, struct berth_error *err);
/* SIGCHLD: was it ours? Then it is dealt with. */
void supervisor_reap(struct supervisor *s);
/* The worker reads configuration and plugins again; d->plugins_awaited until their list is
 * here, or it is plain that none comes. */
void supervisor_reload(struct supervisor *s);
/* Asks the worker to end, waits grace_ms, kills it. Accepts NULL. */
void supervisor_free(struct supervisor *s, uint32_t grace_ms);

#endif
