/* SPDX-License-Identifier: Apache-2.0 */
/* What the parts of the copy engine ask of each other, by file. Inside
 * core/transfer only; the data they share is in run.h.
 */
#ifndef CORE_TRANSFER_PARTS_H
#define CORE_TRANSFER_PARTS_H

#include "core/transfer/run.h"

/* lane.c: what answers say of their registry. */
/* One came to what began at began_ms and still has its slot. true: it was a 429 that
 * came of too many at once; the same may be asked again, and is no failure. */
bool lane_answered(struct side *s, const struct berth_error *err, uint64_t began_ms);
bool lane_has_slot(const struct lane *l);
/* After a 429 (is_free: of too many at once): may op wait and ask again? Shortens
 * err->retry_ms to what it may wait. */
bool op_may_wait(struct op *op, bool is_free, struct berth_error *err);

/* sched.c: ops, the slots of the registries, and the loop. */
typedef int op_prepare(struct op *op, struct registry_call *call, struct berth_error *err);
typedef void op_finish(struct op *op, const struct berth_error *err);
/* Queues a request; NULL without memory, and the run ends. */
struct op *op_add(struct transfer *t, int side, void *object, op_prepare *prepare,
		  op_finish *finish);
/* Sets op->path by printf; 0 or BERTH_E_NO_MEMORY. */
int op_path(struct op *op, struct berth_error *err, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* Frames a request to the pair's repository at the op's side, with the rights that
 * everything needs there. */
void op_ask(struct op *op, struct registry_call *call, const char *method, const struct pair *p);
/* The server answered a HEAD with what says nothing of the object (405, 403 of a filter
 * before it, 500): GET is asked, or nothing is known. */
bool is_no_head(const struct berth_error *err);
/* Sets op->path to the manifest, blob or referrers (kind) of a digest in the call's
 * repository; 0 or BERTH_E_NO_MEMORY. */
int op_object(struct op *op, const struct registry_call *call, const char *kind,
	      const struct digest *d, struct berth_error *err);
/* op->path becomes the next page of a list, taken from *next; op->step counts the
 * pages. BERTH_E_PROTOCOL and BERTH_E_LIMIT: the list is not whole. */
MUST_USE int op_turn_page(struct op *op, char **next, unsigned page_max, struct berth_error *err);
/* The same op once more, with another prepare or finish; from finish only. */
void op_again(struct op *op, op_prepare *prepare, op_finish *finish);
/* True: what was just stored is not there yet, and is asked for again after a pause:
 * servers that are several machines know it a moment later. From finish only. */
bool op_look_again(struct op *op, const struct berth_error *err);
void run_pump(struct transfer *t); /* starts what has slots */
/* Is there a slot at both ends for a move (two where both ends are one)? */
bool run_has_slots(const struct transfer *t);
/* Turns the loop until all runs are quiet, or one is cancelled or ended: then all are. */
MUST_USE int run_turns(struct transfer *const *list, size_t count, struct berth_error *err);
/* After an early end: leaves no upload session open, and asks for the images whose
 * PUT was under way; each within cleanup_ms. */
void run_close(struct transfer *const *list, size_t count);
/* Drops what waits and is under way, but for clean-ups unless all is set. */
void run_drop_ops(struct transfer *t, bool all);

/* prove.c: looks at some of what n refers to. True: node_proved follows, or n has
 * failed. */
bool node_prove(struct transfer *t, struct node *n);

/* verify.c: with settings.verify. */
/* Both digests of i are known, and its root. */
void verify_decide(struct transfer *t, struct image *i);

/* report.c */
/* A fault as items show it: an error, and the integration where it arose; new. */
json_t *fault_shown(const struct pair *p, const struct fault *f) MUST_USE;
/* An image as an item, with key: value in its more; new. */
json_t *report_item(const struct image *i, const char *key, const char *value) MUST_USE;
void report_image(struct transfer *t, const struct image *i);
void report_progress(struct transfer *t, bool now);

/* resolve.c: what the rule's tags are at both ends. */
void pair_start(struct transfer *t, struct pair *p);
void image_start(struct transfer *t, struct image *i);
void image_fail(struct transfer *t, struct image *i, struct fault *why);
void image_end(struct transfer *t, struct image *i, enum image_state state);
/* Sorts tags and keeps each once: servers list some twice. */
void tags_sort(struct vec *tags);
/* Says whether tags, sorted, has the tag. */
bool tags_have(const struct vec *tags, const char *tag);
/* Adds what a page of p's tags has. ret_more: op->path is the next one, within page_max. */
int tags_take_page(struct op *op, struct pair *p, struct vec *to, unsigned page_max, bool *ret_more,
		   struct berth_error *err);

/* platforms.c: makes an index of the wanted platforms out of m, if it is an index
 * with others in it; *digest is then that one's. */
MUST_USE int platforms_choose(struct transfer *t, struct doc *m, struct digest *digest,
			      struct berth_error *err);

/* closure.c: manifests, what they need, and whether the target has it. */
/* Keeps the bytes of a manifest that hash to m->digest and reads what is in it. */
void doc_store(struct transfer *t, struct doc *m, const char *media_type, const char *bytes,
	       size_t byte_count);
/* Asks for a manifest by its digest, where its bytes come from. */
int doc_ask(struct op *op, struct registry_call *call, const struct doc *m,
	    struct berth_error *err);
void node_open(struct transfer *t, struct node *n);
void node_fail(struct transfer *t, struct node *n, struct fault *why);
/* Checks bytes against what was promised; both may have no digest (algorithm 0). */
MUST_USE int doc_check(const char *bytes, size_t byte_count, const struct digest *expected,
		       const char *header, struct digest *ret, struct berth_error *err);

/* referrers.c: what refers to a manifest, and the lists of it. */
void node_companions(struct transfer *t, struct node *n);
/* Ties a companion's root to its subject. */
void companion_root(struct transfer *t, struct image *i);
/* A list of referrers goes to a target that may have the referrers API: then what
 * it lists is there and listed already, and its tag is not needed. */
void companion_list_put(struct transfer *t, struct image *i);
/* n is put only after its subject. */
void companion_gate(struct transfer *t, struct node *n, struct node *subject);
/* Unites the list of i with the target's own: sets i->body where they differ.
 * ret_same: the target's has it all. */
MUST_USE int companion_unite(struct transfer *t, struct image *i, const char *bytes,
			     size_t byte_count, bool *ret_same, struct berth_error *err);

/* blob.c: blobs: looked for, mounted, moved. */
op_prepare blob_prepare_head; /* of a place: is it there? 404 is an answer */
/* Does an answer to HEAD give another size? */
bool blob_size_is_wrong(const struct registry_request *q, int64_t byte_count);
/* Does an image that has not failed need it? */
bool place_is_wanted(const struct place *p);
/* Nobody needs it any more: another repository may lead its blob. */
void place_leave(struct transfer *t, struct place *p);
void place_ask(struct transfer *t, struct place *p);
void blob_start(struct transfer *t, struct blob *b);
void place_failed(struct transfer *t, struct place *p, struct fault *why);
void place_present(struct transfer *t, struct place *p);

/* Adds to the accounts of n and of what it is a part of. */
void node_account(struct node *n, uint64_t bytes, unsigned mounts, unsigned attempts);
/* Cancels an upload at the target; takes the URL. */
void session_cancel(struct transfer *t, struct pair *p, char *take_session);

/* claim.c: blobs that other runs may be sending, too. */
/* Sends the blob to that place, or asks first whether it may. There is a slot. */
void place_go(struct transfer *t, struct place *p);
/* A blob that we sent is there in that repository; or, NULL, it won't be. */
void claim_release(struct transfer *t, struct blob *b, const char *repository);
void claim_stay_awake(struct transfer *t); /* while claims are open */

/* move.c: one blob streamed from end to end. */
void move_start(struct transfer *t, struct place *p);
/* Ends all that are under way and cancels their upload sessions; with all set
 * also those whose session is not known yet. */
void move_drop_all(struct transfer *t, bool all);
bool move_go_on(struct transfer *t);          /* one that waits for slots, if there are */
void move_tick(struct transfer *t);           /* wakes streams that can go on */
bool move_is_stuck(const struct transfer *t); /* no move has anything under way */
void move_mend(struct transfer *t);           /* ends uploads whose requests could not start */
/* Cancels the uploads that an earlier process left and nobody went on with. */
void move_cancel_old(struct transfer *t);
/* What is on its way: as many as fit a frame; *ret_bytes of all. New. */
json_t *move_streams(const struct transfer *t, uint64_t *ret_bytes) MUST_USE;

/* publish.c: manifests and tags put, in order. */
void node_ready(struct transfer *t, struct node *n);  /* one thing less is awaited */
void node_proved(struct transfer *t, struct node *n); /* what it refers to is there */
void node_begin(struct transfer *t, struct node *n);  /* the plan is made */
bool image_is_present(const struct image *i); /* nothing is to be done for its tag or digest */
void image_put(struct transfer *t, struct image *i); /* its tag, when all else is there */
void node_companion_done(struct transfer *t, struct node *n);
/* Ends it with err, which arose at that side, wrapped in what was tried. */
void image_fail_with(struct transfer *t, int side, struct image *i, struct berth_error *err,
		     const char *what);
/* After an early end: asks the target for the images whose PUT was begun. Those that
 * it has are reported as copied; is_sent stays set where no answer came. */
void publish_look(struct transfer *t);

/* back.c: tags read back. */
void image_settle(struct transfer *t, struct image *i); /* its PUT is over, or there is none */
const struct digest *image_put_digest(const struct image *i); /* what its tag is to name */
op_prepare image_prepare_back; /* the target's tag: HEAD, or GET with op->step */
void back_free(struct back *b);

#endif
