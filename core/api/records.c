/* SPDX-License-Identifier: Apache-2.0 */
/* /v1/audit, /v1/plugins and /v1/reload: what was done, what can be done, and
 * reading the configuration anew.
 */
#include <string.h>

#include "api_handlers.h"
#include "core/api/integration.h"
#include "core/ops/audit.h"
#include "core/store/records.h"

static int show_audit(struct request *q, const void *row, json_t **ret, struct berth_error *err)
{
	const struct audit_row *it = row;
	json_t *detail = NULL;

	(void)q;
	if (api_parse(it->detail, &detail, err))
		return err->code;
	*ret = json_pack("{s:I, s:I, s:s, s:s, s:s, s:s, s:o, s:s}", "number",
			 (json_int_t)it->number, "uid", (json_int_t)it->uid, "user", it->user_name,
			 "request", it->request_id, "action", it->action, "resource", it->resource,
			 "detail", detail, "hash", it->hash);
	if (!*ret)
		return berth_fail_memory(err);
	js_put_str(*ret, "result", it->result);
	js_put_time(*ret, "at", it->time_ms);
	return 0;
}

void api_audit_list(struct request *q, struct answer *a)
{
	static const struct api_collection all = {
		.table = &audit_table, .noun = "audit", .show = show_audit};

	api_list(&all, q, a);
}

void api_audit_verify(struct request *q, struct answer *a)
{
	struct berth_error err = ERROR_INIT;
	int64_t number = 0;
	int code = audit_verify(request_daemon(q)->store, &number, &err);

	if (code && code != BERTH_E_DIGEST) {
		api_fail(a, &err, NULL);
		return;
	}
	if (!code) {
		answer_json(a, 200, json_pack("{s:b, s:I}", "ok", 1, "rows", (json_int_t)number));
		return;
	}
	answer_json(a, 200,
		    json_pack("{s:b, s:I, s:s}", "ok", 0, "first_bad", (json_int_t)number,
			      "message", err.message));
}

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
