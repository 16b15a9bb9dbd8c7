/* SPDX-License-Identifier: Apache-2.0 */
/* Digests in bulk: see bulk.h. A space is asked for as a whole where the rule means
 * many of its repositories; a space that turns out to be mostly others' is left,
 * and its repositories are asked one by one.
 */
#include "core/transfer/bulk.h"

#include <string.h>

#include "core/base/js.h"

#define BY_SPACE_MIN 8   /* repositories */
#define STRANGE_MAX 2000 /* tags of others, before that is compared with ours */
#define TAG_MAX 1000000

struct bulk {
	json_t *found;   /* what is given back */
	json_t *wanted;  /* repositories that are still to be asked: a set */
	json_t *spaces;  /* names */
	const char *one; /* the repository that is asked, or NULL */
	size_t tag_count, strange_count;
};

static int take_space(void *user, const struct berth_item *item, json_t *more,
		      struct berth_error *err)
{
	struct bulk *k = user;
	(void)more;
	if (item->kind != BERTH_ITEM_SPACE || !item->name)
		return 0;
	return json_array_append_new(k->spaces, json_string(item->name)) ? berth_fail_memory(err)
									 : 0;
}

/* Most of what comes is not ours: one by one is cheaper. */
static bool is_strange(const struct bulk *k)
{
	return k->strange_count > STRANGE_MAX && k->strange_count / 4 > k->tag_count;
}

static int take_tag(void *user, const struct berth_item *item, json_t *more,
		    struct berth_error *err)
{
	struct bulk *k = user;
	const char *repository = k->one ? k->one : item->id;
	(void)more;
	if (item->kind != BERTH_ITEM_TAG || !item->name || !item->digest || !repository)
		return 0;
	if (!json_object_get(k->wanted, repository)) {
		k->strange_count++;
		return is_strange(k) ? berth_fail(err, BERTH_E_LIMIT, "mostly tags of others") : 0;
	}
	if (++k->tag_count > TAG_MAX)
		return berth_fail(err, BERTH_E_LIMIT, "more than %d tags", TAG_MAX);
	json_t *tags = json_object_get(k->found, repository);
	if (!tags) {
		tags = json_object();
		if (json_object_set_new(k->found, repository, tags))
			return berth_fail_memory(err);
	}
	return json_object_set_new(tags, item->name, json_string(item->digest))
		       ? berth_fail_memory(err)
		       : 0;
}

static bool is_below(const char *repository, const char *space)
{
	size_t n = strlen(space);
	return !strncmp(repository, space, n) && repository[n] == '/';
}

/* A whole list makes what it says of a repository whole: a part of one is dropped. */
static void settle(struct bulk *k, const char *space, bool is_whole)
{
	const char *name;
	json_t *value;
	void *next;
	json_object_foreach_safe (k->wanted, next, name, value) {
		if (!is_below(name, space))
			continue;
		if (!is_whole)
			json_object_del(k->found, name);
		else
			json_object_del(k->wanted, name);
	}
}

static bool ends_all(int code)
{
	return code == BERTH_E_CANCELLED || code == BERTH_E_TIMEOUT || code == BERTH_E_NO_MEMORY;
}

static int by_space(struct bulk *k, struct backend *b, const char *space, struct berth_error *err)
{
	const struct backend_sink to = {take_tag, k};
	struct berth_error mine = ERROR_INIT;
	size_t count = 0;
	const char *name;
	json_t *value;
	json_object_foreach (k->wanted, name, value)
		count += is_below(name, space);
	if (count < BY_SPACE_MIN)
		return 0;
	k->strange_count = k->tag_count = 0;
	int code = backend_resolve(b, space, &to, &mine);
	settle(k, space, !code);
	if (!ends_all(code))
		return 0;
	*err = mine;
	return code;
}

/* What fails here is asked again by the engine, which says why. */
static int by_repository(struct bulk *k, struct backend *b, const char *name,
			 struct berth_error *err)
{
	const struct backend_sink to = {take_tag, k};
	struct berth_error mine = ERROR_INIT;
	k->one = name;
	k->tag_count = 0;
	int code = backend_tags(b, name, &to, &mine);
	k->one = NULL;
	if (code)
		json_object_del(k->found, name);
	if (!ends_all(code))
		return 0;
	*err = mine;
	return code;
}

/* An account that may not list the spaces may read what it was given all the same. */
static int find_spaces(struct bulk *k, struct backend *b, struct berth_error *err)
{
	const struct backend_sink to = {take_space, k};
	struct berth_error mine = ERROR_INIT;
	if (json_object_size(k->wanted) < BY_SPACE_MIN || !backend_can(b, "integration", "spaces"))
		return 0;
	int code = backend_spaces(b, &to, &mine);
	if (!ends_all(code))
		return 0;
	*err = mine;
	return code;
}

static int ask_all(struct bulk *k, struct backend *b, struct berth_error *err)
{
	const char *name;
	json_t *value;
	size_t i;
	int code = find_spaces(k, b, err);
	json_array_foreach (k->spaces, i, value) {
		if (!code)
			code = by_space(k, b, json_string_value(value), err);
	}
	json_object_foreach (k->wanted, name, value) {
		if (!code)
			code = by_repository(k, b, name, err);
	}
	return code;
}

int bulk_tags(struct backend *b, const json_t *repositories, json_t **ret, struct berth_error *err)
{
	AUTO_JSON json_t *found = json_object();
	AUTO_JSON json_t *wanted = json_object();
	AUTO_JSON json_t *spaces = json_array();
	struct bulk k = {.found = found, .wanted = wanted, .spaces = spaces};
	const json_t *name;
	size_t i;
	if (!found || !wanted || !spaces)
		return berth_fail_memory(err);
	json_array_foreach (repositories, i, name) {
		if (json_object_set_new(wanted, json_string_value(name), json_true()))
			return berth_fail_memory(err);
	}
	int code = backend_can(b, "integration", "resolve") ? ask_all(&k, b, err) : 0;
	if (code)
		return code;
	*ret = STEAL(found);
	return 0;
}
