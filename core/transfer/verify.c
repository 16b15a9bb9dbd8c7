/* SPDX-License-Identifier: Apache-2.0 */
/* Do both ends hold the same? Tags are compared by digest, and below a tag that
 * is equal every manifest, blob and referrer is asked for at the target: by HEAD,
 * since a GET counts as a pull. No blob is read. A size that the target gives
 * must be the right one.
 *
 * The plan does the asking (resolve.c, closure.c, blob.c); here is what it does
 * otherwise with settings.verify, and what is said of it.
 */
#include <stdlib.h>
#include <string.h>

#include "core/base/js.h"
#include "core/base/text.h"
#include "core/transfer/parts.h"

#define DIFFERENCE_MAX 20
#define PAGE_MAX 100
#define LISTED_MAX 10000

enum verdict { SAME, MISSING, DIFFERENT, INCOMPLETE, UNKNOWN };
static const char *const verdicts[] = {"same", "missing", "different", "incomplete", "failed"};

static bool is_listed(const json_t *list, const struct digest *d)
{
	char digest[DIGEST_TEXT_ROOM];
	size_t i;
	json_t *one;
	digest_format(d, digest);
	json_array_foreach (list, i, one) {
		if (!strcmp(js_str(one, "digest", ""), digest))
			return true;
	}
	return false;
}

static bool lists_all(const struct image *i)
{
	const struct doc *m = i->root->doc;
	for (size_t n = 0; n < m->need_count; n++)
		if (!is_listed(i->root->found, &m->needs[n].digest))
			return false;
	return true;
}

/* Steps from 1 on are pages of the API's list. */
static int prepare_list(struct op *op, struct registry_call *call, struct berth_error *err)
{
	static const unsigned short absent[] = {404, 0};
	const struct image *i = op->object;
	char digest[DIGEST_TEXT_ROOM];
	digest_format(&i->subject->digest, digest);
	call->method = "GET";
	call->repository = i->pair->target;
	call->rights = TARGET_RIGHTS;
	call->accept = MEDIA_OCI_INDEX;
	call->accept_status = absent;
	if (i->is_unlisted)
		return op_path(op, err, "/v2/%s/manifests/%s", i->pair->target, i->target_tag);
	return op->step ? 0 : op_path(op, err, "/v2/%s/referrers/%s", i->pair->target, digest);
}

static int take_list(struct op *op, struct node *root, bool *ret_more, struct berth_error *err)
{
	const struct buf *body = registry_body(op->q);
	AUTO_JSON json_t *doc = NULL;
	AUTO_FREE char *next = NULL;
	int r = js_parse(buf_text(body), body->byte_count, &js_limits_registry, &doc, err);
	if (r)
		return r;
	json_t *list = json_object_get(doc, "manifests");
	if (!json_is_array(list) ||
	    json_array_size(root->found) + json_array_size(list) > LISTED_MAX)
		return berth_fail(err, BERTH_E_PROTOCOL, "the answer is not a list of referrers");
	if (json_array_extend(root->found, list))
		return berth_fail_memory(err);
	r = registry_next(op->q, &next, err);
	if (r || !next)
		return r;
	r = op_turn_page(op, &next, PAGE_MAX, err);
	*ret_more = !r;
	return r;
}

/* What the API does not list, or no API at all: the tag in its stead is asked. */
static void finish_list(struct op *op, const struct berth_error *err)
{
	struct image *i = op->object;
	struct berth_error mine = *err;
	bool more = false, was_tag = i->is_unlisted;
	if (!mine.code && registry_status(op->q) != 404)
		(void)take_list(op, i->root, &more, &mine);
	if (mine.code && was_tag) {
		berth_wrap(&mine, "cannot read what refers to an image of '%.120s' at the target",
			   i->pair->label_target);
		image_fail(op->run, i, run_fault(op->run, SIDE_TARGET, &mine));
		return;
	}
	i->is_unlisted = !lists_all(i);
	if (more && !was_tag) {
		i->is_unlisted = false;
		op_again(op, prepare_list, finish_list);
	} else if (i->is_unlisted && !was_tag) {
		op->step = 0;
		op_again(op, prepare_list, finish_list);
	}
}

