/* SPDX-License-Identifier: Apache-2.0 */
/* Items at the border: what a plugin gives is believed after these checks, and
 * refused with the reason else. Runs in jobs and in the conformance kit.
 */
#include <string.h>

#include "core/base/digest.h"
#include "core/base/js.h"
#include "core/base/text.h"
#include "core/worker/backend.h"

#define ID_MAX_BYTES 1024
#define NAME_MAX_BYTES 32768
#define SAFE_INTEGER 9007199254740991ull /* 2^53 - 1: JSON's */

/* A frame has 64 KiB; name, id and the rest must fit beside. */
static const struct js_limits more_limits = {60 * 1024, 20000, 32};

static const char *const kind_names[] = {
	NULL,   "fact",      "space", "repository", "tag", "artifact", "referrer", "login",
	"step", "condition", "run",   "task",       "log", "finding",  "rule",     "object"};

const char *item_kind_name(uint32_t kind)
{
	return kind < ARRAY_COUNT(kind_names) ? kind_names[kind] : NULL;
}

static int check_text(const char *what, const char *text, size_t most, bool is_line,
		      struct berth_error *err)
{
	if (!text)
		return 0;
	size_t byte_count = strnlen(text, most + 1);
	if (byte_count > most)
		return berth_fail(err, BERTH_E_LIMIT, "an item's %s has more than %zu bytes", what,
				  most);
	if (!text_is_utf8(text, byte_count))
		return berth_fail(err, BERTH_E_PROTOCOL, "an item's %s is not UTF-8", what);
	for (size_t i = 0; is_line && i < byte_count; i++)
		if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f)
			return berth_fail(err, BERTH_E_PROTOCOL,
					  "an item's %s has a control character", what);
	return 0;
}

static int check_digest(const char *text, struct berth_error *err)
{
	struct digest d;
	struct berth_error why = ERROR_INIT;
	if (text && digest_parse(text, &d, &why)) {
		berth_fail(err, BERTH_E_PROTOCOL, "an item's digest is none");
		return berth_cause(err, "%s", why.message);
	}
	return 0;
}

static int parse_more(const char *text, json_t **ret, struct berth_error *err)
{
	*ret = NULL;
	if (!text)
		return 0;
	int code = js_parse(text, strnlen(text, more_limits.bytes + 1), &more_limits, ret, err);
	if (!code && !json_is_object(*ret)) {
		json_decref(*ret);
		*ret = NULL;
		code = berth_fail(err, BERTH_E_INVALID, "not a JSON object");
	}
	if (!code)
		return 0;
	if (code == BERTH_E_INVALID)
		err->code = BERTH_E_PROTOCOL;
	return berth_wrap(err, "an item's more_json is not right");
}

int item_check(const struct berth_item *given, struct berth_item *ret, json_t **ret_more,
	       struct berth_error *err)
{
	struct berth_item item = {0};
	if (!given || given->size < offsetof(struct berth_item, bytes))
		return berth_fail(err, BERTH_E_PROTOCOL, "an item has size %u, which is too small",
				  given ? given->size : 0);
	memcpy(&item, given, given->size < sizeof item ? given->size : sizeof item);
	if (!item_kind_name(item.kind))
		return berth_fail(err, BERTH_E_PROTOCOL, "an item has the unknown kind %u",
				  item.kind);
	if (item.bytes > SAFE_INTEGER || item.updated_ms < 0 ||
	    (uint64_t)item.updated_ms > SAFE_INTEGER)
		return berth_fail(err, BERTH_E_PROTOCOL, "an item's number is out of range");
	int code = check_text("id", item.id, ID_MAX_BYTES, true, err);
	if (!code)
		code = check_text("name", item.name, NAME_MAX_BYTES, item.kind != BERTH_ITEM_LOG,
				  err);
	if (!code)
		code = check_digest(item.digest, err);
	if (!code)
		code = parse_more(item.more_json, ret_more, err);
	if (!code)
		*ret = item;
	return code;
}
