/* SPDX-License-Identifier: Apache-2.0 */
/* Copies and copy rules inside the API: from what users write to the engine's
 * rule, and what rules may not do to each other. Runs in berthd.
 *
 * "desired" of a rule is the API's object: source and target as
 * INTEGRATION[/PREFIX], targets, repositories, exclude, tags, exclude_tags, semver, newest,
 * platforms, override, referrers, flatten, verify, enabled, description, cron,
 * time_zone, on_change, poll_period_s, engine.
 */
#ifndef CORE_API_SYNC_H
#define CORE_API_SYNC_H

#include "core/api/api.h"
#include "core/oci/reference.h"
#include "core/store/syncs.h"

/* INTEGRATION[/PATH] in its parts; path "" where there is none. */
struct sync_end {
	char integration[64];
	char path[REPOSITORY_MAX_BYTES + 1];
};
MUST_USE int sync_end_parse(const char *text, struct sync_end *ret, struct berth_error *err);

/* How many targets a copy rule has, and the i-th; "target" is the first of "targets",
 * which are empty where there is one. */
size_t sync_target_count(const json_t *desired);
const char *sync_target(const json_t *desired, size_t i);
/* Brings what a user wrote into that form. */
void sync_settle_targets(json_t *desired, struct findings *f);
/* The engine's rule (core/transfer/rule.h) of a copy rule, with its first target;
 * *ret_targets (new, NULL: not wanted): all of them where there are several, else empty.
 * Findings name the API's members. NULL: there were findings, or, where none was added, no
 * memory. */
json_t *sync_engine_rule(const json_t *desired, json_t **ret_targets, struct findings *f) MUST_USE;
/* The same of the body of POST /v1/copies, with its first target; *ret_targets (new): all of
 * them where there are several, else empty. */
json_t *copy_engine_rule(const json_t *body, json_t **ret_targets, struct findings *f) MUST_USE;

/* Is that kind of operation one that changes nothing at the target? */
bool copy_only_reads(const char *kind);

/* The first turn of a rule by its cron after then; *ret_ms 0: it has none. */
MUST_USE int sync_next_turn(const json_t *desired, int64_t after_ms, int64_t *ret_ms,
			    struct berth_error *err);
/* Findings about cron and time_zone. */
void sync_check_clock(const json_t *desired, struct findings *f);
/* Looks after turns from now on; and looks at once, since rules have changed. */
MUST_USE int sync_clock_start(struct daemon_state *d, struct berth_error *err);
void sync_clock_changed(struct daemon_state *d);

/* sync_watch.c: rules that run when their source changes. */
/* Makes, changes or removes the watch of a rule; within the caller's transaction. */
MUST_USE int sync_watch_save(struct daemon_state *d, const char *rule_id, const json_t *desired,
			     struct berth_error *err);
/* Sets status.watch where the rule has one. */
MUST_USE int sync_watch_show(struct daemon_state *d, const char *rule_id, json_t *status,
			     struct berth_error *err);
/* A run of a rule has ended, in that state: one that failed comes again. */
MUST_USE int sync_watch_run_ended(struct daemon_state *d, const char *rule_id, const char *state,
				  struct berth_error *err);
/* Looks at sources from now on; and at those that are due now at once. */
MUST_USE int sync_watch_start(struct daemon_state *d, struct berth_error *err);
void sync_watch_changed(struct daemon_state *d);

/* What starts a run that no request asks for: a word as in struct sync_run, and the
 * operation whose requester it is for (NULL: berthd's own). */
struct run_cause {
	const char *started_by;
	const struct operation *by;
};
/* Starts a run, or joins the one under way; ret_id has UUID_ROOM. Within the
 * caller's transaction. */
MUST_USE int copy_start_run(struct daemon_state *d, const struct sync_rule *of,
			    const struct run_cause *why, char *ret_id, struct berth_error *err);

/* sync_plans.c: plans that are kept. Steps are as plan_step makes them. */
MUST_USE int plan_store_begin(struct daemon_state *d, const struct sync_rule *of, const char *id,
			      struct berth_error *err);
