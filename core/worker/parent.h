/* SPDX-License-Identifier: Apache-2.0 */
/* The worker's parent: children by the job, their deadlines and their ends.
 * Private to worker.c and parent.c.
 */
#ifndef CORE_WORKER_PARENT_H
#define CORE_WORKER_PARENT_H

#include "core/process/loop.h"
#include "core/worker/child.h"
#include "core/worker/plugins.h"

struct offspring;

struct parent {
	pid_t pid; /* its own */
	struct loop *loop;
	struct settings settings;
	struct plugin_set plugins;
	const struct job_type *types;
	const char *cache_dir; /* or NULL */
	int listen_fd;
	struct loop_watch *listen_watch;
	int waiting_fd;          /* of a job that can't be begun for want of a process; -1: none */
	bool is_short;           /* the last job could not be begun at once */
	struct loop_timer *tick; /* while there are children, or a job waits */
	struct offspring *children;
	uint32_t child_count;
	bool is_stopping;
	uint64_t stop_at_ms; /* when children are told to end */
};

/* Starts accepting. */
MUST_USE int parent_start(struct parent *p, struct berth_error *err);
/* No new job; the loop stops with 0 once the last child has ended. */
void parent_stop(struct parent *p);
/* SIGCHLD: takes every dead child's end, and writes its last frame. */
void parent_reap(struct parent *p);

#endif
