/* SPDX-License-Identifier: Apache-2.0 */
/* What refers to a manifest: signatures, SBOMs, attestations. Found at the source
 * by the referrers API, by the tag sha256-<hex> that stands in for it, and by
 * cosign's tags of the same name with .sig, .att and .sbom. Each becomes an image
 * of its own, a companion, which is there before any tag of its subject.
 *
 * docker-registry 2.8 and distribution 3 have no such API: one 404 says so for
 * the whole run, and the list of tags that is read anyway has all the rest.
 */
#include <stdlib.h>
#include <string.h>

#include "core/base/js.h"
#include "core/transfer/fan.h"

#define LEVEL_MAX 4
#define PAGE_MAX 100
#define REFERRER_MAX 10000
#define TAG_ROOM (DIGEST_TEXT_ROOM + 8)

void companion_gate(struct transfer *t, struct node *n, struct node *subject)
{
	if (subject->state >= NODE_PUT || n->state >= NODE_PUT)
		return;
	if (vec_add(t, &subject->gated, n))
		n->pending++;
}

void companion_root(struct transfer *t, struct image *i)
{
	struct node *root = i->root;
	if (!i->subject)
		return;
	if (i->merges) {
		if (root->state == NODE_NEW)
			root->lists = i->subject;
		return;
	}
	if (root->state == NODE_NEW)
		root->level = i->subject->level + 1;
	companion_gate(t, root, i->subject);
}

static void fail_level(struct transfer *t, struct node *n)
{
	struct berth_error err = ERROR_INIT;
	berth_fail(&err, BERTH_E_LIMIT, "more than %d levels of manifests refer to one another",
		   LEVEL_MAX);
	node_fail(t, n, run_fault(t, SIDE_SOURCE, &err));
}

/* source_tag NULL: the image's bytes are made here, and digest is theirs. */
static void add_companion(struct transfer *t, struct node *n, const char *source_tag,
			  const char *target_tag, const struct digest *digest)
{
	if (n->level >= LEVEL_MAX) {
		fail_level(t, n);
		return;
	}
	struct image *i = run_image(t, n->pair, source_tag, target_tag);
	if (!i)
		return;
	i->subject = n;
	i->merges = !strchr(target_tag, '.');
	if (digest)
		i->source_digest = *digest;
	n->companions++;
	image_start(t, i);
}

static void fallback_tag(const struct node *n, const char *suffix, char *to)
{
	char text[DIGEST_TEXT_ROOM];
	digest_format(&n->digest, text);
	*strchr(text, ':') = '-';
	snprintf(to, TAG_ROOM, "%s%s", text, suffix);
}

static void add_tagged(struct transfer *t, struct node *n)
{
	static const char *const suffixes[] = {".sig", ".att", ".sbom"};
	char tag[TAG_ROOM];
	for (size_t i = 0; i < ARRAY_COUNT(suffixes); i++) {
		fallback_tag(n, suffixes[i], tag);
		if (tags_have(&n->pair->companion_tags, tag))
			add_companion(t, n, tag, tag, NULL);
	}
}

/* The tag that stands in for the API, where there is one. */
static void add_list_tag(struct transfer *t, struct node *n)
{
	char tag[TAG_ROOM];
	fallback_tag(n, "", tag);
	if (tags_have(&n->pair->companion_tags, tag))
		add_companion(t, n, tag, tag, NULL);
}

static int prepare_referrers(struct op *op, struct registry_call *call, struct berth_error *err)
{
	static const unsigned short absent[] = {401, 404, 0}; /* 401: see request.c */
	const struct node *n = op->object;
	op_ask(op, call, "GET", n->pair);
	call->accept = MEDIA_OCI_INDEX;
	call->accept_status = absent;
	call->follow = true;
	if (op->step)
		return 0;
	return op_object(op, call, "referrers", &n->digest, err);
}

