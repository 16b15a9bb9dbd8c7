/* SPDX-License-Identifier: Apache-2.0 */
/* The copy rule: see rule.h. Members are checked by a table, then the few
 * conditions between members.
 */
#include "core/transfer/rule.h"

#include <assert.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/js.h"
#include "core/base/semver.h"
#include "core/base/text.h"
#include "core/oci/reference.h"

#define LIST_MAX 1000
#define TEXT_MAX 255
#define FLATTEN_MAX 64
#define NEWEST_MAX 100000
#define LIMIT_MAX 1073741824

static bool is_glob(const char *s)
{
	return s[strcspn(s, "*?{")] != 0;
}

static bool is_pattern(const char *s)
{
	return *s && strlen(s) <= TEXT_MAX;
}

static bool is_tag_pattern(const char *s)
{
	return is_glob(s) ? is_pattern(s) : reference_is_tag(s);
}

/* os/architecture or os/architecture/variant */
static bool is_platform(const char *s)
{
	size_t parts = 0;
	while (parts < 3) {
		size_t n = strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789._-");
		if (!n)
			return false;
		parts++;
		s += n;
		if (!*s)
			return parts > 1;
		if (*s++ != '/')
			return false;
	}
	return false;
}

static bool is_image(const char *s)
{
	const char *colon = strchr(s, ':');
	AUTO_FREE char *repository = colon ? strndup(s, (size_t)(colon - s)) : NULL;
	return repository && reference_is_repository(repository) && reference_is_tag(colon + 1);
}

/* What a text member may be, and how a refusal names it. */
static const struct form {
	bool (*check)(const char *s);
	const char *expected;
} forms[] = {
	{text_is_integration, "the name of an integration"},
	{reference_is_repository, "a repository path (lower case letters, digits, . _ - and /)"},
	{reference_is_tag, "a tag (letters, digits, . _ -; at most 128)"},
	{is_pattern, "a pattern of at most 255 bytes"},
	{is_tag_pattern, "a tag or a pattern"},
	{reference_is_digest, "a digest (sha256: and 64, or sha512: and 128 hex digits)"},
	{is_platform, "a platform (os/architecture[/variant])"},
	{semver_is_range, "a range of versions, as ^1.2 or >=1.4 <2 || 3.x"},
	{is_image, "an image (REPOSITORY:TAG)"},
};
enum {
	F_NAME,
	F_REPOSITORY,
	F_TAG,
	F_PATTERN,
	F_TAG_PATTERN,
	F_DIGEST,
	F_PLATFORM,
	F_RANGE,
	F_IMAGE
};

enum { M_TEXT, M_LIST, M_BOOL, M_COUNT, M_NEWEST, M_RATE, M_OBJECT };
struct member {
	const char *name;
	int type;
	int form;
	size_t at; /* offset of the target in the struct that is filled */
};
static const struct member rule_members[] = {
	{"source", M_OBJECT, 0, 0},
	{"target", M_OBJECT, 0, 0},
	{"names", M_LIST, F_PATTERN, offsetof(struct rule, names)},
	{"exclude", M_LIST, F_PATTERN, offsetof(struct rule, exclude)},
	{"tags", M_LIST, F_TAG_PATTERN, offsetof(struct rule, tags)},
	{"exclude_tags", M_LIST, F_PATTERN, offsetof(struct rule, exclude_tags)},
	{"semver", M_TEXT, F_RANGE, offsetof(struct rule, semver)},
	{"newest", M_NEWEST, 0, offsetof(struct rule, newest)},
	{"only", M_LIST, F_IMAGE, offsetof(struct rule, only)},
	{"platforms", M_LIST, F_PLATFORM, offsetof(struct rule, platforms)},
	{"digest", M_TEXT, F_DIGEST, offsetof(struct rule, digest)},
	{"referrers", M_BOOL, 0, offsetof(struct rule, referrers)},
	{"override", M_BOOL, 0, offsetof(struct rule, override)},
	{"verify", M_BOOL, 0, offsetof(struct rule, verify)},
	{"flatten", M_COUNT, 0, offsetof(struct rule, flatten)},
	{"limit_bytes_per_s", M_RATE, 0, offsetof(struct rule, limit_bytes_per_s)},
};
static const struct member source_members[] = {
	{"instance", M_TEXT, F_NAME, offsetof(struct rule, source.instance)},
	{"repository", M_TEXT, F_REPOSITORY, offsetof(struct rule, source.repository)},
	{"prefix", M_TEXT, F_REPOSITORY, offsetof(struct rule, source.prefix)},
};
static const struct member target_members[] = {
	{"instance", M_TEXT, F_NAME, offsetof(struct rule, target.instance)},
	{"repository", M_TEXT, F_REPOSITORY, offsetof(struct rule, target.repository)},
	{"prefix", M_TEXT, F_REPOSITORY, offsetof(struct rule, target.prefix)},
	{"tag", M_TEXT, F_TAG, offsetof(struct rule, target_tag)},
};
#define NAMES_MAX 16

