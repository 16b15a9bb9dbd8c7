/* SPDX-License-Identifier: Apache-2.0 */
/* Referrers: see referrers.h. A 404 of the API means that it is not there;
 * Harbor answers an unknown digest with an empty list, as the specification
 * asks.
 */
#include "core/oci/referrers.h"

#include <string.h>

#include "core/base/text.h"
#include "core/oci/link.h"
#include "core/oci/reference.h"

#define PAGES_MAX 100

static int ask(struct registry *r, const char *repository, const char *path,
	       struct registry_request **ret, struct berth_error *err)
{
	/* What lacks the API answers 404, some gateways 400 or 405, and Harbor
	 * before 2.8 a 401 without a challenge. */
	static const unsigned short absent[] = {400, 401, 404, 405, 0};
	struct registry_call call = {
		.method = "GET",
		.path = path,
		.repository = repository,
		.rights = REGISTRY_PULL,
		.accept = MEDIA_OCI_INDEX,
		.accept_status = absent,
		.follow = true,
	};
	return registry_wait(r, &call, ret, err);
}

static int give(const struct buf *body, const char *type,
		int (*each)(void *user, const struct descriptor *d), void *user,
		struct berth_error *err)
{
	AUTO(manifest) struct manifest *m = NULL;
	int rc = manifest_parse(buf_text(body), body->byte_count, type, &m, err);
	if (rc)
		return rc;
	if (m->kind != MANIFEST_INDEX)
		return berth_fail(err, BERTH_E_PROTOCOL, "a list of referrers that is no index");
	for (size_t i = 0; i < m->child_count; i++)
		if (each(user, m->children + i))
			return berth_fail(err, BERTH_E_CANCELLED, "the list was given up");
	return 0;
}

/* One page: gives its entries and finds the next one. */
static int take_page(struct registry_request *q, struct trail *trail,
		     int (*each)(void *user, const struct descriptor *d), void *user,
		     char **ret_next, struct berth_error *err)
{
	int rc = give(registry_body(q), registry_header(q, "content-type"), each, user, err);
	if (!rc)
		rc = registry_next(q, ret_next, err);
	if (!rc && *ret_next && trail_repeats(trail, *ret_next))
		rc = berth_fail(err, BERTH_E_PROTOCOL,
				"the list of referrers is not whole: its "
				"pages go round in a circle");
	return rc;
}

static int by_api(struct registry *r, const char *repository, const char *digest,
		  int (*each)(void *user, const struct descriptor *d), void *user,
		  bool *ret_is_there, struct berth_error *err)
{
	AUTO_FREE char *path = text_printf("/v2/%s/referrers/%s", repository, digest);
	struct trail trail = {0};
	if (path)
		(void)trail_repeats(&trail, path); /* the first page */
	*ret_is_there = false;
	for (int page = 0; path; page++) {
		AUTO(registry_request) struct registry_request *q = NULL;
		AUTO_FREE char *asked = STEAL(path);
		int rc = page < PAGES_MAX
				 ? ask(r, repository, asked, &q, err)
				 : berth_fail(err, BERTH_E_PROTOCOL,
					      "the list of referrers is not whole: it has no end");
		if (!rc && registry_status(q) != 200 && !page)
			return 0;
		if (!rc && registry_status(q) != 200)
			rc = berth_fail_http(err, registry_status(q),
					     "the list of referrers is not whole");
		if (!rc)
			rc = take_page(q, &trail, each, user, &path, err);
		if (rc)
			return rc;
		*ret_is_there = true;
	}
	return *ret_is_there ? 0 : berth_fail_memory(err);
}

static int by_tag(struct registry *r, const char *repository, const char *digest,
		  int (*each)(void *user, const struct descriptor *d), void *user,
		  struct berth_error *err)
{
	char tag[TAG_MAX_BYTES + 1];
	AUTO(registry_request) struct registry_request *q = NULL;
	reference_fallback_tag(digest, tag);
	AUTO_FREE char *path = text_printf("/v2/%s/manifests/%s", repository, tag);
	int rc = path ? ask(r, repository, path, &q, err) : berth_fail_memory(err);
	if (rc || registry_status(q) != 200)
		return rc;
	return give(registry_body(q), registry_header(q, "content-type"), each, user, err);
}

int referrers_list(struct registry *r, const char *repository, const char *digest,
		   int (*each)(void *user, const struct descriptor *d), void *user,
		   bool *ret_by_api, struct berth_error *err)
{
	bool is_there;
	int rc = by_api(r, repository, digest, each, user, &is_there, err);
	if (!rc && !is_there)
		rc = by_tag(r, repository, digest, each, user, err);
	if (ret_by_api)
		*ret_by_api = is_there;
	return rc;
}
