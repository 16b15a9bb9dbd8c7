/* SPDX-License-Identifier: Apache-2.0 */
/* What berthd asks of a job, and what comes back: the vocabulary of the
 * frames on worker.sock (SOCK_SEQPACKET, one JSON object of at most 64 KiB a
 * packet). One connection is one job.
 *
 * berthd -> job   {"t":"call", "job":ID, "kind":KIND, "request":ID, "deadline_ms":N (from now),
 *                  "instances":{NAME: INSTANCE}, "args":{...}, "limits":{...},
 *                  "budget":{"read":BOOL,"take":BOOL,"write":BOOL,...,"users":{..}}}
 *                 {"t":"cancel"}
 *                 {"t":"budget","chain":"read"|"take"|"write"|"write2"..,"bytes":N}  a lease
 *                 {"t":"budget","read":BOOL,"write":BOOL,...,"users":{"read":N,...}}  must it
 *                  ask for leases from now on, and how many jobs are at that integration?
 *                 {"t":"claim","target":N,"digest":D,"state":"yours"|"wait"|"there",
 *                  "repository":R}
 * job -> berthd   {"t":"hello","pid":N}
 *                 {"t":"item","kind":"tag"|..., "id","name","digest","bytes","updated_ms",
 *                  "more":{}}
 *                 {"t":"progress","done":N,"total":N,"unit":"bytes"|"items","stage":TEXT,
 *                  "more":{}}
 *                 {"t":"log","level":N,"text":TEXT}
 *                 {"t":"keep","instance":NAME,"state":{...}|null}
 *                 {"t":"budget","chain":"read"|...,"want":N,"back":N}  asks for a lease, or
 *                  gives back what is left of the last one (core/ops/budget.h)
 *                 {"t":"claim","target":N,"digest":D}  may this job send that blob to its
 *                  target of that number, from 0? (core/ops/claims.h)
 *                 {"t":"release","target":N,"digest":D,"repository":R}  it is there; without R:
 *                  it is not
 *                 {"t":"result","ok":true,"value":{...}}
 *                 {"t":"result","ok":false,"error":{code,message,cause,from,upstream,retry_ms}}
 * The result is last. A connection that ends without one is a lost worker.
 *
 * INSTANCE: {"plugin":NAME, "options":{key: text}, "kept":{...}|null,
 *            "policy":{"allow":[CIDR],"deny":[CIDR],"private":bool,"quiet":bool}}
 */
#ifndef CORE_WORKER_JOB_H
#define CORE_WORKER_JOB_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/base/fail.h"

/* Kinds and their args (-> items; result value). In every kind "dry_run": true
 * sets BERTH_CALL_DRY_RUN in the calls of the plugin.
 *   plugins        {}                                  -> one item a plugin found
 *   reload         {}: the next job has configuration and plugins as they are then
 *   probe          {instance, scope}                   -> fact
 *   overview       {instance}                          -> fact
 *   spaces         {instance}                          -> space
 *   repositories   {instance, space|null}              -> repository
 *   tags           {instance, repository}              -> tag
 *   refresh        {instance, space|null, prefix?}     -> space, repository, each followed by
 *                  its tags: of all, of a native space, or below a prefix
 *   refresh        {instance, repositories:[NAME]}     -> the same of those that are there
 *   artifact       {instance, repository, reference}   -> artifact, referrer
 *   tag-delete     {instance, repository, tag}
 *   artifact-delete{instance, repository, digest}
 *   repository-delete {instance, repository}
 *   repository-describe {instance, repository, text}
 *   space-create   {instance, space, wanted}           -> space
 *   space-change   {instance, space, wanted}           -> space
 *   space-delete   {instance, space}
 *   cluster-probe  {instance}                          -> fact, object: its nodes
 *   pull-secrets   {instance, configs, items}          -> secret: name, more {"error"} or {}
 *   login-create   {instance, request}                 -> login, with its secret
 *   login-clean    {instance, prefix, names}           -> login: name, more {"found": bool}
 *   retention-show {instance, space}                   -> rule; fact schedule
 *   retention-set  {instance, space, policy}
 *   retention-run  {instance, space, all}              -> run. Unless all or dry_run, a dry
 *                  run is made first, and where it removes all tags of a repository none is
 *                  begun; value: {"removes_all": {"tags", "repositories", "names": some}}
 *   retention-runs {instance, space, run|null}         -> run; of one run: task
 *   scan           {instance, target, follow}          -> run (each change), task, then the
 *                  report of one artifact; value: the last run. follow: it is begun already
 *   scan-state     {instance, target}                  -> task; value: the run
 *   scan-stop      {instance, target}
 *   scan-report    {instance, target}                  -> run (its digest), fact, finding
 *   scanners       {instance}                          -> object
 *   scan-configure {instance, settings}
 *   maintain       {instance, action, arguments}       -> fact, run
 *   copy-plan      {rule, targets|null}                -> step; value: the totals
 *   copy-verify    {rule}                              -> step; value: how many are the same
 *   copy-run       {rule, targets|null, resume:{...}|null} -> image outcomes; value: the report's
 *   native-check   {rule, engine, ...}: can the registry's own replication do it?
 *   source-look    {instance, rules:[{name, rule}]}    -> fact: what each rule would read
 * target: {"repository", "digest" or "tag"}, {"repository"}, {"space"} or {}
 * targets: two to eight ends in place of the rule's target, each of another instance; one
 * with an "error" fails with it
 * configs: {ID: text}; items: {"namespace", "owner", "config": ID (none: removed),
 * "service_account"}
 * rule: see core/transfer/rule.h; totals: transfer_totals in core/transfer/engine.h
 */

