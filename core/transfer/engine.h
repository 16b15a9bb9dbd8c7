/* SPDX-License-Identifier: Apache-2.0 */
/* Copying between two registries by one rule, planned first and then moved:
 * the public face of core/transfer. Runs in a job's process, one thread, one
 * network loop.
 *
 *	transfer_new, transfer_add_repository for each repository that the rule
 *	means, transfer_plan (reads only), transfer_totals, transfer_run,
 *	transfer_totals, transfer_free.
 *
 * What is promised at the target: a blob is complete only after its digest was
 * right, children are there before an index, an index before what refers to it,
 * and all of it before a tag; a tag is read back. One image that fails does not
 * stop the others. After a cancel no upload session of the run is left open.
 */
#ifndef CORE_TRANSFER_ENGINE_H
#define CORE_TRANSFER_ENGINE_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/base/fail.h"
#include "core/net/loop.h"
#include "core/oci/registry.h"
#include "core/transfer/rule.h"

/* One end. Both may have the same registry: then blobs are mounted from the
 * source's repositories. */
struct transfer_end {
	struct registry *registry; /* borrowed */
	uint32_t flags;            /* BERTH_OCI_* of the endpoint */
};

/* A source under a rate may send ahead of what we take: the socket's buffer is made this
 * small there (registry_settings.receive_bytes), a few milliseconds' worth of the rate, 0: of
 * one that is not known. How much fits in is Linux's choice, from once to 1.8 times that by
 * its version and the size of segments. Half as much again is paid for before the source is
 * asked, what is really there as soon as it is seen. */
uint32_t transfer_receive_bytes(uint64_t bytes_per_s);

/* What the source is let send, ahead of what we take; what is taken of that: else the end of
 * each blob, long paid for, would come at once; what is given to the target. */
enum transfer_rate { RATE_SENT, RATE_TAKEN, RATE_WRITTEN, RATES };

/* Runs that copy the same from one source to several targets, each an own transfer of
 * one process: they share what is read (fan.h). Free it after them. A run that makes
 * the others wait for patience_ms (0: 10 000) reads for itself from then on. */
#define TRANSFER_FAN_MAX RULE_TARGETS_MAX
struct fan;
MUST_USE int fan_new(struct net_loop *loop, uint64_t patience_ms, struct fan **ret,
		     struct berth_error *err);
void fan_free(struct fan *f);
SCOPE_TYPE(fan, struct fan, fan_free)

struct transfer_settings {
	struct net_loop *loop; /* borrowed */
	/* One of several, planned one after the other; NULL: alone. At most
	 * TRANSFER_FAN_MAX with one fan, all with the source's same registry. */
	struct fan *fan;
	struct transfer_end source, target;
	uint32_t in_flight;   /* requests at once at each registry; 0: 32 */
	uint32_t moves;       /* blobs at once; 0: 16 */
	uint32_t tries;       /* of one blob, in all; 0: 3 */
	uint32_t backoff_ms;  /* before the second try of a blob, doubling; 0: 500 */
	uint32_t cleanup_ms;  /* after a cancel, for each of its two steps; 0: 3 000 */
	uint32_t ring_bytes;  /* of all streams together; 0: 1 MiB */
	uint32_t cache_bytes; /* of manifests kept; beyond, they are read again; 0: 4 MiB */
	/* An earlier run of this rule was cut short: no target repository is
	 * taken for empty, and every blob is looked for before it is read. */
	bool resume;
	/* Compare both ends to the last blob, for transfer_report_verify; the run
	 * ends after transfer_plan. */
	bool verify;
	/* Where to keep what a later process needs to go on in the middle of a
	 * blob (NULL: nowhere), under which name, and what both must agree on. */
	const char *journal_folder, *run, *identity;
	/* Of big blobs on their way, kept in that folder until they have arrived,
	 * so that no byte is read twice; 0: none. */
	uint64_t spool_bytes;
	/* Nonzero: the run ends with that code. Asked at least every 250 ms.
	 * BERTH_E_UNAVAILABLE: it will be taken up again, so uploads stay open. */
	int (*cancelled)(void *user);
	/* An image's outcome, or in a plan what would be done; borrowed. */
	void (*item)(void *user, const json_t *item);
	/* At most twice a second; more: {"rate","images","failed","streams":[..]}. */
	void (*progress)(void *user, uint64_t done_bytes, uint64_t total_bytes, const char *stage,
			 const json_t *more);
	/* Rates that are shared with other runs (NULL: there are none). How many bytes may be
	 * moved at once (UINT64_MAX: any number), and that so many were; after a 0
	 * transfer_wake says that there are more. */
	uint64_t (*leased)(void *user, enum transfer_rate rate);
	void (*spend)(void *user, enum transfer_rate rate, uint64_t byte_count);
	/* Before a big blob is sent: asks whether another run is sending it to that target
	 * (NULL: nobody is asked); transfer_claimed is the answer. What was given is released:
	 * the blob is there in that repository; or, NULL, it was not sent. */
	void (*claim)(void *user, const char *digest);
	void (*release)(void *user, const char *digest, const char *repository);
	/* Something that a person should know of the run; optional. */
	void (*say)(void *user, const char *text);
	void *user;
};

