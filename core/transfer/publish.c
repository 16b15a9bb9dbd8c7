/* SPDX-License-Identifier: Apache-2.0 */
/* Manifests and tags at the target, in the only order that never shows half an
 * image: blobs, children, the manifest, what refers to it, its tags. Bytes go as
 * they came. back.c reads them back.
 */
#include <stdlib.h>
#include <string.h>

#include "core/transfer/parts.h"

bool image_is_present(const struct image *i)
{
	if (i->is_there && digest_equal(&i->source_digest, &i->target_digest))
		return true;
	return !i->target_tag && i->root && i->root->is_there;
}

void image_fail_with(struct transfer *t, int side, struct image *i, struct berth_error *err,
		     const char *what)
{
	berth_wrap(err, "%s '%.120s%s%.80s'", what, i->pair->label_target, i->target_tag ? ":" : "",
		   i->target_tag ? i->target_tag : "");
	image_fail(t, i, run_fault(t, side, err));
}

static void node_complete(struct transfer *t, struct node *n)
{
	n->state = NODE_COMPLETE;
	for (size_t i = 0; i < n->parents.count; i++)
		node_ready(t, n->parents.items[i]);
	for (size_t i = 0; i < n->images.count; i++)
		image_put(t, n->images.items[i]);
}

static void node_put_done(struct transfer *t, struct node *n)
{
	struct vec gated = n->gated;
	n->gated = (struct vec){0};
	n->state = NODE_PUT;
	for (size_t i = 0; i < gated.count; i++)
		node_ready(t, gated.items[i]);
	vec_done(&gated);
	if (!n->companions && n->state == NODE_PUT)
		node_complete(t, n);
}

void node_companion_done(struct transfer *t, struct node *n)
{
	n->companions -= n->companions > 0;
	if (t->moving && n->state == NODE_PUT && !n->companions)
		node_complete(t, n);
}

/* Bytes that were not kept are read again, by digest, and checked. */
static int prepare_node_again(struct op *op, struct registry_call *call, struct berth_error *err)
{
	return doc_ask(op, call, ((struct node *)op->object)->doc, err);
}

static int prepare_image_again(struct op *op, struct registry_call *call, struct berth_error *err)
{
	return doc_ask(op, call, ((struct image *)op->object)->root->doc, err);
}

static int keep_again(struct transfer *t, struct doc *m, const struct registry_request *q,
		      struct berth_error *err)
{
	const struct buf *body = registry_body(q);
	struct digest d;
	int r = doc_check(buf_text(body), body->byte_count, &m->digest, NULL, &d, err);
	if (r || m->bytes)
		return r;
	if (!m->media_type) {
		const char *type = registry_header(q, "Content-Type");
		m->media_type = strndup(type ? type : "", type ? strcspn(type, "; ") : 0);
	}
	m->bytes = bytes_new(body->byte_count + 1);
	if (!m->bytes || !m->media_type)
		return berth_fail_memory(err);
	memcpy(m->bytes, buf_text(body), body->byte_count + 1);
	m->byte_count = body->byte_count;
	t->cached_bytes += m->byte_count;
	return 0;
}

/* Bytes beyond the cache's bound are let go once nobody sends them. */
static void doc_release(struct transfer *t, struct doc *m)
{
	m->users--;
	if (m->users || m->pinned || m->is_shared || !m->bytes ||
	    t->cached_bytes <= t->set.cache_bytes)
		return;
	t->cached_bytes -= m->byte_count;
	bytes_drop(m->bytes);
	m->bytes = NULL;
}

/* Images that are this manifest by digest alone: its PUT is theirs. */
static void mark_sent(struct op *op, const struct node *n)
{
	for (size_t k = 0; k < n->images.count; k++) {
		struct image *i = n->images.items[k];
		if (i->target_tag)
			continue;
		i->is_sent = true;
		op->awaited = true;
	}
}

