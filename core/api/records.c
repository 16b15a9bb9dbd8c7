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

static void done_release(void *kept)
{
	json_decref(kept);
}

/* The worker tries each new plugin before it says its list; jobs.plugins_wait_ms has no
 * say here: the settings hold already, and this is about seeing what came of the rest. */
#define LIST_WAIT_S 15

/* What the worker made of its folder: which plugins are loaded, and why one is not. */
static json_t *plugins_found(const struct daemon_state *d)
{
	json_t *found = json_array();
	size_t i;
	json_t *plugin;

	json_array_foreach (d->plugins, i, plugin) {
		json_array_append_new(found, json_pack("{s:O?, s:O?, s:O*}", "name",
						       json_object_get(plugin, "name"), "ok",
						       json_object_get(plugin, "ok"), "error",
						       json_object_get(plugin, "error")));
	}
	return found;
}

static void answer_reloaded(struct answer *a, const struct daemon_state *d, const json_t *done)
{
	json_t *document = json_copy((json_t *)done);

	if (d->plugins_awaited || !d->plugins_known || d->plugins_failed[0])
		js_put_str(document, "worker",
			   d->plugins_failed[0] ? d->plugins_failed
						: "the worker has not said its plugins yet");
	else
		json_object_set_new(document, "plugins", plugins_found(d));
	answer_json(a, 200, document);
}

void api_daemon_reload(struct request *q, struct answer *a)
{
	struct daemon_state *d = request_daemon(q);
	struct berth_error err = ERROR_INIT;

	if (answer_woken(a)) {
		answer_reloaded(a, d, request_kept(q));
		return;
	}
	json_t *done = json_pack("{s:b, s:[]}", "reloaded", 1, "needs_restart");
	request_keep(q, done, done_release);
	if (daemon_reload(d, json_object_get(done, "needs_restart"), &err)) {
		answer_problem(a, 422, "config-invalid", &err,
			       "correct the file, then berthctl daemon reload");
		return;
	}
	answer_reloaded(a, d, done);
	if (d->plugins_awaited) {
		answer_hold_topic(a, DAEMON_LISTED);
		answer_hold(a, LIST_WAIT_S);
	}
}
