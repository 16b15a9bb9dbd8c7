/* SPDX-License-Identifier: Apache-2.0 */
/* What the rule means at both ends: tags are listed once a repository, then a
 * tag that the target has too is asked for by HEAD at both ends, and one that it
 * lacks is read at the source at once, which says its digest and is needed
 * anyway. Equal digests end the matter.
 */
#include <stdlib.h>
#include <string.h>

#include "core/base/js.h"
#include "core/oci/lists.h"
#include "core/oci/reference.h"
#include "core/transfer/fan.h"

#define PAGE_MAX 1000
#define TAG_MAX 1000000

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

void tags_sort(struct vec *tags)
{
	size_t kept = 0;
	if (tags->count)
		qsort(tags->items, tags->count, sizeof *tags->items, by_text);
	for (size_t i = 0; i < tags->count; i++) {
		if (kept && !strcmp(tags->items[kept - 1], tags->items[i]))
			free(tags->items[i]);
		else
			tags->items[kept++] = tags->items[i];
	}
	tags->count = kept;
}

bool tags_have(const struct vec *tags, const char *tag)
{
	return tags->count && bsearch(&tag, tags->items, tags->count, sizeof *tags->items, by_text);
}

void image_end(struct transfer *t, struct image *i, enum image_state state)
{
	if (i->state != IMAGE_WAITING)
		return;
	i->state = state;
	image_settle(t, i);
	if (t->moving)
		report_image(t, i);
	if (!i->subject)
		return;
	if (state == IMAGE_FAILED)
		node_fail(t, i->subject, i->why);
	else
		node_companion_done(t, i->subject);
}

void image_fail(struct transfer *t, struct image *i, struct fault *why)
{
	i->why = why;
	image_end(t, i, IMAGE_FAILED);
}

static void fail_with(struct transfer *t, int side, struct image *i, const struct berth_error *err)
{
	struct fault *why = run_fault(t, side, err);
	if (why)
		image_fail(t, i, why);
}

/* Both digests are known, as far as they are needed. */
static void image_decide(struct transfer *t, struct image *i)
{
	if (--i->asking || i->state != IMAGE_WAITING)
		return;
	bool equal = i->is_there && digest_equal(&i->source_digest, &i->target_digest);
	if (i->is_there && !equal && !t->rule->override && !i->merges && !t->set.verify) {
		image_end(t, i, IMAGE_KEPT);
		return;
	}
	struct node *n = run_node(t, i->pair, &i->source_digest);
	if (!n || !vec_add(t, &n->images, i))
		return;
	i->root = n;
	if (n->state == NODE_FAILED) {
		image_fail(t, i, n->why);
		return;
	}
	companion_root(t, i);
	if (t->set.verify) {
		verify_decide(t, i);
		return;
	}
	if (equal && n->state == NODE_NEW) {
		n->state = NODE_PUT;
		n->is_there = true;
		node_companions(t, n);
		return;
	}
	node_open(t, n);
}

static const char *reference_of(const struct image *i, bool at_source)
{
	if (at_source || !i->target_tag)
		return i->source_tag;
	return i->target_tag;
}

static int prepare_ask(struct op *op, struct registry_call *call, struct berth_error *err)
{
	static const unsigned short absent[] = {404, 0};
	struct image *i = op->object;
	bool at_source = op->side == &op->run->sides[SIDE_SOURCE];
	op_ask(op, call, op->step ? "GET" : "HEAD", i->pair);
	call->accept = MEDIA_ACCEPT;
	call->accept_status = at_source ? NULL : absent;
	call->follow = at_source;
	return op_path(op, err, "/v2/%s/manifests/%s", call->repository,
		       reference_of(i, at_source));
}

/* The digest that a HEAD promises. 0 with algorithm 0: it promises none. */
static int promised_digest(const struct registry_request *q, struct digest *ret,
			   struct berth_error *err)
{
	const char *header = registry_header(q, "Docker-Content-Digest");
	*ret = (struct digest){0};
	return header && *header ? digest_parse(header, ret, err) : 0;
}