static int prepare_put_node(struct op *op, struct registry_call *call, struct berth_error *err)
{
	struct node *n = op->object;
	mark_sent(op, n);
	op_ask(op, call, "PUT", n->pair);
	call->content_type = n->doc->media_type;
	call->body = n->doc->bytes;
	call->body_byte_count = n->doc->byte_count;
	return op_object(op, call, "manifests", &n->digest, err);
}

/* What a PUT says of the digest must be the digest, where it says anything. */
static int check_put(struct op *op, const struct digest *expected, struct berth_error *err)
{
	const char *header = registry_header(op->q, "Docker-Content-Digest");
	struct digest d;
	if (registry_header(op->q, "OCI-Subject"))
		op->run->sides[SIDE_TARGET].referrers = API_YES;
	if (!header || !*header)
		return 0;
	int r = digest_parse(header, &d, err);
	if (r || d.algorithm != expected->algorithm || digest_equal(&d, expected))
		return r;
	return berth_fail(err, BERTH_E_DIGEST, "the target says that it stored %.100s", header);
}

/* Does the answer to a PUT name that very digest? */
static bool says_digest(const struct op *op, const struct digest *d)
{
	const char *header = registry_header(op->q, "Docker-Content-Digest");
	struct berth_error ignored = ERROR_INIT;
	struct digest said;
	return header && !digest_parse(header, &said, &ignored) && digest_equal(&said, d);
}

/* Registries that say 201 and keep nothing exist: a child has no tag that would be
 * read back, so it is asked for by its digest. */
static int prepare_child_back(struct op *op, struct registry_call *call, struct berth_error *err)
{
	int r = prepare_put_node(op, call, err);
	op->awaited = false;
	call->method = op->step ? "GET" : "HEAD";
	call->body = NULL;
	call->body_byte_count = 0;
	call->content_type = NULL;
	call->accept = MEDIA_ACCEPT;
	return r;
}

static void end_put_node(struct op *op, struct berth_error *err)
{
	struct node *n = op->object;
	if (n->state == NODE_FAILED)
		return;
	if (!err->code) {
		node_put_done(op->run, n);
		return;
	}
	berth_wrap(err, "cannot put a manifest into '%.150s'", n->pair->label_target);
	node_fail(op->run, n, run_fault(op->run, SIDE_TARGET, err));
}

/* Its bytes where they were asked for, else what the headers say. */
static int check_child_back(struct op *op, struct berth_error *err)
{
	const struct node *n = op->object;
	const struct buf *body = registry_body(op->q);
	struct digest d;
	if (!op->step)
		return check_put(op, &n->digest, err);
	return doc_check(buf_text(body), body->byte_count, &n->digest, NULL, &d, err);
}

static void finish_child_back(struct op *op, const struct berth_error *err)
{
	struct berth_error mine = *err;
	if (is_no_head(&mine) && !op->step) {
		op->step = 1;
		op_again(op, prepare_child_back, finish_child_back);
		return;
	}
	if (op_look_again(op, &mine))
		return;
	if (mine.code == BERTH_E_NOT_FOUND)
		berth_wrap(&mine,
			   "the target said that it stored a manifest, but does not have it");
	else if (!mine.code)
		check_child_back(op, &mine);
	end_put_node(op, &mine);
}

static void finish_put_node(struct op *op, const struct berth_error *err)
{
	struct node *n = op->object;
	struct berth_error mine = *err;
	if (!mine.code)
		check_put(op, &n->digest, &mine);
	doc_release(op->run, n->doc);
	if (op->run->closing) /* publish_look asks what became of it */
		return;
	if (mine.code)
		end_put_node(op, &mine);
	else
		op_again(op, prepare_child_back, finish_child_back);
}

