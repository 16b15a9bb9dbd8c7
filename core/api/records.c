/* SPDX-License-Identifier: Apache-2.0 */
/* /v1/plugins and /v1/reload: what can be done, and reading the configuration
 * anew.
 */
#include <string.h>

#include "api_handlers.h"
#include "core/api/integration.h"

void api_plugins_list(struct request *q, struct answer *a)
{
	const json_t *plugins = request_daemon(q)->plugins;

	if (request_query(q, "cursor")) {
		struct berth_error err = ERROR_INIT;
		(void)berth_fail(&err, BERTH_E_INVALID, "cursor: this list gives none");
		answer_problem(a, 0, "parameter-invalid", &err, NULL);
		answer_fault(a, "?cursor", "bad-value", "%s", err.message);
		return;
	}
	if (!api_plugins_known(q, a))
		return;
	answer_list(a, q, json_copy((json_t *)plugins), NULL, (int64_t)json_array_size(plugins),
		    NULL);
}

void api_plugins_get(struct request *q, struct answer *a)
{
	const json_t *plugin = catalog_find(request_daemon(q), request_param(q, "name"));

	if (!api_plugins_known(q, a))
		return;
	if (plugin)
		answer_resource(a, q, json_incref((json_t *)plugin), plugin, 0);
	else
		api_refuse(a, 404, "not-found", "berthctl plugin list", "there is no plugin %s",
			   request_param(q, "name"));
}

void api_daemon_reload(struct request *q, struct answer *a)
{
	struct berth_error err = ERROR_INIT;

	if (!daemon_reload(request_daemon(q), &err)) {
		answer_json(a, 200, json_pack("{s:b}", "reloaded", 1));
		return;
	}
	answer_problem(a, 422, "config-invalid", &err,
		       "correct the file, then berthctl daemon reload");
}
