/* SPDX-License-Identifier: Apache-2.0 */
/* The life of berthd itself: start, turn, reload, stop. */
#ifndef CORE_DAEMON_RUN_H
#define CORE_DAEMON_RUN_H

#include "core/daemon/start.h"

/* Serves until told to end; returns the exit status. */
int daemon_run(const struct start_options *o, const struct daemon_paths *paths);
/* --init: key and store, then the end. */
int daemon_init(const struct start_options *o, const struct daemon_paths *paths);

#endif