static void finish_node_bytes(struct op *op, const struct berth_error *err)
{
	struct node *n = op->object;
	struct berth_error mine = *err;
	if (!mine.code)
		keep_again(op->run, n->doc, op->q, &mine);
	if (mine.code) {
		berth_wrap(&mine, "cannot read a manifest of '%.150s' again",
			   n->doc->pair->label_source);
		node_fail(op->run, n, run_fault(op->run, SIDE_SOURCE, &mine));
		return;
	}
	n->doc->users++;
	op->side = &op->run->sides[SIDE_TARGET];
	op_again(op, prepare_put_node, finish_put_node);
}

void node_proved(struct transfer *t, struct node *n)
{
	bool needs_put = n->parents.count || n->companions;
	for (size_t i = 0; i < n->images.count; i++)
		needs_put |= !((struct image *)n->images.items[i])->target_tag;
	if (n->lists)
		needs_put = n->parents.count > 0;
	if (!needs_put) {
		node_put_done(t, n);
	} else if (n->doc->bytes) {
		n->doc->users++;
		op_add(t, SIDE_TARGET, n, prepare_put_node, finish_put_node);
	} else {
		op_add(t, SIDE_SOURCE, n, prepare_node_again, finish_node_bytes);
	}
}

static void node_put(struct transfer *t, struct node *n)
{
	n->state = NODE_PUTTING;
	if (!node_prove(t, n))
		node_proved(t, n);
}

void node_ready(struct transfer *t, struct node *n)
{
	n->pending -= n->pending > 0;
	if (t->moving && n->state == NODE_WAITING && !n->pending)
		node_put(t, n);
}

void node_begin(struct transfer *t, struct node *n)
{
	if (n->state == NODE_WAITING && !n->pending)
		node_put(t, n);
	else if (n->state == NODE_PUT && !n->companions)
		node_complete(t, n);
}

/* --- tags --- */

static int prepare_put_tag(struct op *op, struct registry_call *call, struct berth_error *err)
{
	struct image *i = op->object;
	const struct doc *m = i->root->doc;
	i->is_sent = op->awaited = true;
	op_ask(op, call, "PUT", i->pair);
	call->content_type = i->body ? i->body_type : m->media_type;
	call->body = i->body ? i->body : m->bytes;
	call->body_byte_count = i->body ? i->body_byte_count : m->byte_count;
	return op_path(op, err, "/v2/%s/manifests/%s", i->pair->target, i->target_tag);
}

static void finish_put_tag(struct op *op, const struct berth_error *err)
{
	struct image *i = op->object;
	struct berth_error mine = *err;
	doc_release(op->run, i->root->doc);
	if (op->run->closing)
		return;
	if (!mine.code)
		check_put(op, image_put_digest(i), &mine);
	if (mine.code) {
		image_fail_with(op->run, SIDE_TARGET, i, &mine, "cannot put");
		return;
	}
	i->is_put = true;
	i->is_said = says_digest(op, image_put_digest(i));
	image_settle(op->run, i);
}

static void put_tag(struct op *op)
{
	struct image *i = op->object;
	op->step = 0;
	op->side = &op->run->sides[SIDE_TARGET];
	i->root->doc->users++;
	op_again(op, prepare_put_tag, finish_put_tag);
}

/* What the target's tag is now: kept by a rule that replaces nothing, or a list
 * of referrers to unite with. */
static int prepare_before(struct op *op, struct registry_call *call, struct berth_error *err)
{
	static const unsigned short absent[] = {404, 0};
	const struct image *i = op->object;
	int r = image_prepare_back(op, call, err);
	call->method = i->merges ? "GET" : "HEAD";
	call->accept_status = absent;
	return r;
}

