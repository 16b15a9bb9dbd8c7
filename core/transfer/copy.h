/* SPDX-License-Identifier: Apache-2.0 */
/* A copy job's way from its source to one target, as job.c and job_fan.c share it: the
 * ends opened through their plugins, the repositories, the engine's run. One of
 * several lends what is the source's from the first. In a job's process.
 */
#ifndef CORE_TRANSFER_COPY_H
#define CORE_TRANSFER_COPY_H

#include "core/transfer/engine.h"
#include "core/transfer/job.h"
#include "core/worker/backend.h"

struct copy {
	struct job *job;
	struct rule *rule;
	struct net_loop *loop;
	struct backend *source, *target; /* one where the rule stays in an instance */
	struct registry *registries[2];
	char *base_urls[2];
	uint32_t flags[2];
	struct transfer *transfer;
	json_t *repositories; /* names at the source */
	json_t *known[2];     /* {REPOSITORY: {TAG: DIGEST}}, or NULL */
	char *identity, *run;
	bool verify;
	/* Of a copy that is compared afterwards: its outcomes by name, and from then on
	 * its totals and the error that ends it all. */
	json_t *noted, *totals;
	struct berth_error broken;
	/* Of one of several targets: all of them, and which of them it is. Loop and source
	 * are the first one's, the source's registry that of who opened it. */
	struct copy *first;
	unsigned index;
	struct fan *fan;
	bool borrows_registry;
	struct berth_error failure; /* this target's; the others go on */
	uint64_t done, total;       /* what it told of its progress */
	json_t *progress;
};

/* job.c */
MUST_USE int copy_open_backends(struct copy *c, struct berth_error *err);
MUST_USE int copy_find_repositories(struct copy *c, struct berth_error *err);
MUST_USE int copy_plan(struct copy *c, struct berth_error *err);
/* Plans anew, and makes failures of what differs; totals get "verified". */
MUST_USE int copy_compare(struct copy *c, json_t *totals, struct berth_error *err);
void copy_hear(struct copy *c); /* berthd said something */
void copy_done(struct copy *c);

/* job_fan.c: one copy to several targets. */
bool fan_is_wanted(const struct job *j);
enum fan_mode { FAN_RUN, FAN_PLAN, FAN_VERIFY };
MUST_USE int fan_job(struct job *j, enum fan_mode mode, json_t **ret_value,
		     struct berth_error *err);
/* The way of that number, from 0; NULL: there is none. */
struct copy *fan_way(const struct copy *c, int64_t number);
/* What one of them tells, told for all of them. */
void fan_progress(struct copy *c, uint64_t done, uint64_t total, const char *stage,
		  const json_t *more);

#endif
