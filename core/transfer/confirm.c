/* SPDX-License-Identifier: Apache-2.0 */
/* Outcomes of a comparison after a copy: see confirm.h. */
#include "core/transfer/confirm.h"

#include <stdbool.h>
#include <string.h>

#include "core/base/js.h"

int confirm_note(json_t *noted, const json_t *item, struct berth_error *err)
{
	const json_t *more = json_object_get(item, "more");
	json_t *one = json_pack("{s:s, s:I}", "state", js_str(more, "state", ""), "bytes",
				(json_int_t)js_int(item, "bytes", 0));
	if (!one || json_object_set_new(noted, js_str(item, "name", ""), one))
		return berth_fail_memory(err);
	return 0;
}

/* The first difference in words, and how many more there are. */
static void describe(const json_t *more, struct berth_error *to)
{
	const json_t *list = json_object_get(more, "differences");
	const json_t *first = json_array_get(list, 0);
	size_t others = json_array_size(list) - 1;
	const char *how = js_str(first, "how", "");
	if (!first) {
		berth_cause(to, "it has %.150s", js_str(more, "found", "no such tag"));
		return;
	}
	berth_cause(to, "%.20s %.150s %s%s", js_str(first, "what", ""), js_str(first, "digest", ""),
		    strcmp(how, "size") ? "is missing" : "has another size",
		    others ? ", and there is more" : "");
}

static json_t *error_of(const json_t *verdict)
{
	const json_t *more = json_object_get(verdict, "more");
	const json_t *given = json_object_get(more, "error");
	const char *name = js_str(verdict, "name", "");
	struct berth_error err = ERROR_INIT;
	json_t *error, *where;
	if (given) {
		js_to_error(given, &err);
		berth_wrap(&err, "after the copy '%.200s' could not be compared", name);
		where = json_incref(json_object_get(given, "integration"));
	} else {
		berth_fail(&err, BERTH_E_DIGEST,
			   "after the copy the target does not hold '%.200s' as the source does",
			   name);
		describe(more, &err);
		where = json_stringn(name, strcspn(name, "/"));
	}
	error = js_of_error(&err);
	if (where)
		json_object_set_new(error, "integration", where);
	return error;
}

static void add(json_t *totals, const char *key, int64_t change)
{
	json_object_set_new(totals, key, json_integer(js_int(totals, key, 0) + change));
}

/* A referrer counts as a failure, but it is not one of the images. */
static void count(json_t *totals, const json_t *before, bool is_referrer)
{
	add(totals, "failed", 1);
	if (!before)
		add(totals, is_referrer ? "referrers" : "images", 1);
	else if (!is_referrer)
		add(totals, js_str(before, "state", ""), -1);
}

int confirm_refute(const json_t *noted, const json_t *verdict, json_t *totals, json_t **ret,
		   struct berth_error *err)
{
	const json_t *before = json_object_get(noted, js_str(verdict, "name", ""));
	const json_t *more = json_object_get(verdict, "more");
	const char *was = js_str(before, "state", "");
	*ret = NULL;
	if (!strcmp(js_str(more, "state", ""), "same") || !strcmp(was, "kept") ||
	    !strcmp(was, "failed"))
		return 0;
	json_t *said = json_pack("{s:s, s:s, s:I, s:o}", "state", "failed", "source",
				 js_str(more, "source", ""), "attempts", (json_int_t)0, "error",
				 error_of(verdict));
	json_t *item = said ? json_pack("{s:s, s:s, s:I, s:o}", "kind", "image", "name",
					js_str(verdict, "name", ""), "bytes",
					(json_int_t)js_int(before, "bytes", 0), "more", said)
			    : NULL;
	if (!item)
		return berth_fail_memory(err);
	js_put_str(item, "digest", js_str(verdict, "digest", NULL));
	bool is_referrer = js_bool(more, "referrer", false);
	if (is_referrer)
		json_object_set_new(said, "referrer", json_true());
	count(totals, before, is_referrer);
	*ret = item;
	return 0;
}
