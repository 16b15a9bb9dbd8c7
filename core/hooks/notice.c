/* SPDX-License-Identifier: Apache-2.0 */
/* Notices of registries: see notice.h. */
#include "core/hooks/notice.h"

#include <string.h>
#include <strings.h>

#include "core/base/js.h"
#include "core/oci/reference.h"

static const struct js_limits limits = {NOTICE_MAX_BYTES, 20000, 16};

bool notice_is_type(const char *content_type)
{
	static const char *const types[] = {"application/vnd.docker.distribution.events.v1+json",
					    "application/vnd.docker.distribution.events.v2+json",
					    "application/cloudevents+json", "application/json"};
	size_t n = content_type ? strcspn(content_type, "; \t") : 0;

	for (size_t i = 0; i < ARRAY_COUNT(types); i++)
		if (n == strlen(types[i]) && !strncasecmp(content_type, types[i], n))
			return true;
	return false;
}

static bool is_listed(const json_t *list, const char *repository, const char *tag)
{
	const json_t *one;
	size_t i;

	json_array_foreach (list, i, one)
		if (!strcmp(js_str(one, "repository", ""), repository) &&
		    !strcmp(js_str(one, "tag", ""), tag))
			return true;
	return false;
}

/* Names that no registry has are left out: what follows is a hint in any case. */
static int add(json_t *list, const char *repository, const char *tag, struct berth_error *err)
{
	struct berth_error ignored = ERROR_INIT;

	if (!*repository || !reference_is_tag(tag) ||
	    reference_check_repository(repository, &ignored) || is_listed(list, repository, tag))
		return 0;
	if (json_array_size(list) > NOTICE_CHANGES_MAX)
		return 0; /* it is too many already */
	return json_array_append_new(list,
				     json_pack("{s:s, s:s}", "repository", repository, "tag", tag))
		       ? berth_fail_memory(err)
		       : 0;
}

/* {"events": [{"action": "push", "target": {"repository", "tag", ...}}, ...]}; pushes of
 * blobs, and of manifests by digest, have no tag. */
static int take_distribution(const json_t *events, json_t *list, struct berth_error *err)
{
	const json_t *event;
	size_t i;

	json_array_foreach (events, i, event) {
		const json_t *target = json_object_get(event, "target");
		if (!strcmp(js_str(event, "action", ""), "push") &&
		    add(list, js_str(target, "repository", ""), js_str(target, "tag", ""), err))
			return err->code;
	}
	return 0;
}

/* {"resources": [{"tag", ...}], "repository": {"repo_full_name", ...}} */
static int take_harbor(const json_t *data, json_t *list, struct berth_error *err)
{
	const char *repository = js_str(json_object_get(data, "repository"), "repo_full_name", "");
	const json_t *resource;
	size_t i;

	json_array_foreach (json_object_get(data, "resources"), i, resource)
		if (add(list, repository, js_str(resource, "tag", ""), err))
			return err->code;
	return 0;
}

static int take(const json_t *doc, json_t *list, struct berth_error *err)
{
	const json_t *events = json_object_get(doc, "events");
	const json_t *data = json_object_get(doc, "event_data");
	const json_t *cloud = json_object_get(doc, "data");
	const char *type = js_str(doc, "type", "");

	if (json_is_array(events))
		return take_distribution(events, list, err);
	if (json_is_object(data) && *type)
		return strcmp(type, "PUSH_ARTIFACT") ? 0 : take_harbor(data, list, err);
	if (json_is_object(cloud) && *type && *js_str(doc, "specversion", ""))
		return strcmp(type, "harbor.artifact.pushed") ? 0 : take_harbor(cloud, list, err);
	return berth_fail(err, BERTH_E_INVALID,
			  "it is neither a notification of distribution nor a webhook of Harbor");
}

int notice_parse(const char *bytes, size_t byte_count, json_t **ret, struct berth_error *err)
{
	AUTO_JSON json_t *doc = NULL;
	AUTO_JSON json_t *list = json_array();
	int code = list ? js_parse(bytes, byte_count, &limits, &doc, err) : berth_fail_memory(err);

	if (!code)
		code = take(doc, list, err);
	if (code)
		return code;
	if (json_array_size(list) > NOTICE_CHANGES_MAX) {
		json_array_clear(list);
		if (json_array_append_new(list, json_object()))
			return berth_fail_memory(err);
	}
	*ret = STEAL(list);
	return 0;
}