static void finish_before(struct op *op, const struct berth_error *err)
{
	struct image *i = op->object;
	struct berth_error mine = *err;
	bool same = false;
	if (mine.code) {
		image_fail_with(op->run, SIDE_TARGET, i, &mine, "cannot ask for");
		return;
	}
	if (registry_status(op->q) == 404) {
		put_tag(op);
		return;
	}
	if (!i->merges) {
		image_end(op->run, i, IMAGE_KEPT);
		return;
	}
	const struct buf *body = registry_body(op->q);
	int r = companion_unite(op->run, i, buf_text(body), body->byte_count, &same, &mine);
	if (!r && i->body)
		r = digest_of(DIGEST_SHA256, i->body, i->body_byte_count, &i->target_digest, &mine);
	if (r)
		image_fail_with(op->run, SIDE_TARGET, i, &mine, "cannot unite the referrers of");
	else if (same)
		image_end(op->run, i, IMAGE_PRESENT);
	else
		put_tag(op);
}

static bool asks_before(const struct transfer *t, const struct image *i)
{
	if (!i->merges)
		return !t->rule->override && !i->subject;
	return !i->pair->target_new && (i->is_there || !i->pair->target_listed);
}

static void finish_image_bytes(struct op *op, const struct berth_error *err)
{
	struct image *i = op->object;
	struct berth_error mine = *err;
	if (!mine.code)
		keep_again(op->run, i->root->doc, op->q, &mine);
	if (mine.code) {
		image_fail_with(op->run, SIDE_SOURCE, i, &mine, "cannot read again for");
		return;
	}
	if (!asks_before(op->run, i)) {
		put_tag(op);
		return;
	}
	op->side = &op->run->sides[SIDE_TARGET];
	op_again(op, prepare_before, finish_before);
}

/* Its manifest is at the target, with all below it and all that refers to it. */
void image_put(struct transfer *t, struct image *i)
{
	struct doc *m = i->root->doc;
	if (i->state != IMAGE_WAITING)
		return;
	if (image_is_present(i)) {
		image_end(t, i, IMAGE_PRESENT);
		return;
	}
	if (!i->target_tag) {
		image_end(t, i, IMAGE_COPIED);
		return;
	}
	if (i->merges && t->sides[SIDE_TARGET].referrers != API_NO) {
		companion_list_put(t, i);
		return;
	}
	i->is_pending = true;
	i->root->tags_pending++;
	if (!m->bytes) {
		op_add(t, SIDE_SOURCE, i, prepare_image_again, finish_image_bytes);
	} else if (asks_before(t, i)) {
		op_add(t, SIDE_TARGET, i, prepare_before, finish_before);
	} else {
		m->users++;
		op_add(t, SIDE_TARGET, i, prepare_put_tag, finish_put_tag);
	}
}

/* --- after an early end --- */

static int prepare_look(struct op *op, struct registry_call *call, struct berth_error *err)
{
	static const unsigned short absent[] = {404, 0};
	const struct image *i = op->object;
	op_ask(op, call, "HEAD", i->pair);
	call->accept = MEDIA_ACCEPT;
	call->accept_status = absent;
	if (!i->target_tag)
		return op_object(op, call, "manifests", image_put_digest(i), err);
	return op_path(op, err, "/v2/%s/manifests/%s", i->pair->target, i->target_tag);
}

/* Nothing follows from it: what waits for this image is not begun any more. */
static void finish_look(struct op *op, const struct berth_error *err)
{
	struct image *i = op->object;
	struct berth_error mine = *err;
	struct digest d = {0};
	const char *header = mine.code ? NULL : registry_header(op->q, "Docker-Content-Digest");
	if (mine.code)
		return;
	if (registry_status(op->q) == 404) {
		i->is_sent = false;
		return;
	}
	if (!header || !*header || digest_parse(header, &d, &mine))
		return;
	i->is_sent = false;
	if (!digest_equal(&d, image_put_digest(i)))
		return;
	i->state = IMAGE_COPIED;
	report_image(op->run, i);
}

void publish_look(struct transfer *t)
{
	for (size_t n = 0; n < t->images.count; n++) {
		struct image *i = t->images.items[n];
		if (i->state != IMAGE_WAITING || !i->is_sent)
			continue;
		struct op *op = op_add(t, SIDE_TARGET, i, prepare_look, finish_look);
		if (op)
			op->cleanup = true;
	}
}
