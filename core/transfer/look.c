/* SPDX-License-Identifier: Apache-2.0 */
/* Looking for changes at a source: see look.h. What was asked for one rule is known
 * for the next one.
 */
#include "core/transfer/look.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/digest.h"
#include "core/base/js.h"
#include "core/oci/fetch.h"
#include "core/oci/lists.h"
#include "core/transfer/bulk.h"
#include "core/transfer/job.h"
#include "core/transfer/rule.h"
#include "core/worker/arguments.h"

/* One rule of the call, as it was understood; rule NULL: why. */
struct looked {
	struct rule *rule;
	struct berth_error why;
};

struct look {
	struct job *job;
	struct backend *backend;
	struct net_loop *loop;
	struct registry *registry;
	char *base_url;
	json_t *rules;        /* of the call */
	json_t *repositories; /* names that some rule may mean, sorted by use */
	json_t *known;        /* {REPOSITORY: {TAG: DIGEST, or "" where it was not asked}} */
	size_t head_count;
};

static void look_done(struct look *l)
{
	registry_close(l->registry);
	net_loop_free(l->loop);
	backend_close(l->backend);
	free(l->base_url);
	json_decref(l->repositories);
	json_decref(l->known);
}

/* What ends the whole job, not one rule's part of it. */
static bool ends_all(int code)
{
	return code == BERTH_E_CANCELLED || code == BERTH_E_TIMEOUT || code == BERTH_E_NO_MEMORY;
}

/* --- the source's lists --- */

