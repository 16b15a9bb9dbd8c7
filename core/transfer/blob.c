/* SPDX-License-Identifier: Apache-2.0 */
/* Blobs over the whole run: each is sent to one repository of the target, its
 * leader, and mounted from there into the others. Where a repository has it
 * already, that one leads. A leader that fails hands over to the next.
 */
#include <stdlib.h>

#include "core/base/log.h"
#include "core/base/text.h"
#include "core/transfer/parts.h"

void place_present(struct transfer *t, struct place *p)
{
	struct vec waiters = p->waiters;
	p->waiters = (struct vec){0};
	p->state = PLACE_PRESENT;
	if (!p->blob->home)
		p->blob->home = p->pair->target;
	for (size_t i = 0; i < waiters.count; i++)
		node_ready(t, waiters.items[i]);
	vec_done(&waiters);
}

void place_failed(struct transfer *t, struct place *p, struct fault *why)
{
	p->state = PLACE_FAILED;
	p->why = why;
	for (size_t i = 0; i < p->waiters.count; i++)
		node_fail(t, p->waiters.items[i], why);
}

bool blob_size_is_wrong(const struct registry_request *q, int64_t byte_count)
{
	const char *text = registry_header(q, "Content-Length");
	int64_t given;
	return text && text_parse_i64(text, 0, INT64_MAX, &given) && given != byte_count;
}

int blob_prepare_head(struct op *op, struct registry_call *call, struct berth_error *err)
{
	static const unsigned short absent[] = {404, 0};
	struct place *p = op->object;
	op_ask(op, call, "HEAD", p->pair);
	call->accept_status = absent;
	call->follow = true;
	return op_object(op, call, "blobs", &p->digest, err);
}

static void finish_head(struct op *op, const struct berth_error *err)
{
	struct place *p = op->object;
	struct berth_error mine = *err;
	if (is_no_head(&mine) && !op->run->set.verify) {
		p->state = PLACE_ABSENT; /* not known: sending it again does no harm */
		return;
	}
	if (mine.code) {
		berth_wrap(&mine, "cannot ask '%.150s' at the target for a blob",
			   p->pair->label_target);
		place_failed(op->run, p, run_fault(op->run, SIDE_TARGET, &mine));
		return;
	}
	bool wrong = blob_size_is_wrong(op->q, p->blob->byte_count);
	bool there = registry_status(op->q) == 200;
	/* What is there with another size is sent again: the digest decides. */
	if (!there || (wrong && !op->run->set.verify)) {
		p->state = PLACE_ABSENT;
	} else {
		p->is_damaged = wrong;
		place_present(op->run, p);
	}
}

void place_ask(struct transfer *t, struct place *p)
{
	if (p->state != PLACE_UNKNOWN)
		return;
	if (p->pair->target_new) {
		p->state = PLACE_ABSENT;
		return;
	}
	p->state = PLACE_ASKED;
	op_add(t, SIDE_TARGET, p, blob_prepare_head, finish_head);
}

static const unsigned short gone[] = {404, 405, 416, 0};

static int prepare_session(struct op *op, struct registry_call *call, const char *method)
{
	const struct pair *p = op->object;
	op_ask(op, call, method, p);
	call->accept_status = gone;
	return 0;
}

static int prepare_cancel(struct op *op, struct registry_call *call, struct berth_error *err)
{
	(void)err;
	return prepare_session(op, call, "DELETE");
}

static int prepare_where(struct op *op, struct registry_call *call, struct berth_error *err)
{
	(void)err;
	return prepare_session(op, call, "GET");
}

static void finish_cancel(struct op *op, const struct berth_error *err);

/* distribution 3 refuses to cancel what was cut, but by the address that it gives
 * when it is asked how far the upload is. 2.8 refuses to say that, too (404): what was cut
 * after its first bytes stays until the registry purges it. */
static void finish_where(struct op *op, const struct berth_error *err)
{
	struct berth_error none = ERROR_INIT;
	char *url = NULL;
	if (err->code || registry_status(op->q) > 299 || registry_location(op->q, &url, &none))
		return;
	free(op->path);
	op->path = url;
	op_again(op, prepare_cancel, finish_cancel);
}