struct transfer;
/* Everything in settings and the rule are borrowed until transfer_free. */
MUST_USE int transfer_new(const struct rule *rule, const struct transfer_settings *settings,
			  struct transfer **ret, struct berth_error *err);
void transfer_free(struct transfer *t);
SCOPE_TYPE(transfer, struct transfer, transfer_free)

/* One repository and where it goes, by their names under /v2/. label_source and
 * label_target are what reports call them (NULL: the same). Two that go to one
 * target are BERTH_E_CONFLICT, naming both. */
MUST_USE int transfer_add_repository(struct transfer *t, const char *source, const char *target,
				     const char *label_source, const char *label_target,
				     struct berth_error *err);

/* Of the repository added last: {TAG: DIGEST} at either end, as its server lists
 * them in bulk, whole; NULL: not known. Such a tag is not asked for again. */
void transfer_know(struct transfer *t, json_t *source_tags, json_t *target_tags);

/* Finds out what is to be done; nothing is written anywhere. An image that
 * can't be read fails alone; the plan as a whole fails only where nothing can be
 * said (cancelled, out of memory). */
MUST_USE int transfer_plan(struct transfer *t, struct berth_error *err);
/* Sends one item for each image of the plan: action copy, tag, present, keep, fail. */
void transfer_report_plan(struct transfer *t);
/* After a plan with settings.verify: sends one item for each image with its state
 * same, missing, different, incomplete or failed (it could not be compared) and
 * the first differences. {"images","same","missing",...}; new. */
json_t *transfer_report_verify(struct transfer *t) MUST_USE;
/* Does what was planned. Each image's outcome is an item when it is known.
 * An error only where the run as a whole ended (cancelled, out of memory): the
 * images' own errors are in their items and in the totals. */
MUST_USE int transfer_run(struct transfer *t, struct berth_error *err);
/* The same of several runs with one fan at once; an error ends all of them. Whether to
 * go on is asked of the first one's settings. */
MUST_USE int transfer_run_all(struct transfer *const *list, size_t count, struct berth_error *err);
/* Streams that wait for bytes of a shared rate try again. */
void transfer_wake(struct transfer *t);
/* So many runs, this one among them, are at either registry: the requests in flight that
 * it may have are shared out evenly. */
void transfer_share(struct transfer *t, unsigned at_source, unsigned at_target);
/* What became of a claim: "yours", "wait" (another answer follows), or "there" in a
 * repository of the target. From within cancelled, or between two rounds of the loop. */
void transfer_claimed(struct transfer *t, const char *digest, const char *state,
		      const char *repository);
/* {"images","copied","present","kept","failed","skipped","blobs","bytes",
 *  "mounts","requests","bytes_done","blobs_done","mounts_done",...}; new. */
json_t *transfer_totals(const struct transfer *t) MUST_USE;

#endif
