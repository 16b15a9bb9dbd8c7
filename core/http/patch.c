/* SPDX-License-Identifier: Apache-2.0 */
/* JSON Merge Patch, see patch.h. */
#include "core/http/patch.h"

#include "core/http/route.h"

json_t *json_merge_patch(const json_t *target, const json_t *patch)
{
	const char *key;
	json_t *value, *result;

	if (!json_is_object(patch))
		return json_deep_copy(patch);
	result = json_is_object(target) ? json_deep_copy(target) : json_object();
	json_object_foreach ((json_t *)(uintptr_t)patch, key, value) {
		if (json_is_null(value)) {
			json_object_del(result, key);
			continue;
		}
		json_t *merged = json_merge_patch(json_object_get(result, key), value);
		if (!merged || json_object_set_new(result, key, merged)) {
			json_decref(result);
			return NULL;
		}
	}
	return result;
}

bool answer_check(struct answer *a, const char *operation, const json_t *value)
{
	const struct route *route = route_of_operation(operation);
	json_t *errors;

	if (!value) {
		answer_problem(a, 0, "no-memory", NULL, NULL);
		return false;
	}
	errors = json_array();
	if (route && route->body && schema_check(route->body, value, false, errors)) {
		json_decref(errors);
		return true;
	}
	answer_problem(a, 0, route && route->body ? "validation-failed" : "internal", NULL, NULL);
	answer_member(a, "errors", errors);
	return false;
}
