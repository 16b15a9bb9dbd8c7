/* SPDX-License-Identifier: Apache-2.0 */
/* What one run knows, shared by the parts of the copy engine and nobody else.
 *
 *	pair      a source repository and its target
 *	image     a tag (or digest) to be put at a target
 *	doc       a manifest's bytes, by digest, read once over the whole run
 *	node      a manifest in one target repository; children, blobs, parents
 *	blob      a layer or config by digest, sent once over the whole run
 *	place     a blob in one target repository
 *	op        one request that waits for or has a slot of its registry
 *	move      one blob on its way, with a slot at both ends
 *
 * Everything lives until transfer_free. Readiness is counted: a node waits for
 * its places and children, an image for its node; whoever ends tells those that
 * wait. A failure travels the same way and stops at what does not need it.
 */
#ifndef CORE_TRANSFER_RUN_H
#define CORE_TRANSFER_RUN_H

#include "core/base/limit.h"
#include "core/oci/link.h"
#include "core/oci/media.h"
#include "core/transfer/engine.h"
#include "core/transfer/ring.h"
#include "core/transfer/window.h"

struct vec {
	void **items;
	size_t count, room;
};

/* An error that several may share; owned by the run. */
struct fault {
	struct fault *next;
	int side; /* where it arose */
	struct berth_error err;
};
enum { SIDE_SOURCE, SIDE_TARGET, SIDE_NEITHER };
enum side_api { API_UNKNOWN, API_ASKED, API_NO, API_YES };

struct lane {
	unsigned in_flight;
	struct window window; /* how many that may be */
};
struct side {
	struct registry *registry;
	uint32_t flags;
	struct lane own, *lane;  /* both sides share one lane where they share a registry */
	struct op *first, *last; /* waiting */
	uint64_t retries_seen;   /* requests that the registry's client repeated by itself */
	enum side_api referrers; /* source: has the API; target: answers OCI-Subject */
};

struct pair {
	char *source, *target; /* under /v2/ */
	char *label_source, *label_target;
	struct vec companion_tags;            /* of the source, sorted: sha256-... */
	struct vec target_tags;               /* sorted */
	bool target_listed;                   /* target_tags is the whole truth */
	bool target_new;                      /* nothing is there: nothing needs asking */
	bool is_proved;                       /* one of its tags has been read back whole */
	bool is_found_read;                   /* closure.c: so has one that was found there */
	bool is_blob_proved, is_child_proved; /* prove.c: one of each is enough */
	unsigned listing;                     /* lists on their way */
	struct vec source_tags;               /* while listing */
	json_t *known[2];     /* by side: {TAG: DIGEST} of a bulk listing, or NULL */
	void *nodes, *places; /* trees by digest */
	struct fault *why;    /* its lists failed */
	struct fault *odd;    /* the source lists what is no tag; NULL: it does not */
};

/* One token for all that is asked of a target repository, reads included. */
#define TARGET_RIGHTS (REGISTRY_PULL | REGISTRY_PUSH)

/* What a manifest refers to. */
struct need {
	struct digest digest;
	int64_t byte_count;
	char *media_type; /* of a manifest; NULL: a blob */
	bool is_manifest;
};
enum doc_state { DOC_UNREAD, DOC_READING, DOC_READ, DOC_FAILED };
struct doc {
	struct digest digest; /* first: the key */
	enum doc_state state;
	struct pair *pair; /* whose source repository has it */
	char *media_type;
	char *bytes;    /* NULL: not kept, read again when needed; from bytes_new */
	bool is_shared; /* the bytes are an earlier run's, too, and counted there */
	size_t byte_count;
	bool pinned;           /* made here: the source does not have it */
	const char *said_type; /* what indexes say of it; NULL: none spoke of it */
	int64_t said_bytes;
	struct need *needs; /* children and blobs, each once */
	size_t need_count;
	unsigned users;     /* requests that send bytes just now */
	struct vec waiters; /* nodes that need what is in it */
	struct fault *why;
};