static void finish_cancel(struct op *op, const struct berth_error *err)
{
	if (err->code == BERTH_E_UNAVAILABLE && !op->step++)
		op_again(op, prepare_cancel, finish_cancel);
	else if (err->code) /* the registry forgets it by itself, later */
		log_debug("cannot cancel an upload: %s: %s", err->message, err->cause);
	else if (registry_status(op->q) > 299 && !op->step++)
		op_again(op, prepare_where, finish_where);
}

void session_cancel(struct transfer *t, struct pair *p, char *take_session)
{
	struct op *op = op_add(t, SIDE_TARGET, p, prepare_cancel, finish_cancel);
	if (!op) {
		free(take_session);
		return;
	}
	op->path = take_session;
	op->cleanup = true;
}

void node_account(struct node *n, uint64_t bytes, unsigned mounts, unsigned attempts)
{
	for (; n; n = n->parents.count ? n->parents.items[0] : NULL) {
		n->sent_bytes += bytes;
		n->mounts += mounts;
		n->attempts = attempts > n->attempts ? attempts : n->attempts;
	}
}

static int prepare_mount(struct op *op, struct registry_call *call, struct berth_error *err)
{
	struct place *p = op->object;
	char digest[DIGEST_TEXT_ROOM];
	digest_format(&p->digest, digest);
	op_ask(op, call, "POST", p->pair);
	call->mount_from = p->blob->home;
	call->body = "";
	call->once = true; /* a second answer would leave the first session open */
	return op_path(op, err, "/v2/%s/blobs/uploads/?mount=%s&from=%s", p->pair->target, digest,
		       p->blob->home);
}

/* 201: there. 202: refused, and a session is open for the upload. Any other
 * answer: try the plain way, which has its own errors. */
static void finish_mount(struct op *op, const struct berth_error *err)
{
	struct place *p = op->object;
	struct transfer *t = op->run;
	struct berth_error none = ERROR_INIT;
	if (!err->code && registry_status(op->q) == 201) {
		t->done_mounts++;
		p->by_us = true;
		if (p->waiters.count)
			node_account(p->waiters.items[0], 0, 1, 1);
		place_present(t, p);
		return;
	}
	if (!err->code && registry_location(op->q, &p->session, &none))
		p->session = NULL;
	if (t->ended) {
		if (p->session)
			session_cancel(t, p->pair, STEAL(p->session));
		return;
	}
	t->total_bytes += (uint64_t)p->blob->byte_count;
	t->total_blobs++;
	p->state = PLACE_MOVING;
	vec_add(t, &t->ready, p);
}

bool place_is_wanted(const struct place *p)
{
	for (size_t i = 0; i < p->waiters.count; i++)
		if (((struct node *)p->waiters.items[i])->state != NODE_FAILED)
			return true;
	return false;
}

void place_leave(struct transfer *t, struct place *p)
{
	if (p->session)
		session_cancel(t, p->pair, STEAL(p->session));
	p->state = PLACE_ABSENT;
	p->blob->led = false;
	blob_start(t, p->blob);
}

void blob_start(struct transfer *t, struct blob *b)
{
	bool same = t->sides[SIDE_SOURCE].registry == t->sides[SIDE_TARGET].registry;
	if (!b->home && same && b->places)
		b->home = b->places->pair->source;
	for (struct place *p = b->places; p; p = p->next_of_blob) {
		if (p->state != PLACE_ABSENT || !place_is_wanted(p))
			continue;
		if (b->home) {
			p->state = PLACE_MOUNTING;
			struct op *op = op_add(t, SIDE_TARGET, p, prepare_mount, finish_mount);
			if (op)
				op->awaited = true;
		} else if (!b->led) {
			b->led = true;
			p->state = PLACE_MOVING;
			b->turn = vec_add(t, &t->ready, p) ? t->ready.count : 0;
			return;
		}
	}
}
