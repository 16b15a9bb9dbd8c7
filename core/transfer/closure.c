/* SPDX-License-Identifier: Apache-2.0 */
/* From a manifest to all that it needs: read once by digest over the whole run,
 * checked, and opened in each target repository that is to have it. Where the
 * repository is new nothing is asked there; else one HEAD says whether a whole
 * branch is there already.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "core/oci/manifest.h"
#include "core/transfer/fan.h"

#define DEPTH_MAX 4

int doc_check(const char *bytes, size_t byte_count, const struct digest *expected,
	      const char *header, struct digest *ret, struct berth_error *err)
{
	struct digest promised = {0};
	char was[DIGEST_TEXT_ROOM], is[DIGEST_TEXT_ROOM];
	int r = header && *header ? digest_parse(header, &promised, err) : 0;
	if (r)
		return r;
	const struct digest *want = expected && expected->algorithm ? expected : &promised;
	r = digest_of(want->algorithm ? want->algorithm : DIGEST_SHA256, bytes, byte_count, ret,
		      err);
	if (r)
		return r;
	if (!want->algorithm || digest_equal(want, ret))
		return 0;
	digest_format(want, was);
	digest_format(ret, is);
	berth_fail(err, BERTH_E_DIGEST,
		   "the registry's answer does not have the digest that it "
		   "was asked for or promised");
	return berth_cause(err, "%s was expected, the bytes have %s", was, is);
}

static int add_need(struct doc *m, const struct descriptor *d, bool is_manifest,
		    struct berth_error *err)
{
	struct need need = {.byte_count = d->size, .is_manifest = is_manifest};
	int r = digest_parse(d->digest, &need.digest, err);
	if (r)
		return r;
	for (size_t i = 0; i < m->need_count; i++) {
		if (!digest_equal(&m->needs[i].digest, &need.digest))
			continue;
		if (m->needs[i].byte_count == need.byte_count)
			return 0;
		return berth_fail(err, BERTH_E_INVALID, "it names one digest with two sizes");
	}
	need.media_type = is_manifest ? strdup(d->media_type) : NULL;
	m->needs[m->need_count++] = need;
	return is_manifest && !need.media_type ? berth_fail_memory(err) : 0;
}

/* Layers that are fetched from elsewhere by those who run the image stay there. One that
 * does not say where that is has nothing but the registry. */
static bool is_foreign(const struct descriptor *d)
{
	if (!d->has_urls)
		return false;
	return strstr(d->media_type, ".foreign.") || strstr(d->media_type, ".nondistributable.");
}

static int read_needs(struct doc *m, const struct manifest *parsed, struct berth_error *err)
{
	int r = 0;
	m->needs = calloc(parsed->layer_count + parsed->child_count + 1, sizeof *m->needs);
	if (!m->needs)
		return berth_fail_memory(err);
	for (size_t i = 0; !r && i < parsed->child_count; i++)
		r = add_need(m, &parsed->children[i], true, err);
	if (!r && parsed->config.media_type)
		r = add_need(m, &parsed->config, false, err);
	for (size_t i = 0; !r && i < parsed->layer_count; i++)
		if (!is_foreign(&parsed->layers[i]))
			r = add_need(m, &parsed->layers[i], false, err);
	return r;
}

/* Indexes say a type and a size of their children: all must agree with the bytes. */
static int check_said(const struct doc *m, const char *media_type, int64_t byte_count,
		      struct berth_error *err)
{
	if (!m->said_type)
		return 0;
	if (m->said_bytes != byte_count)
		return berth_fail(err, BERTH_E_PROTOCOL,
				  "an index gives %" PRId64 " bytes for a manifest of %" PRId64,
				  m->said_bytes, byte_count);
	if (!media_equal(m->said_type, media_type))
		return berth_fail(err, BERTH_E_PROTOCOL,
				  "an index calls a manifest %.80s that is %.80s", m->said_type,
				  media_type);
	return 0;
}

static int parse(struct transfer *t, struct doc *m, const char *media_type, const char *bytes,
		 size_t byte_count, struct berth_error *err)
{
	AUTO(manifest) struct manifest *parsed = NULL;
	int r = manifest_parse(bytes, byte_count, media_type, &parsed, err);
	if (!r)
		r = check_said(m, parsed->media_type, (int64_t)byte_count, err);
	if (!r)
		r = read_needs(m, parsed, err);
	if (r)
		return r;
	m->byte_count = byte_count;
	m->media_type = strdup(parsed->media_type);
	if (!m->media_type)
		return berth_fail_memory(err);
	if (m->is_shared)
		return 0;
	if (!m->pinned && !t->rule->platforms && t->cached_bytes + byte_count > t->set.cache_bytes)
		return 0;
	m->bytes = bytes_new(byte_count + 1);
	if (!m->bytes)
		return berth_fail_memory(err);
	memcpy(m->bytes, bytes, byte_count);
	m->bytes[byte_count] = 0;
	t->cached_bytes += byte_count;
	return 0;
}

