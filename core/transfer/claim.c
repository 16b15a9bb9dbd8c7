/* SPDX-License-Identifier: Apache-2.0 */
/* Blobs that another run may be sending to the same target just now: each big one
 * is claimed through settings.claim before it is sent, when there is a slot for it
 * and not earlier, so that runs that overlap share the work. While another run has
 * it, it takes no slot here; then it is looked for where that run put it, by a mount
 * or in its own repository by HEAD. What is not found there is sent after all.
 */
#include <stdlib.h>
#include <string.h>

#include "core/oci/reference.h"
#include "core/transfer/parts.h"

#define CLAIM_BYTES ((int64_t)1 << 20) /* for less than that a claim costs too much */
#define AWAKE_MS 1000

static void fire_awake(void *user)
{
	struct transfer *t = user;
	t->claim_timer = NULL;
	claim_stay_awake(t);
}

void claim_stay_awake(struct transfer *t)
{
	struct berth_error err = ERROR_INIT;
	if (t->claims_open && !t->claim_timer && !t->ended &&
	    net_timer_start(t->set.loop, AWAKE_MS, fire_awake, t, &t->claim_timer, &err))
		run_abort(t, &err);
}

void place_go(struct transfer *t, struct place *p)
{
	struct blob *b = p->blob;
	char digest[DIGEST_TEXT_ROOM];
	if (!place_is_wanted(p)) {
		place_leave(t, p);
		return;
	}
	if (!t->set.claim || p->session || b->asking || b->is_settled ||
	    b->byte_count < CLAIM_BYTES) {
		move_start(t, p);
		return;
	}
	digest_format(&b->digest, digest);
	p->state = PLACE_CLAIMING;
	b->asking = p;
	t->claims_asked++;
	t->claims_open++;
	claim_stay_awake(t);
	t->set.claim(t->set.user, digest);
}

/* The place that asked; nothing is asked for it any more. */
static struct place *close_claim(struct transfer *t, struct blob *b)
{
	struct place *p = b->asking;
	t->claims_asked -= !b->is_waiting;
	t->claims_open--;
	b->asking = NULL;
	b->is_waiting = false;
	b->is_settled = true;
	return p;
}

/* It was counted as one to be sent. */
static void count_spared(struct transfer *t, const struct blob *b)
{
	t->total_bytes -= (uint64_t)b->byte_count;
	t->total_blobs--;
}

static void finish_look(struct op *op, const struct berth_error *err)
{
	struct place *p = op->object;
	struct transfer *t = op->run;
	struct blob *b = p->blob;
	if (err->code || registry_status(op->q) != 200 ||
	    blob_size_is_wrong(op->q, p->blob->byte_count)) {
		t->total_bytes += (uint64_t)b->byte_count;
		t->total_blobs++;
		p->state = PLACE_MOVING;
		vec_add(t, &t->ready, p);
		return;
	}
	place_present(t, p);
	b->led = false;
	blob_start(t, b);
}

static void look_there(struct transfer *t, struct place *p, const char *repository)
{
	struct blob *b = p->blob;
	struct berth_error err = ERROR_INIT;
	count_spared(t, b);
	if (!strcmp(repository, p->pair->target)) {
		p->state = PLACE_ASKED;
		op_add(t, SIDE_TARGET, p, blob_prepare_head, finish_look);
		return;
	}
	b->foreign_home = strdup(repository);
	if (!b->foreign_home) {
		berth_fail_memory(&err);
		run_abort(t, &err);
		return;
	}
	b->home = b->foreign_home;
	b->led = false;
	p->state = PLACE_ABSENT;
	blob_start(t, b);
}

void transfer_claimed(struct transfer *t, const char *digest, const char *state,
		      const char *repository)
{
	struct berth_error ignored = ERROR_INIT;
	struct digest d;
	struct blob *b = digest_parse(digest, &d, &ignored) ? NULL : run_find_blob(t, &d);
	if (!b || !b->asking || t->ended)
		return;
	if (!strcmp(state, "wait")) {
		t->claims_asked -= !b->is_waiting;
		b->is_waiting = true;
	} else if (!strcmp(state, "there") && repository && reference_is_repository(repository)) {
		look_there(t, close_claim(t, b), repository);
	} else {
		b->is_ours = true;
		vec_add(t, &t->granted, close_claim(t, b));
	}
	run_pump(t);
}

void claim_release(struct transfer *t, struct blob *b, const char *repository)
{
	char digest[DIGEST_TEXT_ROOM];
	if (!b->is_ours)
		return;
	b->is_ours = false;
	b->is_settled = repository != NULL; /* the next leader asks again */
	digest_format(&b->digest, digest);
	t->set.release(t->set.user, digest, repository);
}
