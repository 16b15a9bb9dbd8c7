/* SPDX-License-Identifier: Apache-2.0 */
/* A rule may name platforms. Then an index is put without the others: a new index,
 * made only of what is left of the source's, so the same rule gives the same digest
 * each time. Attestations stay with the manifest that they are about.
 */
#include <string.h>

#include "core/base/js.h"
#include "core/transfer/parts.h"

static bool is_wanted(const struct rule *rule, const json_t *entry)
{
	const json_t *p = json_object_get(entry, "platform");
	if (!json_is_object(p))
		return true;
	return rule_has_platform(rule, js_str(p, "os", ""), js_str(p, "architecture", ""),
				 js_str(p, "variant", NULL));
}

/* The digest of the manifest that an attestation is about, or NULL. */
static const char *about(const json_t *entry)
{
	return js_str(json_object_get(entry, "annotations"), "vnd.docker.reference.digest", NULL);
}

static bool has_wanted(const struct rule *rule, const json_t *entries, const char *digest)
{
	size_t i;
	json_t *one;
	json_array_foreach (entries, i, one) {
		if (!strcmp(js_str(one, "digest", ""), digest))
			return is_wanted(rule, one);
	}
	return false;
}

/* NULL: no memory; an index without one of them would be a wrong one. */
static json_t *choose(const struct rule *rule, const json_t *entries)
{
	AUTO_JSON json_t *kept = json_array();
	size_t i;
	json_t *one;
	json_array_foreach (entries, i, one) {
		const char *subject = about(one);
		bool is_meant = subject ? has_wanted(rule, entries, subject) : is_wanted(rule, one);
		if (is_meant && json_array_append(kept, one))
			return NULL;
	}
	return STEAL(kept);
}

static int store_chosen(struct transfer *t, const struct doc *from, const json_t *doc,
			struct digest *ret, struct berth_error *err)
{
	AUTO_FREE char *text = js_text(doc);
	if (!text)
		return berth_fail_memory(err);
	int r = digest_of(DIGEST_SHA256, text, strlen(text), ret, err);
	struct doc *m = r ? NULL : run_doc(t, from->pair, ret);
	if (!m)
		return r ? r : berth_fail_memory(err);
	if (m->state == DOC_UNREAD)
		m->pinned = true;
	doc_store(t, m, from->media_type, text, strlen(text));
	return 0;
}

int platforms_choose(struct transfer *t, struct doc *m, struct digest *digest,
		     struct berth_error *err)
{
	AUTO_JSON json_t *doc = NULL;
	if (m->state != DOC_READ || !m->need_count || !m->needs[0].is_manifest)
		return 0;
	int r = js_parse(m->bytes, m->byte_count, &js_limits_registry, &doc, err);
	if (r)
		return r;
	const json_t *entries = json_object_get(doc, "manifests");
	json_t *kept = choose(t->rule, entries);
	size_t left = json_array_size(kept), had = json_array_size(entries);
	if (json_object_set_new(doc, "manifests", kept))
		return berth_fail_memory(err);
	if (!left)
		return berth_fail(err, BERTH_E_NOT_FOUND, "none of the rule's platforms is in it");
	return left == had ? 0 : store_chosen(t, m, doc, digest, err);
}
