/* SPDX-License-Identifier: Apache-2.0 */
/* Programs that a plugin asks for (host->run): no shell, an environment of its
 * own, a process group that ends as a whole with the call. Of one thread; the
 * only place that starts programs in the worker.
 */
#ifndef CORE_WORKER_PROGRAM_H
#define CORE_WORKER_PROGRAM_H

#include <berth/plugin.h>
#include <sys/types.h>

#include "core/base/fail.h"

/* Whose call it is part of. */
struct program_watch {
	int (*cancelled)(void *user); /* BERTH_E_*: it is to end now; asked ten times a second */
	void (*runs)(void *user, pid_t group); /* its process group; 0: it has ended */
	uint32_t grace_ms;                     /* between a word and force */
	void *user;
};

/* Runs it to its end; *ret_status as a shell has it. Errors: BERTH_E_INVALID and
 * BERTH_E_DENIED for a program that may not be run, BERTH_E_LIMIT for one that wrote too
 * much, what cancelled said. */
MUST_USE int program_run(const struct berth_program *program, const struct program_watch *watch,
			 int *ret_status, struct berth_error *err);

#endif
