/* SPDX-License-Identifier: Apache-2.0 */
/* WWW-Authenticate: see challenge.h. One pass from left to right; the grammar
 * is told apart by one look ahead: a token followed by "=" is a parameter of
 * the challenge before it, any other token begins a new one.
 */
#include "core/oci/challenge.h"

#include <stddef.h>
#include <string.h>
#include <strings.h>

#include "core/base/scope.h"

struct reader {
	const char *at;
	struct challenge *to;
	struct challenge bearer; /* the one being read */
	bool in_bearer, bearer_bad;
};

static bool is_token_char(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       (c && strchr("!#$%&'*+-.^_`|~", c));
}

static const char *skip_space(const char *s)
{
	return s + strspn(s, " \t");
}

static size_t token_bytes(const char *s)
{
	size_t n = 0;
	while (is_token_char(s[n]))
		n++;
	return n;
}

/* The value at r->at, unquoted; false where it is malformed or too long. */
static bool read_value(struct reader *r, char *to, size_t room)
{
	size_t n = 0;
	bool fits = true, quoted = *r->at == '"';
	const char *s = r->at + quoted;

	for (; *s && (quoted ? *s != '"' : is_token_char(*s) || strchr(":/=@", *s)); s++) {
		if (quoted && *s == '\\' && s[1])
			s++;
		if (n + 1 < room)
			to[n++] = *s;
		else
			fits = false;
	}
	to[n] = 0;
	bool ended = !quoted || *s == '"';
	r->at = s + (quoted && *s == '"');
	return fits && ended;
}

static void read_parameter(struct reader *r, const char *name, size_t name_bytes)
{
	char ignored[2048];
	const struct {
		const char *name;
		char *to;
		size_t room;
	} known[] = {
		{"realm", r->bearer.realm, sizeof r->bearer.realm},
		{"service", r->bearer.service, sizeof r->bearer.service},
		{"scope", r->bearer.scope, sizeof r->bearer.scope},
		{"error", r->bearer.error, sizeof r->bearer.error},
	};
	for (size_t i = 0; r->in_bearer && i < ARRAY_COUNT(known); i++) {
		if (strlen(known[i].name) != name_bytes ||
		    strncasecmp(known[i].name, name, name_bytes) != 0)
			continue;
		/* The same parameter twice is a trick, not a challenge. */
		bool again = known[i].to[0] != 0;
		bool ok = read_value(r, known[i].to, known[i].room);
		r->bearer_bad = r->bearer_bad || again || !ok;
		return;
	}
	(void)read_value(r, ignored, sizeof ignored);
}

static void end_challenge(struct reader *r)
{
	if (r->in_bearer && !r->bearer_bad && r->bearer.realm[0] && !r->to->has_bearer) {
		bool has_basic = r->to->has_basic;
		*r->to = r->bearer;
		r->to->has_basic = has_basic;
		r->to->has_bearer = true;
	}
	r->in_bearer = false;
}

static void begin_challenge(struct reader *r, const char *scheme, size_t scheme_bytes)
{
	end_challenge(r);
	if (scheme_bytes == 5 && !strncasecmp(scheme, "basic", 5))
		r->to->has_basic = true;
	r->in_bearer = scheme_bytes == 6 && !strncasecmp(scheme, "bearer", 6);
	r->bearer_bad = false;
	memset(&r->bearer, 0, sizeof r->bearer);
}

void challenge_parse(const char *header, struct challenge *c)
{
	struct reader r = {.at = header, .to = c};
	while (*(r.at += strspn(r.at, " \t,"))) {
		const char *word = r.at;
		size_t n = token_bytes(word);
		if (!n) {
			r.at++; /* no grammar allows it; go on behind it */
			continue;
		}
		const char *after = skip_space(word + n);
		if (*after == '=' && after[1] != '=' && after[1]) {
			r.at = skip_space(after + 1);
			read_parameter(&r, word, n);
		} else {
			r.at = word + n;
			begin_challenge(&r, word, n);
		}
	}
	end_challenge(&r);
}
