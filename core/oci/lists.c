/* SPDX-License-Identifier: Apache-2.0 */
/* Lists: see lists.h. The end of a list is the absence of a next link and
 * nothing else: servers may give short pages in the middle. docker-registry
 * 2.8 refuses n over its maximum (catalog.maxentries) with 400 and does not
 * page tags at all; distribution 3 pages both.
 */
#include "core/oci/lists.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/js.h"
#include "core/base/text.h"
#include "core/oci/reference.h"
#include "core/oci/registry_private.h"

struct list {
	struct registry *registry;
	struct list_call call;
	char *repository;
	struct registry_request *request;
	uint64_t *seen; /* hashes of the pages' paths */
	size_t page_count, seen_room;
	uint64_t item_count, left_out;
	uint64_t first_hash; /* of the last page's first item */
	bool without_n;      /* the server refused our page size */
};

static void page_done(void *user, struct registry_request *q, const struct berth_error *err);

static uint64_t hash(const char *s)
{
	uint64_t h = 14695981039346656037u; /* FNV-1a */
	for (; *s; s++)
		h = (h ^ (unsigned char)*s) * 1099511628211u;
	return h;
}

int list_parse_page(enum list_kind kind, const char *bytes, size_t byte_count, json_t **ret,
		    struct berth_error *err)
{
	const char *key = kind == LIST_CATALOG ? "repositories" : "tags";
	AUTO_JSON json_t *root = NULL;
	int r = js_parse(bytes, byte_count, &js_limits_registry, &root, err);
	if (r == BERTH_E_INVALID)
		err->code = BERTH_E_PROTOCOL;
	if (r)
		return berth_wrap(err, "a page of %s that can't be read", key);
	json_t *items = json_object_get(root, key), *v;
	size_t i;
	*ret = NULL;
	if (!json_is_object(root) || (items && !json_is_null(items) && !json_is_array(items)) ||
	    !items)
		return berth_fail(err, BERTH_E_PROTOCOL, "a page without a list of %s", key);
	json_array_foreach (items, i, v)
		if (!json_is_string(v))
			return berth_fail(err, BERTH_E_PROTOCOL,
					  "a page of %s with one that is no text", key);
	if (json_is_array(items))
		*ret = json_incref(items);
	return 0;
}

static int fail_not_whole(const struct list *l, const char *why, struct berth_error *err)
{
	const char *what = l->call.kind == LIST_CATALOG ? "repositories" : "tags";
	berth_fail(err, BERTH_E_PROTOCOL, "the list of %s%s%s is not whole", what,
		   l->repository ? " of " : "", l->repository ? l->repository : "");
	return berth_cause(err, "%s", why);
}

/* Notes the page; BERTH_E_PROTOCOL where it was asked for before. */
static int note_page(struct list *l, const char *path, struct berth_error *err)
{
	uint64_t h = hash(path);
	if (l->page_count >= net_client_limits(l->registry->client)->pages_max)
		return fail_not_whole(l, "it has more pages than the limit pages_max", err);
	for (size_t i = 0; i < l->page_count; i++)
		if (l->seen[i] == h)
			return fail_not_whole(l, "the server's pages go round in a circle", err);
	if (l->page_count == l->seen_room) {
		size_t room = l->seen_room ? 2 * l->seen_room : 16;
		uint64_t *seen = realloc(l->seen, room * sizeof *seen);
		if (!seen)
			return berth_fail_memory(err);
		l->seen = seen;
		l->seen_room = room;
	}
	l->seen[l->page_count++] = h;
	return 0;
}

static int ask_page(struct list *l, const char *path, struct berth_error *err)
{
	static const unsigned short bad_request[] = {400, 0};
	struct registry_call call = {
		.method = "GET",
		.path = path,
		.repository = l->repository,
		.rights = l->call.kind == LIST_CATALOG ? REGISTRY_CATALOG : REGISTRY_PULL,
		.accept = "application/json",
		.accept_status = l->without_n || l->page_count ? NULL : bad_request,
		.follow = true,
		.done = page_done,
		.user = l,
	};
	int r = note_page(l, path, err);
	struct registry_request *before = STEAL(l->request);
	if (!r)
		r = registry_start(l->registry, &call, &l->request, err);
	registry_request_free(before);
	return r;
}