static void node_expand(struct transfer *t, struct node *n);

/* Tells the nodes that wait for the manifest. */
static void doc_tell(struct transfer *t, struct doc *m)
{
	struct vec waiters = m->waiters;
	m->waiters = (struct vec){0};
	for (size_t i = 0; i < waiters.count; i++) {
		if (m->state == DOC_FAILED)
			node_fail(t, waiters.items[i], m->why);
		else
			node_expand(t, waiters.items[i]);
	}
	vec_done(&waiters);
}

void doc_store(struct transfer *t, struct doc *m, const char *media_type, const char *bytes,
	       size_t byte_count)
{
	struct berth_error err = ERROR_INIT;
	if (m->state == DOC_READ || m->state == DOC_FAILED)
		return;
	m->state = DOC_READ;
	if (parse(t, m, media_type, bytes, byte_count, &err)) {
		m->state = DOC_FAILED;
		m->why = run_fault(t, SIDE_SOURCE, &err);
	}
	doc_tell(t, m);
}

int doc_ask(struct op *op, struct registry_call *call, const struct doc *m, struct berth_error *err)
{
	op_ask(op, call, "GET", m->pair);
	call->accept = MEDIA_ACCEPT;
	call->follow = true;
	return op_object(op, call, "manifests", &m->digest, err);
}

static int prepare_doc(struct op *op, struct registry_call *call, struct berth_error *err)
{
	return doc_ask(op, call, op->object, err);
}

static void finish_doc(struct op *op, const struct berth_error *err)
{
	struct doc *m = op->object;
	struct berth_error mine = *err;
	char digest[DIGEST_TEXT_ROOM];
	if (!mine.code) {
		const struct buf *body = registry_body(op->q);
		struct digest d;
		if (!doc_check(buf_text(body), body->byte_count, &m->digest, NULL, &d, &mine)) {
			doc_store(op->run, m, registry_header(op->q, "Content-Type"),
				  buf_text(body), body->byte_count);
			return;
		}
	}
	digest_format(&m->digest, digest);
	berth_wrap(&mine, "cannot read manifest %.71s of '%.100s'", digest, m->pair->label_source);
	m->state = DOC_FAILED;
	m->why = run_fault(op->run, SIDE_SOURCE, &mine);
	doc_tell(op->run, m);
}

/* What an earlier run of the fan has read is not read again. */
static void take_shared(struct transfer *t, struct doc *m)
{
	const struct doc *other = m->state == DOC_UNREAD ? fan_find_doc(t, &m->digest) : NULL;
	if (!other)
		return;
	m->is_shared = true;
	m->pinned = other->pinned;
	m->bytes = bytes_share(other->bytes);
	doc_store(t, m, other->media_type, m->bytes, other->byte_count);
}

static void node_read(struct transfer *t, struct node *n)
{
	struct doc *m = n->doc;
	n->state = NODE_READING;
	take_shared(t, m);
	if (m->state == DOC_FAILED) {
		node_fail(t, n, m->why);
		return;
	}
	if (m->state == DOC_READ) {
		node_expand(t, n);
		return;
	}
	if (!vec_add(t, &m->waiters, n) || m->state == DOC_READING)
		return;
	m->state = DOC_READING;
	op_add(t, SIDE_SOURCE, m, prepare_doc, finish_doc);
}

static void need_blob(struct transfer *t, struct node *n, const struct need *need)
{
	struct berth_error err = ERROR_INIT;
	struct place *p = run_place(t, n->pair, &need->digest, need->byte_count);
	if (!p)
		return;
	if (p->blob->byte_count != need->byte_count) {
		char digest[DIGEST_TEXT_ROOM];
		digest_format(&need->digest, digest);
		berth_fail(&err, BERTH_E_INVALID, "two manifests give blob %.71s different sizes",
			   digest);
		node_fail(t, n, run_fault(t, SIDE_SOURCE, &err));
		return;
	}
	if (p->state == PLACE_PRESENT)
		return;
	n->pending++;
	vec_add(t, &p->waiters, n);
}

/* False: what this index says of the child is not what it is, or what others say. */
static bool agree_on_child(struct transfer *t, struct node *n, struct doc *child,
			   const struct need *need)
{
	struct berth_error err = ERROR_INIT;
	int r = check_said(child, need->media_type, need->byte_count, &err);
	child->said_type = child->said_type ? child->said_type : need->media_type;
	child->said_bytes = need->byte_count;
	if (!r && child->state == DOC_READ)
		r = check_said(child, child->media_type, (int64_t)child->byte_count, &err);
	if (r)
		node_fail(t, n, run_fault(t, SIDE_SOURCE, &err));
	return !r;
}