static int take_page(struct op *op, struct node *n, bool *ret_more, struct berth_error *err)
{
	const struct buf *body = registry_body(op->q);
	AUTO_JSON json_t *doc = NULL;
	AUTO_FREE char *next = NULL;
	int r = js_parse(buf_text(body), body->byte_count, &js_limits_registry, &doc, err);
	if (r)
		return r;
	json_t *list = json_object_get(doc, "manifests");
	if (!json_is_array(list))
		return berth_fail(err, BERTH_E_PROTOCOL, "the answer is not a list of referrers");
	if (json_array_size(n->found) + json_array_size(list) > REFERRER_MAX)
		return berth_fail(err, BERTH_E_LIMIT, "more than %d referrers", REFERRER_MAX);
	if (json_array_extend(n->found, list))
		return berth_fail_memory(err);
	r = registry_next(op->q, &next, err);
	if (r || !next)
		return r;
	r = op_turn_page(op, &next, PAGE_MAX, err);
	*ret_more = !r;
	return r;
}

/* An index of what the API said, as the tag in its stead would hold it. */
static int make_list(struct transfer *t, const struct node *n, struct digest *ret,
		     struct berth_error *err)
{
	AUTO_JSON json_t *doc = json_pack("{s:i, s:s, s:O}", "schemaVersion", 2, "mediaType",
					  MEDIA_OCI_INDEX, "manifests", n->found);
	AUTO_FREE char *text = doc ? js_text(doc) : NULL;
	if (!text)
		return berth_fail_memory(err);
	int r = digest_of(DIGEST_SHA256, text, strlen(text), ret, err);
	struct doc *m = r ? NULL : run_doc(t, n->pair, ret);
	if (!m)
		return r ? r : berth_fail_memory(err);
	if (m->state == DOC_UNREAD)
		m->pinned = true;
	doc_store(t, m, MEDIA_OCI_INDEX, text, strlen(text));
	return 0;
}

static bool has_digest(const json_t *list, const char *digest)
{
	size_t i;
	json_t *one;
	json_array_foreach (list, i, one) {
		if (!strcmp(js_str(one, "digest", ""), digest))
			return true;
	}
	return false;
}

/* Appends to ours what only theirs has, and counts it. */
static int append_missing(json_t *ours, const json_t *theirs, size_t *ret_count,
			  struct berth_error *err)
{
	size_t i;
	json_t *one;
	*ret_count = 0;
	json_array_foreach (theirs, i, one) {
		if (has_digest(ours, js_str(one, "digest", "")))
			continue;
		if (json_array_append(ours, one))
			return berth_fail_memory(err);
		++*ret_count;
	}
	return 0;
}

static void fail_list(struct transfer *t, struct node *n, struct berth_error *err)
{
	berth_wrap(err, "cannot list what refers to an image of '%.120s'", n->pair->label_source);
	node_fail(t, n, run_fault(t, SIDE_SOURCE, err));
}

/* What was found becomes the list of a tag at the target. */
static void add_found(struct transfer *t, struct node *n)
{
	struct berth_error err = ERROR_INIT;
	struct digest digest;
	char tag[TAG_ROOM];
	fallback_tag(n, "", tag);
	if (make_list(t, n, &digest, &err))
		fail_list(t, n, &err);
	else
		add_companion(t, n, NULL, tag, &digest);
}

static int prepare_tag_list(struct op *op, struct registry_call *call, struct berth_error *err)
{
	static const unsigned short absent[] = {404, 0};
	const struct node *n = op->object;
	char tag[TAG_ROOM];
	fallback_tag(n, "", tag);
	op_ask(op, call, "GET", n->pair);
	call->accept = MEDIA_ACCEPT;
	call->accept_status = absent;
	call->follow = true;
	return op_path(op, err, "/v2/%s/manifests/%s", call->repository, tag);
}

/* A tag that has all that the API says goes as it is; so does one that is no list, which
 * is told where it is read. */