static int refuse(struct berth_error *err, const char *where, const char *name,
		  const char *expected)
{
	return berth_fail(err, BERTH_E_INVALID, "rule: %s/%s is not %s", where, name, expected);
}

static int check_text(const json_t *value, const char *where, const char *name, int form,
		      struct berth_error *err)
{
	const char *s = json_string_value(value);
	if (s && strlen(s) == json_string_length(value) && forms[form].check(s))
		return 0;
	refuse(err, where, name, forms[form].expected);
	return s ? berth_cause(err, "'%.100s'", s) : err->code;
}

static int check_list(const json_t *value, const char *where, const struct member *m,
		      struct berth_error *err)
{
	size_t i;
	json_t *one;
	if (!json_is_array(value) || json_array_size(value) > LIST_MAX)
		return refuse(err, where, m->name, "a list of at most 1000 texts");
	json_array_foreach (value, i, one) {
		int r = check_text(one, where, m->name, m->form, err);
		if (r)
			return r;
	}
	return 0;
}

/* The bounds of whole numbers, and how a refusal names them. */
static const struct range {
	int64_t min, max;
	const char *expected;
} ranges[] = {
	[M_COUNT] = {0, FLATTEN_MAX, "a number from 0 to 64"},
	[M_NEWEST] = {0, NEWEST_MAX, "a number from 0 to 100000"},
	[M_RATE] = {RULE_LIMIT_MIN, LIMIT_MAX, "a number from 16384 to 1073741824"},
};

static bool is_number(const json_t *value, const struct range *in)
{
	return json_is_integer(value) && json_integer_value(value) >= in->min &&
	       json_integer_value(value) <= in->max;
}

static int set_member(char *base, const json_t *value, const char *where, const struct member *m,
		      struct berth_error *err)
{
	int r = 0;
	switch (m->type) {
	case M_TEXT:
		r = check_text(value, where, m->name, m->form, err);
		*(const char **)(base + m->at) = json_string_value(value);
		return r;
	case M_LIST:
		r = check_list(value, where, m, err);
		*(const json_t **)(base + m->at) = json_array_size(value) ? value : NULL;
		return r;
	case M_BOOL:
		if (!json_is_boolean(value))
			return refuse(err, where, m->name, "true or false");
		*(bool *)(base + m->at) = json_is_true(value);
		return 0;
	case M_COUNT:
	case M_NEWEST:
	case M_RATE:
		if (!is_number(value, &ranges[m->type]))
			return refuse(err, where, m->name, ranges[m->type].expected);
		if (m->type == M_RATE)
			*(int64_t *)(base + m->at) = json_integer_value(value);
		else
			*(int *)(base + m->at) = (int)json_integer_value(value);
		return 0;
	default:
		return json_is_object(value) ? 0 : refuse(err, where, m->name, "an object");
	}
}

static int refuse_unknown(const char *where, const char *name, const struct member *members,
			  size_t member_count, struct berth_error *err)
{
	const char *names[NAMES_MAX + 1] = {NULL};
	for (size_t i = 0; i < member_count && i < NAMES_MAX; i++)
		names[i] = members[i].name;
	const char *near = text_closest(name, names);
	berth_fail(err, BERTH_E_INVALID, "rule: %s has no member '%.60s'", *where ? where : "/",
		   name);
	return near ? berth_cause(err, "did you mean '%s'?", near) : err->code;
}

static int set_members(struct rule *r, json_t *object, const char *where,
		       const struct member *members, size_t member_count, struct berth_error *err)
{
	const char *name;
	json_t *value;
	json_object_foreach (object, name, value) {
		const struct member *m = NULL;
		for (size_t i = 0; i < member_count; i++)
			if (!strcmp(members[i].name, name))
				m = &members[i];
		if (!m)
			return refuse_unknown(where, name, members, member_count, err);
		if (json_is_null(value))
			continue;
		int code = set_member((char *)r, value, where, m, err);
		if (code)
			return code;
	}
	return 0;
}

static int need(const void *present, const char *what, struct berth_error *err)
{
	return present ? 0 : berth_fail(err, BERTH_E_INVALID, "rule: %s is missing", what);
}

