/* SPDX-License-Identifier: Apache-2.0 */
/* The pull secret that others write, too: to the API server its content is one
 * field, which one manager has at a time, so what somebody entered beside our
 * hosts is kept by writing it again with ours. Runs in a job.
 */
#include "pull.h"

#include <string.h>

#include "core/base/buf.h"
#include "core/base/text.h"

#define HOSTS_MAX_BYTES ((size_t)64 << 10)

/* Has a manager that is not Berth the content? */
static bool is_written_by_others(const json_t *object)
{
	size_t i;
	const json_t *one;
	json_array_foreach (json_object_get(json_object_get(object, "metadata"), "managedFields"),
			    i, one) {
		const json_t *fields = json_object_get(json_object_get(one, "fieldsV1"), "f:data");
		if (json_object_get(fields, "f:" PULL_KEY) &&
		    strcmp(js_str(one, "manager", ""), "berth") != 0)
			return true;
	}
	return false;
}

/* Is the host on the list that was noted? */
static bool is_noted(const char *list, const char *host)
{
	size_t n = strlen(host);
	for (const char *s = list; s && *s; s += strcspn(s, ","), s += *s == ',')
		if (strcspn(s, ",") == n && !strncmp(s, host, n))
			return true;
	return false;
}

/* Content that is no JSON has nothing to be kept. */
static json_t *auths_of(const char *content, json_t **ret_config)
{
	struct berth_error ignored = ERROR_INIT;
	if (js_parse(content, strlen(content), &js_limits_api, ret_config, &ignored))
		return NULL;
	json_t *auths = json_object_get(*ret_config, "auths");
	return json_is_object(auths) ? auths : NULL;
}

/* One that was handed over is not noted yet: what it has was not entered by us. */
static int find_others(const json_t *there, const json_t *wanted, const json_t *object,
		       json_t **ret, struct berth_error *err)
{
	const char *noted = pull_annotation(object, PULL_HOSTS), *host;
	AUTO_JSON json_t *others = json_object();
	json_t *entry;
	if (!others)
		return berth_fail_memory(err);
	if (!noted && !is_written_by_others(object))
		return 0;
	json_object_foreach ((json_t *)(uintptr_t)there, host, entry)
		if (!json_object_get(wanted, host) && !is_noted(noted, host) &&
		    json_object_set(others, host, entry))
			return berth_fail_memory(err);
	*ret = json_object_size(others) ? STEAL(others) : NULL;
	return 0;
}

/* A host of ours has no comma in it, since it comes out of a reference. */
int merge_note(const json_t *auths, char **ret, struct berth_error *err)
{
	AUTO_BUF struct buf list;
	const char *host;
	json_t *entry;
	buf_init(&list, HOSTS_MAX_BYTES);
	json_object_foreach ((json_t *)(uintptr_t)auths, host, entry)
		if (buf_printf(&list, err, "%s%s", *buf_text(&list) ? "," : "", host))
			return err->code;
	*ret = strdup(buf_text(&list));
	return *ret ? 0 : berth_fail_memory(err);
}

static int hide(const struct pull *p, struct pull_state *to, const char *text,
		struct berth_error *err)
{
	to->confidential = p->confidential ? json_copy(p->confidential) : json_array();
	if (!to->confidential)
		return berth_fail_memory(err);
	int r = pull_hide(to->confidential, text, err);
	if (!r)
		r = pull_hide(to->confidential, to->data, err);
	return r ? r : pull_hide_entries(to->confidential, to->others, err);
}

/* config is what we want, or empty where we leave. */
static int put_together(const struct pull *p, json_t *config, struct pull_state *to,
			struct berth_error *err)
{
	struct digest digest;
	if (json_object_update(json_object_get(config, "auths"), to->others))
		return berth_fail_memory(err);
	AUTO_FREE char *text = js_text(config);
	to->data = text ? pull_encode(text) : NULL;
	if (!to->data)
		return berth_fail_memory(err);
	int r = digest_of(DIGEST_SHA256, text, strlen(text), &digest, err);
	if (r)
		return r;
	digest_format(&digest, to->both_digest);
	r = hide(p, to, text, err);
	explicit_bzero(text, strlen(text));
	return r;
}

int merge_others(const struct pull *p, const char *content, struct pull_state *to,
		 struct berth_error *err)
{
	AUTO_JSON json_t *there = NULL, *config = NULL;
	const json_t *auths = auths_of(content, &there);
	const char *ours = js_str(p->spec, "dockerconfigjson", "{\"auths\":{}}");
	json_t *wanted = auths_of(ours, &config);
	if (!auths || !wanted)
		return 0;
	int r = find_others(auths, wanted, to->object, &to->others, err);
	if (r || !to->others)
		return r;
	if (p->is_leaving && json_object_clear(wanted))
		return berth_fail_memory(err);
	return put_together(p, config, to, err);
}