enum node_state {
	NODE_NEW,
	NODE_ASKED,   /* is it at the target? */
	NODE_READING, /* its manifest is on the way */
	NODE_WAITING, /* for children, blobs, a subject */
	NODE_PUTTING,
	NODE_PUT,      /* at the target; companions may follow */
	NODE_COMPLETE, /* with all that refers to it */
	NODE_FAILED
};
struct node {
	struct digest digest; /* first: the key */
	enum node_state state;
	struct doc *doc;
	struct pair *pair;
	unsigned depth;        /* below an index */
	unsigned level;        /* a referrer, a referrer of a referrer, ... */
	unsigned pending;      /* places, children and subjects that are awaited */
	unsigned companions;   /* images that must be there before a tag of this */
	bool is_there;         /* found at the target, not put by us */
	struct vec parents;    /* nodes */
	struct vec images;     /* that are this node under a tag */
	unsigned tags_pending; /* PUTs of its tags that are not answered */
	struct back *back;     /* back.c: NULL unless a list shows some of its tags */
	struct vec gated;      /* nodes that must not be put before this one */
	unsigned proofs;       /* prove.c: under way */
	struct node *lists;    /* it is the list of what refers to this node */
	json_t *found;         /* what the referrers API said so far */
	bool is_searched;      /* found is all of it */
	uint64_t sent_bytes;
	unsigned mounts;
	unsigned attempts; /* the most that one of its blobs took */
	struct fault *why;
};

enum place_state {
	PLACE_UNKNOWN,
	PLACE_ASKED,
	PLACE_ABSENT,
	PLACE_CLAIMING, /* is another run sending the blob? */
	PLACE_MOUNTING,
	PLACE_MOVING,
	PLACE_PRESENT,
	PLACE_FAILED
};
enum proof { PROOF_NONE, PROOF_ASKED, PROOF_DONE };
struct place {
	struct digest digest; /* first: the key */
	enum place_state state;
	struct blob *blob;
	struct pair *pair;
	struct place *next_of_blob;
	struct vec waiters; /* nodes */
	bool by_us;         /* sent or mounted, not found */
	enum proof proof;
	bool is_damaged; /* verify: there, with another size */
	char *session;   /* an upload that a refused mount opened */
	struct fault *why;
};
struct blob {
	struct digest digest; /* first: the key */
	int64_t byte_count;
	struct place *places, *last_place;
	const char *home;     /* a repository of the target that has it; NULL: none known */
	bool led;             /* a leader is moving it */
	size_t turn;          /* its leader is so far in the run's ready, from 1; 0: it is not */
	char *foreign_home;   /* where another run put it: home then */
	struct place *asking; /* it is claimed for this place; NULL: it is not */
	bool is_waiting;      /* another run has the claim */
	bool is_ours;         /* we have it, and release it */
	bool is_settled;      /* nobody is asked any more */
};

enum image_state {
	IMAGE_WAITING,
	IMAGE_COPIED,
	IMAGE_PRESENT,
	IMAGE_KEPT,
	IMAGE_FAILED,
	IMAGE_SKIPPED
};
struct image {
	enum image_state state;
	struct pair *pair;
	char *source_tag;                           /* a tag or digest; NULL: made here */
	char *target_tag;                           /* NULL: by digest alone */
	struct digest source_digest, target_digest; /* algorithm 0: not known, or absent */
	unsigned asking;
	bool is_pending;  /* counted in root->tags_pending */
	bool is_put;      /* to be read back */
	bool is_said;     /* the answer to its PUT named its digest */
	bool is_sent;     /* its PUT was begun: the target may have it */
	bool is_there;    /* some manifest has the target tag */
	bool merges;      /* a list of referrers: united with the target's own */
	bool is_unlisted; /* verify: not all of a list is found at the target */
	struct node *root;
	struct node *subject;   /* it is a companion of this node */
	char *body, *body_type; /* united bytes, else the root's */
	size_t body_byte_count;
	uint64_t bytes;
	unsigned attempts;
	struct fault *why;
};

/* A request in its registry's queue. prepare fills the call when there is a slot
 * for it; finish gets the answer; the op is freed after it. */