static int check_ends(const struct rule *r, struct berth_error *err)
{
	int code = need(r->source.instance, "/source/instance", err);
	if (!code)
		code = need(r->target.instance, "/target/instance", err);
	if (code)
		return code;
	if (r->source.repository && r->source.prefix)
		return berth_fail(err, BERTH_E_INVALID,
				  "rule: /source has both repository and prefix, one is meant");
	if (r->target.repository && r->target.prefix)
		return berth_fail(err, BERTH_E_INVALID,
				  "rule: /target has both repository and prefix, one is meant");
	if (r->target.repository && !r->source.repository)
		return berth_fail(err, BERTH_E_INVALID,
				  "rule: /target/repository needs a /source/repository; many "
				  "repositories can't go to one");
	return 0;
}

static int check_selection(const struct rule *r, struct berth_error *err)
{
	bool one_tag = rule_has_literal_tags(r) && json_array_size(r->tags) == 1;
	if (r->digest && r->tags)
		return berth_fail(err, BERTH_E_INVALID,
				  "rule: /digest and /tags are both there, one is meant");
	if (r->digest && (r->exclude_tags || r->semver || r->newest))
		return berth_fail(err, BERTH_E_INVALID,
				  "rule: /digest names one image, but /exclude_tags, /semver and "
				  "/newest choose among tags");
	if (r->digest && !r->source.repository)
		return berth_fail(err, BERTH_E_INVALID, "rule: /digest needs a /source/repository");
	if (r->target_tag && !(r->source.repository && (r->digest || one_tag)))
		return berth_fail(err, BERTH_E_INVALID,
				  "rule: /target/tag needs a /source/repository and one tag or "
				  "digest of it");
	if (r->source.repository && (r->names || r->exclude))
		return berth_fail(err, BERTH_E_INVALID,
				  "rule: /names and /exclude choose among repositories, but "
				  "/source/repository names one");
	return 0;
}

/* Every target is its own source: nothing could ever change. */
static int check_onto_itself(const struct rule *r, struct berth_error *err)
{
	AUTO_FREE char *mapped = NULL;
	const char *name = r->source.repository ? r->source.repository : r->source.prefix;
	assert(r->source.instance && r->target.instance); /* check_ends has asked for both */
	if (strcmp(r->source.instance, r->target.instance) != 0 || r->target_tag)
		return 0;
	int code = name ? rule_map(r, name, &mapped, err) : 0;
	if (code)
		return code;
	bool same = r->source.repository
			    ? mapped && !strcmp(mapped, name)
			    : !r->flatten && (!r->target.prefix ||
					      (r->source.prefix &&
					       !strcmp(r->target.prefix, r->source.prefix)));
	return same ? berth_fail(err, BERTH_E_INVALID, "rule: it would copy '%s' onto itself",
				 name ? name : r->source.instance)
		    : 0;
}

int rule_parse(const json_t *doc, struct rule **ret, struct berth_error *err)
{
	if (!json_is_object(doc))
		return berth_fail(err, BERTH_E_INVALID, "rule: not an object");
	AUTO(rule) struct rule *r = calloc(1, sizeof *r);
	if (!r || !(r->doc = json_deep_copy(doc)))
		return berth_fail_memory(err);
	r->referrers = r->override = true;
	int code = set_members(r, r->doc, "", rule_members, ARRAY_COUNT(rule_members), err);
	if (!code)
		code = set_members(r, json_object_get(r->doc, "source"), "/source", source_members,
				   ARRAY_COUNT(source_members), err);
	if (!code)
		code = set_members(r, json_object_get(r->doc, "target"), "/target", target_members,
				   ARRAY_COUNT(target_members), err);
	if (!code)
		code = check_ends(r, err);
	if (!code)
		code = check_selection(r, err);
	if (!code)
		code = check_onto_itself(r, err);
	if (code)
		return code;
	*ret = STEAL(r);
	return 0;
}

void rule_free(struct rule *r)
{
	if (r)
		json_decref(r->doc);
	free(r);
}

static bool matches(const json_t *patterns, const char *s)
{
	size_t i;
	json_t *one;
	json_array_foreach (patterns, i, one) {
		if (text_glob(json_string_value(one), s))
			return true;
	}
	return false;
}

/* What follows prefix and a slash; NULL where the name is not below it. The
 * prefix itself, as a repository, counts as its own last part. */
static const char *below(const char *prefix, const char *name)
{
	size_t n = prefix ? strlen(prefix) : 0;
	if (!n)
		return name;
	if (strncmp(name, prefix, n) != 0)
		return NULL;
	if (!name[n]) {
		const char *last = strrchr(name, '/');
		return last ? last + 1 : name;
	}
	return name[n] == '/' ? name + n + 1 : NULL;
}

