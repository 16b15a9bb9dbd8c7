/* SPDX-License-Identifier: Apache-2.0 */
/* Several runs of one process that copy the same from one source to targets of their
 * own: what is read once for all of them. Two files: fan.c knows the runs and hands on
 * what an earlier plan has read (digests of tags, manifests); hub.c reads blobs.
 *
 * A stream is one GET whose bytes go to a move of each run. It begins when all runs that
 * are to send that blob have come to it, and goes on when all of them have room. A move
 * leaves it when its upload fails, and then reads for itself; so does for the rest of the
 * copy a run that made the others wait for too long. When the source breaks, those that
 * were together meet again where they were.
 *
 * One thread; inside core/transfer only.
 */
#ifndef CORE_TRANSFER_FAN_H
#define CORE_TRANSFER_FAN_H

#include "core/transfer/move.h"

struct stream {
	struct stream *next;
	struct fan *fan;
	struct digest digest;
	int64_t offset;       /* where it begins */
	struct move *members; /* by next_member; the first one pays for what is read */
	struct registry_request *reader;
	bool has_begun; /* nobody is waited for any more */
	bool is_paused;
	uint64_t began_ms;   /* to wait for the others, then to read */
	uint64_t blocked_ms; /* since when it waits for some of its members; 0: it does not */
};

struct fan {
	struct net_loop *loop;
	uint64_t patience_ms;
	struct transfer *runs[TRANSFER_FAN_MAX];
	size_t run_count;
	json_t *tags; /* {REPOSITORY: {TAG: DIGEST}} of the first noted_count runs */
	size_t noted_count;
	json_t *lists; /* {REPOSITORY: [TAG]} of the source */
	size_t listed_count;
	bool is_open;              /* all runs are planned, and begun */
	struct limit limit[RATES]; /* of the rule: transfer.limit */
	struct stream *streams;
	struct net_timer *timer, *pump_timer;
};

/* model.c: the manifest of that source repository as a node; NULL: none. */
const struct node *run_find_node(const struct transfer *t, const char *source,
				 const struct digest *d);

/* fan.c */
void fan_join(struct fan *f, struct transfer *t);
void fan_leave(struct transfer *t);
/* A tag's digest at the source, as an earlier run of the fan found it. */
bool fan_knows_tag(const struct image *i, const struct transfer *t, struct digest *ret);
/* The manifest as an earlier run has it, or NULL. */
struct doc *fan_find_doc(const struct transfer *t, const struct digest *d);
/* The pair's source_tags are whole: later runs take them. */
void fan_note_list(const struct transfer *t, const struct pair *p);
bool fan_knows_list(struct transfer *t, struct pair *p); /* true: they are in source_tags */
/* Has the source a referrers API? As an earlier run found, or API_UNKNOWN. */
enum side_api fan_source_api(const struct transfer *t);
/* All that refers to n's manifest by that API, as an earlier run found it: new, or NULL. */
json_t *fan_find_referrers(const struct transfer *t, const struct node *n);

/* hub.c */
/* Reads for m from m->received on together with others, if there are any: then what
 * comes goes to read_take and read_end of m. False: it reads for itself. */
bool hub_join(struct move *m);
void hub_leave(struct move *m);  /* it needs no more of it */
void hub_get(struct stream *s);  /* what its first bytes need is paid for */
void hub_wake(struct stream *s); /* a member has room again */
void hub_tick(struct fan *f);    /* who is waited for, and for how long? */
void hub_drop(struct fan *f);    /* no run is left */

#endif
