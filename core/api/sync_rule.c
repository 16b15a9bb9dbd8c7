/* SPDX-License-Identifier: Apache-2.0 */
/* Copy rules as data: translated for the engine, and compared with each other.
 * Pure but for memory.
 */
#include <stdio.h>
#include <string.h>

#include "core/api/sync.h"
#include "core/base/semver.h"
#include "core/base/text.h"
#include "core/transfer/rule.h"

int sync_end_parse(const char *text, struct sync_end *ret, struct berth_error *err)
{
	const char *slash = strchr(text, '/');
	size_t length = slash ? (size_t)(slash - text) : strlen(text);

	*ret = (struct sync_end){.integration = ""};
	if (length >= sizeof(ret->integration))
		return berth_fail(err, BERTH_E_INVALID, "expected INTEGRATION[/PREFIX]");
	memcpy(ret->integration, text, length);
	if (!text_is_integration(ret->integration))
		return berth_fail(err, BERTH_E_INVALID,
				  "%.64s is no name of an integration: expected "
				  "INTEGRATION[/PREFIX]",
				  ret->integration);
	if (!slash)
		return 0;
	if (reference_check_repository(slash + 1, err))
		return err->code;
	strncpy(ret->path, slash + 1, sizeof(ret->path) - 1);
	return 0;
}

/* Copies the members that mean the same to the engine. */
static void put_common(json_t *rule, const json_t *from)
{
	static const char *const same[][2] = {
		{"exclude", "exclude"},     {"tags", "tags"},
		{"platforms", "platforms"}, {"override", "override"},
		{"referrers", "referrers"}, {"flatten", "flatten"},
		{"repositories", "names"},  {"limit_bytes_per_s", "limit_bytes_per_s"},
		{"semver", "semver"},       {"exclude_tags", "exclude_tags"},
		{"newest", "newest"},       {"verify", "verify"},
	};

	for (size_t i = 0; i < ARRAY_COUNT(same); i++) {
		json_t *value = json_object_get(from, same[i][0]);
		bool is_empty = (json_is_array(value) && !json_array_size(value)) ||
				(json_is_string(value) && !json_string_length(value)) ||
				(json_is_integer(value) && !json_integer_value(value));
		if (value && !json_is_null(value) && !is_empty)
			json_object_set(rule, same[i][1], value);
	}
}

bool engine_rule_is_right(const json_t *rule, struct findings *f)
{
	struct berth_error err = ERROR_INIT;
	struct rule *parsed AUTO(rule) = NULL;

	if (!rule_parse(rule, &parsed, &err))
		return true;
	findings_add_error(f, "", "rule-invalid", &err);
	return false;
}

bool engine_rules_are_right(const json_t *rule, const json_t *targets, struct findings *f)
{
	const json_t *to;
	size_t i;

	if (!json_array_size(targets))
		return engine_rule_is_right(rule, f);
	json_array_foreach (targets, i, to) {
		json_t *one AUTO_JSON = json_copy((json_t *)rule);
		json_object_set(one, "target", (json_t *)to);
		if (!engine_rule_is_right(one, f))
			return false;
	}
	return true;
}

static void check_values(const json_t *from, struct findings *f)
{
	const char *range = js_str(from, "semver", "");
	int64_t limit = js_int(from, "limit_bytes_per_s", 0);

	if (*range && !semver_is_range(range))
		findings_add(f, "/semver", "range-invalid",
			     "expected a range of versions, as ^1.2 or >=1.4 <2 || 3.x");
	if (limit && limit < RULE_LIMIT_MIN)
		findings_add(f, "/limit_bytes_per_s", "limit-invalid",
			     "expected 0 (no limit), or at least %d", RULE_LIMIT_MIN);
}

size_t sync_target_count(const json_t *desired)
{
	size_t count = json_array_size(json_object_get(desired, "targets"));

	return count ? count : 1;
}

const char *sync_target(const json_t *desired, size_t i)
{
	const json_t *targets = json_object_get(desired, "targets");
	const char *text = json_string_value(json_array_get(targets, i));

	return json_array_size(targets) ? (text ? text : "") : js_str(desired, "target", "");
}

void sync_settle_targets(json_t *desired, struct findings *f)
{
	json_t *targets = json_object_get(desired, "targets");
	const char *one = js_str(desired, "target", NULL);
	const char *first = json_string_value(json_array_get(targets, 0));

	if (!one && !first)
		findings_add(f, "/target", "target-missing",
			     "name a target, or two and more as targets");
	else if (one && first && strcmp(one, first) != 0)
		findings_add(f, "/target", "target-missing",
			     "expected the first of targets, or nothing beside them");
	else if (!one)
		json_object_set_new(desired, "target", json_string(first));
	if (json_array_size(targets) < 2)
		json_object_set_new(desired, "targets", json_array());
}

