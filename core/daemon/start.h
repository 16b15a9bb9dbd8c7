/* SPDX-License-Identifier: Apache-2.0 */
/* From the command line to a running process: which mode, which paths. */
#ifndef CORE_DAEMON_START_H
#define CORE_DAEMON_START_H

#include <stdbool.h>

#include "core/daemon/daemon.h"

enum start_mode { START_DAEMON, START_WORKER, START_CHECK, START_INIT, START_HOOKS };

struct start_options {
	enum start_mode mode;
	const char *config, *plugin_dir, *state_dir; /* NULL: not given */
	bool is_captive;
	char **command; /* of --run; ends with NULL */
};

/* Does what was asked; returns the exit status: 0, 64 usage, 66 an input is
 * missing, 70 a bug, 75 temporary, 78 configuration; with --run the command's. */
int start(const struct start_options *o);

/* Where everything is. BERTH_E_INVALID: a path is too long. Makes the folder
 * of a private daemon (0700) where it is not there, and refuses one that
 * others may enter or that is somebody else's. */
MUST_USE int paths_init(const struct start_options *o, struct daemon_paths *ret,
			struct berth_error *err);

#endif