static int read_ask(struct op *op, struct digest *ret, struct berth_error *err)
{
	const struct buf *body = registry_body(op->q);
	if (!op->step)
		return promised_digest(op->q, ret, err);
	return doc_check(buf_text(body), body->byte_count, NULL,
			 registry_header(op->q, "Docker-Content-Digest"), ret, err);
}

static void finish_ask(struct op *op, const struct berth_error *err)
{
	struct image *i = op->object;
	struct transfer *t = op->run;
	bool at_source = op->side == &t->sides[SIDE_SOURCE];
	struct berth_error mine = *err;
	struct digest d = {0};
	bool there = !err->code && registry_status(op->q) != 404;
	bool no_head = is_no_head(err);
	if (((there && read_ask(op, &d, &mine) == 0 && !d.algorithm) || no_head) && !op->step) {
		op->step = 1; /* no digest in the header: read it and count */
		op_again(op, prepare_ask, finish_ask);
		return;
	}
	if (mine.code) {
		berth_wrap(&mine, "cannot ask the %s for '%.100s:%.80s'",
			   at_source ? "source" : "target",
			   at_source ? i->pair->label_source : i->pair->label_target,
			   reference_of(i, at_source));
		fail_with(t, at_source ? SIDE_SOURCE : SIDE_TARGET, i, &mine);
	}
	if (at_source) {
		i->source_digest = d;
	} else {
		i->target_digest = d;
		i->is_there = there;
	}
	image_decide(t, i);
}

static int prepare_read(struct op *op, struct registry_call *call, struct berth_error *err)
{
	struct image *i = op->object;
	op_ask(op, call, "GET", i->pair);
	call->accept = MEDIA_ACCEPT;
	call->follow = true;
	return op_path(op, err, "/v2/%s/manifests/%s", i->pair->source, i->source_tag);
}

static int read_source(struct op *op, struct berth_error *err)
{
	struct image *i = op->object;
	struct transfer *t = op->run;
	const struct buf *body = registry_body(op->q);
	struct digest expected = {0};
	if (strchr(i->source_tag, ':') && digest_parse(i->source_tag, &expected, err))
		return err->code;
	int r = doc_check(buf_text(body), body->byte_count, &expected,
			  registry_header(op->q, "Docker-Content-Digest"), &i->source_digest, err);
	struct doc *m = r ? NULL : run_doc(t, i->pair, &i->source_digest);
	if (!m)
		return r ? r : berth_fail_memory(err);
	doc_store(t, m, registry_header(op->q, "Content-Type"), buf_text(body), body->byte_count);
	return t->rule->platforms ? platforms_choose(t, m, &i->source_digest, err) : 0;
}

static void finish_read(struct op *op, const struct berth_error *err)
{
	struct image *i = op->object;
	struct berth_error mine = *err;
	if (!mine.code)
		read_source(op, &mine);
	if (mine.code) {
		berth_wrap(&mine, "cannot read '%.120s:%.80s'", i->pair->label_source,
			   i->source_tag);
		fail_with(op->run, SIDE_SOURCE, i, &mine);
	}
	image_decide(op->run, i);
}

static bool is_known(const struct image *i, int side, const char *tag, struct digest *ret)
{
	struct berth_error ignored = ERROR_INIT;
	const char *digest = tag && !i->merges ? js_str(i->pair->known[side], tag, NULL) : NULL;
	return digest && !digest_parse(digest, ret, &ignored);
}

/* Both ends listed it, and nothing needs to be read: it is equal, or stays as it is. */
static bool is_settled(struct transfer *t, struct image *i)
{
	struct digest d;
	if (!i->is_there || t->rule->platforms || !is_known(i, SIDE_SOURCE, i->source_tag, &d) ||
	    (t->rule->override && !t->set.verify && !digest_equal(&d, &i->target_digest)))
		return false;
	i->source_digest = d;
	return true;
}

