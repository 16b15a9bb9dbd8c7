/* SPDX-License-Identifier: Apache-2.0 */
/* Is what the target says it has there? Registries exist that answer 201 and keep
 * nothing, or 200 to every HEAD. So before a manifest is put some of what it refers to is
 * looked at: one small blob of each repository is read whole, one child of its
 * first index too, and of the blobs that this run put or mounted the first ones are
 * asked for by HEAD, with their size. A small copy is proved as a whole by that, a
 * big one by a sample, and nothing unproved gets a tag.
 */
#include <string.h>

#include "core/transfer/parts.h"

#define READ_MAX_BYTES ((int64_t)1 << 20)

static int check_bytes(const struct op *op, const struct digest *expected, struct berth_error *err)
{
	const struct buf *body = registry_body(op->q);
	struct digest is;
	return doc_check(buf_text(body), body->byte_count, expected, NULL, &is, err);
}

/* Some servers give no length in an answer to HEAD, or 0. */
static int check_head(const struct op *op, const struct place *p, struct berth_error *err)
{
	const char *length = registry_header(op->q, "Content-Length");
	if (registry_status(op->q) != 200)
		return berth_fail_http(err, registry_status(op->q), "HEAD of a blob");
	if (!length || !strcmp(length, "0") || !blob_size_is_wrong(op->q, p->blob->byte_count))
		return 0;
	berth_fail(err, BERTH_E_DIGEST, "it has another size");
	return berth_cause(err, "%.20s bytes in place of %lld", length,
			   (long long)p->blob->byte_count);
}

static void proof_done(struct transfer *t, struct node *n)
{
	if (--n->proofs || n->state != NODE_PUTTING)
		return;
	node_proved(t, n);
}

static int prepare_blob(struct op *op, struct registry_call *call, struct berth_error *err)
{
	const struct place *p = op->object;
	op_ask(op, call, op->step ? "GET" : "HEAD", p->pair);
	call->follow = true;
	return op_object(op, call, "blobs", &p->digest, err);
}

/* Only a server that answered has said that it does not hold what it should. */
static const char *finding(const struct berth_error *err)
{
	bool is_told = err->code == BERTH_E_NOT_FOUND || err->code == BERTH_E_DIGEST;
	return is_told ? "is not there" : "can't be looked at";
}

static void fail_blob(struct transfer *t, struct place *p, struct berth_error *err)
{
	berth_wrap(err, "cannot read back '%.150s': a blob that the target said it %s %s",
		   p->pair->label_target, p->by_us ? "stored" : "has", finding(err));
	p->pair->is_blob_proved = false;
	place_failed(t, p, run_fault(t, SIDE_TARGET, err));
}

static void finish_blob(struct op *op, const struct berth_error *err)
{
	struct place *p = op->object;
	struct berth_error mine = *err;
	bool no_head = !op->step && mine.code == BERTH_E_UNSUPPORTED;
	if (p->by_us && op_look_again(op, &mine))
		return;
	if (!mine.code && op->step)
		(void)check_bytes(op, &p->digest, &mine);
	else if (!mine.code)
		(void)check_head(op, p, &mine);
	if (mine.code && !no_head) {
		fail_blob(op->run, p, &mine);
		return;
	}
	struct vec waiters = p->waiters;
	p->waiters = (struct vec){0};
	p->proof = PROOF_DONE;
	for (size_t i = 0; i < waiters.count; i++)
		proof_done(op->run, waiters.items[i]);
	vec_done(&waiters);
}

static void ask_blob(struct transfer *t, struct node *n, struct place *p, bool reads)
{
	if (!vec_add(t, &p->waiters, n))
		return;
	n->proofs++;
	if (p->proof == PROOF_ASKED)
		return;
	p->proof = PROOF_ASKED;
	struct op *op = op_add(t, SIDE_TARGET, p, prepare_blob, finish_blob);
	if (op)
		op->step = reads;
}

/* The blob of n that is read whole; NULL: none is, or none is small enough. */
static struct place *smallest_blob(struct transfer *t, const struct node *n)
{
	struct place *found = NULL;
	for (size_t i = 0; i < n->doc->need_count && !n->pair->is_blob_proved; i++) {
		const struct need *need = &n->doc->needs[i];
		struct place *p = need->is_manifest
					  ? NULL
					  : run_place(t, n->pair, &need->digest, need->byte_count);
		if (p && p->proof == PROOF_NONE && need->byte_count <= READ_MAX_BYTES &&
		    (!found || need->byte_count < found->blob->byte_count))
			found = p;
	}
	return found;
}

static void prove_blobs(struct transfer *t, struct node *n)
{
	struct place *read = smallest_blob(t, n);
	for (size_t i = 0; i < n->doc->need_count && n->state != NODE_FAILED; i++) {
		const struct need *need = &n->doc->needs[i];
		struct place *p = need->is_manifest
					  ? NULL
					  : run_place(t, n->pair, &need->digest, need->byte_count);
		if (!p || p->proof == PROOF_DONE)
			continue;
		if (p->state == PLACE_FAILED) {
			node_fail(t, n, p->why);
		} else if (p == read || p->proof == PROOF_ASKED) {
			n->pair->is_blob_proved |= p == read;
			ask_blob(t, n, p, true);
		} else if (p->by_us && t->proofs_left) {
			t->proofs_left--;
			ask_blob(t, n, p, false);
		}
	}
}

/* --- one child of an index --- */

static const struct node *child_to_read(struct transfer *t, const struct node *n)
{
	const struct node *first = NULL;
	for (size_t i = 0; i < n->doc->need_count && n->doc->needs[i].is_manifest; i++) {
		const struct node *child = run_node(t, n->pair, &n->doc->needs[i].digest);
		if (child && child->is_there)
			return child; /* it was not put by us: a HEAD said so */
		first = first ? first : child;
	}
	return first;
}

static int prepare_child(struct op *op, struct registry_call *call, struct berth_error *err)
{
	const struct node *n = op->object;
	const struct node *child = child_to_read(op->run, n);
	op_ask(op, call, "GET", n->pair);
	call->accept = MEDIA_ACCEPT;
	return child ? op_object(op, call, "manifests", &child->digest, err)
		     : berth_fail_memory(err);
}

static void finish_child(struct op *op, const struct berth_error *err)
{
	struct node *n = op->object;
	const struct node *child = child_to_read(op->run, n);
	struct berth_error mine = *err;
	if (op_look_again(op, &mine))
		return;
	if (!mine.code && child && !check_bytes(op, &child->digest, &mine)) {
		proof_done(op->run, n);
		return;
	}
	berth_wrap(&mine, "cannot read back '%.150s': a manifest that the target said it has %s",
		   n->pair->label_target, finding(&mine));
	n->pair->is_child_proved = false;
	node_fail(op->run, n, run_fault(op->run, SIDE_TARGET, &mine));
}

bool node_prove(struct transfer *t, struct node *n)
{
	bool has_children = n->doc->need_count && n->doc->needs[0].is_manifest;
	n->proofs = 1; /* until all are asked for */
	prove_blobs(t, n);
	if (has_children && !n->lists && !n->pair->is_child_proved && n->state != NODE_FAILED) {
		n->pair->is_child_proved = true;
		n->proofs++;
		op_add(t, SIDE_TARGET, n, prepare_child, finish_child);
	}
	return --n->proofs || n->state != NODE_PUTTING;
}