static void finish_tag_list(struct op *op, const struct berth_error *err)
{
	struct node *n = op->object;
	struct transfer *t = op->run;
	struct berth_error mine = *err, none = ERROR_INIT;
	AUTO_JSON json_t *doc = NULL;
	if (mine.code) {
		fail_list(t, n, &mine);
		return;
	}
	const struct buf *body = registry_body(op->q);
	if (registry_status(op->q) == 404) {
		add_found(t, n);
		return;
	}
	bool is_json =
		!js_parse(buf_text(body), body->byte_count, &js_limits_registry, &doc, &none);
	json_t *list = is_json ? json_object_get(doc, "manifests") : NULL;
	size_t added = 0;
	if (json_is_array(list) && append_missing(list, n->found, &added, &mine)) {
		fail_list(t, n, &mine);
	} else if (!added) {
		add_list_tag(t, n);
	} else {
		json_decref(n->found);
		n->found = json_incref(list);
		add_found(t, n);
	}
}

/* A registry that has had the API for a while only may still have the tag, with more or
 * with less on it than the API says. */
static void take_found(struct transfer *t, struct node *n)
{
	char tag[TAG_ROOM];
	fallback_tag(n, "", tag);
	n->is_searched = true;
	if (!json_array_size(n->found))
		add_list_tag(t, n);
	else if (tags_have(&n->pair->companion_tags, tag))
		op_add(t, SIDE_SOURCE, n, prepare_tag_list, finish_tag_list);
	else
		add_found(t, n);
}

static void ask_api(struct transfer *t, struct node *n);

static void probe_ended(struct transfer *t, bool has_api)
{
	struct side *source = &t->sides[SIDE_SOURCE];
	struct vec waiting = t->probing;
	t->probing = (struct vec){0};
	source->referrers = has_api ? API_YES : API_NO;
	t->probe = NULL;
	for (size_t i = 0; i < waiting.count; i++)
		if (has_api)
			ask_api(t, waiting.items[i]);
		else
			add_list_tag(t, waiting.items[i]);
	vec_done(&waiting);
}

/* A 404 to the first page says that there is none; to another one, that it was lost. */
static bool is_absent(struct op *op, int status, struct berth_error *err)
{
	if (status == 200 || err->code)
		return false;
	if (op->step)
		berth_fail_http(err, status, "the list is not whole");
	return !op->step;
}

static void finish_referrers(struct op *op, const struct berth_error *err)
{
	struct node *n = op->object;
	struct transfer *t = op->run;
	struct berth_error mine = *err;
	bool more = false, absent = is_absent(op, registry_status(op->q), &mine);
	if (!mine.code && !absent)
		take_page(op, n, &more, &mine);
	if (more) {
		op_again(op, prepare_referrers, finish_referrers);
		return;
	}
	/* A page for people in answer to the first question: no such API. */
	bool probe = t->probe == n;
	bool no_api = probe &&
		      (absent || mine.code == BERTH_E_INVALID || mine.code == BERTH_E_UNSUPPORTED);
	if (probe)
		probe_ended(t, !no_api);
	if (mine.code && !no_api)
		fail_list(t, n, &mine);
	else if (no_api || absent)
		add_list_tag(t, n);
	else
		take_found(t, n);
}

static void ask_api(struct transfer *t, struct node *n)
{
	struct berth_error err = ERROR_INIT;
	n->found = fan_find_referrers(t, n);
	if (n->found) {
		take_found(t, n);
		return;
	}
	n->found = json_array();
	if (n->found) {
		op_add(t, SIDE_SOURCE, n, prepare_referrers, finish_referrers);
		return;
	}
	berth_fail_memory(&err);
	run_abort(t, &err);
}