MUST_USE int plan_store_step(const char *plan_id, const json_t *step, struct berth_error *err);
/* totals NULL: it failed, and is dropped. */
MUST_USE int plan_store_end(const char *plan_id, const json_t *totals, struct berth_error *err);
/* Is that plan whole, and of the rule as it is now? false: answered. */
bool plan_is_appliable(struct request *q, struct answer *a, const struct sync_rule *of,
		       const char *id);
/* One step of a plan or comparison as the API shows it, of a job's item; NULL: it
 * is none, or there is no memory. */
json_t *plan_step(const struct operation *op, const json_t *item) MUST_USE;

/* The engine's own parser has the last word; what it refuses is a finding. */
bool engine_rule_is_right(const json_t *rule, struct findings *f);
/* The same with each of several targets. */
bool engine_rules_are_right(const json_t *rule, const json_t *targets, struct findings *f);

/* Could what a writes be what b writes (or, feeds: what b reads)? By literal
 * beginnings of names and tags, so that the answer "no" is sure. The addresses
 * decide whether two integrations are one registry. */
struct sync_route {
	const char *name; /* of the rule, for messages */
	json_t *desired;
	struct sync_end source, target;
	char *source_address, *target_address;
};
bool sync_same_target(const struct sync_route *a, const struct sync_route *b);
bool sync_feeds(const struct sync_route *a, const struct sync_route *b);
/* Does a write into what it reads? */
bool sync_feeds_itself(const struct sync_route *a);

/* Refuses a rule that would write where another writes, or close a ring with
 * the enabled ones. own_id: its own row, left out. false: answered 409. */
bool sync_fits(struct request *q, struct answer *a, const char *name, const char *own_id,
	       json_t *desired);

/* Are two integrations one registry, by their addresses? */
MUST_USE int sync_same_registry(struct daemon_state *d, const char *one, const char *other,
				bool *ret, struct berth_error *err);
/* Are both ends of an engine's rule integrations that there are? false: answered
 * with findings. */
bool sync_ends_known(struct request *q, struct answer *a, const json_t *rule);
/* May the caller copy so: from spaces that it may use to spaces of its own, where the platform
 * does not allow it? targets: all of them where there are several. False: answered with
 * findings, or 403. */
bool copy_ends_allowed(struct request *q, struct answer *a, const json_t *rule,
		       const json_t *targets);
/* Is the run of the route's id for this caller's eyes? False: answered 404. */
bool copy_is_seen(struct request *q, struct answer *a);
/* Finds by the route's name; false: answered 404. */
bool sync_of_route(struct request *q, struct answer *a, struct sync_rule *ret);
/* The newest run as the API shows it; *ret NULL: none yet. */
MUST_USE int sync_last_run(struct daemon_state *d, const char *rule_id, json_t **ret,
			   struct berth_error *err);
/* The run of that id, where it is the rule's (of NULL: any). BERTH_E_NOT_FOUND. */
MUST_USE int sync_run_of(struct daemon_state *d, const struct sync_rule *of, const char *id,
			 struct sync_run *ret, struct berth_error *err);
/* The error of a run in which images failed: the first one's, with the counts, and op
 * blames the integration where it arose. Returns its code, or that of the store. */
int copy_blame(struct operation *op, int64_t failed, int64_t images, struct berth_error *err);
/* The first 1 000 outcomes of a run: an array. */
MUST_USE int copy_outcomes(struct daemon_state *d, const char *run_id, json_t **ret,
			   struct berth_error *err);
/* Both ends are there, on and well; false: answered. */
bool sync_ends_usable(struct request *q, struct answer *a, const char *source, const char *target);
/* Of a copy to several targets: each is there and on, and the source well, too. A target that
 * is not well is tried: it fails alone. false: answered. */
bool copy_targets_known(struct request *q, struct answer *a, const json_t *targets);
bool copy_targets_usable(struct request *q, struct answer *a, const char *source,
			 const json_t *targets);

#endif