/* An end of a rule as the engine has it; "" for what is wrong, which is found. */
static json_t *end_of(const char *text, const char *pointer, struct findings *f)
{
	struct sync_end end;
	struct berth_error err = ERROR_INIT;

	if (sync_end_parse(text, &end, &err))
		findings_add_error(f, pointer, "reference-invalid", &err);
	json_t *object = json_pack("{s:s}", "instance", end.integration);
	js_put_str(object, "prefix", end.path);
	return object;
}

static void check_twice(const json_t *targets, size_t i, const char *pointer, struct findings *f)
{
	const char *name = js_str(json_array_get(targets, i), "instance", "");

	for (size_t k = 0; *name && k < i; k++)
		if (!strcmp(js_str(json_array_get(targets, k), "instance", ""), name))
			findings_add(
				f, pointer, "target-twice",
				"integration %s is a target already: copy within it from there",
				name);
}

/* All targets of a rule that has several, else an empty array. */
static json_t *rule_targets(const json_t *desired, struct findings *f)
{
	json_t *targets = json_array();
	char pointer[24];

	for (size_t i = 0; sync_target_count(desired) > 1 && i < sync_target_count(desired); i++) {
		snprintf(pointer, sizeof(pointer), "/targets/%zu", i);
		json_array_append_new(targets, end_of(sync_target(desired, i), pointer, f));
		check_twice(targets, i, pointer, f);
	}
	return targets;
}

json_t *sync_engine_rule(const json_t *desired, json_t **ret_targets, struct findings *f)
{
	unsigned losses = js_losses();
	json_t *source = end_of(js_str(desired, "source", ""), "/source", f);
	json_t *targets AUTO_JSON = rule_targets(desired, f);
	json_t *target = json_array_size(targets) ? json_incref(json_array_get(targets, 0))
						  : end_of(sync_target(desired, 0), "/target", f);
	json_t *rule AUTO_JSON = json_pack("{s:o, s:o}", "source", source, "target", target);

	check_values(desired, f);
	if (f->count)
		return NULL;
	put_common(rule, desired);
	if (js_losses() != losses || !rule)
		return NULL; /* one that lacks a choice would copy more */
	if (ret_targets)
		*ret_targets = STEAL(targets);
	return STEAL(rule);
}

/* Tags: those asked for, all, or the one of the reference. */
static void put_tags(json_t *rule, const json_t *body, const struct reference *source,
		     struct findings *f)
{
	const json_t *globs = json_object_get(body, "tags");
	bool wants_all = js_bool(body, "all_tags", false) || json_array_size(globs) ||
			 json_array_size(json_object_get(body, "exclude_tags")) ||
			 *js_str(body, "semver", "") || js_int(body, "newest", 0) > 0;

	if (wants_all && (*source->tag || *source->digest))
		findings_add(f, "/source", "tag-and-all",
			     "name one tag or ask for all of them, not both");
	else if (!wants_all && !*source->tag && !*source->digest)
		findings_add(f, "/source", "tag-missing",
			     "name a tag or a digest, or ask for all tags");
	else if (*source->digest)
		json_object_set_new(rule, "digest", json_string(source->digest));
	else if (*source->tag)
		json_object_set_new(rule, "tags", json_pack("[s]", source->tag));
}

static void put_target(json_t *target, const char *text, const struct reference *source,
		       const char *pointer, struct findings *f)
{
	struct reference to = {.integration = ""};
	struct berth_error err = ERROR_INIT;

	if (text_is_integration(text)) {
		json_object_set_new(target, "instance", json_string(text));
		json_object_set_new(target, "repository", json_string(source->repository));
		return;
	}
	if (reference_parse(text, &to, &err)) {
		findings_add_error(f, pointer, "reference-invalid", &err);
		return;
	}
	if (*to.digest)
		findings_add(f, pointer, "reference-invalid",
			     "a target has no digest: it follows from what is copied");
	json_object_set_new(target, "instance", json_string(to.integration));
	json_object_set_new(target, "repository", json_string(to.repository));
	js_put_str(target, "tag", *to.tag ? to.tag : *source->digest ? source->tag : NULL);
}

/* Two to eight targets, each in an integration of its own. */
static json_t *targets_of(const json_t *body, const struct reference *source, struct findings *f)
{
	const json_t *texts = json_object_get(body, "targets"), *text;
	json_t *targets = json_array();
	char pointer[24];
	size_t i;

	json_array_foreach (texts, i, text) {
		json_t *target = json_object();
		snprintf(pointer, sizeof(pointer), "/targets/%zu", i);
		put_target(target, json_string_value(text), source, pointer, f);
		json_array_append_new(targets, target);
		check_twice(targets, i, pointer, f);
	}
	return targets;
}

