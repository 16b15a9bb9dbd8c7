/* SPDX-License-Identifier: Apache-2.0 */
/* berthd --run COMMAND: the daemon lives as long as the command, and ends with
 * its exit status.
 */
#ifndef CORE_DAEMON_CAPTIVE_H
#define CORE_DAEMON_CAPTIVE_H

#include <stdbool.h>
#include <sys/types.h>

#include "core/base/fail.h"

/* Starts it with BERTH_SOCKET set. One word alone is a line for /bin/sh. */
MUST_USE int captive_start(char *const *command, const char *socket_path, pid_t *ret_pid,
			   struct berth_error *err);
/* Has it ended? Then its exit status, or 128 and the signal. */
bool captive_ended(pid_t pid, int *ret_status);

#endif