struct op {
	struct op *next, *previous; /* queued, or active */
	struct transfer *run;
	struct side *side;
	void *object;
	int (*prepare)(struct op *op, struct registry_call *call, struct berth_error *err);
	void (*finish)(struct op *op, const struct berth_error *err);
	struct registry_request *q;
	char *path;
	uint64_t began_ms;
	uint32_t waited_ms; /* in pauses that 429s asked for */
	unsigned tries;     /* that ended with one, and not for want of room */
	unsigned looks;     /* at what was just stored, and was not there */
	unsigned step;      /* pages read so far, or what else prepare and finish count */
	struct trail trail;
	bool again;   /* finish queued it once more */
	bool plain;   /* a list without our page size, which the server refused */
	bool awaited; /* opens an upload or puts an image: once started, seen to its end */
	bool cleanup; /* closes one: done even after a cancel */
};

struct move;
struct transfer {
	const struct rule *rule;
	struct transfer_settings set;
	struct side sides[2];
	struct vec pairs, images, places_ordered, nodes_ordered, probing;
	void *docs, *blobs; /* trees by digest */
	struct node *probe; /* asked first whether the source has a referrers API */
	struct op *active;
	struct move *moves;   /* on their way */
	struct move *line[2]; /* whose turn it is to be woken, by side; NULL: the first one's */
	unsigned move_count;
	unsigned moves_waiting; /* of them, for slots after a pause */
	struct vec ready;       /* places to be moved, in order */
	size_t ready_next;
	size_t promoted;    /* so many of those that come next were put there for others */
	struct fan *fan;    /* of several runs; NULL: alone */
	bool goes_alone;    /* it made others of the fan wait for too long */
	struct vec granted; /* of these, whose claim was given */
	size_t granted_next;
	unsigned claims_asked, claims_open; /* not answered; these and those that wait */
	struct net_timer *claim_timer;      /* keeps the loop going while one waits */
	struct pool pool;
	struct limit own_limit[RATES], *limit; /* the rule's, by rate; those of a fan's first run */
	struct net_timer *limit_timer;         /* streams wait for a rate */
	uint64_t limit_due_ms;                 /* when it fires */
	struct journal *journal;               /* of open uploads; NULL: none is kept */
	bool is_interrupted;                   /* the run ends here to be taken up again */
	size_t cached_bytes;
	unsigned proofs_left; /* blobs that may still be asked for to prove them */
	bool moving;          /* the plan is made: what is ready may be written */
	bool closing;         /* nothing new is started but clean-ups */
	uint64_t close_at_ms; /* until when clean-ups may take */
	int ended;            /* code that ends the run, or 0 */
	struct berth_error end_err;
	struct fault *faults;
	const char *stage;
	uint64_t total_bytes, done_bytes, flying_bytes;
	uint64_t total_mounts, done_mounts, total_blobs, done_blobs, estimated_requests;
	uint64_t progress_at_ms, rate_at_ms, rate_bytes, rate;
};

/* model.c: lookups that make what is missing; NULL ends the run (no memory). */
bool vec_add(struct transfer *t, struct vec *l, void *item);
void vec_done(struct vec *l);
struct doc *run_doc(struct transfer *t, struct pair *p, const struct digest *d);
struct node *run_node(struct transfer *t, struct pair *p, const struct digest *d);
struct place *run_place(struct transfer *t, struct pair *p, const struct digest *d,
			int64_t byte_count);
struct doc *run_find_doc(struct transfer *t, const struct digest *d);   /* NULL: none */
struct blob *run_find_blob(struct transfer *t, const struct digest *d); /* NULL: none */
struct image *run_image(struct transfer *t, struct pair *p, const char *source_tag,
			const char *target_tag);
struct fault *run_fault(struct transfer *t, int side, const struct berth_error *err);
void run_abort(struct transfer *t, const struct berth_error *err); /* ends the run */
void run_free_model(struct transfer *t);

/* Bytes that several docs may have: each one drops them. NULL: no memory. */
char *bytes_new(size_t byte_count) MUST_USE;
char *bytes_share(char *bytes) MUST_USE;
void bytes_drop(char *bytes); /* accepts NULL */

#endif