void verify_decide(struct transfer *t, struct image *i)
{
	struct berth_error err = ERROR_INIT;
	if (!i->merges) {
		if (i->is_there && digest_equal(&i->source_digest, &i->target_digest))
			node_open(t, i->root);
		return;
	}
	node_open(t, i->root);
	if (!i->root->found)
		i->root->found = json_array();
	if (i->root->found) {
		op_add(t, SIDE_TARGET, i, prepare_list, finish_list);
		return;
	}
	berth_fail_memory(&err);
	run_abort(t, &err);
}

/* --- what is said --- */

/* What an image lacks. The list is cut, and may miss what there is no memory for; it
 * is not what the verdict rests on. */
struct findings {
	json_t *list;
	size_t count;
};

static void add_difference(struct findings *to, const char *what, const struct digest *d,
			   const char *how)
{
	char digest[DIGEST_TEXT_ROOM];
	if (to->count++ >= DIFFERENCE_MAX)
		return;
	digest_format(d, digest);
	json_array_append_new(
		to->list, json_pack("{s:s, s:s, s:s}", "what", what, "digest", digest, "how", how));
}

/* What of a manifest and all below it the target lacks. */
static void compare_node(struct transfer *t, struct node *n, struct findings *to)
{
	const struct doc *m = n->doc;
	if (!n->lists && !n->is_there) {
		add_difference(to, "manifest", &n->digest, "missing");
		return;
	}
	for (size_t i = 0; i < m->need_count && to->count < DIFFERENCE_MAX; i++) {
		const struct need *need = &m->needs[i];
		struct node *child = need->is_manifest ? run_node(t, n->pair, &need->digest) : NULL;
		const struct place *p =
			need->is_manifest ? NULL
					  : run_place(t, n->pair, &need->digest, need->byte_count);
		if (child)
			compare_node(t, child, to);
		else if (p && p->state == PLACE_ABSENT)
			add_difference(to, "blob", &need->digest, "missing");
		else if (p && p->is_damaged)
			add_difference(to, "blob", &need->digest, "size");
	}
}

static enum verdict verdict_of(struct transfer *t, struct image *i, struct findings *found)
{
	if (i->state == IMAGE_FAILED || !i->root || i->root->state == NODE_FAILED)
		return UNKNOWN;
	if (!i->merges && !i->is_there)
		return MISSING;
	if (!i->merges && !digest_equal(&i->source_digest, &i->target_digest))
		return DIFFERENT;
	compare_node(t, i->root, found);
	if (i->merges && i->is_unlisted)
		add_difference(found, "list", &i->root->digest, "missing");
	return found->count ? INCOMPLETE : SAME;
}

static void report(struct transfer *t, struct image *i, bool the_same, size_t *counts)
{
	char digest[DIGEST_TEXT_ROOM];
	struct findings found = {.list = json_array()};
	enum verdict v = verdict_of(t, i, &found);
	AUTO_JSON json_t *item = NULL;
	if ((v == SAME) != the_same) {
		json_decref(found.list);
		return;
	}
	counts[v]++;
	item = report_item(i, "state", verdicts[v]);
	json_t *more = json_object_get(item, "more");
	json_object_set_new(more, "differences", found.list);
	if (v == UNKNOWN && !i->why && i->root && i->root->why)
		json_object_set_new(more, "error", fault_shown(i->pair, i->root->why));
	if (v == DIFFERENT) {
		digest_format(&i->target_digest, digest);
		json_object_set_new(more, "found", json_string(digest));
	}
	json_object_set_new(item, "kind", json_string("step"));
	if (t->set.item)
		t->set.item(t->set.user, item);
}

json_t *transfer_report_verify(struct transfer *t)
{
	size_t counts[ARRAY_COUNT(verdicts)] = {0};
	json_t *totals = transfer_totals(t);
	/* What differs comes first, where a list is cut. */
	for (int the_same = 0; the_same < 2; the_same++)
		for (size_t n = 0; n < t->images.count; n++)
			report(t, t->images.items[n], the_same, counts);
	AUTO_JSON json_t *ours = json_object();
	json_object_set(ours, "images", json_object_get(totals, "images"));
	json_object_set(ours, "referrers", json_object_get(totals, "referrers"));
	for (size_t v = 0; v < ARRAY_COUNT(verdicts); v++)
		json_object_set_new(ours, verdicts[v], json_integer((json_int_t)counts[v]));
	json_object_set_new(ours, "blobs", json_integer((json_int_t)t->places_ordered.count));
	json_object_set_new(ours, "manifests", json_integer((json_int_t)t->nodes_ordered.count));
	json_decref(totals);
	return STEAL(ours);
}