void image_start(struct transfer *t, struct image *i)
{
	const struct pair *p = i->pair;
	const char *tag = i->target_tag;
	i->is_there = is_known(i, SIDE_TARGET, tag, &i->target_digest);
	if (is_settled(t, i)) {
		i->asking = 1;
		image_decide(t, i);
		return;
	}
	bool is_told = fan_knows_tag(i, t, &i->source_digest);
	bool asks_source = i->source_tag && !is_told;
	bool maybe_there = !i->is_there && !p->target_new && tag &&
			   (!p->target_listed || tags_have(&p->target_tags, tag));
	bool by_head =
		maybe_there && asks_source && !t->rule->platforms && !(t->set.verify && i->merges);
	i->asking = (unsigned)maybe_there + (unsigned)asks_source + 1;
	if (maybe_there)
		op_add(t, SIDE_TARGET, i, prepare_ask, finish_ask);
	if (by_head)
		op_add(t, SIDE_SOURCE, i, prepare_ask, finish_ask);
	else if (asks_source)
		op_add(t, SIDE_SOURCE, i, prepare_read, finish_read);
	image_decide(t, i);
}

static void add_image(struct transfer *t, struct pair *p, const char *tag)
{
	const char *to = t->rule->target_tag;
	struct image *i = run_image(t, p, tag, to ? to : strchr(tag, ':') ? NULL : tag);
	if (i)
		image_start(t, i);
}

/* A repository that can't be listed is reported as one image without a tag. */
static void add_failed(struct transfer *t, struct pair *p, struct fault *why)
{
	struct image *i = run_image(t, p, NULL, NULL);
	if (i)
		image_fail(t, i, why);
}

static void keep_companion_tags(struct transfer *t, struct pair *p)
{
	for (size_t i = 0; i < p->source_tags.count; i++) {
		char *tag = p->source_tags.items[i];
		if (!rule_is_referrer_tag(tag) || !vec_add(t, &p->companion_tags, tag))
			free(tag);
	}
	vec_done(&p->source_tags);
	tags_sort(&p->companion_tags);
}

static void add_literal_images(struct transfer *t, struct pair *p)
{
	size_t i;
	json_t *one;
	if (t->rule->digest)
		add_image(t, p, t->rule->digest);
	json_array_foreach (t->rule->tags, i, one) {
		add_image(t, p, json_string_value(one));
	}
}

static void add_chosen_images(struct transfer *t, struct pair *p)
{
	char **tags = (char **)p->source_tags.items;
	const char *slash = strchr(p->label_source, '/'); /* after the instance's name */
	size_t chosen = rule_choose_tags(t->rule, slash ? slash + 1 : p->label_source, tags,
					 p->source_tags.count);
	for (size_t i = 0; i < chosen; i++)
		add_image(t, p, tags[i]);
	if (p->odd)
		add_failed(t, p, p->odd);
}

/* Both lists are in. */
static void pair_listed(struct transfer *t, struct pair *p)
{
	if (--p->listing)
		return;
	if (p->why) {
		add_failed(t, p, p->why);
		return;
	}
	tags_sort(&p->target_tags);
	tags_sort(&p->source_tags);
	if (t->rule->digest || rule_has_literal_tags(t->rule))
		add_literal_images(t, p);
	else
		add_chosen_images(t, p);
	keep_companion_tags(t, p);
}

static int prepare_list(struct op *op, struct registry_call *call, struct berth_error *err)
{
	/* By side and plainness: a target may be without the repository, and the page
	 * size may be refused (400) where it is given. */
	static const unsigned short taken[2][2][3] = {{{400, 0}, {0}}, {{404, 400, 0}, {404, 0}}};
	struct pair *p = op->object;
	bool at_source = op->side == &op->run->sides[SIDE_SOURCE];
	op_ask(op, call, "GET", p);
	call->accept = "application/json";
	call->follow = true;
	if (op->step)
		return 0; /* path is the next page */
	call->accept_status = taken[!at_source][op->plain];
	return op_path(op, err, "/v2/%s/tags/list%s", call->repository, op->plain ? "" : "?n=1000");
}

/* A name that no tag can have (Harbor 2.5 stores some) is an image that fails: the
 * others are copied. */
static void note_odd(struct transfer *t, struct pair *p, const char *name)
{
	struct berth_error err = ERROR_INIT;
	if (p->odd)
		return;
	berth_fail(&err, BERTH_E_PROTOCOL, "'%.150s' lists '%.60s', which is not a tag",
		   p->label_source, name);
	p->odd = run_fault(t, SIDE_SOURCE, &err);
}

