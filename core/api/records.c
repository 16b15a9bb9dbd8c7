/* SPDX-License-Identifier: Apache-2.0 */
/* /v1/plugins and /v1/reload: what can be done, and reading the configuration
 * anew.
 */
#include <string.h>

#include "api_handlers.h"
#include "core/api/integration.h"

/* What plugins are sorted and filtered by. They are no rows: the catalog is in memory. */
static const struct store_column plugin_columns[] = {
	{.name = "name", .column = "name", .type = STORE_TEXT},
	{.name = "file", .column = "file", .type = STORE_TEXT},
	{.name = "ok", .column = "ok", .type = STORE_BOOL},
	{.name = "error", .column = "error", .type = STORE_TEXT},
	{.name = "version", .column = "version", .type = STORE_TEXT},
	{.name = "abi", .column = "abi", .type = STORE_TEXT},
	{.name = "summary", .column = "summary", .type = STORE_TEXT},
};
static const struct store_table plugins_table = {
	.name = "plugin",
	.columns = plugin_columns,
	.column_count = ARRAY_COUNT(plugin_columns),
	.key = "file",
	.default_sort = "name",
};

void api_plugins_list(struct request *q, struct answer *a)
{
	struct list l AUTO_LIST = {.table = NULL};

	if (!api_plugins_known(q, a) || !list_begin(&l, q, a, &plugins_table))
		return;
	list_end_array(&l, q, a, request_daemon(q)->store, request_daemon(q)->plugins);
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
