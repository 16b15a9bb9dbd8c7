/* SPDX-License-Identifier: Apache-2.0 */
/* The real runner of jobs: each a connection to the worker's socket, watched by
 * berthd's loop.
 */
#include "core/ops/engine.h"
#include "core/process/loop.h"

struct worker_job {
	struct job_client *client;
	struct loop_watch *watch;
	struct worker_job *next;
};

static void ready(void *user, unsigned events)
{
	struct worker_job *j = user;

	if ((events & LOOP_WRITE) && job_client_flush(j->client))
		loop_watch_change(j->watch, LOOP_READ);
	job_client_turn(j->client); /* a hang-up is read as the end */
}

static int start(void *user, const json_t *call, const struct job_events *events, void *events_user,
		 struct job_client **ret, struct berth_error *err)
{
	struct ops *o = user;
	struct worker_job *j = calloc(1, sizeof(*j));
	int rc;

	if (!j)
		return berth_fail_memory(err);
	rc = job_client_start(o->settings.worker_socket, call, events, events_user, &j->client,
			      err);
	if (!rc)
		rc = loop_watch(o->settings.loop, job_client_fd(j->client), LOOP_READ, ready, j,
				&j->watch, err);
	if (rc) {
		job_client_free(j->client);
		free(j);
		return rc;
	}
	j->next = o->jobs;
	o->jobs = j;
	*ret = j->client;
	return 0;
}

static void cancel(void *user, struct job_client *c)
{
	(void)user;
	job_client_cancel(c);
}

static struct worker_job **place_of(struct ops *o, const struct job_client *c)
{
	struct worker_job **at = &o->jobs;

	while (*at && (*at)->client != c)
		at = &(*at)->next;
	return at;
}

static void send_frame(void *user, struct job_client *c, json_t *frame)
{
	const struct worker_job *j = *place_of(user, c);

	if (!job_client_send(c, frame) && j)
		loop_watch_change(j->watch, LOOP_READ | LOOP_WRITE);
}

static bool is_lost(void *user, const struct job_client *c)
{
	(void)user;
	return job_client_is_lost(c);
}

static void end(void *user, struct job_client *c)
{
	struct worker_job **at = place_of(user, c), *j = *at;

	if (!j)
		return;
	*at = j->next;
	loop_unwatch(j->watch);
	job_client_free(c);
	free(j);
}

struct op_runner worker_runner(struct ops *o)
{
	return (struct op_runner){.start = start,
				  .cancel = cancel,
				  .is_lost = is_lost,
				  .free = end,
				  .user = o,
				  .send = send_frame};
}