/* berthd's end of one job. All callbacks come from job_client_turn, in
 * berthd's only thread. */
struct job_client;
struct job_events {
	void (*item)(void *user, const json_t *frame);
	void (*progress)(void *user, const json_t *frame);
	void (*log)(void *user, int level, const char *text);
	void (*keep)(void *user, const char *instance, const json_t *state);
	/* Once, last: err->code 0 and the value, or why not. A job that crashed is
	 * BERTH_E_INTERNAL, with the signal in from and upstream where there was one; a
	 * worker that is lost is BERTH_E_UNAVAILABLE. */
	void (*result)(void *user, const json_t *value, const struct berth_error *err);
	/* It asks for a lease of shared rates, or gives one back. */
	void (*budget)(void *user, const json_t *frame);
	/* It wants to send a blob, or has done with it. */
	void (*claim)(void *user, const json_t *frame);
};
/* Connects, sends the call. The client is freed by job_client_free, also from result. */
MUST_USE int job_client_start(const char *socket_path, const json_t *call,
			      const struct job_events *events, void *user, struct job_client **ret,
			      struct berth_error *err);
int job_client_fd(const struct job_client *c); /* to poll for reading */
void job_client_turn(struct job_client *c);    /* read what is there */
/* Asked from result: did the connection end without one? An error that the job
 * itself reports, a registry out of reach, is no loss. */
bool job_client_is_lost(const struct job_client *c);
/* Gives it a frame, without waiting: the frame is kept, and not to be changed, until there is
 * room. True: nothing is kept; false: call job_client_flush, which says the same, when the
 * descriptor can be written. A job that does not read is ended: it is lost, then. */
bool job_client_send(struct job_client *c, json_t *frame);
bool job_client_flush(struct job_client *c);
void job_client_cancel(struct job_client *c); /* ask; the result still comes */
void job_client_free(struct job_client *c);   /* hangs up; the worker ends the job */

/* The job's end, inside the worker's child. */
struct job;
const char *job_kind(const struct job *j);
const json_t *job_args(const struct job *j);
const json_t *job_instance(const struct job *j, const char *name);
uint64_t job_deadline_ms(const struct job *j); /* CLOCK_MONOTONIC */
/* Nonzero once cancelled, hung up on, or past the deadline (the code). */
int job_cancelled(struct job *j);
/* Sleeps so long, in short pieces: a cancel ends it. */
void job_pause(struct job *j, uint64_t ms);
/* Sends one; waits while berthd takes nothing. BERTH_E_LIMIT: it is over 64 KiB, and was
 * not sent; BERTH_E_CANCELLED: nobody waits for this job any more. */
MUST_USE int job_item(struct job *j, const json_t *item, struct berth_error *err);
/* How far it is; more (or NULL) is borrowed. At most jobs.progress_per_s are sent, the last
 * one always. */
void job_progress(struct job *j, uint64_t done, uint64_t total, const char *unit, const char *stage,
		  const json_t *more);
/* Rates that are shared with other jobs: bytes are moved only with a lease. */
enum job_chain { JOB_READ, JOB_TAKE, JOB_WRITE }; /* JOB_WRITE + 1 and so on: of the next targets */
#define JOB_CHAINS 10
/* How many bytes may be moved at once; asks for another lease where few are left.
 * UINT64_MAX: no rate is set. */
uint64_t job_leased(struct job *j, enum job_chain chain);
void job_spend(struct job *j, enum job_chain chain, uint64_t byte_count);
/* How many jobs, this one among them, move bytes at that chain's integration. */
unsigned job_users(const struct job *j, enum job_chain chain);
void job_give_back(struct job *j); /* what is left of its leases: at its end */
/* For the job's own loop: readable when berthd said something; then job_cancelled. */
int job_fd(const struct job *j);
/* Asks for the right to send a blob to the target of that number; the answer is a frame
 * of job_take_claim (json_decref; NULL: none came yet). */
void job_claim(struct job *j, unsigned target, const char *digest);
json_t *job_take_claim(struct job *j) MUST_USE;
/* A blob that was given to this job is there now; or, repository NULL, it is not. */
void job_release(struct job *j, unsigned target, const char *digest, const char *repository);
void job_log(struct job *j, int level, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* A kind of job: run returns 0 and may set *ret_value (owned by the caller). */
struct job_type {
	const char *kind;
	int (*run)(struct job *j, json_t **ret_value, struct berth_error *err);
};

#endif
