/* SPDX-License-Identifier: Apache-2.0 */
/* ETags and what is decided by them (convention 18): strong, a hash of the
 * canonical JSON of what the user may change, and the generation.
 */
#include <inttypes.h>
#include <string.h>

#include "core/base/digest.h"
#include "core/base/js.h"
#include "core/base/text.h"
#include "core/http/internal.h"

void etag_make(const json_t *desired, int64_t generation, char *to)
{
	struct berth_error err = ERROR_INIT;
	struct digest digest = {0};
	char hex[33] = "";
	AUTO_FREE char *text = js_canonical(desired);

	if (text && !digest_of(DIGEST_SHA256, text, strlen(text), &digest, &err))
		text_hex(digest.bytes, 16, hex);
	snprintf(to, ETAG_ROOM, "\"%s-%" PRId64 "\"", hex, generation);
}

bool etag_in_list(const char *list, const char *etag, bool is_weak)
{
	size_t n = strlen(etag);
	while (*list) {
		list += strspn(list, " \t,");
		bool weak = !strncmp(list, "W/", 2);
		if (weak)
			list += 2;
		if ((is_weak || !weak) && !strncmp(list, etag, n) &&
		    (!list[n] || strchr(" \t,", list[n])))
			return true;
		if (*list == '"') {
			const char *end = strchr(list + 1, '"');
			list = end ? end + 1 : list + strlen(list);
		} else {
			list += strcspn(list, ",");
		}
	}
	return false;
}

static bool is_star(const char *list)
{
	list += strspn(list, " \t");
	return list[0] == '*' && !list[1 + strspn(list + 1, " \t")];
}

static void fail_precondition(struct answer *a, const char *etag, const char *why)
{
	struct berth_error err = ERROR_INIT;
	berth_fail(&err, BERTH_E_CONFLICT, "%s", why);
	answer_problem(a, 412, "precondition-failed", &err, NULL);
	if (!etag)
		return;
	answer_header(a, "ETag", etag);
	answer_member(a, "etag", json_string(etag));
}

static bool needs_if_match(const struct request *q)
{
	return q->route->method == METHOD_PUT || q->route->method == METHOD_DELETE;
}

/* A change's audit row says what the resource was before, and what it is after. */
static void keep_for_audit(const struct request *q, json_t **to, const json_t *desired)
{
	if (q->route->audit != AUDIT_CHANGE)
		return;
	json_decref(*to);
	*to = json_deep_copy(desired);
}

bool answer_precondition(struct answer *a, const struct request *q, bool exists,
			 const json_t *desired, int64_t generation)
{
	const char *match = request_header(q, "If-Match");
	const char *none = request_header(q, "If-None-Match");
	char etag[ETAG_ROOM] = "";

	if (exists) {
		etag_make(desired, generation, etag);
		keep_for_audit(a->request, &a->request->before, desired);
	}
	if (none && exists && (is_star(none) || etag_in_list(none, etag, true))) {
		fail_precondition(a, etag, "it exists already, and If-None-Match forbids that");
		return false;
	}
	if (match && !exists) {
		fail_precondition(a, NULL, "If-Match is given, but there is nothing to match");
		return false;
	}
	if (match && !is_star(match) && !etag_in_list(match, etag, false)) {
		fail_precondition(a, etag, "the resource was changed since that ETag was read");
		return false;
	}
	if (!match && exists && needs_if_match(q)) {
		struct berth_error err = ERROR_INIT;

		(void)berth_fail(&err, BERTH_E_CONFLICT,
				 "send If-Match with the ETag of what is meant, or * for whatever "
				 "is there");
		answer_problem(a, 428, "precondition-required", &err, NULL);
		answer_header(a, "ETag", etag);
		answer_member(a, "etag", json_string(etag));
		return false;
	}
	return true;
}

void answer_resource(struct answer *a, const struct request *q, json_t *take_body,
		     const json_t *desired, int64_t generation)
{
	const char *none = request_header(q, "If-None-Match");
	bool is_read = q->route->method == METHOD_GET;
	char etag[ETAG_ROOM];

	etag_make(desired, generation, etag);
	if (none && is_read && (is_star(none) || etag_in_list(none, etag, true))) {
		json_decref(take_body);
		answer_empty(a, 304);
	} else {
		answer_json(a, 200, take_body);
		keep_for_audit(q, &a->request->after, desired);
	}
	answer_header(a, "ETag", etag);
}

void answer_fixed(struct answer *a, const struct request *q, const char *media_type,
		  const char *text)
{
	const char *none = request_header(q, "If-None-Match");
	AUTO_JSON json_t *body = json_string(text);
	char etag[ETAG_ROOM];

	etag_make(body, 0, etag);
	if (none && (is_star(none) || etag_in_list(none, etag, true)))
		answer_empty(a, 304);
	else
		answer_text(a, 200, media_type, strdup(text));
	answer_header(a, "ETag", etag);
}

void answer_created(struct answer *a, const char *location, json_t *take_body,
		    const json_t *desired, int64_t generation)
{
	char etag[ETAG_ROOM];
	etag_make(desired, generation, etag);
	answer_json(a, 201, take_body);
	keep_for_audit(a->request, &a->request->after, desired);
	answer_header(a, "Location", location);
	answer_header(a, "ETag", etag);
}