static int add_tags(struct transfer *t, struct pair *p, struct vec *to, const json_t *tags,
		    struct berth_error *err)
{
	size_t i;
	json_t *one;
	if (to->count + json_array_size(tags) > TAG_MAX)
		return berth_fail(err, BERTH_E_LIMIT, "more than %d tags", TAG_MAX);
	json_array_foreach (tags, i, one) {
		const char *tag = json_string_value(one);
		if (!reference_is_tag(tag)) {
			if (to == &p->source_tags)
				note_odd(t, p, tag);
			continue;
		}
		char *copy = strdup(tag);
		if (!copy || !vec_add(t, to, copy))
			return berth_fail_memory(err);
	}
	return 0;
}

int tags_take_page(struct op *op, struct pair *p, struct vec *to, unsigned page_max, bool *ret_more,
		   struct berth_error *err)
{
	const struct buf *body = registry_body(op->q);
	AUTO_JSON json_t *tags = NULL;
	AUTO_FREE char *next = NULL;
	int r = list_parse_page(LIST_TAGS, buf_text(body), body->byte_count, &tags, err);
	if (!r)
		r = add_tags(op->run, p, to, tags, err);
	if (!r)
		r = registry_next(op->q, &next, err);
	if (r || !next)
		return r;
	r = op_turn_page(op, &next, page_max, err);
	*ret_more = !r;
	return r;
}

/* The target answers, though not with its tags: they are asked for one by one. */
static bool is_no_list(const struct berth_error *err)
{
	return err->from == BERTH_FROM_HTTP || err->code == BERTH_E_PROTOCOL ||
	       err->code == BERTH_E_LIMIT;
}

static void finish_list(struct op *op, const struct berth_error *err)
{
	struct pair *p = op->object;
	struct transfer *t = op->run;
	bool at_source = op->side == &t->sides[SIDE_SOURCE], more = false;
	struct berth_error mine = *err;
	int status = mine.code ? 0 : registry_status(op->q);
	bool absent = status == 404;
	if (status == 400)
		op->plain = more = true;
	else if (!mine.code && !absent)
		tags_take_page(op, p, at_source ? &p->source_tags : &p->target_tags, PAGE_MAX,
			       &more, &mine);
	if (more) {
		op_again(op, prepare_list, finish_list);
		return;
	}
	if (!at_source && !mine.code) {
		p->target_listed = true;
		p->target_new = absent && !t->set.resume;
	} else if (mine.code && (at_source || !is_no_list(&mine))) {
		berth_wrap(&mine, "cannot list the tags of '%.150s' at the %s",
			   at_source ? p->label_source : p->label_target,
			   at_source ? "source" : "target");
		p->why = run_fault(t, at_source ? SIDE_SOURCE : SIDE_TARGET, &mine);
	} else if (at_source) {
		fan_note_list(t, p);
	}
	pair_listed(t, p);
}

/* A bulk listing stands in for the list of tags, but where referrers are wanted:
 * Harbor's does not show the tags of signatures. */
static bool take_known(struct transfer *t, const struct pair *p, int side, struct vec *to)
{
	const char *tag;
	json_t *value;
	if (t->rule->referrers || !json_object_size(p->known[side]))
		return false;
	json_object_foreach (p->known[side], tag, value) {
		char *copy = reference_is_tag(tag) ? strdup(tag) : NULL;
		if (copy && !vec_add(t, to, copy))
			free(copy);
	}
	tags_sort(to);
	return true;
}

void pair_start(struct transfer *t, struct pair *p)
{
	bool literal = t->rule->digest || rule_has_literal_tags(t->rule);
	bool list_source = (!literal || t->rule->referrers) &&
			   !take_known(t, p, SIDE_SOURCE, &p->source_tags) && !fan_knows_list(t, p);
	bool list_target = !take_known(t, p, SIDE_TARGET, &p->target_tags);
	p->target_listed = !list_target;
	p->listing = 1 + (unsigned)list_target + (unsigned)list_source;
	if (list_target)
		op_add(t, SIDE_TARGET, p, prepare_list, finish_list);
	if (list_source)
		op_add(t, SIDE_SOURCE, p, prepare_list, finish_list);
	pair_listed(t, p);
}
