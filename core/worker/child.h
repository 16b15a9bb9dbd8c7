/* SPDX-License-Identifier: Apache-2.0 */
/* A job's process: what the worker's parent hands it at the fork, and what the
 * modules inside share beyond job.h.
 */
#ifndef CORE_WORKER_CHILD_H
#define CORE_WORKER_CHILD_H

#include <sys/types.h>

#include "core/conf/settings.h"
#include "core/worker/board.h"
#include "core/worker/job.h"

struct plugin_set; /* core/worker/plugins.h */

struct child_setup {
	int fd;       /* the connection; taken */
	pid_t parent; /* the worker's; 0: none, as in tests */
	struct board *board;
	const struct settings *settings;
	const struct plugin_set *plugins;
	const struct job_type *types; /* those that there are; ends with a NULL kind */
	const char *cache_dir;        /* for files that may be lost at any time; or NULL */
};

/* Does the one job of this connection and ends the process. */
_Noreturn void child_main(const struct child_setup *setup);

/* The same within a test: reads the call, runs it, sends the result. */
MUST_USE int child_serve(const struct child_setup *setup, struct berth_error *err);

const struct plugin_set *job_plugins(const struct job *j);
const struct settings *job_settings(const struct job *j);
const char *job_cache_dir(const struct job *j); /* or NULL */
/* Asks the worker's parent to read configuration and plugins again. It has done so before
 * it begins a job whose connection is made after this job's result. BERTH_E_UNAVAILABLE: the
 * parent is gone. */
MUST_USE int job_reload_worker(const struct job *j, struct berth_error *err);
struct board *job_board(struct job *j);
const char *job_id(const struct job *j);
/* Did berthd go away, instead of asking the job to stop? */
bool job_is_hung_up(const struct job *j);
/* What the instance wants kept: an object, or NULL to forget. */
MUST_USE int job_keep(struct job *j, const char *instance, const json_t *state,
		      struct berth_error *err);
/* A net_limits of the call's "limits", else of the configuration. */
void job_net_limits(const struct job *j, struct net_limits *ret);

#endif
