/* SPDX-License-Identifier: Apache-2.0 */
/* See arguments.h. */
#include "core/worker/arguments.h"

#include <string.h>

#include "core/base/js.h"

int kind_argument(struct job *j, const char *key, const char **ret, struct berth_error *err)
{
	*ret = js_str(job_args(j), key, NULL);
	if (!*ret)
		return berth_fail(err, BERTH_E_PROTOCOL, "a job of kind %s needs '%s'", job_kind(j),
				  key);
	return 0;
}

int kind_object(struct job *j, const char *key, char **ret, struct berth_error *err)
{
	const json_t *value = json_object_get(job_args(j), key);
	*ret = value ? js_text(value) : strdup("{}");
	return *ret ? 0 : berth_fail_memory(err);
}

int kind_open(struct job *j, struct backend **ret, struct berth_error *err)
{
	const char *name;
	int code = kind_argument(j, "instance", &name, err);
	return code ? code : backend_open(j, name, ret, err);
}

int kind_open_with(struct job *j, const char *const *keys, const char **ret_values,
		   struct backend **ret, struct berth_error *err)
{
	int code = 0;
	for (size_t i = 0; !code && keys[i]; i++)
		code = kind_argument(j, keys[i], &ret_values[i], err);
	return code ? code : kind_open(j, ret, err);
}
