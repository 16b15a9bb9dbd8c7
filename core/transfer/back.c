/* SPDX-License-Identifier: Apache-2.0 */
/* Tags are read back when they are put: what one names then is what counts. One
 * HEAD a tag, and the first tag of a repository whole. Of many new tags of one
 * digest, whose PUTs were all answered with that digest, every second is read
 * back; where these are right the target's list of tags shows that the others are
 * there, too, and any that it does not show is asked for by itself.
 */
#include <stdlib.h>

#include "core/transfer/parts.h"

#define LIST_LEAST 32    /* so many tags of one digest: a list may do */
#define SAMPLE_EVERY 2   /* of them is read back */
#define PAGE_TAGS 1000   /* what we ask a page to have */
#define TAGS_FOR_PAGE 16 /* a page has to spare so many requests */

/* The tags of a node that a list is to show. */
struct back {
	unsigned samples; /* not answered */
	bool is_wrong;    /* one of them */
	unsigned pages_max;
	struct vec tags; /* of the target, as far as they came */
};

static void tell_sample(struct transfer *t, struct node *n, bool is_right);

void back_free(struct back *b)
{
	if (b)
		vec_done(&b->tags);
	free(b);
}

const struct digest *image_put_digest(const struct image *i)
{
	return i->body ? &i->target_digest : &i->source_digest;
}

int image_prepare_back(struct op *op, struct registry_call *call, struct berth_error *err)
{
	struct image *i = op->object;
	op_ask(op, call, op->step ? "GET" : "HEAD", i->pair);
	call->accept = MEDIA_ACCEPT;
	return op_path(op, err, "/v2/%s/manifests/%s", i->pair->target, i->target_tag);
}

static int check_back(const struct op *op, const char *header, const struct digest *expected,
		      struct berth_error *err)
{
	struct digest d = {0};
	const struct buf *body = registry_body(op->q);
	if (op->step)
		return doc_check(buf_text(body), body->byte_count, expected, NULL, &d, err);
	int r = digest_parse(header, &d, err);
	if (r || digest_equal(&d, expected))
		return r;
	return berth_fail(err, BERTH_E_DIGEST, "after the copy the target's tag names %.100s",
			  header);
}

static void finish_back(struct op *op, const struct berth_error *err)
{
	struct image *i = op->object;
	struct berth_error mine = *err;
	const char *header = mine.code ? NULL : registry_header(op->q, "Docker-Content-Digest");
	bool no_head = is_no_head(&mine);
	if (op_look_again(op, &mine))
		return;
	if (!op->step && (no_head || (!mine.code && (!header || !*header)))) {
		op->step = 1;
		op_again(op, image_prepare_back, finish_back);
		return;
	}
	bool is_right = !mine.code && !check_back(op, header, image_put_digest(i), &mine);
	if (is_right) {
		image_end(op->run, i, IMAGE_COPIED);
	} else {
		i->pair->is_proved = false;
		image_fail_with(op->run, SIDE_TARGET, i, &mine, "cannot read back");
	}
	tell_sample(op->run, i->root, is_right);
}

/* The first tag of each repository is read whole: headers can be made up by a
 * target that keeps nothing. */
static void back_start(struct transfer *t, struct image *i, bool is_whole)
{
	struct op *op = op_add(t, SIDE_TARGET, i, image_prepare_back, finish_back);
	if (!op)
		return;
	op->step = is_whole || !i->pair->is_proved;
	i->pair->is_proved = true;
}

static bool awaits_back(const struct image *i)
{
	return i->is_put && i->state == IMAGE_WAITING;
}

/* Those that the list in b does not show are asked for; NULL: all. */
static void end_rest(struct transfer *t, struct node *n, const struct back *b)
{
	for (size_t k = 0; k < n->images.count; k++) {
		struct image *i = n->images.items[k];
		if (awaits_back(i) && b && tags_have(&b->tags, i->target_tag))
			image_end(t, i, IMAGE_COPIED);
		else if (awaits_back(i))
			back_start(t, i, false);
		i->is_put = false;
	}
}

static int prepare_list(struct op *op, struct registry_call *call, struct berth_error *err)
{
	const struct node *n = op->object;
	op_ask(op, call, "GET", n->pair);
	call->accept = "application/json";
	if (op->step)
		return 0; /* path is the next page */
	return op_path(op, err, "/v2/%s/tags/list?n=%d", n->pair->target, PAGE_TAGS);
}

/* A list that can't be had costs no image: each is asked for then. */
static void finish_list(struct op *op, const struct berth_error *err)
{
	struct node *n = op->object;
	struct berth_error mine = *err;
	bool more = false;
	if (!mine.code)
		tags_take_page(op, n->pair, &n->back->tags, n->back->pages_max, &more, &mine);
	if (more) {
		op_again(op, prepare_list, finish_list);
		return;
	}
	tags_sort(&n->back->tags);
	end_rest(op->run, n, mine.code ? NULL : n->back);
}

static void tell_sample(struct transfer *t, struct node *n, bool is_right)
{
	struct back *b = n->back;
	if (!b || !b->samples)
		return;
	b->is_wrong |= !is_right;
	if (--b->samples)
		return;
	if (b->is_wrong)
		end_rest(t, n, NULL);
	else
		op_add(t, SIDE_TARGET, n, prepare_list, finish_list);
}

/* A tag that the target did not have, put with an answer that named the digest. */
static bool may_be_listed(const struct image *i)
{
	const struct pair *p = i->pair;
	return awaits_back(i) && i->is_said && !i->body && p->target_listed &&
	       !tags_have(&p->target_tags, i->target_tag);
}

/* Whether a list is less than asking for each. */
static bool list_pays(const struct node *n, unsigned *ret_pages)
{
	size_t count = 0;
	for (size_t k = 0; k < n->images.count; k++)
		count += may_be_listed(n->images.items[k]);
	*ret_pages = (unsigned)(count / TAGS_FOR_PAGE);
	return count >= LIST_LEAST && n->pair->target_tags.count / PAGE_TAGS < *ret_pages;
}

/* Every second of those that a list may show is read back first. */
static void start_sample(struct transfer *t, struct node *n, struct back *b)
{
	size_t seen = 0;
	n->back = b;
	for (size_t k = 0; k < n->images.count; k++) {
		struct image *i = n->images.items[k];
		bool is_sample = may_be_listed(i) && seen++ % SAMPLE_EVERY == 0;
		if (awaits_back(i) && (is_sample || !may_be_listed(i))) {
			b->samples++;
			i->is_put = false;
			back_start(t, i, is_sample && seen == 1);
		}
	}
}

/* Tags of one digest are read back when all of them are put: docker-registry 2.8
 * rewrites the digest's link with each PUT, and a HEAD that comes between answers
 * 500. */
void image_settle(struct transfer *t, struct image *i)
{
	struct node *n = i->root;
	unsigned pages;
	if (!i->is_pending)
		return;
	i->is_pending = false;
	if (--n->tags_pending)
		return;
	struct back *b = !n->back && list_pays(n, &pages) ? calloc(1, sizeof *b) : NULL;
	if (!b) {
		end_rest(t, n, NULL);
		return;
	}
	b->pages_max = pages;
	start_sample(t, n, b);
}