static void need_child(struct transfer *t, struct node *n, const struct need *need)
{
	struct node *child = run_node(t, n->pair, &need->digest);
	if (!child || !vec_add(t, &child->parents, n))
		return;
	n->pending++;
	if (!agree_on_child(t, n, child->doc, need))
		return;
	if (child->state == NODE_FAILED) {
		node_fail(t, n, child->why);
		return;
	}
	if (child->state == NODE_NEW) {
		child->depth = n->lists ? 0 : n->depth + 1;
		child->level = n->lists ? n->lists->level + 1 : n->level;
	}
	if (n->lists)
		companion_gate(t, child, n->lists);
	node_open(t, child);
}

static void node_expand(struct transfer *t, struct node *n)
{
	struct berth_error err = ERROR_INIT;
	const struct doc *m = n->doc;
	if (n->state == NODE_FAILED)
		return;
	n->state = NODE_WAITING;
	if (m->need_count && m->needs[0].is_manifest && n->depth >= DEPTH_MAX) {
		berth_fail(&err, BERTH_E_LIMIT, "indexes are nested deeper than %d levels",
			   DEPTH_MAX);
		node_fail(t, n, run_fault(t, SIDE_SOURCE, &err));
		return;
	}
	for (size_t i = 0; i < m->need_count && n->state != NODE_FAILED; i++) {
		if (m->needs[i].is_manifest)
			need_child(t, n, &m->needs[i]);
		else
			need_blob(t, n, &m->needs[i]);
	}
	if (n->state != NODE_FAILED)
		node_companions(t, n);
}

static int prepare_head(struct op *op, struct registry_call *call, struct berth_error *err)
{
	static const unsigned short absent[] = {404, 0};
	struct node *n = op->object;
	op_ask(op, call, op->step ? "GET" : "HEAD", n->pair);
	call->accept = MEDIA_ACCEPT;
	call->accept_status = absent;
	return op_object(op, call, "manifests", &n->digest, err);
}

static void finish_head(struct op *op, const struct berth_error *err);

/* A 200 that names another digest, or is none, is no manifest of ours. */
static bool is_the_one(const struct op *op, const struct node *n)
{
	const struct buf *body = registry_body(op->q);
	const char *header = registry_header(op->q, "Docker-Content-Digest");
	struct berth_error none = ERROR_INIT;
	struct digest d;
	if (registry_status(op->q) != 200)
		return false;
	if (op->step)
		return !doc_check(buf_text(body), body->byte_count, &n->digest, NULL, &d, &none);
	if (!header || !*header)
		return true;
	return !digest_parse(header, &d, &none) &&
	       (d.algorithm != n->digest.algorithm || digest_equal(&d, &n->digest));
}

/* It is at the target, by its word. The first one of a repository is read: a HEAD can
 * be answered by who has nothing. */
static void node_found(struct op *op, struct node *n)
{
	struct transfer *t = op->run;
	n->pair->is_found_read |= op->step > 0;
	if (!n->pair->is_found_read && !t->set.verify) {
		n->pair->is_found_read = true;
		op->step = 1;
		op_again(op, prepare_head, finish_head);
		return;
	}
	n->is_there = true;
	if (t->set.verify) {
		node_read(t, n);
		return;
	}
	n->state = NODE_PUT;
	node_companions(t, n);
}

static void finish_head(struct op *op, const struct berth_error *err)
{
	struct node *n = op->object;
	struct berth_error mine = *err;
	if (is_no_head(&mine) && !op->step) {
		op->step = 1;
		op_again(op, prepare_head, finish_head);
	} else if (mine.code) {
		berth_wrap(&mine, "cannot ask '%.150s' at the target for a manifest",
			   n->pair->label_target);
		node_fail(op->run, n, run_fault(op->run, SIDE_TARGET, &mine));
	} else if (is_the_one(op, n)) {
		node_found(op, n);
	} else if (!op->run->set.verify) {
		node_read(op->run, n);
	}
}

void node_open(struct transfer *t, struct node *n)
{
	if (n->state != NODE_NEW)
		return;
	if (n->pair->target_new || (t->set.verify && n->lists)) {
		node_read(t, n);
		return;
	}
	n->state = NODE_ASKED;
	op_add(t, SIDE_TARGET, n, prepare_head, finish_head);
}

void node_fail(struct transfer *t, struct node *n, struct fault *why)
{
	if (n->state == NODE_FAILED || n->state == NODE_COMPLETE || !why)
		return;
	n->state = NODE_FAILED;
	n->why = why;
	for (size_t i = 0; i < n->parents.count; i++)
		node_fail(t, n->parents.items[i], why);
	for (size_t i = 0; i < n->images.count; i++)
		image_fail(t, n->images.items[i], why);
	for (size_t i = 0; i < n->gated.count; i++)
		node_fail(t, n->gated.items[i], why);
}