static int ask_first(struct list *l, struct berth_error *err)
{
	char n[24] = "";
	if (!l->without_n)
		snprintf(n, sizeof n, "?n=%d", LIST_PAGE_ITEMS);
	AUTO_FREE char *path = l->repository ? text_printf("/v2/%s/tags/list%s", l->repository, n)
					     : text_printf("/v2/_catalog%s", n);
	return path ? ask_page(l, path, err) : berth_fail_memory(err);
}

static bool is_known(const struct list *l, const char *name)
{
	return l->call.kind == LIST_CATALOG ? reference_is_repository(name)
					    : reference_is_tag(name);
}

static bool is_full(const struct list *l)
{
	return l->call.items_max && l->item_count >= l->call.items_max;
}

static int give_items(struct list *l, const json_t *items, struct berth_error *err)
{
	size_t i;
	json_t *v;
	uint32_t most = net_client_limits(l->registry->client)->items_max;
	json_array_foreach ((json_t *)(uintptr_t)items, i, v) {
		const char *name = json_string_value(v);
		if (is_full(l))
			return 0;
		if (l->item_count >= most)
			return fail_not_whole(l, "it has more items than the limit items_max", err);
		if (!is_known(l, name)) {
			l->left_out++;
			continue;
		}
		l->item_count++;
		if (l->call.item(l->call.user, name))
			return berth_fail(err, BERTH_E_CANCELLED, "the list was given up");
	}
	return 0;
}

/* Does this page begin as the one before it did? */
static bool repeats(struct list *l, const json_t *items)
{
	const char *first = json_string_value(json_array_get(items, 0));
	uint64_t h = first ? hash(first) : 0;
	bool again = h && h == l->first_hash;
	l->first_hash = h;
	return again;
}

static int take_page(struct list *l, char **ret_next, struct berth_error *err)
{
	const struct buf *body = registry_body(l->request);
	AUTO_JSON json_t *items = NULL;
	int r = list_parse_page(l->call.kind, buf_text(body), body->byte_count, &items, err);
	if (!r && repeats(l, items))
		r = fail_not_whole(l, "the server gives the same page again", err);
	if (!r)
		r = give_items(l, items, err);
	return r ? r : registry_next(l->request, ret_next, err);
}

static void page_done(void *user, struct registry_request *q, const struct berth_error *answer)
{
	struct list *l = user;
	struct berth_error err = *answer;
	AUTO_FREE char *next = NULL;
	int r = err.code;

	if (!r && registry_status(q) == 400) {
		l->without_n = true;
		l->page_count = 0;
		r = ask_first(l, &err);
		if (!r)
			return;
	} else if (!r) {
		r = take_page(l, &next, &err);
	}
	if (!r && next && !is_full(l)) {
		r = ask_page(l, next, &err);
		if (!r)
			return;
	}
	l->call.done(l->call.user, &err);
}

int list_start(struct registry *r, const struct list_call *call, struct list **ret,
	       struct berth_error *err)
{
	AUTO(list) struct list *l = calloc(1, sizeof *l);
	if (!l)
		return berth_fail_memory(err);
	l->registry = r;
	l->call = *call;
	if (call->repository && !(l->repository = strdup(call->repository)))
		return berth_fail_memory(err);
	int rc = ask_first(l, err);
	if (rc)
		return rc;
	*ret = STEAL(l);
	return 0;
}

void list_free(struct list *l)
{
	if (!l)
		return;
	registry_request_free(l->request);
	free(l->repository);
	free(l->seen);
	free(l);
}

uint64_t list_left_out(const struct list *l)
{
	return l->left_out;
}

struct run {
	struct berth_error err;
	bool ended;
	const struct list_call *call;
};

static int run_item(void *user, const char *name)
{
	struct run *run = user;
	return run->call->item(run->call->user, name);
}

static void run_done(void *user, const struct berth_error *err)
{
	struct run *run = user;
	run->err = *err;
	run->ended = true;
}

static int run_ended(void *user)
{
	return ((struct run *)user)->ended;
}

int list_run(struct registry *r, const struct list_call *call, uint64_t *ret_left_out,
	     struct berth_error *err)
{
	struct run run = {.err = ERROR_INIT, .call = call};
	struct list_call mine = *call;
	AUTO(list) struct list *l = NULL;

	mine.item = run_item;
	mine.done = run_done;
	mine.user = &run;
	int rc = list_start(r, &mine, &l, err);
	if (!rc)
		rc = net_loop_run(r->loop, run_ended, &run, err);
	if (rc)
		return rc;
	if (ret_left_out)
		*ret_left_out = l->left_out;
	if (run.err.code)
		*err = run.err;
	return run.err.code;
}
