/* SPDX-License-Identifier: Apache-2.0 */
/* References: see reference.h. */
#include "core/oci/reference.h"

#include <stdio.h>
#include <string.h>

#include "core/base/text.h"

static bool is_lower_alnum(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

/* The length of a separator inside a path component: one dot, one or two
 * underscores, any number of dashes; 0 where there is none. */
static size_t separator_bytes(const char *s)
{
	if (*s == '.')
		return 1;
	if (*s == '_')
		return s[1] == '_' ? 2 : 1;
	return strspn(s, "-");
}

/* Reads [a-z0-9]+(separator[a-z0-9]+)*; returns where it ends. */
static const char *skip_component(const char *s)
{
	for (;;) {
		const char *word = s;
		while (is_lower_alnum(*s))
			s++;
		if (s == word)
			return word;
		size_t n = separator_bytes(s);
		if (!n || !is_lower_alnum(s[n]))
			return s;
		s += n;
	}
}

static int fail_repository(const char *s, const char *at, struct berth_error *err)
{
	if (*at >= 'A' && *at <= 'Z')
		return berth_fail(err, BERTH_E_INVALID,
				  "'%.100s' is no repository: upper case is not allowed", s);
	if (at == s || *at == '/' || !*at || at[-1] == '/')
		return berth_fail(err, BERTH_E_INVALID, "'%.100s' is no repository: %s", s,
				  at == s && !*at ? "it is empty"
						  : "each part must begin with a-z or 0-9");
	return berth_fail(err, BERTH_E_INVALID,
			  "'%.100s' is no repository: '%.1s' can't stand there (parts of a-z 0-9 "
			  "joined by . _ __ or -)",
			  s, (unsigned char)*at < 0x80 ? at : "?");
}

int reference_check_repository(const char *s, struct berth_error *err)
{
	if (strlen(s) > REPOSITORY_MAX_BYTES)
		return berth_fail(err, BERTH_E_INVALID,
				  "a repository of %zu characters (at most %d)", strlen(s),
				  REPOSITORY_MAX_BYTES);
	const char *at = s;
	for (;;) {
		const char *end = skip_component(at);
		if (end == at || (*end && *end != '/'))
			return fail_repository(s, end, err);
		if (!*end)
			return 0;
		at = end + 1;
	}
}

static bool is_tag_char(char c, bool first)
{
	return is_lower_alnum(c) || (c >= 'A' && c <= 'Z') || c == '_' ||
	       (!first && (c == '.' || c == '-'));
}

int reference_check_tag(const char *s, struct berth_error *err)
{
	size_t n = strlen(s);
	if (!n)
		return berth_fail(err, BERTH_E_INVALID, "the tag is empty");
	if (n > TAG_MAX_BYTES)
		return berth_fail(err, BERTH_E_INVALID, "a tag of %zu characters (at most %d)", n,
				  TAG_MAX_BYTES);
	for (size_t i = 0; i < n; i++)
		if (!is_tag_char(s[i], i == 0))
			return berth_fail(err, BERTH_E_INVALID,
					  "'%s' is no tag (letters, digits, _ . -, and neither . "
					  "nor - first)",
					  s);
	return 0;
}

bool reference_is_repository(const char *s)
{
	struct berth_error ignored = ERROR_INIT;
	return reference_check_repository(s, &ignored) == 0;
}

bool reference_is_tag(const char *s)
{
	struct berth_error ignored = ERROR_INIT;
	return reference_check_tag(s, &ignored) == 0;
}

bool reference_is_digest(const char *s)
{
	struct berth_error ignored = ERROR_INIT;
	struct digest d;
	return digest_parse(s, &d, &ignored) == 0;
}

static int take_integration(const char *text, size_t n, struct reference *ret,
			    struct berth_error *err)
{
	if (n < sizeof ret->integration) {
		memcpy(ret->integration, text, n);
		ret->integration[n] = 0;
		if (text_is_integration(ret->integration))
			return 0;
	}
	if (memchr(text, ':', n))
		return berth_fail(err, BERTH_E_INVALID,
				  "'%.*s' is no integration's name (a host and port? write the "
				  "integration's name instead)",
				  n > 80 ? 80 : (int)n, text);
	return berth_fail(err, BERTH_E_INVALID, "'%.*s' is no integration's name",
			  n > 80 ? 80 : (int)n, text);
}

static int take_repository(const char *from, size_t n, struct reference *ret,
			   struct berth_error *err)
{
	if (n > REPOSITORY_MAX_BYTES)
		return berth_fail(err, BERTH_E_INVALID,
				  "a repository of %zu characters (at most %d)", n,
				  REPOSITORY_MAX_BYTES);
	memcpy(ret->repository, from, n);
	ret->repository[n] = 0;
	return reference_check_repository(ret->repository, err);
}

static int take_tag(const char *from, size_t n, struct reference *ret, struct berth_error *err)
{
	if (n > TAG_MAX_BYTES)
		return berth_fail(err, BERTH_E_INVALID, "a tag of %zu characters (at most %d)", n,
				  TAG_MAX_BYTES);
	memcpy(ret->tag, from, n);
	ret->tag[n] = 0;
	return reference_check_tag(ret->tag, err);
}

int reference_parse(const char *text, struct reference *ret, struct berth_error *err)
{
	const char *at = strchr(text, '@'), *end = at ? at : text + strlen(text);
	const char *slash = memchr(text, '/', (size_t)(end - text)), *colon = NULL;
	struct digest d;

	memset(ret, 0, sizeof *ret);
	if (!slash)
		return berth_fail(
			err, BERTH_E_INVALID,
			"'%.100s' is no reference (INTEGRATION/REPOSITORY[:TAG][@DIGEST])", text);
	int r = take_integration(text, (size_t)(slash - text), ret, err);
	for (const char *s = slash + 1; s < end; s++)
		colon = *s == ':' ? s : *s == '/' ? NULL : colon;
	if (!r)
		r = take_repository(slash + 1, (size_t)((colon ? colon : end) - slash - 1), ret,
				    err);
	if (!r && colon)
		r = take_tag(colon + 1, (size_t)(end - colon - 1), ret, err);
	if (!r && at)
		r = digest_parse(at + 1, &d, err);
	if (!r && at)
		digest_format(&d, ret->digest);
	return r;
}

void reference_fallback_tag(const char *digest, char *to)
{
	size_t colon = strcspn(digest, ":");
	snprintf(to, TAG_MAX_BYTES + 1, "%.*s-%.64s", colon > 32 ? 32 : (int)colon, digest,
		 digest[colon] ? digest + colon + 1 : "");
}