json_t *copy_engine_rule(const json_t *body, json_t **ret_targets, struct findings *f)
{
	struct reference source = {.integration = ""};
	struct berth_error err = ERROR_INIT;
	bool has_one = json_object_get(body, "target"), has_more = json_object_get(body, "targets");

	if (reference_parse(js_str(body, "source", ""), &source, &err)) {
		findings_add_error(f, "/source", "reference-invalid", &err);
		return NULL;
	}
	json_t *rule = json_pack("{s:{s:s, s:s}, s:{}}", "source", "instance", source.integration,
				 "repository", source.repository, "target");
	check_values(body, f);
	put_common(rule, body);
	put_tags(rule, body, &source, f);
	if (has_one == has_more)
		findings_add(f, has_one ? "/targets" : "/target", "target-missing",
			     "name a target, or two and more as targets");
	else if (has_one)
		put_target(json_object_get(rule, "target"), js_str(body, "target", ""), &source,
			   "/target", f);
	json_t *targets = targets_of(body, &source, f);
	if (has_more)
		json_object_set(rule, "target", json_array_get(targets, 0));
	if (!f->count) {
		*ret_targets = targets;
		return rule;
	}
	json_decref(targets);
	json_decref(rule);
	return NULL;
}

/* --- what rules do to each other --- */

/* Could one text match both patterns? Compared up to the first wildcard. */
static bool may_meet(const char *a, const char *b)
{
	size_t literal_a = strcspn(a, "*?{"), literal_b = strcspn(b, "*?{");
	size_t shorter = literal_a < literal_b ? literal_a : literal_b;

	if (strncmp(a, b, shorter) != 0)
		return false;
	if (!a[literal_a] && !b[literal_b])
		return literal_a == literal_b;
	if (!a[literal_a])
		return literal_a >= literal_b;
	return b[literal_b] || literal_b >= literal_a;
}

/* A prefix, and a glob of at most 255 characters below it. */
#define PATTERN_ROOM (REPOSITORY_MAX_BYTES + 1 + 255 * 4 + 1)

/* The i-th pattern of full names below an end; false: no more. */
static bool pattern_of(const json_t *desired, const char *prefix, size_t i, bool is_target,
		       char to[PATTERN_ROOM])
{
	const json_t *names = json_object_get(desired, "repositories");
	size_t count = json_array_size(names);
	bool is_flat = is_target && js_int(desired, "flatten", 0) > 0;
	const char *below = is_flat || !count ? "**" : json_string_value(json_array_get(names, i));

	if (i >= (is_flat || !count ? 1 : count))
		return false;
	snprintf(to, PATTERN_ROOM, "%s%s%s", prefix, *prefix ? "/" : "", below);
	return true;
}

static bool names_meet(const struct sync_route *a, bool a_target, const struct sync_route *b,
		       bool b_target)
{
	const char *prefix_a = !a_target || !*a->target.path ? a->source.path : a->target.path;
	const char *prefix_b = !b_target || !*b->target.path ? b->source.path : b->target.path;
	char one[PATTERN_ROOM], other[PATTERN_ROOM];

	for (size_t i = 0; pattern_of(a->desired, prefix_a, i, a_target, one); i++)
		for (size_t j = 0; pattern_of(b->desired, prefix_b, j, b_target, other); j++)
			if (may_meet(one, other))
				return true;
	return false;
}

/* May both rules mean one tag? False only where no tag is of both. */
static bool tags_meet(const json_t *a, const json_t *b)
{
	const char *range_a = js_str(a, "semver", ""), *range_b = js_str(b, "semver", "");
	const json_t *tags_a = json_object_get(a, "tags"), *tags_b = json_object_get(b, "tags");
	const json_t *one, *other;
	size_t i, j;

	if (*range_a && *range_b && !semver_ranges_meet(range_a, range_b))
		return false;
	if (!json_array_size(tags_a) || !json_array_size(tags_b))
		return true;
	json_array_foreach (tags_a, i, one)
		json_array_foreach (tags_b, j, other)
			if (may_meet(json_string_value(one), json_string_value(other)))
				return true;
	return false;
}

bool sync_same_target(const struct sync_route *a, const struct sync_route *b)
{
	return !strcmp(a->target_address, b->target_address) && names_meet(a, true, b, true) &&
	       tags_meet(a->desired, b->desired);
}

bool sync_feeds(const struct sync_route *a, const struct sync_route *b)
{
	return !strcmp(a->target_address, b->source_address) && names_meet(a, true, b, false) &&
	       tags_meet(a->desired, b->desired);
}

bool sync_feeds_itself(const struct sync_route *a)
{
	return sync_feeds(a, a);
}