void node_companions(struct transfer *t, struct node *n)
{
	struct side *source = &t->sides[SIDE_SOURCE];
	if (!t->rule->referrers || n->lists)
		return;
	add_tagged(t, n);
	if (source->referrers == API_UNKNOWN)
		source->referrers = fan_source_api(t);
	switch (source->referrers) {
	case API_UNKNOWN:
		source->referrers = API_ASKED;
		t->probe = n;
		ask_api(t, n);
		break;
	case API_ASKED:
		vec_add(t, &t->probing, n);
		break;
	case API_YES:
		ask_api(t, n);
		break;
	default:
		add_list_tag(t, n);
		break;
	}
}

/* Was nothing of what the list names put by this run? */
static bool is_all_found(struct transfer *t, const struct image *list)
{
	const struct doc *m = list->root->doc;
	for (size_t i = 0; i < m->need_count; i++) {
		const struct node *n = run_node(t, list->pair, &m->needs[i].digest);
		if (!n || !n->is_there)
			return false;
	}
	return true;
}

static int prepare_target_api(struct op *op, struct registry_call *call, struct berth_error *err)
{
	static const unsigned short absent[] = {401, 404, 0}; /* 401: see request.c */
	const struct image *i = op->object;
	op_ask(op, call, "GET", i->pair);
	call->accept = MEDIA_OCI_INDEX;
	call->accept_status = absent;
	return op_object(op, call, "referrers", &i->subject->digest, err);
}

/* Anything but a list is no such API: then the tag stands in for it. */
static void finish_target_api(struct op *op, const struct berth_error *err)
{
	struct side *target = &op->run->sides[SIDE_TARGET];
	struct berth_error none = ERROR_INIT;
	AUTO_JSON json_t *doc = NULL;
	const struct buf *body = registry_body(op->q);
	bool has_api =
		!err->code && registry_status(op->q) == 200 &&
		!js_parse(buf_text(body), body->byte_count, &js_limits_registry, &doc, &none) &&
		json_is_array(json_object_get(doc, "manifests"));
	if (target->referrers != API_YES)
		target->referrers = has_api ? API_YES : API_NO;
	image_put(op->run, op->object);
}

void companion_list_put(struct transfer *t, struct image *i)
{
	if (t->sides[SIDE_TARGET].referrers == API_YES)
		image_end(t, i, is_all_found(t, i) ? IMAGE_PRESENT : IMAGE_COPIED);
	else
		op_add(t, SIDE_TARGET, i, prepare_target_api, finish_target_api);
}

int companion_unite(struct transfer *t, struct image *i, const char *bytes, size_t byte_count,
		    bool *ret_same, struct berth_error *err)
{
	AUTO_JSON json_t *theirs = NULL, *ours = NULL;
	const struct doc *m = i->root->doc;
	(void)t;
	int r = js_parse(bytes, byte_count, &js_limits_registry, &theirs, err);
	if (!r)
		r = js_parse(m->bytes, m->byte_count, &js_limits_registry, &ours, err);
	if (r)
		return r;
	json_t *list = json_object_get(theirs, "manifests");
	if (!json_is_array(list))
		return berth_fail(err, BERTH_E_PROTOCOL,
				  "the target's tag '%.80s' is not a list of referrers",
				  i->target_tag);
	size_t own = json_array_size(list);
	size_t added;
	r = append_missing(list, json_object_get(ours, "manifests"), &added, err);
	if (r)
		return r;
	*ret_same = !added;
	/* Ours has all of theirs: our bytes go as they are, and stay equal. */
	if (!added || own + added == json_array_size(json_object_get(ours, "manifests")))
		return 0;
	i->body = js_text(theirs);
	i->body_type = strdup(MEDIA_OCI_INDEX);
	if (!i->body || !i->body_type)
		return berth_fail_memory(err);
	i->body_byte_count = strlen(i->body);
	if (i->body_byte_count > js_limits_registry.bytes)
		return berth_fail(err, BERTH_E_LIMIT, "the list of referrers would be over 4 MiB");
	return 0;
}
