/* SPDX-License-Identifier: Apache-2.0 */
/* A copy job with several targets: a way to each of them (copy.h), planned one after
 * the other and run together, so that the source is read once (fan.h). A target whose
 * way fails as a whole has one failed outcome a repository; the others go on.
 */
#include <string.h>

#include "core/base/js.h"
#include "core/base/text.h"
#include "core/transfer/copy.h"

struct ways {
	struct copy list[TRANSFER_FAN_MAX];
	size_t count;
	struct fan *fan;
	enum fan_mode mode;
};

static void ways_done(struct ways *w)
{
	for (size_t i = 0; i < w->count; i++)
		transfer_free(STEAL(w->list[i].transfer));
	fan_free(w->fan);
	for (size_t i = w->count; i > 0; i--)
		copy_done(&w->list[i - 1]);
}

bool fan_is_wanted(const struct job *j)
{
	return json_array_size(json_object_get(job_args(j), "targets")) > 0;
}

struct copy *fan_way(const struct copy *c, int64_t number)
{
	struct ways *w = (struct ways *)c->first; /* its first member */
	return number >= 0 && (size_t)number < w->count ? &w->list[number] : NULL;
}

/* --- progress --- */

static void add_number(json_t *to, const char *key, const json_t *from)
{
	json_object_set_new(to, key, json_integer(js_int(to, key, 0) + js_int(from, key, 0)));
}

void fan_progress(struct copy *c, uint64_t done, uint64_t total, const char *stage,
		  const json_t *more)
{
	static const char *const sums[] = {"rate", "images", "waiting", "failed"};
	const struct ways *w = (const struct ways *)c->first; /* its first member */
	AUTO_JSON json_t *all = json_object(), *streams = json_array();
	uint64_t all_done = 0, all_total = 0;
	c->done = done;
	c->total = total;
	json_decref(c->progress);
	c->progress = json_deep_copy(more);
	for (size_t i = 0; i < w->count; i++) {
		const struct copy *one = &w->list[i];
		json_t *its = json_object_get(one->progress, "streams");
		all_done += one->done;
		all_total += one->total;
		for (size_t k = 0; one->progress && k < ARRAY_COUNT(sums); k++)
			add_number(all, sums[k], one->progress);
		if (its)
			json_array_extend(streams, its);
	}
	json_object_set(all, "requests", json_object_get(more, "requests"));
	json_object_set(all, "streams", streams);
	job_progress(c->job, all_done, all_total, "bytes", stage, all);
}

/* --- ways --- */

/* The rule with one of the targets as its own. */
static int parse_rule(struct copy *c, const json_t *end, struct berth_error *err)
{
	AUTO_JSON json_t *doc = json_deep_copy(json_object_get(job_args(c->job), "rule"));
	AUTO_JSON json_t *target = json_deep_copy(end);
	json_object_del(target, "error");
	if (!doc || !target || json_object_set(doc, "target", target))
		return berth_fail_memory(err);
	return rule_parse(doc, &c->rule, err);
}

static void hear_all(void *user)
{
	struct ways *w = user;
	for (size_t i = 0; i < w->count; i++)
		copy_hear(&w->list[i]);
}

/* What is the source's, opened once. */
static int open_source(struct ways *w, struct berth_error *err)
{
	struct copy *first = &w->list[0];
	int code = net_loop_new(&first->loop, err);
	if (!code)
		code = fan_new(first->loop, 0, &w->fan, err);
	if (!code)
		net_loop_watch(first->loop, job_fd(first->job), hear_all, w);
	if (!code)
		code = backend_open(first->job, first->rule->source.instance, &first->source, err);
	return code ? code : copy_find_repositories(first, err);
}

static void lend(struct ways *w, struct copy *c)
{
	const struct copy *first = &w->list[0], *opener = first;
	c->fan = w->fan;
	c->verify = w->mode == FAN_VERIFY;
	if (c == first)
		return;
	c->loop = first->loop;
	c->source = first->source;
	c->repositories = json_incref(first->repositories);
	while (opener < c && !opener->registries[0])
		opener++;
	if (opener == c)
		return;
	c->base_urls[0] = strdup(opener->base_urls[0]);
	c->flags[0] = opener->flags[0];
	c->registries[0] = opener->registries[0];
	c->borrows_registry = true;
}

static int open_way(struct ways *w, struct copy *c, const json_t *end, struct berth_error *err)
{
	const json_t *error = json_object_get(end, "error");
	if (error)
		js_to_error(error, err);
	if (error && err->code)
		return err->code;
	lend(w, c);
	int code = copy_open_backends(c, err);
	return code ? code : copy_plan(c, err);
}

static int open_ways(struct ways *w, struct job *j, struct berth_error *err)
{
	const json_t *ends = json_object_get(job_args(j), "targets"), *end;
	size_t i;
	if (json_array_size(ends) > TRANSFER_FAN_MAX)
		return berth_fail(err, BERTH_E_INVALID, "more than %d targets", TRANSFER_FAN_MAX);
	json_array_foreach (ends, i, end) {
		w->list[i] = (struct copy){
			.job = j, .index = (unsigned)i, .first = w->list, .broken = ERROR_INIT};
		w->count++;
		if (parse_rule(&w->list[i], end, err))
			return err->code;
	}
	if (open_source(w, err))
		return err->code;
	json_array_foreach (ends, i, end) {
		struct berth_error why = ERROR_INIT;
		if (!open_way(w, &w->list[i], end, &why))
			continue;
		if (job_cancelled(j) || why.code == BERTH_E_NO_MEMORY) {
			*err = why;
			return err->code;
		}
		w->list[i].failure = why;
		transfer_free(STEAL(w->list[i].transfer));
	}
	return 0;
}

