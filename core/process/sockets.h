/* SPDX-License-Identifier: Apache-2.0 */
/* The UNIX sockets of a private daemon, and the lock that keeps a second one
 * off its folder. berthd and the worker; no other address family is ever used.
 */
#ifndef CORE_PROCESS_SOCKETS_H
#define CORE_PROCESS_SOCKETS_H

#include "core/base/fail.h"

/* Binds path (0600) and listens where the type has that. A socket left behind
 * is replaced: the caller holds the folder's lock. */
MUST_USE int socket_open(const char *path, int type, int *ret_fd, struct berth_error *err);
/* Takes DIR/lock for as long as the descriptor is open. BERTH_E_CONFLICT:
 * another process has it. */
MUST_USE int folder_lock(const char *dir, int *ret_fd, struct berth_error *err);

#endif
