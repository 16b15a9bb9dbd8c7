/* SPDX-License-Identifier: Apache-2.0 */
/* `berthd --worker`: the process that does jobs. Its parent accepts, forks a
 * child a job, and outlives every one of them; see core/README.md.
 */
#ifndef CORE_WORKER_WORKER_H
#define CORE_WORKER_WORKER_H

#include "core/base/fail.h"

struct job_type; /* core/worker/job.h */

struct worker_options {
	const char *config; /* or NULL: defaults */
	const char *plugin_dir;
	const char *socket_path;      /* NULL: passed by the service manager as "worker" */
	const struct job_type *types; /* the kinds of jobs; ends with a NULL kind */
	const char *cache_dir;        /* for files that may be lost at any time; NULL: none */
};

/* Runs until it is told to end; returns the exit status. */
int worker_run(const struct worker_options *options);

#endif