/* Is it one of those named in full? tag NULL: any tag of the repository. */
static bool is_only(const struct rule *r, const char *repository, const char *tag)
{
	size_t i, n = strlen(repository);
	json_t *one;
	json_array_foreach (r->only, i, one) {
		const char *s = json_string_value(one);
		if (!strncmp(s, repository, n) && s[n] == ':' && (!tag || !strcmp(s + n + 1, tag)))
			return true;
	}
	return false;
}

bool rule_has_repository(const struct rule *r, const char *repository)
{
	if (r->source.repository)
		return !strcmp(r->source.repository, repository);
	const char *rest = below(r->source.prefix, repository);
	if (r->only && !is_only(r, repository, NULL))
		return false;
	return rest && (!r->names || matches(r->names, rest)) && !matches(r->exclude, rest);
}

bool rule_is_referrer_tag(const char *tag)
{
	static const char *const ends[] = {"", ".sig", ".att", ".sbom"};
	size_t n = !strncmp(tag, "sha256-", 7) ? 64 : !strncmp(tag, "sha512-", 7) ? 128 : 0;
	if (!n || strspn(tag + 7, "0123456789abcdef") != n)
		return false;
	for (size_t i = 0; i < ARRAY_COUNT(ends); i++)
		if (!strcmp(tag + 7 + n, ends[i]))
			return true;
	return false;
}

static bool wants_tag(const struct rule *r, const char *tag)
{
	size_t i;
	json_t *one;
	bool special = rule_is_referrer_tag(tag);
	if (!r->tags)
		return !special;
	json_array_foreach (r->tags, i, one) {
		const char *s = json_string_value(one);
		if (is_glob(s) ? !special && text_glob(s, tag) : !strcmp(s, tag))
			return true;
	}
	return false;
}

bool rule_has_tag(const struct rule *r, const char *tag)
{
	return !r->digest && wants_tag(r, tag) && !matches(r->exclude_tags, tag) &&
	       (!r->semver || semver_in_range(tag, r->semver));
}

static int newest_first(const void *a, const void *b)
{
	return semver_compare(*(char *const *)b, *(char *const *)a);
}

size_t rule_choose_tags(const struct rule *r, const char *repository, char **tags, size_t count)
{
	size_t chosen = 0;
	for (size_t i = 0; i < count; i++) {
		char *tag = tags[i];
		if (!rule_has_tag(r, tag) || (r->only && !is_only(r, repository, tag)))
			continue;
		tags[i] = tags[chosen];
		tags[chosen++] = tag;
	}
	if (!r->newest || chosen <= (size_t)r->newest)
		return chosen;
	qsort(tags, chosen, sizeof *tags, newest_first);
	return (size_t)r->newest;
}

bool rule_has_literal_tags(const struct rule *r)
{
	size_t i;
	json_t *one;
	if (r->exclude_tags || r->semver || r->newest || r->only)
		return false;
	json_array_foreach (r->tags, i, one) {
		if (is_glob(json_string_value(one)))
			return false;
	}
	return r->tags != NULL;
}

bool rule_has_platform(const struct rule *r, const char *os, const char *arch, const char *variant)
{
	size_t i;
	json_t *one;
	if (!r->platforms)
		return true;
	json_array_foreach (r->platforms, i, one) {
		const char *want = json_string_value(one);
		size_t o = strlen(os), a = strlen(arch);
		if (strncmp(want, os, o) != 0 || want[o] != '/' ||
		    strncmp(want + o + 1, arch, a) != 0)
			continue;
		want += o + 1 + a;
		if (!*want || (*want == '/' && variant && !strcmp(want + 1, variant)))
			return true;
	}
	return false;
}

int rule_map(const struct rule *r, const char *repository, char **ret, struct berth_error *err)
{
	const char *rest = repository;
	if (r->target.repository) {
		*ret = strdup(r->target.repository);
		return *ret ? 0 : berth_fail_memory(err);
	}
	if (r->target.prefix && below(r->source.prefix, repository))
		rest = below(r->source.prefix, repository);
	for (int i = 0; i < r->flatten; i++) {
		/* The analyzer takes below's NULL for the repository's. */
		// NOLINTNEXTLINE(clang-analyzer-core.NonNullParamChecker)
		const char *slash = strchr(rest, '/');
		if (!slash)
			break;
		rest = slash + 1;
	}
	if (!*rest)
		return berth_fail(err, BERTH_E_INVALID, "'%s' is no repository's name", repository);
	char *name = r->target.prefix ? text_printf("%s/%s", r->target.prefix, rest) : strdup(rest);
	if (!name)
		return berth_fail_memory(err);
	if (strlen(name) > TEXT_MAX) {
		free(name);
		return berth_fail(err, BERTH_E_INVALID,
				  "the target's name of '%s' is longer than 255 bytes", repository);
	}
	*ret = name;
	return 0;
}
