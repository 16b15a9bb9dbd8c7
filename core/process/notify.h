/* SPDX-License-Identifier: Apache-2.0 */
/* What the service manager is told (sd_notify) and what it hands over
 * (sd_listen_fds). Nothing happens where there is none. Runs in berthd, in the
 * worker's parent and in the receiver of notifications.
 */
#ifndef CORE_PROCESS_NOTIFY_H
#define CORE_PROCESS_NOTIFY_H

#include "core/base/fail.h"
#include "core/process/loop.h"

void notify_ready(void);
void notify_reloading(void); /* then notify_ready again */
void notify_stopping(void);
/* One line: version, plugins, running operations, degraded parts. */
void notify_status(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* Pings the watchdog from the loop, at a third of its interval: a ping means
 * that the loop turns and nothing else. */
MUST_USE int notify_watchdog(struct loop *l, struct berth_error *err);
/* The listening socket of that name that the service manager passed, or -1. */
int notify_listening(const char *name);

#endif