/* --- what came out --- */

/* One repository that was not copied at all, as an outcome or a plan's step. */
static json_t *failed_item(const struct copy *c, const char *name, enum fan_mode mode)
{
	struct berth_error ignored = ERROR_INIT;
	const json_t *tags = c->rule->tags;
	const char *tag = rule_has_literal_tags(c->rule) && json_array_size(tags) == 1
				  ? json_string_value(json_array_get(tags, 0))
				  : NULL;
	const char *to_tag = tag && c->rule->target_tag ? c->rule->target_tag : tag;
	AUTO_FREE char *mapped = NULL;
	if (rule_map(c->rule, name, &mapped, &ignored))
		return NULL;
	json_t *more = json_pack("{s:s, s:i, s:o}", mode == FAN_PLAN ? "action" : "state",
				 mode == FAN_PLAN ? "fail" : "failed", "attempts", 1, "error",
				 js_of_error(&c->failure));
	if (!more)
		return NULL;
	json_object_set_new(json_object_get(more, "error"), "integration",
			    json_string(c->rule->target.instance));
	json_object_set_new(more, "source",
			    json_sprintf("%s/%s%s%s", c->rule->source.instance, name,
					 tag ? ":" : "", tag ? tag : ""));
	return json_pack("{s:s, s:o, s:i, s:o}", "kind", mode == FAN_RUN ? "image" : "step", "name",
			 json_sprintf("%s/%s%s%s", c->rule->target.instance, mapped, tag ? ":" : "",
				      tag ? to_tag : ""),
			 "bytes", 0, "more", more);
}

static int report_failure(const struct copy *c, const json_t *repositories, enum fan_mode mode,
			  struct berth_error *err)
{
	size_t i;
	json_t *name;
	json_array_foreach (repositories, i, name) {
		AUTO_JSON json_t *item = failed_item(c, json_string_value(name), mode);
		int code = item ? job_item(c->job, item, err) : berth_fail_memory(err);
		if (code)
			return code;
	}
	return 0;
}

/* Adds up counts, those of a comparison, too. */
static void add_totals(json_t *to, const json_t *from)
{
	const char *key;
	json_t *value;
	json_object_foreach ((json_t *)(uintptr_t)from, key, value) {
		if (json_is_integer(value))
			add_number(to, key, from);
		if (!json_is_object(value))
			continue;
		if (!json_object_get(to, key))
			json_object_set_new(to, key, json_object());
		add_totals(json_object_get(to, key), value);
	}
}

static json_t *totals_of(const struct copy *c, size_t repositories)
{
	json_int_t failed = (json_int_t)repositories;
	if (c->totals)
		return json_incref(c->totals);
	if (!c->failure.code)
		return transfer_totals(c->transfer);
	return json_pack("{s:I, s:I}", "images", failed, "failed", failed);
}

/* The sums over all targets, and each one's own. */
static int sum_up(const struct ways *w, json_t **ret, struct berth_error *err)
{
	const json_t *repositories = w->list[0].repositories;
	AUTO_JSON json_t *sums = json_object();
	json_t *targets = json_array();
	if (!sums || json_object_set_new(sums, "targets", targets))
		return berth_fail_memory(err);
	for (size_t i = 0; i < w->count; i++) {
		const struct copy *c = &w->list[i];
		if (c->failure.code && report_failure(c, repositories, w->mode, err))
			return err->code;
		AUTO_JSON json_t *its = totals_of(c, json_array_size(repositories));
		AUTO_JSON json_t *shown = json_deep_copy(its);
		if (!shown)
			return berth_fail_memory(err);
		add_totals(sums, its);
		json_object_set_new(shown, "target", json_string(c->rule->target.instance));
		if (c->failure.code)
			json_object_set_new(shown, "error", js_of_error(&c->failure));
		if (json_array_append(targets, shown))
			return berth_fail_memory(err);
	}
	*ret = STEAL(sums);
	return 0;
}

static int run_ways(struct ways *w, struct berth_error *err)
{
	struct transfer *list[TRANSFER_FAN_MAX];
	size_t count = 0;
	for (size_t i = 0; i < w->count; i++) {
		struct copy *c = &w->list[i];
		if (c->failure.code)
			continue;
		list[count++] = c->transfer;
		if (c->rule->verify && !(c->noted = json_object()))
			return berth_fail_memory(err);
	}
	int code = count ? transfer_run_all(list, count, err) : 0;
	for (size_t i = 0; !code && i < w->count; i++) {
		struct copy *c = &w->list[i];
		if (c->failure.code || !c->rule->verify)
			continue;
		AUTO_JSON json_t *totals = transfer_totals(c->transfer);
		code = totals ? copy_compare(c, totals, err) : berth_fail_memory(err);
	}
	return code;
}

/* What is told of each way once all are planned. */
static void report_ways(struct ways *w)
{
	for (size_t i = 0; i < w->count; i++) {
		struct copy *c = &w->list[i];
		if (c->failure.code)
			continue;
		if (w->mode == FAN_PLAN)
			transfer_report_plan(c->transfer);
		else
			c->totals = transfer_report_verify(c->transfer);
	}
}

int fan_job(struct job *j, enum fan_mode mode, json_t **ret_value, struct berth_error *err)
{
	struct ways w CLEANUP(ways_done) = {.mode = mode};
	int code = open_ways(&w, j, err);
	if (!code && mode == FAN_RUN)
		code = run_ways(&w, err);
	else if (!code)
		report_ways(&w);
	return code ? code : sum_up(&w, ret_value, err);
}