static int take_repository(void *user, const struct berth_item *item, json_t *more,
			   struct berth_error *err)
{
	struct look *l = user;
	(void)more;
	if (item->kind != BERTH_ITEM_REPOSITORY || !item->name)
		return 0;
	return json_array_append_new(l->repositories, json_string(item->name))
		       ? berth_fail_memory(err)
		       : 0;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Where a repository is; the registry stays open while the address does. */
static int find_place(struct look *l, const char *repository, char **ret_path,
		      struct berth_error *err)
{
	struct berth_oci_endpoint at;
	int code = backend_oci_endpoint(l->backend, repository, &at, err);
	if (code)
		return code;
	if (!l->base_url || strcmp(l->base_url, at.base_url) != 0) {
		registry_close(STEAL(l->registry));
		free(l->base_url);
		l->base_url = strdup(at.base_url);
		struct copy_place place = {
			.job = l->job, .backend = l->backend, .loop = l->loop, .at = &at};
		code = l->base_url ? copy_registry_open(&place, &l->registry, err)
				   : berth_fail_memory(err);
	}
	*ret_path = code ? NULL : strdup(at.repository);
	return code || *ret_path ? code : berth_fail_memory(err);
}

static int take_tag(void *user, const char *name)
{
	return json_object_set_new(user, name, json_string(""));
}

static void list_ended(void *user, const struct berth_error *err)
{
	(void)user; /* list_run gives the error back */
	(void)err;
}

/* The tags of a repository: those known in bulk, else its list. One that is gone
 * has none. Borrowed from l->known. */
static int find_tags(struct look *l, const char *repository, json_t **ret, struct berth_error *err)
{
	AUTO_JSON json_t *tags = json_object();
	AUTO_FREE char *path = NULL;
	struct berth_error mine = ERROR_INIT;
	*ret = json_object_get(l->known, repository);
	if (*ret)
		return 0;
	int code = tags ? find_place(l, repository, &path, err) : berth_fail_memory(err);
	if (code)
		return code;
	struct list_call call = {.kind = LIST_TAGS,
				 .repository = path,
				 .item = take_tag,
				 .done = list_ended,
				 .user = tags};
	code = list_run(l->registry, &call, NULL, &mine);
	if (code && code != BERTH_E_NOT_FOUND) {
		*err = mine;
		return berth_wrap(err, "cannot list the tags of '%.150s'", repository);
	}
	*ret = tags;
	return json_object_set(l->known, repository, tags) ? berth_fail_memory(err) : 0;
}

/* --- digests --- */

/* Asks for those of the tags whose digest is not known yet. */
static int ask_digests(struct look *l, const char *repository, char **tags, size_t count,
		       json_t *known, struct berth_error *err)
{
	AUTO_FREE char *path = NULL;
	AUTO_FREE struct fetch_item *items = calloc(count + 1, sizeof(*items));
	size_t wanted = 0;
	if (!items)
		return berth_fail_memory(err);
	for (size_t i = 0; i < count; i++)
		if (!*js_str(known, tags[i], ""))
			items[wanted++] =
				(struct fetch_item){.reference = tags[i], .head_only = true};
	l->head_count += wanted;
	if (!wanted)
		return 0;
	if (l->head_count > LOOK_HEADS_MAX)
		return berth_fail(err, BERTH_E_LIMIT,
				  "more than %d tags would have to be asked for one by one at each "
				  "look: narrow the rule, or run it by the clock",
				  LOOK_HEADS_MAX);
	int code = find_place(l, repository, &path, err);
	if (!code)
		code = fetch_manifests(l->registry, path, items, wanted, err);
	/* One that went away between list and question is none; it is asked again. */
	for (size_t i = 0; !code && i < wanted; i++)
		if (items[i].is_found &&
		    json_object_set_new(known, items[i].reference, json_string(items[i].digest)))
			code = berth_fail_memory(err);
	fetch_items_done(items, wanted);
	return code ? berth_wrap(err, "cannot ask for the tags of '%.150s'", repository) : 0;
}

/* The tags that a rule means first, with those by which signatures are found. */
static size_t choose(const struct rule *rule, const char *repository, char **tags, size_t count)
{
	size_t chosen = rule_choose_tags(rule, repository, tags, count);
	for (size_t i = chosen; rule->referrers && i < count; i++) {
		char *tag = tags[i];
		if (!rule_is_referrer_tag(tag))
			continue;
		tags[i] = tags[chosen];
		tags[chosen++] = tag;
	}
	return chosen;
}

static int add_repository(struct look *l, const struct rule *rule, const char *repository,
			  struct hasher *h, int64_t *images, struct berth_error *err)
{
	json_t *known = NULL, *value;
	const char *tag;
	size_t count = 0;
	int code = find_tags(l, repository, &known, err);
	if (code)
		return code;
	AUTO_FREE char **tags = calloc(json_object_size(known) + 1, sizeof(*tags));
	if (!tags)
		return berth_fail_memory(err);
	json_object_foreach (known, tag, value)
		tags[count++] = (char *)(uintptr_t)tag;
	qsort(tags, count, sizeof(*tags), by_name);
	count = choose(rule, repository, tags, count);
	code = ask_digests(l, repository, tags, count, known, err);
	qsort(tags, count, sizeof(*tags), by_name);
	for (size_t i = 0; !code && i < count; i++) {
		const char *parts[] = {repository, ":", tags[i], " ", js_str(known, tags[i], ""),
				       "\n"};
		for (size_t k = 0; k < ARRAY_COUNT(parts); k++)
			hasher_add(h, parts[k], strlen(parts[k]));
		*images += !rule_is_referrer_tag(tags[i]);
	}
	return code;
}

/* --- rules --- */

static int sort_repositories(struct look *l, struct berth_error *err)
{
	size_t count = json_array_size(l->repositories);
	AUTO_JSON json_t *sorted = json_array();
	AUTO_FREE const char **names = calloc(count + 1, sizeof(*names));
	if (!names || !sorted)
		return berth_fail_memory(err);
	for (size_t i = 0; i < count; i++)
		names[i] = json_string_value(json_array_get(l->repositories, i));
	qsort(names, count, sizeof(*names), by_name);
	for (size_t i = 0; i < count; i++) {
		bool is_again = i && !strcmp(names[i], names[i - 1]); /* pages overlap at times */
		if (!is_again && json_array_append_new(sorted, json_string(names[i])))
			return berth_fail_memory(err);
	}
	json_decref(l->repositories);
	l->repositories = STEAL(sorted);
	return 0;
}

/* All repositories that some rule may mean, and what the backend knows of them in
 * bulk. */
static int find_repositories(struct look *l, const struct looked *looked, size_t rule_count,
			     struct berth_error *err)
{
	const struct backend_sink to = {take_repository, l};
	AUTO_JSON json_t *meant = json_array();
	size_t i;
	json_t *name;
	int code =
		meant ? backend_repositories(l->backend, NULL, &to, err) : berth_fail_memory(err);
	if (code)
		return berth_wrap(err, "cannot list the repositories");
	json_array_foreach (l->repositories, i, name) {
		bool is_meant = false;
		for (size_t k = 0; k < rule_count && !is_meant; k++)
			is_meant = looked[k].rule &&
				   rule_has_repository(looked[k].rule, json_string_value(name));
		if (is_meant && json_array_append(meant, name))
			return berth_fail_memory(err);
	}
	json_decref(l->repositories);
	l->repositories = STEAL(meant);
	code = sort_repositories(l, err);
	return code ? code : bulk_tags(l->backend, l->repositories, &l->known, err);
}

/* What a rule would read now, as one digest. */
static int look_at(struct look *l, const json_t *doc, const struct rule *rule, json_t **ret,
		   struct berth_error *err)
{
	AUTO(hasher) struct hasher *h = NULL;
	AUTO_FREE char *seed = js_canonical(doc);
	char text[DIGEST_TEXT_ROOM];
	struct digest digest;
	size_t i;
	json_t *name;
	int64_t images = 0;
	if (!seed)
		return berth_fail_memory(err);
	int code = hasher_new(DIGEST_SHA256, &h, err);
	if (code)
		return code;
	hasher_add(h, seed, strlen(seed) + 1);
	json_array_foreach (l->repositories, i, name) {
		if (!code && rule_has_repository(rule, json_string_value(name)))
			code = add_repository(l, rule, json_string_value(name), h, &images, err);
	}
	if (code)
		return code;
	hasher_end(h, &digest);
	digest_format(&digest, text);
	*ret = json_pack("{s:s, s:I}", "seen", text, "images", (json_int_t)images);
	return *ret ? 0 : berth_fail_memory(err);
}

static int give(struct look *l, const char *name, json_t *value, struct berth_error *err)
{
	AUTO_JSON json_t *item = json_pack("{s:s, s:s, s:{s:O}}", "kind", "fact", "name", name,
					   "more", "value", value);
	return item ? job_item(l->job, item, err) : berth_fail_memory(err);
}

/* One rule's part; an error of its own is its item. */
static int do_rule(struct look *l, const json_t *one, struct looked *looked,
		   struct berth_error *err)
{
	AUTO_JSON json_t *value = NULL;
	struct berth_error *why = &looked->why;
	if (!why->code)
		(void)look_at(l, json_object_get(one, "rule"), looked->rule, &value, why);
	if (ends_all(why->code)) {
		*err = *why;
		return err->code;
	}
	if (why->code)
		value = json_pack("{s:o}", "error", js_of_error(why));
	return value ? give(l, js_str(one, "name", ""), value, err) : berth_fail_memory(err);
}

static int do_rules(struct look *l, struct looked *looked, struct berth_error *err)
{
	size_t i;
	const json_t *one;
	json_array_foreach (l->rules, i, one) {
		looked[i].why = (struct berth_error)ERROR_INIT;
		if (rule_parse(json_object_get(one, "rule"), &looked[i].rule, &looked[i].why))
			looked[i].rule = NULL;
	}
	int code = find_repositories(l, looked, json_array_size(l->rules), err);
	json_array_foreach (l->rules, i, one) {
		if (!code)
			code = do_rule(l, one, &looked[i], err);
		job_progress(l->job, i + 1, json_array_size(l->rules), "items", "rules", NULL);
	}
	return code;
}

int look_job_run(struct job *j, json_t **ret_value, struct berth_error *err)
{
	struct look l CLEANUP(look_done) = {.job = j,
					    .rules = json_object_get(job_args(j), "rules"),
					    .repositories = json_array()};
	size_t count = json_array_size(l.rules);
	AUTO_FREE struct looked *looked = calloc(count + 1, sizeof(*looked));
	(void)ret_value;
	if (!l.repositories || !looked)
		return berth_fail_memory(err);
	int code = kind_open(j, &l.backend, err);
	if (!code)
		code = net_loop_new(&l.loop, err);
	if (!code)
		code = do_rules(&l, looked, err);
	for (size_t i = 0; i < count; i++)
		rule_free(looked[i].rule);
	return code;
}
