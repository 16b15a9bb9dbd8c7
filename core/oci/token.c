/* SPDX-License-Identifier: Apache-2.0 */
/* Token answers and scopes: see token.h. */
#include "core/oci/token.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/js.h"

#define TOKEN_MAX_BYTES ((size_t)64 << 10)
#define EXPIRES_MIN_S 60
#define EXPIRES_MAX_S 86400

static const struct js_limits limits = {256u << 10, 20000, 32};

/* What may stand behind "Bearer " (RFC 6750): visible ASCII. */
static bool is_sendable(const char *s)
{
	size_t n = strlen(s);
	for (size_t i = 0; i < n; i++)
		if ((unsigned char)s[i] <= 0x20 || (unsigned char)s[i] >= 0x7f)
			return false;
	return n > 0 && n <= TOKEN_MAX_BYTES;
}

int token_parse(const char *bytes, size_t byte_count, struct token_answer *ret,
		struct berth_error *err)
{
	AUTO_JSON json_t *root = NULL;
	int r = js_parse(bytes, byte_count, &limits, &root, err);
	if (r == BERTH_E_INVALID)
		err->code = BERTH_E_PROTOCOL;
	if (r)
		return err->code;
	const char *token = js_str(root, "token", "");
	if (!*token)
		token = js_str(root, "access_token", "");
	if (!is_sendable(token))
		return berth_fail(err, BERTH_E_PROTOCOL, "it holds no token that can be sent");
	int64_t life = js_int(root, "expires_in", EXPIRES_MIN_S);
	life = life < EXPIRES_MIN_S ? EXPIRES_MIN_S : life > EXPIRES_MAX_S ? EXPIRES_MAX_S : life;
	ret->token = strdup(token);
	ret->expires_s = (uint32_t)life;
	return ret->token ? 0 : berth_fail_memory(err);
}

void token_answer_done(struct token_answer *a)
{
	if (a->token)
		explicit_bzero(a->token, strlen(a->token));
	free(a->token);
	a->token = NULL;
}

/* Is the action (n bytes) among the comma-separated ones up to end? */
static bool has_action(const char *list, const char *end, const char *action, size_t n)
{
	while (list < end) {
		size_t m = strcspn(list, ", ");
		if (m == n && !memcmp(list, action, n))
			return true;
		list += m + 1;
	}
	return false;
}

/* Where the actions of a scope begin: behind its last colon. */
static const char *actions(const char *scope, size_t n)
{
	const char *colon = memrchr(scope, ':', n);
	return colon ? colon + 1 : scope + n;
}

static bool scope_covers(const char *have, size_t have_bytes, const char *want, size_t want_bytes)
{
	const char *a = actions(have, have_bytes), *b = actions(want, want_bytes);
	size_t name = (size_t)(a - have);
	if (name != (size_t)(b - want) || memcmp(have, want, name) != 0)
		return false;
	while (b < want + want_bytes) {
		size_t n = strcspn(b, ", ");
		if (!has_action(a, have + have_bytes, b, n))
			return false;
		b += n + 1;
	}
	return true;
}

static bool any_covers(const char *have, const char *want, size_t want_bytes)
{
	while (*have) {
		size_t n = strcspn(have, " ");
		if (scope_covers(have, n, want, want_bytes))
			return true;
		have += n + (have[n] == ' ');
	}
	return false;
}

bool token_covers(const char *have, const char *want)
{
	if (!*want)
		return !*have; /* a login check wants a token of its own */
	while (*want) {
		size_t n = strcspn(want, " ");
		if (!any_covers(have, want, n))
			return false;
		want += n + (want[n] == ' ');
	}
	return true;
}
